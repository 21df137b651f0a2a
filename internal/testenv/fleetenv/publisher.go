//go:build unix

package fleetenv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Publisher changes pages and invalidates them, through whatever control node answers. It is safe for concurrent use.
type Publisher struct {
	fleet *Fleet
	api   *api

	// mu guards what follows; held for field access only.
	mu     sync.Mutex
	number int
	acks   []Acknowledged
	first  map[string]string // caller reference → the id that was acknowledged first
	faults []string
	done   int // invalidations that were seen Completed
}

// Acknowledged is an invalidation that the API accepted.
type Acknowledged struct {
	ID, Reference string
	changes       []change
}

type change struct {
	page    int
	version int64
}

// NewPublisher returns one; Close ends its connections.
func (f *Fleet) NewPublisher() *Publisher {
	return &Publisher{fleet: f, api: f.newAPI(), first: map[string]string{}}
}

// Close ends its connections.
func (p *Publisher) Close() { p.api.close() }

// Accepted is how many invalidations were acknowledged.
func (p *Publisher) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acks)
}

// Done is how many were seen Completed.
func (p *Publisher) Done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Publish changes pages of its choice, invalidates them, and waits until some node says Completed. The error is ctx's, and the last attempt's.
func (p *Publisher) Publish(ctx context.Context, rng *rand.Rand) error {
	ack, err := p.Submit(ctx, rng)
	if err != nil {
		return err
	}
	return p.Await(ctx, ack)
}

// Submit changes pages and has their invalidation accepted; not Completed yet.
func (p *Publisher) Submit(ctx context.Context, rng *rand.Rand) (Acknowledged, error) {
	item, pages := pick(rng)
	ack := Acknowledged{Reference: p.reference()}
	for _, n := range pages {
		ack.changes = append(ack.changes, change{n, p.fleet.Origin.pages[n].version.Add(1)})
	}
	err := p.create(ctx, &ack, item)
	return ack, err
}

// pick chooses one page, or all that a wildcard covers.
func pick(rng *rand.Rand) (item string, pages []int) {
	n := rng.IntN(Pages)
	if rng.IntN(8) > 0 {
		return path(n), []int{n}
	}
	prefix := path(n)
	for other := range Pages {
		if strings.HasPrefix(path(other), prefix) {
			pages = append(pages, other)
		}
	}
	return prefix + "*", pages
}

func (p *Publisher) reference() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	return fmt.Sprintf("%p-%d", p, p.number)
}

// create asks one node after the other, with the same caller reference, until one accepts.
func (p *Publisher) create(ctx context.Context, ack *Acknowledged, item string) error {
	body := batch(ack.Reference, item)
	for {
		got, err := p.api.ask(ctx, http.MethodPost, p.fleet.invalidations(p.next()), body)
		if err == nil && got.status == http.StatusCreated {
			if ack.ID, err = element(got.body, "Id"); err != nil {
				return err
			}
			p.note(*ack)
			return nil
		}
		if err == nil {
			err = fmt.Errorf("answer %d: %.300s", got.status, got.body)
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("create invalidation %s: %w", ack.Reference, err)
		}
	}
}

// next is the control node that is asked next.
func (p *Publisher) next() int { return int(p.fleet.next.Add(1)) }

func (p *Publisher) note(ack Acknowledged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks = append(p.acks, ack)
	if id, ok := p.first[ack.Reference]; ok && id != ack.ID {
		p.faults = append(p.faults, fmt.Sprintf("reference %s was acknowledged as %s and as %s", ack.Reference, id, ack.ID))
	}
	p.first[ack.Reference] = ack.ID
}

func (p *Publisher) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// Await waits until some node says that the invalidation is Completed; from then on nobody may see what it replaced.
func (p *Publisher) Await(ctx context.Context, ack Acknowledged) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		url := p.fleet.invalidations(p.next()) + "/" + ack.ID
		got, err := p.api.ask(ctx, http.MethodGet, url, "")
		switch {
		case err == nil && got.status == http.StatusNotFound:
			p.fault("%s: the invalidation was acknowledged, and at %s %s says: %.300s", ack.ID, time.Now().Format("15:04:05.000"), url, got.body)
		case err == nil && got.completed():
			p.completed(ack)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.done++
			return nil
		}
		if serr := sleep(ctx, pause); serr != nil {
			return fmt.Errorf("wait for invalidation %s: %w (last answer %d, %v)", ack.ID, serr, got.status, err)
		}
	}
}

// completed raises the floors.
func (p *Publisher) completed(ack Acknowledged) {
	for _, c := range ack.changes {
		floor := &p.fleet.Origin.pages[c.page].floor
		for old := floor.Load(); old < c.version && !floor.CompareAndSwap(old, c.version); old = floor.Load() {
		}
	}
}

// Keep publishes with so many clients, each again after a pause, until ctx ends.
func (p *Publisher) Keep(ctx context.Context, clients int, pause time.Duration, seed uint64) (wait func()) {
	var work sync.WaitGroup
	for i := range clients {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		work.Go(func() {
			for ctx.Err() == nil {
				_ = p.Publish(ctx, rng) // ctx's
				_ = sleep(ctx, pause)   // likewise
			}
		})
	}
	return work.Wait
}
