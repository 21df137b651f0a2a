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

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// paced is an engine under the limits of that name, and the seconds after the
// start at which it invalidates.
func paced(t *testing.T, limits string, polls int) (r *rig, engine *deploy.Engine, sent *[]float64) {
	t.Helper()
	r = newRig(t)
	l, err := invalidation.LimitsNamed(limits)
	if err != nil {
		t.Fatal(err)
	}
	sent = &[]float64{}
	start := time.Now()
	r.cdn = memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{{ID: dist}}, Polls: polls, Hook: func(op, _ string) memory.Fault {
		if op == memory.OpInvalidate {
			*sent = append(*sent, time.Since(start).Seconds())
		}
		return memory.Fault{}
	}})
	r.opts.Limits = l
	if engine, err = r.emptyEngine(); err != nil {
		t.Fatal(err)
	}
	return r, engine, sent
}

func numbered(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func TestPacing(t *testing.T) {
	rows := []struct {
		name   string
		limits string
		items  []string
		want   []float64 // when each request is sent
	}{
		{"one wildcard a second", "cloudfront", numbered("/w%d*", 4), []float64{0, 1, 2, 3}},
		{"150 paths a second", "cloudfront", numbered("/p%d", 400), []float64{0, 1, 2}},
		{"tags like paths", "cloudfront", numbered("#t%d", 151), []float64{0, 1}},
		{"paths with a wildcard", "cloudfront", append(numbered("/p%d", 20), "/w*"), []float64{0}},
		{"no limits", "none", numbered("/w%d*", 4000), []float64{0, 0}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, engine, times := paced(t, row.limits, 0)
				sub, err := engine.Invalidate(t.Context(), "r1-a", dist, row.items)
				if err != nil || sub.Status != remote.Completed || len(sub.IDs) != len(row.want) || sub.Distribution != dist {
					t.Fatalf("%+v, %v", sub, err)
				}
				if diff := cmp.Diff(*times, row.want); diff != "" {
					t.Errorf("sent at (-got +want):\n%s", diff)
				}
				if got := slices.Concat(r.invalidated()...); !slices.Equal(got, row.items) || !slices.Equal(sub.Items, row.items) {
					t.Errorf("accepted %d items of %d", len(got), len(row.items))
				}
				if s := r.opts.Limits.Seconds(row.items); s != row.want[len(row.want)-1] {
					t.Errorf("the plan promised %v s", s)
				}
			})
		})
	}
}

// Under the limits of old, what is in progress must be completed before more
// is sent.
func TestLegacyLimitsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, engine, _ := paced(t, "cloudfront-legacy", 4)
		most := 0
		r.cdn.SetHook(func(op, _ string) memory.Fault {
			n := 0
			for _, inv := range r.cdn.Accepted(dist) {
				if inv.Status == remote.InProgress {
					n += len(inv.Items)
				}
			}
			if most = max(most, n); op == memory.OpInvalidate && n > 0 {
				t.Errorf("%d wildcards are in progress, and more are sent", n)
			}
			return memory.Fault{}
		})
		items := numbered("/w%d*", 40)
		sub, err := engine.Invalidate(t.Context(), "r1-a", dist, items)
		if err != nil || len(sub.IDs) != 3 || most != 15 {
			t.Errorf("%d requests with at most %d in progress: %v", len(sub.IDs), most, err)
		}
		if got := slices.Concat(r.invalidated()...); !slices.Equal(got, items) {
			t.Errorf("accepted %d items", len(got))
		}
	})
}

// What does not drain in time is left to the next run, which begins with the
// same references.
func TestLegacyLimitsThatNeverDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, engine, times := paced(t, "cloudfront-legacy", -1)
		items := numbered("/w%d*", 40)
		sub, err := engine.Invalidate(t.Context(), "r1-a", dist, items)
		if !errors.Is(err, deploy.ErrPending) || len(sub.IDs) != 1 || len(*times) != 1 || sub.Status != remote.InProgress {
			t.Fatalf("%+v, %v", sub, err)
		}
		time.AfterFunc(10*time.Second, r.cdn.CompleteAll)
		time.AfterFunc(20*time.Second, r.cdn.CompleteAll)
		time.AfterFunc(30*time.Second, r.cdn.CompleteAll)
		if sub, err = engine.Invalidate(t.Context(), "r1-a", dist, items); err != nil || len(sub.IDs) != 3 {
			t.Fatalf("%+v, %v", sub, err)
		}
		if got := r.invalidated(); len(got) != 3 || !slices.Equal(slices.Concat(got...), items) {
			t.Errorf("%d batches", len(got))
		}
	})
}

func TestCancelledWhilePacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, engine, times := paced(t, "cloudfront", 0)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		_, err := engine.Invalidate(ctx, "r1-a", dist, numbered("/w%d*", 10))
		if !errors.Is(err, context.Canceled) || len(*times) != 3 {
			t.Errorf("%d requests, %v", len(*times), err)
		}
	})
}

// A whole deploy keeps the pace, and tells how far it is.
func TestADeployKeepsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		limits, err := invalidation.LimitsNamed("cloudfront")
		if err != nil {
			t.Fatal(err)
		}
		r.opts.Limits, r.spending.Limits = limits, limits
		files := blog()
		for _, name := range []string{"a~1", "b~1", "c~1"} {
			files = with(files, name+".html", "1", name[:1]+"x.html", "x")
		}
		r.publish(files)
		var done []string
		r.opts.Events = func(e deploy.Event) {
			if e.Stage == deploy.StageInvalidate && !e.Finished {
				done = append(done, fmt.Sprintf("%d/%d", e.Done, e.Total))
			}
		}
		start := time.Now()
		r.publish(with(files, "a~1.html", "2", "b~1.html", "2", "c~1.html", "2"))
		if diff := cmp.Diff(strings.Join(done, " "), "0/3 1/3 2/3 3/3"); diff != "" {
			t.Errorf("events (-got +want):\n%s", diff)
		}
		if took, promised := time.Since(start).Seconds(), r.plan.Purges[0].Seconds; promised != 2 || took < promised || took > promised+1 {
			t.Errorf("it took %v s, the plan said %v", took, promised)
		}
	})
}
