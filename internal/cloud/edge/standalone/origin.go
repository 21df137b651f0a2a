package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/signed"
)

// ErrOrigin is the cause of an error about an origin that cannot be meant.
var ErrOrigin = errors.New("no http, https or s3 URL")

// ErrRegion and ErrCredentials are package signed's: what a bucket lacks.
var (
	ErrRegion      = signed.ErrRegion
	ErrCredentials = signed.ErrCredentials
)

// Origin says where objects come from.
type Origin struct {
	URL      string // http://host[:port][/path], https://…, or s3://bucket[/prefix], which is read with signed requests
	Endpoint string // of s3: base URL of a store that is not AWS; "" leaves it to the AWS SDK's chain
	Region   string // of s3: "" leaves it to the AWS SDK's chain
}

// source is an Origin made ready.
type source struct {
	edge  edge.Origin
	shown control.Origin // as the control API has it
	idle  func()         // closes unused connections
}

// statePrefix begins the keys of freshet's record, which no viewer may read.
const statePrefix = ".freshet-"

func isState(key string) bool {
	return strings.HasPrefix(key, statePrefix) || strings.Contains(key, "/"+statePrefix)
}

// openOrigin reads the origin's URL, and for a bucket the AWS configuration.
func openOrigin(ctx context.Context, o *Options) (*source, error) {
	u, err := url.Parse(o.Origin.URL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("read origin %q: %w", redacted(o.Origin.URL), ErrOrigin)
	}
	transport := newTransport()
	s := &source{idle: transport.CloseIdleConnections}
	switch u.Scheme {
	case "http", "https":
		s.plain(u, transport)
		return s, nil
	case "s3":
		return s, s.bucket(ctx, o, u, transport)
	}
	return nil, fmt.Errorf("read origin %q: %w", o.Origin.URL, ErrOrigin)
}

// redacted leaves out what may be a password.
func redacted(origin string) string {
	if at := strings.LastIndexByte(origin, '@'); at >= 0 {
		return "[redacted]" + origin[at:]
	}
	return origin
}

// plain is any HTTP server.
func (s *source) plain(u *url.URL, transport http.RoundTripper) {
	path := strings.TrimRight(u.EscapedPath(), "/")
	s.edge = edge.Origin{Scheme: u.Scheme, Host: u.Host, Path: path, Transport: transport, Dated: amazons(u.Hostname())}
	c := &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: u.Scheme + "-only"}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		if u.Scheme == "https" {
			c.HTTPSPort = port
		} else {
			c.HTTPPort = port
		}
	}
	s.shown = control.Origin{ID: originID, DomainName: u.Hostname(), OriginPath: path, CustomOrigin: c}
}

// bucket is a private bucket; freshet's own record in it is hidden.
func (s *source) bucket(ctx context.Context, o *Options, u *url.URL, transport http.RoundTripper) error {
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	b, err := signed.Open(ctx, signed.Options{
		Bucket: u.Host, Prefix: prefix, Endpoint: o.Origin.Endpoint, Region: o.Origin.Region, Next: transport, Now: o.Now, Hide: isState,
	})
	if err != nil {
		return err
	}
	s.edge = edge.Origin{Scheme: b.Scheme(), Host: b.Host(), Transport: b, S3: true, Dated: amazons(b.Host())}
	s.shown = control.Origin{
		ID: originID, DomainName: u.Host + ".s3." + b.Region() + ".amazonaws.com", S3Origin: &control.S3Origin{},
	}
	if prefix != "" {
		s.shown.OriginPath = "/" + strings.TrimSuffix(prefix, "/")
	}
	return nil
}

// amazons says whether a host is one of Amazon S3's own.
// Amazon Simple Storage Service endpoints and quotas, read 2026-11
func amazons(host string) bool {
	name, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cn"), ".amazonaws.com")
	labels := "." + name
	return ok && (strings.Contains(labels, ".s3.") || strings.Contains(labels, ".s3-") || strings.HasSuffix(labels, ".s3"))
}

// newTransport talks HTTP/1.1 to the origin itself, whatever proxy the environment names, and leaves bodies as they come.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		DisableCompression:    true,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       4 * time.Second, // less than the 5 s that common origins keep an idle connection
		ExpectContinueTimeout: time.Second,
	}
}
