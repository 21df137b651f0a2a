package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// The wall clock jumps while a run is under way, because the machine was
// suspended or because somebody set it: the lock is renewed before anything else
// is written, and where somebody has taken it over nothing else is written.
func TestTheClockJumps(t *testing.T) {
	s := newStory(t)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		for _, taken := range []bool{false, true} {
			t.Run(fmt.Sprintf("by %s, taken over: %v", by, taken), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					r.opts.Jobs = 1
					var offset atomic.Int64
					r.opts.Lock.Wall = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
					r.setHook(func(op, key string) memory.Fault {
						if op == memory.OpPut && key == "main.css" && offset.Swap(int64(by)) == 0 && taken {
							r.setLock(anns())
						}
						return memory.Fault{}
					})
					_, err := r.do(s.same)
					calls := changes(r.calls())
					calls = calls[slices.Index(calls, "put main.css")+1:]
					if calls[0] != "put RECORD/lock.json" {
						t.Errorf("after the jump it did %q", calls)
					}
					r.setHook(nil)
					if !taken && err != nil {
						t.Fatal(err)
					}
					if taken && (!errors.Is(err, release.ErrLost) || len(calls) != 1) {
						t.Errorf("deploy: %v, after it did %q", err, calls)
					}
					if taken {
						r.mustDo(s.same)
					}
					r.whole(after(), s.keys)
				})
			})
		}
	}
}

// Credentials run out in mid-run: it stops and says so, and a run with new ones
// finishes, once the lock that could not be given back has lapsed.
func TestCredentialsExpire(t *testing.T) {
	s := newStory(t)
	expired := fmt.Errorf("%w: %w", remote.ErrExpired, remote.ErrCredentials)
	for n := 1; ; n += 3 {
		k := &striker{n: n, keys: s.keys}
		synctest.Test(t, func(t *testing.T) {
			r := s.rig(t)
			r.opts.Lock.Gone = nil
			k.r, k.reader = r, r.reader(s.keys)
			r.setHook(func(op, key string) memory.Fault {
				_ = k.hook(op, key)
				if k.struck() {
					return memory.FailBefore(expired)
				}
				return memory.Fault{}
			})
			start := time.Now()
			res, err := r.do(s.same)
			if took := time.Since(start); k.struck() && (!errors.Is(err, remote.ErrExpired) && len(res.Warnings) == 0 || took > time.Minute) {
				t.Errorf("struck at %s, after %s it says %v", k.at, took, err)
			}
			r.setHook(nil)
			r.mustDo(s.same)
			r.whole(after(), s.keys)
		})
		if !k.struck() {
			return
		}
	}
}

// A store that ignores or refuses conditions is found out before anything is
// written but the probe and, where there is a record already, the lock. Without
// the lock it can be published to all the same.
func TestStoreWithoutConditions(t *testing.T) {
	s := newStory(t)
	for name, conditions := range map[string]memory.Conditions{"ignored": memory.IgnoreConditions, "refused": memory.RefuseConditions} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first deploy: %v", name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					if first {
						r = newRig(t)
					}
					r.store.SetConditions(conditions)
					before := r.store.Objects()
					_, err := r.do(s.same)
					if !errors.Is(err, remote.ErrUnsupported) || !strings.Contains(err.Error(), "nothing keeps two deploys apart") {
						t.Errorf("deploy: %v, want ErrUnsupported", err)
					}
					now := r.store.Objects()
					maps.DeleteFunc(now, func(k site.Key, o memory.Object) bool {
						return k.Base() == "lock.json" || before[k].Digest == o.Digest && before[k].Headers == o.Headers
					})
					if len(now) > 0 || r.locked() {
						t.Errorf("it wrote %v; locked: %v", slices.Collect(maps.Keys(now)), r.locked())
					}
					r.noLock = true
					r.calls()
					r.mustDo(s.same)
					if slices.Contains(r.calls(), "put RECORD/lock.json") {
						t.Error("without the lock it writes the lock")
					}
					r.publishedWithoutLock(s, first)
				})
			})
		}
	}
}

