// Package viewer asks a site for its URLs as a browser does, so that a deploy
// can be proved where it counts.
//
// It follows no redirect, keeps no cache, asks for bytes without content
// encoding, and sends paths exactly as they are spelled. It asks whatever the
// site's name leads to, or one server of several that answer for the site.
package viewer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Client asks one site.
type Client struct {
	base   *url.URL
	scheme string // of the connections
	http   *http.Client
}

var _ remote.Viewer = (*Client)(nil)

// New makes a client for the site at base, "https://www.example.org", which may
// have a path but neither query nor fragment. conns is how many idle
// connections it keeps; 0 means two.
func New(base string, conns int) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("parse the site's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the site's URL %q does not begin with http:// or https:// and a host", base)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the site's URL %q has a query or a fragment; only a path may follow the host", base)
	}
	transport := newTransport(conns)
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return &Client{u, u.Scheme, newHTTP(transport)}, nil
}

func newTransport(conns int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.DisableCompression = conns, true
	return t
}

func newHTTP(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dialTimeout is how long a connection may take to be made.
const dialTimeout = 10 * time.Second

// timeout is how long one answer may take, its body included.
const timeout = 5 * time.Minute

// String is the base URL.
func (c *Client) String() string { return c.base.String() }

// Close gives up the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ask sends one GET and reads the whole answer.
func (c *Client) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	req, err := c.request(ctx, path)
	if err != nil {
		return remote.Answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if cause := (*url.Error)(nil); errors.As(err, &cause) {
			err = cause.Err // its URL is not spelled as it was sent
		}
		if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", remote.ErrUnreachable, err)
		}
		return remote.Answer{}, fmt.Errorf("ask for %s: %w", path, err)
	}
	defer res.Body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, res.Body); err != nil {
		return remote.Answer{}, fmt.Errorf("read the answer to %s: %w", path, err)
	}
	return remote.Answer{
		Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"),
		CacheControl: res.Header.Get("Cache-Control"), Cache: res.Header.Get("X-Cache"), Digest: site.Digest(h.Sum(nil)),
	}, nil
}

// request makes the GET for path, in exactly its spelling.
func (c *Client) request(ctx context.Context, path site.URLPath) (*http.Request, error) {
	raw := strings.TrimSuffix(c.base.EscapedPath(), "/") + string(path)
	plain, err := url.PathUnescape(raw)
	if err != nil || !strings.HasPrefix(string(path), "/") {
		return nil, fmt.Errorf("ask for %q: it is not the path of a URL", path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	req.URL.Scheme, req.URL.Path, req.URL.RawPath = c.scheme, plain, raw
	if req.URL.EscapedPath() != raw {
		// net/url would escape it more than browsers do: a "|", for one.
		req.URL.Opaque = raw
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "freshet")
	return req, nil
}
