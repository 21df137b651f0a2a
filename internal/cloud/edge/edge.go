package edge

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
	"github.com/freshet/freshet/internal/cloud/edge/front"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// Defaults of Options.
const (
	DefaultMemoryBytes   = 256 << 20
	DefaultOriginTimeout = 30 * time.Second // CloudFront Developer Guide, "Origin settings", response timeout, read 2026-11
	DefaultSweepInterval = time.Second
	DefaultPOP           = "LOC50-P1" // no airport has this code
)

// Options are an edge's own settings; the zero value means the defaults.
type Options struct {
	MemoryBytes   int              // budget for cached objects; default 256 MiB. One object takes a quarter of it at most; larger ones go to the disk, or pass through unstored. Fills under way come on top
	Disk          Disk             // the tier below memory; default none
	PurgeBytes    int              // budget of the purge log; default purge.DefaultLimit
	OriginTimeout time.Duration    // for the head of an origin's response, and for each piece of its body; default 30 s
	SweepInterval time.Duration    // least time between two background sweeps after invalidations; default 1 s
	Now           func() time.Time // the clock of lifetimes; default time.Now
	Rand          io.Reader        // source of request ids; default crypto/rand.Reader
	Logger        *slog.Logger     // origin failures; default none
	POP           string           // X-Amz-Cf-Pop; default "LOC50-P1"
	Lease         Lease            // without a valid one a request is answered by the origin alone; default: always valid
	OnRequest     func(Event)      // called after each request, from its goroutine; must be quick. Default none
	Drops         int              // for how many invalidations to count what each one drops, the newest; default 0 counts nothing
}

// Event tells what became of one viewer's request.
type Event struct {
	Time     time.Time // when it began, by Options.Now
	Duration time.Duration
	Method   string
	Path     string // as the viewer sent it, without query
	URI      string // of the cache key; "" if the request did not get that far
	Status   int    // that the viewer saw
	Result   Result
	Bytes    int64 // of body sent
	Aborted  bool  // the response was cut short
	Viewer   Viewer
}

// Edge is a cache in front of one distribution's origins: an http.Handler. All methods are safe for concurrent use.
type Edge struct {
	opts    Options
	log     *purge.Log
	store   *store
	dist    atomic.Pointer[distribution]
	flights flights
	stats   counters

	scratches sync.Pool // of *scratch, for Hit

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	sweeps  chan struct{} // holds one wish for a sweep
	workers sync.WaitGroup

	sweeping sync.Mutex // held for a whole sweep; guards swept
	swept    sweepMark  // the last whole sweep

	encoders encoders
}

var _ http.Handler = (*Edge)(nil)

// New returns a running edge. Close it to end its goroutines. The error wraps ErrConfig if cfg cannot be served.
func New(cfg Config, opts Options) (*Edge, error) {
	d, err := compile(cfg)
	if err != nil {
		return nil, fmt.Errorf("make edge: %w", err)
	}
	opts = opts.withDefaults()
	log := purge.New(opts.PurgeBytes)
	st, err := newStore(opts.MemoryBytes, log, opts.Now)
	if err != nil {
		return nil, fmt.Errorf("make edge: %w", err)
	}
	if opts.Drops > 0 {
		st.drops = &drops{keep: opts.Drops}
	}
	maxFill, err := st.openDisk(&opts)
	if err != nil {
		return nil, fmt.Errorf("make edge: %w", err)
	}
	e := &Edge{opts: opts, log: log, store: st, sweeps: make(chan struct{}, 1)}
	e.flights.init()
	e.flights.number = maxFill
	e.scratches.New = func() any { return e.newScratch() }
	e.dist.Store(d)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.workers.Go(e.sweepWhenAsked)
	e.workers.Go(e.reclaimWithdrawn)
	return e, nil
}

func (o Options) withDefaults() Options {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = DefaultMemoryBytes
	}
	if o.OriginTimeout == 0 {
		o.OriginTimeout = DefaultOriginTimeout
	}
	if o.SweepInterval == 0 {
		o.SweepInterval = DefaultSweepInterval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.POP == "" {
		o.POP = DefaultPOP
	}
	return o
}

// SetConfig swaps the distribution's configuration. Requests that begin later follow the new one;
// cached objects stay, also those of an origin that has gone. On an error, which wraps ErrConfig, nothing changes.
// spec: cloudfront 4.1, an origin change purges nothing
func (e *Edge) SetConfig(cfg Config) error {
	d, err := compile(cfg)
	if err != nil {
		return fmt.Errorf("set edge config: %w", err)
	}
	e.dist.Store(d)
	return nil
}

