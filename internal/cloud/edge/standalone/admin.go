package standalone

import (
	"io"
	"net/http"
	"strings"

	"github.com/freshet/freshet/internal/cloud/listen"
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
		api = listen.Local("control API", api)
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
