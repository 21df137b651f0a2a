package tenants

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// newTransport is the way to origins.
func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return transport
}

// origin makes an origin ready, with the path and the headers that the configuration gives it.
func (t *Tenants) origin(o control.Origin, next http.RoundTripper) (edge.Origin, error) {
	out, err := t.opts.Origin(o, next)
	if err != nil {
		return edge.Origin{}, fmt.Errorf("open origin %s: %w", o.ID, err)
	}
	out.Path = o.OriginPath
	if len(o.CustomHeaders) > 0 {
		out.Transport = &withHeaders{out.Transport, o.CustomHeaders}
	}
	return out, nil
}

// HTTP is an OriginFunc for servers that are no buckets. Viewers come by HTTP, as far as match-viewer goes.
func HTTP(o control.Origin, next http.RoundTripper) (edge.Origin, error) {
	out := edge.Origin{Host: o.DomainName, Scheme: "http", Transport: next}
	if c := o.CustomOrigin; c != nil {
		port, usual := c.HTTPPort, 80
		if c.ProtocolPolicy == "https-only" {
			out.Scheme, port, usual = "https", c.HTTPSPort, 443
		}
		if port != usual && port != 0 {
			out.Host = net.JoinHostPort(strings.Trim(o.DomainName, "[]"), strconv.Itoa(port))
		}
	}
	return out, nil
}

// BucketOf is the bucket that a domain name of S3 names; a name without an S3
// endpoint is that of the bucket. spec: cloudfront 5.1
func BucketOf(domain string) string {
	for _, mark := range []string{".s3.", ".s3-"} {
		if i := strings.LastIndex(domain, mark); i >= 0 {
			return domain[:i]
		}
	}
	return domain
}

// withHeaders adds an origin's custom headers to its requests, in place of the
// viewers'. CloudFront guide, "Add custom headers to origin requests".
type withHeaders struct {
	next    http.RoundTripper
	headers []control.OriginHeader
}

var _ http.RoundTripper = (*withHeaders)(nil)

// RoundTrip sends a copy of r.
func (t *withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, h := range t.headers {
		r.Header.Set(h.Name, h.Value)
	}
	return t.next.RoundTrip(r)
}
