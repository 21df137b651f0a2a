package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// servePage answers the page. Its script fills it in.
func (c *Console) servePage(w http.ResponseWriter, _ *http.Request) {
	page, err := assets.ReadFile("assets/page.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(bytes.ReplaceAll(page, []byte("{{name}}"), []byte(c.opts.Name))) // fails when the reader has gone
}

// serveAsset answers a file of the page.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, err := assets.ReadFile("assets/" + name)
	if err != nil || strings.Contains(name, "/") {
		http.NotFound(w, r)
		return
	}
	ServeFile(w, r, name, data)
}

// ServeFile answers a style sheet, script or picture of a page, by its name's extension; others are not found. The browser keeps it and asks
// each time whether it is still the same.
func ServeFile(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	if types[path.Ext(name)] == "" {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(data)
	w.Header().Set("Content-Type", types[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

// Shared is a file of the console's page that pages beside it use as it is: "page.css", "dom.js" or "icon.svg"; nil for others.
func Shared(name string) []byte {
	switch name {
	case "page.css", "dom.js", "icon.svg":
		data, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil // cannot be: it is part of the program
		}
		return data
	}
	return nil
}
