package control

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/freshet/freshet/internal/durable"
)

// busyLog is a log with some of everything, and the dump of a view that applied it.
func busyLog(t *testing.T) (entries [][]byte, want map[string]string) {
	t.Helper()
	l := newLog()
	nodes := startFleet(t, l, 2, Options{Volatile: true, History: 10}, prompt)
	dists := []string{newDistribution(t, nodes[0].Server, "a"), newDistribution(t, nodes[1].Server, "b")}
	run(t.Context(), nodes, dists, 7, 4, 40)
	settle(t, l, nodes)
	return l.all(), dump(t, nodes[0].db)
}

// A view from a snapshot and the rest of the log is the view from the whole log.
func TestSnapshotAndRest(t *testing.T) {
	entries, want := busyLog(t)
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		at := r.IntN(len(entries))
		s := opened(t, filepath.Join(t.TempDir(), "first.db"))
		applyFrom(t, s, entries[:at])
		var snapshot bytes.Buffer
		sequence, err := s.Snapshot(&snapshot)
		if err != nil || sequence != uint64(at) {
			t.Fatalf("snapshot of %d, %v, want %d", sequence, err, at)
		}
		path := filepath.Join(t.TempDir(), "second.db")
		if err := Restore(path, &snapshot); err != nil {
			t.Fatal(err)
		}
		second := opened(t, path)
		if got := second.Applied(); got != sequence {
			t.Errorf("restored at %d, want %d", got, sequence)
		}
		applyFrom(t, second, entries)
		if diff := cmp.Diff(dump(t, second.db), want); diff != "" {
			t.Errorf("restored at %d (-got +want):\n%s", at, diff)
		}
	}
}

func opened(t testing.TB, path string) *Server {
	t.Helper()
	s, err := Open(path, nil, Options{Log: newLog(), Completed: never})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// applyFrom applies the entries that the view does not have; it is given all.
func applyFrom(t testing.TB, s *Server, entries [][]byte) {
	t.Helper()
	for i, data := range entries {
		if err := s.Apply(uint64(i+1), data); err != nil {
			t.Fatal(err)
		}
	}
}

// A reader who takes his time holds up nobody, however the file grows.
func TestSnapshotHoldsUpNobody(t *testing.T) {
	entries, _ := busyLog(t)
	dir := t.TempDir()
	s := opened(t, filepath.Join(dir, "view.db"))
	applyFrom(t, s, entries[:1])
	r, w := io.Pipe()
	defer r.Close() // else a test that fails would hang
	var taking sync.WaitGroup
	taking.Go(func() {
		_, err := s.Snapshot(w)
		_ = w.CloseWithError(err) // never fails
	})
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() { // a file of 32 KiB has to grow for that
		written <- s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("large"), make([]byte, 1<<20)) })
	}()
	select {
	case err := <-written:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody can write while a snapshot is being read")
	}
	if err := Restore(filepath.Join(dir, "second.db"), io.MultiReader(bytes.NewReader(first), r)); err != nil {
		t.Fatal(err)
	}
	taking.Wait()
	if left, err := filepath.Glob(filepath.Join(dir, durable.TempPrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// What is not a whole snapshot changes nothing.
func TestRestoreRefuses(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "view.db"))
	var whole bytes.Buffer
	if _, err := s.Snapshot(&whole); err != nil {
		t.Fatal(err)
	}
	data := whole.Bytes()
	flipped := bytes.Clone(data)
	flipped[len(data)/2] ^= 1
	local := filepath.Join(t.TempDir(), "local.db")
	if err := startAt(t, local, &fakeEdges{}, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, want string
		data       []byte
	}{
		{"nothing", "EOF", nil},
		{"header only", "checksum", data[:len(snapshotHeader)]},
		{"shorter than a checksum", "checksum", data[:len(snapshotHeader)+9]},
		{"cut off", "checksum", data[:len(data)-4096]},
		{"without its last byte", "checksum", data[:len(data)-1]},
		{"a byte more", "checksum", append(bytes.Clone(data), 0)},
		{"a bit changed", "checksum", flipped},
		{"another version", "another version", append([]byte("freshet control state 2\n"), data[len(snapshotHeader):]...)},
	} {
		path := filepath.Join(t.TempDir(), "view.db")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Restore(path, bytes.NewReader(row.data))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q in it", row.name, err, row.want)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("%s: the file has %d bytes, %v", row.name, len(got), err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".tmp-*")); left != nil {
			t.Errorf("%s: left %v", row.name, left)
		}
	}
	if err := Restore(filepath.Join(t.TempDir(), "view.db"), iotest.HalfReader(bytes.NewReader(data))); err != nil {
		t.Errorf("a whole one in pieces: %v", err)
	}
}

