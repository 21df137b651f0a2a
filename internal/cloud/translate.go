package cloud

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// edgeConfig turns a distribution's configuration into what its edge needs, and
// a function that closes connections to its origins which nobody uses.
func edgeConfig(store *objects.Store, id string, cfg control.DistributionConfig) (edge.Config, func()) {
	out := edge.Config{Domain: domainOf(id), DefaultRootObject: cfg.DefaultRootObject, Origins: map[string]edge.Origin{}}
	transport := newTransport()
	for _, o := range cfg.Origins {
		out.Origins[o.ID] = origin(store, transport, o)
	}
	out.Default = behavior(cfg.DefaultCacheBehavior)
	for _, b := range cfg.CacheBehaviors {
		out.Behaviors = append(out.Behaviors, behavior(b))
	}
	for _, r := range cfg.CustomErrorResponses {
		out.ErrorResponses = append(out.ErrorResponses, edge.ErrorResponse{
			Status: r.ErrorCode, PagePath: r.ResponsePagePath, ResponseCode: r.ResponseCode,
			MinTTL: time.Duration(r.ErrorCachingMinTTL) * time.Second,
		})
	}
	if cfg.CacheTagConfig != nil {
		out.TagHeader = cfg.CacheTagConfig.HeaderName
	}
	return out, transport.CloseIdleConnections
}

// newTransport is the way to servers that are not the embedded bucket.
func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return transport
}

// origin reads a bucket of the embedded store, or any server by HTTP.
func origin(store *objects.Store, transport *http.Transport, o control.Origin) edge.Origin {
	out := edge.Origin{Path: o.OriginPath, Host: o.DomainName, Scheme: "http", Transport: transport}
	if o.S3Origin != nil {
		out.S3, out.Dated, out.Scheme = true, true, "https"
		out.Transport = store.Origin(bucketOf(o.DomainName), objects.OriginOptions{Hide: isState})
	}
	if c := o.CustomOrigin; c != nil {
		port, usual := c.HTTPPort, 80
		if c.ProtocolPolicy == "https-only" { // match-viewer: viewers come by HTTP here
			out.Scheme, port, usual = "https", c.HTTPSPort, 443
		}
		if port != usual && port != 0 {
			out.Host = net.JoinHostPort(strings.Trim(o.DomainName, "[]"), strconv.Itoa(port))
		}
	}
	if len(o.CustomHeaders) > 0 {
		out.Transport = &withHeaders{out.Transport, o.CustomHeaders}
	}
	return out
}

// bucketOf is the bucket that a domain name of S3 names; a name without an S3
// endpoint is that of the bucket. spec: cloudfront 5.1
func bucketOf(domain string) string {
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

func behavior(b control.CacheBehavior) edge.Behavior {
	out := edge.Behavior{
		PathPattern: b.PathPattern, OriginID: b.TargetOriginID, Policy: cachePolicy(b.Policies.Cache), AllowedMethods: b.AllowedMethods,
		Compress:       b.Compress,
		ViewerProtocol: map[string]edge.Protocol{"https-only": edge.HTTPSOnly, "redirect-to-https": edge.RedirectToHTTPS}[b.ViewerProtocolPolicy],
	}
	for _, f := range b.FunctionAssociations {
		if isIndex(f) {
			out.Rewrite = edge.DirectoryIndex
		}
	}
	for _, m := range b.CachedMethods {
		out.CacheOptions = out.CacheOptions || m == http.MethodOptions
	}
	if p := b.Policies.OriginRequest; p != nil {
		out.OriginHeaderMode, out.OriginHeaders = originHeaders(p.Headers)
		out.OriginQuery, out.OriginCookies = selection(p.QueryStrings), selection(p.Cookies)
	}
	if p := b.Policies.ResponseHeaders; p != nil {
		out.ResponseHeaders = responseHeaders(*p)
	}
	return out
}

// originHeaders leaves out what CloudFront makes itself: no edge here knows a
// viewer's country.
func originHeaders(k control.KeyPart) (edge.Mode, []string) {
	switch k.Behavior {
	case "allViewer", "allViewerAndWhitelistCloudFront":
		return edge.SelectAll, nil
	case "allExcept":
		return edge.SelectAllExcept, k.Names
	}
	return edge.SelectListed, k.Names
}

func responseHeaders(p control.ResponseHeadersPolicy) *edge.ResponseHeaders {
	out := &edge.ResponseHeaders{Remove: p.Remove, ServerTiming: p.ServerTiming}
	for _, rule := range p.Set {
		out.Set = append(out.Set, edge.HeaderRule(rule))
	}
	if c := p.CORS; c != nil {
		age := time.Duration(-1)
		if c.MaxAge != nil {
			age = time.Duration(*c.MaxAge) * time.Second
		}
		out.CORS = &edge.CORS{
			Origins: c.Origins, Methods: c.Methods, Headers: c.Headers, Expose: c.ExposeHeaders, MaxAge: age,
			Credentials: c.Credentials, Override: c.Override,
		}
	}
	return out
}

func cachePolicy(p control.CachePolicy) edge.CachePolicy {
	return edge.CachePolicy{
		MinTTL: p.MinTTL, DefaultTTL: p.DefaultTTL, MaxTTL: p.MaxTTL,
		Query: selection(p.QueryStrings), Cookies: selection(p.Cookies), Headers: p.Headers.Names,
		EnableGzip: p.EnableGzip, EnableBrotli: p.EnableBrotli,
	}
}

func selection(k control.KeyPart) edge.Selection {
	modes := map[string]edge.Mode{"whitelist": edge.SelectListed, "allExcept": edge.SelectAllExcept, "all": edge.SelectAll}
	return edge.Selection{Mode: modes[k.Behavior], Names: k.Names}
}
