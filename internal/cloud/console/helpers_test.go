package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/cloud/console/releases"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const testHost = "127.0.0.1:8081"

// noon is the time of every test that looks at one.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type fakeCache struct {
	stats   edge.Stats
	objects []edge.ObjectInfo
	dropped map[uint64]edge.Dropped
	mu      sync.Mutex // guards version
	version uint64
	err     error
	walking func() // called at the beginning of each walk
}

func (c *fakeCache) Stats() edge.Stats { return c.stats }

func (c *fakeCache) Inspect(ctx context.Context, wanted func(string) bool, visit func(*edge.ObjectInfo) bool) error {
	if c.walking != nil {
		c.walking()
	}
	var info edge.ObjectInfo
	for _, o := range c.objects {
		if wanted(o.URI) {
			tags := append(info.Tags[:0], o.Tags...) // good for one call only
			info = o
			if info.Tags = tags; !visit(&info) {
				return nil
			}
		}
	}
	return errors.Join(c.err, ctx.Err())
}

// Preview takes items for whole URIs.
func (c *fakeCache) Preview(ctx context.Context, items []string, visit func(*edge.ObjectInfo, []int) bool) error {
	for _, o := range c.objects {
		var by []int
		for i, item := range items {
			if item == o.URI || item == "/*" {
				by = append(by, i)
			}
		}
		if by != nil && !visit(&o, by) {
			return nil
		}
	}
	return errors.Join(c.err, ctx.Err())
}

func (c *fakeCache) Dropped(number uint64) (edge.Dropped, bool) {
	d, ok := c.dropped[number]
	return d, ok
}

func (c *fakeCache) DropsVersion() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

type fakeInvalidations struct {
	mu   sync.Mutex       // guards mark and err
	list []control.Recent // newest first
	mark control.Mark
	err  error
}

func (f *fakeInvalidations) Recent(distribution string, n int) ([]control.Recent, error) {
	if distribution != "EDIST" {
		return nil, errors.New("the wrong distribution: " + distribution)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list[:min(n, len(f.list))], f.err
}

func (f *fakeInvalidations) at(id string) int {
	return slices.IndexFunc(f.list, func(r control.Recent) bool { return r.ID == id })
}

func (f *fakeInvalidations) Before(_, id string, n int) ([]control.Recent, error) {
	i := f.at(id)
	if i < 0 {
		return nil, control.ErrUnknown
	}
	return f.list[i+1 : min(i+1+n, len(f.list))], f.err
}

func (f *fakeInvalidations) Invalidation(_, id string) (control.Recent, error) {
	i := f.at(id)
	if i < 0 {
		return control.Recent{}, control.ErrUnknown
	}
	return f.list[i], f.err
}

func (f *fakeInvalidations) Mark(string) (control.Mark, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mark, f.err
}

type fakeReleases struct {
	mu      sync.Mutex // guards version and err
	version string
	history releases.History
	diff    releases.Difference
	err     error
}

func (f *fakeReleases) Version(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version, f.err
}

func (f *fakeReleases) List(context.Context) (releases.History, error) { return f.history, f.err }

func (f *fakeReleases) Diff(context.Context, string, int) (releases.Difference, error) {
	return f.diff, f.err
}

// fixture is a console with everything fake behind it.
type fixture struct {
	cache         fakeCache
	invalidations fakeInvalidations
	releases      fakeReleases
	events        *Events
	console       *Console
	handler       http.Handler
}

func newFixture(change ...func(*Options)) *fixture {
	f := &fixture{events: NewEvents()}
	opts := Options{
		Name: "local", Host: testHost, Viewers: "http://127.0.0.1:8080", Facts: []Fact{{"Bucket", "site", false}}, Distribution: "EDIST",
		Cache: &f.cache, Invalidations: &f.invalidations, Releases: &f.releases, Events: f.events, Now: func() time.Time { return noon },
	}
	for _, c := range change {
		c(&opts)
	}
	f.console = New(opts)
	f.handler = f.console
	return f
}

// change does something to what is behind the console while it may be asked.
func (f *fixture) change(do func()) {
	for _, mu := range []*sync.Mutex{&f.cache.mu, &f.invalidations.mu, &f.releases.mu} {
		mu.Lock()
		defer mu.Unlock()
	}
	do()
}

// alone is an edge without control API and bucket.
func alone(o *Options) { o.Invalidations, o.Releases, o.Name, o.Distribution = nil, nil, "edge", "" }

// send asks with headers given as name, value, name, value.
func (f *fixture) send(t *testing.T, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Host = testHost
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// fetch reads JSON from target and returns the status.
func fetch[T any](t *testing.T, f *fixture, target string) (v T, status int) {
	t.Helper()
	w := f.send(t, "GET", target)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s answered %d %v: %s, %v", target, w.Code, w.Header(), w.Body, err)
	}
	return v, w.Code
}

// refusal is the answer to what cannot be answered.
type refusal struct{ Error string }

// request is the n-th viewer's request of a test.
func request(n int) Request {
	return Request{
		Time: noon.Add(time.Duration(n) * time.Second), Duration: 1234 * time.Microsecond,
		Method: "GET", Path: "/" + string(rune('a'+n%26)), Status: 200, Cache: "Hit from cloudfront", Bytes: int64(n),
	}
}
