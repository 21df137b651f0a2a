package doctor

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strings"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/lint"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// Site is the folder that is to be published.
type Site struct {
	Dir      string
	Manifest site.Manifest
	Read     func(site.Key) ([]byte, error) // the bytes of one file; safe for concurrent use
}

// maxPage is the largest page or style sheet that is looked through, in bytes.
// What is larger was made by a program, for programs.
const maxPage = 8 << 20

// maxAsked is how many references are held against the bucket at most: one
// request each.
const maxAsked = 200

// site looks through the folder.
func (t Target) site(ctx context.Context, state release.State) []Finding {
	if t.Site == nil {
		if t.SiteErr == nil {
			return nil
		}
		return []Finding{{
			Check: "folder", Level: Warning, What: fmt.Sprintf("it was not looked at: %v", t.SiteErr),
			Why: "links, names and sizes are not checked", Next: "freshet build",
		}}
	}
	linted := lint.New(t.Site.Manifest, t.lintOptions())
	pages, err := t.Site.pages(ctx, linted)
	out := []Finding{good("folder", "%s files in %s", number(t.Site.Manifest.Len()), t.Site.Dir)}
	if err != nil {
		out = append(out, broken("folder", "it cannot be read", "links are not checked", err))
	}
	problems := append(linted.Keys(), t.unanswered(ctx, state, lint.Merge(pages))...)
	return append(out, told(problems)...)
}

// lintOptions say how viewers see the site: through all distributions, or as a
// plain web server shows it.
func (t Target) lintOptions() lint.Options {
	if len(t.Distributions) == 0 {
		return lint.Options{}
	}
	o := lint.Options{
		URLs: func(k site.Key) (all []site.URLPath) {
			for _, d := range t.Distributions {
				all = append(all, d.URLs(k)...)
			}
			return all
		},
		Elsewhere: func(p site.URLPath) bool {
			for _, d := range t.Distributions {
				if !d.Asks(p) {
					return true
				}
			}
			return false
		},
	}
	for _, d := range t.Distributions {
		o.Clean = o.Clean || d.Clean
		o.Hosts = append(o.Hosts, strings.ToLower(d.Domain))
		for _, a := range d.Aliases {
			o.Hosts = append(o.Hosts, strings.ToLower(a))
		}
		if d.Viewer != nil {
			if u, err := url.Parse(d.Viewer.String()); err == nil {
				o.Hosts = append(o.Hosts, strings.ToLower(u.Host))
			}
		}
		for _, p := range d.ErrorPages {
			o.Fallback = o.Fallback || p.Response == 200
		}
	}
	return o
}

// pages looks through all pages and style sheets at once.
func (s *Site) pages(ctx context.Context, linted *lint.Site) ([][]lint.Hit, error) {
	objects := s.Manifest.Objects()
	hits := make([][]lint.Hit, len(objects))
	group, ctx := crash.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, o := range objects {
		media := o.Headers.Get().ContentType
		if o.Size > maxPage || !strings.HasPrefix(media, "text/html") && !strings.HasPrefix(media, "text/css") && !strings.HasPrefix(media, "application/xhtml") {
			continue
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			text, err := s.Read(o.Key)
			if err == nil {
				hits[i] = linted.Page(o, text)
			}
			return err
		})
	}
	return hits, group.Wait()
}

// unanswered leaves out references to what somebody else has put into the bucket
// and freshet leaves alone.
func (t Target) unanswered(ctx context.Context, state release.State, problems []lint.Problem) []lint.Problem {
	if t.Store == nil || t.BucketErr != nil {
		return problems
	}
	asked := problems[:min(len(problems), maxAsked)]
	foreign := make([]bool, len(asked))
	group, ctx := crash.WithContext(ctx)
	group.SetLimit(16)
	for i, p := range asked {
		if key, ok := t.keyOf(p.Path); ok && p.Kind != lint.FolderLink {
			group.Go(func() error {
				foreign[i] = t.isForeign(ctx, state, key)
				return nil
			})
		}
	}
	_ = group.Wait() // nothing in it fails
	var out []lint.Problem
	for i, p := range problems {
		if i >= len(asked) || !foreign[i] {
			out = append(out, p)
		}
	}
	return out
}

func (t Target) isForeign(ctx context.Context, state release.State, key site.Key) bool {
	if _, ours := state.Live.Site.Lookup(key); ours {
		return false // the next deploy removes it
	}
	_, err := t.Store.Head(ctx, key)
	return err == nil
}

