package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/doctor"
	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// viewer answers by path; other paths get the answer under "".
type viewer struct {
	answers map[string]remote.Answer
	err     error
}

func (v viewer) Ask(_ context.Context, path site.URLPath) (remote.Answer, error) {
	if a, ok := v.answers[string(path)]; ok {
		return a, v.err
	}
	if a, ok := v.answers["record"]; ok && strings.HasPrefix(string(path), "/.freshet-") {
		return a, v.err
	}
	return v.answers[""], v.err
}
func (v viewer) String() string { return "https://www.example.org" }

// answers are statuses by path; "" stands for the others.
func answers(statuses map[string]int) viewer {
	v := viewer{answers: map[string]remote.Answer{}}
	for path, status := range statuses {
		v.answers[path] = remote.Answer{Status: status, ContentType: "text/html"}
	}
	return v
}

const year = 365 * 24 * time.Hour

// patient is a target that has everything right; rows spoil it.
type patient struct {
	target doctor.Target
	d      *doctor.Distribution
	s      *remote.Settings
	store  *memory.Store
}

func newPatient(t *testing.T) patient {
	t.Helper()
	html := site.Share(site.Headers{ContentType: "text/html; charset=utf-8"})
	m, err := site.NewManifest([]site.Object{{Key: "index.html", Headers: html}, {Key: "404.html", Headers: html}, {Key: "docs/index.html", Headers: html}})
	if err != nil {
		t.Fatal(err)
	}
	store := bucket(t, func(ctx context.Context, r *release.Record, s release.State) error {
		s, err := r.Begin(ctx, s, release.Journal{Release: "r2-b", Number: 2, Base: "r1-a"})
		if err == nil {
			s, err = r.Commit(ctx, s, release.Manifest{Release: "r2-b", Number: 2, Created: time.Unix(1e9, 0), Site: m}, 0)
		}
		if err == nil {
			_, err = r.Close(ctx, s)
		}
		return err
	})
	store.SetBucket(remote.Bucket{Region: "eu-central-1", Readable: remote.No, Listable: remote.No})
	record, err := release.Open(t.Context(), store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := patient{store: store, s: &remote.Settings{
		Origins: []remote.OriginSettings{{ID: "o", Signing: remote.SigningAlways}},
		Behaviors: []remote.BehaviorSettings{{Pattern: "*", Compress: true, Caching: &remote.Caching{
			Name: "CachingOptimized", Min: time.Second, Default: 24 * time.Hour, Max: year, Gzip: true, Brotli: true,
		}}},
	}}
	p.target = doctor.Target{
		Bucket: "memory", Store: store, Record: record, Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Nothing: "/nothing",
		Site: &doctor.Site{Dir: "output", Manifest: m, Read: func(site.Key) ([]byte, error) { return nil, nil }},
		Distributions: []doctor.Distribution{{
			Distribution: remote.Distribution{
				ID: "E1", Domain: "d1.cloudfront.net", Enabled: true, Deployed: true, DefaultRootObject: "index.html", TagHeader: "x-amz-meta-cache-tag",
				Origins:    []remote.Origin{{ID: "o", Domain: "memory.s3.eu-central-1.amazonaws.com"}},
				Behaviors:  []remote.Behavior{{Pattern: "*", OriginID: "o", Rewrites: true}},
				ErrorPages: []remote.ErrorPage{{Status: 404, Page: "/404.html", Response: 404, MinTTL: remote.DefaultErrorTTL}},
			},
			Settings: p.s, Named: true, Reads: func(id string) bool { return id == "o" },
			Viewer: answers(map[string]int{"": 404, "/": 200, "/docs/": 200, "/index.html": 200}),
			Path:   func(k site.Key) (site.URLPath, bool) { return site.URLPath("/" + string(k)), true },
			URLs: func(k site.Key) []site.URLPath {
				return []site.URLPath{k.URLPath(), site.DirURLPath(k.Dir())}
			},
			Asks: func(site.URLPath) bool { return true },
		}},
	}
	p.d = &p.target.Distributions[0]
	return p
}

func TestExamineDistribution(t *testing.T) {
	plain := func(k site.Key) []site.URLPath { return []site.URLPath{k.URLPath()} }
	rows := []struct {
		name  string
		spoil func(patient)
		want  []string // findings that are not ok: "level check: part of what"
		mend  remote.Change
	}{
		{"all is well", func(patient) {}, nil, remote.Change{}},
		{"disabled", func(p patient) { p.d.Enabled = false }, []string{"problem deployed: disabled"}, remote.Change{}},
		{"spreading", func(p patient) { p.d.Deployed = false }, []string{"warning deployed: still spreading"}, remote.Change{}},
		{"another bucket", func(p patient) { p.d.Named = false }, []string{"problem origin: does not fetch from the bucket memory"}, remote.Change{}},
		{"another region", func(p patient) { p.d.Origins[0].Domain = "memory.s3.us-west-2.amazonaws.com" }, []string{"problem origin: names another region than the bucket's, eu-central-1"}, remote.Change{}},
		{"another prefix", func(p patient) { p.d.Path = func(site.Key) (site.URLPath, bool) { return "", false } },
			[]string{"problem origin: shows none of the site's objects", "warning default root object: the site does not have", "warning error pages: the site does not have it"}, remote.Change{}},
		{"settings that cannot be read", func(p patient) { p.d.Settings, p.d.SettingsErr = nil, remote.ErrDenied }, []string{"unknown settings: access denied"}, remote.Change{}},
		{"unsigned, and refused", func(p patient) {
			p.s.Origins[0].Signing = remote.SigningOff
			p.d.Viewer = answers(map[string]int{"": 403, "/docs/": 200})
		}, []string{"problem origin access: not signed, and it is private", "warning missing pages: viewers get 403"},
			remote.Change{Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}}}},
		{"unsigned, and public", func(p patient) {
			p.s.Origins[0].Signing = remote.SigningNone
			p.store.SetBucket(remote.Bucket{Readable: remote.Yes, Listable: remote.No})
		}, []string{"warning public access: anybody can read", "warning origin access: it has to be public"}, remote.Change{}},
		{"a website", func(p patient) {
			p.d.Origins[0] = remote.Origin{ID: "o", Domain: "memory.s3-website.eu-central-1.amazonaws.com", Website: true}
			p.s.Origins[0].Signing = remote.SigningNone
		}, []string{"warning origin access: an S3 website"}, remote.Change{}},
		{"an access control that cannot be read", func(p patient) { p.s.Origins[0].Signing = remote.SigningUnread }, []string{"unknown origin access: could not be read"}, remote.Change{}},
		{"no root object", func(p patient) {
			p.d.DefaultRootObject, p.d.Behaviors[0].Rewrites = "", false
			p.d.Viewer = answers(map[string]int{"": 404, "/": 403, "/docs/": 200})
		}, []string{"problem default root object: there is none"}, remote.Change{RootObject: "index.html"}},
		{"no root object, and not needed", func(p patient) { p.d.DefaultRootObject = "" }, nil, remote.Change{}},
		{"a root object that is not there", func(p patient) { p.d.DefaultRootObject = "home.html" }, []string{"warning default root object: home.html, which the site does not have"}, remote.Change{}},
		{"a root object with a slash", func(p patient) { p.d.DefaultRootObject = "/index.html" }, []string{"problem default root object: begins with a slash"}, remote.Change{RootObject: "index.html"}},
		{"no folders", func(p patient) {
			p.d.URLs = plain
			p.d.Viewer = answers(map[string]int{"": 404, "/": 200, "/docs/": 403})
		}, []string{"warning directory indexes: nothing answers /docs/ with docs/index.html, and viewers get 403"}, remote.Change{}},
		{"a function that does something else", func(p patient) { p.d.Viewer = answers(map[string]int{"": 404, "/": 200}) }, []string{"warning directory indexes: viewers get 404"}, remote.Change{}},
		{"403 for what is missing", func(p patient) {
			p.d.Viewer = answers(map[string]int{"": 403, "/": 200, "/docs/": 200, "/index.html": 200})
		},
			[]string{"warning missing pages: viewers get 403"},
			remote.Change{Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}}}},
		{"403 without a page, and for long", func(p patient) {
			p.d.Viewer = answers(map[string]int{"": 403, "/": 200, "/docs/": 200, "/index.html": 200})
			p.d.ErrorPages = append(p.d.ErrorPages, remote.ErrorPage{Status: 403, MinTTL: time.Hour})
		}, []string{"warning missing pages: viewers get 403", "warning error pages: a 403 is kept for 1 hour"},
			remote.Change{Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}}}},
		{"an application", func(p patient) { p.d.Viewer = answers(map[string]int{"": 200}) }, nil, remote.Change{}},
		{"an error page that is not there", func(p patient) { p.d.ErrorPages[0].Page = "/oops.html" }, []string{"warning error pages: /oops.html is shown for 404"}, remote.Change{}},
		{"errors that stay", func(p patient) { p.d.ErrorPages[0].MinTTL = time.Hour }, []string{"warning error pages: a 404 is kept for 1 hour"},
			remote.Change{Errors: []remote.ErrorPage{{Status: 404, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}}}},
		{"caching off", func(p patient) {
			p.s.Behaviors[0].Caching = &remote.Caching{Name: "CachingDisabled"}
			p.s.Behaviors[0].Compress = true
		},
			[]string{"warning cache policy: CachingDisabled keeps nothing"}, remote.Change{}},
		{"a policy without compression", func(p patient) { p.s.Behaviors[0].Caching.Gzip, p.s.Behaviors[0].Caching.Brotli = false, false },
			[]string{"warning compression: does not allow it"}, remote.Change{}},
		{"a long minimum", func(p patient) { p.s.Behaviors[0].Caching.Min = time.Hour }, []string{"warning cache policy: keeps everything for 1 hour at least"}, remote.Change{}},
		{"a short maximum", func(p patient) { p.s.Behaviors[0].Caching.Max = 10 * time.Minute }, []string{"warning cache policy: keeps nothing longer than 10 min"}, remote.Change{}},
		{"a policy that cannot be read", func(p patient) { p.s.Behaviors[0].Caching = nil }, []string{"unknown cache policy: could not be read"}, remote.Change{}},
		{"no compression", func(p patient) { p.s.Behaviors[0].Compress = false }, []string{"warning compression: off"}, remote.Change{Compress: []string{"*"}}},
		{"another Cache-Control", func(p patient) { p.s.Behaviors[0].CacheControl = "no-store" }, []string{"warning response headers: replaces Cache-Control by no-store"}, remote.Change{}},
		{"headers that cannot be read", func(p patient) { p.s.Behaviors[0].HeadersUnread = true }, []string{"unknown response headers: could not be read"}, remote.Change{}},
		{"plain HTTP", func(p patient) { p.s.Behaviors[0].HTTP = true }, []string{"warning https: without TLS"}, remote.Change{}},
		{"plain HTTP on this machine", func(p patient) { p.s.Behaviors[0].HTTP, p.d.Local = true, true }, nil, remote.Change{}},
		{"tags that S3 cannot send", func(p patient) { p.d.TagHeader = "cache-tag" }, []string{"warning cache tags: no S3 object can have"}, remote.Change{}},
		{"the record is shown", func(p patient) {
			p.d.Viewer.(viewer).answers["record"] = remote.Answer{Status: 200, ContentType: "text/plain; charset=utf-8"}
		}, []string{"warning record, as viewers see it: shows it"}, remote.Change{}},
		{"a fallback page is not the record", func(p patient) {
			p.d.Viewer.(viewer).answers["record"] = remote.Answer{Status: 200, ContentType: "text/html"}
		}, nil, remote.Change{}},
		{"the bucket is listed", func(p patient) {
			p.d.DefaultRootObject = ""
			p.d.Viewer.(viewer).answers["/"] = remote.Answer{Status: 200, ContentType: "application/xml"}
		}, []string{"problem listing, as viewers see it: a listing of the bucket"}, remote.Change{}},
		{"nobody answers", func(p patient) { p.d.Viewer = viewer{err: errors.New("no route")} },
			[]string{"unknown viewers: https://www.example.org could not be asked"}, remote.Change{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := newPatient(t)
			row.spoil(p)
			found := doctor.Examine(t.Context(), p.target)
			compare(t, found, row.want)
			if diff := cmp.Diff(doctor.Mend(found, "E1"), row.mend); diff != "" {
				t.Errorf("Mend (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCost(t *testing.T) {
	rows := []struct {
		name string
		used map[time.Month]ledger.Usage
		err  error
		want []string // of the findings' level and text
	}{
		{"free", map[time.Month]ledger.Usage{10: {Used: 412, Whole: true}, 11: {Used: 1000, Whole: true}}, nil, []string{
			"ok invalidations of October 2026: 412 paths, free (1,000 a month are)", "ok invalidations of November 2026: 1,000 paths, free (1,000 a month are)"}},
		{"dear", map[time.Month]ledger.Usage{10: {Used: 13400, Whole: true}, 11: {Used: 1001, Note: "E2 is denied"}}, nil, []string{
			"warning invalidations of October 2026: 13,400 paths, about $62.00", "warning invalidations of November 2026: 1,001 paths, about $0.01; at least, since E2 is denied"}},
		{"not to be counted", nil, remote.ErrDenied, []string{
			"unknown invalidations of October 2026: they could not be counted: access denied", "unknown invalidations of November 2026: they could not be counted: access denied"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := newPatient(t)
			p.target.Usage = func(_ context.Context, at time.Time) (ledger.Usage, error) { return row.used[at.Month()], row.err }
			var got []string
			for _, f := range doctor.Examine(t.Context(), p.target) {
				if f.About == "account" {
					got = append(got, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.What))
				}
			}
			if diff := cmp.Diff(got, row.want); diff != "" {
				t.Errorf("findings (-got +want):\n%s", diff)
			}
		})
	}
}

func TestSite(t *testing.T) {
	p := newPatient(t)
	p.d.Aliases = []string{"www.example.org"}
	p.store.Set("theirs.zip", []byte("x"), site.Headers{})
	html := site.Share(site.Headers{ContentType: "text/html; charset=utf-8"})
	m, err := site.NewManifest([]site.Object{{Key: "index.html", Headers: html}, {Key: "404.html", Headers: html}, {Key: "a~b.js"}, {Key: "a.js"}, {Key: "Logo.png"}})
	if err != nil {
		t.Fatal(err)
	}
	p.target.Site = &doctor.Site{Dir: "output", Manifest: m, Read: func(k site.Key) ([]byte, error) {
		// docs/ is live and on its way out; theirs.zip is somebody else's.
		return []byte("<a href=/theirs.zip><a href=/docs/index.html>\n<img src=logo.png><img src=gone.png><a href=https://www.example.org/x>"), nil
	}}
	found := doctor.Examine(t.Context(), p.target)
	compare(t, found, []string{"warning assets: an asset", "warning case: a reference", "warning links: 2 links", "warning paths: a file"})
	var details []string
	for _, f := range found {
		details = append(details, f.Details...)
	}
	want := []string{"/gone.png  404.html:2 and 1 more", "/logo.png  404.html:2 and 1 more  (there is Logo.png)",
		"/docs/index.html  404.html:1 and 1 more", "/x  404.html:2 and 1 more", "a~b.js  by /a*, which drops 1 more"}
	slices.Sort(details)
	slices.Sort(want)
	if diff := cmp.Diff(details, want); diff != "" {
		t.Errorf("details (-got +want):\n%s", diff)
	}
	p.target.Site, p.target.SiteErr = nil, errors.New("there is none")
	compare(t, doctor.Examine(t.Context(), p.target), []string{"warning folder: not looked at: there is none"})
}
