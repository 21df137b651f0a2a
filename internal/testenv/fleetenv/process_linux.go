package fleetenv

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// dieWithParent ends cmd with this process, however that ends.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// ownHost is a loopback address that no other fleet has: all of 127/8 is this machine. So fleets of several processes do not take each other's ports
// while one of theirs is down.
func ownHost() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.N(250), 1+rand.N(250), 1+rand.N(250))
}

// usage reads /proc; proc(5), read 2026-11. A tick is a hundredth of a second on every Linux that Go runs on.
func usage(pid int) (resident int64, used time.Duration) {
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		if fields := bytes.Fields(data); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			resident = pages * int64(os.Getpagesize())
		}
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return resident, 0
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 13 {
		return resident, 0
	}
	user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
	system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
	return resident, time.Duration(user+system) * 10 * time.Millisecond
}
