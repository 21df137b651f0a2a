package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

const entryLine = `{"version":1,"distributions":{"E1":{"I0000000000001":{"created":"2026-11-22T00:00:00Z","paths":%s}}}}`

// TestDamagedCache: a file that cannot be used costs requests and is replaced.
func TestDamagedCache(t *testing.T) {
	rows := []struct {
		name, content string
		reads         int
	}{
		{"as it is written", fmt.Sprintf(entryLine, "5"), 0},
		{"empty", "", 1},
		{"cut off", fmt.Sprintf(entryLine, "5")[:80], 1},
		{"something after the end", fmt.Sprintf(entryLine, "5") + "}", 1},
		{"no JSON", "\x00\xff", 1},
		{"a list", "[]", 1},
		{"null", "null", 1},
		{"another version", strings.Replace(fmt.Sprintf(entryLine, "5"), `"version":1`, `"version":2`, 1), 1},
		{"no version", `{"distributions":{}}`, 1},
		{"a negative number", fmt.Sprintf(entryLine, "-5"), 1},
		{"no paths", fmt.Sprintf(entryLine, "0"), 1},
		{"a broken number", fmt.Sprintf(entryLine, "0.5"), 1},
		{"far too many", fmt.Sprintf(entryLine, "1000001"), 1},
		{"an overflow", fmt.Sprintf(entryLine, "99999999999999999999"), 1},
		{"no id", strings.Replace(fmt.Sprintf(entryLine, "5"), "I0000000000001", "", 1), 1},
		{"no time", `{"version":1,"distributions":{"E1":{"I0000000000001":{"paths":5}}}}`, 1},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
			a.invalidate(t, "E1", 5)
			if err := os.WriteFile(cache, []byte(r.content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantUsage(t, "first", a.count(t, cache), whole(5))
			wantRequests(t, "first", a, requests{1, 1, r.reads})
			wantUsage(t, "second", a.count(t, cache), whole(5))
			wantRequests(t, "second", a, requests{1, 1, 0})
		})
	}
}

// TestUnwritableCache: it works as without one.
func TestUnwritableCache(t *testing.T) {
	a, dir := newAccount("E1"), t.TempDir()
	a.invalidate(t, "E1", 5)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cache := range map[string]string{"a folder": dir, "below a file": filepath.Join(dir, "file", "ledger.json")} {
		for range 2 {
			wantUsage(t, name, a.count(t, cache), whole(5))
			wantRequests(t, name, a, requests{1, 1, 1})
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v; want only the file", left, err)
	}
}

// TestCacheFile: past months are dropped, other accounts' entries are kept and
// not counted, and a count that learns nothing does not write.
func TestCacheFile(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	a.now = november.Add(-time.Hour)
	a.invalidate(t, "E1", 7)
	a.now = november.Add(time.Hour)
	a.invalidate(t, "E1", 5)
	old := `{"version":1,"distributions":{"E1":{"I0000000000001":{"created":"2026-10-31T23:00:00Z","paths":7}},
		"EOTHER":{"IOTHER":{"created":"2026-11-02T00:00:00Z","paths":900},"IPAST":{"created":"2026-10-31T23:59:59.999Z","paths":900}}}}`
	if err := os.WriteFile(cache, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, "Count", a.count(t, cache), whole(5))
	data, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"distributions":{"E1":{"I0000000000002":{"created":"2026-11-01T01:00:00Z","paths":5}},
		"EOTHER":{"IOTHER":{"created":"2026-11-02T00:00:00Z","paths":900}}}}`
	if diff := cmp.Diff(decoded(t, string(data)), decoded(t, want)); diff != "" {
		t.Errorf("the file (-got +want):\n%s", diff)
	}
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(cache, past, past); err != nil {
		t.Fatal(err)
	}
	a.count(t, cache)
	if info, err := os.Stat(cache); err != nil || !info.ModTime().Equal(past) || info.Mode().Perm() != 0o600 {
		t.Errorf("after a count that learned nothing: %v, %v", info, err)
	}
}

func decoded(t *testing.T, text string) (out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMerge: what another process wrote meanwhile is kept.
func TestMerge(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	a.invalidate(t, "E1", 5)
	const other = `{"version":1,"distributions":{"EOTHER":{"IOTHER":{"created":"2026-11-02T00:00:00Z","paths":900}}}}`
	a.SetHook(func(op, _ string) memory.Fault {
		if op == memory.OpInvalidation {
			if err := os.WriteFile(cache, []byte(other), 0o600); err != nil {
				t.Error(err)
			}
		}
		return memory.Fault{}
	})
	wantUsage(t, "Count", a.count(t, cache), whole(5))
	data, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"distributions":{"E1":{"I0000000000001":{"created":"2026-11-22T00:00:00Z","paths":5}},
		"EOTHER":{"IOTHER":{"created":"2026-11-02T00:00:00Z","paths":900}}}}`
	if diff := cmp.Diff(decoded(t, string(data)), decoded(t, want)); diff != "" {
		t.Errorf("the file (-got +want):\n%s", diff)
	}
}