// Configured is an edge that answers by one configuration, also when SetConfig has given it another: who routes requests by what that configuration
// says has none answered by two.
type Configured struct {
	edge *Edge
	dist *distribution
}

// Configured is e with its present configuration.
func (e *Edge) Configured() *Configured { return &Configured{e, e.dist.Load()} }

// Hit is Edge.Hit.
func (c *Configured) Hit(rq *front.Request, resp *front.Response) bool {
	return c.edge.hit(c.dist, rq, resp)
}

// ServeHTTP is Edge.ServeHTTP.
func (c *Configured) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.edge.serve(c.dist, w, r) }

// Invalidate applies one batch of invalidation items: paths, prefixes with a trailing "*", and "#" tags.
// When it returns, no request that begins later is answered with what the items cover.
// It costs the length of the items, whatever the cache holds, and may be repeated.
// The error wraps purge.ErrItem for an item that no invalidation can carry; then nothing was applied.
func (e *Edge) Invalidate(items []string) (purge.Sequence, error) {
	seq, err := e.log.Accept(e.dist.Load().TagHeader, items)
	if err != nil {
		return 0, fmt.Errorf("invalidate: %w", err)
	}
	e.invalidated(len(items))
	return seq, nil
}

// Close ends all fills and the sweeper, and waits for them. Viewers of unfinished fills see an aborted response.
func (e *Edge) Close() {
	e.flights.close()
	e.cancel()
	e.flights.running.Wait()
	e.workers.Wait()
	if err := e.store.closeDisk(); err != nil {
		e.opts.Logger.Error("close of the disk tier failed", "error", err)
	}
	e.store.cache.StopAllGoroutines()
}

// counters are the edge's running totals.
type counters struct {
	requests, hits, misses, refreshHits, errors, redirects atomic.Int64
	originRequests, collapsed, bytesOut                    atomic.Int64
	invalidations, items, fenced                           atomic.Int64
}

// count adds one finished request.
func (c *counters) count(r Result, bytes int64) {
	c.requests.Add(1)
	c.bytesOut.Add(bytes)
	switch r {
	case Hit:
		c.hits.Add(1)
	case Miss:
		c.misses.Add(1)
	case RefreshHit:
		c.refreshHits.Add(1)
	case Error:
		c.errors.Add(1)
	case Redirect:
		c.redirects.Add(1)
	}
}

// Stats are totals since New, and what the edge holds now.
type Stats struct {
	Requests, Hits, Misses, RefreshHits, Errors, Redirects int64 // viewers' requests, by X-Cache
	Collapsed                                              int64 // of the requests: those that shared another's origin request
	OriginRequests                                         int64
	Fenced                                                 int64 // of the requests: those that began without a valid lease
	BytesOut                                               int64 // bodies, to viewers
	Objects                                                int64 // in memory, including a few not yet reclaimed
	ObjectBytes                                            int64 // that they count for
	MemoryBytes                                            int64 // the budget
	Evicted                                                int64 // objects that the budget pushed out
	Purged                                                 int64 // objects that invalidations removed or withdrew, counted when found
	Withdrawn                                              int64 // of Objects: those that an invalidation covers and the origin may still prove; they serve nobody
	Invalidations, InvalidationItems                       int64 // accepted
	Purge                                                  purge.Size
	Disk                                                   disk.Stats // zero where there is no disk tier
}

// Stats returns the present figures. They are read one after the other, so they may differ by requests under way.
func (e *Edge) Stats() Stats {
	c := &e.stats
	stats := Stats{
		Requests: c.requests.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), RefreshHits: c.refreshHits.Load(),
		Errors: c.errors.Load(), Redirects: c.redirects.Load(), Collapsed: c.collapsed.Load(),
		OriginRequests: c.originRequests.Load(), Fenced: c.fenced.Load(), BytesOut: c.bytesOut.Load(),
		Objects: int64(e.store.cache.EstimatedSize()), ObjectBytes: int64(e.store.cache.WeightedSize()), MemoryBytes: int64(e.store.cache.GetMaximum()),
		Evicted: e.store.evicted.Load(), Purged: e.store.purged.Load(), Withdrawn: e.store.withdrawn.Load(),
		Invalidations: c.invalidations.Load(), InvalidationItems: c.items.Load(), Purge: e.log.Size(),
	}
	if e.store.disk != nil {
		stats.Disk = e.store.disk.Stats()
	}
	return stats
}
