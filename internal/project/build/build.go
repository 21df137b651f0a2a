// Package build runs the site's own build command and removes what it made.
//
// Run promises that the command runs as the user would run it: by the shell,
// in the project's folder, with the environment unchanged; and that nothing of
// it is left running after a cancelled context. Clean promises that it removes
// exactly what it is given, never follows a symbolic link, never leaves the
// project, and removes nothing at all if one of the names is refused.
//
// It leaves out knowing what a site's command should be (detect) and watching
// for changes (dev). A process that the command leaves behind when it ends by
// itself is left alone: it may be a compiler's daemon. Inside a container the
// environment is the image's own, and only the project's folder is visible.
//
// It follows the section "The config file" of the design, keys under `build`.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// DefaultGrace is how long an interrupted command may take to end before it is
// killed.
const DefaultGrace = 5 * time.Second

// Options say what to run, where, and where its output goes.
type Options struct {
	// Dir is the project's folder, in which the command runs.
	Dir string
	// Command is a line for the shell: sh -c, and cmd /c on Windows. An empty
	// one is an error.
	Command string
	// Image is a container image to run the command in, by docker or podman,
	// whichever of them is found first on the PATH of Env, with Dir as the
	// folder /site. "" means to run it on this machine.
	Image string
	// Env is the whole environment, as "NAME=value"; nil means that of this
	// process. A container gets nothing of it.
	Env []string
	// Stdout and Stderr receive the command's output as it comes; nil means
	// to discard it. The command's standard input is empty.
	Stdout, Stderr io.Writer
	// Grace is how long an interrupted command may take to end before it is
	// killed; 0 means DefaultGrace.
	Grace time.Duration

	engineName string // docker or podman, once it is known
}

// Error says that the command ran, or was to run, and did not succeed.
type Error struct {
	// Command is Options.Command.
	Command string
	// Code is the exit status; -1 if the command did not start, was ended by
	// a signal, or was interrupted.
	Code int
	// Err is the cause: an *exec.ExitError, the context's error if the run was
	// interrupted, or why the command did not start.
	Err error

	hint string
}

// Error names the command and how it ended.
func (e *Error) Error() string {
	return fmt.Sprintf("run the build command %q: %v", e.Command, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what the user can do next, without a final stop; "" means that the
// command's own output says it best.
func (e *Error) Hint() string { return e.hint }

// Run runs the command to its end. If the context is cancelled first, the
// command and all processes in its group get an interrupt, and whatever is
// still there after the grace is killed; the error then has the context's
// error in its chain. Every error is an *Error. Repeating a run is as safe as
// the command is.
func Run(ctx context.Context, o Options) error {
	if strings.TrimSpace(o.Command) == "" {
		return &Error{Code: -1, Err: errors.New("it is empty"), hint: "write build: command: in freshet.yaml"}
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Image != "" {
		return runContainer(ctx, o)
	}
	cmd := shell(ctx, o.Command)
	return o.wrap(ctx, o.run(ctx, cmd))
}

// run runs cmd, which may be the shell or a container's client, as one group.
func (o Options) run(ctx context.Context, cmd *exec.Cmd) error {
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = o.Dir, o.Env, o.Stdout, o.Stderr
	cmd.WaitDelay = o.Grace
	group(cmd)
	var deadline time.Time // written by Cancel, which Run waits for
	cmd.Cancel = func() error {
		deadline = time.Now().Add(o.Grace)
		return interrupt(cmd.Process.Pid)
	}
	err := cmd.Run()
	if !deadline.IsZero() {
		finish(cmd.Process.Pid, deadline)
	}
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		// The command succeeded and left a process that holds its output.
		return nil
	}
	return err
}

// wrap makes the *Error of what run returned.
func (o Options) wrap(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Command: o.Command, Code: -1, Err: err}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		e.Err = fmt.Errorf("interrupted: %w", ctx.Err())
	case errors.As(err, &exit):
		e.Code = exit.ExitCode()
		e.hint = o.exitHint(e.Code)
	}
	return e
}

// exitHint explains the shell's own exit statuses; POSIX.1-2024, Shell Command
// Language, 2.8.2 "Exit Status for Commands".
func (o Options) exitHint(code int) string {
	switch {
	case code == 127 && o.Image == "":
		return fmt.Sprintf("a program that %q names is not installed or not on PATH; install it, or set build: image: in freshet.yaml", o.Command)
	case code == 127:
		return fmt.Sprintf("a program that %q names is not in the image %s", o.Command, o.Image)
	case code == 126:
		return fmt.Sprintf("a file that %q names may not be executed; chmod +x it", o.Command)
	case code == 125 && o.Image != "":
		return fmt.Sprintf("the container could not be started; `%[1]s version` shows whether %[1]s runs, `%[1]s pull %[2]s` whether the image can be had", o.engineName, o.Image)
	}
	return ""
}

// environ is the environment that the command will have.
func (o Options) environ() []string {
	if o.Env == nil {
		return os.Environ()
	}
	return o.Env
}

// lookPath finds a program on the PATH of the command's own environment, which
// need not be that of this process. Entries that are not absolute are passed
// over, as os/exec does: they would run a program of the project.
func (o Options) lookPath(name string) (string, bool) {
	path := ""
	for _, entry := range o.environ() {
		if key, value, _ := strings.Cut(entry, "="); strings.EqualFold(key, "PATH") {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, true
		}
	}
	return "", false
}
