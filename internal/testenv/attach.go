package testenv

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Attach is an Env for an embedded cloud that runs in another process, found by
// its data folder, and whose deploys are made by somebody else: Ran tells the
// Env of each. Dir is an empty folder, and may be set to where the site lies.
func Attach(tb testing.TB, dataDir string) *Env {
	tb.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.MaxIdleConnsPerHost = true, 16
	tb.Cleanup(transport.CloseIdleConnections)
	e := &Env{
		tb: tb, Dir: tb.TempDir(), last: map[site.Key]published{}, past: map[site.Key]history{},
		shared: &shared{
			transport: transport, foreign: map[site.Key]object{}, warm: map[string]warm{},
			viewer: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		},
	}
	e.Reattach(dataDir)
	return e
}

// Reattach is for a cloud that was stopped and started again: it listens
// elsewhere, and its edge remembers nothing.
func (e *Env) Reattach(dataDir string) {
	e.tb.Helper()
	info, running, err := cloud.Find(context.Background(), dataDir)
	if err != nil || !running {
		e.tb.Fatalf("attach to the embedded cloud of %s: it runs: %v (%v)", dataDir, running, err)
	}
	e.shared.transport.CloseIdleConnections()
	e.shared.info = info
	others := &http.Client{Timeout: time.Minute, Transport: e.shared.transport}
	e.shared.bucket, e.shared.cdn = e.store("", others), e.control(others)
	clear(e.shared.warm)
}

// Ran tells e of a run by somebody else that has published Dir, which is as the
// run found it. items are those of its plan. err is nil for a run that
// succeeded; else it was killed or failed, and it may have come anywhere: what
// it was going to publish must not be answered once a later run has succeeded
// that does not have it.
func (e *Env) Ran(items []string, err error) {
	e.tb.Helper()
	files, want, scanErr := e.scan(context.Background())
	if scanErr != nil {
		e.tb.Fatalf("tell of a run: %v", scanErr)
	}
	e.lastErr = err
	e.shared.sent = append(e.shared.sent, items)
	if err == nil {
		e.shared.whole = append(e.shared.whole, items)
		e.remember(want, files)
		return
	}
	e.suspect(want, e.bodies(want))
}

// suspect notes what an unfinished run may have left behind.
func (e *Env) suspect(want site.Manifest, bodies map[site.Key]string) {
	for _, o := range want.Objects() {
		if !o.Kind.Removable() {
			continue // an asset stays reachable, whoever put it there
		}
		h := e.past[o.Key]
		if _, live := e.last[o.Key]; !live {
			h.removed = true // unless the next run has it too; remember sees to that
		}
		if !slices.Contains(h.bodies, bodies[o.Key]) {
			h.bodies = append(h.bodies, bodies[o.Key])
		}
		e.past[o.Key] = h
	}
}

// bodies are the files of Dir.
func (e *Env) bodies(want site.Manifest) map[site.Key]string {
	e.tb.Helper()
	out := make(map[site.Key]string, want.Len())
	for _, o := range want.Objects() {
		body, err := os.ReadFile(filepath.Join(e.Dir, filepath.FromSlash(string(o.Key))))
		if err != nil {
			e.tb.Fatalf("tell of a run: %v", err)
		}
		out[o.Key] = string(body)
	}
	return out
}

// ColdEdge starts an edge that never keeps anything, in front of the bucket as
// it is now, and returns its base URL; it ends with the test. A viewer far away
// may come to such an edge at any time: what a warm cache hides is seen here.
// It answers with what the bucket holds and with 404, and takes names without a
// dot for folders (fact sheet 5.6).
func (e *Env) ColdEdge() string {
	e.tb.Helper()
	bucket := e.shared.bucket
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := cold(w, r, bucket); errors.Is(err, remote.ErrNotFound) {
			http.NotFound(w, r)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
	e.tb.Cleanup(server.Close)
	return server.URL
}

// cold answers one request from the bucket, or gives the bucket's error.
func cold(w http.ResponseWriter, r *http.Request, bucket remote.Store) error {
	path := strings.TrimPrefix(r.URL.Path, "/")
	switch last := path[strings.LastIndexByte(path, '/')+1:]; {
	case last == "":
		path += "index.html"
	case !strings.Contains(last, "."):
		path += "/index.html"
	}
	body, _, err := bucket.Get(r.Context(), site.Key(path))
	if err != nil {
		return err
	}
	head, err := bucket.Head(r.Context(), site.Key(path))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", head.Headers.ContentType)
	w.Header().Set("X-Cache", "Miss from cold edge")
	_, _ = w.Write(body) // a viewer that has gone away needs no answer
	return nil
}
