package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"go.etcd.io/bbolt"
)

// fault is asked before and after the effect of each Append; it may fail it, and wait.
type fault func(ctx context.Context, after bool) error

// memoryLog is a log in memory.
type memoryLog struct {
	mu      sync.Mutex
	fault   fault
	entries [][]byte
	ids     map[string]uint64
	tries   int
	grown   chan struct{} // closed and replaced when entries grow
}

func newLog() *memoryLog {
	return &memoryLog{ids: map[string]uint64{}, grown: make(chan struct{}), fault: noFault}
}

func noFault(context.Context, bool) error { return nil }

func (l *memoryLog) fail(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

func (l *memoryLog) faults() fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

func (l *memoryLog) Append(ctx context.Context, after uint64, id string, data []byte) (uint64, error) {
	if err := l.faults()(ctx, false); err != nil {
		return 0, err
	}
	at, err := l.add(after, id, data)
	if err != nil {
		return 0, err
	}
	return at, l.faults()(ctx, true)
}

func (l *memoryLog) add(after uint64, id string, data []byte) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries++
	if at := l.ids[id]; at > 0 {
		return at, nil
	}
	if after != uint64(len(l.entries)) {
		return 0, fleet.ErrBehind
	}
	l.entries = append(l.entries, data)
	l.ids[id] = after + 1
	close(l.grown)
	l.grown = make(chan struct{})
	return after + 1, nil
}

// push adds an entry after whatever is there.
func (l *memoryLog) push(t testing.TB, data []byte) {
	t.Helper()
	if _, err := l.add(l.last(), fmt.Sprint("pushed ", l.last()), data); err != nil {
		t.Fatal(err)
	}
}

func (l *memoryLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.entries))
}

// read is the entry at a position, or what is closed when there are more.
func (l *memoryLog) read(at uint64) ([]byte, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at > uint64(len(l.entries)) {
		return nil, l.grown
	}
	return l.entries[at-1], nil
}

// all are the entries by now.
func (l *memoryLog) all() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[:len(l.entries):len(l.entries)]
}

// fleetNode is a Server of a log, and what brings it the entries.
type fleetNode struct {
	*Server
	path   string
	follow context.CancelFunc // stops what brings entries
	done   chan struct{}
}

// startNode runs a Server on a log; slow is called before each entry that it gets. Edges have applied whatever the log has.
func startNode(t testing.TB, l *memoryLog, path string, opts Options, slow func()) *fleetNode {
	t.Helper()
	n := &fleetNode{path: path, done: make(chan struct{})}
	opts.Log = l
	if opts.CommitWait == 0 {
		opts.CommitWait = time.Minute // a machine may be slow
	}
	if opts.Sync == nil {
		opts.Sync = func(ctx context.Context) error { return n.AwaitApplied(ctx, l.last()) }
	}
	if opts.Completed == nil {
		opts.Completed = func(context.Context, uint64) (uint64, error) { return l.last(), nil }
	}
	s, err := Open(path, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	n.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	n.follow = cancel
	go func() {
		defer close(n.done)
		n.run(ctx, t, l, slow)
	}()
	t.Cleanup(n.stop)
	return n
}

func (n *fleetNode) run(ctx context.Context, t testing.TB, l *memoryLog, slow func()) {
	for at := n.Applied() + 1; ; at++ {
		data, more := l.read(at)
		for data == nil {
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
			data, more = l.read(at)
		}
		slow()
		if err := n.Apply(at, data); err != nil {
			if !errors.Is(err, errClosed) {
				t.Error(err)
			}
			return
		}
	}
}

// stop ends the node, as often as it is called.
func (n *fleetNode) stop() {
	n.follow()
	<-n.done
	_ = n.Close()
}

func prompt() {}

// startFleet runs n nodes on one log.
func startFleet(t testing.TB, l *memoryLog, n int, opts Options, slow func()) []*fleetNode {
	t.Helper()
	var nodes []*fleetNode
	for range n {
		nodes = append(nodes, startNode(t, l, filepath.Join(t.TempDir(), "view.db"), opts, slow))
	}
	return nodes
}

// settle waits until every node has applied the whole log.
func settle(t testing.TB, l *memoryLog, nodes []*fleetNode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i, n := range nodes {
		if err := n.AwaitApplied(ctx, l.last()); err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
	}
}

// dump is what a view has, but for what is its own.
func dump(t testing.TB, db *bbolt.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return dumpBucket(out, string(name), b) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dumpBucket(out map[string]string, path string, b *bbolt.Bucket) error {
	if strings.HasSuffix(path, "/pending") {
		return nil
	}
	out[path+" sequence"] = fmt.Sprint(b.Sequence())
	return b.ForEach(func(k, v []byte) error {
		name := fmt.Sprintf("%s/%s", path, k)
		if v == nil {
			return dumpBucket(out, name, b.Bucket(k))
		}
		out[fmt.Sprintf("%s/%q", path, k)] = string(v)
		return nil
	})
}

// replayed is what a new view has after entries.
func replayed(t testing.TB, entries [][]byte) map[string]string {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "replayed.db"), nil, Options{Volatile: true, Log: newLog(), Completed: never})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for i, data := range entries {
		if err := s.Apply(uint64(i+1), data); err != nil {
			t.Fatal(err)
		}
	}
	return dump(t, s.db)
}

// never is a fleet whose edges apply nothing.
func never(ctx context.Context, _ uint64) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// ask sends a request to a Server without a network.
func ask(ctx context.Context, s *Server, method, path, body string, header ...string) answer {
	r := httptest.NewRequestWithContext(ctx, method, "/2020-05-31/"+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// batchXML is an InvalidationBatch.
func batchXML(reference string, items ...string) string {
	return string(el("InvalidationBatch", leaf("CallerReference", reference), leaves("Paths", "Path", items)).render())
}

// configXML is a DistributionConfig.
func configXML(reference, comment string, change ...func(*DistributionConfig)) string {
	cfg := siteConfig()
	cfg.CallerReference, cfg.Comment = reference, comment
	for _, f := range change {
		f(&cfg)
	}
	return string(cfg.document().render())
}

// idIn is the id in a document that was answered.
func idIn(a answer) string { return between(a.body, "<Id>", "</Id>") }

// newDistribution makes a distribution at a node.
func newDistribution(t testing.TB, s *Server, reference string) string {
	t.Helper()
	a := ask(t.Context(), s, http.MethodPost, "distribution", configXML(reference, ""))
	if a.status != http.StatusCreated {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	return idIn(a)
}

// shaky makes the log fail before and after the effect, and answer late, each now and then.
func shaky(seed uint64) fault {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	return func(context.Context, bool) error {
		mu.Lock()
		n := r.IntN(40)
		mu.Unlock()
		switch n {
		case 0, 1:
			return errors.New("the log is away")
		case 2, 3:
			time.Sleep(2 * time.Millisecond)
		}
		return nil
	}
}
