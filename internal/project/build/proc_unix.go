//go:build unix

package build

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// poll is how often a group that was interrupted is looked at.
const poll = 10 * time.Millisecond

func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "sh", "-c", command)
}

// group gives the command a process group of its own, so that an interrupt
// reaches everything that it starts, and the terminal's own Ctrl-C reaches
// freshet alone.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// interrupt asks all processes of the group to end.
func interrupt(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGINT)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// finish waits for a group that was interrupted until it is empty or the
// deadline has come, and kills what is left. The shell makes background processes ignore
// interrupts, so some often are. The group's number stays taken as long as one
// process is in it; an empty group makes kill fail, which is what is wanted.
func finish(pid int, deadline time.Time) {
	for ; time.Now().Before(deadline); time.Sleep(poll) {
		if syscall.Kill(-pid, 0) != nil {
			return
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}
