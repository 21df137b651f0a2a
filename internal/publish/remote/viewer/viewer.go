// Package viewer asks a site for its URLs as a browser does, so that a deploy
// can be proved where it counts.
//
// It follows no redirect, keeps no cache, asks for bytes without content
// encoding, and sends paths exactly as they are spelled.
package viewer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Client asks one site.
type Client struct {
	base *url.URL
	http *http.Client
}

var _ remote.Viewer = (*Client)(nil)

// New makes a client for the site at base, "https://www.example.org". conns is
// how many connections it keeps.
func New(base string, conns int) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("parse the site's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the site's URL %q does not begin with http:// or https:// and a host", base)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = conns, true
	return &Client{u, &http.Client{
		Transport:     transport,
		Timeout:       5 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// String is the base URL.
func (c *Client) String() string { return c.base.String() }

// Ask sends one GET and reads the whole answer.
func (c *Client) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String(), nil)
	if err != nil {
		return remote.Answer{}, err
	}
	raw := strings.TrimSuffix(c.base.EscapedPath(), "/") + string(path)
	if req.URL.Path, err = url.PathUnescape(raw); err != nil {
		return remote.Answer{}, fmt.Errorf("the path %q is malformed: %w", path, err)
	}
	req.URL.RawPath = raw
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "freshet")
	res, err := c.http.Do(req)
	if err != nil {
		return remote.Answer{}, err
	}
	defer res.Body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, res.Body); err != nil {
		return remote.Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return remote.Answer{
		Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"),
		CacheControl: res.Header.Get("Cache-Control"), Cache: res.Header.Get("X-Cache"), Digest: site.Digest(h.Sum(nil)),
	}, nil
}
