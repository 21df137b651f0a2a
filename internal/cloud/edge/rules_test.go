package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

var ruleNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func header(lines ...string) http.Header {
	h := http.Header{}
	addHeaders(h, lines)
	return h
}

func TestLifetime(t *testing.T) {
	standard := CachePolicy{DefaultTTL: day, MaxTTL: 365 * day}
	minimum := CachePolicy{MinTTL: time.Minute, DefaultTTL: day, MaxTTL: 365 * day}
	short := CachePolicy{MinTTL: time.Second, DefaultTTL: time.Minute, MaxTTL: time.Hour}
	expires := func(d time.Duration) string { return "Expires: " + ruleNow.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		spec    string
		headers []string
		policy  CachePolicy
		want    time.Duration
	}{
		{"3.1 nothing: Default", nil, standard, day},
		{"3.1 nothing: Max is not applied", nil, CachePolicy{MinTTL: 0, DefaultTTL: day, MaxTTL: day}, day},
		{"3.1 max-age", []string{"Cache-Control: public, max-age=60"}, standard, time.Minute},
		{"3.1 s-maxage before max-age", []string{"Cache-Control: max-age=0, s-maxage=31536000"}, standard, 365 * day},
		{"3.1 max-age before Expires", []string{"Cache-Control: max-age=60", expires(time.Hour)}, standard, time.Minute},
		{"3.1 Expires", []string{expires(time.Hour)}, standard, time.Hour},
		{"3.1 Expires in the past", []string{expires(-time.Hour)}, standard, 0},
		{"3.1 Expires past, Min", []string{expires(-time.Hour)}, minimum, time.Minute},
		{"3.1 bad Expires counts as expired", []string{"Expires: 0"}, standard, 0},
		{"3.1 clamped to Max", []string{"Cache-Control: max-age=99999999"}, short, time.Hour},
		{"3.1 clamped to Min", []string{"Cache-Control: max-age=1"}, minimum, time.Minute},
		{"3.1 no-cache, Min 0", []string{"Cache-Control: no-cache"}, standard, 0},
		{"3.1 no-cache, Min > 0", []string{"Cache-Control: no-cache"}, minimum, time.Minute},
		{"3.1 no-store, Min > 0", []string{"Cache-Control: no-store"}, minimum, time.Minute},
		{"3.1 private, Min > 0", []string{"Cache-Control: private, max-age=3600"}, minimum, time.Minute},
		{"3.1 no-cache before s-maxage (unconfirmed)", []string{"Cache-Control: no-cache, s-maxage=60"}, standard, 0},
		{"3.1 100 years at most", []string{"Cache-Control: max-age=99999999999999999999"}, CachePolicy{MaxTTL: 1 << 62}, maxSeconds * time.Second},
		{"3.1 malformed max-age counts as 0", []string{"Cache-Control: max-age=soon"}, standard, 0},
		{"3.1 must-revalidate and immutable have no effect", []string{"Cache-Control: must-revalidate, immutable"}, standard, day},
		{"3.2 Vary: * with Min 0 is asked every time", []string{"Vary: accept, *"}, standard, 0},
		{"3.2 Vary: * with Min > 0", []string{"Vary: *"}, minimum, day},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeCloudFront(response{200, header(test.headers...), ruleNow}, terms{policy: test.policy})
			if v.lifetime != test.want {
				t.Errorf("lifetime %v, want %v", v.lifetime, test.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	standard := CachePolicy{DefaultTTL: day, MaxTTL: 365 * day}
	tests := []struct {
		spec                   string
		status                 int
		headers                []string
		terms                  terms
		store, validate, share bool
	}{
		{"3.2 validators", 200, []string{`Etag: "1"`}, terms{policy: standard}, true, true, true},
		{"3.2 none", 200, nil, terms{policy: standard}, true, false, true},
		{"3.2 not with cookies", 200, []string{`Etag: "1"`}, terms{policy: standard, cookies: true}, true, false, false},
		{"3.1 no-cache is stored and asked", 200, []string{`Etag: "1"`, "Cache-Control: no-cache"}, terms{policy: standard}, true, true, false},
		{"3.1 no-store is never confirmed", 200, []string{`Etag: "1"`, "Cache-Control: no-store"}, terms{policy: standard}, true, false, false},
		{"3.1 no-store without stale is not kept", 200, []string{"Cache-Control: no-store, stale-if-error=0"}, terms{policy: standard}, false, false, false},
		{"3.8 max-age=0 is not shared", 200, []string{"Cache-Control: max-age=0"}, terms{policy: standard}, true, false, false},
		{"3.8 but with s-maxage it is", 200, []string{"Cache-Control: max-age=0, s-maxage=9"}, terms{policy: standard}, true, false, true},
		{"3.1 caching disabled", 200, []string{`Etag: "1"`}, terms{}, false, false, false},
		{"3.5 301", 301, nil, terms{policy: standard}, true, false, true},
		{"3.5 307 without Cache-Control", 307, nil, terms{policy: standard}, false, false, true},
		{"3.5 308 with Cache-Control", 308, []string{"Cache-Control: max-age=9"}, terms{policy: standard}, true, false, true},
		{"206 is never stored whole", 206, nil, terms{policy: standard}, false, false, true},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeCloudFront(response{test.status, header(test.headers...), ruleNow}, test.terms)
			if v.store != test.store || v.validate != test.validate || v.share != test.share {
				t.Errorf("got %+v", v)
			}
		})
	}
}

// spec: cloudfront 3.4
func TestNegativeCaching(t *testing.T) {
	tests := []struct {
		spec    string
		status  int
		headers []string
		min     time.Duration
		max     time.Duration
		forbid  bool
		want    time.Duration
	}{
		{"404 for the minimum", 404, nil, 10 * time.Second, day, false, 10 * time.Second},
		{"404 for longer by header", 404, []string{"Cache-Control: max-age=60"}, 10 * time.Second, day, false, time.Minute},
		{"404 not shorter by header", 404, []string{"Cache-Control: max-age=1"}, 10 * time.Second, day, false, 10 * time.Second},
		{"404 header capped by Max", 404, []string{"Cache-Control: max-age=9999"}, 10 * time.Second, time.Minute, false, time.Minute},
		{"404 minimum not capped by Max", 404, nil, time.Hour, time.Minute, false, time.Hour},
		{"404 by Expires", 404, []string{"Expires: Sun, 22 Nov 2026 12:01:00 GMT"}, time.Second, day, false, time.Minute},
		{"404 no-store", 404, []string{"Cache-Control: no-store"}, 10 * time.Second, day, false, 0},
		{"410 private", 410, []string{"Cache-Control: private"}, 10 * time.Second, day, false, 0},
		{"410 plain, as 404 (unconfirmed)", 410, nil, 10 * time.Second, day, false, 10 * time.Second},
		{"501 no-cache", 501, []string{"Cache-Control: no-cache"}, 10 * time.Second, day, false, 0},
		{"500 no-store is ignored", 500, []string{"Cache-Control: no-store"}, 10 * time.Second, day, false, 10 * time.Second},
		{"503", 503, nil, 10 * time.Second, day, false, 10 * time.Second},
		{"403 plain", 403, nil, 10 * time.Second, day, false, 0},
		{"403 with Expires", 403, []string{"Expires: Sun, 22 Nov 2026 12:01:00 GMT"}, 10 * time.Second, day, false, 0},
		{"403 with max-age", 403, []string{"Cache-Control: max-age=60"}, 10 * time.Second, day, false, time.Minute},
		{"403 switched on", 403, nil, 10 * time.Second, day, true, 10 * time.Second},
		{"405 with s-maxage", 405, []string{"Cache-Control: s-maxage=60"}, 10 * time.Second, day, false, time.Minute},
		{"416 never", 416, []string{"Cache-Control: max-age=60"}, 10 * time.Second, day, false, 0},
		{"429 never", 429, []string{"Cache-Control: max-age=60"}, 10 * time.Second, day, false, 0},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeCloudFront(response{test.status, header(test.headers...), ruleNow},
				terms{policy: CachePolicy{MaxTTL: test.max}, errorTTL: test.min, cacheForbidden: test.forbid})
			if v.lifetime != test.want || v.store != (test.want > 0) {
				t.Errorf("store %v for %v, want %v", v.store, v.lifetime, test.want)
			}
		})
	}
}

