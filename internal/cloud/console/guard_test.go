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

// A page that changes something takes POST of JSON from itself, and one with a certificate answers to the certificate's names.
func TestGate(t *testing.T) {
	const far, json = "control-1.example.org:8081", "application/json"
	for _, row := range []struct {
		name   string
		plain  bool // on loopback without TLS
		method string
		host   string
		header []string
		want   int
	}{
		{"a name of the certificate", false, "GET", far, nil, 200},
		{"by another port, as behind an address translation", false, "GET", "control-1.example.org", nil, 200},
		{"loopback, as through ssh", false, "GET", "localhost:8081", nil, 200},
		{"a name of somebody else", false, "GET", "evil.example:8081", nil, 421},
		{"no name", false, "GET", "", nil, 421},
		{"only a port", false, "GET", ":8081", nil, 421},
		{"a name of the certificate without TLS", true, "GET", far, nil, 421},

		{"JSON from the page", false, "POST", far, []string{"Origin", "https://" + far, "Sec-Fetch-Site", "same-origin", "Content-Type", json}, 200},
		{"JSON with a charset", false, "POST", far, []string{"Content-Type", json + "; charset=utf-8"}, 200},
		{"JSON on loopback", true, "POST", "127.0.0.1:8081", []string{"Origin", "http://127.0.0.1:8081", "Content-Type", json}, 200},
		{"a form", false, "POST", far, []string{"Origin", "https://" + far, "Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"text", false, "POST", far, []string{"Content-Type", "text/plain"}, 415},
		{"nothing said", false, "POST", far, nil, 415},
		{"another site", false, "POST", far, []string{"Origin", "https://evil.example", "Content-Type", json}, 403},
		{"another port of the host", false, "POST", far, []string{"Origin", "https://control-1.example.org:9001", "Content-Type", json}, 403},
		{"the host in the clear", false, "POST", far, []string{"Origin", "http://" + far, "Content-Type", json}, 403},
		{"another site by its headers", false, "POST", far, []string{"Sec-Fetch-Site", "cross-site", "Content-Type", json}, 403},
		{"another port by its headers", true, "POST", "127.0.0.1:8081", []string{"Sec-Fetch-Site", "same-site", "Content-Type", json}, 403},
		{"a link that posts", false, "POST", far, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Content-Type", json}, 403},
		{"a rebound name that posts", true, "POST", "evil.example:8081", []string{"Content-Type", json}, 421},
		{"PUT", false, "PUT", far, []string{"Content-Type", json}, 405},
		{"DELETE", false, "DELETE", far, nil, 405},
	} {
		t.Run(row.name, func(t *testing.T) {
			gate := Gate{Host: "[::]:8081", TLS: true, Certified: func(name string) bool { return name == "control-1.example.org" }, Changes: true}
			if row.plain {
				gate.Host, gate.TLS = "127.0.0.1:8081", false
			}
			f := &fixture{handler: gate.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
			w := f.send(t, row.method, "/", append([]string{"Host", row.host}, row.header...)...)
			if w.Code != row.want {
				t.Errorf("status %d, want %d: %s", w.Code, row.want, w.Body)
			}
			if row.want == 405 && w.Header().Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("Allow is %q", w.Header().Get("Allow"))
			}
			checkSecurityHeaders(t, w.Header())
		})
	}
}

func TestShared(t *testing.T) {
	for name, want := range map[string]bool{"page.css": true, "dom.js": true, "icon.svg": true, "page.html": false, "../guard.go": false, "": false} {
		if got := len(Shared(name)) > 0; got != want {
			t.Errorf("%q is shared: %v, want %v", name, got, want)
		}
	}
}
