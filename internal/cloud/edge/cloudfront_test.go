package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// said is what a response says about its lifetime, in seconds; -1 is nothing.
type said struct {
	forbids                  string // "", no-cache, no-store or private
	sMaxAge, maxAge, expires int
}

// headers spells it.
func (s said) headers() http.Header {
	h := http.Header{}
	var directives []string
	if s.forbids != "" {
		directives = append(directives, s.forbids)
	}
	if s.maxAge >= 0 {
		directives = append(directives, fmt.Sprintf("max-age=%d", s.maxAge))
	}
	if s.sMaxAge >= 0 {
		directives = append(directives, fmt.Sprintf("s-maxage=%d", s.sMaxAge))
	}
	if len(directives) > 0 {
		h.Set("Cache-Control", strings.Join(directives, ", "))
	}
	if s.expires >= 0 {
		h.Set("Expires", ruleNow.Add(time.Duration(s.expires)*time.Second).Format(http.TimeFormat))
	}
	return h
}

// guide is the table of the guide's chapter on expiration, read once more and independently of the code: seconds in, seconds out.
// spec: cloudfront 3.1
func (s said) guide(minTTL, defaultTTL, maxTTL int) int {
	clamp := func(n int) int {
		switch {
		case n < minTTL:
			return minTTL
		case n > maxTTL:
			return maxTTL
		}
		return n
	}
	switch {
	case s.forbids != "": // Min 0: honoured; Min above 0: Min
		return minTTL
	case s.sMaxAge >= 0:
		return clamp(s.sMaxAge)
	case s.maxAge >= 0:
		return clamp(s.maxAge)
	case s.expires >= 0:
		return clamp(s.expires)
	case defaultTTL < minTTL:
		return minTTL
	}
	return defaultTTL
}

// Every combination of TTL settings with what the origin may say.
// spec: cloudfront 3.1
func TestTTLCombinations(t *testing.T) {
	policies := [][3]int{{0, 0, 60}, {0, 60, 60}, {0, 86400, 31536000}, {1, 86400, 31536000}, {60, 60, 60}, {60, 3600, 7200}, {3600, 3600, 86400}}
	lifetimes := []int{-1, 0, 30, 120, 100000000}
	n := 0
	for _, p := range policies {
		policy := CachePolicy{MinTTL: time.Duration(p[0]) * time.Second, DefaultTTL: time.Duration(p[1]) * time.Second, MaxTTL: time.Duration(p[2]) * time.Second}
		for _, forbids := range []string{"", "no-cache", "no-store", "private"} {
			for _, sMaxAge := range lifetimes {
				for _, maxAge := range lifetimes {
					for _, expires := range []int{-1, 0, 45, 200000} {
						s := said{forbids, sMaxAge, maxAge, expires}
						want := time.Duration(s.guide(p[0], p[1], p[2])) * time.Second
						if got := judgeCloudFront(response{200, s.headers(), ruleNow}, terms{policy: policy}); got.lifetime != want {
							t.Errorf("Min %d, Default %d, Max %d, %v: %v, want %v", p[0], p[1], p[2], s.headers(), got.lifetime, want)
						}
						n++
					}
				}
			}
		}
	}
	if n != 7*4*5*5*4 {
		t.Errorf("%d combinations", n)
	}
}

// What the viewer's Accept-Encoding becomes on the way to the origin, which is also what enters the key.
func TestAcceptEncoding(t *testing.T) {
	tests := []struct {
		spec         string
		gzip, brotli bool
		accepts      string
		want         string
	}{
		{"4.3 both, both", true, true, "gzip, deflate, br", "br,gzip"},
		{"4.3 both, gzip only", true, true, "gzip", "gzip"},
		{"4.3 both, br only", true, true, "br;q=0.1", "br"},
		{"4.3 both, neither", true, true, "deflate", "identity"},
		{"4.3 only gzip, both", true, false, "br, gzip", "gzip"},
		{"4.3 only gzip, no gzip", true, false, "br", "identity"},
		{"4.3 flags off", false, false, "br, gzip", "identity"},
		{"4.3 refused", true, true, "gzip;q=0, br;q=0.000", "identity"},
		{"4.3 any case", true, true, "GZIP, Br", "br,gzip"},
		{"4.3 the viewer sent none", true, true, "", "identity"},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, always(200, ""), policy(CachePolicy{MaxTTL: time.Hour, EnableGzip: test.gzip, EnableBrotli: test.brotli}))
			if test.accepts == "" {
				b.get("/a")
			} else {
				b.get("/a", "Accept-Encoding: "+test.accepts)
			}
			if got := b.origin.last().Header.Get("Accept-Encoding"); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// spec: cloudfront 4.3, HTTP/1.0 requests lose the header
func TestAcceptEncodingHTTP10(t *testing.T) {
	b := newBench(t, always(200, ""), policy(CachingOptimized()))
	r := httptest.NewRequest(http.MethodGet, "/a", nil)
	r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	r.Header.Set("Accept-Encoding", "gzip")
	b.ServeHTTP(httptest.NewRecorder(), r)
	if got := b.origin.last().Header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("%q", got)
	}
}

