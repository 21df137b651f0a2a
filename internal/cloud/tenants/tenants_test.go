package tenants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbered is an origin whose bodies are its name and a number.
type numbered struct {
	name  string
	size  int
	asked atomic.Int64
}

func (n *numbered) RoundTrip(r *http.Request) (*http.Response, error) {
	body := fmt.Sprint(n.name, " ", n.asked.Add(1), strings.Repeat(".", n.size))
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=600"}}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// rig is tenants whose origins are called by their domain names.
type rig struct {
	*Tenants
	t       testing.TB
	origins map[string]*numbered
}

func newRig(t testing.TB, opts Options) *rig {
	t.Helper()
	r := &rig{t: t, origins: map[string]*numbered{}}
	opts.Origin = func(o control.Origin, _ http.RoundTripper) (edge.Origin, error) {
		if r.origins[o.DomainName] == nil {
			r.origins[o.DomainName] = &numbered{name: o.DomainName}
		}
		return edge.Origin{Host: o.DomainName, Transport: r.origins[o.DomainName]}, nil
	}
	opts.Domain = func(id string) string { return strings.ToLower(id) + ".edge.example" }
	r.Tenants = New(opts)
	t.Cleanup(r.Close)
	return r
}

func config(origin string, aliases ...string) control.DistributionConfig {
	cfg := control.DistributionConfig{
		CallerReference: origin, Enabled: true, Aliases: aliases, Origins: []control.Origin{{ID: "o", DomainName: origin}},
		DefaultCacheBehavior: control.CacheBehavior{TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", AllowedMethods: []string{"HEAD", "GET"}},
	}
	cfg.DefaultCacheBehavior.Policies.Cache.MaxTTL, cfg.DefaultCacheBehavior.Policies.Cache.DefaultTTL = 1<<40, 1<<40
	return cfg
}

func (r *rig) configure(id string, cfg control.DistributionConfig) {
	r.t.Helper()
	if err := r.Configure(context.Background(), id, cfg); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) want(host, path string, status int, body string) {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Host = host
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if got := strings.TrimSpace(w.Body.String()); w.Code != status || body != "" && got != body {
		r.t.Errorf("GET %s%s = %d %q, want %d %q", host, path, w.Code, got, status, body)
	}
}

// While one configuration takes the place of another, a request is routed and answered by the same one.
func TestNoRequestSeesTwoConfigurations(t *testing.T) {
	r := newRig(t, Options{})
	on, off := config("one"), config("two")
	off.Enabled = false
	r.configure("E1", on)
	ctx, stop := context.WithCancel(t.Context())
	var viewers sync.WaitGroup
	for i := range 4 {
		viewers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				w := httptest.NewRecorder()
				r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%d/%d", i, n), nil))
				if strings.HasPrefix(w.Body.String(), "two") {
					t.Errorf("the distribution answers with %q, of a configuration that is disabled", w.Body)
				}
			}
		})
	}
	for range 500 {
		r.configure("E1", off)
		r.configure("E1", on)
	}
	stop()
	viewers.Wait()
}

func TestNames(t *testing.T) {
	r := newRig(t, Options{})
	r.want("a.example", "/", 503, "")
	r.configure("E1", config("one"))
	r.want("any.example:80", "/", 200, "one 1")
	if rq, resp := (&front.Request{Target: []byte("/"), Host: []byte("any.example")}), (&front.Response{}); !r.Hit(rq, resp) {
		t.Error("no hit")
	}
	r.configure("E2", config("two", "www.example.org", "*.b.example"))
	r.want("E2.EDGE.example.", "/", 200, "two 1")
	r.want("www.example.org:8080", "/", 200, "two 1")
	r.want("x.y.b.example", "/", 200, "two 1")
	r.want("b.example", "/", http.StatusMisdirectedRequest, "")
	r.configure("E2", config("two", "b.example"))
	r.want("b.example", "/", 200, "two 1")
	r.want("www.example.org", "/", http.StatusMisdirectedRequest, "")
	off := config("two")
	off.Enabled = false
	r.configure("E2", off)
	r.want("e2.edge.example", "/", 403, "")
	if rq, resp := (&front.Request{Target: []byte("/"), Host: []byte("e2.edge.example")}), (&front.Response{}); r.Hit(rq, resp) {
		t.Error("a disabled distribution answers a hit")
	}
	if err := errors.Join(r.Remove("E2"), r.Remove("E2")); err != nil {
		t.Fatal(err)
	}
	r.want("e2.edge.example", "/", 200, "one 1")
}

