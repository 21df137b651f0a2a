package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

var errKilled, errBroken = errors.New("killed"), errors.New("broken for good")

// strike is what happens to a run at one of its calls.
type strike struct {
	name  string
	fault memory.Fault
	// err is what the call says: errKilled, after which every call fails without
	// effect, also the unlocking; errBroken, which ends the run; or
	// remote.ErrTemporary, which it must get over.
	err error
}

var strikes = []strike{
	{"fails for the moment", memory.FailBefore(remote.ErrTemporary), remote.ErrTemporary},
	{"answer lost", memory.FailAfter(remote.ErrTemporary), remote.ErrTemporary},
	{"fails for good", memory.FailBefore(errBroken), errBroken},
	{"takes effect and fails", memory.FailAfter(errBroken), errBroken},
	{"killed before", memory.FailBefore(errKilled), errKilled},
	{"killed after", memory.FailAfter(errKilled), errKilled},
}

// striker watches the calls of a run and strikes at the n-th; 0 strikes never.
// Before each call, viewers ask for every URL and a reader follows every link.
// Questions to the edge are no calls: they
// change nothing, and a run that is killed at one is killed before the next call.
type striker struct {
	r      *rig
	n      int
	strike strike
	keys   []site.Key
	reader *edge

	mu    sync.Mutex // held for one call, so that calls are counted in order
	calls int
	at    string // what the n-th call was
	held  bool   // the lock was held when it was made
}

func (s *striker) hook(op, key string) memory.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look(op, key)
	s.calls++
	switch {
	case s.calls == s.n:
		s.at, s.held = op+" "+key, s.r.locked()
		return s.strike.fault
	case s.n > 0 && s.calls > s.n && s.strike.err == errKilled:
		return memory.FailBefore(errKilled)
	}
	return memory.Fault{}
}

func (s *striker) look(op, key string) {
	s.r.edge.browse(s.keys...)
	if why := s.reader.broken(s.keys...); why != "" {
		s.r.t.Errorf("before call %d (%s %s), a page is broken: %s", s.calls, op, key, why)
	}
}

// struck reports whether the run came as far as the n-th call.
func (s *striker) struck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls >= s.n
}

// opening reports whether it was struck before there was an engine: opening
// the record is repeated by whoever does it.
func (s *striker) opening() bool {
	return strings.HasPrefix(s.at, memory.OpDirs+" ") || s.at == memory.OpGet+" .freshet-claim"
}

// locked reports whether somebody holds the lock.
func (r *rig) locked() bool {
	for k, o := range r.store.Objects() {
		if k.IsState() && k.Base() == "lock.json" {
			var l release.Lock
			return json.Unmarshal(o.Data, &l) == nil && !l.Free
		}
	}
	return false
}

// matrix is what is struck and what is done then.
type matrix struct {
	*story
	victim act
	nexts  []act // the victim again first
	least  int   // calls that the victim makes
}

// TestCrashMatrix strikes a deploy, a rollback and a sweep at each of their
// calls. Then somebody gives the same command again, or another one, on the same
// machine, which knows at once that a killed run is dead, or on another one,
// which has to watch its lease run out. In the end everything is as if nothing
// had happened.
func TestCrashMatrix(t *testing.T) {
	s := newStory(t)
	for _, m := range []matrix{
		{s, s.same, []act{s.same, s.old, s.third}, 40},
		{s, s.rollback, []act{s.rollback, s.third}, 35},
		{s, s.sweep, []act{s.sweep, s.old, s.third}, 20},
	} {
		t.Run(m.victim.name, func(t *testing.T) {
			for _, strike := range strikes {
				if strike.err != errKilled {
					m.row(t, strike, "anything", false)
					continue
				}
				for _, next := range m.nexts {
					m.row(t, strike, next.name, false, next)
					m.row(t, strike, next.name, true, next)
				}
			}
		})
	}
}

// row strikes at each call in turn, until there is none; at some of them where
// time is short, and where the race detector takes all of it: the races are
// TestDeploysAtOnce's to find. nexts are done by turns; without any it is what
// the matrix has, or, where the run must succeed, the same again.
func (m matrix) row(t *testing.T, strike strike, then string, elsewhere bool, nexts ...act) {
	if len(nexts) == 0 {
		nexts = m.nexts
	}
	if strike.err == remote.ErrTemporary {
		nexts = m.nexts[:1]
	}
	step := 1
	if testing.Short() || underRaceDetector {
		step = 6
	}
	t.Run(fmt.Sprintf("%s, then %s, elsewhere %v", strike.name, then, elsewhere), func(t *testing.T) {
		t.Parallel()
		for n := 1; ; n += step {
			struck := false
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { struck = m.strikeAt(t, n, strike, nexts[n/step%len(nexts)], elsewhere) })
			})
			if !struck && n <= m.least {
				t.Errorf("%s is only %d calls", m.victim.name, n-1)
			}
			if !struck {
				return
			}
		}
	})
}

