package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// noCheck accepts every change.
func noCheck(*bolt.Tx) error { return nil }

// crashDir names the folder that the killed process serves; it is set for the
// child process only.
const crashDir = "OBJECTS_CRASH_DIR"

// TestCrashChild is not a test: it is the process that TestKilled kills.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("only as a child process of TestKilled")
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), testBucket); err != nil && !errors.Is(err, ErrBucketExists) {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler(HandlerOptions{Credentials: []Credentials{testKeys()}}))
	fmt.Printf("READY %s\n", srv.URL)
	select {} // until killed
}

// startChild runs the store in a process of its own.
func startChild(t *testing.T, dir string) (*exec.Cmd, *testServer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "READY "); ok {
			return cmd, &testServer{url: url, client: newClient(url, testKeys(), http.DefaultClient)}
		}
	}
	t.Fatalf("the child did not start: %v", lines.Err())
	return nil, nil
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that the process was killed
}

// A process killed in the middle of a PUT leaves the old object, and nothing of
// the new one.
func TestKilledInTheMiddleOfAPut(t *testing.T) {
	dir := t.TempDir()
	cmd, child := startChild(t, dir)
	old := string(noise(1, 100_000))
	child.put(t, "page", old)
	body := noise(2, 4<<20)
	pr, pw := io.Pipe()
	r := signed(t.Context(), testKeys(), "PUT", child.url, "/site/page", sumHex(body), nil, nil)
	r.Body, r.ContentLength = pr, int64(len(body))
	sent := make(chan struct{})
	go func() {
		_, _ = pw.Write(body[:len(body)/2])
		close(sent)
	}()
	answered := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
			err = fmt.Errorf("answered %s", resp.Status)
		}
		answered <- err
	}()
	<-sent
	waitForTemp(t, dir)
	kill(t, cmd)
	_ = pw.CloseWithError(io.ErrClosedPipe)
	if err := <-answered; err == nil || strings.Contains(err.Error(), "answered") {
		t.Errorf("got %v", err)
	}
	ts := serveStore(t, newStore(t, dir), false)
	if ts.get(t, "page") != old {
		t.Error("the old object is gone")
	}
	wantFiles(t, ts.store, "tmp", 0)
	wantFiles(t, ts.store, "bodies", 1)
}

// waitForTemp waits until the child has begun to take the body in.
func waitForTemp(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if entries, err := os.ReadDir(dir + "/tmp"); err == nil && len(entries) > 0 {
			return
		}
	}
	t.Fatal("the body never arrived: the test tests nothing")
}

// Kills at any instant of a churn lose no acknowledged PUT and leave every
// object whole: its bytes are those that one PUT wrote.
func TestKilledUnderChurn(t *testing.T) {
	dir := t.TempDir()
	const writers = 4
	var acknowledged [writers]atomic.Int64 // the newest version of each writer's key
	for round := range 3 {
		cmd, child := startChild(t, dir)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() { churn(t, child, w, &acknowledged[w]) })
		}
		// Some time into it, not at its start: when enough has been written.
		target := acknowledged[0].Load() + 20 + int64(round)*7
		for deadline := time.Now().Add(20 * time.Second); acknowledged[0].Load() < target && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		kill(t, cmd)
		wg.Wait()
		checkChurn(t, dir, acknowledged[:])
	}
	if n := acknowledged[0].Load(); n < 60 {
		t.Errorf("%d versions only: the test tests nothing", n)
	}
}

// version is the body of a version: its number, again and again, small and
// large in turn.
func version(n int64) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%08d,", n)), 10+int(n%2)*5000)
}

// churn puts one version after the other until the server is gone.
func churn(t *testing.T, ts *testServer, writer int, acknowledged *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := acknowledged.Load() + 1; ; n++ {
		body := version(n)
		resp, err := client.Do(signed(t.Context(), testKeys(), "PUT", ts.url, fmt.Sprintf("/site/w%d", writer), sumHex(body), nil, body))
		if err != nil {
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			acknowledged.Store(n)
		}
	}
}

func checkChurn(t *testing.T, dir string, acknowledged []atomic.Int64) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	files := map[string]bool{}
	for w := range acknowledged {
		o, err := s.read(t.Context(), reading{bucket: testBucket, key: fmt.Sprintf("w%d", w)})
		if err != nil {
			t.Fatal(err)
		}
		stream := o.body()
		body, err := io.ReadAll(stream)
		if err := errors.Join(err, stream.Close()); err != nil {
			t.Fatal(err)
		}
		var n int64
		if _, err := fmt.Sscanf(string(body), "%d,", &n); err != nil || !bytes.Equal(body, version(n)) {
			t.Errorf("writer %d: %d bytes of no version", w, len(body))
		}
		if want := acknowledged[w].Load(); n < want || n > want+1 {
			t.Errorf("writer %d: version %d, acknowledged was %d", w, n, want)
		}
		if len(body) > inlineMax {
			files[sumHex(body)] = true
		}
	}
	wantFiles(t, s, "tmp", 0)
	wantFiles(t, s, "bodies", len(files))
}
