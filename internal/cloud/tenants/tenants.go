package tenants

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// ErrUnknown: no distribution of that id is configured.
var ErrUnknown = errors.New("the distribution has no edge yet")

// ErrStorage: a distribution's folder on disk cannot be used for now. The configuration itself can be carried out.
var ErrStorage = errors.New("the disk tier cannot be used")

// OriginFunc makes an origin of what the control API says of one: scheme, host and transport, and what kind of store it is. Next is the way to servers.
// The path and the headers of the configuration are added afterwards. It must be quick: what needs the network waits for the first request.
type OriginFunc func(o control.Origin, next http.RoundTripper) (edge.Origin, error)

// Options are what Tenants take.
type Options struct {
	Origin OriginFunc                            // must be given
	Domain func(id string) string                // a distribution's own domain name; must be given
	First  func(control.DistributionConfig) bool // the distribution that is served under names of none; nil for none, but for the only one
	// Edge has the settings of a distribution's edge, but for memory and disk; nil for the defaults.
	Edge        func(id string, cfg control.DistributionConfig) edge.Options
	MemoryBytes int          // for all distributions together; default edge.DefaultMemoryBytes
	Dir         string       // below which each distribution has its folder on disk; "" is no disk tier
	DiskBytes   int64        // of each distribution; default edge.DefaultDiskBytes
	Logger      *slog.Logger // nil discards
}

// Tenants are the distributions at work. All methods are safe for concurrent use.
type Tenants struct {
	opts Options

	// mu guards the next three; held for map access, and while an edge is made. No request waits for it.
	mu    sync.RWMutex
	byID  map[string]*served
	hosts map[string]*served // by domain name and alias, in lower case
	first *served            // what viewers reach by any other name

	routes atomic.Pointer[routes] // what requests read of it, replaced after each change

	sharing sync.Mutex // held for one division of the memory
	stop    chan struct{}
	worker  sync.WaitGroup
	closed  sync.Once
}

// served is one distribution at work.
type served struct {
	id      string
	edge    *edge.Edge
	hosts   []string
	enabled bool
	idle    func() // closes the connections to origins that nobody uses
	evicted int64  // when memory was last divided
}

var (
	_ control.Edges = (*Tenants)(nil)
	_ front.Engine  = (*Tenants)(nil)
	_ http.Handler  = (*Tenants)(nil)
)