func TestParseCacheControl(t *testing.T) {
	none := cacheControl{present: true, maxAge: never, sMaxAge: never, staleIfError: never}
	with := func(change func(*cacheControl)) cacheControl {
		cc := none
		change(&cc)
		return cc
	}
	tests := []struct {
		name   string
		values []string
		want   cacheControl
	}{
		{"absent", nil, cacheControl{maxAge: never, sMaxAge: never, staleIfError: never}},
		{"any case", []string{"MAX-AGE=60"}, with(func(c *cacheControl) { c.maxAge = time.Minute })},
		{"blanks", []string{" max-age = 60 ,, no-store "}, with(func(c *cacheControl) { c.maxAge, c.noStore = time.Minute, true })},
		{"quoted number", []string{`s-maxage="60"`}, with(func(c *cacheControl) { c.sMaxAge = time.Minute })},
		{"negative", []string{"max-age=-1"}, with(func(c *cacheControl) { c.maxAge = 0 })},
		{"no value", []string{"max-age"}, with(func(c *cacheControl) { c.maxAge = 0 })},
		{"first counts", []string{"max-age=1, max-age=2", "max-age=3"}, with(func(c *cacheControl) { c.maxAge = time.Second })},
		{"several lines", []string{"private", "stale-if-error=5"}, with(func(c *cacheControl) { c.private, c.staleIfError = true, 5*time.Second })},
		{"qualified no-cache", []string{`no-cache="Set-Cookie, X", public`}, with(func(c *cacheControl) { c.noCacheOf, c.public = []string{"Set-Cookie", "X"}, true })},
		{"qualified private", []string{`private="X"`}, with(func(c *cacheControl) { c.private = true })},
		{"comma in quotes", []string{`ext="a, no-store", max-age=60`}, with(func(c *cacheControl) { c.maxAge = time.Minute })},
		{"escaped quote", []string{`ext="a\", no-store", max-age=60`}, with(func(c *cacheControl) { c.maxAge = time.Minute })},
		{"open quote", []string{`no-cache="`}, with(func(c *cacheControl) { c.noCache = true })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(parseCacheControl(test.values), test.want, cmp.AllowUnexported(cacheControl{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func FuzzParseCacheControl(f *testing.F) {
	for _, seed := range []string{"max-age=60", `no-cache="a,b", private`, `x="\`, "=,=,", "s-maxage=1e3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cc := parseCacheControl([]string{value})
		for _, d := range []time.Duration{cc.maxAge, cc.sMaxAge, cc.staleIfError} {
			if d != never && (d < 0 || d > maxSeconds*time.Second) {
				t.Errorf("%q gives %v", value, d)
			}
		}
		if !strings.Contains(strings.ToLower(value), "no-store") && cc.noStore {
			t.Errorf("%q gives no-store", value)
		}
		again := parseCacheControl([]string{value + ", x"})
		if !strings.Contains(value, `"`) && again.maxAge != cc.maxAge {
			t.Errorf("%q: an unknown directive changes max-age", value)
		}
	})
}

func TestMatchPattern(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/any", true},
		{"/a*", "/a/b/c", true},
		{"images/*.jpg", "/images/a/b.jpg", true},
		{"images/*.jpg", "/images/a/b.jpeg", false},
		{"/?.html", "/a.html", true},
		{"/?.html", "/ab.html", false},
		{"/?.html", "/.html", false},
		{"/A", "/a", false},
		{"*.css", "/x/y.css", true},
		{"/a*b*c", "/aXbYbc", true},
		{"/a*b*c", "/aXbY", false},
		{"/", "/", true},
		{"/a**", "/a", true},
	}
	for _, test := range tests {
		if got := matchPattern(test.pattern, test.path); got != test.want {
			t.Errorf("spec 5.3: pattern %q, path %q: %v, want %v", test.pattern, test.path, got, test.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b": "/a/b", "/a//b": "/a/b", "//": "/", "/a/b/..": "/a/", "/a/./b": "/a/b", "/a/../../b": "/b",
		"/a/.": "/a/", "/..": "/", "/a/": "/a/", "/.well-known/x": "/.well-known/x", "/a//": "/a/", "/a/..b": "/a/..b",
	} {
		if got := normalize(path); got != want {
			t.Errorf("spec 4.6: normalize(%q) = %q, want %q", path, got, want)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=3-1", "bytes=0-1,3-4", "lines=1-2", "bytes=99999999999999999999-"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		part, ok := parseRange(value, size)
		if ok && (part.start < 0 || part.end > size || part.start > part.end && part.start > size) {
			t.Errorf("parseRange(%q, %d) = %v", value, size, part)
		}
	})
}
