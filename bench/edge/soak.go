package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// soak is one long run of `freshet edge` under a steady load.
type soak struct {
	program      string
	length       time.Duration
	rate         int
	objects      int
	memory, disk string

	edge, admin, distribution string
	pid                       int
	requests, failed, batches atomic.Int64
}

// runSoak runs one edge in front of an origin whose pages change, far larger than its memory, with invalidations of every kind, and
// prints its memory over time.
func runSoak(ctx context.Context, args []string) error {
	var s soak
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&s.program, "program", "freshet", "the freshet to run")
	flags.DurationVar(&s.length, "for", time.Hour, "how long")
	flags.IntVar(&s.rate, "rate", 300, "requests a second")
	flags.IntVar(&s.objects, "objects", 50_000, "how many URLs, of 1 to 100 KB")
	flags.StringVar(&s.memory, "memory", "64MiB", "the edge's memory tier")
	flags.StringVar(&s.disk, "disk", "256MiB", "the edge's disk tier")
	if err := flags.Parse(args); err != nil {
		return err
	}
	origin := httptest.NewServer(http.HandlerFunc(soakPage))
	defer origin.Close()
	stop, err := s.start(ctx, origin.URL)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	go s.load(ctx)
	go s.invalidate(ctx)
	s.watch(ctx)
	return nil
}

// soakPage has a size that its path tells, and changes every minute.
func soakPage(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(strings.Trim(filepath.Base(r.URL.Path), "p"))
	size := 1000 + n*7919%99_000
	w.Header().Set("Cache-Control", "max-age=600")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.Header().Set("ETag", fmt.Sprintf(`"%d-%d"`, n, time.Now().Unix()/60))
	_, _ = io.CopyN(w, soakBytes{}, int64(size)) // the edge may go away
}

type soakBytes struct{}

func (soakBytes) Read(p []byte) (int, error) { return len(p), nil }

// start runs the edge in a scratch folder.
func (s *soak) start(ctx context.Context, origin string) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "freshet-soak-")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, s.program, "edge", "--json", "--origin", origin, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--memory", s.memory, "--disk", filepath.Join(dir, "disk"), "--disk-size", s.disk, "--state", filepath.Join(dir, "state"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.program, err)
	}
	var ready struct {
		Edge         string `json:"edge"`
		Admin        string `json:"admin"`
		Distribution string `json:"distribution"`
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // its messages are on standard error
		_ = os.RemoveAll(dir)
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&ready); err != nil {
		stop()
		return nil, fmt.Errorf("read where the edge listens: %w", err)
	}
	s.edge, s.admin, s.distribution, s.pid = ready.Edge, ready.Admin, ready.Distribution, cmd.Process.Pid
	return stop, nil
}

// load asks for pages at the rate, a few of them much more often than the rest.
func (s *soak) load(ctx context.Context) {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 8, uint64(s.objects-1))
	tick := time.NewTicker(time.Second / time.Duration(s.rate))
	defer tick.Stop()
	slots := make(chan struct{}, 32)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := zipf.Uint64()
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			if err := get(ctx, fmt.Sprintf("%s/s/%d/p%d", s.edge, n%50, n)); err != nil && ctx.Err() == nil {
				s.failed.Add(1)
			}
			s.requests.Add(1)
		}()
	}
}

// invalidate sends a batch of single paths each second, a prefix each ten, everything each five minutes.
func (s *soak) invalidate(ctx context.Context) {
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		var items []string
		for range 20 {
			p := rand.IntN(s.objects)
			items = append(items, fmt.Sprintf("/s/%d/p%d", p%50, p))
		}
		if n%10 == 0 {
			items = append(items, fmt.Sprintf("/s/%d/*", rand.IntN(50)))
		}
		if n%300 == 0 {
			items = []string{"/*"}
		}
		if err := s.send(ctx, n, items); err != nil && ctx.Err() == nil {
			s.failed.Add(1)
			fmt.Fprintln(os.Stderr, "invalidation:", err)
		}
		s.batches.Add(1)
	}
}

func (s *soak) send(ctx context.Context, n int, items []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><CallerReference>soak-%d</CallerReference><Paths><Quantity>%d</Quantity><Items>`, n, len(items))
	for _, item := range items {
		fmt.Fprintf(&b, "<Path>%s</Path>", item)
	}
	b.WriteString("</Items></Paths></InvalidationBatch>")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.admin+"/2020-05-31/distribution/"+s.distribution+"/invalidation", strings.NewReader(b.String()))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// watch prints the process's memory, a line each minute.
func (s *soak) watch(ctx context.Context) {
	fmt.Println("| minute | resident MB | anonymous MB | open files | requests | invalidations | failed |\n|---|---|---|---|---|---|---|")
	start := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
		files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
		fmt.Printf("| %.0f | %s | %s | %d | %d | %d | %d |\n", time.Since(start).Minutes(), s.status("VmRSS"), s.status("RssAnon"), len(files),
			s.requests.Load(), s.batches.Load(), s.failed.Load())
	}
}

// status reads one line of the process's status, in MB.
func (s *soak) status(name string) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return "gone"
	}
	_, rest, _ := strings.Cut(string(data), name+":")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.Atoi(kb)
	return strconv.FormatFloat(float64(n)/1024, 'f', 1, 64)
}
