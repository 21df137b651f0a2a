package listen

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Local lets through what programs on this machine ask for, and nothing that a page in a browser can have sent: without signatures,
// that is all that keeps a page from changing something. What is guarded is named to who is refused, as in "control API".
func Local(what string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !isLoopback(r.Host): // DNS rebinding: another site's name that resolves to this address
			http.Error(w, "this is a freshet "+what+", and not what was asked for", http.StatusMisdirectedRequest)
		case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
			http.Error(w, "the "+what+" does not answer to web pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLoopback says whether a Host header names this machine.
func isLoopback(host string) bool {
	name := strings.Trim(host, "[]")
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") // RFC 6761, 6.3
}