// New returns tenants without a distribution. Close them to end their goroutines.
func New(opts Options) *Tenants {
	if opts.MemoryBytes == 0 {
		opts.MemoryBytes = edge.DefaultMemoryBytes
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Edge == nil {
		opts.Edge = func(string, control.DistributionConfig) edge.Options { return edge.Options{} }
	}
	t := &Tenants{opts: opts, byID: map[string]*served{}, hosts: map[string]*served{}, stop: make(chan struct{})}
	t.route()
	t.worker.Go(func() { t.shareEvery(sharePause) })
	return t
}

// Configure gives a distribution's edge its configuration, and makes the edge if there is none. An error that wraps ErrStorage may pass; any other one stands.
func (t *Tenants) Configure(_ context.Context, distribution string, cfg control.DistributionConfig) error {
	want, idle, err := t.edgeConfig(distribution, cfg)
	if err != nil {
		return fmt.Errorf("configure %s: %w", distribution, err)
	}
	t.warn(distribution, cfg)
	if err := t.configure(distribution, cfg, want, idle); err != nil {
		return fmt.Errorf("configure %s: %w", distribution, err)
	}
	t.share()
	return nil
}

func (t *Tenants) configure(distribution string, cfg control.DistributionConfig, want edge.Config, idle func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.byID[distribution]
	if one == nil {
		cache, err := t.open(distribution, cfg, want)
		if err != nil {
			return err
		}
		one = &served{id: distribution, edge: cache, idle: func() {}}
		t.byID[distribution] = one
	} else if err := one.edge.SetConfig(want); err != nil {
		return err
	}
	one.idle() // of the origins before
	one.idle, one.enabled = idle, cfg.Enabled
	t.name(one, append([]string{t.opts.Domain(distribution)}, cfg.Aliases...))
	if t.opts.First != nil && t.opts.First(cfg) {
		t.first = one
	}
	t.route()
	return nil
}

// open makes a distribution's edge.
func (t *Tenants) open(distribution string, cfg control.DistributionConfig, want edge.Config) (*edge.Edge, error) {
	opts := t.opts.Edge(distribution, cfg)
	opts.MemoryBytes = t.opts.MemoryBytes // bounds one object; share bounds all
	if t.opts.Dir != "" {
		if !folderName.MatchString(distribution) {
			return nil, fmt.Errorf("name a folder for %q: %w", distribution, fs.ErrInvalid)
		}
		opts.Disk = edge.Disk{Dir: t.folder(distribution), Bytes: t.opts.DiskBytes}
	}
	if opts.Logger == nil {
		opts.Logger = t.opts.Logger
	}
	made, err := edge.New(want, opts)
	if err != nil && t.opts.Dir != "" && !errors.Is(err, edge.ErrConfig) {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return made, err
}

// folderName is what a distribution's folder may be called: ids are such.
var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// folder is a distribution's own below Options.Dir.
func (t *Tenants) folder(distribution string) string { return filepath.Join(t.opts.Dir, distribution) }

// warn says what of a configuration the edge does not carry out.
func (t *Tenants) warn(distribution string, cfg control.DistributionConfig) {
	for _, b := range append([]control.CacheBehavior{cfg.DefaultCacheBehavior}, cfg.CacheBehaviors...) {
		for _, f := range b.FunctionAssociations {
			if !isIndex(f) {
				t.opts.Logger.Warn("function is kept and not run", "distribution", distribution, "function", f.FunctionARN, "event", f.EventType)
			}
		}
	}
}

// Invalidate applies items where no log is followed; the next request of any viewer sees it.
func (t *Tenants) Invalidate(_ context.Context, distribution string, sequence uint64, items []string) error {
	one := t.Edge(distribution)
	if one == nil {
		return fmt.Errorf("invalidate %s: %w", distribution, ErrUnknown)
	}
	return one.Apply(sequence, items)
}

// InvalidateAt applies items at a position of the log that all edges follow: see edge.Edge.InvalidateAt.
func (t *Tenants) InvalidateAt(distribution string, position uint64, items []string) error {
	one := t.Edge(distribution)
	if one == nil {
		return fmt.Errorf("invalidate %s at %d: %w", distribution, position, ErrUnknown)
	}
	return one.InvalidateAt(position, items)
}

// ReplayAt is InvalidateAt for a position that was missed: see edge.Edge.ReplayAt.
func (t *Tenants) ReplayAt(distribution string, position uint64, items []string) error {
	one := t.Edge(distribution)
	if one == nil {
		return fmt.Errorf("invalidate %s at %d: %w", distribution, position, ErrUnknown)
	}
	return one.ReplayAt(position, items)
}

// Advance notes that the log was followed up to a position; what concerned a distribution has been applied to it before.
func (t *Tenants) Advance(position uint64) {
	for _, one := range t.all() {
		one.edge.Advance(position)
	}
}

// RevalidateAll has everything that is cached asked for before it serves again: see edge.Edge.RevalidateAll.
func (t *Tenants) RevalidateAll() error {
	var errs []error
	for _, one := range t.all() {
		errs = append(errs, one.edge.RevalidateAll())
	}
	return errors.Join(errs...)
}

// Remove ends a deleted distribution's edge, with all that it has on the disk. Repeating it is safe.
func (t *Tenants) Remove(distribution string) error {
	t.mu.Lock()
	one := t.byID[distribution]
	if one != nil {
		t.name(one, nil)
		delete(t.byID, distribution)
		if t.first == one {
			t.first = nil
		}
		t.route()
	}
	t.mu.Unlock()
	if one != nil {
		one.edge.Close() // waits for fills under way, so not under the lock
		one.idle()
		t.share()
	}
	if t.opts.Dir == "" || !folderName.MatchString(distribution) {
		return nil
	}
	if err := os.RemoveAll(t.folder(distribution)); err != nil {
		return fmt.Errorf("remove %s: %w", distribution, err)
	}
	return nil
}

// Edge is a distribution's; nil for one that is not configured.
func (t *Tenants) Edge(distribution string) *edge.Edge {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if one := t.byID[distribution]; one != nil {
		return one.edge
	}
	return nil
}

// all are the distributions of now, by id.
func (t *Tenants) all() []*served {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []*served
	for _, id := range slices.Sorted(maps.Keys(t.byID)) {
		all = append(all, t.byID[id])
	}
	return all
}

// Stats are the figures of each distribution's edge, by id.
func (t *Tenants) Stats() map[string]edge.Stats {
	stats := map[string]edge.Stats{}
	for _, one := range t.all() {
		stats[one.id] = one.edge.Stats()
	}
	return stats
}

// Positions are how far each distribution's edge has followed the log, by id; those of an earlier run whose folders wait for a configuration among them.
// 0 is one of which nothing is known. The error is a folder that cannot be read.
func (t *Tenants) Positions() (map[string]uint64, error) {
	positions, err := t.waiting()
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	for _, one := range t.all() {
		positions[one.id] = one.edge.Position()
	}
	return positions, nil
}

// waiting are the positions in the folders on disk.
func (t *Tenants) waiting() (map[string]uint64, error) {
	positions := map[string]uint64{}
	if t.opts.Dir == "" {
		return positions, nil
	}
	entries, err := os.ReadDir(t.opts.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		id := entry.Name()
		if !entry.IsDir() || !folderName.MatchString(id) || t.Edge(id) != nil {
			continue
		}
		ours, err := edge.IsDisk(t.folder(id))
		if err != nil {
			return nil, err
		}
		if !ours { // somebody else's, whatever the operator keeps beside
			continue
		}
		if positions[id], err = edge.StoredPosition(t.folder(id)); err != nil {
			return nil, err
		}
	}
	return positions, nil
}

// Tidy removes the folders of distributions that are not configured: they were deleted while nobody served them here. Folders that are no disk tier's are left alone.
func (t *Tenants) Tidy() error {
	left, err := t.waiting()
	if err != nil {
		return fmt.Errorf("tidy up: %w", err)
	}
	for id := range left {
		if t.Edge(id) != nil {
			continue
		}
		t.opts.Logger.Info("a distribution is gone, and what was cached of it", "distribution", id)
		if err := os.RemoveAll(t.folder(id)); err != nil {
			return fmt.Errorf("tidy up: %w", err)
		}
	}
	return nil
}

// Close ends all edges. Viewers of unfinished fills see an aborted response.
func (t *Tenants) Close() {
	t.closed.Do(func() { close(t.stop) })
	t.worker.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.byID {
		one.edge.Close()
		one.idle()
	}
}

// sharePause is the time between two divisions of the memory.
const sharePause = 5 * time.Second
