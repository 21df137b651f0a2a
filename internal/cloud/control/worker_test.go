package control

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// quiet runs a server without a network, inside a synctest bubble.
func quiet(t *testing.T, edges *fakeEdges, opts Options) (*Server, string) {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "control.db"), edges, opts)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.EnsureDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	return s, d.ID
}

// put accepts a batch as the API does.
func put(t *testing.T, s *Server, distribution, reference string, items ...string) {
	t.Helper()
	if _, _, err := s.accept(t.Context(), distribution, batch{reference, items}); err != nil {
		t.Fatal(err)
	}
	s.worker(distribution).wake()
}

// Failing edges are asked again, in pauses that grow, until they succeed; order is kept.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{failing: errors.New("edge is away")}
		s, id := quiet(t, edges, Options{})
		put(t, s, id, "1", "/a")
		synctest.Wait()
		put(t, s, id, "2", "/b")
		time.Sleep(time.Minute)
		edges.mu.Lock()
		calls := edges.calls
		edges.mu.Unlock()
		if calls < 10 || calls > 30 {
			t.Errorf("%d calls in a minute, want some 20", calls)
		}
		edges.fail(nil)
		time.Sleep(lastPause)
		synctest.Wait()
		want := []applied{{id, 1, []string{"/a"}}, {id, 2, []string{"/b"}}}
		if diff := cmp.Diff(edges.seen(), want); diff != "" {
			t.Errorf("edges saw (-got +want):\n%s", diff)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Close waits for what is in progress, and only for so long.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{})
		release := edges.hold()
		put(t, s, id, "1", "/a")
		put(t, s, id, "2", "/b")
		time.AfterFunc(3*time.Second, release)
		began := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("closed after %v, want 3s", got)
		}
		if got := len(edges.seen()); got != 2 {
			t.Errorf("edges saw %d invalidations, want 2", got)
		}
		if err := s.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{CloseWait: 2 * time.Second})
		defer edges.hold()()
		put(t, s, id, "1", "/a")
		began := time.Now()
		if err := s.Close(); err == nil {
			t.Error("nothing was said about the invalidation left behind")
		}
		if got := time.Since(began); got != 2*time.Second {
			t.Errorf("closed after %v, want 2s", got)
		}
	})
}

// Nobody who waits for edges holds up Close.
func TestCloseEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, _ := quiet(t, edges, Options{})
		edges.refuse(errors.New("edge is away"))
		cfg := siteConfig()
		cfg.CallerReference = "second"
		done := make(chan error)
		go func() {
			_, err := s.EnsureDistribution(context.Background(), cfg)
			done <- err
		}()
		synctest.Wait()
		began := time.Now()
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		if err := <-done; !errors.Is(err, errClosed) {
			t.Errorf("EnsureDistribution said %v, want that the server is closed", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		// A configuration that cannot be applied is applied after the next start; no invalidation depends on it.
		if got := time.Since(began); got != 0 {
			t.Errorf("closed after %v, want at once", got)
		}
	})
}

// Close gives failing edges the chance to come back.
func TestCloseRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{failing: errors.New("edge is away")}
		s, id := quiet(t, edges, Options{})
		put(t, s, id, "1", "/a")
		time.AfterFunc(time.Second, func() { edges.fail(nil) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := len(edges.seen()); got != 1 {
			t.Errorf("edges saw %d invalidations, want 1", got)
		}
	})
}

// A request that has begun is answered and carried out before the file is closed.
func TestCloseWaitsForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{Fault: func(string) *Fault {
			time.Sleep(time.Second)
			return nil
		}})
		const body = `<InvalidationBatch><CallerReference>r</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch>`
		w := httptest.NewRecorder()
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/2020-05-31/distribution/"+id+"/invalidation", strings.NewReader(body)))
		}()
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-answered
		if w.Code != http.StatusCreated || len(edges.seen()) != 1 {
			t.Errorf("answered %d %s; edges saw %v", w.Code, w.Body, edges.seen())
		}
	})
}

// A configuration that the edges refuse does not hold up invalidations.
func TestConfigDoesNotBlock(t *testing.T) {
	f := start(t, Options{})
	f.edges.refuse(errors.New("edge is away"))
	if a := f.put(t, sampleConfig); a.status != http.StatusOK || !strings.Contains(a.body, "<Status>InProgress</Status>") {
		t.Errorf("update answered %d %s, want InProgress", a.status, a.body)
	}
	out, err := f.invalidate(t.Context(), "ref", "/a")
	if err != nil {
		t.Fatal(err)
	}
	f.await(t, *out.Invalidation.Id)
	f.edges.refuse(nil)
}

func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.db")
	f := startAt(t, path, &fakeEdges{}, Options{})
	if _, err := Open(path, &fakeEdges{}, Options{}); err == nil {
		t.Error("a file in use was opened twice")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte("2")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, &fakeEdges{}, Options{}); err == nil || !strings.Contains(err.Error(), `unknown format version "2"`) {
		t.Errorf("error %v, want that the version is unknown", err)
	}
}
