package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// history is a bucket with its record over many releases: it does what plans
// say, is interrupted, and remembers what really happened.
type history struct {
	*rapid.T
	retain   time.Duration
	took     time.Duration // from each plan to its release; 0 is a clock that need not move
	jumps    bool          // the clock goes back now and then
	plain    bool          // ETags follow from the bytes; else each write makes another
	inspects bool          // looks at everything that an interrupted run may have touched

	now      time.Time
	planned  time.Time // when the last plan was made
	bucket   map[site.Key]site.Object
	contents map[site.Digest]bool
	state    release.State
	lived    []lived
	strays   map[site.Key]map[site.Digest]bool // written by runs that were interrupted
	writes   int
}

// lived is a release and when it was superseded, zero for the one that is live.
type lived struct {
	id    release.ID
	site  site.Manifest
	until time.Time
}

func newHistory(t *rapid.T) *history {
	return &history{
		T: t, retain: rapid.SampledFrom([]time.Duration{0, time.Hour, 30 * day}).Draw(t, "retain"),
		took:  rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "took"),
		jumps: rapid.Bool().Draw(t, "jumps"),
		plain: rapid.Bool().Draw(t, "plain ETags"), inspects: rapid.Bool().Draw(t, "inspects"),
		now: now, bucket: map[site.Key]site.Object{}, contents: map[site.Digest]bool{}, strays: map[site.Key]map[site.Digest]bool{},
	}
}

// look is what a run sees of the bucket, as the engine looks: the record is
// believed where the ETag agrees and no interrupted run was at work; of the
// rest, what may be wanted as it is is looked at.
func (h *history) look(want site.Manifest) plan.Live {
	recorded, touched := map[site.Key]site.Object{}, map[site.Key]bool{}
	for _, o := range h.state.Live.Site.Objects() {
		recorded[o.Key] = o
	}
	for _, r := range h.state.Live.Retired {
		recorded[r.Key] = r.Object
	}
	if h.state.Journal != nil {
		for _, k := range h.state.Journal.Touched {
			touched[k] = true
		}
	}
	live := plan.Live{State: h.state}
	for _, k := range slices.Sorted(keysOf(h.bucket)) {
		there := h.bucket[k]
		r, ours := recorded[k]
		o := plan.Observed{Object: &site.Object{Key: k, Size: there.Size, ETag: there.ETag}, Ours: ours || touched[k]}
		w, wanted := want.Lookup(k)
		switch {
		case ours && !touched[k] && r.ETag == there.ETag && r.Size == there.Size:
			o.Object, o.Known = &r, true
		case wanted && w.Size == there.Size, touched[k] && (h.inspects || !h.plain):
			// Where ETags do not follow from the bytes, only a look tells what a copy
			// of an object onto itself has left.
			o.Object, o.Known = &there, true
		}
		live.Objects = append(live.Objects, o)
	}
	return live
}

func (h *history) input(want site.Manifest) plan.Input {
	id := release.ID(fmt.Sprintf("r%d-%d", h.state.NextNumber(), h.writes))
	h.writes++
	h.planned = h.now
	return plan.Input{Release: id, Site: want, Live: h.look(want), Retain: h.retain, Now: h.now}
}

// begin opens the journal of p.
func (h *history) begin(p plan.Plan) {
	j := &release.Journal{Release: p.Release, Number: p.Number, Base: p.Base, Site: plan.Fingerprint(p.Site)}
	for _, s := range p.Steps {
		if s.Op != plan.OpRetire {
			j.Touched = append(j.Touched, s.Object.Key)
		}
	}
	if h.state.Journal != nil {
		j.Touched = append(j.Touched, h.state.Journal.Touched...)
	}
	h.state.Journal = j
}

// copy keeps what s destroys, if it says so.
func (h *history) copy(s plan.Step) {
	if !s.Keep {
		return
	}
	if there := h.bucket[s.Object.Key]; s.Old == nil || s.Old.Digest != there.Digest || s.Old.ETag != there.ETag || s.Old.Size != there.Size {
		h.Fatalf("%s %s keeps %+v, but %+v is there", s.Op, s.Object.Key, s.Old, there)
	}
	h.contents[s.Old.Digest] = true
}

func (h *history) do(s plan.Step) {
	k := s.Object.Key
	switch s.Op {
	case plan.OpRetire:
		return
	case plan.OpRemove, plan.OpSweep:
		delete(h.bucket, k)
		return
	case plan.OpHeaders:
		if h.bucket[k].Digest != s.Object.Digest {
			h.Fatalf("%s gets new headers, but its bytes are not the wanted ones", k)
		}
	}
	o := s.Object
	if o.ETag = "of " + o.Digest.Short(); !h.plain {
		h.writes++
		o.ETag = fmt.Sprintf("write %d", h.writes)
	}
	h.bucket[k] = o
}

