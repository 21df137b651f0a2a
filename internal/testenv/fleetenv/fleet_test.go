//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// These lengthen the tests: go test ./internal/testenv/fleetenv -run 'TestRandom$' -timeout 0 -random 1h -seed 7
var (
	randomFor     = flag.Duration("random", 5*time.Second, "how long TestRandom goes on")
	randomSeed    = flag.Uint64("seed", 1, "of the dice of TestRandom and its like")
	bulk          = flag.Int("bulk", 1000, "invalidations of TestManyUnderTraffic")
	sitesFor      = flag.Duration("sites", 0, "how long TestRandomSites goes on; with an even seed, with certificates and keys")
	secureFor     = flag.Duration("secure", 0, "how long TestRandomSecure goes on")
	slowFor       = flag.Duration("pace", time.Second, "how long each pace of TestSlowLinks goes on")
	slowRandomFor = flag.Duration("slow", 0, "how long TestRandomSlow goes on")
	configFor     = flag.Duration("config", 0, "how long TestRandomConfiguration goes on")
	controls      = flag.Int("controls", 3, "control nodes of TestRandomSites: 1 or 3")
	full          = flag.Bool("full", false, "every scenario at its full length")
)

// dice are of the seed that was given, and of one use of it.
func dice(use uint64) *rand.Rand { return rand.New(rand.NewPCG(*randomSeed, use)) }

// program is freshet, built once.
var program string

func TestMain(m *testing.M) {
	err := together()
	flag.Parse()
	os.Exit(withProgram(m, err))
}

// atOnce is how many fleets there are at a time, unless -parallel says otherwise: each uses a quarter of a processor, and waits for most of its time.
const atOnce = 4

// together lets fleets run beside each other on a machine with few processors too. What flag.Parse finds comes after it.
func together() error {
	if runtime.GOMAXPROCS(0) >= atOnce {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(atOnce))
}

func withProgram(m *testing.M, err error) int {
	if testing.Short() {
		return m.Run()
	}
	dir, made := os.MkdirTemp("", "freshet-proof-")
	if err = errors.Join(err, made); err == nil {
		defer os.RemoveAll(dir)
		program, err = Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// trial is a fleet under traffic, with what every scenario ends with.
type trial struct {
	*Fleet
	t      *testing.T
	began  time.Time
	pub    *Publisher
	probe  *Prober
	cancel context.CancelFunc
	wait   func()
	done   func() int // what tells that changes go through: their number
	steps  int        // by which it must grow
}

// lease of the edges; long enough for a busy machine to renew in time.
const lease = 2 * time.Second

// pause is d where a test is lengthened, and else four times that: whoever only runs every test has other things to do too.
func pause(d time.Duration) time.Duration {
	if *full || max(*randomFor, *sitesFor, *secureFor, *slowRandomFor, *configFor) > time.Minute {
		return d
	}
	return 4 * d
}

func begin(t *testing.T, opts Options) *trial {
	t.Helper()
	if testing.Short() {
		t.Skip("a fleet of processes takes seconds")
	}
	t.Parallel() // most of the time goes by in elections and leases
	opts.Program, opts.Dir, opts.Lease = program, t.TempDir(), lease
	f, err := New(opts)
	t.Cleanup(f.Stop)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{Fleet: f, t: t, began: time.Now(), pub: f.NewPublisher(), cancel: func() {}, wait: func() {}, steps: 5}
	tr.done = tr.pub.Done
	t.Cleanup(tr.pub.Close)
	if err := f.Start(tr.within(time.Minute)); err != nil {
		t.Fatal(err)
	}
	tr.note("the fleet is ready")
	if opts.Bucket {
		tr.steps = 1
		return tr
	}
	tr.probe = f.Probe(2, pause(3*time.Millisecond))
	t.Cleanup(func() { tr.probe.Stop() })
	return tr
}

func (tr *trial) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(tr.t.Context(), d)
	tr.t.Cleanup(cancel)
	return ctx
}

func (tr *trial) note(format string, args ...any) {
	tr.t.Helper()
	tr.t.Logf("%s %6.2fs %s", time.Now().Format("15:04:05.000"), time.Since(tr.began).Seconds(), fmt.Sprintf(format, args...))
}

// publish begins to publish without end.
func (tr *trial) publish(clients int, pause time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	tr.cancel, tr.wait = cancel, tr.pub.Keep(ctx, clients, pause, *randomSeed)
	tr.t.Cleanup(func() { cancel(); tr.wait() })
}

// alive waits for another few invalidations to be accepted and completed, or for another deploy to succeed that began now, or before.
func (tr *trial) alive() {
	tr.t.Helper()
	before := time.Now()
	want := tr.done() + tr.steps
	for tr.done() < want {
		if time.Since(before) > 2*time.Minute {
			tr.t.Fatalf("nothing is completed any more:\n%s", tr.said())
		}
		time.Sleep(5 * time.Millisecond)
	}
	tr.note("%d more completed within %v", tr.steps, time.Since(before).Round(time.Millisecond))
}

// check ends the publishers and tests everything that must hold.
func (tr *trial) check() {
	tr.t.Helper()
	tr.cancel()
	tr.wait()
	tr.HealAll()
	for _, e := range tr.Edges {
		e.Fenced.Store(false)
	}
	err := tr.Check(tr.within(time.Minute), tr.pub)
	found := tr.probe.So()
	tr.note("%d invalidations; %d answers, %d of them hits, %d while fenced; the origin was asked %d times", tr.pub.Accepted(), found.Answers, found.Hits, found.Fenced, tr.Origin.Requests())
	tr.explain(found.Errors)
	for _, v := range found.Violations[:min(len(found.Violations), 20)] {
		tr.t.Errorf("VIOLATION: %s", v)
	}
	if err != nil {
		tr.t.Errorf("after the faults: %v", err)
	}
	if found.Hits*10 < found.Answers {
		tr.t.Errorf("%d of %d answers were hits: the test tests little", found.Hits, found.Answers)
	}
	if tr.t.Failed() {
		tr.t.Log(tr.said())
	}
}

// starting is what an edge says that has been started and has not joined. Nothing else may be answered with 5xx: docs/fleet.md, "What is promised".
var starting = []string{"not joined its fleet", "the edge is starting"}

// explain notes what was not answered as it should, and fails for what no fault explains: an edge answers 5xx only until it has joined.
func (tr *trial) explain(counts map[string]int) {
	tr.t.Helper()
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		tr.note("%6d × %s", counts[what], what)
		if strings.Contains(what, "no page has") {
			tr.t.Errorf("VIOLATION: %s", what)
		}
		byAPI := strings.Contains(what, "get: ") || strings.Contains(what, "update: ") // which may, without a majority
		if strings.Contains(what, ": status 5") && !byAPI && !slices.ContainsFunc(starting, func(s string) bool { return strings.Contains(what, s) }) {
			tr.t.Errorf("an answer that no fault explains: %s", what)
		}
	}
}

// said is the end of what each process said.
func (tr *trial) said() string {
	var out strings.Builder
	for _, p := range tr.Processes() {
		text := p.Output()
		fmt.Fprintf(&out, "== %s\n%s\n", p.Name, text[max(0, len(text)-3000):])
	}
	return out.String()
}

func (tr *trial) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatalf("%v\n%s", err, tr.said())
	}
}
