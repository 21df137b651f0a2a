package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// work is commands to be run one after the other, the next only after success.
type work struct {
	Commands [][]string `json:"commands"`
	Dir      string     `json:"dir"`
}

// usage is what they took together.
type usage struct {
	Wall float64 `json:"wall"` // seconds
	CPU  float64 `json:"cpu"`  // seconds of user and system time, with all children that they waited for
	Peak float64 `json:"peak"` // MB (10^6 bytes): the resident memory of the largest process
	Exit int     `json:"exit"` // of the first that failed; 0 where none did
}

// launch reads work, does it, and writes what it took. It is a process of its own for two reasons: the kernel counts the memory of
// whoever starts a process into that process's peak, so whoever starts it must be small; and wait4 sums up all children.
func launch(in io.Reader, out io.Writer) error {
	var w work
	if err := json.NewDecoder(in).Decode(&w); err != nil {
		return fmt.Errorf("read work: %w", err)
	}
	var u usage
	began := time.Now()
	for _, args := range w.Commands {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Stderr = w.Dir, os.Stderr
		err := cmd.Run()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			u.Exit = failed.ExitCode()
			break
		}
		if err != nil {
			return err
		}
	}
	u.Wall = time.Since(began).Seconds()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r); err != nil {
		return fmt.Errorf("read what the children used: %w", err)
	}
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
	u.Peak = float64(r.Maxrss) * 1024 / 1e6 // getrusage(2): kilobytes, of 1,024 bytes
	return json.NewEncoder(out).Encode(u)
}

// turnLimit is how long the commands of one turn may take.
const turnLimit = time.Hour

// perform does work in a process of its own and returns what it took and the end of what it said on standard error.
func perform(ctx context.Context, self string, w work, env []string) (u usage, said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	in, err := json.Marshal(w)
	if err != nil {
		return u, "", err
	}
	var out, failure bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "launch")
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = bytes.NewReader(in), &out, &failure, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its children
	if err := cmd.Run(); err != nil {
		return u, "", fmt.Errorf("run %q: %w: %s", w.Commands[0], err, failure.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &u); err != nil {
		return u, "", fmt.Errorf("read what %q took: %w", w.Commands[0], err)
	}
	said = failure.String()
	const most = 400 // bytes of an error that are enough to know it
	return u, said[max(0, len(said)-most):], nil
}
