// Package testenv is an environment for scenarios: a site folder, the real
// embedded cloud behind its real ports, and the publisher with its real
// adapters, wired as cmd/freshet wires them. CheckSite then holds everything
// that can be observed from outside against freshet's promises.
//
// It promises that nothing is mocked: what a scenario sees came over HTTP. A
// scenario says what the site is (Write), publishes it (Deploy), lets viewers
// come (Browse), lets somebody else work in the bucket (Put, Delete), breaks
// connections (Fault), and checks (CheckSite). Each Deploy opens everything
// anew, as another machine would.
//
// It leaves out the command line, which cmd/freshet's scripts test, and real
// time: nothing here waits for a clock, but invalidations take the moments
// that they take. It is imported by tests only.
//
// It follows DESIGN sections 1 and 7 and reads the fact sheet's sections 1 and
// 5.6 by itself: it shares no matching and no encoding code with either tower.
package testenv

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/publish/remote/session"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// Env is one site folder and the target that it is published to. It is not
// safe for concurrent use.
type Env struct {
	Dir   string       // the site folder
	Plan  plan.Plan    // of the last Deploy that got that far
	Rules []rules.Rule // header rules for the next Deploy
	// Spending is what the next Deploy may spend; the zero value asks for the
	// balanced policy without a budget and without limits.
	Spending plan.Spending
	Retain   time.Duration      // how long what was published is kept; 0 keeps it until the next release
	Wait     time.Duration      // how long a Deploy waits for its invalidation; 0 means a minute
	Fault    func(Call) Outcome // what happens to the next requests of the publisher; nil means nothing

	tb     testing.TB
	shared *shared
	prefix string // of the target in the bucket, "" or "site/"

	last    map[site.Key]published // what the last successful Deploy published
	past    map[site.Key]history   // what was live before that
	lastErr error                  // of the last Deploy; while it is not nil, only what holds at every instant is checked
	alter   func(*plan.Plan)       // spoils a plan, for the tests of CheckSite; then nothing is verified either
	running atomic.Pointer[armed]  // nil while no Deploy runs
}

// shared is what the targets of one bucket have in common.
type shared struct {
	info   cloud.Info
	bucket remote.Store // the whole bucket, as somebody else sees it
	cdn    remote.CDN
	viewer *http.Client
	// transport is everybody's but the publisher's verification: a connection
	// that was dialled and never used keeps a server from closing for seconds.
	transport *http.Transport
	foreign   map[site.Key]object // what others put there, by key in the bucket
	sent      [][]string          // items of the plans that were run, in their order
	whole     [][]string          // those of them that succeeded
	warm      map[string]warm     // URL paths that were cached
	tagHeader string              // of the answers, where the distribution looks for cache tags; "" for none
}

// warm is an answer that was cached.
type warm struct {
	since int      // len(sent) at that time
	tags  []string // that the answer carried
}

// published is an object that viewers must get.
type published struct {
	object site.Object
	body   string
}

// history is what viewers must not get any more under a key.
type history struct {
	bodies  []string // that were live once, without the one that is live or kept
	removed bool     // nothing may be answered
}

// object is a foreign object as it must stay.
type object struct {
	body    string
	etag    string
	headers site.Headers
}

