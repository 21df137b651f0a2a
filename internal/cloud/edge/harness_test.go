package edge

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

var errDown = errors.New("connection refused")

// fakeOrigin is an origin that counts and remembers what it is asked.
type fakeOrigin struct {
	answer func(*http.Request) (*http.Response, error)

	mu    sync.Mutex // guards asked
	asked []*http.Request
}

func (o *fakeOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	o.asked = append(o.asked, r)
	o.mu.Unlock()
	return o.answer(r)
}

func (o *fakeOrigin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

func (o *fakeOrigin) last() *http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[len(o.asked)-1]
}

// reply makes a response; headers are "Name: value".
func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"text/plain"}}
	addHeaders(h, headers)
	return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

func addHeaders(h http.Header, headers []string) {
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
}

// always answers every request alike.
func always(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, headers...), nil }
}

// bench is an edge in front of a fake origin, with a clock that stands still.
type bench struct {
	*Edge
	t      testing.TB
	origin *fakeOrigin
	mu     sync.Mutex // guards now
	now    time.Time
}

func basicConfig(origin http.RoundTripper) Config {
	return Config{
		Domain:  "d111111abcdef8.cloudfront.net",
		Default: Behavior{OriginID: "site", Policy: CachePolicy{DefaultTTL: 24 * time.Hour, MaxTTL: 8760 * time.Hour}},
		Origins: map[string]Origin{"site": {Host: "bucket.example", Transport: origin, S3: true}},
	}
}

// newBench starts an edge; change may alter config and options first.
func newBench(t testing.TB, answer func(*http.Request) (*http.Response, error), change ...func(*Config, *Options)) *bench {
	t.Helper()
	b := &bench{t: t, origin: &fakeOrigin{answer: answer}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	cfg, opts := basicConfig(b.origin), Options{Now: b.clock, SweepInterval: time.Hour}
	for _, c := range change {
		c(&cfg, &opts)
	}
	e, err := New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	b.Edge = e
	t.Cleanup(e.Close)
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// do sends one request; headers are "Name: value".
func (b *bench) do(method, target string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	addHeaders(r.Header, headers)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func (b *bench) get(target string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(http.MethodGet, target, headers...)
}

// want checks status, X-Cache (without " from cloudfront") and body of one GET.
func (b *bench) want(target string, status int, result, body string) {
	b.t.Helper()
	w := b.get(target)
	if got := strings.TrimSuffix(w.Header().Get("X-Cache"), " from cloudfront"); w.Code != status || got != result || w.Body.String() != body {
		b.t.Errorf("GET %s = %d %s %q, want %d %s %q", target, w.Code, got, w.Body, status, result, body)
	}
}

// asked checks how many requests the origin has seen so far.
func (b *bench) asked(want int) {
	b.t.Helper()
	if got := b.origin.count(); got != want {
		b.t.Errorf("the origin was asked %d times, want %d", got, want)
	}
}

func (b *bench) invalidate(items ...string) {
	b.t.Helper()
	if _, err := b.Invalidate(items); err != nil {
		b.t.Fatal(err)
	}
}

func policy(p CachePolicy) func(*Config, *Options) {
	return func(c *Config, _ *Options) { c.Default.Policy = p }
}

// counter returns an answer that numbers its bodies 1, 2, 3, with the given headers.
func counter(headers ...string) func(*http.Request) (*http.Response, error) {
	var mu sync.Mutex
	n := 0
	return func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		return reply(200, strconv.Itoa(n), headers...), nil
	}
}
