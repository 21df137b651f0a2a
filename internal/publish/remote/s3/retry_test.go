package s3_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

// TestRetriesAreTold compares what is told with the pauses between requests, on
// a clock that costs nothing.
func TestRetriesAreTold(t *testing.T) {
	isolate(t)
	answers := map[string]func(*http.Request) (*http.Response, error){
		"S3 asks to slow down (503 SlowDown)": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{}, Request: r,
				Body: io.NopCloser(strings.NewReader("<Error><Code>SlowDown</Code><Message>no</Message></Error>"))}, nil
		},
		"the connection to S3 was reset": func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("read tcp: %w", syscall.ECONNRESET)
		},
	}
	absent := page("a")
	absent.If.Absent = true
	for reason, answer := range answers {
		for _, p := range []remote.Put{page("a"), absent} {
			t.Run(fmt.Sprintf("%s, %+v", reason, p.If), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { checkNotes(t, p, reason, answer) })
			})
		}
	}
}

func checkNotes(t *testing.T, p remote.Put, reason string, answer func(*http.Request) (*http.Response, error)) {
	var notes, want []string
	var last time.Time
	requests := 0
	store, err := s3.Open(t.Context(), s3.Options{
		Bucket: bucket, Region: "eu-central-1", Credentials: keys,
		OnRetry: func(note string) { notes = append(notes, note) },
		HTTPClient: clientFunc(func(r *http.Request) (*http.Response, error) {
			if pause := time.Since(last); requests > 0 && pause >= 200*time.Millisecond {
				want = append(want, fmt.Sprintf("%s; trying again in %.1fs", reason, pause.Seconds()))
			}
			requests++
			last = time.Now()
			return answer(r)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), p); !errors.Is(err, remote.ErrTemporary) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(notes, want); diff != "" {
		t.Errorf("notes (-got +want):\n%s", diff)
	}
	conditional := p.If != remote.Condition{}
	if repeats := requests > 1; repeats != (!conditional || strings.Contains(reason, "SlowDown")) {
		t.Errorf("%d requests", requests)
	}
}

// TestCopyOntoItselfIsNotRepeated: a copy onto itself may change the ETag that it
// depends on, so that a repeat would report itself as somebody else.
func TestCopyOntoItselfIsNotRepeated(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	rows := map[remote.Copy]int64{
		{From: "a", To: "b"}:                 2,
		{From: "a", To: "b", IfETag: "0123"}: 2,
		{From: "a", To: "a"}:                 2,
		{From: "a", To: "a", IfETag: "0123"}: 1,
	}
	for c, want := range rows {
		var requests atomic.Int64
		store := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			refuse(500, "InternalError", "")(w, r)
		}), "")
		_, err := store.Copy(t.Context(), c)
		wantOnly(t, err, remote.ErrTemporary)
		if got := requests.Load(); got != want {
			t.Errorf("%+v: %d requests, want %d", c, got, want)
		}
	}
}

// TestCopySendsTheCondition looks at the header itself.
func TestCopySendsTheCondition(t *testing.T) {
	isolate(t)
	r := &recorder{next: serve(t)}
	store := open(t, r, "")
	if _, err := store.Copy(t.Context(), remote.Copy{From: "a", To: "b", IfETag: "0123"}); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := store.Copy(t.Context(), remote.Copy{From: "a", To: "b"}); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	var got []string
	for _, req := range r.seen {
		got = append(got, strings.Join(req.Header["X-Amz-Copy-Source-If-Match"], "|"))
	}
	if diff := cmp.Diff(got, []string{`"0123"`, ""}); diff != "" {
		t.Errorf("conditions (-got +want):\n%s", diff)
	}
}

// TestWrongClock: the SDK corrects a clock by the Date of the refusal; also for a
// conditional write, which was certainly refused. Without a Date it cannot.
func TestWrongClock(t *testing.T) {
	isolate(t)
	for _, tells := range []bool{true, false} {
		t.Run(fmt.Sprintf("the service tells its time: %v", tells), func(t *testing.T) {
			const ahead = time.Hour
			store := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				now := time.Now().UTC().Add(ahead)
				w.Header()["Date"] = nil
				if tells {
					w.Header().Set("Date", now.Format(http.TimeFormat))
				}
				signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				if err != nil || now.Sub(signed).Abs() > 15*time.Minute {
					io.Copy(io.Discard, r.Body)
					refuse(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")(w, r)
					return
				}
				w.WriteHeader(http.StatusOK)
			}), "")
			p := page("a")
			p.If.Absent = true
			_, err := store.Put(t.Context(), p)
			if tells {
				if err != nil {
					t.Errorf("Put: %v", err)
				}
				return
			}
			wantOnly(t, err, remote.ErrClock)
		})
	}
}

// TestForeignHeaders: a service that keeps headers which a copy onto itself was
// told to drop.
func TestForeignHeaders(t *testing.T) {
	isolate(t)
	inner := serve(t)
	old := site.Headers{ContentType: "text/html", CacheControl: "public", ContentLanguage: "en"}
	var mu sync.Mutex
	during := func() {}
	store := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Copy-Source") != "" && r.Header.Get("Cache-Control") == "" {
			r.Header.Set("Cache-Control", old.CacheControl)
			inner.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			during()
			return
		}
		inner.ServeHTTP(w, r)
	}), "p/")
	plain := open(t, inner, "p/")
	put := func(data string) string {
		p := page("a")
		p.Size, p.Headers = int64(len(data)), old
		p.Digest, p.Body = sha256.Sum256([]byte(data)), strings.NewReader(data)
		tag, err := plain.Put(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		return tag
	}
	want := site.Headers{ContentType: "text/html", ContentLanguage: "de"}
	check := func(data string, headers site.Headers) {
		t.Helper()
		got, tag, err := plain.Get(t.Context(), "a")
		head, headErr := plain.Head(t.Context(), "a")
		if err != nil || headErr != nil || string(got) != data || head.Headers != headers || head.ETag != tag {
			t.Errorf("the object is %q, %+v; %v, %v", got, head, err, headErr)
		}
	}
	for _, condition := range []bool{true, false} {
		c := remote.Copy{From: "a", To: "a", Headers: want}
		if tag := put("old"); condition {
			c.IfETag = tag
		}
		if _, err := store.Copy(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check("old", want)
	}
	tag := put("old")
	during = func() { put("somebody else's") }
	if _, err := store.Copy(t.Context(), remote.Copy{From: "a", To: "a", Headers: want, IfETag: tag}); err != nil {
		t.Fatal(err)
	}
	check("somebody else's", old)
}
