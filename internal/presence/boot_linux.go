package presence

import (
	"os"
	"strings"
)

// bootID is a random id that the kernel makes when it starts; random(4), "/proc
// interfaces". "" where /proc is not there.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
