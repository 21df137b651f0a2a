package edgenode

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

// life is one process's replica over a folder that outlives it; its origin answers with what it is told.
type life struct {
	*replica
	tenants *tenants.Tenants
	t       *testing.T
	answer  string
	tag     string // value of the origin's tag headers
	broken  error  // no origin can be opened
}

func (l *life) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{"Cache-Control": {"max-age=600"}, "Old-Tag": {l.tag}, "New-Tag": {l.tag}}
	return &http.Response{StatusCode: 200, Header: header, ContentLength: int64(len(l.answer)), Body: io.NopCloser(strings.NewReader(l.answer)), Request: r}, nil
}

func begin(t *testing.T, dir, answer string) *life {
	l := &life{t: t, answer: answer, tag: "a"}
	all := tenants.New(tenants.Options{
		Origin: func(o control.Origin, _ http.RoundTripper) (edge.Origin, error) {
			return edge.Origin{Host: o.DomainName, Transport: l}, l.broken
		},
		Domain: func(id string) string { return id }, Dir: dir, DiskBytes: 64 << 20,
	})
	l.tenants = all
	l.replica = &replica{caches: all, known: map[string]bool{}, logger: slog.New(slog.DiscardHandler)}
	t.Cleanup(all.Close)
	return l
}

// tagged is the configuration of a distribution whose objects have their tags in a header.
func tagged(header string) control.Effect {
	cfg := control.DistributionConfig{
		CallerReference: "r", Enabled: true, Origins: []control.Origin{{ID: "o", DomainName: "o.example"}}, CacheTagConfig: &control.CacheTagConfig{HeaderName: header},
		DefaultCacheBehavior: control.CacheBehavior{TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", AllowedMethods: []string{"HEAD", "GET"}},
	}
	cfg.DefaultCacheBehavior.Policies.Cache.MaxTTL, cfg.DefaultCacheBehavior.Policies.Cache.DefaultTTL = 1<<40, 1<<40
	return control.Effect{Kind: control.Configure, Distribution: "E1", Config: cfg}
}

func (l *life) do(sequence uint64, effects ...control.Effect) {
	l.t.Helper()
	if err := l.carryOut(context.Background(), sequence, effects); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) want(body string) {
	l.t.Helper()
	w := httptest.NewRecorder()
	l.tenants.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://e1/", nil))
	if got := w.Body.String(); got != body {
		l.t.Errorf("got %q, want %q", got, body)
	}
}

// cached leaves an object in a folder.
func cached(t *testing.T, header string) (dir string) {
	dir = t.TempDir()
	l := begin(t, dir, "old")
	l.do(4, tagged(header))
	l.want("old")
	l.tenants.Close()
	again := begin(t, dir, "new")
	again.do(4, tagged(header))
	again.want("old") // or the test tests nothing
	again.tenants.Close()
	return dir
}

// A distribution that cannot be served for a while misses its invalidations: what is in its folder from before is not served afterwards.
func TestUnservedMissesNothing(t *testing.T) {
	l := begin(t, cached(t, "old-tag"), "new")
	l.broken = errors.New("for now")
	l.do(5, tagged("old-tag"))
	l.do(6, control.Effect{Kind: control.Invalidate, Distribution: "E1", Items: []string{"/*"}})
	l.broken = nil
	l.do(7, tagged("old-tag"))
	l.want("new")
}

// An invalidation by tag that is made up for after the distribution's tag header has changed covers what was cached under the header of then.
func TestMissedTagsAreOfAnyHeader(t *testing.T) {
	for name, row := range map[string]struct{ then, now, want string }{
		"the same header": {"Old-Tag", "Old-Tag", "new"},
		"another header":  {"Old-Tag", "New-Tag", "new"},
		"none any more":   {"Old-Tag", "", "new"},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, cached(t, row.then), "new")
			now := tagged(row.now)
			if row.now == "" {
				now.Config.CacheTagConfig = nil
			}
			l.do(6, now) // a snapshot's
			replay(t, l, 5, "#b")
			l.want("old")
			replay(t, l, 6, "#a")
			l.want(row.want)
		})
	}
}

func replay(t *testing.T, l *life, sequence uint64, item string) {
	t.Helper()
	if err := l.makeUp(sequence, []control.Effect{{Kind: control.Invalidate, Distribution: "E1", Items: []string{item}}}); err != nil {
		t.Fatal(err)
	}
}
