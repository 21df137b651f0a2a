package dev

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed assets/reload.js
var reloadScript []byte

// ownPath begins the paths that dev answers itself.
const ownPath = "/.freshet/"

// keptPolicy is the header that shows what Cache-Control is without dev.
const keptPolicy = "X-Freshet-Cache-Control"

// maxPage is the longest page that gets the script, in bytes; a longer one goes
// through as it is.
const maxPage = 64 << 20

// versionKey is where a request's context has the version that was published
// when it came in.
type versionKey struct{}

// handler answers browsers: its own paths, and everything else from the edge,
// with the script in its pages. idle closes the connections to the edge.
func handler(o Options, h *hub) (_ http.Handler, idle func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true}
	mux := http.NewServeMux()
	mux.Handle(ownPath, own(http.NotFoundHandler()))
	mux.Handle(ownPath+"events", own(h))
	mux.Handle(ownPath+"reload.js", own(http.HandlerFunc(serveScript)))
	pages := proxy(o.Edge, transport)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, ownPath) {
			mux.ServeHTTP(w, r)
			return
		}
		// Past the mux, which would tidy up paths that the edge keeps apart.
		pages.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), versionKey{}, h.version())))
	})
	return guard(o.Hosts, all), transport.CloseIdleConnections
}

func serveScript(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(reloadScript))
}

// proxy asks the edge.
func proxy(edge string, transport http.RoundTripper) http.Handler {
	base, err := url.Parse(edge)
	if err != nil {
		base = &url.URL{Scheme: "http", Host: edge} // fails with each request, and says why
	}
	return &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = base.Scheme, base.Host, base.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Header.Set("Accept-Encoding", "identity") // what was stored compressed still is
			if wantsPage(r.In) {
				// A page differs from what the edge has, and may differ from what
				// the browser had from another server at this address.
				for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
					r.Out.Header.Del(name)
				}
			}
		},
		ModifyResponse: amend,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, context.Canceled) {
				return // the browser has left
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write(inject(ownPage(r, http.StatusBadGateway, err.Error()), r)) // nobody to tell
		},
	}
}

// wantsPage says whether somebody opens a page, as far as the request tells.
func wantsPage(r *http.Request) bool {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document" || dest == "iframe" || dest == "frame"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// amend makes an answer of the edge one of dev: the browser asks each time, so
// that a reload shows what is published, and a page has the script.
func amend(res *http.Response) error {
	if policy := res.Header.Get("Cache-Control"); policy != "" {
		res.Header.Set(keptPolicy, policy)
	}
	res.Header.Set("Cache-Control", "no-cache")
	page := isPage(res)
	if res.StatusCode >= http.StatusBadRequest && !page && wantsPage(res.Request) && res.Request.Method == http.MethodGet {
		return replace(res)
	}
	if !page {
		return nil
	}
	// They are those of the page without the script.
	for _, name := range []string{"ETag", "Last-Modified", "Accept-Ranges", "Content-Length"} {
		res.Header.Del(name)
	}
	if res.Request.Method == http.MethodHead {
		res.ContentLength = -1
		return nil
	}
	return rewrite(res)
}

// isPage says whether an answer gets the script: a page that is shown, and that
// no script of another page has asked for.
func isPage(res *http.Response) bool {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind != "text/html" && kind != "application/xhtml+xml" {
		return false
	}
	switch res.StatusCode {
	case http.StatusNoContent, http.StatusNotModified, http.StatusPartialContent:
		return false
	}
	if strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Disposition")), "attachment") {
		return false
	}
	return res.Request.Header.Get("Sec-Fetch-Dest") == "" || wantsPage(res.Request)
}

// rewrite puts the script into the body, which may have been stored compressed.
func rewrite(res *http.Response) error {
	body := io.Reader(res.Body)
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(res.Body)
		if err != nil {
			return fmt.Errorf("unpack the page, which is stored with Content-Encoding: gzip: %w", err)
		}
		body = unpacked
		res.Header.Del("Content-Encoding")
	default:
		return nil // a coding that dev does not know: the page is shown and not reloaded
	}
	page, err := io.ReadAll(io.LimitReader(body, maxPage+1))
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	if len(page) > maxPage {
		res.Body = both{io.MultiReader(bytes.NewReader(page), body), res.Body}
		res.ContentLength = -1
		return nil
	}
	return setBody(res, inject(page, res.Request))
}

// both reads from one and closes the other.
type both struct {
	io.Reader
	io.Closer
}

func setBody(res *http.Response, page []byte) error {
	if err := res.Body.Close(); err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(page))
	res.ContentLength = int64(len(page))
	res.Header.Set("Content-Length", strconv.Itoa(len(page)))
	return nil
}

// replace puts a page where the edge has only an error message of S3, so that
// there is something to reload when the page comes to be.
func replace(res *http.Response) error {
	for _, name := range []string{"ETag", "Last-Modified", "Accept-Ranges", "Content-Encoding"} {
		res.Header.Del(name)
	}
	res.Header.Set("Content-Type", "text/html; charset=utf-8")
	text := "The edge answered " + strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode) + "."
	if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusForbidden {
		text = "The site has nothing here. A page 404.html at its top would be shown instead of this one."
	}
	return setBody(res, inject(ownPage(res.Request, res.StatusCode, text), res.Request))
}

// ownPage is a page of dev itself.
func ownPage(r *http.Request, status int, text string) []byte {
	return fmt.Appendf(nil, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%[1]d %[2]s</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem">
<h1 style="font-size: 1.4rem">%[1]d %[2]s</h1>
<p><code>%[3]s</code></p>
<p>%[4]s</p>
<p style="opacity: .7">This page is from freshet dev. It reloads by itself when the site changes.</p>
</body>
`, status, http.StatusText(status), html.EscapeString(r.URL.Path), html.EscapeString(text))
}
