package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
)

// parallel is how many requests run at once. CloudFront's limit on the rate of
// calls is not published; people met it after 6 or 7 rapid writes (fact 1.3),
// and these are reads.
const parallel = 8

// count is one run of Count. Its fields belong to one goroutine; those that
// work for it hand back values.
type count struct {
	cdn   remote.CDN
	month time.Time
	known entries
	ids   []string // distributions to count, own ones first
	notes []string // why the count is not whole
}

func (c *count) run(ctx context.Context, own []string) error {
	if err := c.findDistributions(ctx, own); err != nil {
		return err
	}
	unread, err := c.findInvalidations(ctx)
	if err != nil {
		return err
	}
	return c.readInvalidations(ctx, unread)
}

// findDistributions fills c.ids.
func (c *count) findDistributions(ctx context.Context, own []string) error {
	all, failure := c.cdn.Distributions(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failure != nil && kindOf(failure) == nil {
		return failure
	}
	ids := slices.Clone(own)
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	seen := map[string]bool{"": true}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			c.ids = append(c.ids, id)
		}
	}
	if failure != nil {
		c.notes = append(c.notes, onlyNote(failure, c.ids))
	}
	return nil
}

// batch names one invalidation.
type batch struct{ distribution, id string }

// listed is an invalidation whose items are not known yet.
type listed struct {
	batch
	created time.Time
}

// findInvalidations lists the month of every distribution and returns what is
// not known yet, in the order of c.ids.
func (c *count) findInvalidations(ctx context.Context) ([]listed, error) {
	lists := make([][]remote.Invalidation, len(c.ids))
	failures, err := each(ctx, len(c.ids), func(ctx context.Context, i int) (err error) {
		lists[i], err = c.cdn.Invalidations(ctx, c.ids[i], c.month)
		return err
	})
	if err != nil {
		return nil, err
	}
	var unread []listed
	for i, id := range c.ids {
		for _, inv := range lists[i] {
			if _, ok := c.known[batch{id, inv.ID}]; !ok && inMonth(inv.Created, c.month) {
				unread = append(unread, listed{batch{id, inv.ID}, inv.Created})
			}
		}
	}
	c.notes = append(c.notes, listNotes(c.ids, failures)...)
	return unread, nil
}

// readInvalidations asks for the items of what is not known and remembers how
// many they are, also when it fails in between.
func (c *count) readInvalidations(ctx context.Context, unread []listed) error {
	paths := make([]int, len(unread))
	var refused refusals
	failures, err := each(ctx, len(unread), func(ctx context.Context, i int) error {
		if err := refused.of(unread[i].distribution); err != nil {
			return err
		}
		n, err := c.paths(ctx, unread[i].batch)
		paths[i] = n
		refused.note(unread[i].distribution, err)
		return err
	})
	for i, l := range unread {
		if paths[i] > 0 {
			c.known[l.batch] = entry{Created: l.created, Paths: paths[i]}
		}
	}
	if err != nil {
		return err
	}
	c.notes = append(c.notes, readNotes(unread, failures)...)
	return nil
}

// paths is the number of items of one invalidation. CloudFront accepts no empty
// batch, so an answer without items does not tell.
func (c *count) paths(ctx context.Context, b batch) (int, error) {
	inv, err := c.cdn.Invalidation(ctx, b.distribution, b.id)
	if err == nil && len(inv.Items) == 0 {
		err = fmt.Errorf("read invalidation %s of %s: %w: it has no items", b.id, b.distribution, remote.ErrUnsupported)
	}
	if err != nil {
		return 0, err
	}
	return len(inv.Items), nil
}

// used is the sum over the distributions that are counted. What CloudFront has
// forgotten meanwhile was billed all the same.
func (c *count) used() int {
	sum := 0
	for b, e := range c.known {
		if slices.Contains(c.ids, b.distribution) && inMonth(e.Created, c.month) {
			sum += e.Paths
		}
	}
	return sum
}

func inMonth(at, month time.Time) bool {
	return !at.Before(month) && at.Before(month.AddDate(0, 1, 0))
}

// refusals are the distributions whose invalidations may not be read, so that
// one refusal is not asked for again a hundred times.
type refusals struct {
	mu  sync.Mutex // held for one look-up or store
	ids map[string]error
}

func (r *refusals) of(distribution string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[distribution]
}

// note remembers err if it is a refusal.
func (r *refusals) note(distribution string, err error) {
	if kindOf(err) != remote.ErrDenied {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[string]error{}
	}
	r.ids[distribution] = err
}

// errNotAsked is what is told of calls that were not made because an earlier
// one was throttled: more of them would only prolong it.
var errNotAsked = fmt.Errorf("not asked: %w", remote.ErrTemporary)

// each calls do with 0 to n-1, up to parallel at once, and returns the failures
// that a count survives by number. They begin in order, and after a temporary
// failure no more are begun, so that what comes first is asked for in any case.
// Any other failure, and the end of ctx, ends it and is returned.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) ([]error, error) {
	failures := make([]error, n)
	var throttled atomic.Bool
	slots := make(chan struct{}, parallel)
	group, inner := crash.WithContext(ctx)
	for i := range n {
		slots <- struct{}{}
		if inner.Err() != nil {
			break
		}
		if throttled.Load() {
			failures[i] = errNotAsked
			<-slots
			continue
		}
		group.Go(func() error {
			defer func() { <-slots }()
			err := do(inner, i)
			if err != nil && (inner.Err() != nil || kindOf(err) == nil) {
				return err
			}
			failures[i] = err
			if kindOf(err) == remote.ErrTemporary {
				throttled.Store(true)
			}
			return nil
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return failures, err
}