// Redirects are cached like other responses, and never followed.
func TestRedirects(t *testing.T) {
	tests := []struct {
		spec    string
		status  int
		headers []string
		again   string // X-Cache of the second request
	}{
		{"3.5 301", 301, nil, "Hit"},
		{"3.5 302 by Default TTL", 302, nil, "Hit"},
		{"3.5 303", 303, nil, "Hit"},
		{"3.5 302 max-age=0", 302, []string{"Cache-Control: max-age=0, stale-if-error=0"}, "Miss"},
		{"3.5 307 without Cache-Control", 307, nil, "Miss"},
		{"3.5 307 with Cache-Control", 307, []string{"Cache-Control: public"}, "Hit"},
		{"3.5 308 without Cache-Control", 308, nil, "Miss"},
		{"3.5 308 with Cache-Control", 308, []string{"Cache-Control: max-age=60"}, "Hit"},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, always(test.status, "", append(test.headers, "Location: /b")...))
			b.want("/a", test.status, "Miss", "")
			b.want("/a", test.status, test.again, "")
			if got := b.get("/a").Header().Get("Location"); got != "/b" {
				t.Errorf("Location %q", got)
			}
		})
	}
}

// How long stale-while-revalidate serves; the background request is TestStaleWhileRevalidate.
func TestStaleWhileRevalidateWindow(t *testing.T) {
	tests := []struct {
		spec, directives string
		maxTTL           time.Duration
		want             time.Duration
	}{
		{"3.3 N", "max-age=60, stale-while-revalidate=30", day, 30 * time.Second},
		{"3.3 at most Max TTL", "max-age=60, stale-while-revalidate=9999", 5 * time.Minute, 5 * time.Minute},
		{"3.3 with stale-if-error", "max-age=60, stale-while-revalidate=30, stale-if-error=0", day, 30 * time.Second},
		{"3.1 not with no-cache", "no-cache, stale-while-revalidate=30", day, 0},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeCloudFront(response{200, header("Cache-Control: " + test.directives), ruleNow}, terms{policy: CachePolicy{MaxTTL: test.maxTTL}})
			if v.stale.revalidate != test.want {
				t.Errorf("%v, want %v", v.stale.revalidate, test.want)
			}
			o := &object{born: ruleNow, expires: ruleNow.Add(v.lifetime), verdict: v}
			if o.use(nil, ruleNow.Add(test.maxTTL+time.Second)) != ask { // spec: cloudfront 3.3, Max TTL passed: gone whatever the directives say
				t.Error("served beyond Max TTL")
			}
		})
	}
}

// Requests' own directives, Vary and unsafe methods have no say under CloudFront's rules.
func TestNoPlainRules(t *testing.T) {
	tests := []struct {
		spec    string
		headers []string
	}{
		{"3.1 no-cache", []string{"Cache-Control: no-cache"}},
		{"3.1 no-store", []string{"Cache-Control: no-store"}},
		{"3.1 only-if-cached, max-age, min-fresh", []string{"Cache-Control: max-age=0, min-fresh=99999999, only-if-cached"}},
		{"3.9 Vary", []string{"Accept-Language: de"}},
		{"3.9 Authorization: cached for everyone", []string{"Authorization: x"}},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, counter("Vary: Accept-Language", "Cache-Control: max-age=60"), func(c *Config, _ *Options) {
				c.Default.AllowedMethods = []string{"GET", "HEAD", "POST"}
			})
			if w := b.get("/a", test.headers...); w.Code != 200 || w.Header().Get("Cache-Status") != "" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			b.do(http.MethodPost, "/a")
			b.want("/a", 200, "Hit", "1")
			if w := b.get("/a", test.headers...); w.Body.String() != "1" || w.Header().Get("X-Cache") != "Hit from cloudfront" {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		})
	}
}
