//go:build unix

package presence

import (
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// A process that is stopped holds on; killed, it is gone, and any number of
// others may ask at once.
func TestProcessThatIsStoppedAndKilled(t *testing.T) {
	f := In(t.TempDir())
	p := start(t, f, "1")
	other := start(t, f, "2")
	pid := p.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the process did not stop: %v, %v", status, err)
	}
	if f.Gone("1", Host()) {
		t.Error("a process that is stopped counts as gone")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // "signal: killed"
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for range 20 {
				if !f.Gone("1", Host()) {
					t.Errorf("contender %d: a process that was killed does not count as gone", i)
					return
				}
			}
		})
	}
	wg.Wait()
	if f.Gone("2", Host()) {
		t.Error("the other process counts as gone")
	}
	_ = other.stdin.Close()
}

// A program that a holder has started does not inherit what it holds.
func TestProgramOfAHolder(t *testing.T) {
	f := In(t.TempDir())
	p := start(t, f, "1", childProgram+"=read x")
	if f.Gone("1", Host()) {
		t.Error("a process that lives counts as gone")
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	program, err := strconv.Atoi(p.line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(program, 0); err != nil {
		t.Fatalf("the program has ended: %v", err)
	}
	if !f.Gone("1", Host()) {
		t.Error("a process that was killed does not count as gone while its program lives")
	}
	_ = p.stdin.Close() // which ends the program
}
