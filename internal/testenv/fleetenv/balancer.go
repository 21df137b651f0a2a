//go:build unix

package fleetenv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Balancer is viewers behind a load balancer that sends each request to the next edge that is ready, and repeats none.
type Balancer struct {
	fleet *Fleet
	end   context.CancelFunc
	work  sync.WaitGroup
	ready []atomic.Bool // by edge
	next  atomic.Int64

	// mu guards what follows; held to count one answer.
	mu      sync.Mutex
	answers int
	failed  []string
}

// look is how often the balancer asks /readyz. An edge's Options.Delay must be a few times as long.
const readyLook = 25 * time.Millisecond

// Balance starts so many viewers; Stop ends them.
func (f *Fleet) Balance(viewers int, pause time.Duration) *Balancer {
	ctx, end := context.WithCancel(context.Background())
	b := &Balancer{fleet: f, end: end, ready: make([]atomic.Bool, len(f.Edges))}
	for i, e := range f.Edges {
		b.ready[i].Store(true)
		b.work.Go(func() { b.watch(ctx, i, e) })
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: viewers}}
	for range viewers {
		b.work.Go(func() {
			for sleep(ctx, pause) == nil {
				b.view(ctx, client)
			}
			client.CloseIdleConnections()
		})
	}
	return b
}

func (b *Balancer) watch(ctx context.Context, i int, e *Edge) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for sleep(ctx, readyLook) == nil {
		b.ready[i].Store(ask(ctx, client, e.Ready) == nil)
	}
}

func (b *Balancer) view(ctx context.Context, client *http.Client) {
	for range b.ready {
		at := int(b.next.Add(1)) % len(b.ready)
		if !b.ready[at].Load() {
			continue
		}
		n, e := rand.N(Pages), b.fleet.Edges[at]
		floor := b.fleet.Origin.pages[n].floor.Load()
		got, err := fetch(ctx, client, e.Viewers+path(n), n)
		if err == nil && got.version < floor {
			err = fmt.Errorf("version %d after %d was completed", got.version, floor)
		}
		if ctx.Err() == nil {
			b.count(e, err)
		}
		return
	}
	b.count(&Edge{Process: &Process{Name: "no edge"}}, fmt.Errorf("none is ready"))
}

func (b *Balancer) count(e *Edge, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	if err != nil {
		b.failed = append(b.failed, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.000"), e.Name, err))
	}
}

// Stop ends the viewers and returns how many requests there were, and what became of those that failed.
func (b *Balancer) Stop() (requests int, failed []string) {
	b.end()
	b.work.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers, b.failed
}
