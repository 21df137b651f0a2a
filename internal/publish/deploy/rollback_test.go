package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// A rollback copies what is kept and nothing else, brings headers and removed
// pages back, and purges what differs. Assets of both versions stay. It is a
// release, which can be rolled back.
func TestRollback(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		r.opts.Jobs = 1
		r.mustDo(s.same)
		r.edge.browse(s.keys...)
		base := r.state()
		time.Sleep(day)
		r.calls()
		batches := len(r.invalidated())
		res := r.mustDo(s.rollback)
		want := []string{
			"copy main.css", "copy gone/index.html", "copy once.html", "copy a/index.html", "copy index.html", "copy same.html", "copy feed.xml",
			"delete", "delete key new/index.html",
		}
		got := writes(r.calls())
		if diff := cmp.Diff(got[:len(got)-1], want); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
		items := []string{"/", "/a", "/a/", "/a/index.html", "/feed.xml", "/gone", "/gone/", "/gone/index.html", "/index.html", "/main.css",
			"/new", "/new/", "/new/index.html", "/once.html", "/same.html"}
		if diff := cmp.Diff(slices.Concat(r.invalidated()[batches:]...), items); diff != "" {
			t.Errorf("items (-got +want):\n%s", diff)
		}
		objects := r.store.Objects()
		if cc := objects["same.html"].Headers.CacheControl; !strings.Contains(cc, "s-maxage") {
			t.Errorf("same.html has Cache-Control %q, as in the release that was left", cc)
		}
		for _, k := range []site.Key{"app.77ab01cd.js", "new.css"} {
			if _, there := objects[k]; !there {
				t.Errorf("%s, which open pages name, is gone", k)
			}
		}
		r.whole(middle(), s.keys)
		now := r.state()
		about := now.Live.About
		if about.Restores != s.restores || now.Current.Number != base.Current.Number+1 || res.Release != now.LiveID() {
			t.Errorf("the record says %+v", about)
		}
		r.mustDo(act{job: func(m machine) deploy.Job { return m.rollback(base.LiveID()) }})
		r.whole(after(), s.keys)
		if plan.Fingerprint(r.state().Live.Site) != plan.Fingerprint(base.Live.Site) {
			t.Error("back and forth makes another site")
		}
	})
}

// A rollback keeps the revision of what it replaces: what was built before
// that does not come back by a late deploy.
func TestRollbackKeepsTheRevision(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		rev := &release.Revision{Name: "c9", Branch: "main", Time: time.Unix(1e9, 0).UTC()}
		r.mustDo(s.same.from(rev))
		r.mustDo(s.rollback)
		if diff := cmp.Diff(r.state().Current.Revision, rev); diff != "" {
			t.Errorf("revision (-got +want):\n%s", diff)
		}
	})
}

// Bytes that are missing are found before anything is written.
func TestRollbackWithoutItsBytes(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		for k, o := range r.store.Objects() {
			if k.IsState() && string(o.Data) == "css1" {
				r.store.Remove(k)
			}
		}
		r.calls()
		if _, err := r.do(s.rollback); err == nil || !strings.Contains(err.Error(), "main.css") {
			t.Errorf("rollback: %v, want an error about main.css", err)
		}
		if got := changes(r.calls()); len(got) > 0 {
			t.Errorf("it did %q", got)
		}
	})
}

// Once a run has uploaded everything, any machine can finish it without the
// site's folder; before that it says that it cannot.
func TestResume(t *testing.T) {
	s := newStory(t)
	for _, a := range []act{s.same, s.rollback, s.sweep} {
		t.Run(a.name, func(t *testing.T) {
			resumed, refused := 0, 0
			for n := 1; ; n++ {
				struck := false
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(t)
					strike := &striker{r: r, n: n, strike: strikes[4+n%2], keys: s.keys, reader: r.reader(s.keys)}
					r.setHook(strike.hook)
					_, _ = r.do(a)
					if struck = strike.struck(); !struck {
						return
					}
					r.setHook((&striker{r: r, keys: s.keys, reader: strike.reader}).hook)
					switch j := r.state().Journal; {
					case j == nil:
					case j.Manifest.IsZero():
						refused++
						if _, err := r.do(act{job: machine.resume}); err == nil || !strings.Contains(err.Error(), "uploaded everything") {
							t.Errorf("killed at %s, resumed: %v", strike.at, err)
						}
					default:
						resumed++
						r.calls()
						r.mustDo(act{job: machine.resume})
						if got := uploads(r.calls()); len(got) > 0 {
							t.Errorf("killed at %s, resuming uploads %q", strike.at, got)
						}
						r.setHook(nil)
						r.whole(a.want, s.keys)
						r.idle(a)
						if j.Restores != "" && r.state().Live.About.Restores != j.Restores {
							t.Errorf("killed at %s, resuming forgets that it is a rollback", strike.at)
						}
					}
				})
				if !struck {
					break
				}
			}
			// The journal is marked beside the invalidation, so one of the requests after the mark is enough to have been killed at.
			if resumed < 1 || refused < 3 {
				t.Errorf("resumed %d times, refused %d times", resumed, refused)
			}
		})
	}
}

func uploads(calls []string) []string {
	return slices.DeleteFunc(writes(calls), func(c string) bool {
		return !strings.HasPrefix(c, memory.OpPut) && !strings.HasPrefix(c, memory.OpCopy)
	})
}

// A run that has uploaded everything, and then somebody changes an object:
// resuming without the site's folder repairs nothing by guessing.
func TestResumeAfterSomebodyElse(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		r.setHook(failingOp(memory.OpInvalidate, memory.FailBefore(errKilled)))
		_, _ = r.do(s.same)
		r.setHook(nil)
		r.store.Set("index.html", []byte("theirs"), site.Headers{})
		if _, err := r.do(act{job: machine.resume}); err == nil || !strings.Contains(fmt.Sprint(err), "index.html") {
			t.Errorf("resume: %v, want an error about index.html", err)
		}
		r.mustDo(s.same)
		r.whole(after(), s.keys)
	})
}
