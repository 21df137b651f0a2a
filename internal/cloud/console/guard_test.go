package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	const page, state = "/", "/api/state"
	for _, row := range []struct {
		name   string
		method string
		target string
		header []string
		want   int
	}{
		{"its own address", "GET", page, nil, 200},
		{"localhost", "GET", page, []string{"Host", "localhost:8081"}, 200},
		{"names have no case", "GET", page, []string{"Host", "LocalHost:8081"}, 200},
		{"a rebound name", "GET", page, []string{"Host", "evil.example:8081"}, 421},
		{"a rebound name, state", "GET", state, []string{"Host", "evil.example:8081"}, 421},
		{"a rebound name, style", "GET", "/assets/page.css", []string{"Host", "evil.example:8081"}, 421},
		{"another port", "GET", page, []string{"Host", "127.0.0.1:8080"}, 421},
		{"no port", "GET", page, []string{"Host", "127.0.0.1"}, 421},
		{"a name that begins like ours", "GET", page, []string{"Host", "localhost:8081.evil.example"}, 421},
		{"a name below ours", "GET", page, []string{"Host", "evil.localhost:8081"}, 421},
		{"no host", "GET", page, []string{"Host", ""}, 421},
		{"a misdirected POST", "POST", page, []string{"Host", "evil.example"}, 421},

		{"HEAD", "HEAD", page, nil, 200},
		{"HEAD of the state", "HEAD", state, nil, 200},
		{"HEAD of the events ends", "HEAD", "/events", nil, 200},
		{"POST", "POST", page, nil, 405},
		{"PUT", "PUT", state, nil, 405},
		{"DELETE", "DELETE", state, nil, 405},
		{"OPTIONS", "OPTIONS", state, nil, 405},
		{"POST to nowhere", "POST", "/nowhere", nil, 405},

		{"own origin", "GET", state, []string{"Origin", "http://127.0.0.1:8081"}, 200},
		{"own other name", "GET", state, []string{"Origin", "http://localhost:8081"}, 200},
		{"the site's origin", "GET", state, []string{"Origin", "http://127.0.0.1:8080"}, 403},
		{"another origin", "GET", state, []string{"Origin", "http://evil.example"}, 403},
		{"an opaque origin", "GET", state, []string{"Origin", "null"}, 403},
		{"a broken origin", "GET", state, []string{"Origin", "http://[::1"}, 403},
		{"own address by TLS", "GET", state, []string{"Origin", "https://127.0.0.1:8081"}, 403},
		{"one of two origins", "GET", state, []string{"Origin", "http://127.0.0.1:8081", "Origin", "http://evil.example"}, 403},
		{"own page", "GET", state, []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"typed in", "GET", page, []string{"Sec-Fetch-Site", "none"}, 200},
		{"another site", "GET", state, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port of this machine", "GET", state, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"events for another site", "GET", "/events", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a script elsewhere", "GET", "/assets/page.js", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a link to the page", "GET", page, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		{"a link with an origin", "GET", page, []string{"Origin", "null", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
		{"a link to the state", "GET", state, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
		{"a frame elsewhere", "GET", page, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},

		{"nowhere", "GET", "/nowhere", nil, 404},
		{"below the page", "GET", "/index.html", nil, 404},
		{"the template", "GET", "/assets/page.html", nil, 404},
		{"out of the assets", "GET", "/assets/..%2fguard.go", nil, 404},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newFixture().send(t, row.method, row.target, row.header...)
			if w.Code != row.want {
				t.Errorf("status %d, want %d", w.Code, row.want)
			}
			if row.want == 405 && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow is %q", w.Header().Get("Allow"))
			}
			checkSecurityHeaders(t, w.Header())
		})
	}
}

func checkSecurityHeaders(t *testing.T, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	policy := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy %q is not strict", policy)
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other origins are invited")
	}
}

func TestOwnNames(t *testing.T) {
	for _, row := range []struct {
		name, host, asked string
		want              bool
	}{
		{"the port that clients leave out", "127.0.0.1:80", "localhost", true},
		{"IPv6", "[::1]:8081", "[::1]:8081", true},
		{"IPv6 on port 80", "[::1]:80", "[::1]", true},
		{"all addresses, by a loopback name", "[::]:8081", "localhost:8081", true},
		{"all addresses, by another name", "[::]:8081", "10.0.0.7:8081", false},
		{"own name", "box.lan:8081", "box.lan:8081", true},
		{"nothing", "", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			handler := Guard(row.host, http.NotFoundHandler())
			f := &fixture{handler: handler}
			got := f.send(t, "GET", "/", "Host", row.asked).Code == http.StatusNotFound
			if got != row.want {
				t.Errorf("let through: %v, want %v", got, row.want)
			}
		})
	}
}
