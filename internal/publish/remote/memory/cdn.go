package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

var _ remote.CDN = (*CDN)(nil)

// CDNOptions describe a CDN.
type CDNOptions struct {
	Distributions []remote.Distribution // in the order in which they are listed
	// Polls is how many reads of an invalidation say InProgress before one says
	// Completed; 0 means that the first read does. Below 0 only Complete and
	// CompleteAll end an invalidation.
	Polls int
	Now   func() time.Time // for Created; nil means that all times are zero
	Hook  Hook             // nil means no faults
}

// CDN keeps distributions and their invalidations in memory. It is safe for
// concurrent use.
type CDN struct {
	calls
	polls int
	now   func() time.Time

	state         sync.Mutex // held while the fields below are looked at or changed, never during a hook or a delay
	distributions []remote.Distribution
	batches       []*batch
	settings      map[string]remote.Settings // by distribution id, as far as they were set
	versions      map[string]int             // changes so far, by distribution id
}

type batch struct {
	distribution, reference string
	left                    int // reads that still say InProgress
	invalidation            remote.Invalidation
}

// NewCDN makes a CDN without invalidations.
func NewCDN(o CDNOptions) *CDN {
	c := &CDN{polls: o.Polls, now: o.Now, settings: map[string]remote.Settings{}, versions: map[string]int{}}
	for _, d := range o.Distributions {
		c.distributions = append(c.distributions, cloned(d))
	}
	if c.now == nil {
		c.now = func() time.Time { return time.Time{} }
	}
	c.SetHook(o.Hook)
	return c
}

// SetDistribution adds a distribution or replaces the one with its id.
func (c *CDN) SetDistribution(d remote.Distribution) {
	c.state.Lock()
	defer c.state.Unlock()
	if i := c.index(d.ID); i >= 0 {
		c.distributions[i] = cloned(d)
		return
	}
	c.distributions = append(c.distributions, cloned(d))
}

// Accepted are the accepted batches of a distribution with their items, oldest
// first. It is for tests: no call is logged and no hook is asked.
func (c *CDN) Accepted(distribution string) []remote.Invalidation {
	c.state.Lock()
	defer c.state.Unlock()
	var out []remote.Invalidation
	for _, b := range c.batches {
		if b.distribution == distribution {
			out = append(out, b.copy())
		}
	}
	return out
}

// Complete ends the invalidation with that id, if there is one.
func (c *CDN) Complete(id string) { c.complete(func(b *batch) bool { return b.invalidation.ID == id }) }

// CompleteAll ends all invalidations.
func (c *CDN) CompleteAll() { c.complete(func(*batch) bool { return true }) }

func (c *CDN) complete(which func(*batch) bool) {
	c.state.Lock()
	defer c.state.Unlock()
	for _, b := range c.batches {
		if which(b) {
			b.invalidation.Status = remote.Completed
		}
	}
}

// Distribution implements remote.CDN.
func (c *CDN) Distribution(ctx context.Context, id string) (remote.Distribution, error) {
	f, err := c.begin(ctx, Call{Op: OpDistribution, Key: id})
	if err != nil {
		return remote.Distribution{}, fmt.Errorf("read distribution %s: %w", id, err)
	}
	c.state.Lock()
	defer c.state.Unlock()
	i := c.index(id)
	if i < 0 {
		err = remote.ErrNotFound
	}
	if err = errors.Join(err, f.after); err != nil {
		return remote.Distribution{}, fmt.Errorf("read distribution %s: %w", id, err)
	}
	return cloned(c.distributions[i]), nil
}

// Distributions implements remote.CDN. As with CloudFront, a list does not tell
// DefaultRootObject, TagHeader, Behaviors and ErrorPages.
func (c *CDN) Distributions(ctx context.Context) ([]remote.Distribution, error) {
	f, err := c.begin(ctx, Call{Op: OpDistributions})
	if err = errors.Join(err, f.after); err != nil {
		return nil, fmt.Errorf("list distributions: %w", err)
	}
	c.state.Lock()
	defer c.state.Unlock()
	var out []remote.Distribution
	for _, d := range c.distributions {
		d = cloned(d)
		d.DefaultRootObject, d.TagHeader, d.Behaviors, d.ErrorPages = "", "", nil, nil
		out = append(out, d)
	}
	return out, nil
}

// index needs state to be held; it is -1 where there is no such distribution.
func (c *CDN) index(id string) int {
	return slices.IndexFunc(c.distributions, func(d remote.Distribution) bool { return d.ID == id })
}

