package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/freshet/freshet/internal/project/dev"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
)

// Every failure that has a cause of its own has its own hint, also where the
// error is several things at once.
func TestEveryCauseHasItsHint(t *testing.T) {
	rows := []struct {
		name string
		err  error
		code int
	}{
		{"interrupted", context.Canceled, exitFailed},
		{"not completed", deploy.ErrPending, exitPending},
		{"stale", deploy.ErrStale, exitStale},
		{"older", deploy.ErrOlder, exitOlder},
		{"locked", release.ErrLocked, exitBusy},
		{"lost", release.ErrLost, exitBusy},
		{"moved", release.ErrMoved, exitBusy},
		{"no conditions", errors.Join(release.ErrUnprotected, remote.ErrUnsupported), exitRefused},
		{"expired", errors.Join(remote.ErrExpired, remote.ErrCredentials), exitFailed},
		{"no credentials", remote.ErrCredentials, exitFailed},
		{"denied", remote.ErrDenied, exitFailed},
		{"clock", remote.ErrClock, exitFailed},
		{"region", errors.Join(remote.ErrRegion, remote.ErrNoBucket), exitFailed},
		{"no bucket", remote.ErrNoBucket, exitFailed},
		{"too much to watch", dev.ErrTooMany, exitFailed},
		{"overloaded", remote.ErrTemporary, exitFailed},
	}
	seen := map[string]string{}
	for _, row := range rows {
		f := classify(fmt.Errorf("upload a.html: %w", row.err))
		if f.code != row.code || f.hint == "" {
			t.Errorf("%s: exit code %d with the hint %q, want %d and a hint", row.name, f.code, f.hint, row.code)
		}
		if other, ok := seen[f.hint]; ok && row.name != "moved" {
			t.Errorf("%s has the hint of %s: %q", row.name, other, f.hint)
		}
		seen[f.hint] = row.name
	}
}
