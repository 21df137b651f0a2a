//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// SiteProber is viewers of a Site who ask every edge all the time for a page, and for the asset that it names.
type SiteProber struct {
	fleet *Fleet
	site  *Site
	end   context.CancelFunc
	work  sync.WaitGroup

	// mu guards found; held to count one answer.
	mu    sync.Mutex
	found Probed
}

// ProbeSite starts viewers; Stop ends them. There must have been a deploy.
func (f *Fleet) ProbeSite(site *Site, perEdge int, pause time.Duration) *SiteProber {
	ctx, end := context.WithCancel(context.Background())
	p := &SiteProber{fleet: f, site: site, end: end, found: Probed{Errors: map[string]int{}}}
	for i, e := range f.Edges {
		for j := range perEdge {
			v := newViewer(&http.Transport{DisableCompression: j%2 == 0}, uint64(i*perEdge+j), 17)
			p.work.Go(func() { p.view(ctx, e, pause, v) })
		}
		p.work.Go(func() { p.crowd(ctx, e) })
	}
	return p
}

// viewer is one browser: it asks for pages, for parts of them, and whether what it has is still right.
type viewer struct {
	client *http.Client
	rng    *rand.Rand
	parts  bool            // it takes nothing compressed, and now and then asks for a page's beginning alone
	has    map[string]told // by URL path: what was answered last, with an ETag
}

func newViewer(transport *http.Transport, seed1, seed2 uint64) *viewer {
	return &viewer{&http.Client{Timeout: 30 * time.Second, Transport: transport}, rand.New(rand.NewPCG(seed1, seed2)), transport.DisableCompression, map[string]told{}}
}

// view is one viewer with one connection.
func (p *SiteProber) view(ctx context.Context, e *Edge, pause time.Duration, v *viewer) {
	defer v.client.CloseIdleConnections()
	for ctx.Err() == nil {
		p.look(ctx, v, e)
		_ = sleep(ctx, pause) // ctx's
	}
}

// crowd are viewers as those of Prober.
func (p *SiteProber) crowd(ctx context.Context, e *Edge) {
	transport := &http.Transport{DisableKeepAlives: true}
	for sleep(ctx, impatience) == nil {
		v := newViewer(transport, rand.Uint64(), 18)
		p.work.Go(func() { p.look(ctx, v, e) })
	}
}

// look asks for one page by one of its URLs, and for its asset.
func (p *SiteProber) look(ctx context.Context, v *viewer, e *Edge) {
	key := p.site.any(v.rng)
	all := forms(key)
	path := all[v.rng.IntN(len(all))]
	from, began := p.site.newest(), time.Now()
	got, err := v.tell(ctx, e.Viewers, path)
	wrong := ""
	if err == nil {
		wrong = p.site.judge(key, got, from)
	}
	p.count(ctx, e, path, began, got, err, wrong)
	if err != nil || ctx.Err() != nil {
		return
	}
	began = time.Now()
	asset, wrong, err := hasAsset(ctx, v.client, e.Viewers+got.asset)
	p.count(ctx, e, got.asset, began, asset, err, wrong)
}

// tell asks for a page as browsers do: whole, its beginning, or only if it is another than the one that this viewer has.
func (v *viewer) tell(ctx context.Context, base, path string) (told, error) {
	header := http.Header{}
	has, known := v.has[path]
	switch {
	case known && v.rng.IntN(2) == 0:
		header.Set("If-None-Match", has.etag)
	case v.parts && v.rng.IntN(5) == 0:
		header.Set("Range", "bytes=0-299")
	}
	got, body, err := get(ctx, v.client, base+path, header)
	switch {
	case err != nil:
		return got, err
	case got.status == http.StatusNotModified: // what it has is right, the edge says
		has.cache, has.age = got.cache+" (304)", got.age
		return has, nil
	case got.status == http.StatusPartialContent:
		got.status = http.StatusOK
	}
	if err := got.read(body); err != nil {
		return got, err
	}
	delete(v.has, path)
	if got.etag != "" && got.status == http.StatusOK {
		v.has[path] = got
	}
	return got, nil
}

// hasAsset asks for an asset by the name that a page gave it; wrong is "" where the answer is what that name means.
func hasAsset(ctx context.Context, client *http.Client, url string) (t told, wrong string, err error) {
	t, body, err := get(ctx, client, url, nil)
	if err == nil && (t.status != http.StatusOK || !strings.Contains(url, "."+digest(string(body))[:8]+".")) {
		wrong = fmt.Sprintf("answered %d with %.60q, although a page names it", t.status, body)
	}
	return t, wrong, err
}

// get asks for something; an answer 5xx is an error.
func get(ctx context.Context, client *http.Client, url string, header http.Header) (t told, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return t, nil, err
	}
	maps.Copy(req.Header, header)
	resp, err := client.Do(req)
	if err != nil {
		return t, nil, kind(err)
	}
	body, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read, or not
	if err != nil {
		return t, nil, fmt.Errorf("cut short: %w", kind(err))
	}
	if resp.StatusCode >= 500 {
		return t, nil, fmt.Errorf("status %d %.200s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return told{status: resp.StatusCode, etag: resp.Header.Get("ETag"), cache: resp.Header.Get("X-Cache"), age: resp.Header.Get("Age")}, body, nil
}

// tell asks for a page, and reads it.
func tell(ctx context.Context, client *http.Client, url string) (told, error) {
	t, body, err := get(ctx, client, url, nil)
	if err == nil {
		err = t.read(body)
	}
	return t, err
}

func (p *SiteProber) count(ctx context.Context, e *Edge, path string, began time.Time, got told, err error, wrong string) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.found.Errors[e.Name+": "+err.Error()]++
		return
	}
	p.found.Answers++
	if strings.HasPrefix(got.cache, "Hit") {
		p.found.Hits++
	}
	if wrong != "" {
		p.found.Violations = append(p.found.Violations, fmt.Sprintf("%s: %s, asked for at %s, answered after %v: %s", e.Name, path, began.Format("15:04:05.000"), time.Since(began), wrong))
	}
}

// Stop ends the viewers and returns what they saw.
func (p *SiteProber) Stop() Probed {
	p.end()
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// CheckSite asks every edge for every URL that there is or was, and for every asset. Each must be what the folder has: its newest deploy has exited 0.
func (f *Fleet) CheckSite(ctx context.Context, site *Site) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var faults []error
	from := site.newest()
	for _, e := range f.Edges {
		for _, key := range site.all() {
			for _, path := range forms(key) {
				got, err := tell(ctx, client, e.Viewers+path)
				if err == nil {
					if wrong := site.judge(key, got, from); wrong != "" {
						err = errors.New(wrong)
					}
				}
				if err == nil {
					var wrong string
					if _, wrong, err = hasAsset(ctx, client, e.Viewers+got.asset); wrong != "" {
						err = errors.New(wrong)
					}
				}
				if err != nil {
					faults = append(faults, fmt.Errorf("%s: %s: %w", e.Name, path, err))
				}
			}
		}
	}
	return errors.Join(faults...)
}
