//go:build unix

package fleetenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build builds freshet into dir and returns the program's path.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "freshet")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/freshet/freshet/cmd/freshet")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build freshet: %w\n%s", err, out)
	}
	return program, nil
}

// Process is one process of a fleet, which may be killed, stopped and started again with the same arguments.
type Process struct {
	Name  string // "control-1", "edge-3"
	Dir   string // working directory
	Ready string // URL that answers 200 when it is ready
	args  []string
	env   []string // beside this process' own
	trust *secrets // of who answers Ready; nil for plain HTTP

	// mu guards what follows; held for field access only.
	mu     sync.Mutex
	cmd    *exec.Cmd // nil while it does not run
	exited chan struct{}
	output bytes.Buffer
}

// Write keeps what the process says.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

// Output is what it said, in all its lives.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Start starts it, unless it runs.
func (p *Process) Start() error {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, p, p
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), p.env...)
	dieWithParent(cmd)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.exited = cmd, make(chan struct{})
	go p.reap(cmd, p.exited)
	return nil
}

func (p *Process) reap(cmd *exec.Cmd, exited chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	fmt.Fprintf(&p.output, "-- %s ended: %v\n", p.Name, err)
	close(exited)
}

// running is the process and what is closed when it ends; nil where it does not run.
func (p *Process) running() (*os.Process, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, nil
	}
	return p.cmd.Process, p.exited
}

// Running says whether it runs; a stopped one does.
func (p *Process) Running() bool {
	proc, _ := p.running()
	return proc != nil
}

// Kill kills it as a power loss would, and waits until it is gone.
func (p *Process) Kill() { p.end(syscall.SIGKILL, time.Minute) }

// Terminate asks it to end, and waits for that; an error if it does not within a minute. One that was stopped goes on, or it would not hear it.
func (p *Process) Terminate() error {
	p.Continue()
	if !p.end(syscall.SIGTERM, time.Minute) {
		return fmt.Errorf("terminate %s: it still runs after a minute", p.Name)
	}
	return nil
}

func (p *Process) end(sig os.Signal, wait time.Duration) bool {
	proc, exited := p.running()
	if proc == nil {
		return true
	}
	_ = proc.Signal(sig) // it may have ended by itself
	select {
	case <-exited:
		return true
	case <-time.After(wait):
		return false
	}
}

// Pause stops it where it stands.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Continue lets it go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(sig os.Signal) {
	if proc, _ := p.running(); proc != nil {
		_ = proc.Signal(sig) // it may have ended by itself
	}
}

// Usage is the resident memory in bytes, 0 where it is not known, and the processor time used so far.
func (p *Process) Usage() (resident int64, used time.Duration) {
	proc, _ := p.running()
	if proc == nil {
		return 0, 0
	}
	return usage(proc.Pid)
}

// Disk is the size of what lies below a folder, in bytes.
func Disk(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

// Await waits until it is ready.
func (p *Process) Await(ctx context.Context) error {
	client := p.asker()
	var last error
	for {
		if last = ask(ctx, client, p.Ready); last == nil {
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("wait for %s: it has ended:\n%s", p.Name, p.Output())
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %s: %w (%w); it said:\n%s", p.Name, err, last, p.Output())
		}
	}
}

// asker asks Ready, on a new connection each time.
func (p *Process) asker() *http.Client {
	transport := p.trust.transport()
	transport.DisableKeepAlives = true
	return &http.Client{Timeout: time.Second, Transport: transport}
}

// ask returns nil if url answers 200.
func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d %s", url, resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