func TestFirst(t *testing.T) {
	r := newRig(t, Options{First: func(cfg control.DistributionConfig) bool { return cfg.CallerReference == "two" }})
	r.configure("E1", config("one"))
	r.configure("E2", config("two"))
	r.want("any.example", "/", 200, "two 1")
	r.want("e1.edge.example", "/", 200, "one 1")
}

func TestInvalidate(t *testing.T) {
	r := newRig(t, Options{})
	for _, id := range []string{"E1", "E2"} {
		r.configure(id, config(id))
		r.want(id+".edge.example", "/", 200, id+" 1")
	}
	if err := r.InvalidateAt("E1", 4, []string{"/*"}); err != nil {
		t.Fatal(err)
	}
	r.Advance(4)
	r.want("E1.edge.example", "/", 200, "E1 2")
	r.want("E2.edge.example", "/", 200, "E2 1")
	got, err := r.Positions()
	if diff := cmp.Diff(got, map[string]uint64{"E1": 4, "E2": 4}); diff != "" || err != nil {
		t.Errorf("positions %s, %v", diff, err)
	}
	if err := r.RevalidateAll(); err != nil {
		t.Fatal(err)
	}
	r.want("E2.edge.example", "/", 200, "E2 2")
	if err := r.Invalidate(context.Background(), "E2", 1, []string{"/"}); err != nil {
		t.Fatal(err)
	}
	r.want("E2.edge.example", "/", 200, "E2 3")
	stats := r.Stats()
	if stats["E1"].Requests != 2 || stats["E2"].Requests != 4 {
		t.Errorf("stats %+v", stats)
	}
	for _, err := range []error{r.InvalidateAt("E3", 5, []string{"/"}), r.Invalidate(context.Background(), "E3", 5, []string{"/"})} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("unknown distribution: %v", err)
		}
	}
}

// Each distribution finds its objects and its position again; the folders of those that are gone go too.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Options{Dir: dir})
	for _, id := range []string{"E1", "E2", "E3"} {
		r.configure(id, config(id))
		r.want(id+".edge.example", "/", 200, id+" 1")
	}
	if err := r.InvalidateAt("E1", 7, []string{"/x"}); err != nil {
		t.Fatal(err)
	}
	r.Advance(8)
	if err := r.Remove("E3"); err != nil {
		t.Fatal(err)
	}
	r.Close()
	next := newRig(t, Options{Dir: dir})
	positions := map[string]uint64{"E1": 8, "E2": 8}
	for range 2 {
		got, err := next.Positions()
		if diff := cmp.Diff(got, positions); diff != "" || err != nil {
			t.Errorf("positions %s, %v", diff, err)
		}
		next.configure("E1", config("E1"))
	}
	next.want("E1.edge.example", "/", 200, "E1 1")
	if got := next.origins["E1"].asked.Load(); got != 0 {
		t.Errorf("the origin was asked %d times", got)
	}
	if err := next.Tidy(); err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(dir)
	if err != nil || len(folders) != 1 || folders[0].Name() != "E1" {
		t.Errorf("folders %v, %v", folders, err)
	}
	if err := next.Remove("../" + filepath.Base(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.IntRange(1, 1<<30).Draw(t, "budget")
		needs := rapid.SliceOfN(rapid.IntRange(0, 1<<30), 1, 20).Draw(t, "needs")
		parts, sum := divide(budget, needs), 0
		for i, part := range parts {
			sum += part
			if part < min(needs[i], budget/len(needs)) {
				t.Errorf("part %d of need %d is %d", i, needs[i], part)
			}
			for j := range parts {
				if needs[i] > part && parts[j] > part+1 && parts[j] > needs[j] {
					t.Errorf("%d needs %d and has %d, but %d needs %d and has %d", i, needs[i], part, j, needs[j], parts[j])
				}
			}
		}
		if sum > budget || sum <= budget-len(needs) {
			t.Errorf("%d of %d given out", sum, budget)
		}
	})
}

