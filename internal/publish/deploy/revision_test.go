package deploy_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// commit is the n-th revision of a branch.
func commit(n int, branch string) *release.Revision {
	return &release.Revision{Name: string(rune('a' + n)), Branch: branch, Time: time.Unix(int64(1e9+n), 0).UTC()}
}

// The newest revision of a branch wins, whenever its deploy comes.
func TestNewestWins(t *testing.T) {
	s := newStory(t)
	rows := []struct {
		name       string
		live, mine *release.Revision
		site       act
		older      bool
		changed    bool
		noted      bool
		then       *release.Revision // what is live afterwards
	}{
		{"an older one", commit(2, "main"), commit(1, "main"), s.third, true, false, false, commit(2, "main")},
		{"an older one of the same site", commit(2, "main"), commit(1, "main"), s.same, true, false, false, commit(2, "main")},
		{"a newer one", commit(1, "main"), commit(2, "main"), s.third, false, true, false, commit(2, "main")},
		{"the same one", commit(1, "main"), commit(1, "main"), s.third, false, true, false, commit(1, "main")},
		{"an older one of another branch", commit(2, "main"), commit(1, "fix"), s.third, false, true, false, commit(1, "fix")},
		{"nobody knows which", commit(2, "main"), nil, s.third, false, true, false, commit(2, "main")},
		{"the first that is known", nil, commit(1, "main"), s.third, false, true, false, commit(1, "main")},
		{"a newer one of the same site", commit(1, "main"), commit(2, "main"), s.same, false, false, true, commit(2, "main")},
		{"the same one of the same site", commit(1, "main"), commit(1, "main"), s.same, false, false, false, commit(1, "main")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				first := r.mustDo(s.same.from(row.live))
				batches := len(r.invalidated())
				r.calls()
				res, err := r.do(row.site.from(row.mine))
				if errors.Is(err, deploy.ErrOlder) != row.older || err != nil && !row.older {
					t.Fatalf("deploy: %v, want ErrOlder: %v", err, row.older)
				}
				if got := changes(r.calls()); row.older && len(got) > 0 {
					t.Errorf("it did %q", got)
				}
				if res.Changed != row.changed || res.Noted != row.noted || row.noted && (res.Release != first.Release || len(r.invalidated()) != batches) {
					t.Errorf("result %+v", res)
				}
				now := r.state()
				if diff := cmp.Diff(now.Current.Revision, row.then); diff != "" || now.Lock != nil {
					t.Errorf("lock %+v, revision (-got +want):\n%s", now.Lock, diff)
				}
				if row.noted {
					if _, err := r.do(s.third.from(row.live)); !errors.Is(err, deploy.ErrOlder) {
						t.Errorf("what is older than the noted revision: %v, want ErrOlder", err)
					}
				}
			})
		})
	}
}

// Noting a revision is cut off at any call: the next run notes it.
func TestKilledWhileNoting(t *testing.T) {
	s := newStory(t)
	for n, struck := 1, true; struck; n++ {
		synctest.Test(t, func(t *testing.T) {
			r := s.rig(t)
			r.mustDo(s.same.from(commit(1, "main")))
			k := &striker{r: r, n: n, strike: strikes[4+n%2], keys: s.keys, reader: r.reader(s.keys)}
			r.setHook(k.hook)
			_, _ = r.do(s.same.from(commit(2, "main")))
			struck = k.struck()
			r.setHook(nil)
			r.mustDo(s.same.from(commit(2, "main")))
			if got := r.state().Current.Revision; got.Name != commit(2, "main").Name {
				t.Errorf("killed at %s, revision %+v", k.at, got)
			}
			r.whole(after(), s.keys)
			r.idle(s.same.from(commit(2, "main")))
		})
	}
}

// A deploy that waits for the lock finds that the one before it was newer, and
// one that finishes an interrupted run is not held up by what that run wanted.
func TestOlderAfterWaiting(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		started := make(chan struct{})
		r.setHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && key == "main.css" {
				close(started)
				return memory.Delay(20 * time.Second)
			}
			return memory.Fault{}
		})
		r.opts.Lock.Gone = nil
		done := make(chan error)
		go func() { _, err := r.do(s.same.from(commit(2, "main"))); done <- err }()
		<-started
		r.setHook(nil)
		_, err := r.do(s.third.from(commit(1, "main")))
		if first := <-done; first != nil || !errors.Is(err, deploy.ErrOlder) {
			t.Errorf("the newer one: %v, the older one: %v, want ErrOlder", first, err)
		}
		r.whole(after(), s.keys)
	})
}
