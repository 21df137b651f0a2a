package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// destroys is the call that takes the bytes from where they lie.
func destroys(s plan.Step) string {
	if s.Op == plan.OpRemove || s.Op == plan.OpSweep {
		return "delete key " + string(s.Object.Key)
	}
	return "put " + string(s.Object.Key)
}

// Bytes that a rollback needs are copied before they are overwritten or
// deleted, those of the plan's steps and no others.
func TestKeptBeforeDestroyed(t *testing.T) {
	s := newStory(t)
	for _, a := range []act{s.same, s.rollback} {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.opts.Jobs = 1
				r.mustDo(a)
				calls := r.calls()
				var want, got []string
				for _, s := range r.plan.Steps {
					if !s.Keep {
						continue
					}
					copied := "copy RECORD/content/" + s.Old.Digest.String()
					want = append(want, copied)
					destroyed := destroys(s)
					if i, j := slices.Index(calls, copied), slices.IndexFunc(calls, func(c string) bool {
						return c == destroyed || c == strings.Replace(destroyed, "put", "copy", 1)
					}); i < 0 || j < i {
						t.Errorf("%q is call %d, %q is call %d", copied, i, destroyed, j)
					}
				}
				for _, c := range calls {
					if strings.HasPrefix(c, "copy RECORD/content/") {
						got = append(got, c)
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if diff := cmp.Diff(got, want); diff != "" || len(want) < 3 {
					t.Errorf("%d copies to content/ (-got +want):\n%s", len(want), diff)
				}
			})
		})
	}
}

// Somebody changes or deletes an object between the look and the copy of what
// is to be kept: his bytes are not taken for ours, and a rollback that would
// need the lost ones says so before it writes anything.
func TestTheBytesToKeepAreGone(t *testing.T) {
	s := newStory(t)
	for name, strike := range map[string]func(*memory.Store){
		"changed": func(s *memory.Store) { s.Set("main.css", []byte("evil"), site.Headers{}) },
		"deleted": func(s *memory.Store) { s.Remove("main.css") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				lost := r.store.Objects()["main.css"].Digest
				r.setHook(func(op, key string) memory.Fault {
					if op == memory.OpCopy && strings.HasSuffix(key, lost.String()) {
						strike(r.store)
					}
					return memory.Fault{}
				})
				base := r.state().LiveID()
				r.mustDo(s.same)
				r.setHook(nil)
				r.published(after(), foreign)
				for k, o := range r.store.Objects() {
					if strings.Contains(string(k), "/content/") && string(o.Data) == "evil" {
						t.Errorf("%s holds %q", k, o.Data)
					}
				}
				r.calls()
				_, err := r.do(act{job: func(m machine) deploy.Job { return m.rollback(base) }})
				if err == nil || !strings.Contains(err.Error(), "main.css") || len(changes(r.calls())) > 0 {
					t.Errorf("rollback: %v, want an error about main.css and no effect", err)
				}
				r.mustDo(s.rollback)
				r.published(middle(), foreign)
			})
		})
	}
}

// What cannot be kept is not destroyed.
func TestTheCopyThatIsRefused(t *testing.T) {
	s := newStory(t)
	for _, key := range []site.Key{"main.css", "gone/index.html"} {
		t.Run(string(key), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				before := r.store.Objects()[key]
				r.setHook(func(op, to string) memory.Fault {
					if op == memory.OpCopy && strings.HasSuffix(to, before.Digest.String()) {
						return memory.FailBefore(fmt.Errorf("%w: s3:PutObject", remote.ErrDenied))
					}
					return memory.Fault{}
				})
				if _, err := r.do(s.same); !errors.Is(err, remote.ErrDenied) {
					t.Errorf("deploy: %v, want ErrDenied", err)
				}
				if now := r.store.Objects()[key]; now.Digest != before.Digest {
					t.Errorf("%s holds %q", key, now.Data)
				}
				r.setHook(nil)
				r.mustDo(s.same)
				r.whole(after(), s.keys)
			})
		})
	}
}
