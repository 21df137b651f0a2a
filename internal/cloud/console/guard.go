package console

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// securityHeaders go out with every answer, refusals included.
var securityHeaders = [...][2]string{
	// Nothing inline, nothing from elsewhere, nobody's frame.
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// Guard lets through what a person at this machine asks for at host, an address
// with its port, and nothing that a page of another origin could have sent.
func Guard(host string, next http.Handler) http.Handler {
	names := ownNames(host)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range securityHeaders {
			w.Header().Set(h[0], h[1])
		}
		switch {
		// DNS rebinding: another site's name that resolves to this address.
		case !slices.Contains(names, withPort(r.Host)):
			http.Error(w, "this is the freshet console at "+host+", and not what was asked for", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the console only answers GET and HEAD", http.StatusMethodNotAllowed)
		case !sameOrigin(r, names) && !isLink(r):
			http.Error(w, "the console answers only to its own page", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownNames are the values of Host that mean this console, each with its port;
// none for a host that is none.
func ownNames(host string) []string {
	host = withPort(host)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil
	}
	return []string{host, net.JoinHostPort("localhost", port), net.JoinHostPort("127.0.0.1", port)}
}

// withPort puts host into lower case and adds the port that HTTP clients leave
// out. RFC 9110, 4.2.1
func withPort(host string) string {
	host = strings.ToLower(host)
	if _, _, err := net.SplitHostPort(host); err != nil && host != "" {
		return net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return host
}

// sameOrigin says whether the request comes from the console's own page or
// from no page at all. Programs send neither header.
func sameOrigin(r *http.Request, names []string) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" || !slices.Contains(names, withPort(u.Host)) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// isLink says whether somebody followed a link to the page. The page that has
// the link sees nothing of the answer: Cross-Origin-Opener-Policy cuts the tie.
func isLink(r *http.Request) bool {
	return r.URL.Path == "/" && r.Header.Get("Origin") == "" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
