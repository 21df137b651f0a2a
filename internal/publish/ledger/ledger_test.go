package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// account is a CDN with a clock that tests move.
type account struct {
	*memory.CDN
	now  time.Time
	made int
}

func newAccount(ids ...string) *account {
	a := &account{now: november.AddDate(0, 0, 21)}
	var all []remote.Distribution
	for _, id := range ids {
		all = append(all, remote.Distribution{ID: id})
	}
	a.CDN = memory.NewCDN(memory.CDNOptions{Distributions: all, Now: func() time.Time { return a.now }})
	return a
}

// invalidate sends a batch of n paths at the time of the clock.
func (a *account) invalidate(t failer, id string, n int) {
	t.Helper()
	a.made++
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf("/%d", i))
	}
	if _, err := a.Invalidate(context.Background(), id, fmt.Sprint("reference-", a.made), items); err != nil {
		t.Fatal(err)
	}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
}

// requests are the calls since the last ResetCalls.
func (a *account) requests() requests {
	return requests{a.Count(memory.OpDistributions), a.Count(memory.OpInvalidations), a.Count(memory.OpInvalidation)}
}

type requests struct{ Distributions, Lists, Reads int }

// fault injects a fault into one operation; key "" is any.
func (a *account) fault(op, key string, f memory.Fault) {
	a.SetHook(func(o, k string) memory.Fault {
		if o == op && (key == "" || k == key) {
			return f
		}
		return memory.Fault{}
	})
}

// count resets the log of calls before it counts.
func (a *account) count(t *testing.T, cache string, own ...string) ledger.Usage {
	t.Helper()
	a.ResetCalls()
	got, err := ledger.Count(t.Context(), a, own, a.now, cache)
	if err != nil {
		t.Fatalf("Count: %v", err)
	}
	return got
}

func whole(used int) ledger.Usage {
	return ledger.Usage{Used: used, Month: november, Whole: true}
}

func partly(used int, note string) ledger.Usage {
	return ledger.Usage{Used: used, Month: november, Note: note}
}

func wantUsage(t *testing.T, what string, got, want ledger.Usage) {
	t.Helper()
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

func wantRequests(t *testing.T, what string, a *account, want requests) {
	t.Helper()
	if diff := cmp.Diff(a.requests(), want); diff != "" {
		t.Errorf("%s: requests (-got +want):\n%s", what, diff)
	}
}

// TestEachIsAskedForOnce: over all distributions, and later counts read only
// what is new.
func TestEachIsAskedForOnce(t *testing.T) {
	a, cache := newAccount("E1", "E2", "E3"), filepath.Join(t.TempDir(), "new", "folder", "ledger.json")
	wantUsage(t, "nothing", a.count(t, cache), whole(0))
	wantRequests(t, "nothing", a, requests{1, 3, 0})
	if _, err := os.Stat(cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made for nothing: %v", err)
	}
	a.invalidate(t, "E1", 1)
	a.invalidate(t, "E1", 20)
	a.invalidate(t, "E3", 300)
	wantUsage(t, "first", a.count(t, cache, "E3", "", "E1", "E3"), whole(321))
	wantRequests(t, "first", a, requests{1, 3, 3})
	wantUsage(t, "again", a.count(t, cache), whole(321))
	wantRequests(t, "again", a, requests{1, 3, 0})
	a.invalidate(t, "E2", 4000)
	wantUsage(t, "one more", a.count(t, cache), whole(4321))
	wantRequests(t, "one more", a, requests{1, 3, 1})
	wantUsage(t, "without a cache", a.count(t, ""), whole(4321))
	wantRequests(t, "without a cache", a, requests{1, 3, 4})
}

func TestMonth(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	december := november.AddDate(0, 1, 0)
	for n, at := range []time.Time{november.Add(-time.Millisecond), november, december.Add(-time.Millisecond), december, december.AddDate(0, 0, 1)} {
		a.now = at
		a.invalidate(t, "E1", 1<<n)
	}
	east, west := time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)
	rows := []struct {
		name  string
		now   time.Time
		used  int
		month time.Time
		reads int // requests for items
	}{
		{"October to its last instant", november.Add(-1), 1, november.AddDate(0, -1, 0), 1},
		{"November from its first", november, 2 + 4, november, 2},
		{"where it is November already", november.Add(-time.Hour).In(east), 1, november.AddDate(0, -1, 0), 1}, // dropped as past, so read again
		{"where it is November still", december.In(west), 8 + 16, december, 2},
		{"the last instant, with December known", december.Add(-1), 2 + 4, november, 2},
		{"December, which is known", december.Add(1), 8 + 16, december, 0},
	}
	for _, r := range rows {
		a.ResetCalls()
		got, err := ledger.Count(t.Context(), a, nil, r.now, cache)
		if err != nil {
			t.Fatal(err)
		}
		wantUsage(t, r.name, got, ledger.Usage{Used: r.used, Month: r.month, Whole: true})
		wantRequests(t, r.name, a, requests{1, 1, r.reads})
	}
}

