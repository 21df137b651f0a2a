package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// outage makes every call fail for the moment, from a call that begins with at
// until it has lasted.
type outage struct {
	*rig
	at     string
	lasts  time.Duration
	only   func(op, key string) bool // which calls fail; nil means all
	began  time.Time
	failed map[string]int // by call
	notes  []string
}

func (o *outage) hook(op, key string) memory.Fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	call := strings.TrimSpace(op + " " + manifestOf.ReplaceAllString(prefixOfRecord.ReplaceAllString(key, "RECORD/"), "ID/MANIFEST"))
	if o.began.IsZero() && strings.HasPrefix(call, o.at) {
		o.began = time.Now()
	}
	if o.began.IsZero() || time.Since(o.began) >= o.lasts || o.only != nil && !o.only(op, key) {
		return memory.Fault{}
	}
	o.failed[call]++
	return memory.FailBefore(fmt.Errorf("%w: SlowDown", remote.ErrTemporary))
}

func (o *outage) watch() {
	o.failed = map[string]int{}
	o.setHook(o.hook)
	o.opts.Events = func(e deploy.Event) {
		if strings.Contains(e.Note, "trying again in") {
			o.notes = append(o.notes, e.Note)
		}
	}
}

// What is under way survives an outage of minutes, up to the time that one
// waits for an invalidation, whatever it strikes. Beyond that the run gives up,
// and the next one finishes.
func TestOutage(t *testing.T) {
	s := newStory(t)
	calls := []string{
		"put RECORD/journal.json", "copy RECORD/content/", "put app.77ab01cd.js", "put index.html", "copy same.html", "delete",
		"put RECORD/releases/", "invalidate", "invalidation", "put RECORD/current.json",
	}
	for _, at := range calls {
		for _, row := range []struct {
			lasts time.Duration
			over  bool // longer than Wait
		}{{3 * time.Minute, false}, {25 * time.Minute, true}} {
			t.Run(fmt.Sprintf("%s, %s", at, row.lasts), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					r.opts.Jobs, r.opts.Wait = 1, 10*time.Minute
					o := &outage{rig: r, at: at, lasts: row.lasts}
					o.watch()
					start := time.Now()
					_, err := r.do(s.same)
					took := time.Since(start)
					if len(o.failed) == 0 {
						t.Fatal("nothing has failed")
					}
					if !row.over && (err != nil || took < row.lasts || took > row.lasts+time.Minute) {
						t.Errorf("after %s: %v", took, err)
					}
					if row.over && (!errors.Is(err, remote.ErrTemporary) || took > 13*time.Minute || took < 9*time.Minute) {
						t.Errorf("after %s: %v, want ErrTemporary after 10 minutes", took, err)
					}
					r.setHook(nil)
					if row.over {
						time.Sleep(time.Until(start.Add(row.lasts)))
						r.mustDo(s.same)
					}
					r.whole(after(), s.keys)
				})
			})
		}
	}
}

// Each pause is told, with the cause and how long it takes.
func TestPausesAreTold(t *testing.T) {
	s := newStory(t)
	for _, at := range []string{"put RECORD/journal.json", "copy RECORD/content/", "put index.html", "delete", "invalidate", "put RECORD/current.json"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.opts.Jobs, r.opts.Wait = 1, 10*time.Minute
				o := &outage{rig: r, at: at, lasts: 3 * time.Minute, only: func(op, key string) bool {
					return strings.HasPrefix(op+" "+prefixOfRecord.ReplaceAllString(key, "RECORD/"), at) && op != memory.OpInvalidation && op != memory.OpDeleteKey
				}}
				o.watch()
				r.mustDo(s.same)
				failed := 0
				for _, n := range o.failed {
					failed += n
				}
				if failed < 6 || len(o.notes) != failed {
					t.Errorf("%d calls failed, %d notes: %q", failed, len(o.notes), o.notes)
				}
				for _, n := range o.notes {
					if !strings.Contains(n, "SlowDown") {
						t.Errorf("the note %q does not say why", n)
					}
				}
				r.whole(after(), s.keys)
			})
		})
	}
}

// Before anything is begun a run gives up after a few tries, and nothing has
// happened.
func TestOutageBeforeAnythingIsBegun(t *testing.T) {
	s := newStory(t)
	for _, at := range []string{"get RECORD/current.json", "list", "get RECORD/releases/", "list RECORD/content/"} {
		a := s.same
		if at == "list RECORD/content/" {
			a = s.rollback
		}
		for _, lasts := range []time.Duration{2 * time.Second, time.Hour} {
			t.Run(fmt.Sprintf("%s, %s", at, lasts), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					o := &outage{rig: r, at: at, lasts: lasts}
					o.watch()
					start := time.Now()
					_, err := r.do(a)
					if lasts == 2*time.Second {
						if err != nil {
							t.Error(err)
						}
						return
					}
					if took := time.Since(start); !errors.Is(err, remote.ErrTemporary) || took > 30*time.Second {
						t.Errorf("after %s: %v, want ErrTemporary", took, err)
					}
					if got := changes(r.calls()); len(got) > 0 {
						t.Errorf("it did %q", got)
					}
				})
			})
		}
	}
}