// keyOf is the key of the store that a decoded path shows.
func (t Target) keyOf(path string) (site.Key, bool) {
	for rest := path; ; {
		_, after, ok := strings.Cut(rest, "/")
		if !ok || after == "" {
			return "", false
		}
		key, err := site.ParseKey(after)
		if err != nil {
			return "", false
		}
		if len(t.Distributions) == 0 {
			return key, true
		}
		want := site.Key(strings.TrimPrefix(path, "/")).URLPath()
		if shown, ok := t.Distributions[0].Path(key); ok && shown == want {
			return key, true
		}
		rest = after
	}
}

// told makes one finding of each kind.
func told(problems []lint.Problem) []Finding {
	by := map[lint.Kind][]lint.Problem{}
	for _, p := range problems {
		by[p.Kind] = append(by[p.Kind], p)
	}
	var out []Finding
	if len(by[lint.BrokenAsset])+len(by[lint.BrokenLink])+len(by[lint.WrongCase])+len(by[lint.FolderLink]) == 0 {
		out = append(out, good("links", "every link and asset that pages and style sheets name within the site is there"))
	}
	for _, k := range kinds {
		if all := by[k.kind]; len(all) > 0 {
			f := Finding{Check: k.check, Level: k.level, What: fmt.Sprintf(k.what, number(len(all))), Why: k.why, Next: k.next}
			if len(all) == 1 {
				f.What = k.one
			}
			for _, p := range all {
				f.Details = append(f.Details, detail(p))
			}
			if k.kind == lint.Unnameable && !dropping(all) {
				f.Level, f.Why, f.Next = Good, "", ""
			}
			out = append(out, f)
		}
	}
	return out
}

func dropping(all []lint.Problem) bool {
	for _, p := range all {
		if p.Drops > 0 {
			return true
		}
	}
	return false
}

// kinds say what each kind of problem means.
var kinds = []struct {
	kind                 lint.Kind
	check                string
	level                Level
	what, one, why, next string
}{
	{lint.NoIndex, "index page", Warning, "", "there is no index.html at the top", "viewers get an error at the site's own address",
		"publish one, or correct `site:` in freshet.yaml"},
	{lint.BrokenAsset, "assets", Warning, "%s assets that pages need are not there", "an asset that pages need is not there",
		"viewers see broken pictures, unstyled pages or dead scripts", "correct the reference, or add the file to the site"},
	{lint.WrongCase, "case", Warning, "%s references differ in case from the file", "a reference differs in case from the file",
		"they work on this machine's file system and fail on S3, where case counts", "spell the reference as the file, or rename the file"},
	{lint.BrokenLink, "links", Warning, "%s links lead nowhere", "a link leads nowhere", "viewers get an error page", "correct the link, or add the page"},
	{lint.FolderLink, "links to folders", Warning, "%s links lead to folders, which nothing answers", "a link leads to a folder, which nothing answers",
		"a bucket knows no folders: viewers get 403 or 404", "add the function of docs/doctor.md, directory indexes"},
	{lint.Twins, "names", Warning, "%s files have the name of another but for the case", "a file has the name of another but for the case",
		"on macOS and Windows they are one file, so that a build there publishes another site", "rename one of them"},
	{lint.TooLarge, "size", Problem, "%s files are larger than CloudFront delivers", "a file is larger than CloudFront delivers",
		"viewers get an error: CloudFront caches 50 GB at most", "split the file, or let people fetch it elsewhere"},
	{lint.Large, "size", Warning, "%s files are larger than 5 GB", "a file is larger than 5 GB",
		"S3 takes and copies them in parts only, and a viewer who fetches one costs about half a dollar", "consider another place for such downloads"},
	{lint.Unnameable, "paths", Warning, "%s files can only be invalidated by a wildcard", "a file can only be invalidated by a wildcard",
		"CloudFront takes no path with such a name; purging it drops others that did not change", "rename them without ~ ' | [ ] and a last *"},
}

// detail is one line about a problem.
func detail(p lint.Problem) string {
	switch p.Kind {
	case lint.NoIndex:
		return string(p.Key)
	case lint.Twins:
		return fmt.Sprintf("%s and %s", p.Near, p.Key)
	case lint.Large, lint.TooLarge:
		return fmt.Sprintf("%s  %.1f GB", p.Key, float64(p.Bytes)/1e9)
	case lint.Unnameable:
		if p.Drops == 0 {
			return fmt.Sprintf("%s  by %s, which drops nothing else", p.Key, p.Near)
		}
		return fmt.Sprintf("%s  by %s, which drops %s more", p.Key, p.Near, number(p.Drops))
	}
	text := fmt.Sprintf("%s  %s:%d", p.Path, p.First, p.Line)
	if p.Pages > 1 {
		text += fmt.Sprintf(" and %s more", number(p.Pages-1))
	}
	if p.Near != "" {
		text += "  (there is " + p.Near + ")"
	}
	return text
}
