package controlnode

import (
	"embed"
	"net/http"
	"strings"

	"github.com/freshet/freshet/internal/cloud/console"
)

//go:embed assets
var assets embed.FS

// pageHandler is what the page's listener serves: the page, its own files and the console's style, and the fleet's state. It changes nothing.
func (s *Server) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		page, err := assets.ReadFile("assets/fleet.html")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // a browser that is gone is nobody's error
	})
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		data, err := assets.ReadFile("assets/" + name)
		switch {
		case name == "page.css":
			data = console.Style()
		case err != nil:
			http.NotFound(w, r)
			return
		}
		console.ServeFile(w, r, name, data)
	})
	mux.HandleFunc("GET /api/fleet", func(w http.ResponseWriter, _ *http.Request) { s.showStatus(w) })
	return console.Guard(strings.TrimPrefix(s.info.Page, "http://"), mux)
}
