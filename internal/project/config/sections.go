package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// config reads the whole file into c, which holds the defaults.
func (d *decoder) config(root ast.Node, c *Config) {
	d.section(value{"the file", root}, section{
		"site":         func(v value) { c.Site = d.str(v, checkPath) },
		"build":        func(v value) { c.Build = d.build(v) },
		"headers":      func(v value) { c.Headers = d.headers(v) },
		"invalidation": func(v value) { d.invalidation(v, &c.Invalidation) },
		"retain":       func(v value) { c.Retain = d.duration(v) },
		"targets":      func(v value) { c.Targets = d.targets(v) },
		"urls":         func(v value) { c.URLs = d.urls(v) },
		"edge":         func(v value) { c.Edge = d.edge(v) },
		"control":      func(v value) { c.Control = d.control(v) },
	})
}

func (d *decoder) build(v value) Build {
	var b Build
	seen := d.section(v, section{
		"command": func(v value) { b.Command = strings.TrimSpace(d.optional(v, anything)) },
		"clean":   func(v value) { b.Clean = d.strs(v, checkClean(d.ownName())) },
		"watch":   func(v value) { b.Watch = d.strs(v, checkPath) },
		"image":   func(v value) { b.Image = d.optional(v, checkImage) },
	})
	if _, hasCommand := seen["command"]; b.Image != "" && !hasCommand {
		d.failAt(seen["image"].node, `"image" without "command"; say what to run in it`)
	}
	return b
}

func (d *decoder) headers(v value) []HeaderRule {
	var rules []HeaderRule
	for _, item := range d.list(v) {
		item.name = "a rule of headers"
		rules = append(rules, d.rule(item))
	}
	return rules
}

func (d *decoder) rule(v value) HeaderRule {
	r := HeaderRule{Line: place(v.node).line}
	before := len(d.errs)
	seen := d.section(v, section{
		"match":               func(v value) { r.Match = d.str(v, checkGlob) },
		"cache-control":       func(v value) { r.CacheControl = d.str(v, checkHeader) },
		"content-type":        func(v value) { r.ContentType = d.str(v, checkContentType) },
		"content-disposition": func(v value) { r.ContentDisposition = d.str(v, checkHeader) },
		"content-language":    func(v value) { r.ContentLanguage = d.str(v, checkHeader) },
		"content-encoding":    func(v value) { r.ContentEncoding = d.str(v, checkHeader) },
	})
	if _, ok := seen["match"]; !ok && len(d.errs) == before {
		d.failAt(v.node, `a rule of headers needs "match": which objects it is for, such as "theme/**"`)
	}
	return r
}

func (d *decoder) invalidation(v value, i *Invalidation) {
	d.section(v, section{
		"policy": func(v value) { i.Policy = Policy(d.str(v, checkPolicy)) },
		"budget": func(v value) { i.Budget = d.whole(v) },
		"over":   func(v value) { i.Over = d.str(v, oneOf(OverFrugal, OverRefuse)) },
		"limits": func(v value) { i.Limits = d.str(v, oneOf(LimitsAuto, "cloudfront", "cloudfront-legacy", "none")) },
	})
}

func (d *decoder) urls(v value) URLs {
	u := URLs{Folders: Auto, Query: Auto}
	d.section(v, section{
		"folders": func(v value) { u.Folders = d.str(v, oneOf(Auto, Always, Never)) },
		"query":   func(v value) { u.Query = d.str(v, oneOf(Auto, Always, Never)) },
		"clean":   func(v value) { u.Clean = d.str(v, oneOf(Always, Never)) == Always },
	})
	return u
}

func (d *decoder) duration(v value) time.Duration {
	if n, ok := d.resolve(v.node).(*ast.IntegerNode); ok {
		d.failAt(n, `%q needs a unit; write "%sd" for days`, v.name, label(n))
		return 0
	}
	var out time.Duration
	d.str(v, func(s string) (string, error) {
		var err error
		out, err = parseDuration(s)
		return s, err
	})
	return out
}

// targets reads all targets. Two embedded ones would share one data folder and
// overwrite each other; a target with a mistake is not blamed for that, too.
func (d *decoder) targets(v value) map[string]Target {
	all := map[string]Target{}
	embedded := ""
	for _, p := range d.mapping(v) {
		before := len(d.errs)
		t := d.target(p)
		all[p.key] = t
		if len(d.errs) > before || !t.Embedded() {
			continue
		}
		if embedded != "" {
			d.failAt(p.at, `the targets %q and %q both lack "bucket"; only one can be the embedded local cloud, so give this one a bucket`, embedded, p.key)
		}
		embedded = p.key
	}
	if len(all) == 0 {
		return localOnly()
	}
	return all
}

func (d *decoder) target(p pair) Target {
	t := Target{Name: p.key}
	if err := checkTargetName(p.key); err != nil {
		d.failAt(p.at, "the target name %q %v", p.key, err)
	}
	seen := d.section(value{"the target " + p.key, p.value}, section{
		"bucket":              func(v value) { t.Bucket, t.Prefix = d.bucket(v) },
		"prefix":              func(value) {}, // below, because it goes with bucket
		"region":              func(v value) { t.Region = d.str(v, checkRegion) },
		"endpoint":            func(v value) { t.Endpoint = d.str(v, checkURL) },
		"distribution":        func(v value) { t.Distributions = d.distributions(v) },
		"cloudfront-endpoint": func(v value) { t.CloudFrontEndpoint = d.str(v, checkURL) },
		"url":                 func(v value) { t.URL = d.str(v, checkURL) },
	})
	d.prefix(seen, &t)
	d.needsBucket(seen)
	return t
}

// distributions reads one id or a list of them. "auto" stands alone: it finds
// what there is.
func (d *decoder) distributions(v value) []string {
	if _, isList := d.resolve(v.node).(*ast.SequenceNode); !isList {
		if id := d.str(v, checkDistribution); id != "" {
			return []string{id}
		}
		return nil
	}
	ids := d.strs(v, checkDistribution)
	for i, id := range ids {
		switch {
		case id == AutoDistribution && len(ids) > 1:
			d.failAt(v.node, `"auto" stands alone; it finds every distribution of the bucket`)
		case slices.Contains(ids[:i], id):
			d.failAt(v.node, "the distribution %q is listed twice", id)
		}
	}
	return ids
}

// prefix reads the key prefix, which a bucket may already have given.
func (d *decoder) prefix(seen map[string]value, t *Target) {
	v, ok := seen["prefix"]
	if !ok {
		return
	}
	prefix := d.optional(v, checkPrefix)
	if t.Prefix != "" && prefix != t.Prefix {
		d.failAt(v.node, `"prefix" is given here and in "bucket"; remove one`)
		return
	}
	t.Prefix = prefix
}

// needsBucket refuses what only makes sense with a bucket: whoever writes a
// distribution does not mean the embedded cloud, but forgot the bucket.
func (d *decoder) needsBucket(seen map[string]value) {
	if _, ok := seen["bucket"]; ok {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		if key != "prefix" {
			d.failAt(seen[key].node, `%q needs "bucket" beside it; a target without a bucket is the embedded local cloud`, key)
			return
		}
	}
}

// bucket reads "s3://name/prefix" into its two parts.
func (d *decoder) bucket(v value) (name, prefix string) {
	d.str(v, func(s string) (string, error) {
		var err error
		name, prefix, err = parseLocation(s)
		return s, err
	})
	return name, prefix
}
