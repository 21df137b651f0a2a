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
	usage, err := pub.app.usage(ctx, pub.target)
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
