// Package plan decides what a deploy does: it compares the site with what is
// live and lists, in order and with reasons, every upload, header change,
// removal and invalidation.
//
// It is pure. What `freshet plan` prints is the value that `freshet deploy`
// carries out. The order never breaks a page (DESIGN section 4): what pages
// name goes up before them, lists of pages after them, and removed pages go
// after all uploads and before the invalidation.
//
// It promises that a rollback finds its bytes: every object of every release
// that was live within Input.Retain lies at its key, or the plan that takes it
// from there says so (Step.Keep) and lists it (Plan.Kept); and that what no such
// release names is let go of by the next plan. Time is told by the releases'
// manifests alone. Two losses it cannot prevent: bytes that somebody else
// overwrites or deletes, and, where a copy of an object onto itself changes its
// ETag and nobody looks at what an interrupted run has touched (Observed.Known),
// those of objects whose headers that run changed.
package plan

import (
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// Phase is a step of the upload; each is finished before the next begins, but that
// all new assets, with and without a hash, may go at once.
type Phase int

// The phases in their order.
const (
	PhaseImmutable     Phase = iota // names that nobody asks for yet
	PhaseNewAssets                  // likewise, without a hash
	PhaseChangedAssets              // pages that are live name these already
	PhaseNewPages                   // before the pages that link to them
	PhaseChangedPages
	PhaseFeeds
	phases
)

// Phases is how many there are.
const Phases = int(phases)

func (p Phase) String() string {
	return [...]string{"immutable assets", "new assets", "changed assets", "new pages", "changed pages", "feeds"}[p]
}

// Op is what happens to one object.
type Op string

// The operations.
const (
	OpAdd     Op = "add"     // not live yet
	OpUpdate  Op = "update"  // other bytes, perhaps other headers too
	OpHeaders Op = "headers" // the same bytes under other headers: a copy onto itself
	OpRemove  Op = "remove"  // a page or feed that the site no longer has
	OpRetire  Op = "retire"  // an asset that the site no longer has: kept for now
	OpSweep   Op = "sweep"   // a retired asset that no kept release names any more: deleted
)

// Step is one operation with its reason.
type Step struct {
	Op     Op          `json:"op"`
	Phase  Phase       `json:"phase"` // of uploads and header changes
	Object site.Object `json:"object"`
	// Old is what was live before, nil if nothing was or nobody knows what.
	Old *site.Object `json:"old,omitempty"`
	// Keep says that Old's bytes, which the bucket holds under the key, are
	// copied to the record before they go, for a rollback.
	Keep bool `json:"keep,omitempty"`
	// Why is the reason for people: "new page", "content".
	Why string `json:"why"`
}

// Plan is everything that one deploy does.
type Plan struct {
	Release release.ID `json:"release"`
	Number  int        `json:"number"`
	Base    release.ID `json:"base,omitempty"` // what is live; "" before the first release
	// Resumes is the release whose run was interrupted and is finished by this
	// plan; "" for none. It equals Release where the plan only repeats what
	// that run may have done already, so that its invalidations start nothing
	// twice.
	Resumes release.ID `json:"resumes,omitempty"`
	// Restores is the release that a rollback makes live again, "" for none.
	Restores release.ID `json:"restores,omitempty"`

	Steps     []Step `json:"steps"` // uploads and header changes by phase, then removals, sweeps and retirements, each in key order
	Unchanged int    `json:"unchanged"`
	// Foreign counts the objects in the bucket that freshet did not publish, or
	// that somebody else has written over since; they are left alone.
	Foreign int `json:"foreign"`

	// Purges say for each distribution what is invalidated, in the order in
	// which the target names them.
	Purges []Purge `json:"purges"`
	Money  Money   `json:"money"`

	Warnings []string `json:"warnings,omitempty"`
	// Guards are the reasons why this plan is not carried out unasked.
	Guards []string `json:"guards,omitempty"`

	// Recorded says that the record already describes exactly this site.
	Recorded bool `json:"recorded"`
	// Sweeps says that the plan is one of Sweep.
	Sweeps bool `json:"sweeps,omitempty"`
	// Supersedes is when what was live is superseded: the Since of what this plan
	// adds to Retired and Kept. Manifest knows it better.
	Supersedes time.Time `json:"-"`
	// Trims counts the kept bytes and the earlier releases that the record lets
	// go of with this plan. They alone are a reason for a sweep, not for a deploy.
	Trims int `json:"trims"`

	Site    site.Manifest     `json:"-"` // what is live afterwards; ETags of uploads still missing
	Retired []release.Retired `json:"-"` // assets that are still served afterwards
	Kept    []release.Kept    `json:"-"` // bytes that are kept for a rollback afterwards, in digest order
	History []release.Entry   `json:"-"` // the releases before this one, newest first
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool {
	return len(p.Steps) == 0 && p.Paths() == 0 && p.Resumes == "" && p.Recorded && !(p.Sweeps && p.Trims > 0)
}

// Count is the number and size of the steps with one of the given operations.
func (p Plan) Count(ops ...Op) (n int, bytes int64) {
	for _, s := range p.Steps {
		for _, op := range ops {
			if s.Op == op {
				n++
				bytes += s.Object.Size
			}
		}
	}
	return n, bytes
}

// Input is all that Make looks at.
type Input struct {
	Release release.ID // the name of the release to make
	Site    site.Manifest
	Live    Live
	// Distributions show the bucket to viewers; without any nothing is
	// invalidated.
	Distributions []Distribution
	Spending      Spending
	// Retain is how long what a release published is kept after it was
	// superseded; 0 keeps it until the next release.
	Retain time.Duration
	// Restores is the release whose site Site is, for a rollback; "" for none.
	Restores release.ID
	Now      time.Time
}
