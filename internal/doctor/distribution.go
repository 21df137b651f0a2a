package doctor

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// examination is one distribution with what is known of the bucket.
type examination struct {
	Target
	Distribution
	state  release.State
	bucket remote.Bucket
}

func (e examination) all(ctx context.Context) []Finding {
	out := []Finding{deployed(e.Distribution.Distribution), e.origin()}
	if e.Viewer != nil && !e.reaches(ctx) {
		out = append(out, Finding{
			Check: "viewers", Level: Unknown, What: fmt.Sprintf("%s could not be asked, so that what viewers get is not known", e.Viewer),
			Next: "make sure that this machine reaches it, or name the site's address as `url:` of the target in freshet.yaml",
		})
		e.Viewer = nil
	}
	if e.Settings == nil {
		f := Finding{Check: "settings", Level: Unknown, What: "cache policies and access controls could not be read"}
		if e.SettingsErr != nil {
			f.What += ": " + e.SettingsErr.Error()
		}
		out = append(out, f)
	} else {
		out = append(out, e.signing(ctx)...)
	}
	out = append(out, e.rootObject(ctx)...)
	out = append(out, e.folders(ctx)...)
	out = append(out, e.missing(ctx)...)
	out = append(out, e.errorPages()...)
	if e.Settings != nil {
		out = append(out, e.caching()...)
	}
	out = append(out, e.tags())
	if e.Viewer != nil {
		readme := site.Key("")
		if e.Record != nil {
			readme = e.Record.Readme()
		}
		out = append(out, e.hidden(ctx, readme), e.listable(ctx))
	}
	return out
}

// reaches is whether viewers' questions can be asked from here.
func (e examination) reaches(ctx context.Context) bool {
	_, err := e.Viewer.Ask(ctx, "/")
	return err == nil
}

// console is where a setting is in CloudFront's console.
func (e examination) console(tab, do string) string {
	return fmt.Sprintf("CloudFront console, Distributions, %s, %s: %s", e.ID, tab, do)
}

// fixes is what mends by itself.
const fixes = "freshet doctor --fix"

func deployed(d remote.Distribution) Finding {
	f := good("deployed", "it is enabled and deployed, at %s", d.Domain)
	switch {
	case !d.Enabled:
		f.Level, f.What, f.Why = Problem, "it is disabled", "viewers get nothing"
		f.Next = "enable it in the CloudFront console"
	case !d.Deployed:
		f.Level, f.What, f.Why = Warning, "a change of its configuration is still spreading", "some edges still follow the old one"
		f.Next = "aws cloudfront wait distribution-deployed --id " + d.ID
	}
	return f
}

// inDomain is the region in the name of a bucket's REST endpoint (fact 5.1).
var inDomain = regexp.MustCompile(`\.s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.amazonaws\.com`)

// origin holds the origins against the bucket.
func (e examination) origin() Finding {
	const check = "origin"
	var domains []string
	var ours remote.Origin
	for _, o := range e.Origins {
		domains = append(domains, o.Domain)
		if ours.ID == "" && e.Reads(o.ID) {
			ours = o
		}
	}
	if !e.Named && !e.Foreign || ours.ID == "" {
		return Finding{
			Check: check, Level: Problem, What: fmt.Sprintf("it does not fetch from the bucket %s, but from %s", e.Bucket, strings.Join(domains, ", ")),
			Why:  "what is published never reaches its viewers, and its invalidations are for nothing",
			Next: "correct `bucket:` or `distribution:` in freshet.yaml (`distribution: auto` finds the right one)",
		}
	}
	if objects := e.published(e.state); len(objects) > 0 && !slices.ContainsFunc(objects, e.shows) {
		return Finding{
			Check: check, Level: Problem, What: fmt.Sprintf("it shows none of the site's objects: it fetches from %s%s", ours.Domain, ours.Path),
			Why:  "what is published never reaches its viewers",
			Next: "make the prefix in `bucket:` and the origin path the same, or let a behavior ask this origin",
		}
	}
	if m := inDomain.FindStringSubmatch(ours.Domain); m != nil && e.bucket.Region != "" && m[1] != e.bucket.Region {
		return Finding{
			Check: check, Level: Problem, What: fmt.Sprintf("its domain %s names another region than the bucket's, %s", ours.Domain, e.bucket.Region),
			Why: "S3 answers with redirects that viewers get to see", Next: e.console("Origins", "set the domain that has "+e.bucket.Region+" in it"),
		}
	}
	return good(check, "it fetches from %s%s", ours.Domain, ours.Path)
}

