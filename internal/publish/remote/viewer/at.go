package viewer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// One server of several may be dead or beyond reach, which is to be known soon.
const (
	atDialTimeout   = 5 * time.Second  // two repeats of what opens a connection: RFC 6298, 2, after 1 s and 3 s
	atAnswerTimeout = 30 * time.Second // until an answer begins
)

// Server is one of the servers that answer for a site.
type Server struct {
	Client
	plain bool // it is asked without TLS, the site with it
}

var _ remote.Viewer = (*Server)(nil)

// At is a client for the server at address, "https://edge-1.example.org:8443",
// as curl's --connect-to makes one: connections go there, by its scheme, while
// the Host header, and with TLS the server's name, stay the site's. A path of
// the site's URL is left out: what takes it away stands before the server. No
// proxy is used. conns is how many idle connections it keeps; 0 means two.
func (c *Client) At(address string, conns int) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("parse the server's address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the server's address %q is not http:// or https:// and a host", address)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	there, dialer := net.JoinHostPort(u.Hostname(), port), &net.Dialer{Timeout: atDialTimeout}
	transport := newTransport(conns)
	transport.Proxy, transport.ResponseHeaderTimeout = nil, atAnswerTimeout
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, there)
	}
	base := &url.URL{Scheme: c.base.Scheme, Host: c.base.Host}
	return &Server{Client{base, u.Scheme, newHTTP(transport)}, c.base.Scheme == "https" && u.Scheme == "http"}, nil
}

// Ask is Client.Ask. It fails with ErrUnreachable too where the server's
// certificate is not one for the site: its viewers are served by somebody else.
func (s *Server) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	a, err := s.Client.Ask(ctx, path)
	if cert := (*tls.CertificateVerificationError)(nil); errors.As(err, &cert) {
		return a, fmt.Errorf("%w: %w", remote.ErrUnreachable, err)
	}
	a.Plain = s.plain && err == nil
	return a, err
}
