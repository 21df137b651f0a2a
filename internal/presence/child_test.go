package presence

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// The test binary runs itself again as a holder.
const (
	childDir = "FRESHET_TEST_PRESENCE_DIR"
	childID  = "FRESHET_TEST_PRESENCE_ID"
	// childProgram is for the shell: the holder starts it and waits for it.
	childProgram = "FRESHET_TEST_PRESENCE_PROGRAM"
)

// child announces id, says so, and lives until its standard input ends. It
// does not end the announcement.
func child(dir, id string) (code int) {
	end, err := In(dir).Announce(id)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if program := os.Getenv(childProgram); program != "" {
		cmd := exec.Command("sh", "-c", program)
		cmd.Stdin = os.Stdin
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(cmd.Process.Pid)
		_ = cmd.Wait()
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(end)
	return 0
}

// process is a holder that runs.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	line  string // the first that it wrote
}

// start starts a process and returns when it has announced id.
func start(t *testing.T, f Folder, id string, env ...string) process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childDir+"="+f.dir, childID+"="+id), env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	line = strings.TrimSpace(line)
	if _, noPid := strconv.Atoi(line); err != nil || line != "ready" && noPid != nil {
		t.Fatalf("the process wrote %q, %v", line, err)
	}
	return process{cmd, stdin, line}
}

// A process that ends without a word is gone.
func TestProcessThatExits(t *testing.T) {
	f := In(t.TempDir())
	p := start(t, f, "1")
	if f.Gone("1", Host()) {
		t.Error("a process that lives counts as gone")
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !f.Gone("1", Host()) {
		t.Error("a process that has ended does not count as gone")
	}
}
