package edge

import (
	"net/http"
	"testing"
	"time"
)

// script is an origin that follows a list of answers; the last one repeats.
func script(steps ...func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	n := 0
	return func(r *http.Request) (*http.Response, error) {
		step := steps[min(n, len(steps)-1)]
		n++
		return step(r)
	}
}

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// What follows a first answer "old" that lives 60 s, when it has expired.
func TestExpired(t *testing.T) {
	const etag = `Etag: "1"`
	type step struct {
		after  time.Duration
		status int
		result string
		body   string
		asked  int // in all
	}
	tests := []struct {
		spec   string
		first  []string
		policy CachePolicy
		then   []func(*http.Request) (*http.Response, error)
		steps  []step
	}{
		{
			spec: "3.2 304: RefreshHit, then a new lifetime", first: []string{etag},
			then:  []func(*http.Request) (*http.Response, error){always(304, "")},
			steps: []step{{61 * time.Second, 200, "RefreshHit", "old", 2}, {59 * time.Second, 200, "Hit", "old", 2}, {2 * time.Second, 200, "RefreshHit", "old", 3}},
		},
		{
			spec: "3.2 200: replaced", first: []string{etag},
			then:  []func(*http.Request) (*http.Response, error){always(200, "new")},
			steps: []step{{61 * time.Second, 200, "Miss", "new", 2}, {0, 200, "Hit", "new", 2}},
		},
		{
			spec: "3.2 404: gone, not stale", first: []string{etag},
			then:  []func(*http.Request) (*http.Response, error){always(404, "gone"), down},
			steps: []step{{61 * time.Second, 404, "Error", "gone", 2}, {5 * time.Second, 404, "Error", "gone", 2}},
		},
		{
			spec: "3.2 403: gone, and does not come back when the origin fails", first: []string{etag},
			then:  []func(*http.Request) (*http.Response, error){always(403, "no"), always(500, "broken")},
			steps: []step{{61 * time.Second, 403, "Error", "no", 2}, {0, 500, "Error", "broken", 3}},
		},
		{
			spec: "3.3 5xx: stale, asked again after 10 s", first: []string{etag},
			then: []func(*http.Request) (*http.Response, error){always(503, "busy")},
			steps: []step{
				{61 * time.Second, 200, "RefreshHit", "old", 2}, {9 * time.Second, 200, "RefreshHit", "old", 2}, {2 * time.Second, 200, "RefreshHit", "old", 3},
			},
		},
		{
			spec: "3.3 unreachable: stale, without validators too", first: nil,
			then:  []func(*http.Request) (*http.Response, error){down},
			steps: []step{{61 * time.Second, 200, "RefreshHit", "old", 2}},
		},
		{
			spec: "3.3 recovery", first: []string{etag},
			then:  []func(*http.Request) (*http.Response, error){down, always(200, "new")},
			steps: []step{{61 * time.Second, 200, "RefreshHit", "old", 2}, {11 * time.Second, 200, "Miss", "new", 3}},
		},
		{
			spec: "3.3 stale-if-error=0: the error at once", first: []string{etag, "Cache-Control: max-age=60, stale-if-error=0"},
			then:  []func(*http.Request) (*http.Response, error){always(503, "busy")},
			steps: []step{{61 * time.Second, 503, "Error", "busy", 2}},
		},
		{
			spec: "3.3 stale-if-error=30: not for longer", first: []string{etag, "Cache-Control: max-age=60, stale-if-error=30"},
			then:  []func(*http.Request) (*http.Response, error){always(503, "busy")},
			steps: []step{{89 * time.Second, 200, "RefreshHit", "old", 2}, {11 * time.Second, 503, "Error", "busy", 3}},
		},
		{
			spec: "3.3 Max TTL ends it all", first: []string{etag}, policy: CachePolicy{DefaultTTL: time.Minute, MaxTTL: 2 * time.Minute},
			then:  []func(*http.Request) (*http.Response, error){always(503, "busy")},
			steps: []step{{119 * time.Second, 200, "RefreshHit", "old", 2}, {12 * time.Second, 503, "Error", "busy", 3}},
		},
		{
			spec: "3.3 no-cache, unreachable: stale", first: []string{etag, "Cache-Control: no-cache"},
			then:  []func(*http.Request) (*http.Response, error){down},
			steps: []step{{0, 200, "RefreshHit", "old", 2}},
		},
		{
			spec: "3.3 no-store, unreachable: stale; 5xx: the error", first: []string{"Cache-Control: no-store"},
			then:  []func(*http.Request) (*http.Response, error){down, always(503, "busy")},
			steps: []step{{0, 200, "RefreshHit", "old", 2}, {11 * time.Second, 503, "Error", "busy", 3}},
		},
		{
			spec: "3.1 no-cache: RefreshHit each time", first: []string{etag, "Cache-Control: no-cache"},
			then:  []func(*http.Request) (*http.Response, error){always(304, "")},
			steps: []step{{0, 200, "RefreshHit", "old", 2}, {0, 200, "RefreshHit", "old", 3}},
		},
		{
			spec: "3.1 no-store: Miss each time", first: []string{etag, "Cache-Control: no-store"},
			then:  []func(*http.Request) (*http.Response, error){always(200, "new", "Cache-Control: no-store")},
			steps: []step{{0, 200, "Miss", "new", 2}, {0, 200, "Miss", "new", 3}},
		},
		{
			spec: "9.8 no-store with Min 1 s: a Hit within it, then the origin", first: []string{"Cache-Control: no-store"},
			policy: CachePolicy{MinTTL: time.Second, DefaultTTL: time.Minute, MaxTTL: time.Hour},
			then:   []func(*http.Request) (*http.Response, error){always(200, "new")},
			steps:  []step{{900 * time.Millisecond, 200, "Hit", "old", 1}, {200 * time.Millisecond, 200, "Miss", "new", 2}},
		},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			if test.policy.MaxTTL == 0 {
				test.policy = CachePolicy{DefaultTTL: time.Minute, MaxTTL: time.Hour}
			}
			steps := append([]func(*http.Request) (*http.Response, error){always(200, "old", test.first...)}, test.then...)
			b := newBench(t, script(steps...), policy(test.policy))
			b.want("/a", 200, "Miss", "old")
			for _, s := range test.steps {
				b.advance(s.after)
				b.want("/a", s.status, s.result, s.body)
				b.asked(s.asked)
			}
		})
	}
}

