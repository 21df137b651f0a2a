package edge

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// spec: cloudfront 3.7, from the cache and on a miss
func TestRanges(t *testing.T) {
	tests := []struct {
		spec    string
		headers []string
		status  int
		body    string
		content string // Content-Range
	}{
		{"first bytes", []string{"Range: bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"middle", []string{"Range: bytes=3-5"}, 206, "345", "bytes 3-5/10"},
		{"open end", []string{"Range: bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"suffix", []string{"Range: bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"suffix longer than the body", []string{"Range: bytes=-99"}, 206, "0123456789", "bytes 0-9/10"},
		{"end beyond the body", []string{"Range: bytes=8-99999999999999999999"}, 206, "89", "bytes 8-9/10"},
		{"unit in capitals", []string{"Range: Bytes=0-0"}, 206, "0", "bytes 0-0/10"},
		{"descending", []string{"Range: bytes=5-3"}, 200, "0123456789", ""},
		{"several", []string{"Range: bytes=0-1,4-5"}, 200, "0123456789", ""},
		{"nonsense", []string{"Range: bytes=a-b"}, 200, "0123456789", ""},
		{"signs", []string{"Range: bytes=+1-2"}, 200, "0123456789", ""},
		{"other unit", []string{"Range: lines=1-2"}, 200, "0123456789", ""},
		{"beyond the body", []string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{"If-Range, same", []string{"Range: bytes=0-0", `If-Range: "1"`}, 206, "0", "bytes 0-0/10"},
		{"If-Range, other", []string{"Range: bytes=0-0", `If-Range: "2"`}, 200, "0123456789", ""},
		{"If-Range, weak", []string{"Range: bytes=0-0", `If-Range: W/"1"`}, 200, "0123456789", ""},
		{"If-Range, date", []string{"Range: bytes=0-0", "If-Range: Sat, 21 Nov 2026 10:00:00 GMT"}, 206, "0", "bytes 0-0/10"},
	}
	for _, test := range tests {
		for _, warm := range []bool{false, true} {
			t.Run(test.spec, func(t *testing.T) {
				b := newBench(t, always(200, "0123456789", `Etag: "1"`, "Last-Modified: Sat, 21 Nov 2026 10:00:00 GMT"))
				if warm {
					b.get("/a")
				}
				w := b.get("/a", test.headers...)
				if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Range") != test.content {
					t.Errorf("warm %v: %d %q %v", warm, w.Code, w.Body, w.Header())
				}
				if got := b.origin.last().Header.Get("Range"); got != "" {
					t.Errorf("the origin was asked for %s", got)
				}
				b.want("/a", 200, "Hit", "0123456789")
				b.asked(1)
			})
		}
	}
}

// spec: cloudfront 3.7: chunked origin response, full object; later ranges come from the cache
func TestRangeOfUnknownLength(t *testing.T) {
	b := newBench(t, func(*http.Request) (*http.Response, error) {
		r := reply(200, "")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("0123456789")), -1
		return r, nil
	})
	if w := b.get("/a", "Range: bytes=0-0"); w.Code != 200 || w.Body.String() != "0123456789" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	b.want("/a", 200, "Hit", "0123456789")
	if w := b.get("/a", "Range: bytes=0-0"); w.Code != 206 || w.Body.String() != "0" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestConditions(t *testing.T) {
	const modified = "Sat, 21 Nov 2026 10:00:00 GMT"
	tests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"same tag", []string{`If-None-Match: "1"`}, 304},
		{"weakly the same", []string{`If-None-Match: W/"1"`}, 304},
		{"one of several", []string{`If-None-Match: "0", W/"a,b" , "1"`}, 304},
		{"any", []string{"If-None-Match: *"}, 304},
		{"other tag", []string{`If-None-Match: "2"`}, 200},
		{"not modified since", []string{"If-Modified-Since: " + modified}, 304},
		{"modified since", []string{"If-Modified-Since: Fri, 20 Nov 2026 10:00:00 GMT"}, 200},
		{"tag goes before date", []string{`If-None-Match: "2"`, "If-Modified-Since: " + modified}, 200},
		{"bad date", []string{"If-Modified-Since: yesterday"}, 200},
		{"304 goes before a range", []string{`If-None-Match: "1"`, "Range: bytes=0-0"}, 304},
	}
	for _, test := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			for _, warm := range []bool{false, true} {
				t.Run(test.name+" "+method, func(t *testing.T) {
					b := newBench(t, always(200, "hello", `Etag: "1"`, "Last-Modified: "+modified, "Cache-Control: max-age=60"))
					if warm {
						b.get("/a")
					}
					w := b.do(method, "/a", test.headers...)
					if w.Code != test.status {
						t.Errorf("warm %v: %d, want %d", warm, w.Code, test.status)
					}
					if h := w.Header(); w.Code == 304 && (w.Body.Len() > 0 || h.Get("Etag") != `"1"` || h.Get("Cache-Control") == "" || h.Get("Content-Length") != "") {
						t.Errorf("304 with %v and %q", h, w.Body)
					}
					b.want("/a", 200, "Hit", "hello")
					b.asked(1)
				})
			}
		}
	}
}

// An error page's status is no 200, so neither conditions nor ranges apply to it.
func TestConditionsOnErrors(t *testing.T) {
	b := newBench(t, always(404, "0123456789", `Etag: "1"`))
	for _, h := range []string{`If-None-Match: "1"`, "Range: bytes=0-0"} {
		if w := b.get("/a", h); w.Code != 404 || w.Body.String() != "0123456789" {
			t.Errorf("%s: %d %q", h, w.Code, w.Body)
		}
	}
}
