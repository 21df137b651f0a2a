package plan

import (
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// Sweep plans what `freshet sweep` does: it deletes the retired assets whose
// time is over, and lets go of kept bytes and earlier releases likewise. The
// site stays what is live, whatever in.Site says: nothing is repaired, removed
// or uploaded.
//
// Where a deploy of another site was interrupted, what is live cannot be told:
// the plan is empty then, and a guard says so. Callers look at Guards first.
func Sweep(in Input) Plan {
	d := newDiffer(in, in.Live.State.Live.Site)
	if !d.settled() {
		return d.blocked()
	}
	for have := range in.Live.All() {
		d.stay(have)
	}
	d.site = d.live.Site
	p := d.plan()
	p.Sweeps, p.Recorded = true, true
	return p
}

// settled reports whether the bucket holds what is live: no run is open but one
// that does not change the site and deletes retired assets alone, as a sweep.
func (d *differ) settled() bool {
	j := d.in.Live.State.Journal
	if j == nil {
		return true
	}
	for _, k := range j.Touched {
		if _, retired := d.findRetired(k); !retired {
			return false
		}
	}
	return j.Site == Fingerprint(d.live.Site) && j.Base == d.in.Live.State.LiveID()
}

// blocked is a plan that does nothing.
func (d *differ) blocked() Plan {
	state := d.in.Live.State
	return Plan{
		Release: d.in.Release, Number: state.NextNumber(), Base: state.LiveID(), Sweeps: true, Recorded: true,
		Guards: []string{"the deploy of release " + string(state.Journal.Release) + " was interrupted; it has to be finished before anything is swept"},
		Money:  Cost(d.in.Spending, 0),
		Site:   d.live.Site, Retired: d.live.Retired, Kept: d.live.Kept, History: d.live.History,
	}
}

// stay passes by everything but the retired assets.
func (d *differ) stay(have Observed) {
	if _, live := d.live.Site.Index(have.Object.Key); live {
		d.unchanged++
		return
	}
	if i, ok := d.findRetired(have.Object.Key); ok && written(have, d.live.Retired[i].Object) {
		d.expire(d.live.Retired[i], d.live.Retired[i].Object)
		return
	}
	d.leave(have)
}

// due reports whether the time of what was superseded at since is over. It is
// the rule of release.State.Past, so that a release that is not gone there has
// its bytes.
func (d *differ) due(since time.Time) bool { return !since.Add(d.in.Retain).After(d.in.Now) }

// expire sweeps a retired asset whose time is over; else it stays. found is
// what the bucket holds of it.
func (d *differ) expire(r release.Retired, found site.Object) {
	if !d.due(r.Since) {
		r.Object = found
		d.retired = append(d.retired, r)
		return
	}
	d.writes = true
	old := r.Object
	d.steps = append(d.steps, Step{Op: OpSweep, Object: found, Old: &old, Why: "no page has named it since " + d.day(r.Since)})
}

// retire keeps an asset that the site no longer has.
func (d *differ) retire(o site.Object) {
	why := "no longer used; kept until the next release"
	if d.in.Retain > 0 {
		why = "no longer used; kept until " + d.day(d.since.Add(d.in.Retain)) + " (retain: " + spell(d.in.Retain) + ")"
	}
	d.steps = append(d.steps, Step{Op: OpRetire, Object: o, Old: &o, Why: why})
	d.retired = append(d.retired, release.Retired{Object: o, Release: d.in.Release, Since: d.since})
}

// day is the date of t for people: "23 Oct", with the year where it is another.
func (d *differ) day(t time.Time) string {
	t = t.In(d.in.Now.Location())
	if t.Year() != d.in.Now.Year() {
		return t.Format("2 Jan 2006")
	}
	return t.Format("2 Jan")
}

// spell writes a duration as the configuration does: "30d", "36h", "1h30m".
func spell(t time.Duration) string {
	const day = 24 * time.Hour
	if t%day == 0 {
		return strings.TrimSuffix((t/24).String(), "h0m0s") + "d"
	}
	s := t.String()
	if t%time.Minute == 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if t%time.Hour == 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
