// Package doctor examines a target: what is wrong with it, or could be, why
// that matters, and what to do about it.
//
// It looks at the bucket, at freshet's record in it and at what viewers can see
// of that, and at the state of the distributions. It changes nothing that was
// there before: the one thing that it writes is what tells whether the store
// honours conditional writes, and that is gone afterwards. It does not look at
// the site's folder, and not yet at cache policies, error pages and prices.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	Good    Level = "ok"
	Warning Level = "warning" // works, but something is to be known or done
	Problem Level = "problem" // freshet cannot publish, or cannot keep its promises
)

// Finding is the outcome of one check.
type Finding struct {
	Check string // "conditional writes"
	Level Level
	What  string // what was found
	Why   string // why it matters; "" where nothing is wrong
	Next  string // what to type or do; "" where nothing is to be done, or where Err tells
	Err   error  // what failed, for a hint; nil for nothing
}

// Target is what is examined.
type Target struct {
	Record        *release.Record // through a store that can be written to
	Distributions []Distribution
}

// Distribution is one distribution in front of the bucket.
type Distribution struct {
	remote.Distribution
	Viewer remote.Viewer                       // nil where nobody knows where its viewers go
	Path   func(site.Key) (site.URLPath, bool) // where it shows a key; false for nowhere
}

// Examine makes all checks, in an order in which the first problem explains
// the later ones. A check whose ground is missing is left out.
func Examine(ctx context.Context, t Target) []Finding {
	var out []Finding
	state, err := t.Record.Read(ctx)
	if err != nil {
		return append(out, broken("record", "freshet's record in the bucket cannot be read", "nothing can be published without it", err))
	}
	out = append(out, record(state), conditions(t.Record.Probe(ctx)))
	out = append(out, underWay(state)...)
	for _, d := range t.Distributions {
		out = append(out, distribution(d.Distribution))
		if d.Viewer != nil {
			out = append(out, d.hidden(ctx, t.Record.Readme()), d.listable(ctx))
		}
	}
	return out
}

// Worst is the worst level among findings.
func Worst(findings []Finding) Level {
	worst := Good
	for _, f := range findings {
		if f.Level == Problem || f.Level == Warning && worst == Good {
			worst = f.Level
		}
	}
	return worst
}

func broken(check, what, why string, err error) Finding {
	return Finding{Check: check, Level: Problem, What: fmt.Sprintf("%s: %v", what, err), Why: why, Err: err}
}

func record(s release.State) Finding {
	f := Finding{Check: "record", Level: Good, What: "nothing has been published here by freshet yet"}
	if s.Current != nil {
		f.What = fmt.Sprintf("release %s is live, with %d objects", s.Current.Release, s.Current.Objects)
	}
	return f
}

func conditions(err error) Finding {
	const check = "conditional writes"
	switch {
	case err == nil:
		return Finding{Check: check, Level: Good, What: "the store honours If-None-Match and If-Match"}
	case errors.Is(err, release.ErrUnprotected):
		return broken(check, "the store does not honour them", "two deploys at once, or a slow one, could overwrite each other", err)
	}
	return broken("writing", "the bucket cannot be written to", "nothing can be published", err)
}

// underWay tells of a held lock and an open journal.
func underWay(s release.State) []Finding {
	var out []Finding
	if l := s.Lock; l != nil {
		out = append(out, Finding{
			Check: "lock", Level: Warning, What: fmt.Sprintf("%s has held it since %s", l.Writer, l.Since.Local().Format("15:04:05")),
			Why:  "a deploy is under way, or was killed a moment ago",
			Next: "nothing: the next `freshet deploy` waits for it, and takes it over if it is not renewed",
		})
	}
	if j := s.Journal; j != nil && s.Lock == nil {
		out = append(out, Finding{
			Check: "journal", Level: Warning, What: fmt.Sprintf("release %s of %s was interrupted; %d URLs are still to be invalidated", j.Release, j.Writer, len(j.Pending)),
			Why: "caches may still show what was there before", Next: "freshet deploy",
		})
	}
	return out
}

func distribution(d remote.Distribution) Finding {
	f := Finding{Check: "distribution " + d.ID, Level: Good, What: "it is enabled and deployed, at " + d.Domain}
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

// hidden asks as a viewer for a file of the record that holds nothing secret.
func (d Distribution) hidden(ctx context.Context, readme site.Key) Finding {
	f := Finding{Check: "record, as viewers see it", Level: Good, What: "there is no record yet"}
	path, shown := site.URLPath(""), false
	if readme != "" {
		f.What = d.ID + " does not show it"
		path, shown = d.Path(readme)
	}
	if !shown {
		return f
	}
	a, err := d.Viewer.Ask(ctx, path)
	switch {
	case err != nil:
		f.Level, f.What, f.Why = Warning, fmt.Sprintf("%s could not be asked: %v", d.Viewer, err), "what viewers can read is not known"
		f.Next = "make sure that this machine reaches " + d.Viewer.String()
	case a.Status == 200 && strings.HasPrefix(a.ContentType, "text/plain"):
		f.Level, f.What = Warning, d.ID+" shows it to whoever knows its name"
		f.Why = "nobody can guess the name, 128 random bits; but it holds pages that were taken down"
		f.Next = "add a viewer-request function that answers 403 to /.freshet-*"
	}
	return f
}

// listable asks as a viewer for the listing that a bucket answers with at its
// root.
func (d Distribution) listable(ctx context.Context) Finding {
	f := Finding{Check: "listing, as viewers see it", Level: Good, What: d.ID + " does not list the bucket"}
	a, err := d.Viewer.Ask(ctx, "/")
	if err == nil && a.Status == 200 && strings.HasPrefix(a.ContentType, "application/xml") && d.DefaultRootObject == "" {
		f.Level, f.What = Problem, d.ID+" answers / with an XML document: a listing of the bucket"
		f.Why = "a listing tells the name of freshet's record, and of every file that nobody links to"
		f.Next = "take s3:ListBucket for everybody out of the bucket's policy, and set a default root object"
	}
	return f
}
