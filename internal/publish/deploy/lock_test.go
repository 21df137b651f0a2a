package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// lockKey is where the lock lies.
func (r *rig) lockKey() site.Key {
	for k := range r.store.Objects() {
		if k.IsState() && k.Base() == "lock.json" {
			return k
		}
	}
	r.t.Fatal("there is no lock")
	return ""
}

// setLock puts a lock there, as whoever took it over.
func (r *rig) setLock(l release.Lock) {
	data, err := json.Marshal(l)
	if err != nil {
		r.t.Error(err)
	}
	r.store.Set(r.lockKey(), data, site.Headers{})
}

func anns() release.Lock {
	return release.Lock{Version: 1, Holder: strings.Repeat("ab", 16), Writer: "ann@desk", Sequence: 1, Since: time.Now(), LeaseMS: 30_000}
}

// asked notes how often a plan is shown.
type asked struct {
	again []bool
	bases []release.ID
}

func (a *asked) approve(p plan.Plan, again bool) error {
	a.again, a.bases = append(a.again, again), append(a.bases, p.Base)
	return nil
}

// A deploy that finds the lock held waits, says for whom, and plans anew: what
// the other one has published meanwhile is not published again, and not undone
// by an old plan.
func TestWaitingForTheLock(t *testing.T) {
	s := newStory(t)
	rows := []struct {
		name  string
		other func(*rig) // who has the lock, and begins before
		took  time.Duration
		moved bool // the second plan is on top of another release
	}{
		{"the other one publishes", func(r *rig) {
			r.setHook(func(op, key string) memory.Fault {
				if op == memory.OpPut && key == "third.html" {
					return memory.Delay(20 * time.Second)
				}
				return memory.Fault{}
			})
			opts := r.opts
			r.opts.Lock.Writer, r.opts.Events = "ann@desk", nil
			m, err := r.connect(r.t.Context(), s.third.site)
			if err != nil {
				r.t.Error(err)
			}
			r.opts = opts
			go func() {
				if _, err := m.engine.Publish(r.t.Context(), s.third.job(m)); err != nil {
					r.t.Error(err)
				}
			}()
			synctest.Wait() // it is putting third.html
		}, 20 * time.Second, true},
		{"the other one does nothing", func(r *rig) {
			r.setLock(anns())
			time.AfterFunc(20*time.Second, func() { free := anns(); free.Free = true; r.setLock(free) })
		}, 20 * time.Second, false},
		{"the other one is dead", func(r *rig) { r.setLock(anns()) }, 30 * time.Second, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.opts.Lock.Gone = nil
				var notes []string
				r.opts.Events = func(e deploy.Event) {
					if e.Stage == deploy.StageLock {
						notes = append(notes, e.Note)
					}
				}
				row.other(r)
				var a asked
				start := time.Now()
				r.mustDo(s.same.asking(a.approve))
				if took := time.Since(start); took < row.took || took > row.took+4*time.Second {
					t.Errorf("it took %s, want %s", took, row.took)
				}
				if diff := cmp.Diff(a.again, []bool{false, true}); diff != "" {
					t.Errorf("the plan was shown (-got +want):\n%s", diff)
				}
				if moved := len(a.bases) == 2 && a.bases[0] != a.bases[1]; moved != row.moved {
					t.Errorf("the plans are on top of %q", a.bases)
				}
				if len(notes) < 10 || !strings.Contains(notes[0], "ann@desk") {
					t.Errorf("notes: %q", notes)
				}
				r.setHook(nil)
				r.whole(after(), s.keys)
			})
		})
	}
}

