package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed zipf.lua
var zipf []byte

// measurement is one run.
type measurement struct {
	names                []string
	sizes                []string
	rounds               int
	slice                time.Duration
	serverCore, loadCore string
	scratch              string

	dir     string
	origin  string
	servers []*server
}

// server is one that runs.
type server struct {
	name, address string
	cmd           *exec.Cmd
}

// turn is what one server did in one slice.
type turn struct {
	rate, perCore float64 // requests a second; the same had it had its core for itself
	share         float64 // of the core that it got
	p50, p99      time.Duration
	errors        int
}

const (
	urls        = 1000
	connections = 64
	startWait   = 20 * time.Second
)

func (m *measurement) run(ctx context.Context) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("find the load generator: %w", err)
	}
	var err error
	if m.dir, err = os.MkdirTemp(m.scratch, "freshet-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	if err := os.WriteFile(filepath.Join(m.dir, "zipf.lua"), zipf, 0o644); err != nil {
		return err
	}
	defer m.stop()
	if err := m.start(ctx); err != nil {
		return err
	}
	for _, size := range m.sizes {
		if err := m.size(ctx, size); err != nil {
			return fmt.Errorf("measure %s bytes: %w", size, err)
		}
	}
	return nil
}

// start starts the origin and every server that is installed.
func (m *measurement) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	origin, err := m.launch(ctx, "origin", m.loadCore, func(_, listen string) ([]string, error) {
		return []string{self, "origin", "-listen", listen}, nil
	})
	if err != nil {
		return err
	}
	m.origin = origin.address
	all := peers(self)
	for _, name := range m.names {
		p, known := all[name]
		if !known {
			return fmt.Errorf("find server %q: there is none of this name", name)
		}
		if _, err := exec.LookPath(p.program); p.program != "" && err != nil {
			fmt.Printf("%-16s not installed, left out\n", name)
			continue
		}
		if _, err := m.launch(ctx, name, m.serverCore, func(dir, listen string) ([]string, error) { return p.command(dir, listen, m.origin) }); err != nil {
			return err
		}
		fmt.Printf("%-16s %s\n", name, p.says())
	}
	return nil
}

// launch starts one program on a free port and a core, and waits until it answers.
func (m *measurement) launch(ctx context.Context, name, core string, command func(dir, listen string) ([]string, error)) (*server, error) {
	dir := filepath.Join(m.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{name: name, address: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	args, err := command(dir, s.address)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", name, err)
	}
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd = exec.Command("taskset", append([]string{"-c", core}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	m.servers = append(m.servers, s)
	for deadline := time.Now().Add(startWait); ; time.Sleep(100 * time.Millisecond) {
		if s.answers(ctx) {
			return s, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(dir, "output"))
			return nil, fmt.Errorf("wait for %s: no answer on %s; it says: %s", name, s.address, said)
		}
	}
}

// answers says whether the server passes requests on, and keeps what it gets: a cache may open later than its port.
func (s *server) answers(ctx context.Context) bool {
	for range 2 {
		if get(ctx, "http://"+s.address+"/s/10/ready") != nil {
			return false
		}
	}
	return true
}

// get fetches a URL whole.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// stop ends what start has started, each with the processes that it made.
func (m *measurement) stop() {
	for _, s := range slices.Backward(m.servers) {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
		ended := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) })
		_ = s.cmd.Wait() // it was told to end
		ended.Stop()
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // children that outlived it
	}
}

// size measures all servers with objects of one size, in turns, and prints the medians.
func (m *measurement) size(ctx context.Context, size string) error {
	measured := m.servers[1:] // without the origin
	for _, s := range measured {
		for range 2 {
			for k := 1; k <= urls; k++ {
				if err := get(ctx, fmt.Sprintf("http://%s/s/%s/%d", s.address, size, k)); err != nil {
					return fmt.Errorf("fill %s: %w", s.name, err)
				}
			}
		}
		if _, err := m.turn(ctx, s, size, time.Second); err != nil {
			return err
		}
	}
	turns := make([][]turn, len(measured))
	for range m.rounds {
		for i, s := range measured {
			t, err := m.turn(ctx, s, size, m.slice)
			if err != nil {
				return err
			}
			turns[i] = append(turns[i], t)
		}
	}
	report(os.Stdout, size, measured, turns)
	return nil
}

// turn loads one server for a while.
func (m *measurement) turn(ctx context.Context, s *server, size string, length time.Duration) (turn, error) {
	wrk := exec.CommandContext(ctx, "taskset", "-c", m.loadCore, "wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(int(length.Seconds()))+"s",
		"-s", filepath.Join(m.dir, "zipf.lua"), "http://"+s.address+"/")
	wrk.Env = append(os.Environ(), "SIZE="+size)
	before := s.cpu()
	out, err := wrk.CombinedOutput()
	used := s.cpu() - before
	if err != nil {
		return turn{}, fmt.Errorf("load %s: %w: %s", s.name, err, out)
	}
	_, line, _ := strings.Cut(string(out), "RESULT ")
	var requests, micros, p50, p99 int64
	var t turn
	if _, err := fmt.Sscan(line, &requests, &micros, &p50, &p99, &t.errors); err != nil {
		return turn{}, fmt.Errorf("read what wrk says of %s: %w: %s", s.name, err, out)
	}
	took := time.Duration(micros) * time.Microsecond
	t.p50, t.p99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
	t.rate = float64(requests) / took.Seconds()
	t.share = used.Seconds() / took.Seconds()
	t.perCore = float64(requests) / used.Seconds()
	return t, nil
}

// cpu is the time that the processes of the server's session have used.
func (s *server) cpu() time.Duration {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is sound
	ticks := 0
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:])) // proc(5): from the third, state
		if len(fields) < 13 || fields[3] != strconv.Itoa(s.cmd.Process.Pid) {
			continue
		}
		user, _ := strconv.Atoi(fields[11]) // digits, always
		system, _ := strconv.Atoi(fields[12])
		ticks += user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux
}
