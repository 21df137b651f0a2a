package edgenode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

// recorded are caches that note what they are asked for.
type recorded struct {
	calls     []string
	fail      map[string]error // by call: once
	positions map[string]uint64
}

func (c *recorded) call(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	c.calls = append(c.calls, line)
	err := c.fail[line]
	delete(c.fail, line)
	return err
}

// said returns the calls since it was last asked.
func (c *recorded) said() (lines []string) {
	lines, c.calls = c.calls, nil
	return lines
}

func (c *recorded) Configure(_ context.Context, id string, cfg control.DistributionConfig) error {
	return c.call("configure %s %s", id, cfg.CallerReference)
}
func (c *recorded) Remove(id string) error { return c.call("remove %s", id) }
func (c *recorded) InvalidateAt(id string, at uint64, items []string) error {
	slices.Sort(items)
	return c.call("%d: invalidate %s %s", at, id, strings.Join(items, " "))
}
func (c *recorded) ReplayAt(id string, at uint64, items []string) error {
	slices.Sort(items)
	return c.call("%d: replay %s %s", at, id, strings.Join(items, " "))
}
func (c *recorded) Advance(at uint64)    { _ = c.call("%d: done", at) }
func (c *recorded) RevalidateAll() error { return c.call("revalidate all") }
func (c *recorded) Tidy() error          { return c.call("tidy") }
func (c *recorded) Positions() (map[string]uint64, error) {
	return c.positions, nil
}