// New starts an empty embedded cloud, which ends with the test, and makes an
// empty site folder that is published to the whole bucket.
func New(tb testing.TB) *Env {
	tb.Helper()
	c, err := cloud.Start(context.Background(), cloud.Options{
		Dir: tb.TempDir(), Addresses: cloud.Addresses{S3: "127.0.0.1:0", Control: "127.0.0.1:0", Edge: "127.0.0.1:0"},
	})
	if err != nil {
		tb.Fatalf("start the embedded cloud: %v", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.MaxIdleConnsPerHost = true, 16
	s := &shared{
		info: c.Info(), transport: transport, foreign: map[site.Key]object{}, warm: map[string]warm{},
		viewer: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := c.Close(); err != nil {
			tb.Errorf("close the embedded cloud: %v", err)
		}
	})
	e := &Env{tb: tb, shared: s, Dir: tb.TempDir(), last: map[site.Key]published{}, past: map[site.Key]history{}}
	others := &http.Client{Timeout: time.Minute, Transport: transport}
	s.bucket, s.cdn = e.store("", others), e.control(others)
	return e
}

// Target is another site folder that is published to the same bucket and
// distribution below prefix, "site/".
func (e *Env) Target(prefix string) *Env {
	return &Env{
		tb: e.tb, shared: e.shared, prefix: prefix, Dir: e.tb.TempDir(), last: map[site.Key]published{}, past: map[site.Key]history{},
	}
}

// Info says how to reach the embedded cloud.
func (e *Env) Info() cloud.Info { return e.shared.info }

// Bucket is the whole bucket, as somebody else sees it.
func (e *Env) Bucket() remote.Store { return e.shared.bucket }

// CDN is the control API, as somebody else sees it.
func (e *Env) CDN() remote.CDN { return e.shared.cdn }

func (e *Env) store(prefix string, client session.HTTPClient) remote.Store {
	e.tb.Helper()
	info := e.shared.info
	store, err := s3.Open(context.Background(), s3.Options{
		Bucket: info.Bucket, Prefix: prefix, Region: cloud.Region, Endpoint: info.S3, HTTPClient: client,
		Credentials: s3.Credentials{AccessKeyID: info.AccessKeyID, SecretAccessKey: info.SecretAccessKey},
	})
	if err != nil {
		e.tb.Fatalf("open the bucket: %v", err)
	}
	return store
}

func (e *Env) control(client session.HTTPClient) remote.CDN {
	e.tb.Helper()
	info := e.shared.info
	cdn, err := cloudfront.Open(context.Background(), cloudfront.Options{
		Region: cloud.Region, Endpoint: info.Control, HTTPClient: client,
		Credentials: cloudfront.Credentials{AccessKeyID: info.AccessKeyID, SecretAccessKey: info.SecretAccessKey},
	})
	if err != nil {
		e.tb.Fatalf("open the control API: %v", err)
	}
	return cdn
}

// Write replaces the site folder by files, body by name with slashes.
func (e *Env) Write(files map[string]string) {
	e.tb.Helper()
	if err := os.RemoveAll(e.Dir); err != nil {
		e.tb.Fatal(err)
	}
	for name, body := range files {
		path := filepath.Join(e.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			e.tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			e.tb.Fatal(err)
		}
	}
}

// Put writes an object as somebody else would: key is in the bucket. Where
// freshet has not published it, CheckSite sees to it that it stays as it is.
func (e *Env) Put(key, body string, h site.Headers) {
	e.tb.Helper()
	etag, err := e.shared.bucket.Put(context.Background(), newPut(site.Key(key), body, h))
	if err != nil {
		e.tb.Fatalf("put as somebody else: %v", err)
	}
	e.shared.foreign[site.Key(key)] = object{body, etag, h}
}

// Delete removes an object as somebody else would: key is in the bucket.
func (e *Env) Delete(key string) {
	e.tb.Helper()
	if err := e.shared.bucket.Delete(context.Background(), []site.Key{site.Key(key)}); err != nil {
		e.tb.Fatalf("delete as somebody else: %v", err)
	}
	delete(e.shared.foreign, site.Key(key))
}

// Response is what a viewer got.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Hit reports whether the edge answered from its cache.
func (r Response) Hit() bool { return strings.HasPrefix(r.Header.Get("X-Cache"), "Hit") }

// Get asks the edge for a path, which is sent as it is spelled.
func (e *Env) Get(path string) Response {
	e.tb.Helper()
	res, err := e.get(path)
	if err != nil {
		e.tb.Fatalf("get %s at the edge: %v", path, err)
	}
	return res
}

func (e *Env) get(path string) (Response, error) {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return Response{}, fmt.Errorf("the path %q is malformed: %w", path, err)
	}
	req, err := http.NewRequest(http.MethodGet, e.shared.info.Edge, nil)
	if err != nil {
		return Response{}, err
	}
	req.URL.Path, req.URL.RawPath = decoded, path
	res, err := e.shared.viewer.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return Response{res.StatusCode, res.Header, string(body)}, err
}

// Browse lets viewers come: every URL form of what is published is asked for,
// and what the edge keeps is remembered. CheckSite then expects it to be there
// still, unless a plan covered it.
func (e *Env) Browse() {
	e.tb.Helper()
	for key, o := range e.last {
		for _, path := range e.forms(key) {
			e.Get(path)
			if res := e.Get(path); res.Hit() && strings.Contains(o.object.Headers.Get().CacheControl, "=31536000") {
				e.shared.warm[path] = warm{len(e.shared.sent), tagsOf(res.Header.Get(e.shared.tagHeader))}
			}
		}
	}
}

// tagsOf reads a header of cache tags; fact sheet 2.
func tagsOf(header string) []string {
	var out []string
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			out = append(out, strings.ToLower(tag))
		}
	}
	return out
}

// forms are the URL paths under which viewers may ask for key, as browsers
// spell them; the fact sheet's sections 1.2 and 5.6, read here once more.
func (e *Env) forms(key site.Key) []string {
	path := "/" + spell(e.prefix+string(key))
	folder, isIndex := strings.CutSuffix(path, "/index.html")
	switch {
	case !isIndex:
		return []string{path}
	case folder == "":
		return []string{path, "/"}
	}
	return []string{path, folder + "/", folder}
}

// spell escapes what browsers escape in a path, and "+", which S3 reads as a
// space; fact sheet 1.1 and 4.6.
func spell(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/!$&'()*,;=:@[]|", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
