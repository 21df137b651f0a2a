package deploy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
)

// maxBatch is how many paths one request carries. CloudFront states no maximum
// today; 3,000 was implied by its earlier limits (fact sheet 1.3).
const maxBatch = 3000

// Polling begins fast, since a local cloud is done at once, and slows down to
// what CloudFront needs: under 25 s at P95 (fact sheet 1.5).
const (
	firstPoll = 50 * time.Millisecond
	slowPoll  = 5 * time.Second
)

// Invalidate submits items and waits until they have taken effect. It is the
// part of a run that `freshet invalidate` needs alone.
func (e *Engine) Invalidate(ctx context.Context, id release.ID, items []string) (Submitted, error) {
	return e.invalidate(ctx, id, items)
}

func (e *Engine) invalidate(ctx context.Context, id release.ID, items []string) (Submitted, error) {
	var sub Submitted
	if len(items) == 0 || e.opts.Distribution == "" {
		return sub, nil
	}
	sub.Items = items
	deadline := e.opts.Now().Add(e.opts.Wait)
	var running []remote.Invalidation
	for n, batch := range batches(items) {
		inv, err := e.submit(ctx, reference(id, n, batch), batch, deadline)
		if err != nil {
			return sub, err
		}
		sub.IDs, sub.Status = append(sub.IDs, inv.ID), remote.InProgress
		running = append(running, inv)
		e.report.send(Event{Stage: StageInvalidate, Done: min((n+1)*maxBatch, len(items)), Total: len(items), Note: inv.ID})
	}
	e.report.send(Event{Stage: StageInvalidate, Done: len(items), Total: len(items), Note: strings.Join(sub.IDs, " "), Finished: true})
	if e.opts.NoWait && slices.ContainsFunc(running, func(inv remote.Invalidation) bool { return inv.Status != remote.Completed }) {
		return sub, fmt.Errorf("%w: not waited for", ErrPending)
	}
	for _, inv := range running {
		if err := e.await(ctx, inv, deadline); err != nil {
			return sub, err
		}
	}
	sub.Status = remote.Completed
	e.report.send(Event{Stage: StageWait, Done: len(items), Total: len(items), Finished: true})
	return sub, nil
}

func batches(items []string) [][]string {
	var out [][]string
	for len(items) > maxBatch {
		out = append(out, items[:maxBatch])
		items = items[maxBatch:]
	}
	return append(out, items)
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
func (e *Engine) submit(ctx context.Context, ref string, items []string, deadline time.Time) (remote.Invalidation, error) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		inv, err := e.cdn.Invalidate(ctx, e.opts.Distribution, ref, items)
		if err == nil {
			return inv, nil
		}
		if !errors.Is(err, remote.ErrTemporary) {
			return inv, fmt.Errorf("invalidate %d paths on %s: %w", len(items), e.opts.Distribution, err)
		}
		wait := jitter(pause)
		if e.opts.Now().Add(wait).After(deadline) {
			return inv, fmt.Errorf("%w: %s took none of %d paths in %s: %w", ErrPending, e.opts.Distribution, len(items), e.opts.Wait, err)
		}
		e.report.send(Event{Stage: StageInvalidate, Total: len(items), Note: fmt.Sprintf("%v; trying again in %s", err, wait.Round(100*time.Millisecond))})
		if err := sleep(ctx, wait); err != nil {
			return inv, err
		}
	}
}

// await polls until inv is completed. Slow is not failed: at the deadline it
// returns ErrPending.
func (e *Engine) await(ctx context.Context, inv remote.Invalidation, deadline time.Time) error {
	for pause := firstPoll; inv.Status != remote.Completed; pause = min(2*pause, slowPoll) {
		if e.opts.Now().Add(pause).After(deadline) {
			return fmt.Errorf("%w: %s is still %s after %s", ErrPending, inv.ID, inv.Status, e.opts.Wait)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		next, err := e.cdn.Invalidation(ctx, e.opts.Distribution, inv.ID)
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