// replicaOf returns a replica at a log's beginning.
func replicaOf(t *testing.T, c *recorded) *replica {
	t.Helper()
	r := &replica{dir: t.TempDir(), caches: c, logger: slog.New(slog.DiscardHandler), known: map[string]bool{}}
	t.Cleanup(func() { _ = r.close() })
	if _, err := r.Load(t.Context(), strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	return r
}

// history is a log of a control API: two distributions, A and B; then, in one entry, two invalidations of A and one of B. With the ids of both.
func history(t *testing.T) (log []fleet.Entry, a, b string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		engine := store.Connect(1)
		var follower *fleet.Follower
		s, err := control.Open(filepath.Join(t.TempDir(), "control.db"), nil, control.Options{
			Log: engine, Sync: func(ctx context.Context) error { return follower.Sync(ctx) },
			Completed: func(_ context.Context, at uint64) (uint64, error) { return at, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		follower = fleet.NewFollower(engine, 0, func(_ context.Context, e fleet.Entry) error { return s.Apply(e.Sequence, e.Data) })
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { _ = follower.Run(ctx) }) // until the end
		make := func(reference string) string {
			d, err := s.EnsureDistribution(ctx, control.DistributionConfig{
				CallerReference: reference, Enabled: true, Origins: []control.Origin{{ID: "o", DomainName: "o.example", CustomOrigin: &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: "http-only"}}},
				DefaultCacheBehavior: control.CacheBehavior{TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6", AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"}},
			})
			if err != nil {
				t.Error(err)
			}
			return d.ID
		}
		a, b = make("a"), make("b")
		engine.Suffer(memory.Faults{Delay: time.Second}) // those who come while an entry is under way share the next
		for i, one := range []struct{ id, path string }{{a, "/0"}, {a, "/1"}, {b, "/2"}, {a, "/3"}} {
			work.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				body := `<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Paths><Quantity>1</Quantity><Items><Path>` + one.path + `</Path></Items></Paths><CallerReference>` + one.path + `</CallerReference></InvalidationBatch>`
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/2020-05-31/distribution/"+one.id+"/invalidation", strings.NewReader(body)))
				if w.Code != http.StatusCreated {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		time.Sleep(time.Minute)
		cancel()
		work.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		engine.Suffer(memory.Faults{})
		for at := uint64(1); at <= store.Len(); at++ {
			e, err := engine.Read(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			log = append(log, e)
		}
	})
	return log, a, b
}

// apply applies a whole log, in which nothing fails.
func apply(t *testing.T, r *replica, log []fleet.Entry) {
	t.Helper()
	for _, e := range log {
		if err := r.Apply(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// A cache takes a position of the log once: what one entry has for it comes in one batch.
func TestOneBatchOfAnEntry(t *testing.T) {
	log, a, b := history(t)
	c := &recorded{}
	apply(t, replicaOf(t, c), log)
	want := []string{
		"configure " + a + " a", "1: done", "configure " + b + " b", "2: done", "3: invalidate " + a + " /0", "3: done",
		"4: invalidate " + a + " /1 /3", "4: invalidate " + b + " /2", "4: done",
	}
	if diff := cmp.Diff(c.said(), want); diff != "" {
		t.Errorf("what the caches were asked for (-got +want):\n%s", diff)
	}
}

// An entry that could not be carried out whole is carried out again, whatever the view has of it, and counts only then.
func TestUnfinishedEntryIsRepeated(t *testing.T) {
	log, a, b := history(t)
	full := errors.New("the disk is full")
	c := &recorded{fail: map[string]error{"4: invalidate " + b + " /2": full}}
	r := replicaOf(t, c)
	apply(t, r, log[:3])
	c.said()
	if err := r.Apply(t.Context(), log[3]); !errors.Is(err, full) {
		t.Fatalf("applied with %v, want that the disk is full", err)
	}
	batch := []string{"4: invalidate " + a + " /1 /3", "4: invalidate " + b + " /2"}
	if diff := cmp.Diff(c.said(), batch); diff != "" {
		t.Errorf("the first time (-got +want):\n%s", diff)
	}
	apply(t, r, log[3:])
	if diff := cmp.Diff(c.said(), append(batch, "4: done")); diff != "" {
		t.Errorf("the second time (-got +want):\n%s", diff)
	}
}

// A distribution whose folder cannot be made is configured once it can, and is not said to be until then; one that makes no sense here stops nobody.
func TestConfigureIsRepeated(t *testing.T) {
	log, a, _ := history(t)
	line := "configure " + a + " a"
	c := &recorded{fail: map[string]error{line: fmt.Errorf("make a folder: %w", tenants.ErrStorage)}}
	r := replicaOf(t, c)
	if err := r.Apply(t.Context(), log[0]); !errors.Is(err, tenants.ErrStorage) || len(r.distributions()) > 0 {
		t.Fatalf("applied with %v, and known is %v", err, r.distributions())
	}
	c.fail = map[string]error{}
	apply(t, r, log[:1])
	if diff := cmp.Diff(c.said(), []string{line, line, "1: done"}); diff != "" {
		t.Errorf("what the caches were asked for (-got +want):\n%s", diff)
	}
	c = &recorded{fail: map[string]error{line: edge.ErrConfig}}
	apply(t, replicaOf(t, c), log)
}

// A view that begins anew has nothing of an entry that the one before it did not finish.
func TestLoadForgetsTheUnfinishedEntry(t *testing.T) {
	log, _, b := history(t)
	first := fleet.Entry{Sequence: 1, Data: log[3].Data}
	c := &recorded{fail: map[string]error{"1: invalidate " + b + " /2": errors.New("the disk is full")}}
	r := replicaOf(t, c)
	if err := r.Apply(t.Context(), first); err == nil {
		t.Fatal("applied")
	}
	if _, err := r.Load(t.Context(), strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	apply(t, r, []fleet.Entry{first})
	if got := r.view.Applied(); got != 1 {
		t.Errorf("the view is at %d, want 1", got)
	}
}

// What another key than a control node's has added may be a joining, and changes nothing here.
func TestEntryOfAnEdge(t *testing.T) {
	log, _, _ := history(t)
	c := &recorded{}
	r := replicaOf(t, c)
	for i := range log {
		log[i].FromEdge = true
	}
	apply(t, r, log)
	if diff := cmp.Diff(c.said(), []string{"1: done", "2: done", "3: done", "4: done"}); diff != "" {
		t.Errorf("what the caches were asked for (-got +want):\n%s", diff)
	}
	if err := r.Replay(t.Context(), log[3]); err != nil || len(c.said()) > 0 {
		t.Errorf("replayed with %v, %v", c.calls, err)
	}
}

// The entry that the furthest cache has stored may be one that another cache of the same edge lacks.
func TestPosition(t *testing.T) {
	for _, row := range []struct {
		name      string
		positions map[string]uint64
		want      uint64
		cached    bool
	}{
		{"nothing is cached", nil, 0, false},
		{"a cache of which nothing is known", map[string]uint64{"A": 0}, 0, true},
		{"the first entry", map[string]uint64{"A": 1}, 0, true},
		{"one", map[string]uint64{"A": 7}, 6, true},
		{"an entry for both, of which one has it", map[string]uint64{"A": 6, "B": 7}, 6, true},
		{"one that was not concerned for long", map[string]uint64{"A": 2, "B": 7}, 6, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &replica{caches: &recorded{positions: row.positions}}
			if got, cached := r.Position(); got != row.want || cached != row.cached {
				t.Errorf("at %d, %v, want %d, %v", got, cached, row.want, row.cached)
			}
		})
	}
}

// Folders of deleted distributions go once the edge knows all of the log that there was when it joined, and not before.
func TestTidyOnceCaughtUp(t *testing.T) {
	log, _, _ := history(t)
	c := &recorded{}
	r := replicaOf(t, c)
	apply(t, r, log[:2])
	if slices.Contains(c.said(), "tidy") {
		t.Error("tidied before the log is known")
	}
	r.tidy.Store(true)
	apply(t, r, log[2:])
	if got := c.said(); !slices.Equal(got[1:3], []string{"3: done", "tidy"}) || slices.Contains(got[3:], "tidy") {
		t.Errorf("asked for %q, want to tidy once, after entry 3", got)
	}
}