func (r *rig) publishedWithoutLock(s *story, first bool) {
	r.t.Helper()
	others := foreign
	if first {
		others = nil
	}
	r.published(after(), others)
	r.idle(s.same)
	r.mustDo(s.third)
	r.published(third(), others)
	if stale := r.edge.stale(s.keys...); len(stale) > 0 {
		r.t.Errorf("stale: %v", stale)
	}
}

// A store that shows a few objects at a time is listed whole.
func TestShortPages(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		old := r.store
		r.store = memory.NewStore(memory.StoreOptions{ShortPages: true, Hook: r.called})
		r.edge.store = r.store
		for k, o := range old.Objects() {
			r.store.Set(k, o.Data, o.Headers)
		}
		for _, a := range []act{s.sweep, s.same, s.rollback, s.third} {
			r.mustDo(a)
			r.whole(a.want, s.keys)
			r.idle(a)
		}
	})
}

// forgetful is a store whose listings lack some objects that are there.
type forgetful struct {
	*memory.Store
	lacks func(site.Key) bool
}

func (f forgetful) List(ctx context.Context, prefix, after string, page func([]remote.Info) error) error {
	return f.Store.List(ctx, prefix, after, func(infos []remote.Info) error {
		return page(slices.DeleteFunc(infos, func(i remote.Info) bool { return f.lacks(i.Key) }))
	})
}

// A listing lacks an object that is there. Nothing that is foreign or live is
// lost, the site is whole at the end and no page breaks, and after a run that
// sees everything nothing but what freshet has lost sight of is left over.
func TestListingThatLacksObjects(t *testing.T) {
	s := newStory(t)
	for _, k := range s.keys {
		for _, a := range []act{s.same, s.old, s.rollback, s.sweep} {
			t.Run(fmt.Sprintf("%s in %s", k, a.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					r.setHook((&striker{r: r, keys: s.keys, reader: r.reader(s.keys)}).hook)
					if _, err := r.doBy(forgetful{r.store, func(l site.Key) bool { return l == k }}, a); err != nil {
						t.Fatal(err)
					}
					r.mustDo(a)
					r.setHook(nil)
					objects := r.store.Objects()
					for name, body := range a.want {
						if string(objects[name].Data) != body {
							t.Errorf("%s holds %q", name, objects[name].Data)
						}
					}
					for name, body := range foreign {
						if string(objects[name].Data) != body {
							t.Errorf("the foreign object %s holds %q", name, objects[name].Data)
						}
					}
					r.whole(a.want, s.keys)
				})
			})
		}
	}
}

// late is a way to the store on which answers of a kind take their time.
type late struct {
	*memory.Store
	get, list time.Duration
}

func (l late) Get(ctx context.Context, k site.Key) ([]byte, string, error) {
	time.Sleep(l.get)
	return l.Store.Get(ctx, k)
}

func (l late) List(ctx context.Context, prefix, after string, page func([]remote.Info) error) error {
	time.Sleep(l.list)
	return l.Store.List(ctx, prefix, after, page)
}

// Another run publishes between this run's requests for the record and for the
// listing: what it sees is of one time, or it looks again.
func TestPublishedWhileLooking(t *testing.T) {
	s := newStory(t)
	other := deployOf("another", versionOf(t, with(before(), "gone/index.html", "changed <old.css>", "third.html", "third <t.css>", "t.css", "t")))
	for name, slow := range map[string]late{"the record is late": {get: 10 * time.Second}, "the listing is late": {list: 15 * time.Second}, "both": {get: 5 * time.Second, list: 5 * time.Second}} {
		for begins := range 12 {
			t.Run(fmt.Sprintf("%s, the other after %d s", name, begins*2), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					slow.Store, r.opts.Lock.Gone = r.store, nil
					done := make(chan error, 1)
					go func() { _, err := r.doBy(slow, s.same); done <- err }()
					time.Sleep(time.Duration(begins)*2*time.Second + time.Second)
					want, res := after(), r.mustDo(other)
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					if r.state().LiveID() == res.Release { // it came last
						want = other.want
					}
					r.whole(want, append(s.keys, "t.css"))
				})
			})
		}
	}
}