// strikeAt reports whether there was an n-th call to strike at.
func (m matrix) strikeAt(t *testing.T, n int, strike strike, next act, elsewhere bool) bool {
	r := m.rig(t)
	s := &striker{r: r, n: n, strike: strike, keys: m.keys, reader: r.reader(m.keys)}
	r.setHook(s.hook)
	res, err := r.do(m.victim)
	s.afterwards(res, err)
	watch := &striker{r: r, keys: m.keys, reader: s.reader}
	r.setHook(watch.hook)
	r.follow(next, elsewhere, s.struck() && strike.err == errKilled)
	r.setHook(nil)
	r.whole(next.want, m.keys)
	r.idle(next)
	if strike.err == errKilled && !elsewhere && n%8 == 0 {
		r.restoreAll(m.keys)
	}
	return s.struck()
}

// afterwards checks what the struck run says and leaves behind.
func (s *striker) afterwards(res deploy.Result, err error) {
	t := s.r.t
	switch want := s.strike.err; {
	case !s.struck(), want == remote.ErrTemporary && !s.opening():
		if err != nil || len(res.Warnings) > 0 {
			t.Errorf("struck at %q, it says %v %v", s.at, err, res.Warnings)
		}
	case s.strike.name == "takes effect and fails" && strings.HasSuffix(s.at, "/README.txt"): // refused, as a probe is to be
	case !errors.Is(err, want) && !strings.Contains(fmt.Sprint(res.Warnings), want.Error()):
		t.Errorf("struck at %q, it says %v %v, want %v", s.at, err, res.Warnings, want)
	}
	freeing := s.held && strings.HasPrefix(s.at, memory.OpPut+" ") && strings.HasSuffix(s.at, "/lock.json") && s.strike.name == "fails for good"
	if s.strike.err != errKilled && s.r.locked() && !freeing {
		t.Errorf("struck at %q, it leaves the lock behind", s.at)
	}
}

// follow does what comes next. A machine that cannot know that the run before is
// dead waits for a lease, if it was killed with the lock in its hand, and no
// other does.
func (r *rig) follow(next act, elsewhere, killed bool) {
	r.t.Helper()
	if elsewhere {
		r.opts.Lock.Gone = nil
	}
	waits := elsewhere && killed && r.locked()
	start := time.Now()
	r.mustDo(next)
	const poll, work = time.Second, 5 * time.Second
	if took := time.Since(start); waits && (took < lease || took > lease+poll+work) || !waits && took > work {
		r.t.Errorf("%s took %s; waiting: %v", next.name, took, waits)
	}
}

// idle checks that a repeat changes nothing.
func (r *rig) idle(a act) {
	r.t.Helper()
	r.calls()
	batches := len(r.invalidated())
	res := r.mustDo(a)
	if got := changes(r.calls()); res.Changed || len(got) > 0 || len(r.invalidated()) != batches {
		r.t.Errorf("%s once more does %q, %+v", a.name, got, res)
	}
}

// TestKilledTwice kills a run, then the one that comes after it, whatever that
// is, here or elsewhere; the one after that finishes everything.
func TestKilledTwice(t *testing.T) {
	s := newStory(t)
	acts := []act{s.same, s.rollback, s.third, s.old, s.sweep}
	for first := 7; first < 60; first += 6 {
		for second := 9; second < 60; second += 7 {
			name := fmt.Sprintf("at %d and %d", first, second)
			if testing.Short() && second > 9 {
				continue
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					reader := r.reader(s.keys)
					for i, n := range []int{first, second} {
						a := acts[(first*(i+1)+second)%len(acts)]
						r.setHook((&striker{r: r, n: n, strike: strikes[4+(n+i)%2], keys: s.keys, reader: reader}).hook)
						_, _ = r.do(a) // killed, or refused, or not if it is shorter than that
						if n%2 == 0 {
							r.opts.Lock.Gone = nil
						}
					}
					r.setHook((&striker{r: r, keys: s.keys, reader: reader}).hook)
					last := acts[second%3]
					r.mustDo(last)
					r.setHook(nil)
					r.whole(last.want, s.keys)
					r.idle(last)
					if second%3 == 0 {
						r.restoreAll(s.keys)
					}
				})
			})
		}
	}
}
