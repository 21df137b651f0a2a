//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Prober is viewers who ask every edge all the time, and hold each answer against what was Completed before they asked; of an edge that is Fenced,
// against what the origin held.
type Prober struct {
	fleet *Fleet
	end   context.CancelFunc
	work  sync.WaitGroup

	// mu guards found; held to count one answer.
	mu    sync.Mutex
	found Probed
}

// Probed is what viewers saw.
type Probed struct {
	Answers    int            // with 200
	Hits       int            // of these, out of a cache
	Fenced     int            // of these, of an edge that could not have a lease
	Errors     map[string]int // other answers by status, and failures, by edge
	Violations []string
}

// impatience is how often a further viewer comes to each edge, whatever became of those before: so that a process that was stopped finds requests
// that are younger than its stop.
const impatience = 250 * time.Millisecond

// Probe starts viewers; Stop ends them.
func (f *Fleet) Probe(perEdge int, pause time.Duration) *Prober {
	ctx, end := context.WithCancel(context.Background())
	p := &Prober{fleet: f, end: end, found: Probed{Errors: map[string]int{}}}
	for i, e := range f.Edges {
		for j := range perEdge {
			p.work.Go(func() { p.view(ctx, e, pause, uint64(i*perEdge+j)) })
		}
		p.work.Go(func() { p.crowd(ctx, e) })
	}
	return p
}

// view is one viewer with one connection.
func (p *Prober) view(ctx context.Context, e *Edge, pause time.Duration, seed uint64) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(seed, 7))
	for ctx.Err() == nil {
		p.look(ctx, client, e, rng.IntN(Pages))
		_ = sleep(ctx, pause) // ctx's
	}
}

// crowd are viewers who come one after the other, each on a new connection, and do not wait for each other.
func (p *Prober) crowd(ctx context.Context, e *Edge) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for sleep(ctx, impatience) == nil {
		p.work.Go(func() { p.look(ctx, client, e, rand.N(Pages)) })
	}
}

// look asks for one page.
func (p *Prober) look(ctx context.Context, client *http.Client, e *Edge, n int) {
	page := &p.fleet.Origin.pages[n]
	e.asked.Add(1) // before Fenced is read, for Unfence
	fenced := e.Fenced.Load()
	if !fenced {
		e.asked.Add(-1)
	}
	floor := page.floor.Load()
	if fenced {
		floor = page.version.Load()
	}
	began := time.Now()
	seen, err := fetch(ctx, client, e.Viewers+path(n), n)
	if fenced {
		e.asked.Add(-1)
	}
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.found.Errors[e.Name+": "+err.Error()]++
	case seen.version < floor:
		p.found.Violations = append(p.found.Violations, fmt.Sprintf(
			"%s answered %s with version %d (%s, Age %s), after version %d was due (fenced: %v); asked at %s, answered after %v; the origin has %d",
			e.Name, path(n), seen.version, seen.cache, seen.age, floor, fenced, began.Format("15:04:05.000"), time.Since(began), page.version.Load()))
		fallthrough
	default:
		p.found.Answers++
		if strings.HasPrefix(seen.cache, "Hit") {
			p.found.Hits++
		}
		if fenced {
			p.found.Fenced++
		}
	}
}

// seen is an answer.
type seen struct {
	version    int64
	cache, age string
}

// fetch asks for a page. An error is short and of few kinds, so that it can be counted.
func fetch(ctx context.Context, client *http.Client, url string, n int) (seen, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return seen{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return seen{}, kind(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read, or not
	switch {
	case err != nil:
		return seen{}, fmt.Errorf("cut short: %w", kind(err))
	case resp.StatusCode != http.StatusOK:
		return seen{}, fmt.Errorf("status %d %.40s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	version, err := versionOf(body, n)
	return seen{version, resp.Header.Get("X-Cache"), resp.Header.Get("Age")}, err
}

// kind is what remains of an error without its addresses.
func kind(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

// So is what was seen so far.
func (p *Prober) So() Probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.found
	out.Errors = map[string]int{}
	for what, n := range p.found.Errors {
		out.Errors[what] = n
	}
	out.Violations = append([]string(nil), p.found.Violations...)
	return out
}

// Stop ends the viewers and returns what they saw.
func (p *Prober) Stop() Probed {
	p.end()
	p.work.Wait()
	return p.So()
}
