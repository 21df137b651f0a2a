package build

import (
	"context"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// shell runs cmd.exe, whose own rules of quoting need the line as it is:
// /s takes the outer quotes away and leaves all others.
func shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /s /c "` + command + `"`}
	return cmd
}

// group gives the command a console process group of its own.
func group(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP
}

// interrupt sends Ctrl-Break, because a new group ignores Ctrl-C.
func interrupt(pid int) error {
	const ctrlBreak = 1
	send := syscall.NewLazyDLL("kernel32.dll").NewProc("GenerateConsoleCtrlEvent")
	if ok, _, err := send.Call(ctrlBreak, uintptr(pid)); ok == 0 {
		return err
	}
	return nil
}

// finish kills the tree of processes that an interrupt left. os/exec has given
// the grace already.
func finish(pid int, _ time.Time) {
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run()
}