// Nobody waits longer than was asked for, and then nothing has happened.
func TestTheLockIsHeldForTooLong(t *testing.T) {
	s := newStory(t)
	for _, timeout := range []time.Duration{0, 20 * time.Second} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.opts.Lock.Gone, r.opts.Lock.Timeout = nil, timeout
				r.setLock(anns())
				start := time.Now()
				_, err := r.do(s.same)
				if took := time.Since(start); !errors.Is(err, release.ErrLocked) || took < timeout || took > timeout+2*time.Second {
					t.Errorf("after %s: %v, want ErrLocked after %s", took, err, timeout)
				}
				if got := changes(r.calls()); len(got) > 0 || r.lock().Holder != anns().Holder {
					t.Errorf("it did %q", got)
				}
			})
		})
	}
}

// A plan that is refused when it is shown anew ends the run, with the lock free.
func TestTheNewPlanIsRefused(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		r.setLock(anns())
		no := errors.New("no")
		_, err := r.do(s.same.asking(func(_ plan.Plan, again bool) error {
			if again {
				return no
			}
			return nil
		}))
		if !errors.Is(err, no) || r.locked() {
			t.Errorf("deploy: %v, locked: %v", err, r.locked())
		}
		r.published(before(), foreign)
	})
}

// Another run publishes, from beginning to end, between the look and the lock:
// the plan is made anew, also on a store where nobody takes a lock.
func TestPublishedBeforeTheLock(t *testing.T) {
	s := newStory(t)
	for _, noLock := range []bool{false, true} {
		t.Run(fmt.Sprint("without a lock: ", noLock), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.noLock = noLock
				var a asked
				res := r.mustDo(s.same.asking(func(p plan.Plan, again bool) error {
					if !again {
						r.mustDo(s.third)
					}
					return a.approve(p, again)
				}))
				if len(a.bases) != 2 || a.bases[0] == a.bases[1] || !res.Changed {
					t.Errorf("the plans are on top of %q", a.bases)
				}
				r.whole(after(), s.keys)
			})
		})
	}
}

// A release that is live is no failure because the lock could not be given back
// or the journal could not be closed: the next run goes on from there.
func TestTheEndIsRefused(t *testing.T) {
	s := newStory(t)
	for _, file := range []string{"lock.json", "journal.json"} {
		t.Run(file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				var live atomic.Bool
				r.setHook(func(op, key string) memory.Fault {
					if op == memory.OpPut && strings.HasSuffix(key, "/"+file) && live.Load() {
						return memory.FailBefore(remote.ErrDenied)
					}
					live.CompareAndSwap(false, op == memory.OpPut && strings.HasSuffix(key, "/current.json"))
					return memory.Fault{}
				})
				res := r.mustDo(s.same)
				if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], remote.ErrDenied.Error()) || !res.Changed {
					t.Errorf("result %+v, want a warning", res)
				}
				r.setHook(nil)
				if again := r.mustDo(s.same); again.Changed {
					t.Errorf("the next run does %+v", again)
				}
				r.whole(after(), s.keys)
				r.idle(s.same)
				r.mustDo(s.third)
				r.whole(third(), s.keys)
			})
		})
	}
}

// takeover is a run whose lock somebody takes while it puts an object, which
// takes longer than its checks are content with.
type takeover struct {
	*rig
	at     string // the call at which it happens, and how its key ends
	strike func()
	taken  int // calls until then
	done   bool
}

func (o *takeover) hook(op, key string) memory.Fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	wantOp, suffix, _ := strings.Cut(o.at, " ")
	if o.done || op != wantOp || !strings.HasSuffix(key, suffix) {
		return memory.Fault{}
	}
	o.done, o.taken = true, len(o.log)
	o.strike()
	return memory.Delay(11 * time.Second) // more than a third of a lease
}

