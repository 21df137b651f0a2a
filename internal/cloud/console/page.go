package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// maxItems is how many items of one invalidation the page shows; /api/state
// has all of them.
const maxItems = 100

func parsePage() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"bytes": showBytes[int64], "size": showBytes[int], "count": showCount[int64], "number": showCount[int],
		"ms": showMS, "result": showResult, "media": showMedia, "readable": readable, "more": func(items []string) int { return max(0, len(items)-maxItems) },
		"few": func(items []string) []string { return items[:min(len(items), maxItems)] },
	}).ParseFS(assets, "assets/page.html"))
}

// view is a State with what depends on its time and place. Its methods are for
// the template.
type view struct{ State }

// servePage answers the page.
func (c *console) servePage(w http.ResponseWriter, r *http.Request) {
	state, err := c.state(r.URL.Query().Get("q"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := c.page.Execute(&out, view{state}); err != nil {
		http.Error(w, "draw the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // fails when the reader has gone
}

// serveAsset answers a file of the page. The browser keeps it and asks each
// time whether it is still the same.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	}
	name := r.PathValue("name")
	data, err := assets.ReadFile("assets/" + name)
	if err != nil || types[name] == "" {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(data)
	w.Header().Set("Content-Type", types[name])
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

// Clock is the time of day of t.
func (v view) Clock(t time.Time) string { return t.In(v.Time.Location()).Format("15:04:05") }

// Date is t for people who want to know exactly.
func (v view) Date(t time.Time) string {
	return t.In(v.Time.Location()).Format("2006-01-02 15:04:05 MST")
}

// Stamp is t for the datetime attribute. HTML Living Standard, 2.3.5
func (v view) Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Ago is how long ago t was.
func (v view) Ago(t time.Time) string { return showSpan(v.Time.Sub(t)) }

// Left is how long it is until t; "expired" after it.
func (v view) Left(t time.Time) string {
	if !t.After(v.Time) {
		return "expired"
	}
	return showSpan(t.Sub(v.Time))
}

// Percent is the hit ratio with one decimal, rounded down so that a single
// miss is never "100 %".
func (v view) Percent() string {
	if v.Figures.HitRatio == nil {
		return "–"
	}
	tenths := int(*v.Figures.HitRatio * 1000)
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// showBytes is n in powers of ten, as S3 counts: "9.1 KB".
func showBytes[N int | int64](n N) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KB", "MB", "GB", "TB"} {
		if value /= 1000; value < 999.95 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// showCount is n with its thousands apart: "1,204".
func showCount[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// showMS is a duration in milliseconds: "0.4 ms", "27 ms", "3.1 s".
func showMS(ms float64) string {
	switch {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// showSpan is d in its largest unit: "12 s", "3 min", "5 h", "365 d".
func showSpan(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// showMedia is a Content-Type without its parameters.
func showMedia(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return media
}

// showResult is the first word of X-Cache. spec: cloudfront 6
func showResult(cache string) string {
	word, _, _ := strings.Cut(cache, " ")
	return word
}
