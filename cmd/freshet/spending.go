package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/plan"
)

// spending is what the config allows on a target. In the embedded cloud paths
// cost nothing.
func spending(p project, t *target) plan.Spending {
	return plan.Spending{
		Policy: invalidation.Policy(p.Invalidation.Policy), Limits: t.limits, Free: t.embedded,
		Budget: p.Invalidation.Budget, Refuse: p.Invalidation.Over == config.OverRefuse,
	}
}

// count asks what the account has used of the month.
func (pub *publication) count(ctx context.Context, s *plan.Spending) error {
	usage, err := pub.counted(ctx)
	if err != nil {
		return err
	}
	s.Used, pub.ledger = usage.Used, usage.Note
	if !usage.Whole {
		// What this target's own releases have taken is known in any case.
		s.Used = max(s.Used, pub.live.State.Current.PathsIn(pub.app.now()))
	}
	return nil
}

// counting is a count of the month that was begun before a plan says whether it
// is needed.
type counting struct {
	stop  context.CancelFunc
	done  chan struct{} // closed when what follows is set
	usage ledger.Usage
	err   error
}

// countEarly begins to count, for a site of which is known that it is not what is
// live: the answers are there when the bucket has been listed. Whoever has the
// publication closes it.
func (pub *publication) countEarly(ctx context.Context) {
	if pub.counting != nil || len(pub.target.distributions) == 0 || pub.target.embedded {
		return
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &counting{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.usage, c.err = pub.app.usage(ctx, pub.target)
	}()
	pub.counting = c
}

// counted is the count that was begun, or a new one. The next plan has its own.
func (pub *publication) counted(ctx context.Context) (ledger.Usage, error) {
	c := pub.counting
	if c == nil {
		return pub.app.usage(ctx, pub.target)
	}
	select {
	case <-c.done:
		pub.counting = nil
		c.stop()
		return c.usage, c.err
	case <-ctx.Done():
		return ledger.Usage{}, ctx.Err()
	}
}

// end breaks off a count that nobody needs; c may be nil.
func (c *counting) end() {
	if c != nil {
		c.stop()
		<-c.done
	}
}

// usage counts the invalidation paths of this month. What was counted once is
// remembered in the user's cache folder, apart for each control API.
func (a *app) usage(ctx context.Context, t *target) (ledger.Usage, error) {
	var ids []string
	for _, d := range t.distributions {
		ids = append(ids, d.ID)
	}
	file := ""
	if dir, err := os.UserCacheDir(); err == nil {
		file = filepath.Join(dir, "freshet", fmt.Sprintf("ledger-%x.json", sha256.Sum256([]byte(t.endpoint)))[:23]+".json")
	}
	return ledger.Count(ctx, t.cdn, ids, a.now().UTC(), file)
}
