package stream

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// nodeVariable holds the config of the node that this program is to be, instead of a test.
// kills is how often TestLeaderIsKilled kills: each costs an election, 4 to 9 s.
var kills = flag.Int("kills", 1, "how often the leader is killed")

const nodeVariable = "FRESHET_STREAM_TEST_NODE"

func TestMain(m *testing.M) {
	if cfg := os.Getenv(nodeVariable); cfg != "" {
		if err := beNode([]byte(cfg)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// beNode runs a node, as a control node does, until standard input ends: with the process that tests, at the latest.
func beNode(data []byte) error {
	var cfg Config
	if err := json.Unmarshal(data, &cfg); err != nil {
		return err
	}
	n, err := Start(cfg)
	if err != nil {
		return err
	}
	defer n.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := Connect(ctx, Options{Node: n})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, e.Close())
}

// process is a node in a process of its own.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ready chan error
}

func startProcess(t testing.TB, cfg Config) *process {
	t.Helper()
	data, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVariable+"="+string(data))
	cmd.Stderr = os.Stderr
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
	p := &process{cmd: cmd, stdin: stdin, ready: make(chan error, 1)}
	go func() {
		_, err := io.ReadFull(stdout, make([]byte, len("ready\n")))
		p.ready <- err
	}()
	return p
}

// wait waits until the node answers.
func (p *process) wait(t testing.TB) {
	t.Helper()
	select {
	case err := <-p.ready:
		if err != nil {
			t.Fatalf("node in a process: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a node in a process does not get ready")
	}
}

// kill ends the process as a power loss would.
func (p *process) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it may be dead already
	p.cmd.Wait()         //nolint:errcheck // the error is that it was killed
	p.stdin.Close()
}

// TestLeaderIsKilled kills the process that leads, again and again, while entries are appended and followed.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel() // most of its time goes by in elections
	if testing.Short() {
		t.Skip("elections take seconds")
	}
	const each = 200
	kills := *kills
	cfgs := threeConfigs(t)
	var nodes [3]*process
	for n := range nodes {
		nodes[n] = startProcess(t, cfgs[n])
	}
	t.Cleanup(func() {
		for _, p := range nodes {
			p.kill()
		}
	})
	for _, p := range nodes {
		p.wait(t)
	}
	e := connect(t, Options{Servers: servers(cfgs)})
	got := followed(t, connect(t, Options{Servers: servers(cfgs), Edge: true}), 1)
	after := uint64(0)
	for k := range kills {
		n := leader(t, e)
		killed := make(chan struct{})
		time.AfterFunc(50*time.Millisecond, func() { nodes[n].kill(); close(killed) })
		first, slowest := after, time.Duration(0)
		for dead, further := false, 0; !dead || further < each; {
			select {
			case <-killed:
				dead = true
				further++
			default:
			}
			before := time.Now()
			mustAppend(t, e, after, fmt.Sprint(after))
			slowest = max(slowest, time.Since(before))
			after++
		}
		appended := time.Now()
		wantEntries(t, got, first+1, after)
		t.Logf("kill %d: %d entries, the slowest took %v; all were followed %v later",
			k+1, after-first, slowest, time.Since(appended))
		nodes[n] = startProcess(t, cfgs[n])
		nodes[n].wait(t)
	}
	wantBounds(t, e, 1, after)
	ctx := within(t, time.Minute)
	for n := range after {
		if entry, err := e.Read(ctx, n+1); err != nil || string(entry.Data) != fmt.Sprint(n) {
			t.Fatalf("entry %d: %q, %v", n+1, entry.Data, err)
		}
	}
}