// spec: cloudfront 3.2: validators are sent, and none where there are none
func TestRevalidationRequest(t *testing.T) {
	const modified = "Sat, 21 Nov 2026 10:00:00 GMT"
	tests := []struct {
		spec          string
		policy        CachePolicy
		headers       []string
		etag, changed string
	}{
		{"both", CachePolicy{}, []string{`Etag: "1"`, "Last-Modified: " + modified}, `"1"`, modified},
		{"ETag", CachePolicy{}, []string{`Etag: W/"1"`}, `W/"1"`, ""},
		{"neither", CachePolicy{}, nil, "", ""},
		{"not with cookies", CachePolicy{Cookies: Selection{Mode: SelectAll}}, []string{`Etag: "1"`}, "", ""},
		{"not with Vary: *", CachePolicy{}, []string{`Etag: "1"`, "Vary: *"}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			test.policy.DefaultTTL, test.policy.MaxTTL = time.Minute, time.Hour
			b := newBench(t, always(200, "x", test.headers...), policy(test.policy))
			b.get("/a")
			b.advance(2 * time.Minute)
			b.get("/a")
			got := b.origin.last().Header
			if got.Get("If-None-Match") != test.etag || got.Get("If-Modified-Since") != test.changed {
				t.Errorf("asked with %v", got)
			}
			b.asked(2)
		})
	}
}

// spec: cloudfront 3.2 and 7.5: an S3 metadata change keeps the ETag, so a 304 may keep old headers, until they are invalidated
func TestNotModifiedKeepsHeaders(t *testing.T) {
	kind := "Content-Language: de"
	b := newBench(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("If-None-Match") == `"1"` {
			return reply(304, "", `Etag: "1"`, kind), nil
		}
		return reply(200, "x", `Etag: "1"`, kind), nil
	}, policy(CachePolicy{DefaultTTL: time.Minute, MaxTTL: time.Hour}))
	b.get("/a")
	kind = "Content-Language: en"
	b.advance(2 * time.Minute)
	if got := b.get("/a").Header().Get("Content-Language"); got != "de" {
		t.Errorf("after a 304: %s", got)
	}
	b.advance(2 * time.Minute)
	b.invalidate("/a")
	if got := b.get("/a").Header().Get("Content-Language"); got != "en" {
		t.Errorf("after an invalidation of an expired object: %s", got)
	}
}

// spec: cloudfront 3.4 and 5.4: how long errors are remembered
func TestErrorCaching(t *testing.T) {
	tests := []struct {
		spec    string
		change  func(*Config, *Options)
		answer  func(*http.Request) (*http.Response, error)
		wait    time.Duration
		status  int
		fetches int
	}{
		{"404 for 10 s", nil, always(404, "no"), 9 * time.Second, 404, 1},
		{"404 no longer", nil, always(404, "no"), 11 * time.Second, 404, 2},
		{"403 not at all", nil, always(403, "no"), 0, 403, 2},
		{"403 switched on", func(c *Config, _ *Options) { c.CacheForbidden = true }, always(403, "no"), 9 * time.Second, 403, 1},
		{"unreachable: 502 for 10 s", nil, down, 9 * time.Second, 502, 1},
		{"own minimum", func(c *Config, _ *Options) { c.ErrorResponses = []ErrorResponse{{Status: 404, MinTTL: time.Minute}} }, always(404, "no"), 59 * time.Second, 404, 1},
		{"minimum 0 on S3 is one second", func(c *Config, _ *Options) { c.ErrorResponses = []ErrorResponse{{Status: 404}} }, always(404, "no"), 900 * time.Millisecond, 404, 1},
		{"minimum 0 on S3 is one second, not two", func(c *Config, _ *Options) { c.ErrorResponses = []ErrorResponse{{Status: 404}} }, always(404, "no"), 1100 * time.Millisecond, 404, 2},
		{"not with caching disabled", func(c *Config, _ *Options) { c.Default.Policy = CachingDisabled() }, always(404, "no"), 0, 404, 2},
		{"307 without Cache-Control", nil, always(307, "", "Location: /b"), 0, 307, 2},
		{"302 like any answer", nil, always(302, "", "Location: /b"), time.Hour, 302, 1},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			if test.change == nil {
				test.change = func(*Config, *Options) {}
			}
			b := newBench(t, test.answer, test.change)
			first := b.get("/a")
			b.advance(test.wait)
			second := b.get("/a")
			if first.Code != test.status || second.Code != test.status || first.Body.String() != second.Body.String() {
				t.Errorf("got %d, %d, want %d", first.Code, second.Code, test.status)
			}
			b.asked(test.fetches)
		})
	}
}