// A run that loses the lock stops before its next write. What it has begun
// stays in the journal, and the next run finishes it.
func TestTheLockIsLost(t *testing.T) {
	s := newStory(t)
	for _, at := range []string{"put app.77ab01cd.js", "put main.css", "put new/index.html", "put feed.xml", "delete ", "put .json.zst", "invalidation I0000000000001"} {
		for _, how := range []string{"taken over", "deleted"} {
			t.Run(at+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					r.opts.Jobs = 1
					base := r.state().LiveID()
					o := &takeover{rig: r, at: at, strike: func() { r.setLock(anns()) }}
					if how == "deleted" {
						o.strike = func() { r.store.Remove(r.lockKey()) }
					}
					r.setHook(o.hook)
					_, err := r.do(s.same)
					if !errors.Is(err, release.ErrLost) || !o.done {
						t.Fatalf("deploy: %v, want ErrLost", err)
					}
					r.mu.Lock()
					r.log = r.log[o.taken:]
					r.mu.Unlock()
					for _, c := range changes(r.calls()) {
						if c == "invalidate" && at == "put .json.zst" {
							continue // had begun when the lock was lost
						}
						if c != "put RECORD/lock.json" && c != "put RECORD/journal.json" && !strings.HasPrefix(c, "delete key") {
							t.Errorf("after the lock was lost it did %q", c)
						}
					}
					r.setHook(nil)
					now := r.state()
					if now.Journal == nil || now.LiveID() != base {
						t.Errorf("live is %s, the journal is %+v", now.LiveID(), now.Journal)
					}
					if how == "taken over" && r.lock().Holder != anns().Holder {
						t.Errorf("it gave somebody else's lock back: %+v", r.lock())
					}
					r.mustDo(s.same)
					r.whole(after(), s.keys)
				})
			})
		}
	}
}

// Renewing fails while a request is under way that takes its time: it is broken
// off before anybody else can have the lock. If nobody has taken it when it can
// be renewed again, the request is made once more.
func TestARequestThatHangs(t *testing.T) {
	s := newStory(t)
	for _, taken := range []bool{false, true} {
		for _, at := range []string{"put /journal.json", "put main.css", "copy same.html", "delete ", "put .json.zst", "put /current.json"} {
			t.Run(fmt.Sprintf("%s, taken over: %v", at, taken), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					r.opts.Jobs, r.opts.Wait = 1, 10*time.Minute
					h := &hanging{rig: r, at: at}
					r.setHook(h.hook)
					if taken {
						h.strike = func() { time.AfterFunc(lease, h.takeOver) }
					}
					_, err := r.do(s.same)
					if taken != errors.Is(err, release.ErrLost) || !taken && err != nil {
						t.Fatalf("deploy: %v", err)
					}
					if h.sent == 0 || taken == (h.sent > 1) {
						t.Errorf("%s was sent %d times", at, h.sent)
					}
					r.setHook(nil)
					if taken {
						if diff := cmp.Diff(r.store.Objects(), h.before); diff != "" {
							t.Errorf("something has changed after another run had the lock (-got +want):\n%s", diff)
						}
						r.mustDo(s.same)
					}
					r.whole(after(), s.keys)
				})
			})
		}
	}
}

const lease = 30 * time.Second

// hanging makes the first call of a kind take longer than a lease, and renewals
// of the lock fail meanwhile.
type hanging struct {
	*rig
	at     string // the call, and how its key ends
	strike func() // when it hangs; nil for nothing
	sent   int    // how often it was made
	cut    time.Time
	before map[site.Key]memory.Object // what was there when somebody else had the lock
}

func (h *hanging) takeOver() {
	h.setLock(anns())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = h.store.Objects()
}

func (h *hanging) hook(op, key string) memory.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	wantOp, suffix, _ := strings.Cut(h.at, " ")
	if op == wantOp && strings.HasSuffix(key, suffix) {
		if h.sent++; h.sent == 1 {
			h.cut = time.Now()
			if h.strike != nil {
				h.strike()
			}
			return memory.Delay(lease + 5*time.Second)
		}
	}
	if !h.cut.IsZero() && time.Since(h.cut) < 2*lease && strings.HasSuffix(key, "/lock.json") {
		return memory.FailBefore(remote.ErrTemporary)
	}
	return memory.Fault{}
}