func (e examination) shows(o site.Object) bool {
	_, ok := e.Path(o.Key)
	return ok
}

// signing is whether a private bucket answers the distribution.
func (e examination) signing(ctx context.Context) []Finding {
	const check = "origin access"
	if e.Embedded {
		return nil // the edge reaches its bucket without
	}
	var out []Finding
	for _, o := range e.Origins {
		i := slices.IndexFunc(e.Settings.Origins, func(s remote.OriginSettings) bool { return s.ID == o.ID })
		if i < 0 || !e.Reads(o.ID) {
			continue
		}
		f := e.signed(ctx, o, e.Settings.Origins[i].Signing)
		f.Check = check
		out = append(out, f)
	}
	return out
}

func (e examination) signed(ctx context.Context, o remote.Origin, how remote.Signing) Finding {
	next := e.console("Origins", "choose an origin access control, and copy the policy that it shows into the bucket's")
	switch how {
	case remote.SigningAlways, remote.SigningViewer:
		return good("", "requests to %s are signed by an origin access control", o.Domain)
	case remote.SigningIdentity:
		return good("", "requests to %s are signed by an origin access identity, the older way", o.Domain)
	case remote.SigningUnread:
		return Finding{Level: Unknown, What: "there is an origin access control that could not be read", Next: "allow cloudfront:GetOriginAccessControl to have it looked at: `freshet policy --doctor` prints the rights"}
	}
	if strings.Contains(o.Domain, ".s3-website") {
		return Finding{
			Level: Warning, What: "it fetches from an S3 website, which needs a public bucket",
			Why:  "everybody can read freshet's record and the site past the distribution, and what it fetches crosses the internet without TLS",
			Next: next + "; a function then answers folders (docs/doctor.md, directory indexes)",
		}
	}
	status := e.ask(ctx, e.sample())
	switch {
	case e.bucket.Readable == remote.Yes:
		return Finding{
			Level: Warning, What: "requests to the bucket are not signed, so that it has to be public",
			Why: "everybody can read freshet's record and the site past the distribution", Next: next,
		}
	case status == http.StatusOK:
		return good("", "requests to %s are not signed, and it answers", o.Domain)
	case status == http.StatusForbidden || status == 0 && e.bucket.Readable == remote.No && !e.Foreign:
		return Finding{Level: Problem, What: "requests to the bucket are not signed, and it is private", Why: "viewers get 403 for everything", Next: next}
	}
	return Finding{Level: Unknown, What: "requests to the bucket are not signed; whether it answers could not be found out"}
}

// sample is where an object is shown that is live, "" for none.
func (e examination) sample() site.URLPath {
	for _, o := range live(e.state) {
		if path, ok := e.Path(o.Key); ok {
			return path
		}
	}
	return ""
}

// ask is the status that a viewer gets, 0 where that could not be found out.
func (e examination) ask(ctx context.Context, path site.URLPath) int {
	if e.Viewer == nil || path == "" {
		return 0
	}
	a, err := e.Viewer.Ask(ctx, path)
	if err != nil {
		return 0
	}
	return a.Status
}

// home is the behavior that answers "/", and whether a website stands behind it.
func (e examination) home() (b remote.Behavior, website bool) {
	for _, one := range e.Behaviors {
		if one.Pattern == "*" || one.Pattern == "/" || one.Pattern == "/*" {
			b = one
			break
		}
	}
	for _, o := range e.Origins {
		if o.ID == b.OriginID {
			website = o.Website
		}
	}
	return b, website
}

