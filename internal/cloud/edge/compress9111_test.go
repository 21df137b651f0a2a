package edge

import (
	"net/http"
	"testing"
	"time"
)

// Under RFC 9111 compression is content negotiation: Vary selects the variants.
func TestPlainCompression(t *testing.T) {
	text := prose(5000)
	type step struct {
		method, accept string
		coding, etag   string
		asked          int // in all
		after          time.Duration
	}
	type answer = func(*http.Request) (*http.Response, error)
	confirming := func(headers ...string) answer {
		return func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("If-None-Match") == `"x"` {
				return reply(304, "", headers...), nil
			}
			return reply(200, text, append(headers, `Etag: "x"`)...), nil
		}
	}
	const fresh = "Cache-Control: max-age=60"
	rows := []struct {
		name   string
		off    bool
		origin answer
		vary   string
		steps  []step
	}{
		{"RFC 9110 12.5.5: a variant for each", false, confirming(fresh), "Accept-Encoding", []step{
			{"GET", "gzip, br", "br", `W/"x"`, 1, 0}, {"GET", "br,gzip", "br", `W/"x"`, 1, 0}, {"GET", "gzip", "gzip", `W/"x"`, 2, 0},
			{"GET", "", "", `"x"`, 3, 0}, {"GET", "gzip", "gzip", `W/"x"`, 3, 0}, {"GET", "gzip, br", "br", `W/"x"`, 3, 0}, {"GET", "", "", `"x"`, 3, 0},
		}},
		{"uncompressed first", false, confirming(fresh), "Accept-Encoding", []step{
			{"GET", "", "", `"x"`, 1, 0}, {"GET", "br", "br", `W/"x"`, 2, 0}, {"GET", "", "", `"x"`, 2, 0},
		}},
		{"RFC 9111 4.3.4: confirmed, it stays what it is", false, confirming(fresh, `Etag: "x"`, "Vary: Origin"), "Origin, Accept-Encoding", []step{
			{"GET", "br", "br", `W/"x"`, 1, 0}, {"GET", "br", "br", `W/"x"`, 2, 61 * time.Second}, {"GET", "br", "br", `W/"x"`, 2, 59 * time.Second}, {"GET", "", "", `"x"`, 3, 0},
			{"GET", "br", "br", `W/"x"`, 4, 2 * time.Second},
		}},
		{"RFC 9111 4.3.5: HEAD is about the origin's bytes", false, confirming(fresh), "Accept-Encoding", []step{
			{"GET", "br", "br", `W/"x"`, 1, 0}, {"HEAD", "br", "br", `W/"x"`, 1, 0}, {"HEAD", "br", "", `"x"`, 2, 61 * time.Second}, {"GET", "br", "br", `W/"x"`, 2, 0},
		}},
		{"RFC 9111 5.2.2.6: no-transform", false, confirming(fresh + ", no-transform"), "", []step{{"GET", "br", "", `"x"`, 1, 0}, {"GET", "", "", `"x"`, 1, 0}}},
		{"off by default", true, confirming(fresh), "", []step{{"GET", "br", "", `"x"`, 1, 0}, {"GET", "", "", `"x"`, 1, 0}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, row.origin, plain, func(c *Config, _ *Options) { c.Default.Compress = !row.off })
			for i, s := range row.steps {
				b.advance(s.after)
				var headers []string
				if s.accept != "" {
					headers = []string{"Accept-Encoding: " + s.accept}
				}
				w := b.do(s.method, "/a", headers...)
				if got := visible(w); got["Content-Encoding"] != s.coding || got["Etag"] != s.etag || s.method == "GET" && got["Vary"] != row.vary {
					t.Errorf("step %d: got %v, want %q %s %q", i, got, s.coding, s.etag, row.vary)
				}
				if s.method == "GET" && decoded(t, w) != text {
					t.Errorf("step %d: the body is not the origin's", i)
				}
				b.asked(s.asked)
			}
		})
	}
}
