package tenants

import (
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// IndexFunction is the viewer-request function that gives folders their index
// pages. The edge carries it out itself; on AWS it is a CloudFront Function
// with the code of the fact sheet's section 5.6.
const IndexFunction = "arn:aws:cloudfront::000000000000:function/freshet-directory-index"

// isIndex reports whether the edge carries a function out.
func isIndex(f control.FunctionAssociation) bool {
	return f.FunctionARN == IndexFunction && f.EventType == "viewer-request"
}

// Check refuses a configuration that no edge could carry out. It asks nothing of origins.
func Check(cfg control.DistributionConfig) error {
	want := translate("", cfg)
	for _, o := range cfg.Origins {
		want.Origins[o.ID] = edge.Origin{Transport: http.DefaultTransport} // never used
	}
	return edge.Check(want)
}

// edgeConfig turns a distribution's configuration into what its edge needs, and
// a function that closes connections to its origins which nobody uses.
func (t *Tenants) edgeConfig(id string, cfg control.DistributionConfig) (edge.Config, func(), error) {
	out := translate(t.opts.Domain(id), cfg)
	transport := newTransport()
	for _, o := range cfg.Origins {
		origin, err := t.origin(o, transport)
		if err != nil {
			return edge.Config{}, nil, err
		}
		out.Origins[o.ID] = origin
	}
	return out, transport.CloseIdleConnections, nil
}

// translate turns all but the origins into what an edge needs.
func translate(domain string, cfg control.DistributionConfig) edge.Config {
	out := edge.Config{Domain: domain, DefaultRootObject: cfg.DefaultRootObject, Origins: map[string]edge.Origin{}}
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
	return out
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