// rootObject is what answers "/" (fact 5.2).
func (e examination) rootObject(ctx context.Context) []Finding {
	const check = "default root object"
	home, website := e.home()
	if !e.Reads(home.OriginID) {
		return nil // the site is not all that there is
	}
	name := strings.TrimPrefix(e.DefaultRootObject, "/")
	switch {
	case name != e.DefaultRootObject:
		return []Finding{{
			Check: check, Level: Problem, What: fmt.Sprintf("%s begins with a slash", e.DefaultRootObject), Why: "CloudFront then answers / with 403",
			Next: fixes, Mend: remote.Change{RootObject: name},
		}}
	case name != "" && !e.hasPath("/"+name):
		return []Finding{{
			Check: check, Level: Warning, What: fmt.Sprintf("it is %s, which the site does not have", name), Why: "viewers get an error at /",
			Next: "publish a page of that name, or set another one: " + e.console("General, Edit", "Default root object"),
		}}
	case name != "":
		return []Finding{good(check, "%s answers /", name)}
	case website || home.Rewrites || e.ask(ctx, "/") == http.StatusOK:
		return []Finding{good(check, "none, and / is answered otherwise")}
	}
	f := Finding{Check: check, Level: Problem, What: "there is none", Why: "a bucket has no page for /: viewers get an error at the site's own address, or a listing"}
	if f.Next = "publish an index.html at the top of what it shows, then: " + fixes; e.hasPath("/index.html") {
		f.Next, f.Mend = fixes, remote.Change{RootObject: "index.html"}
	}
	return []Finding{f}
}

// hasPath is whether an object is shown under a path; also where nothing is
// known of objects.
func (e examination) hasPath(path string) bool {
	objects := e.published(e.state)
	return len(objects) == 0 || slices.ContainsFunc(objects, func(o site.Object) bool {
		own, ok := e.Path(o.Key)
		return ok && string(own) == path
	})
}

// folders is whether /a/ is answered with a/index.html (fact 5.1).
func (e examination) folders(ctx context.Context) []Finding {
	const check = "directory indexes"
	folder, page, isLive := e.aFolder()
	if folder == "" {
		return nil
	}
	configured, status := slices.Contains(e.URLs(page), folder), 0
	if isLive {
		status = e.ask(ctx, folder)
	}
	switch {
	case status >= 200 && status < 400:
		return []Finding{good(check, "%s is answered with %s", folder, page)}
	case status == 0 && configured:
		return []Finding{good(check, "a website or a function may answer folders with their index.html")}
	}
	f := Finding{
		Check: check, Level: Warning, What: fmt.Sprintf("nothing answers %s with %s", folder, page),
		Why:  "a bucket knows no folders: viewers who ask for one get 403 or 404",
		Next: "add the function of docs/doctor.md, directory indexes; where no page links to folders, say `urls: {folders: never}` in freshet.yaml",
	}
	if status != 0 {
		f.What = fmt.Sprintf("%s, and viewers get %d", f.What, status)
	}
	return []Finding{f}
}

// aFolder is a folder with an index page, one that is live if there is one.
func (e examination) aFolder() (folder site.URLPath, page site.Key, isLive bool) {
	for i, objects := range [][]site.Object{live(e.state), e.published(e.state)} {
		for _, o := range objects {
			path, ok := e.Path(o.Key)
			if dir, isIndex := strings.CutSuffix(string(path), "/index.html"); ok && isIndex && dir != "" {
				return site.URLPath(dir + "/"), o.Key, i == 0
			}
		}
	}
	return "", "", false
}

// errorTTL is how long an error that freshet mends may be kept.
const errorTTL = remote.DefaultErrorTTL

