package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

var (
	_ remote.Configurator = (*CDN)(nil)
	_ remote.Examinable   = (*Store)(nil)
)

// SetSettings sets how a distribution is set up beyond what SetDistribution
// says. Without it, all its behaviors compress and cache as CachingOptimized
// does, and all its origins' requests are signed. Version is ignored.
func (c *CDN) SetSettings(id string, s remote.Settings) {
	c.state.Lock()
	defer c.state.Unlock()
	c.settings[id] = clonedSettings(s)
}

// Settings implements remote.Configurator.
func (c *CDN) Settings(ctx context.Context, id string) (remote.Settings, error) {
	f, err := c.begin(ctx, Call{Op: OpSettings, Key: id})
	if err != nil {
		return remote.Settings{}, fmt.Errorf("read the settings of %s: %w", id, err)
	}
	c.state.Lock()
	defer c.state.Unlock()
	if c.index(id) < 0 {
		return remote.Settings{}, fmt.Errorf("read the settings of %s: %w", id, remote.ErrNotFound)
	}
	return c.settingsOf(id), f.after
}

// settingsOf needs state to be held and the distribution to be there.
func (c *CDN) settingsOf(id string) remote.Settings {
	d := c.distributions[c.index(id)]
	out, ok := c.settings[id]
	if !ok {
		for _, o := range d.Origins {
			out.Origins = append(out.Origins, remote.OriginSettings{ID: o.ID, Signing: remote.SigningAlways})
		}
		for _, b := range d.Behaviors {
			out.Behaviors = append(out.Behaviors, remote.BehaviorSettings{Pattern: b.Pattern, Compress: true, Caching: &remote.Caching{
				Name: "CachingOptimized", Min: time.Second, Default: 24 * time.Hour, Max: 365 * 24 * time.Hour, Gzip: true, Brotli: true,
			}})
		}
	}
	out = clonedSettings(out)
	out.Version = "V" + strconv.Itoa(c.versions[id])
	return out
}

func clonedSettings(s remote.Settings) remote.Settings {
	s.Origins, s.Behaviors = slices.Clone(s.Origins), slices.Clone(s.Behaviors)
	for i, b := range s.Behaviors {
		if b.Caching != nil {
			one := *b.Caching
			s.Behaviors[i].Caching = &one
		}
	}
	return s
}

// Propose implements remote.Configurator.
func (c *CDN) Propose(ctx context.Context, id string, change remote.Change) (remote.Proposal, error) {
	f, err := c.begin(ctx, Call{Op: OpPropose, Key: id})
	if err != nil {
		return remote.Proposal{}, fmt.Errorf("change %s: %w", id, err)
	}
	c.state.Lock()
	defer c.state.Unlock()
	if c.index(id) < 0 {
		return remote.Proposal{}, fmt.Errorf("change %s: %w", id, remote.ErrNotFound)
	}
	_, s, lines := c.changed(id, change)
	return remote.Proposal{Distribution: id, Version: s.Version, Change: change, Lines: lines}, f.after
}

// Apply implements remote.Configurator.
func (c *CDN) Apply(ctx context.Context, p remote.Proposal) error {
	f, err := c.begin(ctx, Call{Op: OpApply, Key: p.Distribution})
	if err != nil {
		return fmt.Errorf("change %s: %w", p.Distribution, err)
	}
	c.state.Lock()
	defer c.state.Unlock()
	i := c.index(p.Distribution)
	if i < 0 {
		return fmt.Errorf("change %s: %w", p.Distribution, remote.ErrNotFound)
	}
	d, s, _ := c.changed(p.Distribution, p.Change)
	if s.Version != p.Version {
		return fmt.Errorf("change %s: %w", p.Distribution, remote.ErrPrecondition)
	}
	c.distributions[i], c.settings[p.Distribution] = d, s
	c.versions[p.Distribution]++
	return f.after
}

// changed is a distribution after a change, and what differs. It needs state to
// be held and the distribution to be there.
func (c *CDN) changed(id string, change remote.Change) (remote.Distribution, remote.Settings, []remote.SettingChange) {
	d, s := cloned(c.distributions[c.index(id)]), c.settingsOf(id)
	var lines []remote.SettingChange
	note := func(setting, before, after string) {
		if before != after {
			lines = append(lines, remote.SettingChange{Setting: setting, Old: before, New: after})
		}
	}
	if change.RootObject != "" {
		note("DefaultRootObject", d.DefaultRootObject, change.RootObject)
		d.DefaultRootObject = change.RootObject
	}
	for i, b := range s.Behaviors {
		if slices.Contains(change.Compress, b.Pattern) {
			note(b.Pattern+" compress", strconv.FormatBool(b.Compress), "true")
			s.Behaviors[i].Compress = true
		}
	}
	for _, page := range change.Errors {
		at := slices.IndexFunc(d.ErrorPages, func(p remote.ErrorPage) bool { return p.Status == page.Status })
		if at < 0 {
			at = len(d.ErrorPages)
			d.ErrorPages = append(d.ErrorPages, remote.ErrorPage{})
		}
		note(fmt.Sprint("error ", page.Status), fmt.Sprint(d.ErrorPages[at]), fmt.Sprint(page))
		d.ErrorPages[at] = page
	}
	return d, s, lines
}

// Keys implements remote.Examinable. A store in memory needs none.
func (s *Store) Keys(context.Context) (remote.Keys, error) {
	return remote.Keys{ID: "none", Source: "memory"}, nil
}

// SetBucket sets what Bucket says, but for the name. Without it nobody can read
// or list the store.
func (s *Store) SetBucket(b remote.Bucket) {
	s.state.Lock()
	defer s.state.Unlock()
	s.bucket = &b
}

// Bucket implements remote.Examinable.
func (s *Store) Bucket(ctx context.Context, _ site.Key) (remote.Bucket, error) {
	f, err := s.begin(ctx, Call{Op: OpBucket})
	if err != nil {
		return remote.Bucket{}, fmt.Errorf("look at the bucket %s: %w", s.name, err)
	}
	s.state.Lock()
	defer s.state.Unlock()
	b := remote.Bucket{Readable: remote.No, Listable: remote.No, Blocked: remote.Yes}
	if s.bucket != nil {
		b = *s.bucket
	}
	b.Name = s.name
	return b, f.after
}