func cloned(d remote.Distribution) remote.Distribution {
	d.Aliases, d.Origins = slices.Clone(d.Aliases), slices.Clone(d.Origins)
	d.Behaviors, d.ErrorPages = slices.Clone(d.Behaviors), slices.Clone(d.ErrorPages)
	for i, b := range d.Behaviors {
		d.Behaviors[i].FailoverIDs = slices.Clone(b.FailoverIDs)
	}
	return d
}

// Invalidate implements remote.CDN. One bad item refuses the whole batch. The
// same items in another order count as other items, because CloudFront does not
// say that they are the same (fact 1.5).
func (c *CDN) Invalidate(ctx context.Context, distribution, reference string, items []string) (remote.Invalidation, error) {
	f, err := c.begin(ctx, Call{Op: OpInvalidate, Key: reference, Items: slices.Clone(items)})
	var out remote.Invalidation
	if err == nil {
		out, err = c.accept(distribution, reference, items)
	}
	if err = errors.Join(err, f.after); err != nil {
		return remote.Invalidation{}, fmt.Errorf("invalidate with reference %s: %w", reference, err)
	}
	return out, nil
}

func (c *CDN) accept(distribution, reference string, items []string) (remote.Invalidation, error) {
	if err := checkItems(reference, items); err != nil {
		return remote.Invalidation{}, err
	}
	c.state.Lock()
	defer c.state.Unlock()
	if c.index(distribution) < 0 {
		return remote.Invalidation{}, remote.ErrNotFound
	}
	for _, b := range c.batches {
		if b.distribution == distribution && b.reference == reference {
			if !slices.Equal(b.invalidation.Items, items) {
				return remote.Invalidation{}, remote.ErrReferenceReused
			}
			return b.copy(), nil
		}
	}
	b := &batch{distribution: distribution, reference: reference, left: c.polls, invalidation: remote.Invalidation{
		ID:     fmt.Sprintf("I%013d", len(c.batches)+1),
		Status: remote.InProgress, Created: c.now(), Items: slices.Clone(items),
	}}
	c.batches = append(c.batches, b)
	return b.copy(), nil
}

// Invalidation implements remote.CDN.
func (c *CDN) Invalidation(ctx context.Context, distribution, id string) (remote.Invalidation, error) {
	f, err := c.begin(ctx, Call{Op: OpInvalidation, Key: id})
	var out remote.Invalidation
	if err == nil {
		out, err = c.poll(distribution, id)
	}
	if err = errors.Join(err, f.after); err != nil {
		return remote.Invalidation{}, fmt.Errorf("read invalidation %s: %w", id, err)
	}
	return out, nil
}

func (c *CDN) poll(distribution, id string) (remote.Invalidation, error) {
	c.state.Lock()
	defer c.state.Unlock()
	for _, b := range c.batches {
		if b.distribution != distribution || b.invalidation.ID != id {
			continue
		}
		if b.left == 0 {
			b.invalidation.Status = remote.Completed
		} else if b.left > 0 {
			b.left--
		}
		return b.copy(), nil
	}
	return remote.Invalidation{}, remote.ErrNotFound
}

// Invalidations implements remote.CDN. Reading a list is no poll: it leaves
// statuses as they are.
func (c *CDN) Invalidations(ctx context.Context, distribution string, since time.Time) ([]remote.Invalidation, error) {
	f, err := c.begin(ctx, Call{Op: OpInvalidations, Key: distribution})
	var out []remote.Invalidation
	if err == nil {
		out, err = c.since(distribution, since)
	}
	if err = errors.Join(err, f.after); err != nil {
		return nil, fmt.Errorf("list invalidations of %s: %w", distribution, err)
	}
	return out, nil
}

func (c *CDN) since(distribution string, since time.Time) ([]remote.Invalidation, error) {
	c.state.Lock()
	defer c.state.Unlock()
	if c.index(distribution) < 0 {
		return nil, remote.ErrNotFound
	}
	var out []remote.Invalidation
	for _, b := range slices.Backward(c.batches) {
		if b.distribution == distribution && !b.invalidation.Created.Before(since) {
			one := b.invalidation
			one.Items = nil
			out = append(out, one)
		}
	}
	return out, nil
}

func (b *batch) copy() remote.Invalidation {
	out := b.invalidation
	out.Items = slices.Clone(out.Items)
	return out
}
