//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/testenv"
)

// lease is given to every run that publishes: how long another machine must
// wait for a run that was killed.
const lease = "1s"

// made is a release that a run has made.
type made struct {
	id   string
	site blog
}

// machine is a home of its own: caches, temporary files and a working folder
// that nobody else sees.
type machine struct {
	root  string
	files map[string]string // of its copy of the site
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{root: t.TempDir(), files: map[string]string{}}
	for _, dir := range []string{"home", "cache", "tmp", "run", "site"} {
		if err := os.Mkdir(filepath.Join(m.root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) site() string { return filepath.Join(m.root, "site") }

func (m *machine) environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), "GORACE=atexit_sleep_ms=0", "AWS_EC2_METADATA_DISABLED=true",
		"HOME=" + filepath.Join(m.root, "home"), "XDG_CACHE_HOME=" + filepath.Join(m.root, "cache"),
		"TMPDIR=" + filepath.Join(m.root, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(m.root, "run"),
	}
}

// process is a freshet that was started.
type process struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	began          time.Time
	done           chan struct{} // closed when it has ended
}

// start runs freshet on m.
func (m *machine) start(t *testing.T, args ...string) *process {
	t.Helper()
	program, err := exec.LookPath("freshet") // TestMain has put it there
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program, args...), began: time.Now(), done: make(chan struct{})}
	p.Dir, p.Env, p.Stdout, p.Stderr = m.root, m.environ(), &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.Wait() // how it ended is in ProcessState
	}()
	return p
}

// ended waits for p, for limit at most, and returns its exit code: -1 for a
// process that a signal has ended.
func (p *process) ended(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Errorf("freshet %q does not end in %s", p.Args[1:], limit)
		_ = p.Process.Kill() // it may end at this very moment
		<-p.done
	}
	return p.ProcessState.ExitCode()
}

// signal is sent after delay, unless p has ended by then.
func (p *process) signal(delay time.Duration, s os.Signal) {
	select {
	case <-p.done:
	case <-time.After(delay):
		_ = p.Process.Signal(s) // it may end at this very moment
	}
}

// await asks without pause until something has happened, or p has ended.
func (p *process) await(happened func() bool) {
	for !happened() {
		select {
		case <-p.done:
			return
		default:
		}
	}
}

// runLimit is how long any command may take on a busy machine.
const runLimit = 2 * time.Minute

// run runs freshet to its end.
func (m *machine) run(t *testing.T, args ...string) (stdout []byte, took time.Duration) {
	t.Helper()
	p := m.start(t, args...)
	if code := p.ended(t, runLimit); code != 0 {
		t.Fatalf("freshet %q exits with %d:\n%s%s", args, code, p.stdout.String(), p.stderr.String())
	}
	return p.stdout.Bytes(), time.Since(p.began)
}

// world is one embedded cloud with a site, and two machines that publish to it.
type world struct {
	t           *testing.T
	rng         *rand.Rand
	data        string // folder of the cloud
	here, there *machine
	local       *process // `freshet local`, nil while it does not run
	env         *testenv.Env
	site        blog
	past        []made        // oldest first
	typical     time.Duration // of a run that nobody disturbs
	tally       *tally
	// alone says that runs find no cloud and start it themselves, in their own
	// process. Between them a cloud is there for who wants to look.
	alone bool
	// yes is given to every run: the author goes back far, and means it.
	yes bool
}

// newWorld starts a cloud with nothing but foreign objects in its bucket.
func newWorld(t *testing.T, seed uint64, tally *tally) *world {
	t.Helper()
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), data: filepath.Join(t.TempDir(), "data"), here: newMachine(t), there: newMachine(t),
		site: newBlog(), tally: tally,
	}
	w.up()
	t.Cleanup(w.down)
	w.env = testenv.Attach(t, w.data)
	for key, body := range map[string]string{"theirs/data.bin": "theirs", "posts/notes.txt": "theirs too", "theirs.html": "<p>theirs"} {
		w.env.Put(key, body, site.Headers{ContentType: "text/plain"})
	}
	return w
}

// up starts `freshet local` and waits until it says that it is ready.
func (w *world) up() {
	w.t.Helper()
	w.local = w.here.start(w.t, "local", "--json", "--data", w.data, "--s3", "127.0.0.1:0", "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--console", "")
	for deadline := time.Now().Add(runLimit); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(w.data, "running.json")); err == nil {
			break
		}
		select {
		case <-w.local.done:
			w.t.Fatalf("freshet local has ended: %s", w.local.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			w.t.Fatal("freshet local does not start")
		}
	}
	if w.env != nil {
		w.env.Reattach(w.data)
	}
}

