package console

import (
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

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
}

func (c *fakeCache) Stats() edge.Stats                  { return c.stats }
func (c *fakeCache) Objects() iter.Seq[edge.ObjectInfo] { return slices.Values(c.objects) }

type fakeInvalidations struct {
	list []control.Recent
	err  error
}

func (f *fakeInvalidations) Recent(distribution string, n int) ([]control.Recent, error) {
	if distribution != "EDIST" {
		return nil, errors.New("the wrong distribution: " + distribution)
	}
	return f.list[:min(n, len(f.list))], f.err
}

// fixture is a console with everything fake behind it.
type fixture struct {
	cache         fakeCache
	invalidations fakeInvalidations
	events        *Events
	handler       http.Handler
}

func newFixture() *fixture {
	f := &fixture{events: NewEvents()}
	f.handler = New(Options{
		S3: "http://127.0.0.1:9000", Control: "http://127.0.0.1:9001", Edge: "http://127.0.0.1:8080", Host: testHost,
		Bucket: "site", Distribution: "EDIST", Cache: &f.cache, Invalidations: &f.invalidations, Events: f.events,
		Now: func() time.Time { return noon },
	})
	return f
}

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

// request is the n-th viewer's request of a test.
func request(n int) Request {
	return Request{
		Time: noon.Add(time.Duration(n) * time.Second), Duration: 1234 * time.Microsecond,
		Method: "GET", Path: "/" + string(rune('a'+n%26)), Status: 200, Cache: "Hit from cloudfront", Bytes: int64(n),
	}
}
