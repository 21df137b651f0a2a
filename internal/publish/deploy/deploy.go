// Package deploy carries out a plan: it looks at what is live, takes the lock,
// uploads in phases, removes, invalidates, waits, proves the result at the edge
// and commits the release.
//
// It promises that intent is written before effect: once the journal stands,
// every URL in it will be invalidated, by this run or by the next one (DESIGN
// section 4); that nothing is written without the lock, not even by a request
// that hangs, which is broken off before somebody else can have the lock; and
// that bytes which a rollback needs are kept before they are overwritten or
// deleted. A request that a service carries out long after it was broken off is
// beyond that promise. It decides nothing about content: what happens is in the
// plan.Plan that it is given. It sees the contract of package remote, never an
// SDK.
package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/rules"
)

var (
	// ErrPending: everything is published, but the invalidation had not
	// completed when the wait ended. The journal stays open, and the next run
	// finishes it.
	ErrPending = errors.New("the invalidation is not completed yet")
	// ErrStale: everything is published and invalidated, but the edge still
	// answers with something else.
	ErrStale = errors.New("the edge does not serve the new version")
	// ErrOlder: what is live was built from a newer revision of the same branch.
	ErrOlder = errors.New("a newer revision is live")
)

// Options are the engine's settings.
type Options struct {
	// Distributions are those of the plan, in its order; without any, nothing is
	// invalidated.
	Distributions []Distribution
	Limits        invalidation.Limits // the pace of submitting
	// Jobs is how many requests are made at once; 0 means 32. Uploads begin with so
	// many and go on with as many as pay, from 2 up to 4 times Jobs; with 1, one.
	Jobs   int
	Wait   time.Duration // how long an invalidation may take, submitting included; 0 means 10 minutes
	NoWait bool          // submit the invalidation and stop with ErrPending
	// TrustRecord takes the record's word for what the bucket holds: nothing is
	// listed, so that what others have written, or deleted, is not noticed. Where
	// there is no record yet, or a run was interrupted, the bucket is listed all
	// the same.
	TrustRecord bool
	NoVerify    bool // do not ask the edge, even if there is a Viewer
	// Fleet reads which edges there are, where the CDN is a fleet of freshet's own:
	// then each one that serves is asked, beside the Viewers. nil, and nil from it,
	// mean that there is none.
	Fleet func(context.Context) (*remote.Fleet, error)
	// Lock says how the run gets the lock and keeps it; its Writer, user and
	// machine, stands in the journal too.
	Lock release.LockOptions
	Now  func() time.Time
	// Events, if not nil, is told what happens; calls do not overlap.
	Events func(Event)
}

// Distribution is one CDN distribution in front of the bucket.
type Distribution struct {
	ID     string
	View   rules.View    // how it shows the bucket
	Viewer remote.Viewer // where its viewers go; nil means that nothing is verified there
	// At is Viewer with every connection made to the edge at an address, a base URL;
	// nil means that no edge can be asked by itself.
	At func(address string) (remote.Viewer, error)
}

// Engine publishes to one target.
type Engine struct {
	store  remote.Store
	cdn    remote.CDN
	record *release.Record
	opts   Options
	report *reporter
}

// New makes an engine. cdn may be nil where there are no distributions.
func New(store remote.Store, cdn remote.CDN, record *release.Record, opts Options) *Engine {
	if opts.Jobs <= 0 {
		opts.Jobs = 32
	}
	if opts.Wait <= 0 {
		opts.Wait = 10 * time.Minute
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	e := &Engine{store, cdn, record, opts, &reporter{emit: opts.Events}}
	if e.opts.Lock.Waiting == nil {
		e.opts.Lock.Waiting = e.waiting
	}
	return e
}

// Result is what a run did.
type Result struct {
	Release       release.ID
	Changed       bool        // false when there was nothing to do
	Noted         bool        // nothing was to do, but the live release now bears the newer revision
	Invalidations []Submitted // one for each distribution that was sent something
	Verified      Verification
	Warnings      []string // what went wrong after the release was live: leftovers in the record, a lock that has to lapse
}

// Submitted is what became of the invalidation of one distribution.
type Submitted struct {
	Distribution string
	IDs          []string // one for each request
	Status       string   // "", remote.InProgress or remote.Completed
	Items        []string
}
