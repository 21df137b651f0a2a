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

// What a 304 proves, and what it does not: then the whole is fetched by a second request.
func TestProof(t *testing.T) {
	const once, twice = "GET if", "GET if, GET"
	tests := []struct {
		name                 string
		before               func(*page)
		after                func(*page)
		bucket, plain, merge string // origin requests after the invalidation: a bucket, any server, any server under RFC 9111
	}{
		{"nothing changed", nil, nil, once, once, once},
		{"other bytes", nil, func(p *page) { p.etag, p.body = `"2"`, "two"; p.touch() }, once, once, once},
		{"other headers, as S3 dates them", nil, func(p *page) { p.whole = []string{"Content-Language: de"}; p.touch() }, twice, twice, twice},
		{"another date", nil, func(p *page) { p.touch() }, twice, twice, twice},
		{"no date in the 304", nil, func(p *page) { p.mute = []string{"Last-Modified"} }, twice, twice, twice},
		{"no entity tag in the 304", nil, func(p *page) { p.mute = []string{"Etag"} }, once, once, once},
		{"another Cache-Control in the 304", nil, func(p *page) { p.both = []string{"Cache-Control: max-age=5"} }, twice, twice, once},
		{"no Cache-Control in the 304", nil, func(p *page) { p.mute = []string{"Cache-Control"} }, once, twice, twice},
		{"metadata that only a 200 has", func(p *page) { p.whole = []string{"X-Amz-Meta-A: 1"} }, nil, once, twice, twice},
		{"content headers that only a 200 has", func(p *page) { p.whole = []string{"Content-Disposition: inline"} }, nil, once, once, once},
		{"a header of a response", func(p *page) { p.both = append(p.both, "X-Request-Id: 1", "Server-Timing: a") }, func(p *page) { p.both = p.both[:1] }, once, once, once},
		{"the server adds a header", nil, func(p *page) { p.both = append(p.both, "X-Frame-Options: DENY") }, twice, twice, once},
		{"the server drops a header", func(p *page) { p.both = append(p.both, "X-Frame-Options: DENY") }, func(p *page) { p.both = p.both[:1] }, twice, twice, twice},
		{"the server changes a header", func(p *page) { p.both = append(p.both, "Access-Control-Allow-Origin: a") },
			func(p *page) { p.both = append(p.both[:1:1], "Access-Control-Allow-Origin: *") }, twice, twice, once},
		{"other bytes by their digest", func(p *page) { p.both = append(p.both, "Content-Md5: 1") }, func(p *page) { p.both = append(p.both[:1:1], "Content-Md5: 2") }, twice, twice, twice},
		{"Vary: * from now on", nil, func(p *page) { p.both = append(p.both, "Vary: *") }, twice, twice, twice},
	}
	for _, test := range tests {
		for _, kind := range []string{"bucket", "plain", "merge"} {
			t.Run(test.name+"/"+kind, func(t *testing.T) {
				how, want := inBucket, test.bucket
				if kind != "bucket" {
					how, want = elsewhere, test.plain
				}
				b, p := newPage(t, how, func(c *Config, _ *Options) {
					if kind == "merge" {
						c.Rules, want = RFC9111, test.merge
					}
				})
				p.change(test.before)
				b.get("/a")
				b.advance(10 * time.Second)
				p.change(test.after)
				p.requests()
				b.invalidate("/a")
				got := b.get("/a")
				p.wantAsked(want)
				if d := cmp.Diff(comparable(got.Header()), comparable(p.direct(b))); d != "" || got.Body.String() != p.body {
					t.Errorf("%q, and headers differ from what the origin has:\n%s", got.Body, d)
				}
			})
		}
	}
}

func (p *page) touch() { p.modified = p.b.clock() }

// change alters the page.
func (p *page) change(how func(*page)) {
	if how != nil {
		how(p)
	}
}

// direct is the header that a fetch gets now.
func (p *page) direct(b *bench) http.Header {
	b.invalidate("/*")
	b.invalidate("/a")
	b.store.cache.InvalidateAll()
	return b.get("/a").Header()
}

// comparable leaves out what two responses never share.
func comparable(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"X-Cache", "X-Amz-Cf-Id", "Cache-Status", "Age", "X-Request-Id", "Server-Timing"} {
		delete(h, name)
	}
	return h
}