// TestNotWhole: a missing right, throttling and the like never make the count
// fail or claim to be whole.
func TestNotWhole(t *testing.T) {
	denied, throttled := memory.FailBefore(remote.ErrDenied), memory.FailBefore(remote.ErrTemporary)
	const first = "I0000000000001" // the only one of E1; E2 has two, E3 has 20
	rows := []struct {
		name, op, key string
		fault         memory.Fault
		own           []string
		used          int
		note          string
		lists         int
	}{
		{"no right to list distributions", memory.OpDistributions, "", denied, []string{"E1"}, 10,
			"cloudfront:ListDistributions is denied, so only E1 is counted", 1},
		{"and two are known", memory.OpDistributions, "", denied, []string{"E2", "E1"}, 1110,
			"cloudfront:ListDistributions is denied, so only E2 and E1 are counted", 2},
		{"and none is known", memory.OpDistributions, "", denied, nil, 0,
			"cloudfront:ListDistributions is denied, so nothing is counted", 0},
		{"distributions are throttled", memory.OpDistributions, "", throttled, []string{"E1"}, 10,
			"CloudFront throttles or does not answer cloudfront:ListDistributions, so only E1 is counted", 1},
		{"distributions are not supported", memory.OpDistributions, "", memory.FailBefore(remote.ErrUnsupported), []string{"E1"}, 10,
			"this service does not answer cloudfront:ListDistributions as CloudFront does, so only E1 is counted", 1},
		{"no right to list those of E2", memory.OpInvalidations, "E2", denied, nil, 2010,
			"cloudfront:ListInvalidations is denied on E2, so E2 is not counted in full", 3},
		{"no right to list any", memory.OpInvalidations, "", denied, nil, 0,
			"cloudfront:ListInvalidations is denied on E1, E2 and E3, so E1, E2 and E3 are not counted in full", 3},
		{"an own one is gone", "", "", memory.Fault{}, []string{"E9"}, 3110,
			"cloudfront:ListInvalidations found nothing on E9, so E9 is not counted in full", 4},
		{"one cannot be read", memory.OpInvalidation, first, denied, nil, 3100,
			"cloudfront:GetInvalidation is denied on E1, so 1 of this month's invalidations is not counted", 3},
		{"none can be read", memory.OpInvalidation, "", denied, nil, 0,
			"cloudfront:GetInvalidation is denied on E1, E2 and E3, so 23 of this month's invalidations are not counted", 3},
		{"one was forgotten in between", memory.OpInvalidation, first, memory.FailBefore(remote.ErrNotFound), nil, 3100,
			"cloudfront:GetInvalidation found nothing on E1, so 1 of this month's invalidations is not counted", 3},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			a := newAccount("E1", "E2", "E3")
			a.invalidate(t, "E1", 10)
			a.invalidate(t, "E2", 100)
			a.invalidate(t, "E2", 1000)
			for range 20 {
				a.invalidate(t, "E3", 100)
			}
			cache := filepath.Join(t.TempDir(), "ledger.json")
			a.fault(r.op, r.key, r.fault)
			wantUsage(t, "with the fault", a.count(t, cache, r.own...), partly(r.used, r.note))
			if got := a.requests(); got.Lists != r.lists {
				t.Errorf("%d lists, want %d", got.Lists, r.lists)
			}
			a.SetHook(nil)
			wantUsage(t, "afterwards", a.count(t, cache), whole(3110))
		})
	}
}

// TestThrottledReads: it stops asking, keeps what it learned, and the next
// count goes on from there.
func TestThrottledReads(t *testing.T) {
	a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
	for range 100 {
		a.invalidate(t, "E1", 2)
	}
	left := make(chan struct{}, 30) // reads that succeed
	for range cap(left) {
		left <- struct{}{}
	}
	a.SetHook(func(op, _ string) memory.Fault {
		if op != memory.OpInvalidation {
			return memory.Fault{}
		}
		select {
		case <-left:
			return memory.Fault{}
		default:
			return memory.FailBefore(remote.ErrTemporary)
		}
	})
	wantUsage(t, "throttled", a.count(t, cache), partly(60,
		"CloudFront throttles or does not answer cloudfront:GetInvalidation, so 70 of this month's invalidations are not counted"))
	if n := a.requests().Reads; n < 31 || n > 30+8 {
		t.Errorf("%d reads, want 30 and at most 8 that were throttled", n)
	}
	a.SetHook(nil)
	wantUsage(t, "afterwards", a.count(t, cache), whole(200))
	wantRequests(t, "afterwards", a, requests{1, 1, 70})
}

