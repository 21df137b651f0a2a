package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// failing makes every call of op fail.
func failingOp(op string, f memory.Fault) memory.Hook {
	return func(o, _ string) memory.Fault {
		if o == op {
			return f
		}
		return memory.Fault{}
	}
}

// references are the caller references that were sent since the last look,
// each once.
func (r *rig) references() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, c := range r.log {
		if c.Op == memory.OpInvalidate {
			out = append(out, c.Key)
		}
	}
	r.log = nil
	return slices.Compact(out)
}

// The invalidation fails; the next run has nothing to upload, sends the same
// batch under the same reference, and finishes.
func TestFailedInvalidationIsSentByTheNextRun(t *testing.T) {
	rows := []struct {
		name    string
		fault   memory.Fault
		pending bool // exit 3 instead of 1
		batches int  // accepted in the end
	}{
		{"throttled for ever", memory.FailBefore(remote.ErrTemporary), true, 1},
		{"the answer is lost each time", memory.FailAfter(remote.ErrTemporary), true, 1},
		{"access denied", memory.FailBefore(remote.ErrDenied), false, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(with(blog(), "old.html", "old"))
				r.edge.browse("index.html", "old.html", "main.css")
				r.references()
				r.setHook(failingOp(memory.OpInvalidate, row.fault))
				edited := with(blog(), "index.html", "edited")
				r.write(edited)
				start := time.Now()
				res, err := r.deploy()
				if errors.Is(err, deploy.ErrPending) != row.pending || err == nil {
					t.Fatalf("deploy: %v, want pending: %v", err, row.pending)
				}
				if row.pending {
					if took := time.Since(start); took > r.opts.Wait || took < r.opts.Wait/3 {
						t.Errorf("it waited %s of %s", took, r.opts.Wait)
					}
				} else if !errors.Is(err, remote.ErrDenied) {
					t.Errorf("the cause is hidden: %v", err)
				}
				if !slices.Equal(sent(res).Items, []string{"/", "/index.html", "/old.html"}) {
					t.Errorf("items in the result: %v", sent(res).Items)
				}
				first := r.references()
				r.setHook(nil)
				again := r.mustDeploy()
				if n, _ := r.plan.Count("add", "update", "headers"); n != 0 {
					t.Errorf("the second run uploads: %+v", r.plan.Steps)
				}
				if second := r.references(); !slices.Equal(first, second) || len(first) != 1 {
					t.Errorf("references %v, then %v; want one, twice", first, second)
				}
				if again.Release != res.Release || again.Verified.Checked == 0 {
					t.Errorf("the second run made %+v, want release %s, verified", again, res.Release)
				}
				if got := len(r.invalidated()) - 1; got != row.batches {
					t.Errorf("%d batches were accepted, want %d", got, row.batches)
				}
				if stale := r.edge.stale("index.html", "old.html", "main.css"); len(stale) > 0 {
					t.Errorf("stale: %v", stale)
				}
				r.published(edited, nil)
			})
		})
	}
}

func TestPassingFaultsAreBridged(t *testing.T) {
	for _, op := range []string{memory.OpGet, memory.OpHead, memory.OpList, memory.OpPut, memory.OpCopy, memory.OpDelete, memory.OpInvalidate, memory.OpInvalidation} {
		for name, fault := range map[string]memory.Fault{"before": memory.FailBefore(remote.ErrTemporary), "after": memory.FailAfter(remote.ErrTemporary)} {
			t.Run(op+" fails "+name+" its effect", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.publish(with(blog(), "old.html", "old"))
					r.store.Set("pic.png", []byte("gnp"), site.Headers{}) // worth a HEAD
					failed := map[string]bool{}
					r.setHook(func(o, key string) memory.Fault {
						r.mu.Lock()
						defer r.mu.Unlock()
						if o != op || failed[key] || key == ".freshet-claim" {
							return memory.Fault{} // the claim is read before there is an engine
						}
						failed[key] = true
						return fault
					})
					edited := with(blog(), "index.html", "edited")
					r.publish(edited)
					r.setHook(nil)
					r.published(edited, nil)
					if op != memory.OpCopy && len(failed) == 0 {
						t.Error("nothing failed")
					}
				})
			})
		}
	}
}

func TestALargeInvalidationGoesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p, err := r.emptyEngine()
		if err != nil {
			t.Fatal(err)
		}
		var items []string
		for i := range 7500 {
			items = append(items, fmt.Sprintf("/p%05d.html", i))
		}
		n := 0
		r.setHook(func(op, _ string) memory.Fault {
			if op != memory.OpInvalidate {
				return memory.Fault{}
			}
			if n++; n == 2 || n == 3 {
				return memory.FailBefore(remote.ErrTemporary) // too fast
			}
			return memory.Fault{}
		})
		sub, err := p.Invalidate(t.Context(), "r1-a", dist, items)
		if err != nil || sub.Status != remote.Completed || len(sub.IDs) != 3 {
			t.Fatalf("Invalidate: %+v, %v", sub.IDs, err)
		}
		got := r.invalidated()
		if len(got) != 3 || len(got[0]) != 3000 || len(got[1]) != 3000 || len(got[2]) != 1500 || !slices.Equal(slices.Concat(got...), items) {
			t.Errorf("%d batches", len(got))
		}
	})
}

// sent is what a run with at most one distribution submitted.
func sent(res deploy.Result) deploy.Submitted {
	if len(res.Invalidations) == 0 {
		return deploy.Submitted{}
	}
	return res.Invalidations[0]
}

// emptyEngine is an engine without anything to publish.
func (r *rig) emptyEngine() (*deploy.Engine, error) {
	r.write(map[site.Key]string{"x": "x"})
	p, err := r.prepare(r.t.Context())
	return p.engine, err
}

func TestWaiting(t *testing.T) {
	rows := []struct {
		name   string
		noWait bool
		hook   memory.Hook
		cancel time.Duration // 0 for never
		done   time.Duration // when the invalidation completes; 0 for never
		is     error
		took   time.Duration // at most
	}{
		{"slow, but done in time", false, nil, 0, 50 * time.Second, nil, 60 * time.Second},
		{"never done", false, nil, 0, 0, deploy.ErrPending, 60 * time.Second},
		{"the polls fail for a while", false, failingOp(memory.OpInvalidation, memory.FailBefore(remote.ErrTemporary)), 0, 0, deploy.ErrPending, 60 * time.Second},
		{"polling is not allowed", false, failingOp(memory.OpInvalidation, memory.FailBefore(remote.ErrDenied)), 0, 0, remote.ErrDenied, time.Second},
		{"cancelled while it waits", false, nil, 3 * time.Second, 0, context.Canceled, 3 * time.Second},
		{"cancelled while it is throttled", false, failingOp(memory.OpInvalidate, memory.FailBefore(remote.ErrTemporary)), 3 * time.Second, 0, context.Canceled, 3 * time.Second},
		{"not waited for", true, nil, 0, 0, deploy.ErrPending, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.cdn = memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{{ID: dist}}, Polls: -1, Hook: row.hook})
				r.opts.NoWait = row.noWait
				engine, err := r.emptyEngine()
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if row.cancel > 0 {
					time.AfterFunc(row.cancel, cancel)
				}
				if row.done > 0 {
					time.AfterFunc(row.done, r.cdn.CompleteAll)
				}
				start := time.Now()
				sub, err := engine.Invalidate(ctx, "r1-a", dist, []string{"/a"})
				if !errors.Is(err, row.is) {
					t.Errorf("Invalidate: %v, want %v", err, row.is)
				}
				if took := time.Since(start); took > row.took || took < row.took/2 && row.is == deploy.ErrPending {
					t.Errorf("it took %s, want at most %s", took, row.took)
				}
				if errors.Is(err, deploy.ErrPending) && (sub.Status != remote.InProgress || len(sub.IDs) != 1) {
					t.Errorf("submitted: %+v", sub)
				}
			})
		})
	}
}

// --no-wait leaves the journal open; once the invalidation is completed, the
// next run with --no-wait finds that and finishes.
func TestNoWaitTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.NoWait = true
		r.write(blog())
		if _, err := r.deploy(); !errors.Is(err, deploy.ErrPending) {
			t.Fatalf("deploy: %v, want ErrPending", err)
		}
		if _, err := r.deploy(); !errors.Is(err, deploy.ErrPending) {
			t.Fatalf("deploy again at once: %v, want ErrPending", err)
		}
		r.cdn.CompleteAll()
		r.mustDeploy()
		if got := r.invalidated(); len(got) != 1 {
			t.Errorf("batches: %v", got)
		}
		r.published(blog(), nil)
	})
}

func TestNoItemsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Distributions = nil
		res := r.publish(blog())
		if got := writes(r.calls()); slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, "invalid") }) || len(r.edge.asked) > 0 {
			t.Errorf("calls: %v, asked %v", got, r.edge.asked)
		}
		if sent(res).Status != "" || !res.Changed {
			t.Errorf("result: %+v", res)
		}
		r.published(blog(), nil)
	})
}