// down stops `freshet local`, which must end as after Ctrl-C, leaving no
// announcement behind.
func (w *world) down() {
	w.t.Helper()
	if w.local == nil {
		return
	}
	w.local.signal(0, os.Interrupt)
	if code := w.local.ended(w.t, runLimit); code != 0 {
		w.t.Errorf("freshet local exits with %d:\n%s", code, w.local.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(w.data, "running.json")); err == nil {
		w.t.Error("freshet local has stopped and is still announced")
	}
	w.local = nil
}

// during lets f happen as runs find the cloud: not there, if they are alone.
func (w *world) during(f func()) {
	w.t.Helper()
	if !w.alone {
		f()
		return
	}
	w.down()
	f()
	w.up()
}

// write gives m the site as it is now, with new files all over.
func (w *world) write(m *machine) {
	w.t.Helper()
	w.env.Dir, m.files = m.site(), w.site.files()
	w.env.Write(m.files)
}

// args is the command line of a command for m's copy of the site.
func (w *world) args(m *machine, command ...string) []string {
	return append(append([]string{}, command...), "-C", m.site(), "--data", w.data, "--json")
}

// publishing is args of a command that publishes.
func (w *world) publishing(m *machine, command []string) []string {
	return w.args(m, append(append([]string{}, command...), "--lock-lease", lease, fmt.Sprint("--yes=", w.yes))...)
}

// planned is what `freshet plan --json` says.
type planned struct {
	Steps []struct {
		Op  string
		Key string
	}
	Invalidations []struct{ Items []struct{ Path string } }
}

func (p planned) items() []string {
	var out []string
	for _, inv := range p.Invalidations {
		for _, it := range inv.Items {
			out = append(out, it.Path)
		}
	}
	return out
}

// plan asks what a run would do that publishes m's copy of the site, be it a
// deploy of it or a rollback to it.
func (w *world) plan(m *machine) (p planned) {
	w.t.Helper()
	out, _ := m.run(w.t, w.args(m, "plan")...)
	w.decode(out, &p)
	return p
}

func (w *world) decode(data []byte, v any) {
	w.t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		w.t.Fatalf("decode: %v: %s", err, data)
	}
}

// publish carries out command on m, undisturbed, and checks all promises.
func (w *world) publish(m *machine, command ...string) time.Duration {
	w.t.Helper()
	w.write(m)
	var out []byte
	var took time.Duration
	w.during(func() { out, took = m.run(w.t, w.publishing(m, command)...) })
	w.succeeded(m, out)
	return took
}

// succeeded takes note of a run on m that exited with 0.
func (w *world) succeeded(m *machine, stdout []byte) {
	w.t.Helper()
	var answer deployAnswer
	w.decode(stdout, &answer)
	w.env.Dir = m.site()
	w.env.Ran(answer.Invalidation.Items, nil)
	w.past = append(w.past, made{answer.Release, w.site})
	testenv.CheckSite(w.t, w.env)
}

// snapshot is the record as a run finds it.
type snapshot struct {
	live          release.ID
	begun         time.Time // of the journal, closed or not; zero for none
	invalidations int
}

func (w *world) look() snapshot {
	w.t.Helper()
	state := w.env.State()
	s := snapshot{live: state.LiveID()}
	if state.Journal != nil {
		s.begun = state.Journal.Started
	}
	all, err := w.env.Invalidations()
	if err != nil {
		w.t.Fatal(err)
	}
	s.invalidations = len(all)
	return s
}

// reached tells how far a run on m came that found before and was going to do p.
func (w *world) reached(m *machine, before snapshot, p planned) stage {
	w.t.Helper()
	after := w.look()
	done, total := w.uploaded(m, p)
	switch {
	case after.live != before.live:
		return stageMoved
	case after.begun.Equal(before.begun):
		return stageBefore
	case after.invalidations > before.invalidations:
		return stagePurged
	case done == total:
		return stageUploaded
	case done > 0:
		return stageUploading
	}
	return stageJournal
}

