// Package memory is the contract of package remote in memory, for tests: a
// Store and a CDN with fault hooks and a log of calls.
//
// It promises the whole contract, checked by remotetest, and that a fault
// strikes at a chosen point: before a call has any effect, after it has taken
// effect, in the middle of a listing, or late. Values that go in are copied, so
// that a test cannot change what is stored by accident.
//
// It can also be a service that freshet must be wary of: one that ignores or
// refuses conditions, or that lists a few objects at a time.
//
// It leaves out every network and every retry: a fault is reported as it was
// injected. There is no edge behind the CDN; nothing is cached or purged.
//
// It follows package remote and the fact sheet, sections 1.1, 1.5 and 7.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// The operations that hooks and the log of calls speak of.
const (
	OpGet       = "get"
	OpHead      = "head"
	OpPut       = "put"
	OpCopy      = "copy" // the key is the destination
	OpDelete    = "delete"
	OpDeleteKey = "delete key" // one key of a delete; not in the log of calls
	OpList      = "list"       // the key is the prefix
	OpDirs      = "dirs"       // the key is prefix and start together

	OpBucket = "bucket"

	OpDistribution  = "distribution" // the key is the distribution's id
	OpDistributions = "distributions"
	OpInvalidate    = "invalidate"    // the key is the caller reference
	OpInvalidation  = "invalidation"  // the key is the invalidation's id
	OpInvalidations = "invalidations" // the key is the distribution's id
	OpSettings      = "settings"      // the key is the distribution's id
	OpPropose       = "propose"       // the key is the distribution's id
	OpApply         = "apply"         // the key is the distribution's id
)

// Fault is what happens to one call. The zero Fault is none. It comes from
// FailBefore, FailAfter, FailMidway or Delay; the parts of several can be
// joined with And.
type Fault struct {
	before, after, midway error
	pages                 int // shown before midway
	delay                 time.Duration
}

// FailBefore makes the call fail with err and without effect.
func FailBefore(err error) Fault { return Fault{before: err} }

// FailAfter makes the call take effect and then fail with err, as if the answer
// had been lost.
func FailAfter(err error) Fault { return Fault{after: err} }

// FailMidway makes a List fail with err after it has shown that many pages.
func FailMidway(pages int, err error) Fault { return Fault{midway: err, pages: pages} }

// Delay makes the call wait before it does anything, or until its context ends.
func Delay(d time.Duration) Fault { return Fault{delay: d} }

// And joins two faults; where both say something, f wins.
func (f Fault) And(g Fault) Fault {
	if f.before == nil {
		f.before = g.before
	}
	if f.after == nil {
		f.after = g.after
	}
	if f.midway == nil {
		f.midway, f.pages = g.midway, g.pages
	}
	if f.delay == 0 {
		f.delay = g.delay
	}
	return f
}

// Hook is asked before every call. It may be called from several goroutines at
// once and may itself use the store or the CDN.
type Hook func(op, key string) Fault

// Call is one call that was made, in the order in which calls began.
type Call struct {
	Op     string
	Key    string     // as for Hook; "" for OpDelete and OpDistributions
	Source site.Key   // OpCopy: what was copied
	Keys   []site.Key // OpDelete: as given
	After  string     // OpList: where it began
	Items  []string   // OpInvalidate: as given
}

// calls is the hook and the log that Store and CDN share.
type calls struct {
	mu   sync.Mutex // held for one read or write of the fields below
	hook Hook       // guarded by mu
	log  []Call     // guarded by mu
}

// SetHook replaces the hook from the next call on; nil means no faults.
func (c *calls) SetHook(hook Hook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook = hook
}

// Calls is a copy of the log.
func (c *calls) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call(nil), c.log...)
}

// Count is the number of calls of op in the log.
func (c *calls) Count(op string) int {
	n := 0
	for _, call := range c.Calls() {
		if call.Op == op {
			n++
		}
	}
	return n
}

// ResetCalls empties the log.
func (c *calls) ResetCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = nil
}

// begin logs a call, asks the hook and carries out what comes before an effect.
func (c *calls) begin(ctx context.Context, call Call) (Fault, error) {
	c.mu.Lock()
	c.log = append(c.log, call)
	c.mu.Unlock()
	f := c.fault(call.Op, call.Key)
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return Fault{}, err
	}
	return f, f.before
}

func (c *calls) fault(op, key string) Fault {
	c.mu.Lock()
	hook := c.hook
	c.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(op, key)
}
