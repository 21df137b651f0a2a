//go:build unix

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/testenv"
)

// stage is how far a run came before it was killed.
type stage int

const (
	stageBefore    stage = iota // nothing was written
	stageJournal                // the journal is open, nothing is uploaded
	stageUploading              // some objects are
	stageUploaded               // all are
	stagePurged                 // the invalidation was accepted
	stageMoved                  // the pointer has moved
	stageEnded                  // the run was faster than its killer, and another one was killed instead
	stages
)

func (s stage) String() string {
	return [...]string{"before the journal", "journal open", "uploading", "all uploaded", "invalidated", "pointer moved", "ended by itself"}[s]
}

// tally counts the kills of all worlds.
type tally struct {
	mu    sync.Mutex // guards kills; held to count
	kills map[os.Signal]*[stages]int
}

func (c *tally) add(s os.Signal, at stage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kills == nil {
		c.kills = map[os.Signal]*[stages]int{}
	}
	if c.kills[s] == nil {
		c.kills[s] = new([stages]int)
	}
	c.kills[s][at]++
}

// signals are those that were sent, in the order of their numbers.
func (c *tally) signals() []os.Signal {
	var out []os.Signal
	for s := range c.kills {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b os.Signal) int { return cmp.Compare(a.(syscall.Signal), b.(syscall.Signal)) })
	return out
}

// of counts the kills by one signal in stages from to to.
func (c *tally) of(s os.Signal, from, to stage) (n int) {
	if at := c.kills[s]; at != nil {
		for _, one := range at[from : to+1] {
			n += one
		}
	}
	return n
}

func (c *tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s", "stage")
	for _, s := range c.signals() {
		fmt.Fprintf(&b, "%12s", s)
	}
	for at := range stages {
		fmt.Fprintf(&b, "\n%-20s", at)
		for _, s := range c.signals() {
			fmt.Fprintf(&b, "%12d", c.kills[s][at])
		}
	}
	fmt.Fprintf(&b, "\n%-20s", "together")
	for _, s := range c.signals() {
		fmt.Fprintf(&b, "%12d", c.of(s, 0, stages-1))
	}
	return b.String()
}

// round is one change to the site that is published by a run that is killed,
// and then by one that is not.
type round struct {
	name      string
	next      func(*world) []string // prepares the site, and says what is killed
	signal    os.Signal             // what it is killed with
	elsewhere bool                  // the next run is on a machine that knows nothing of it
	further   bool                  // the site has changed once more by then
	twice     bool                  // the next run is killed too
}

func (r round) String() string {
	return fmt.Sprintf("%s by %s, elsewhere %v, further %v, twice %v", r.name, r.signal, r.elsewhere, r.further, r.twice)
}

// change lets the author change the site, which is then deployed.
func change(w *world) []string {
	w.site = w.site.changed(w.rng)
	return []string{"deploy"}
}

// goBack makes an earlier release live again.
func goBack(w *world) []string {
	to := w.past[w.rng.IntN(max(1, len(w.past)-1))]
	w.site = to.site
	return []string{"rollback", to.id}
}

// rounds are n of them: every kind of SIGKILL in turn, and now and then a
// rollback, or a signal that asks.
func rounds(n int) []round {
	out := make([]round, n)
	for i := range out {
		out[i] = round{name: "deploy", next: change, signal: os.Kill, elsewhere: i&1 > 0, further: i&2 > 0, twice: i%3 > 0}
		if i%4 == 1 || i%7 == 6 {
			out[i].name, out[i].next = "rollback", goBack
		}
		switch i % 11 {
		case 3:
			out[i].signal, out[i].twice = os.Interrupt, false
		case 8:
			out[i].signal, out[i].twice = syscall.SIGTERM, false
		}
	}
	return out
}

// moment is when a run is killed: a part of an undisturbed run's time after
// something has happened.
type moment struct {
	after string  // a file of the record was written, "" for the start of the run
	part  float64 // from 0 to 1
}

// spread are n moments in random order. The parts of each kind are spread
// evenly; those after the journal are denser at first, where the uploads are.
func spread(n int, r *rand.Rand) []moment {
	out := make([]moment, n)
	for i, at := range r.Perm(n) {
		part := (float64(at) + r.Float64()) / float64(n)
		switch i % 5 {
		case 0, 1:
			out[i] = moment{"", part}
		case 2, 3:
			out[i] = moment{"journal.json", part * part * 0.7}
		default:
			out[i] = moment{"current.json", part * 0.02}
		}
	}
	r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestKilled kills real runs of the real program, anywhere, and lets the next
// one finish: then every promise holds, and at no time did a viewer find a page
// broken.
func TestKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("FRESHET_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FRESHET_TEST_SEED: %v", err)
		}
	}
	t.Logf("FRESHET_TEST_SEED=%d", seed)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer http.DefaultClient.CloseIdleConnections() // of cloud.Find
	shared, first, alone := 14, 5, 6
	if testing.Short() {
		shared, first, alone = 4, 2, 1
	}
	var c tally
	t.Run("worlds", func(t *testing.T) {
		for i := range uint64(2) {
			t.Run(fmt.Sprint("a cloud that goes on ", i), func(t *testing.T) { t.Parallel(); killShared(t, seed+i, rounds(shared), &c) })
		}
		t.Run("the first deploy ever", func(t *testing.T) { t.Parallel(); killFirst(t, seed+2, first, &c) })
		t.Run("a cloud that is killed with the deploy", func(t *testing.T) { t.Parallel(); killAlone(t, seed+3, alone, &c) })
	})
	t.Logf("kills:\n%s", &c)
	all, within := c.of(os.Kill, stageBefore, stageMoved), c.of(os.Kill, stageJournal, stageMoved)
	if !testing.Short() && all < 50 {
		t.Errorf("%d runs were killed, want 50", all)
	}
	if within < all/4 {
		t.Errorf("of %d kills only %d hit a run between its journal and its end", all, within)
	}
}