// interrupt begins p and is killed somewhere: the phases before are done, the
// steps of the phase itself in no order.
func (h *history) interrupt(p plan.Plan) {
	h.begin(p)
	at := rapid.IntRange(0, plan.Phases+2).Draw(h.T, "killed in phase")
	for _, s := range p.Steps {
		rank := int(s.Phase)
		if s.Op == plan.OpRemove || s.Op == plan.OpSweep {
			rank = plan.Phases
		}
		if rank > at {
			continue
		}
		done := rapid.IntRange(0, 2).Draw(h.T, "done with "+string(s.Object.Key))
		if rank < at || done > 0 {
			h.copy(s)
		}
		if rank < at || done > 1 {
			h.do(s)
			if h.strays[s.Object.Key] == nil {
				h.strays[s.Object.Key] = map[site.Digest]bool{}
			}
			h.strays[s.Object.Key][s.Object.Digest] = true
		}
	}
}

// finish carries out p and commits it a little later.
func (h *history) finish(p plan.Plan) {
	h.begin(p)
	for _, s := range p.Steps {
		h.copy(s)
		h.do(s)
	}
	objects := slices.Clone(p.Site.Objects())
	for i := range objects {
		objects[i].ETag = h.bucket[objects[i].Key].ETag
	}
	published, err := site.NewManifest(objects)
	if err != nil {
		h.Fatal(err)
	}
	h.now = h.now.Add(h.took)
	m := p.Manifest(h.state, published, release.Entry{Created: h.now})
	if n := len(h.lived); n > 0 {
		h.lived[n-1].until = h.now
	}
	h.lived = append(h.lived, lived{id: m.Release, site: m.Site})
	h.state = release.State{Current: &release.Pointer{Release: m.Release, Number: m.Number, Created: m.Created}, Live: m}
	h.checkKept()
	if p.Trims > 0 && rapid.Bool().Draw(h.T, "trimmed") {
		h.trim()
	}
}

// trim deletes the contents that the live manifest does not name.
func (h *history) trim() {
	named := map[site.Digest]bool{}
	for _, k := range h.state.Live.Kept {
		named[k.Digest] = true
	}
	for d := range h.contents {
		if !named[d] {
			delete(h.contents, d)
		}
	}
}

// kept reports whether the release i must be obtainable at t: it is live, was
// until the last release and none is under way, or was live within retain.
// Where the clock went back, what was let go before stays so.
func (h *history) kept(i int, t time.Time) bool {
	if h.jumps && h.gone(h.lived[i].id) {
		return false
	}
	newest := len(h.lived) - 1
	return i == newest || i == newest-1 && h.state.Journal == nil || h.lived[i].until.Add(h.retain).After(t)
}

// gone reports whether the history says that the release cannot be had back.
func (h *history) gone(id release.ID) bool {
	return slices.ContainsFunc(h.state.Live.History, func(e release.Entry) bool { return e.Release == id && e.Gone })
}

// checkObtainable: every object of every kept release lies at its key or in
// the record; what an open journal has put there, its release will list.
func (h *history) checkObtainable() {
	listed := map[site.Digest]bool{}
	for _, k := range h.state.Live.Kept {
		listed[k.Digest] = true
	}
	for i, l := range h.lived {
		if promised := h.state.Journal == nil && !h.gone(l.id); !promised && !h.kept(i, h.now) {
			continue
		}
		for _, o := range l.site.Objects() {
			if h.bucket[o.Key].Digest != o.Digest && !((listed[o.Digest] || h.state.Journal != nil) && h.contents[o.Digest]) {
				h.Fatalf("release %s, superseded %s, needs %s, which is neither at its key nor kept (listed: %v, stored: %v)",
					l.id, h.now.Sub(l.until), o.Key, listed[o.Digest], h.contents[o.Digest])
			}
		}
	}
}

// names reports whether a release that was kept when the last plan was made
// names the bytes, under key if it is not "". An asset that an interrupted run
// has written is retired and kept like any other, though no release names it;
// and where the clock went back, more is kept than time tells.
func (h *history) names(d site.Digest, key site.Key) bool {
	for i, l := range h.lived {
		for _, o := range l.site.Objects() {
			if h.kept(i, h.planned) && o.Digest == d && (key == "" || o.Key == key) {
				return true
			}
		}
	}
	for k, written := range h.strays {
		if written[d] && (key == "" || k == key) {
			return true
		}
	}
	return h.jumps
}

