package edge

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// page is an origin of one object, which answers conditions. A 304 has its validators and what is in both; a 200 has everything.
type page struct {
	b *bench

	mu       sync.Mutex // guards what follows; held for one answer
	body     string
	etag     string
	modified time.Time
	both     []string // headers of 200 and 304
	whole    []string // headers of 200 alone
	fail     func() (*http.Response, error)
	asked    []string // "GET", or "GET if" where there was a condition
	mute     []string // headers that a 304 lacks
}

const written = "Sun, 22 Nov 2026 11:00:00 GMT"

// newPage starts an edge in front of a page that was written an hour ago, with a lifetime of a minute.
func newPage(t testing.TB, change ...func(*Config, *Options)) (*bench, *page) {
	t.Helper()
	p := &page{body: "one", etag: `"1"`, both: []string{"Cache-Control: max-age=60"}}
	p.b = newBench(t, p.answer, append([]func(*Config, *Options){inBucket}, change...)...)
	p.modified = p.b.clock().Add(-time.Hour)
	return p.b, p
}

// inBucket makes the origin one of Amazon's buckets; elsewhere makes it any HTTP server.
func inBucket(c *Config, _ *Options) { setOrigin(c, true, true) }

func elsewhere(c *Config, _ *Options) { setOrigin(c, false, false) }

func plainRules(c *Config, _ *Options) { c.Rules = RFC9111 }

func setOrigin(c *Config, s3, dated bool) {
	o := c.Origins["site"]
	o.S3, o.Dated = s3, dated
	c.Origins["site"] = o
}

func (p *page) answer(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	condition := r.Header.Get("If-None-Match")
	how := r.Method
	if condition != "" || r.Header.Get("If-Modified-Since") != "" {
		how += " if"
	}
	p.asked = append(p.asked, how)
	if p.fail != nil {
		return p.fail()
	}
	headers := append([]string{"Etag: " + p.etag, "Last-Modified: " + p.modified.Format(http.TimeFormat), "Date: " + p.b.clock().Format(http.TimeFormat)}, p.both...)
	if condition == "" || condition != p.etag {
		return reply(200, p.body, append(headers, p.whole...)...), nil
	}
	resp := reply(304, "", headers...)
	delete(resp.Header, "Content-Type")
	for _, name := range p.mute {
		delete(resp.Header, name)
	}
	return resp, nil
}

// requests returns what was asked since the last call.
func (p *page) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := strings.Join(p.asked, ", ")
	p.asked = nil
	return asked
}

func (p *page) wantAsked(want string) {
	p.b.t.Helper()
	if got := p.requests(); got != want {
		p.b.t.Errorf("the origin was asked %q, want %q", got, want)
	}
}