// killShared kills deploys to one cloud, with viewers at its edge all the time,
// and at one that keeps nothing.
func killShared(t *testing.T, seed uint64, rounds []round, c *tally) {
	w := newWorld(t, seed, c)
	w.yes = true
	viewers := w.viewers()
	w.publish(w.here, "deploy")
	w.measure()
	at := spread(2*len(rounds), w.rng)
	for i, r := range rounds {
		w.round(r, at[2*i:])
		if viewers.unhappy(); t.Failed() {
			t.Fatalf("in round %d: %s", i, r)
		}
	}
	w.clean(w.here)
	w.clean(w.there)
	t.Logf("an undisturbed run takes %s", w.typical)
	viewers.leave(25 * len(rounds))
}

// viewers come to a world's edge, and to a cold one.
type viewers struct {
	t          *testing.T
	edge, cold *testenv.Prober
}

func (w *world) viewers() viewers {
	w.t.Helper()
	return viewers{w.t, testenv.Probe(w.t, w.env.Info().Edge, 2, nil), testenv.Probe(w.t, w.env.ColdEdge(), 1, nil)}
}

// unhappy fails the test if any viewer has found something broken.
func (v viewers) unhappy() {
	v.t.Helper()
	if found := append(v.edge.So().Broken, v.cold.So().Broken...); len(found) > 0 {
		v.t.Errorf("viewers found broken: %v", found)
	}
}

// leave ends the viewers, who must have seen so many pages at the edge.
func (v viewers) leave(pages int) {
	v.t.Helper()
	for name, found := range map[string]testenv.Probed{"the edge": v.edge.Stop(), "a cold edge": v.cold.Stop()} {
		v.t.Logf("viewers of %s saw %d pages and %d other things; %d pages were gone", name, found.Pages, found.References, found.Gone)
		if found.Pages < pages && name == "the edge" || found.Pages == 0 {
			v.t.Errorf("viewers of %s saw only %d pages", name, found.Pages)
		}
	}
}

// measure learns how long an undisturbed deploy takes.
func (w *world) measure() {
	w.t.Helper()
	var took []time.Duration
	for range 3 {
		took = append(took, w.publish(w.here, change(w)...))
	}
	w.typical = slices.Sorted(slices.Values(took))[1]
}

// round carries out r; the kills come at at.
func (w *world) round(r round, at []moment) {
	w.t.Helper()
	w.env.Browse()
	command := w.kill(w.here, r.next, r.signal, at[0])
	m := w.here
	if r.elsewhere {
		m = w.there
	}
	again := func(*world) []string { return command }
	if r.further {
		again = change
	}
	if r.twice {
		command = w.kill(m, again, r.signal, at[1])
	} else {
		command = again(w)
	}
	took := w.publish(m, command...)
	if !r.elsewhere && !r.further { // the usual machine, which need not wait for anybody
		w.typical = (3*w.typical + took) / 4
	}
}

// killFirst kills first deploys to new clouds, each with viewers.
func killFirst(t *testing.T, seed uint64, n int, c *tally) {
	w := newWorld(t, seed, c)
	typical := w.publish(w.here, "deploy")
	at := spread(2*n, w.rng)
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := newWorld(t, seed+uint64(i), c)
			w.typical = typical
			viewers := w.viewers()
			w.round(round{name: "deploy", next: change, signal: os.Kill, elsewhere: i%2 > 0, further: i%3 == 1, twice: i%3 == 2}, at[2*i:])
			w.publish(w.there, change(w)...)
			viewers.leave(1)
		})
	}
}

// killAlone kills deploys that run the embedded cloud themselves, so that the
// bucket and the control API die with them.
func killAlone(t *testing.T, seed uint64, n int, c *tally) {
	w := newWorld(t, seed, c)
	w.alone, w.yes = true, true
	w.publish(w.here, "deploy")
	w.measure()
	at := spread(2*n, w.rng)
	for i, r := range rounds(n) {
		if w.round(r, at[2*i:]); t.Failed() {
			t.Fatalf("in round %d: %s", i, r)
		}
	}
	w.clean(w.here)
	w.clean(w.there)
}