// checkKept: right after a release nothing is kept for nobody, what the record
// lists is there, and nothing in the bucket is forgotten.
func (h *history) checkKept() {
	m := h.state.Live
	for i, k := range m.Kept {
		if !h.contents[k.Digest] || !h.names(k.Digest, "") || i > 0 && m.Kept[i-1].Digest.String() >= k.Digest.String() {
			h.Fatalf("%s is kept; it is there: %v, a kept release names it: %v", k.Digest.Short(), h.contents[k.Digest], h.names(k.Digest, ""))
		}
		if k.Since.After(h.now) && !h.jumps || k.Size != int64(len(bodies[k.Digest])) {
			h.Fatalf("%+v is wrong at %s", k, h.now)
		}
	}
	ours := map[site.Key]bool{}
	for _, o := range m.Site.Objects() {
		ours[o.Key] = true
		if there := h.bucket[o.Key]; !there.SameAnswer(o) || there.ETag != o.ETag {
			h.Fatalf("%s of the site is %+v, want %+v", o.Key, there, o)
		}
	}
	for _, r := range m.Retired {
		there, ok := h.bucket[r.Key]
		if !ok || ours[r.Key] || r.ETag != there.ETag || r.Size != there.Size || !r.Digest.IsZero() && r.Digest != there.Digest {
			h.Fatalf("%+v is retired, but %+v is there", r, there)
		}
		if !h.names(there.Digest, r.Key) {
			h.Fatalf("%s is retired, but no kept release names it", r.Key)
		}
		ours[r.Key] = true
	}
	for k := range h.bucket {
		if !ours[k] {
			h.Fatalf("%s is in the bucket and nobody remembers it", k)
		}
	}
}

// bodies are what random objects hold, by digest.
var bodies = func() map[site.Digest]string {
	out := map[site.Digest]string{}
	for _, b := range []string{"", "1", "2", "22"} {
		out[file("x", b).Digest] = b
	}
	return out
}()

func (h *history) drawSite() site.Manifest {
	var objects []site.Object
	for _, k := range names {
		if rapid.IntRange(0, 2).Draw(h.T, "has "+string(k)) > 0 {
			objects = append(objects, file(k, rapid.SampledFrom([]string{"", "1", "2", "22", "1|x", "22|x"}).Draw(h.T, string(k))))
		}
	}
	m, err := site.NewManifest(objects)
	if err != nil {
		h.Fatal(err)
	}
	return m
}

// draw is the next plan: a deploy of any site, the same again, a sweep, or a
// rollback to a kept release, for which everything must be at hand.
func (h *history) draw() plan.Plan {
	switch what := rapid.SampledFrom([]string{"deploy", "deploy", "deploy", "same", "sweep", "rollback"}).Draw(h.T, "what"); {
	case what == "same":
		return plan.Make(h.input(h.state.Live.Site))
	case what == "sweep":
		return plan.Sweep(h.input(h.state.Live.Site))
	case what == "rollback" && len(h.lived) > 0:
		i := rapid.IntRange(0, len(h.lived)-1).Draw(h.T, "to")
		if !h.kept(i, h.now) {
			i = len(h.lived) - 1
		}
		in := h.input(h.lived[i].site)
		in.Restores = h.lived[i].id
		p := plan.Make(in)
		for _, s := range p.Steps {
			if (s.Op == plan.OpAdd || s.Op == plan.OpUpdate) && !h.contents[s.Object.Digest] {
				h.Fatalf("the rollback to %s needs %s %s, whose bytes are not kept", in.Restores, s.Op, s.Object.Key)
			}
		}
		return p
	}
	return plan.Make(h.input(h.drawSite()))
}

// Whatever happened, a rollback finds every byte of every release that was live
// within retain, and nothing is kept for longer than that and one release.
func TestRetention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, calm := newHistory(t), rapid.Bool().Draw(t, "calm")
		for range rapid.IntRange(1, 10).Draw(t, "runs") {
			gap := rapid.SampledFrom([]time.Duration{0, time.Second, h.retain / 2, h.retain - time.Minute, h.retain, 2*h.retain + time.Hour}).Draw(t, "gap")
			if h.now = h.now.Add(max(gap, min(h.took, time.Second))); h.jumps && h.state.Journal == nil && rapid.Bool().Draw(t, "jump") {
				h.now = h.now.Add(-h.retain/2 - 7*time.Second)
			}
			p := h.draw()
			switch {
			case p.Empty():
				h.checkIdle(p)
			case !calm && rapid.IntRange(0, 2).Draw(t, "fate") == 0:
				h.interrupt(p)
			default:
				h.finish(p)
			}
			h.checkObtainable()
		}
	})
}

// checkIdle: a plan that does nothing leaves nothing that was due, and is not
// made over the head of an interrupted run.
func (h *history) checkIdle(p plan.Plan) {
	if h.state.Journal != nil && len(p.Guards) == 0 {
		h.Fatalf("release %s was interrupted, and the plan is empty", h.state.Journal.Release)
	}
	for _, r := range h.state.Live.Retired {
		if len(p.Guards) == 0 && !r.Since.Add(h.retain).After(h.now) {
			h.Fatalf("%s is due since %s, and the plan is empty", r.Key, r.Since.Add(h.retain))
		}
	}
	for _, k := range h.state.Live.Kept {
		if p.Sweeps && len(p.Guards) == 0 && !k.Since.Add(h.retain).After(h.now) {
			h.Fatalf("%s is due since %s, and the sweep is empty", k.Digest.Short(), k.Since.Add(h.retain))
		}
	}
}
