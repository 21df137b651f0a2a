package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writer is somebody with a project of one folder, and a Run under way.
type writer struct {
	t      *testing.T
	dir    string
	rounds chan Round
	stop   func() error

	mu      sync.Mutex // guards what follows, for the length of a call
	build   func(ctx context.Context, out io.Writer) error
	publish func() (Published, error)
	load    error
}

// start begins with a build and a publication that succeed.
func start(t *testing.T, build func(ctx context.Context, out io.Writer) error) *writer {
	t.Helper()
	w := &writer{t: t, dir: t.TempDir(), rounds: make(chan Round, 100), build: build}
	write(t, filepath.Join(w.dir, "a"), "old")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Load: w.loaded, Publish: w.published, Report: func(r Round) { w.rounds <- r },
			Listener: listener, Edge: "http://127.0.0.1:1", Quiet: 20 * time.Millisecond,
		})
	}()
	var once sync.Once
	w.stop = func() (err error) {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return w
}

func (w *writer) loaded() (Project, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Project{Root: w.dir, Watch: []string{w.dir}, Ignore: []string{filepath.Join(w.dir, "out")}}
	if w.build != nil {
		p.Build = w.build
	}
	return p, w.load
}

func (w *writer) published(context.Context) (Published, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.publish != nil {
		return w.publish()
	}
	return Published{Changed: true, Uploaded: 1}, nil
}

func (w *writer) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *writer) save(name, text string) { write(w.t, filepath.Join(w.dir, name), text) }

// next is the next round, in short.
func (w *writer) next() string {
	w.t.Helper()
	select {
	case r := <-w.rounds:
		text := strings.Join(r.Changed, " ")
		if len(r.Own) > 0 {
			text = "own: " + strings.Join(r.Own, " ")
		}
		if r.Err != nil {
			text += fmt.Sprintf(" step %d: %v %q", r.Step, r.Err, r.Output)
		}
		return text
	case <-time.After(30 * time.Second):
		w.t.Fatal("there is no further round")
		return ""
	}
}

func (w *writer) want(text string) {
	w.t.Helper()
	if got := w.next(); got != text {
		w.t.Fatalf("round %q, want %q", got, text)
	}
}

func succeed(context.Context, io.Writer) error { return nil }

func TestRoundForEachChange(t *testing.T) {
	for name, build := range map[string]func(context.Context, io.Writer) error{"with a build": succeed, "without": nil} {
		t.Run(name, func(t *testing.T) {
			w := start(t, build)
			w.want("")
			w.save("a", "new")
			w.want("a")
			w.save("x/y", "new")
			w.want("x/y")
			w.save("a", "new") // the same again: somebody wants a round
			w.want("a")
		})
	}
}

func TestFailuresPass(t *testing.T) {
	w := start(t, succeed)
	w.want("")
	w.set(func() {
		w.build = func(_ context.Context, out io.Writer) error {
			fmt.Fprintln(out, "\x1b[31mline 3 is wrong\x1b[m")
			return errors.New("exit status 1")
		}
	})
	w.save("a", "1")
	w.want(`a step 1: exit status 1 ["line 3 is wrong"]`)
	w.set(func() {
		w.build = succeed
		w.publish = func() (Published, error) { return Published{}, errors.New("no disk") }
	})
	w.save("a", "2")
	w.want(`a step 2: no disk []`)
	w.set(func() { w.load = errors.New("line 1 of the config") })
	w.save("a", "3")
	w.want(`a step 0: line 1 of the config []`)
	w.set(func() { w.load, w.publish = nil, nil })
	w.save("a", "4")
	w.want("a")
}

// What changes while a build runs leads to one more build, however much it was.
func TestChangesDuringABuild(t *testing.T) {
	building, proceed := make(chan bool), make(chan bool)
	w := start(t, func(context.Context, io.Writer) error { building <- true; <-proceed; return nil })
	<-building
	proceed <- true
	w.want("")
	w.save("a", "1")
	<-building
	for i := range 5 {
		w.save("a", fmt.Sprint("more ", i))
		w.save("b", fmt.Sprint("more ", i))
		time.Sleep(10 * time.Millisecond) // several bursts; any number will do
	}
	proceed <- true
	w.want("a")
	<-building
	proceed <- true
	w.want("a b")
	select {
	case <-building:
		t.Error("there is one more build")
	case <-time.After(300 * time.Millisecond): // only a failure can be missed
	}
}

// A build that writes into what is watched is found out.
func TestBuildThatWritesIntoItsSources(t *testing.T) {
	dir := make(chan string, 1)
	n := 0
	w := start(t, func() func(context.Context, io.Writer) error {
		var own string
		return func(context.Context, io.Writer) error {
			if own == "" {
				own = <-dir
			}
			n++
			return errors.Join(
				os.WriteFile(filepath.Join(own, "same"), []byte("x"), 0o644),
				os.WriteFile(filepath.Join(own, "stamp"), []byte(fmt.Sprint(n)), 0o644),
				os.MkdirAll(filepath.Join(own, "out"), 0o755),
				os.WriteFile(filepath.Join(own, "out", "page"), []byte(fmt.Sprint(n)), 0o644),
			)
		}
	}())
	dir <- w.dir
	w.want("")
	for range strikes - 1 {
		w.want("same stamp")
	}
	w.want("own: same stamp")
	w.save("a", "new") // what nobody else has written still counts
	w.want("a")
	w.save("stamp", "by hand")
	w.want("stamp")
}

// Somebody who saves without end, also while builds run, sees what was saved
// last.
func TestTheLastSaveCounts(t *testing.T) {
	var seen atomic.Value
	dir := make(chan string, 1)
	var own string
	w := start(t, func(context.Context, io.Writer) error {
		if own == "" {
			own = <-dir
		}
		time.Sleep(30 * time.Millisecond) // most saves come while a build runs
		text, err := os.ReadFile(filepath.Join(own, "a"))
		seen.Store(string(text))
		time.Sleep(30 * time.Millisecond)
		return err
	})
	dir <- w.dir
	last := ""
	for i := range 100 {
		last = fmt.Sprint("save ", i)
		w.save("a", last)
		time.Sleep(11 * time.Millisecond)
	}
	for seen.Load() != last {
		w.next()
	}
}

// The end breaks off a build that runs, and Run waits for it.
func TestEndDuringABuild(t *testing.T) {
	building, ended := make(chan bool), false
	w := start(t, func(ctx context.Context, _ io.Writer) error {
		building <- true
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond) // its processes take a moment
		ended = true
		return ctx.Err()
	})
	<-building
	if err := w.stop(); err != nil || !ended {
		t.Errorf("Run returned %v; the build had ended: %t", err, ended)
	}
	if len(w.rounds) != 0 {
		t.Errorf("reported %+v", <-w.rounds)
	}
}

func TestRunThatCannotBegin(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	want := errors.New("no project")
	err = Run(context.Background(), Options{
		Listener: listener, Load: func() (Project, error) { return Project{}, want }, Edge: "http://127.0.0.1:1",
	})
	if !errors.Is(err, want) {
		t.Errorf("Run returned %v", err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

func TestProblem(t *testing.T) {
	l := &loop{opts: Options{Hint: func(err error) string { return "do " + err.Error() }}}
	got := l.problem(Round{Step: StepBuild, Err: errors.New("x"), Output: []string{"line"}})
	if diff := cmp.Diff(got, problem{Title: "The build failed", Text: "x", Hint: "do x", Output: []string{"line"}}); diff != "" {
		t.Error(diff)
	}
}
