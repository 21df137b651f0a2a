package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
		{"metadata that only a 200 has", func(p *page) { p.whole = []string{"X-Amz-Meta-A: 1"} }, nil, once, "GET", "GET"},
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
	p.mu.Lock()
	defer p.mu.Unlock()
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
