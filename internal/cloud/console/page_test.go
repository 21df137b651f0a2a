package console

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

func TestPage(t *testing.T) {
	f := newFixture()
	f.cache.stats = edge.Stats{Requests: 18423, Hits: 9999, Misses: 1, BytesOut: 412_345_678, OriginRequests: 1412, Objects: 1204, ObjectBytes: 500, MemoryBytes: 268_435_456}
	f.cache.objects = []edge.ObjectInfo{
		{URI: "/old", Status: 404, Size: 12_345, Type: "text/html; charset=utf-8", Stored: noon.Add(-90 * time.Second), Expires: noon, Hits: 7},
		{URI: "/new", Status: 200, Stored: noon, Expires: noon.Add(365 * 24 * time.Hour)},
	}
	items := make([]string, 140)
	for i := range items {
		items[i] = fmt.Sprintf("/p%d", i)
	}
	f.invalidations.list = []control.Recent{
		{ID: "I2", Status: "InProgress", Created: noon.Add(-5 * time.Minute), Reference: "r2", Items: items},
		{ID: "I1", Status: "Completed", Created: noon.Add(-50 * time.Hour), Reference: "r1", Items: []string{"#tag"}},
	}
	f.events.Add(request(0))
	w := f.send(t, "GET", "/")
	got := w.Body.String()
	if w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
	for _, want := range []string{
		"<title>freshet local</title>",
		`<a href="http://127.0.0.1:8080/" rel="noreferrer">http://127.0.0.1:8080</a>`,
		"<code>http://127.0.0.1:9000</code>", "<code>http://127.0.0.1:9001</code>", "<code>site</code>", "<code>EDIST</code>",
		"18,423", "99.9 %", "412.3 MB", "1,412", "of 268.4 MB", `<meter min="0" max="268435456" value="500"`,
		`<time datetime="2026-11-22T12:00:00.000Z" title="2026-11-22 12:00:00 UTC">12:00:00</time></td><td data-status="200">200</td>`,
		`data-result="Hit" title="Hit from cloudfront">Hit</span>`, "<b>GET</b> /a</td>", "1.2 ms",
		"140 items</summary>", "<li>/p99</li><li class=\"note\">and 40 more</li>", "1 item</summary>", "<li>#tag</li>",
		">5 min</time>", ">2 d</time>", `title="caller reference r2">I2</code>`,
		`data-status="404"`, "12.3 KB", ">1 min</time>", ">expired</time>", ">365 d</time>", `<td title="text/html; charset=utf-8">text/html</td>`,
		`data-last="1"`, "2 found</p>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// What viewers and publishers choose is text, wherever it stands.
func TestHostileText(t *testing.T) {
	const bad = `/"'><script>alert(1)</script><img src=x onerror=alert(2)>`
	f := newFixture()
	f.cache.objects = []edge.ObjectInfo{{URI: bad, Variant: bad, Type: bad, ETag: bad}, {URI: "javascript:alert(3)//" + bad}}
	f.invalidations.list = []control.Recent{{ID: bad, Status: bad, Reference: bad, Items: []string{bad}}}
	f.events.Add(Request{Method: bad, Path: bad, Cache: bad})
	own := strings.Count(newFixture().send(t, "GET", "/").Body.String(), "<script")
	for _, target := range []string{"/", "/?q=%3Cscript%3E", `/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`} {
		got := f.send(t, "GET", target).Body.String()
		if n := strings.Count(got, "<script"); n != own {
			t.Errorf("%s: %d scripts, want the page's own %d:\n%s", target, n, own, got)
		}
		for _, mark := range []string{"<img", `href="javascript:`, `"'>`, " onerror=alert(2)>"} {
			if strings.Contains(got, mark) {
				t.Errorf("%s: %s reached the page", target, mark)
			}
		}
	}
	if got := f.send(t, "GET", "/api/state").Body.String(); strings.Contains(got, "<") {
		t.Errorf("the state has markup: %s", got)
	}
}

// The policy forbids inline code; the page must not need any, nor anything
// from elsewhere.
func TestPageNeedsNothingElse(t *testing.T) {
	f := newFixture()
	page := f.send(t, "GET", "/").Body.String()
	for _, mark := range []string{"<style", " style=", " onclick=", "javascript:", "//cdn", "https://"} {
		if strings.Contains(page, mark) {
			t.Errorf("the page has %s", mark)
		}
	}
	found := regexp.MustCompile(`(?:src|href)="(/assets/[^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(found) != 3 {
		t.Fatalf("the page names %d assets, want 3", len(found))
	}
	for _, one := range found {
		w := f.send(t, "GET", one[1])
		tag := w.Header().Get("ETag")
		if w.Code != 200 || w.Body.Len() == 0 || tag == "" || strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s answered %d %v", one[1], w.Code, w.Header())
		}
		if again := f.send(t, "GET", one[1], "If-None-Match", tag); again.Code != 304 {
			t.Errorf("%s again answered %d, want 304", one[1], again.Code)
		}
	}
}

func TestEmptyPage(t *testing.T) {
	f := newFixture()
	for target, wants := range map[string][]string{
		"/":           {"No request yet.", "No invalidation yet.", "Nothing is cached yet.", "<dd>– <small>"},
		"/?q=%3Cb%3E": {"Nothing cached has “&lt;b&gt;” in its path.", `value="&lt;b&gt;"`},
	} {
		got := f.send(t, "GET", target).Body.String()
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %s", target, want)
			}
		}
	}
}

func TestShow(t *testing.T) {
	for _, row := range []struct{ name, got, want string }{
		{"bytes", showBytes(999), "999 B"},
		{"kilobytes", showBytes(1000), "1.0 KB"},
		{"not 1000.0 KB", showBytes(999_950), "1.0 MB"},
		{"terabytes", showBytes(int64(5_000_000_000_000_000)), "5000.0 TB"},
		{"no thousands", showCount(999), "999"},
		{"millions", showCount(1234567), "1,234,567"},
		{"below zero", showCount(-123456), "-123,456"},
		{"below zero, short", showCount(-999), "-999"},
		{"a part of a millisecond", showMS(0.04), "0.0 ms"},
		{"milliseconds", showMS(9.96), "10 ms"},
		{"seconds", showMS(999.6), "1.0 s"},
		{"a clock that went back", showSpan(-time.Second), "0 s"},
		{"seconds of age", showSpan(59 * time.Second), "59 s"},
		{"minutes", showSpan(time.Minute), "1 min"},
		{"hours", showSpan(47 * time.Hour), "47 h"},
		{"days", showSpan(48 * time.Hour), "2 d"},
	} {
		if diff := cmp.Diff(row.got, row.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", row.name, diff)
		}
	}
}
