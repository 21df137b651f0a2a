package control

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"pgregory.net/rapid"
)

// hand is a clock that a test moves.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func numbered(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint("/p", i))
	}
	return out
}

// spec: cloudfront 1.3, the present quotas: 150 paths or tags and one wildcard a second.
func TestCurrentLimits(t *testing.T) {
	clock := &hand{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	f := start(t, Options{Limits: CurrentLimits(), Now: clock.Now})
	rows := []struct {
		after time.Duration
		ref   string
		items []string
		code  string
	}{
		{0, "a", numbered(150), ""},
		{0, "b", []string{"/one-more"}, "Throttling"},
		{0, "c", []string{"/w*"}, ""},
		{0, "d", []string{"/v*"}, "Throttling"},
		{0, "a", numbered(150), ""}, // a repeat costs nothing
		{500 * time.Millisecond, "e", numbered(75), ""},
		{0, "f", []string{"/v*"}, "Throttling"},
		{0, "g", []string{"#tag*"}, "Throttling"}, // a path's worth, and the paths are spent
		{500 * time.Millisecond, "h", append(numbered(75), "/v*"), ""},
		{0, "i", numbered(151), "BatchTooLarge"},
		{time.Hour, "j", []string{"/v*", "/w*"}, "BatchTooLarge"},
		{0, "k", []string{"/v*", "no slash"}, "InvalidArgument"},
		{0, "l", append(numbered(149), "#tag"), ""},
		{-time.Minute, "m", []string{"/a"}, "Throttling"}, // a clock that goes back refills nothing
	}
	for _, row := range rows {
		clock.move(row.after)
		_, err := f.invalidate(t.Context(), row.ref, row.items...)
		if row.code == "" && err != nil {
			t.Errorf("%s: %v", row.ref, err)
		} else if row.code != "" {
			wantCode(t, err, row.code)
		}
	}
}

// spec: cloudfront 1.3, the former quotas: 3,000 paths and 15 wildcards in progress.
func TestLegacyLimits(t *testing.T) {
	f := start(t, Options{Limits: LegacyLimits()})
	release := f.edges.hold()
	defer release()
	wildcards := func(n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("/w%d*", i))
		}
		return out
	}
	if _, err := f.invalidate(t.Context(), "a", numbered(2999)...); err != nil {
		t.Fatal(err)
	}
	if _, err := f.invalidate(t.Context(), "b", wildcards(15)...); err != nil {
		t.Fatal(err) // counted apart
	}
	_, err := f.invalidate(t.Context(), "c", "/w*")
	var busy *types.TooManyInvalidationsInProgress
	if !errors.As(err, &busy) || !strings.HasPrefix(busy.ErrorMessage(), "Processing your request") {
		t.Errorf("a wildcard more: %v", err)
	}
	last, err := f.invalidate(t.Context(), "d", "/last")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.invalidate(t.Context(), "e", "/one-more")
	wantCode(t, err, "TooManyInvalidationsInProgress")
	release()
	f.await(t, *last.Invalidation.Id)
	if _, err := f.invalidate(t.Context(), "e", "/one-more", "/w*"); err != nil {
		t.Error(err)
	}
}

// A star makes a wildcard of a path only, and only at its end; spec: cloudfront 1.1 and 2.
func TestLoadOf(t *testing.T) {
	if got, want := loadOf([]string{"/a", "/*", "/a*b", "#tag", "#tag*", "/b*"}), (load{paths: 4, wildcards: 2}); got != want {
		t.Errorf("load %+v, want %+v", got, want)
	}
}

// In no second does a meter let more than twice its rate pass, nor in a long time more than its rate and one burst.
func TestMeterProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 200).Draw(t, "rate")
		var m meter
		begin := time.Unix(0, 0)
		now, passed := begin, 0
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			n := rapid.IntRange(1, rate).Draw(t, "n")
			if m.take(n, rate, now) {
				passed += n
			}
			if most := float64(rate)*(1+now.Sub(begin).Seconds()) + 0.01; float64(passed) > most {
				t.Fatalf("%d passed, want at most %v", passed, most)
			}
		}
		if !m.take(rate, rate, now.Add(time.Second)) {
			t.Fatal("a whole second refills not the whole")
		}
	})
}

// Slow completion: each invalidation reaches the edges so long after it was accepted, not one after the other; a
// distribution that is deleted meanwhile holds nothing up, and Close does not wait.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{Delay: 20 * time.Second})
		put(t, s, id, "1", "/a")
		time.Sleep(5 * time.Second)
		put(t, s, id, "2", "/b")
		for _, step := range []struct {
			sleep time.Duration
			want  int
		}{{14 * time.Second, 0}, {2 * time.Second, 1}, {3 * time.Second, 1}, {2 * time.Second, 2}} {
			time.Sleep(step.sleep)
			synctest.Wait()
			if got := len(edges.seen()); got != step.want {
				t.Errorf("%d applied, want %d", got, step.want)
			}
		}
		put(t, s, id, "3", "/c")
		began := time.Now()
		if err := s.Close(); err != nil || time.Since(began) > time.Second || len(edges.seen()) != 3 {
			t.Errorf("Close: %v after %s, %d applied", err, time.Since(began), len(edges.seen()))
		}
	})
}

// An answer that is lost: the connection closes, and the invalidation is there.
func TestLostAnswer(t *testing.T) {
	lost := true
	f := start(t, Options{Fault: func(operation string) *Fault {
		if operation != "CreateInvalidation" || !lost {
			return nil
		}
		lost = false
		return &Fault{AfterEffect: true, Drop: true}
	}})
	if _, err := f.invalidate(t.Context(), "a", "/a"); err == nil {
		t.Error("an answer came")
	}
	again, err := f.invalidate(t.Context(), "a", "/a")
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID})
	if err != nil || len(all.InvalidationList.Items) != 1 || *all.InvalidationList.Items[0].Id != *again.Invalidation.Id {
		t.Errorf("listed %v, %v", all, err)
	}
}

// spec: cloudfront 1.5, the documented code, for those who want it.
func TestDocumentedReuse(t *testing.T) {
	f := start(t, Options{DocumentedReuse: true})
	if _, err := f.invalidate(t.Context(), "a", "/a"); err != nil {
		t.Fatal(err)
	}
	_, err := f.invalidate(t.Context(), "a", "/b")
	wantCode(t, err, "InvalidationBatchAlreadyExists")
}