// An invalidated object is asked for by its entity tag alone; what a 304 proves is the answer, as fresh as if it had been fetched.
func TestProved(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		t.Run(rules.String(), func(t *testing.T) {
			b, p := newPage(t, func(c *Config, _ *Options) { c.Rules, c.TagHeader = rules, "X-Amz-Meta-Tags" })
			p.whole = []string{"X-Amz-Meta-Tags: red"}
			b.get("/a")
			p.wantAsked("GET")
			for _, item := range []string{"/a", "/*", "#red"} {
				b.advance(30 * time.Second)
				b.invalidate(item)
				w := b.get("/a")
				if w.Code != 200 || w.Body.String() != "one" || w.Header().Get("Date") != b.clock().Format(http.TimeFormat) {
					t.Errorf("after %s: %d %q %v", item, w.Code, w.Body, w.Header())
				}
				p.wantAsked("GET if")
				if r := b.origin.last(); r.Header.Get("If-None-Match") != `"1"` || r.Header.Get("If-Modified-Since") != "" {
					t.Errorf("after %s the origin was asked with %v", item, r.Header)
				}
				b.advance(59 * time.Second) // a whole new lifetime
				if w := b.get("/a"); w.Header().Get("Age") != "59" {
					t.Errorf("after %s: %v", item, w.Header())
				}
				p.wantAsked("")
			}
			if s := b.Stats(); s.Purged != 3 || s.Withdrawn != 0 || s.Objects != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// spec: cloudfront 6: who confirmed it sees a RefreshHit, who waited a Hit; RFC 9211 2.2: it was stale
func TestProvedResult(t *testing.T) {
	b, _ := newPage(t)
	b.get("/a")
	b.invalidate("/a")
	b.want("/a", 200, "RefreshHit", "one")
	b.want("/a", 200, "Hit", "one")
	b, _ = newPage(t, plainRules)
	b.get("/a")
	b.invalidate("/a")
	if got := b.get("/a").Header().Get("Cache-Status"); got != "freshet; fwd=stale; fwd-status=304" {
		t.Errorf("Cache-Status %q", got)
	}
}

// A withdrawn object is shown to nobody, whatever the origin does and whatever the viewer allows.
func TestWithdrawnNeverServes(t *testing.T) {
	fails := map[string]func() (*http.Response, error){
		"unreachable": func() (*http.Response, error) { return nil, errDown },
		"503":         func() (*http.Response, error) { return reply(503, "broken"), nil },
		"404":         func() (*http.Response, error) { return reply(404, "missing"), nil },
		"412":         func() (*http.Response, error) { return reply(412, "failed"), nil },
	}
	for name, fail := range fails {
		for _, rules := range []RuleSet{CloudFront, RFC9111} {
			t.Run(name+"/"+rules.String(), func(t *testing.T) {
				b, p := newPage(t, func(c *Config, _ *Options) { c.Rules = rules })
				p.both = []string{"Cache-Control: max-age=60, stale-while-revalidate=600, stale-if-error=600"}
				b.get("/a")
				b.invalidate("/a")
				p.fail = fail
				for _, headers := range [][]string{nil, {"Cache-Control: max-stale=1000"}, {"Cache-Control: only-if-cached"}, {`If-None-Match: "1"`}, {"Range: bytes=0-1"}} {
					if w := b.get("/a", headers...); w.Code < 400 || strings.Contains(w.Body.String(), "one") {
						t.Errorf("%v: %d %q", headers, w.Code, w.Body)
					}
					if w := b.do("HEAD", "/a", headers...); w.Code < 400 {
						t.Errorf("HEAD %v: %d", headers, w.Code)
					}
				}
				if s := b.Stats(); s.Withdrawn != 0 {
					t.Errorf("it is kept although the origin has something else to say: %+v", s)
				}
				p.fail = nil
				b.advance(time.Minute)
				p.requests()
				b.want("/a", 200, strings.TrimSuffix(b.get("/elsewhere").Header().Get("X-Cache"), " from cloudfront"), "one")
				p.wantAsked("GET, GET")
			})
		}
	}
}

// It is not listed, and its removal is counted once.
func TestWithdrawnIsGone(t *testing.T) {
	b, _ := newPage(t)
	b.get("/a")
	b.get("/b")
	b.invalidate("/a")
	for range 3 {
		b.sweep()
		var uris []string
		for o := range b.Objects() {
			uris = append(uris, o.URI)
		}
		if !slices.Equal(uris, []string{"/b"}) {
			t.Errorf("listed %v", uris)
		}
	}
	if s := b.Stats(); s.Purged != 1 || s.Withdrawn != 1 || s.Purge.Items != 0 {
		t.Errorf("stats %+v", s)
	}
	b.want("/a", 200, "RefreshHit", "one") // also when the log has forgotten the invalidation
	if s := b.Stats(); s.Purged != 1 || s.Withdrawn != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Neither eviction nor a restart brings a withdrawn object to the disk.
func TestWithdrawnStaysOffTheDisk(t *testing.T) {
	dir := t.TempDir()
	body := strings.Repeat("x", 3000)
	b, p := newPage(t, onDisk(dir, 64<<10))
	p.body = body
	b.get("/a")
	b.invalidate("/a")
	b.sweep()
	if s := b.Stats(); s.Withdrawn != 1 || s.Purge.Items != 0 {
		t.Fatalf("stats %+v", s)
	}
	for i := 0; b.Stats().Withdrawn > 0 && i < 10_000; i++ {
		b.get(fmt.Sprintf("/%d", i%500))
	}
	if b.Stats().Withdrawn > 0 {
		t.Fatal("it is not evicted")
	}
	if b.store.get(cacheKey{uri: "/a"}) != nil || b.store.disk.Newest(cacheKey{uri: "/a"}.disk()) != 0 {
		t.Error("it came back")
	}
	b.get("/b")
	b.invalidate("/b")
	b.sweep()
	b.Close()
	next := newBench(t, b.origin.answer, inBucket, onDisk(dir, 64<<10))
	for _, uri := range []string{"/a", "/b"} {
		if next.store.disk.Newest(cacheKey{uri: uri}.disk()) != 0 {
			t.Errorf("%s is back after a restart", uri)
		}
	}
}

// An object that is in both tiers is withdrawn in memory and gone from the disk, and counts once.
func TestWithdrawnFromBothTiers(t *testing.T) {
	dir := t.TempDir()
	b, p := newPage(t, onDisk(dir, 1<<20))
	b.get("/a")
	o := b.store.get(cacheKey{uri: "/a"})
	b.store.disk.Put(item(o))
	b.invalidate("/a")
	b.sweep()
	if s := b.Stats(); s.Purged != 1 || s.Withdrawn != 1 || s.Disk.Objects != 0 {
		t.Errorf("stats %+v", s)
	}
	p.requests()
	b.want("/a", 200, "RefreshHit", "one")
	p.wantAsked("GET if")
}

// What nobody asks for goes after a while, and with it the goroutine's work.
func TestReclaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newPage(t, func(_ *Config, o *Options) { o.Now = time.Now })
		defer b.Close()
		b.advance(time.Until(b.clock())) // the origin's clock: long ago enough in any case
		b.page(t)
	})
}

// page runs TestReclaim's course.
func (b *bench) page(t *testing.T) {
	b.origin.answer = func(*http.Request) (*http.Response, error) {
		return reply(200, "one", `Etag: "1"`, "Last-Modified: "+time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), "Date: "+time.Now().UTC().Format(http.TimeFormat)), nil
	}
	b.get("/a")
	b.get("/b")
	b.invalidate("/a")
	b.sweep()
	time.Sleep(5 * time.Minute)
	b.invalidate("/b")
	b.sweep()
	left := func(after time.Duration, want int64) {
		t.Helper()
		time.Sleep(after)
		synctest.Wait()
		if s := b.Stats(); s.Withdrawn != want || s.Objects != want {
			t.Errorf("%d withdrawn of %d, want %d", s.Withdrawn, s.Objects, want)
		}
	}
	left(4*time.Minute, 2)
	left(2*time.Minute, 1)
	left(6*time.Minute, 0)
	b.get("/a") // and again, after it has slept
	b.invalidate("/*")
	b.sweep()
	left(time.Second, 1)
	left(11*time.Minute, 0)
}