// TestThrottledLists: own distributions come first, and what comes first is
// asked for; those that were not asked for any more are named with the one that
// was throttled.
func TestThrottledLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 20)
		for i := range ids {
			ids[i] = fmt.Sprintf("E%d", i+1)
		}
		a := newAccount(ids...)
		for _, id := range ids {
			a.invalidate(t, id, 1)
		}
		a.SetHook(func(op, key string) memory.Fault {
			switch {
			case op != memory.OpInvalidations:
				return memory.Fault{}
			case key == "E7": // the last of the first 8, while the other 7 wait
				return memory.FailBefore(remote.ErrTemporary)
			case key == "E20" || key < "E7" && len(key) == 2:
				return memory.Delay(time.Second)
			}
			return memory.FailBefore(errors.New("asked although throttled"))
		})
		got := a.count(t, "", "E20")
		wantUsage(t, "Count", got, partly(7, "CloudFront throttles or does not answer cloudfront:ListInvalidations, "+
			"so E7, E8, E9 and 10 more are not counted in full"))
	})
}

// TestDeniedReadsAreFew: one refusal speaks for the whole distribution.
func TestDeniedReadsAreFew(t *testing.T) {
	a := newAccount("E1")
	for range 100 {
		a.invalidate(t, "E1", 1)
	}
	a.fault(memory.OpInvalidation, "", memory.FailBefore(remote.ErrDenied))
	got := a.count(t, "")
	if got.Whole || got.Used != 0 {
		t.Errorf("Count = %+v", got)
	}
	if n := a.requests().Reads; n > 8 {
		t.Errorf("%d reads, want at most 8", n)
	}
}

// TestFailures: what is no matter of rights or patience is an error.
func TestFailures(t *testing.T) {
	for _, op := range []string{memory.OpDistributions, memory.OpInvalidations, memory.OpInvalidation} {
		for _, cause := range []error{remote.ErrCredentials, errors.New("odd answer")} {
			a := newAccount("E1", "E2")
			a.invalidate(t, "E1", 1)
			a.invalidate(t, "E2", 1)
			a.fault(op, "", memory.FailBefore(cause))
			got, err := ledger.Count(t.Context(), a, []string{"E1"}, a.now, "")
			if !errors.Is(err, cause) || got != (ledger.Usage{}) {
				t.Errorf("%s fails with %v: Count = %+v, %v", op, cause, got, err)
			}
		}
	}
}

// TestCanceled: the end of the context is an error wherever it comes, and what
// was learned before is kept.
func TestCanceled(t *testing.T) {
	for _, at := range []string{memory.OpDistributions, memory.OpInvalidations, memory.OpInvalidation} {
		t.Run(at, func(t *testing.T) {
			a, cache := newAccount("E1"), filepath.Join(t.TempDir(), "ledger.json")
			for range 40 {
				a.invalidate(t, "E1", 1)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a.SetHook(func(op, key string) memory.Fault {
				if op == at && (op != memory.OpInvalidation || key == "I0000000000001") { // the oldest is read last
					cancel()
				}
				return memory.Fault{}
			})
			if got, err := ledger.Count(ctx, a, nil, a.now, cache); !errors.Is(err, context.Canceled) || got != (ledger.Usage{}) {
				t.Errorf("Count = %+v, %v", got, err)
			}
			a.SetHook(nil)
			wantUsage(t, "afterwards", a.count(t, cache), whole(40))
			if n := a.requests().Reads; at == memory.OpInvalidation && n > 8 {
				t.Errorf("%d reads afterwards, want at most 8", n)
			}
		})
	}
}

// TestConcurrency: 24 reads of a second each take 3 seconds, 8 at a time.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount("E1")
		for range 24 {
			a.invalidate(t, "E1", 1)
		}
		a.fault(memory.OpInvalidation, "", memory.Delay(time.Second))
		began := time.Now()
		wantUsage(t, "Count", a.count(t, ""), whole(24))
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want 3s", took)
		}
	})
}
