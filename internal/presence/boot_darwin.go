package presence

import "syscall"

// bootID is an id that the kernel makes when it starts, the sysctl
// kern.bootsessionuuid. "" where there is none.
func bootID() string {
	id, err := syscall.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
