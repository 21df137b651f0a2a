package deploy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
)

// Polling begins fast, since a local cloud is done at once, and slows down to
// what CloudFront needs: under 25 s at P95 (fact sheet 1.5).
const (
	firstPoll = 50 * time.Millisecond
	slowPoll  = 5 * time.Second
)

// Invalidate submits items to one distribution and waits until they have taken
// effect. It is the part of a run that `freshet invalidate` needs alone.
func (e *Engine) Invalidate(ctx context.Context, id release.ID, distribution string, items []string) (Submitted, error) {
	all, err := e.invalidateAll(ctx, id, []plan.Purge{{Distribution: distribution, Cover: written(items)}})
	if len(all) == 0 {
		return Submitted{Distribution: distribution}, err
	}
	return all[0], err
}

// written makes a cover of items that somebody else has chosen.
func written(items []string) invalidation.Cover {
	var c invalidation.Cover
	for _, it := range items {
		c.Items = append(c.Items, invalidation.Item{Path: invalidation.Path(it)})
	}
	return c
}

// running is an invalidation that was accepted.
type running struct {
	distribution string
	remote.Invalidation
}

// invalidateAll submits what the purges say, at the pace that the limits allow,
// then waits for all of it.
func (e *Engine) invalidateAll(ctx context.Context, id release.ID, purges []plan.Purge) ([]Submitted, error) {
	var subs []Submitted
	var open []running
	deadline := e.opts.Now().Add(e.opts.Wait)
	for _, p := range purges {
		if len(p.Cover.Items) == 0 {
			continue
		}
		sub, accepted, err := e.submitAll(ctx, id, p.Distribution, p.Cover.Paths(), deadline)
		subs, open = append(subs, sub), append(open, accepted...)
		if err != nil {
			return subs, err
		}
	}
	if e.opts.NoWait && slices.ContainsFunc(open, func(r running) bool { return r.Status != remote.Completed }) {
		return subs, fmt.Errorf("%w: not waited for", ErrPending)
	}
	if err := e.awaitAll(ctx, open, deadline); err != nil {
		return subs, err
	}
	for i := range subs {
		subs[i].Status = remote.Completed
	}
	if len(open) > 0 {
		e.report.send(Event{Stage: StageWait, Finished: true})
	}
	return subs, nil
}

// submitAll sends the items of one distribution, request by request.
func (e *Engine) submitAll(ctx context.Context, id release.ID, distribution string, items []string, deadline time.Time) (Submitted, []running, error) {
	sub := Submitted{Distribution: distribution, Items: items}
	var open []running
	done := 0
	e.report.send(Event{Stage: StageInvalidate, Total: len(items)})
	requests := e.opts.Limits.Requests(items)
	for n, r := range requests {
		if r.Drain {
			if err := e.awaitAll(ctx, open, deadline); err != nil {
				return sub, open, err
			}
		}
		inv, err := e.submit(ctx, distribution, reference(id, n, r.Items), r.Items, deadline)
		if err != nil {
			return sub, open, err
		}
		sub.IDs, sub.Status = append(sub.IDs, inv.ID), remote.InProgress
		open = append(open, running{distribution, inv})
		done += len(r.Items)
		e.report.send(Event{Stage: StageInvalidate, Done: done, Total: len(items), Note: inv.ID})
		if n < len(requests)-1 {
			if err := sleep(ctx, time.Duration(r.Wait*float64(time.Second))); err != nil {
				return sub, open, err
			}
		}
	}
	e.report.send(Event{Stage: StageInvalidate, Done: len(items), Total: len(items), Note: strings.Join(sub.IDs, " "), Finished: true})
	return sub, open, nil
}

func (e *Engine) awaitAll(ctx context.Context, open []running, deadline time.Time) error {
	for _, r := range open {
		if err := e.await(ctx, r, deadline); err != nil {
			return err
		}
	}
	return nil
}

// reference is the caller reference of a batch: the same work has the same
// reference in every run, so a repeat starts nothing and costs nothing (fact
// sheet 1.5), while other items never meet a used one.
func reference(id release.ID, n int, items []string) string {
	sum := sha256.Sum256([]byte(strings.Join(items, "\n")))
	return fmt.Sprintf("freshet-%s-%d-%x", id, n, sum[:6])
}

// submit repeats a request until it is accepted, refused for good, or too
// late. The outcome of a failed try may be unknown; the caller reference makes
// the repeat safe.
func (e *Engine) submit(ctx context.Context, distribution, ref string, items []string, deadline time.Time) (remote.Invalidation, error) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		inv, err := e.cdn.Invalidate(ctx, distribution, ref, items)
		if err == nil {
			return inv, nil
		}
		if !errors.Is(err, remote.ErrTemporary) {
			return inv, fmt.Errorf("invalidate %d paths on %s: %w", len(items), distribution, err)
		}
		wait := jitter(pause)
		if e.opts.Now().Add(wait).After(deadline) {
			return inv, fmt.Errorf("%w: %s took none of %d paths in %s: %w", ErrPending, distribution, len(items), e.opts.Wait, err)
		}
		e.report.send(Event{Stage: StageInvalidate, Total: len(items), Note: fmt.Sprintf("%v; trying again in %s", err, wait.Round(100*time.Millisecond))})
		if err := sleep(ctx, wait); err != nil {
			return inv, err
		}
	}
}

// await polls until r is completed. Slow is not failed: at the deadline it
// returns ErrPending.
func (e *Engine) await(ctx context.Context, r running, deadline time.Time) error {
	inv := r.Invalidation
	if inv.Status != remote.Completed {
		e.report.send(Event{Stage: StageWait, Note: inv.ID + " " + inv.Status})
	}
	for pause := firstPoll; inv.Status != remote.Completed; pause = min(2*pause, slowPoll) {
		if e.opts.Now().Add(pause).After(deadline) {
			return fmt.Errorf("%w: %s is still %s after %s", ErrPending, inv.ID, inv.Status, e.opts.Wait)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		next, err := e.cdn.Invalidation(ctx, r.distribution, inv.ID)
		if err != nil && !errors.Is(err, remote.ErrTemporary) {
			return fmt.Errorf("wait for invalidation %s: %w", inv.ID, err)
		}
		if err == nil {
			inv = next
		}
		e.report.send(Event{Stage: StageWait, Note: inv.ID + " " + inv.Status})
	}
	return nil
}