// missing asks as a viewer for what is not there (fact 7.8).
func (e examination) missing(ctx context.Context) []Finding {
	const check = "missing pages"
	if e.Viewer == nil || e.Nothing == "" {
		return nil
	}
	switch status := e.ask(ctx, e.Nothing); {
	case status == 0:
		return []Finding{{Check: check, Level: Unknown, What: fmt.Sprintf("%s gave no whole answer", e.Viewer)}}
	case status == http.StatusOK:
		return []Finding{good(check, "what is missing is answered with a page and 200, as for applications that route in the browser")}
	case status != http.StatusForbidden:
		return []Finding{good(check, "viewers get %d for what is missing", status)}
	}
	f := Finding{
		Check: check, Level: Warning, What: "viewers get 403 for what is missing",
		Why:  "a private bucket does not say what it does not have: search engines keep dead pages, and people read \"AccessDenied\"",
		Next: "publish a page 404.html at the top of the site, then: " + fixes,
	}
	if e.shown403() {
		f.Next = e.console("Error pages, 403", "answer 404 instead of 403")
	} else if e.hasPath("/404.html") && len(e.published(e.state)) > 0 {
		f.Next, f.Mend = fixes, remote.Change{Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: errorTTL}}}
	}
	return []Finding{f}
}

func (e examination) shown403() bool {
	return slices.ContainsFunc(e.ErrorPages, func(p remote.ErrorPage) bool { return p.Status == 403 && p.Page != "" })
}

// longError is how long an error may be kept before it is worth a word: longer
// than anybody waits for a site to come back.
const longError = 5 * time.Minute

// errorPages looks at what is configured.
func (e examination) errorPages() []Finding {
	const check = "error pages"
	var out []Finding
	for _, p := range e.ErrorPages {
		if p.Page != "" && !e.Embedded && e.Asks(site.URLPath(p.Page)) && !e.hasPath(p.Page) {
			out = append(out, Finding{
				Check: check, Level: Warning, What: fmt.Sprintf("%s is shown for %d, and the site does not have it", p.Page, p.Status),
				Why:  "viewers get an XML document in its place",
				Next: fmt.Sprintf("publish it, or: %s", e.console("Error pages", "name a page that is there")),
			})
		}
		if p.MinTTL > longError {
			mended := p
			mended.MinTTL = errorTTL
			out = append(out, Finding{
				Check: check, Level: Warning, What: fmt.Sprintf("a %d is kept for %s", p.Status, span(p.MinTTL)),
				Why:  "viewers go on getting the error when the cause is gone",
				Next: fixes, Mend: remote.Change{Errors: []remote.ErrorPage{mended}},
			})
		}
	}
	return out
}

// hidden asks as a viewer for a file of the record that holds nothing secret.
func (e examination) hidden(ctx context.Context, readme site.Key) Finding {
	f := good("record, as viewers see it", "there is no record yet")
	path, shown := site.URLPath(""), false
	if readme != "" {
		f.What = e.ID + " does not show it"
		path, shown = e.Path(readme)
	}
	if !shown {
		return f
	}
	a, err := e.Viewer.Ask(ctx, path)
	switch {
	case err != nil: // which names the record, and logs may be public
		f.Level, f.What = Unknown, fmt.Sprintf("%s gave no whole answer", e.Viewer)
	case a.Status == 200 && strings.HasPrefix(a.ContentType, "text/plain"):
		f.Level, f.What = Warning, e.ID+" shows it to whoever knows its name"
		f.Why = "nobody can guess the name, 128 random bits; but it holds pages that were taken down"
		f.Next = "add a viewer-request function that answers 403 to /.freshet-* (docs/doctor.md, directory indexes, has one)"
	}
	return f
}

// listable asks as a viewer for the listing that a bucket answers with at its
// root.
func (e examination) listable(ctx context.Context) Finding {
	f := good("listing, as viewers see it", "%s does not list the bucket", e.ID)
	a, err := e.Viewer.Ask(ctx, "/")
	if err != nil {
		f.Level, f.What = Unknown, fmt.Sprintf("%s gave no whole answer", e.Viewer)
	} else if a.Status == 200 && strings.HasPrefix(a.ContentType, "application/xml") && e.DefaultRootObject == "" {
		f.Level, f.What = Problem, e.ID+" answers / with an XML document: a listing of the bucket"
		f.Why = "a listing tells the name of freshet's record, and of every file that nobody links to"
		f.Next = "take s3:ListBucket for everybody out of the bucket's policy, and set a default root object"
	}
	return f
}