// uploaded counts the planned uploads that have arrived.
func (w *world) uploaded(m *machine, p planned) (done, total int) {
	w.t.Helper()
	tags := map[string]string{}
	err := w.env.Bucket().List(context.Background(), "", "", func(page []remote.Info) error {
		for _, o := range page {
			tags[string(o.Key)] = o.ETag
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Op != "add" && s.Op != "update" {
			continue
		}
		body, err := os.ReadFile(filepath.Join(m.site(), filepath.FromSlash(s.Key)))
		if err != nil {
			w.t.Fatal(err)
		}
		sum := md5.Sum(body)
		if total++; tags[s.Key] == hex.EncodeToString(sum[:]) {
			done++
		}
	}
	return done, total
}

var errKilled = errors.New("killed")

// written reports whether a file of the record has changed since the call of
// written. Where there is no record yet, or no cloud to ask while a run goes on,
// nothing is waited for.
func (w *world) written(name string) func() bool {
	w.t.Helper()
	dirs, err := w.env.Bucket().Dirs(context.Background(), "", site.StatePrefix)
	if err != nil {
		w.t.Fatal(err)
	}
	if name == "" || len(dirs) != 1 || w.alone {
		return func() bool { return true }
	}
	tag := func() string {
		head, _ := w.env.Bucket().Head(context.Background(), site.Key(dirs[0]+name)) // "" while it is not there
		return head.ETag
	}
	before := tag()
	return func() bool { return tag() != before }
}

// kill carries out what next prepares on m, and kills that by s at at. A run
// that is faster makes room for the deploy of another change, which is killed
// earlier. It returns the command that was killed.
func (w *world) kill(m *machine, next func(*world) []string, s os.Signal, at moment) []string {
	w.t.Helper()
	for ; ; next, at = change, (moment{part: at.part / 2}) {
		command := next(w)
		if w.write(m); w.killed(m, command, s, at) {
			return command
		}
	}
}

// killed runs command on m and ends it by signal s. Then what must hold at
// every instant is checked. It reports whether the signal came in time.
func (w *world) killed(m *machine, command []string, s os.Signal, at moment) bool {
	w.t.Helper()
	before, p, written := w.look(), w.plan(m), w.written(at.after)
	var run *process
	var code int
	w.during(func() {
		run = m.start(w.t, w.publishing(m, command)...)
		run.await(written)
		run.signal(time.Duration(at.part*float64(w.typical)), s)
		code = run.ended(w.t, w.patience(s))
	})
	if code == 0 {
		w.tally.add(s, stageEnded)
		w.succeeded(m, run.stdout.Bytes())
		return false
	}
	w.judgeEnd(run, code, s)
	w.env.Dir = m.site()
	w.env.Ran(p.items(), errKilled)
	w.tally.add(s, w.reached(m, before, p))
	testenv.CheckSite(w.t, w.env)
	return true
}

// patience is how long a run may go on after a signal.
func (w *world) patience(s os.Signal) time.Duration {
	if s == os.Kill {
		return runLimit
	}
	return w.typical + 10*time.Second
}

// judgeEnd holds how a run has ended against the signal that it got: a run that
// is asked to stop says so, unless it was too young to hear it.
func (w *world) judgeEnd(p *process, code int, s os.Signal) {
	w.t.Helper()
	status, _ := p.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() && status.Signal() == s {
		return
	}
	var answer struct{ Error errorJSON }
	if s != os.Kill && code == exitFailed && json.Unmarshal(p.stdout.Bytes(), &answer) == nil && answer.Error.Message != "" {
		return
	}
	w.t.Errorf("a run that got signal %s exits with %d:\n%s%s", s, code, p.stdout.String(), p.stderr.String())
}

// clean checks that runs on m left nothing lying about.
func (w *world) clean(m *machine) {
	w.t.Helper()
	left, err := os.ReadDir(filepath.Join(m.root, "tmp"))
	if err != nil || len(left) > 0 {
		w.t.Errorf("left in the folder for temporary files: %v (%v)", left, err)
	}
	found := map[string]string{}
	err = filepath.WalkDir(m.site(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		rel, _ := filepath.Rel(m.site(), path) // it lies below by construction
		found[filepath.ToSlash(rel)] = string(body)
		return err
	})
	if diff := cmp.Diff(found, m.files); err != nil || diff != "" {
		w.t.Errorf("the site's folder was touched (-got +want): %v\n%s", err, diff)
	}
}