// forgetful no longer lists anything.
type forgetful struct{ remote.CDN }

func (forgetful) Invalidations(context.Context, string, time.Time) ([]remote.Invalidation, error) {
	return nil, nil
}

// TestForgotten: what CloudFront no longer lists was billed all the same.
func TestForgotten(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	a.invalidate(t, "E1", 5)
	a.count(t, cache)
	got, err := ledger.Count(t.Context(), forgetful{a}, nil, a.now, cache)
	if err != nil {
		t.Fatal(err)
	}
	wantUsage(t, "Count", got, whole(5))
}

// empty answers without items.
type empty struct{ remote.CDN }

func (e empty) Invalidation(ctx context.Context, distribution, id string) (remote.Invalidation, error) {
	inv, err := e.CDN.Invalidation(ctx, distribution, id)
	inv.Items = nil
	return inv, err
}

// TestNoItems: an answer that does not tell the items is not remembered as 0.
func TestNoItems(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	a.invalidate(t, "E1", 5)
	got, err := ledger.Count(t.Context(), empty{a}, nil, a.now, cache)
	if err != nil || got.Whole || got.Used != 0 {
		t.Errorf("Count = %+v, %v", got, err)
	}
	wantUsage(t, "afterwards", a.count(t, cache), whole(5))
}

// TestSharedCache: many at once, each with an account of its own; the file is
// whole at every moment, and what one loses it asks for again.
func TestSharedCache(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "ledger.json")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			id := fmt.Sprint("E", i)
			a := newAccount(id)
			for n := range 20 {
				a.invalidate(t, id, i+1)
				got, err := ledger.Count(t.Context(), a, nil, a.now, cache)
				if want := whole((n + 1) * (i + 1)); err != nil || got != want {
					t.Errorf("%s: Count = %+v, %v; want %+v", id, got, err, want)
				}
				if data, err := os.ReadFile(cache); err != nil || !json.Valid(data) {
					t.Errorf("%s: the file holds %q, %v", id, data, err)
				}
			}
		})
	}
	group.Wait()
	left, err := os.ReadDir(filepath.Dir(cache))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v; want only the cache", left, err)
	}
}

// TestCountProperty: any history, counted at any moments with one cache, is the
// sum of the month's batches, and nothing is read twice.
func TestCountProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := []string{"E1", "E2", "E3"}[:rapid.IntRange(1, 3).Draw(rt, "distributions")]
		a, cache := newAccount(ids...), filepath.Join(t.TempDir(), "ledger.json")
		a.now = november.AddDate(0, -1, 20)
		sums, batches, reads := map[time.Time]int{}, 0, 0
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			a.now = a.now.Add(time.Duration(rapid.Int64Range(0, int64(20*24*time.Hour)).Draw(rt, "pause")))
			month := time.Date(a.now.Year(), a.now.Month(), 1, 0, 0, 0, 0, time.UTC)
			if rapid.Bool().Draw(rt, "invalidate") {
				n := rapid.IntRange(1, 9).Draw(rt, "paths")
				a.invalidate(rt, rapid.SampledFrom(ids).Draw(rt, "id"), n)
				sums[month] += n
				batches++
				continue
			}
			a.ResetCalls()
			got, err := ledger.Count(t.Context(), a, nil, a.now, cache)
			if want := (ledger.Usage{Used: sums[month], Month: month, Whole: true}); err != nil || got != want {
				rt.Fatalf("Count = %+v, %v; want %+v", got, err, want)
			}
			reads += a.requests().Reads
		}
		if reads > batches {
			rt.Errorf("%d reads of %d batches", reads, batches)
		}
	})
}