// spec: cloudfront 3.8. Who waits for a just invalidated object waits for one request, or where that proves nothing for two.
func TestHerdOnInvalidated(t *testing.T) {
	for _, touched := range []bool{false, true} {
		t.Run(fmt.Sprintf("touched %v", touched), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p := newPage(t)
				defer b.Close()
				b.get("/a")
				b.origin.answer = slow(500*time.Millisecond, p.answer)
				most, want, first := 520*time.Millisecond, "GET, GET if", "RefreshHit from cloudfront one"
				if touched {
					p.touch()
					most, want, first = 1020*time.Millisecond, "GET, GET if, GET", "Miss from cloudfront one"
				}
				b.invalidate("/*")
				start, results := time.Now(), map[string]int{}
				for _, w := range b.crowd(200, "/a") {
					results[w.Header().Get("X-Cache")+" "+w.Body.String()]++
				}
				if took := time.Since(start); took > most || results[first] != 1 || results["Hit from cloudfront one"] != 199 {
					t.Errorf("%v in %v", results, took)
				}
				p.wantAsked(want)
			})
		})
	}
}

// An invalidation that comes while the origin is asked covers what it proves.
func TestInvalidatedWhileProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p := newPage(t)
		defer b.Close()
		b.get("/a")
		b.invalidate("/a")
		b.origin.answer = func(r *http.Request) (*http.Response, error) {
			resp, err := p.answer(r)
			time.Sleep(time.Second)
			return resp, err
		}
		go b.get("/a")
		synctest.Wait()
		p.change(func(p *page) {
			p.whole = []string{"Content-Language: de"}
			p.touch()
		})
		b.invalidate("/a")
		if got := b.get("/a").Header().Get("Content-Language"); got != "de" {
			t.Errorf("Content-Language %q", got)
		}
		synctest.Wait()
		if got := b.get("/a").Header().Get("Content-Language"); got != "de" {
			t.Errorf("then Content-Language %q", got)
		}
	})
}

// A viewer who leaves ends the flight; the evidence stays.
func TestLeftWhileProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p := newPage(t)
		defer b.Close()
		b.get("/a")
		b.invalidate("/a")
		b.origin.answer = slow(time.Second, p.answer)
		ctx, leave := context.WithCancel(t.Context())
		var w http.ResponseWriter = httptest.NewRecorder()
		go b.serve(w, httptest.NewRequestWithContext(ctx, "GET", "/a", nil))
		synctest.Wait()
		leave()
		synctest.Wait()
		b.want("/a", 200, "RefreshHit", "one")
		p.wantAsked("GET, GET if")
	})
}

