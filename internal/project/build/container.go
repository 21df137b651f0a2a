package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mountPoint is where a container sees the project's folder.
const mountPoint = "/site"

// stopTimeout is how long killing a container may take before freshet gives
// up and names it.
const stopTimeout = 10 * time.Second

// runContainer runs the command in a container of o.Image.
func runContainer(ctx context.Context, o Options) error {
	engine, program, err := o.engine()
	if err != nil {
		return err
	}
	o.engineName = engine
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return &Error{Command: o.Command, Code: -1, Err: fmt.Errorf("find the project's folder: %w", err)}
	}
	if rest := dir[len(filepath.VolumeName(dir)):]; strings.Contains(rest, ":") {
		return &Error{Command: o.Command, Code: -1, Err: fmt.Errorf("mount %s: the path holds a colon", dir),
			hint: "move the project, or remove build: image: from freshet.yaml"}
	}
	// The engine writes the container's id there, outside the project.
	temp, err := os.MkdirTemp("", "freshet-build-")
	if err != nil {
		return &Error{Command: o.Command, Code: -1, Err: err}
	}
	defer os.RemoveAll(temp) // an empty folder at worst
	idFile := filepath.Join(temp, "id")

	cmd := exec.CommandContext(ctx, program, o.arguments(engine, dir, idFile)...)
	err = o.run(ctx, cmd)
	failed := o.wrap(ctx, err)
	if ctx.Err() == nil || failed == nil {
		return failed
	}
	// Killing the client does not end the container, and the shell in it,
	// being process 1, ignores the interrupt that the client passes on.
	if err := o.killContainer(ctx, program, idFile); err != nil {
		return &Error{Command: o.Command, Code: -1, Err: errors.Join(failed, err),
			hint: "`" + engine + " ps` shows whether the container still runs"}
	}
	return failed
}

// engine is docker or podman.
func (o Options) engine() (name, program string, err error) {
	for _, name := range []string{"docker", "podman"} {
		if program, ok := o.lookPath(name); ok {
			return name, program, nil
		}
	}
	return "", "", &Error{Command: o.Command, Code: -1,
		Err:  fmt.Errorf("the image %s needs docker or podman, and neither is on PATH", o.Image),
		hint: "install one of them, or remove build: image: from freshet.yaml"}
}

func (o Options) arguments(engine, dir, idFile string) []string {
	args := []string{"run", "--rm", "--cidfile", idFile, "-v", dir + ":" + mountPoint, "-w", mountPoint}
	// What the command writes shall belong to the user. Windows has no ids.
	if uid := os.Getuid(); uid >= 0 {
		args = append(args, "--user", strconv.Itoa(uid)+":"+strconv.Itoa(os.Getgid()))
		if engine == "podman" && uid != 0 {
			// Rootless podman otherwise maps the id to one that may not write.
			args = append(args, "--userns", "keep-id")
		}
	}
	return append(args, o.Image, "sh", "-c", o.Command)
}

// killContainer ends the container whose id the engine wrote, if it came that
// far. One that has ended meanwhile is no failure.
func (o Options) killContainer(ctx context.Context, program, idFile string) error {
	id, err := os.ReadFile(idFile)
	if err != nil || len(bytes.TrimSpace(id)) == 0 {
		return nil // no container was made
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	name := string(bytes.TrimSpace(id))
	cmd := exec.CommandContext(ctx, program, "kill", name)
	cmd.Env = o.Env
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil && !gone(string(out)) {
		return fmt.Errorf("kill container %s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// gone recognises what docker and podman say of a container that has ended.
func gone(out string) bool {
	out = strings.ToLower(out)
	return strings.Contains(out, "no such container") || strings.Contains(out, "not running") ||
		strings.Contains(out, "no container with")
}