// The memory that one distribution does not use is another's.
func TestShare(t *testing.T) {
	const budget = 16 << 20
	r := newRig(t, Options{MemoryBytes: budget})
	r.configure("E1", config("one"))
	if got := r.Stats()["E1"].MemoryBytes; got != budget {
		t.Errorf("the only one has %d", got)
	}
	r.configure("E2", config("two"))
	r.origins["one"].size = 100 << 10
	r.want("e2.edge.example", "/", 200, "")
	for round := range 3 {
		for i := range 110 { // 11 MB, more than half
			r.want("e1.edge.example", fmt.Sprintf("/%d", i), 200, "")
		}
		r.share()
		s := r.Stats()
		if sum := s["E1"].MemoryBytes + s["E2"].MemoryBytes; sum > budget {
			t.Errorf("round %d: %d together", round, sum)
		}
	}
	if got := r.Stats()["E1"].MemoryBytes; got < 14<<20 {
		t.Errorf("the busy one has %d", got)
	}
	asked := r.origins["one"].asked.Load()
	for i := range 110 {
		r.want("e1.edge.example", fmt.Sprintf("/%d", i), 200, "")
	}
	if again := r.origins["one"].asked.Load() - asked; again > 10 {
		t.Errorf("%d of 110 were fetched again", again)
	}
}

func TestCheck(t *testing.T) {
	if err := Check(config("one")); err != nil {
		t.Error(err)
	}
	bad := config("one")
	bad.DefaultCacheBehavior.TargetOriginID = "other"
	if err := Check(bad); !errors.Is(err, edge.ErrConfig) {
		t.Errorf("got %v", err)
	}
}

// Each way to a server that is no bucket.
func TestHTTP(t *testing.T) {
	for name, test := range map[string]struct {
		origin control.CustomOrigin
		want   string
	}{
		"plain":       {control.CustomOrigin{HTTPPort: 80, ProtocolPolicy: "http-only"}, "http://host"},
		"own port":    {control.CustomOrigin{HTTPPort: 8080, HTTPSPort: 443, ProtocolPolicy: "match-viewer"}, "http://host:8080"},
		"https":       {control.CustomOrigin{HTTPSPort: 443, ProtocolPolicy: "https-only"}, "https://host"},
		"https, port": {control.CustomOrigin{HTTPSPort: 8443, ProtocolPolicy: "https-only"}, "https://host:8443"},
	} {
		o, err := HTTP(control.Origin{DomainName: "host", CustomOrigin: &test.origin}, http.DefaultTransport)
		if got := o.Scheme + "://" + o.Host; got != test.want || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// What else is in the folder is not the edge's to remove.
func TestTidyLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	photo := filepath.Join(dir, "photos", "a.jpg")
	if err := os.Mkdir(filepath.Dir(photo), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(photo, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Dir: dir})
	if got, err := r.Positions(); len(got) != 0 || err != nil {
		t.Errorf("positions %v, %v", got, err)
	}
	if err := r.Tidy(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(photo); err != nil {
		t.Error(err)
	}
}

// A disk that cannot be used is told from a configuration that cannot.
func TestStorageFails(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Options{Dir: dir})
	if err := os.WriteFile(filepath.Join(dir, "E1"), nil, 0o600); err != nil { // where the folder goes
		t.Fatal(err)
	}
	if err := r.Configure(context.Background(), "E1", config("one")); !errors.Is(err, ErrStorage) || errors.Is(err, edge.ErrConfig) {
		t.Errorf("a file in place of the folder: %v", err)
	}
	bad := config("one")
	bad.DefaultCacheBehavior.TargetOriginID = "other"
	for _, id := range []string{"E1", "E2"} {
		if err := r.Configure(context.Background(), id, bad); !errors.Is(err, edge.ErrConfig) || errors.Is(err, ErrStorage) {
			t.Errorf("%s, an origin that is none: %v", id, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "E1")); err != nil {
		t.Fatal(err)
	}
	r.configure("E1", config("one"))
}
