package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/viewer"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// distribution is one distribution in front of the target's bucket.
type distribution struct {
	remote.Distribution
	view   rules.View
	viewer remote.Viewer
	at     func(address string) (remote.Viewer, error) // viewer at one edge of a fleet
}

// connectCDN finds the distributions and how they show the bucket. It may be repeated.
func (a *app) connectCDN(ctx context.Context, t *target, p project, named config.Target, keys cloudfront.Credentials) (err error) {
	if t.cdn, err = cloudfront.Open(ctx, cloudfront.Options{
		Region: named.Region, Endpoint: named.CloudFrontEndpoint, Credentials: keys, Isolated: t.embedded,
		OnRetry: a.retryNotes(),
	}); err != nil {
		return err
	}
	t.endpoint = named.CloudFrontEndpoint
	if t.limits, err = a.limits(t, p.Invalidation.Limits); err != nil {
		return err
	}
	ids := named.Distributions
	if slices.Contains(ids, config.AutoDistribution) {
		if ids, err = findDistributions(ctx, t.cdn, named.Bucket); err != nil {
			return err
		}
	}
	var found []distribution // whole or not at all: the call may be repeated
	for _, id := range ids {
		d, err := t.cdn.Distribution(ctx, id)
		if errors.Is(err, remote.ErrNotFound) {
			return usage("correct `distribution:` in freshet.yaml, or write auto, which finds it by the bucket; `freshet doctor` checks it", "%w", err)
		}
		if err != nil {
			return err
		}
		one := distribution{Distribution: d, view: viewOf(d, named, p.URLs)}
		client, err := viewerOf(d, named, len(ids))
		if err != nil {
			return err
		}
		if client != nil {
			one.viewer = client
			one.at = func(address string) (remote.Viewer, error) { return client.At(address, jobs) }
		}
		found = append(found, one)
		if t.url == "" && one.viewer != nil {
			t.url = one.viewer.String()
		}
	}
	t.distributions = found
	return nil
}

// limits is the pace of submitting: CloudFront's own where it is CloudFront.
func (a *app) limits(t *target, name string) (invalidation.Limits, error) {
	if name == config.LimitsAuto {
		name = "cloudfront"
		if t.endpoint != "" || a.getenv("AWS_ENDPOINT_URL_CLOUDFRONT") != "" || a.getenv("AWS_ENDPOINT_URL") != "" {
			name = "none"
		}
	}
	return invalidation.LimitsNamed(name)
}

// viewerOf asks where the distribution's viewers go: at the configured URL
// where it is the only one, else at its own domain; nil where it has none.
func viewerOf(d remote.Distribution, named config.Target, of int) (*viewer.Client, error) {
	base := ""
	switch {
	case named.URL != "" && of == 1:
		base = named.URL
	case d.Domain != "":
		base = schemeFor(d.Domain) + d.Domain
	default:
		return nil, nil
	}
	client, err := viewer.New(base, jobs)
	if err != nil {
		return nil, usage("correct `url:` in freshet.yaml, then let `freshet doctor` check the target", "%w", err)
	}
	return client, nil
}

// viewOf reads from a distribution's configuration how it shows the bucket.
// What the user says under urls: overrides what it tells.
func viewOf(d remote.Distribution, named config.Target, urls config.URLs) rules.View {
	v := rules.View{Prefix: named.Prefix, RootObject: d.DefaultRootObject, Clean: urls.Clean}
	if o, ok := originOf(d, named.Bucket); ok {
		v.OriginPath = o.Path
	}
	for _, b := range d.Behaviors {
		r := rules.Route{Pattern: b.Pattern, Variants: override(urls.Query, b.QueryInKey)}
		for _, id := range append([]string{b.OriginID}, b.FailoverIDs...) {
			i := slices.IndexFunc(d.Origins, func(o remote.Origin) bool { return o.ID == id })
			if i >= 0 && asksBucket(d, d.Origins[i], named.Bucket) {
				r.Bucket, r.OriginPath = true, d.Origins[i].Path
				r.Folders = override(urls.Folders, d.Origins[i].Website || b.Rewrites)
				break
			}
		}
		v.Routes = append(v.Routes, r)
	}
	return v
}

func override(word string, read bool) bool {
	switch word {
	case config.Always:
		return true
	case config.Never:
		return false
	}
	return read
}

// asksBucket reports whether an origin reads the bucket. Where no origin of the
// distribution names it, the only origin there is does.
func asksBucket(d remote.Distribution, o remote.Origin, bucket string) bool {
	ours, ok := originOf(d, bucket)
	return readsBucket(o, bucket) || ok && ours.ID == o.ID
}

// originOf is the origin of d that reads the bucket; where none names it, the
// only origin there is.
func originOf(d remote.Distribution, bucket string) (remote.Origin, bool) {
	i := slices.IndexFunc(d.Origins, func(o remote.Origin) bool { return readsBucket(o, bucket) })
	if i < 0 && len(d.Origins) == 1 {
		i = 0
	}
	if i < 0 {
		return remote.Origin{}, false
	}
	return d.Origins[i], true
}

// readsBucket knows the domain names of S3 (fact sheet 5.1).
func readsBucket(o remote.Origin, bucket string) bool {
	return strings.HasPrefix(o.Domain, bucket+".s3.") || strings.HasPrefix(o.Domain, bucket+".s3-")
}

// findDistributions are all distributions in front of the bucket.
func findDistributions(ctx context.Context, cdn remote.CDN, bucket string) ([]string, error) {
	all, err := cdn.Distributions(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range all {
		if slices.ContainsFunc(d.Origins, func(o remote.Origin) bool { return readsBucket(o, bucket) }) {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil, usage("write the distribution's id as `distribution:` in freshet.yaml; `freshet doctor` checks it",
			"no distribution of this account has the bucket %s as its origin", bucket)
	}
	return ids, nil
}

// schemeFor is how viewers reach a distribution's own domain: by https on the
// internet, by http on this machine, which every name below localhost is (RFC
// 6761, 6.3).
func schemeFor(domain string) string {
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	if ip := net.ParseIP(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback() {
		return "http://"
	}
	return "https://"
}

// names are the ids of the target's distributions, for people.
func (t *target) names() string {
	var ids []string
	for _, d := range t.distributions {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, ", ")
}

// forEngine is what the engine needs of the distributions.
func (t *target) forEngine() []deploy.Distribution {
	var out []deploy.Distribution
	for _, d := range t.distributions {
		out = append(out, deploy.Distribution{ID: d.ID, View: d.view, Viewer: d.viewer, At: d.at})
	}
	return out
}

// forPlan is what the plan needs of them; m is the site, among which error pages
// are looked for.
func (t *target) forPlan(m site.Manifest) []plan.Distribution {
	var out []plan.Distribution
	for _, d := range t.distributions {
		one := plan.Distribution{ID: d.ID, View: d.view, TagHeader: d.TagHeader, ErrorPages: map[site.Key]float64{}}
		for i := 0; i < m.Len() && len(d.ErrorPages) > 0; i++ {
			key := m.KeyAt(i)
			path, shown := d.view.Own(key)
			for _, page := range d.ErrorPages {
				if shown && page.Page == string(path) {
					one.ErrorPages[key] = max(one.ErrorPages[key], page.MinTTL.Seconds())
				}
			}
		}
		out = append(out, one)
	}
	return out
}