// A file is a view of a log or a state of its own, for good.
func TestFileKinds(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.db")
	if err := startAt(t, own, &fakeEdges{}, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(own, nil, Options{Log: newLog(), Completed: never}); err == nil || !strings.Contains(err.Error(), "not in the fleet's log") {
		t.Errorf("a file with distributions as a view: %v", err)
	}
	view := filepath.Join(t.TempDir(), "view.db")
	if err := opened(t, view).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(view, &fakeEdges{}, Options{}); err == nil || !strings.Contains(err.Error(), "without the log") {
		t.Errorf("a view as a file: %v", err)
	}
}

// childVariable makes the test's binary such a process, on the file that it names.
const childVariable = "FRESHET_TEST_APPLY"

// applyAsChild is what the process does that TestKilledWhileApplying kills: it says what it has applied.
func applyAsChild(path string) int {
	s, err := Open(path, nil, Options{Log: newLog(), Completed: never})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	text, err := os.ReadFile(path + ".log")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i, line := range strings.Split(string(text), "\n") {
		data, err := hex.DecodeString(line)
		if err == nil && uint64(i) >= s.Applied() {
			err = s.Apply(uint64(i+1), data)
			fmt.Println("applied", i+1)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return 0
}

// A view that was killed anywhere has the effect of exactly the entries that it says, and goes on from there.
func TestKilledWhileApplying(t *testing.T) {
	entries, want := busyLog(t)
	path := filepath.Join(t.TempDir(), "view.db")
	var lines []string
	for _, data := range entries {
		lines = append(lines, hex.EncodeToString(data))
	}
	if err := os.WriteFile(path+".log", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	for range 8 {
		killChild(t, path, r.IntN(8), time.Duration(r.IntN(4000))*time.Microsecond)
		s := opened(t, path)
		at := s.Applied()
		if diff := cmp.Diff(dump(t, s.db), replayed(t, entries[:at])); diff != "" {
			t.Fatalf("killed at %d (-got +want):\n%s", at, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed at entry %d of %d", at, len(entries))
	}
	s := opened(t, path)
	applyFrom(t, s, entries)
	if diff := cmp.Diff(dump(t, s.db), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// killChild runs a process that applies the log, and kills it some entries and a while later.
func killChild(t *testing.T, path string, after int, wait time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childVariable+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	buf, seen := make([]byte, 64), 0
	for seen <= after {
		n, err := out.Read(buf)
		seen += bytes.Count(buf[:n], []byte("applied"))
		if err != nil {
			break
		}
	}
	time.Sleep(wait) // any moment of the next entries will do
	_ = child.Process.Kill()
	_ = child.Wait() // says that it was killed
}

// Apply takes the next entry only, and what it does not understand leaves everything as it was.
func TestApplyRefuses(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "view.db"))
	for _, row := range []struct {
		name     string
		sequence uint64
		data     []byte
		want     string
	}{
		{"a gap", 2, EncodeJoin("m", "edge"), "entry 1 is next"},
		{"a newer version", 1, []byte{2, kindJoin}, "a newer freshet"},
		{"an unknown kind", 1, []byte{1, 99}, "unknown kind 99"},
		{"cut off", 1, EncodeJoin("m", "edge")[:5], "too soon"},
		{"empty", 1, nil, "empty"},
		{"an invalidation of nothing", 1, encodeEntry([]op{join{"m", "edge"}, addInvalidation{"E1", invalidationRecord{ID: "I1", Sequence: 1, Items: []string{"/a"}}}}), "NoSuchDistribution"},
	} {
		if err := s.Apply(row.sequence, row.data); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q in it", row.name, err, row.want)
		}
	}
	if s.Applied() != 0 || len(s.Members()) != 0 {
		t.Errorf("at %d with %v", s.Applied(), s.Members())
	}
	local := start(t, Options{})
	if err := local.Apply(1, EncodeJoin("m", "edge")); err == nil {
		t.Error("a server without a log applied an entry")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(1, EncodeJoin("m", "edge")); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Members come and go by entries of the log, and keep the birth that they had first.
func TestMembers(t *testing.T) {
	changed := 0
	path := filepath.Join(t.TempDir(), "view.db")
	s, err := Open(path, nil, Options{Log: newLog(), Completed: never, Changed: func() { changed++ }})
	if err != nil {
		t.Fatal(err)
	}
	applyFrom(t, s, [][]byte{
		EncodeJoin("b", "two"), EncodeJoin("a", "one"), EncodeJoin("b", "again"), EncodeJoin("c", "three"), EncodeEnd("a"), EncodeEnd("a"),
	})
	want := []Member{{"b", "two", 1}, {"c", "three", 4}}
	if diff := cmp.Diff(s.Members(), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if changed != 6 {
		t.Errorf("told of %d entries, want 6", changed)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(opened(t, path).Members(), want); diff != "" {
		t.Errorf("opened again (-got +want):\n%s", diff)
	}
}

// A change that one node made is found at another that is slow to hear of it, and one that it lacks is not refused there.
func TestBehind(t *testing.T) {
	l := newLog()
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	first := startNode(t, l, filepath.Join(t.TempDir(), "1.db"), Options{}, prompt)
	second := startNode(t, l, filepath.Join(t.TempDir(), "2.db"), Options{}, func() { <-gate })
	id := newDistribution(t, first.Server, "a")
	asked := make(chan answer)
	go func() {
		asked <- ask(t.Context(), second.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a"))
	}()
	select {
	case a := <-asked:
		t.Fatalf("answered %d %s before it could know", a.status, a.body)
	case <-time.After(20 * time.Millisecond):
	}
	release()
	if a := <-asked; a.status != http.StatusCreated {
		t.Errorf("answered %d %s", a.status, a.body)
	}
}
