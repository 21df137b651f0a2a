//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Check waits until everything is as it must be once all faults are over: every process ready, every acknowledged invalidation Completed at every control node,
// every edge at the log's end, and no edge with an answer that is older than the origin's. What is not so when ctx ends is the error.
func (f *Fleet) Check(ctx context.Context, p *Publisher) error {
	if err := f.AwaitAll(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	acks := append([]Acknowledged(nil), p.acks...)
	var faults []error
	for _, fault := range p.faults {
		faults = append(faults, errors.New(fault))
	}
	p.mu.Unlock()
	for node := range f.Controls {
		faults = append(faults, f.checkCompleted(ctx, p, node, acks))
	}
	for _, a := range acks {
		p.completed(a)
	}
	faults = append(faults, f.checkEnds(ctx))
	for _, e := range f.Edges {
		faults = append(faults, f.checkPages(ctx, e))
	}
	return errors.Join(faults...)
}

// checkCompleted asks one node for every invalidation.
func (f *Fleet) checkCompleted(ctx context.Context, p *Publisher, node int, acks []Acknowledged) error {
	c := f.Controls[node]
	for _, a := range acks {
		for {
			got, err := p.api.ask(ctx, http.MethodGet, f.invalidations(node)+"/"+a.ID, "")
			if err == nil && got.completed() {
				break
			}
			if err == nil && got.status == http.StatusNotFound {
				return fmt.Errorf("%s has lost invalidation %s: %.300s", c.Name, a.ID, got.body)
			}
			if serr := sleep(ctx, 10*time.Millisecond); serr != nil {
				return fmt.Errorf("%s does not complete invalidation %s: %w (%d %.300s %w)", c.Name, a.ID, serr, got.status, got.body, errors.Join(err))
			}
		}
	}
	return nil
}

// checkEnds waits until every edge has applied what any control node has.
func (f *Fleet) checkEnds(ctx context.Context) error {
	var end uint64
	for _, c := range f.Controls {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		end = max(end, s.Applied)
	}
	for _, e := range f.Edges {
		for {
			at, err := e.Metric(ctx, "freshet_edge_fleet_applied_sequence")
			if err == nil && uint64(at) >= end {
				break
			}
			if serr := sleep(ctx, 10*time.Millisecond); serr != nil {
				return fmt.Errorf("%s has applied the log to %.0f of %d: %w", e.Name, at, end, errors.Join(serr, err))
			}
		}
	}
	return nil
}

// checkPages asks an edge for every page, after every change was completed.
func (f *Fleet) checkPages(ctx context.Context, e *Edge) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := range f.Origin.pages {
		floor := f.Origin.pages[n].floor.Load()
		got, err := fetch(ctx, client, e.Viewers+path(n), n)
		if err == nil && got.version < floor {
			err = fmt.Errorf("version %d after %d was completed (%s)", got.version, floor, got.cache)
		}
		if err != nil {
			return fmt.Errorf("%s answers %s: %w", e.Name, path(n), err)
		}
	}
	return nil
}