// Of what there is no evidence, nothing is asked.
func TestNoEvidence(t *testing.T) {
	tests := []struct {
		name   string
		before func(*page)
		change func(*Config, *Options)
	}{
		{"weak entity tag", func(p *page) { p.etag = `W/"1"` }, nil},
		{"no entity tag", func(p *page) { p.etag = "" }, nil},
		{"empty entity tag", func(p *page) { p.etag = `""` }, nil},
		{"an upload in parts", func(p *page) { p.etag = `"0123456789abcdef0123456789abcdef-2"` }, nil},
		{"two entity tags", func(p *page) { p.both = append(p.both, `Etag: "1"`) }, nil},
		{"two dates", func(p *page) { p.both = append(p.both, "Last-Modified: "+written) }, nil},
		{"written a second ago", func(p *page) { p.modified = p.b.clock().Add(-time.Second) }, nil},
		{"written in the future", func(p *page) { p.modified = p.b.clock().Add(time.Hour) }, nil},
		{"a date that builds make up", func(p *page) { p.modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }, nil},
		{"Expires", func(p *page) { p.both = append(p.both, "Expires: Mon, 23 Nov 2026 12:00:00 GMT") }, nil},
		{"withheld headers", func(p *page) { p.both = []string{`Cache-Control: max-age=60, no-cache="X-A"`} }, nil},
		{"Vary: *", func(p *page) { p.both = append(p.both, "Vary: *") }, func(c *Config, _ *Options) { c.Default.Policy = CachingOptimized() }},
		{"cookies are forwarded", nil, func(c *Config, _ *Options) { c.Default.Policy.Cookies = Selection{Mode: SelectAll} }},
		{"a bucket that is not Amazon's", nil, func(c *Config, _ *Options) { setOrigin(c, true, false) }},
		{"a server that is a bucket", func(p *page) { p.both = append(p.both, "X-Amz-Request-Id: 1") }, elsewhere},
		{"not in memory", func(p *page) { p.body = strings.Repeat("x", 200_000) }, func(_ *Config, o *Options) { o.MemoryBytes = 300_000 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			change := []func(*Config, *Options){func(c *Config, o *Options) {
				if test.name == "not in memory" {
					o.Disk.Dir = t.TempDir()
				}
			}}
			if test.change != nil {
				change = append(change, test.change)
			}
			b, p := newPage(t, change...)
			p.change(test.before)
			b.get("/a")
			b.invalidate("/a")
			b.get("/a")
			p.wantAsked("GET, GET")
			if s := b.Stats(); s.Withdrawn != 0 || s.Purged+s.Disk.Purged != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// No Date of the origin's own, no evidence: the edge's clock may be another.
func TestNoDate(t *testing.T) {
	b := newBench(t, always(200, "one", `Etag: "1"`, "Last-Modified: "+written), inBucket)
	b.get("/a")
	b.invalidate("/a")
	b.get("/a")
	if b.origin.last().Header.Get("If-None-Match") != "" {
		t.Error("a 304 is asked for")
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

// A server whose 304s lack what would prove anything is not asked again for a while.
func TestUselessConditions(t *testing.T) {
	b, p := newPage(t, elsewhere)
	p.mute = []string{"Last-Modified"}
	for _, want := range []string{"GET", "GET if, GET", "GET", "GET"} {
		b.get("/a")
		p.wantAsked(want)
		b.invalidate("/a")
	}
	b.advance(withdrawnFor)
	b.get("/a")
	p.wantAsked("GET if, GET")
}

// Under another configuration the origin may be another, and other headers may be shown.
func TestProofUnderAnotherConfig(t *testing.T) {
	b, p := newPage(t)
	b.get("/a")
	cfg := b.dist.Load().Config
	if err := b.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	b.invalidate("/a")
	b.want("/a", 200, "Miss", "one")
	b.invalidate("/a")
	b.want("/a", 200, "RefreshHit", "one")
	p.wantAsked("GET, GET, GET if")
}

// A 304 to an expired object may be about other headers, which the cache does not take over; its date is then no proof of those that it has.
func TestProofAfterConfirmation(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		t.Run(rules.String(), func(t *testing.T) {
			b, p := newPage(t, func(c *Config, _ *Options) { c.Rules = rules })
			p.whole = []string{"Content-Language: en"}
			b.get("/a")
			b.advance(61 * time.Second)
			p.whole = []string{"Content-Language: de"}
			p.touch()
			b.get("/a")
			if got := b.get("/a").Header().Get("Content-Language"); got != "en" {
				t.Fatalf("Content-Language %q: then this test says nothing", got)
			}
			b.advance(10 * time.Second)
			b.invalidate("/a")
			if got := b.get("/a").Header().Get("Content-Language"); got != "de" {
				t.Errorf("after the invalidation Content-Language is %q", got)
			}
		})
	}
}

// A confirmation that changes nothing leaves the evidence as it is.
func TestProofAfterPlainConfirmation(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		t.Run(rules.String(), func(t *testing.T) {
			b, p := newPage(t, func(c *Config, _ *Options) { c.Rules = rules })
			b.get("/a")
			b.advance(61 * time.Second)
			b.get("/a")
			b.invalidate("/a")
			b.get("/a")
			p.wantAsked("GET, GET if, GET if")
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
		p.whole = []string{"Content-Language: de"}
		p.touch()
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
			p.change(func(p *page) {
				lang := r.Header.Get("Accept-Language")
				p.body, p.etag, p.both = "in "+lang, `"`+lang+`"`, []string{"Cache-Control: max-age=60", "Vary: Accept-Language"}
			})
			return p.answer(r)
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
