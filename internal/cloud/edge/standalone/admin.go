package standalone

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// adminHandler is what the admin listener serves: metrics, health, and the control API, if it has one, on every other path.
//
// /healthz answers 200 as long as the process serves; /readyz 503 once Close has begun, so that balancers send viewers elsewhere.
// These and /metrics are open to whoever reaches the listener.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.ready.Load() && s.engine.Ready() {
			say(w, http.StatusOK, "ready\n")
			return
		}
		say(w, http.StatusServiceUnavailable, "not ready\n")
	})
	if s.control == nil {
		return mux
	}
	api := s.control.server.Handler()
	if s.opts.Credentials == (Credentials{}) {
		api = local(api)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/2020-05-31/") { // not by the mux, which would clean paths that are signed
			api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that is gone is nobody's error
}

// local lets through what programs on this machine ask for, and nothing that a page in a browser can have sent: without signatures,
// that is all that keeps a page from invalidating.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !isLoopback(r.Host): // DNS rebinding: another site's name that resolves to this address
			http.Error(w, "this is a freshet edge's control API, and not what was asked for", http.StatusMisdirectedRequest)
		case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
			http.Error(w, "the control API does not answer to web pages", http.StatusForbidden)
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