// HEAD, ranges and conditions of viewers are answered from what is proved.
func TestProvedForAll(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		for _, test := range []struct {
			method, header string
			status         int
			body           string
			passes         bool // under RFC9111 it goes to the origin as it is
		}{
			{"GET", "Range: bytes=1-1", 206, "n", true},
			{"GET", `If-None-Match: "1"`, 304, "", false},
			{"GET", "If-Modified-Since: " + written, 304, "", false},
			{"HEAD", "", 200, "", true},
		} {
			t.Run(rules.String()+"/"+test.method+" "+test.header, func(t *testing.T) {
				b, p := newPage(t, func(c *Config, _ *Options) { c.Rules = rules })
				b.get("/a")
				b.invalidate("/a")
				if rules == RFC9111 && test.passes {
					b.do(test.method, "/a", test.header)
					b.get("/a")
					p.wantAsked("GET, " + test.method + ", GET if")
					return
				}
				if w := b.do(test.method, "/a", test.header); w.Code != test.status || w.Body.String() != test.body {
					t.Errorf("%d %q", w.Code, w.Body)
				}
				b.get("/a")
				p.wantAsked("GET, GET if")
			})
		}
	}
}

// The edge's compressed copy is proved by the origin's own entity tag, and stays as it is.
func TestProvedCompressed(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		for _, accept := range []string{both, "Accept-Encoding: gzip", "Accept-Encoding: identity"} {
			t.Run(rules.String()+"/"+accept, func(t *testing.T) {
				b, p := newPage(t, compressing, func(c *Config, _ *Options) { c.Rules = rules })
				p.body = prose(5000)
				b.get("/a", accept)
				before := b.get("/a", accept)
				b.invalidate("/a")
				after := b.get("/a", accept)
				if d := cmp.Diff(comparable(after.Header()), comparable(before.Header())); d != "" || decoded(t, after) != p.body {
					t.Error(d)
				}
				p.wantAsked("GET, GET if")
				p.whole = []string{"Content-Language: de"}
				b.advance(10 * time.Second)
				p.touch()
				b.invalidate("/a")
				if w := b.get("/a", accept); w.Header().Get("Content-Language") != "de" || decoded(t, w) != p.body {
					t.Errorf("%v", w.Header())
				}
				p.wantAsked("GET if, GET")
			})
		}
	}
}

// An error page is proved as other objects are, and what it replaces is asked for anew.
func TestProvedErrorPage(t *testing.T) {
	b, p := newPage(t, func(c *Config, _ *Options) {
		c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/lost.html", ResponseCode: 404, MinTTL: time.Minute}}
	})
	answer := b.origin.answer
	b.origin.answer = func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/gone" {
			return reply(404, "no such thing"), nil
		}
		return answer(r)
	}
	b.want("/gone", 404, "Error", "one")
	b.invalidate("/*")
	b.want("/gone", 404, "Error", "one")
	b.asked(4)
	p.wantAsked("GET, GET if")
}

// RFC 9111 4.1: among variants each viewer gets its own, also where the flight began when nobody knew what selects.
func TestProvedVariants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p := newPage(t, plainRules)
		defer b.Close()
		b.origin.answer = func(r *http.Request) (*http.Response, error) {
			lang := r.Header.Get("Accept-Language")
			one := &page{b: b, modified: p.modified, body: "in " + lang, etag: `"` + lang + `"`, both: []string{"Cache-Control: max-age=60", "Vary: Accept-Language"}}
			resp, err := one.answer(r)
			p.change(func(p *page) { p.asked = append(p.asked, one.asked...) })
			return resp, err
		}
		langs := []string{"de", "en", "fr"}
		ask := func() {
			var all sync.WaitGroup
			for _, lang := range langs {
				all.Go(func() {
					if w := b.get("/a", "Accept-Language: "+lang); w.Body.String() != "in "+lang {
						t.Errorf("%s: %q", lang, w.Body)
					}
				})
				synctest.Wait()
			}
			all.Wait()
		}
		ask()
		p.wantAsked("GET, GET, GET")
		b.invalidate("/a")
		p.b.origin.answer = slow(time.Second, p.b.origin.answer)
		ask()
		if got := p.requests(); strings.Count(got, "GET") != strings.Count(got, "GET if") || strings.Count(got, "GET") != 3 {
			t.Errorf("the origin was asked %q", got)
		}
	})
}
