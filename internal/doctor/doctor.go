// Package doctor examines a target and the site that goes there: what is wrong,
// or could be, why that matters, and what to do about it.
//
// It looks at the credentials, the bucket and what anybody sees of it, freshet's
// record, the distributions with their origins, caching and error pages, what
// last month's invalidations cost, and the site's own links and names. What
// viewers get is asked of the distribution itself wherever that settles a
// question; what a right is missing for is told as not known.
//
// It changes nothing that was there before: the one thing that it writes is what
// tells whether the store honours conditional writes, and that is gone
// afterwards. What can be mended safely on a distribution is a proposal (Mend),
// which somebody else carries out.
//
// It leaves out everything that only a look into the account tells: bucket
// policies, the code of functions, certificates, web ACLs, bills.
//
// It follows the fact sheet, sections 1.4, 3, 4.4, 5 and 7.8.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	Good    Level = "ok"
	Unknown Level = "unknown" // could not be found out, most often for the lack of a right
	Warning Level = "warning" // works, but something is to be known or done
	Problem Level = "problem" // freshet cannot publish, or viewers get errors
)

// Finding is the outcome of one check.
type Finding struct {
	About   string // what was looked at: "bucket", "distribution E1", "site"
	Check   string // "conditional writes"
	Level   Level
	What    string   // what was found
	Why     string   // why it matters; "" where nothing is wrong
	Next    string   // what to type or do; "" where nothing is to be done, or where Err tells
	Details []string // one line each, the most important first: "index.html:12  /img/gone.png"
	Err     error    // what failed, for a hint; nil for nothing
	Mend    remote.Change
}

// Target is what is examined.
type Target struct {
	Bucket        string          // its name
	Store         remote.Store    // nil where it could not be opened
	Record        *release.Record // through a store that can be written to; nil where it could not be opened
	BucketErr     error           // why there is no record
	Foreign       bool            // the store is another than Amazon S3
	Embedded      bool            // bucket and distribution are freshet's own, as it made them
	Distributions []Distribution
	CDNErr        error // why there are no distributions, or not all of them
	Site          *Site // nil where there is none
	SiteErr       error // why not
	// Usage counts the invalidations of the month that a time lies in; nil where
	// they cost nothing.
	Usage func(context.Context, time.Time) (ledger.Usage, error)
	Now   time.Time
	// Nothing is a path that the site does not have.
	Nothing site.URLPath
}

// Distribution is one distribution in front of the bucket.
type Distribution struct {
	remote.Distribution
	Settings    *remote.Settings // nil where they were not read
	SettingsErr error            // why not
	Viewer      remote.Viewer    // nil where nobody knows where its viewers go
	Named       bool             // one of the origins is the bucket by its name
	// Reads is whether an origin, by its id, is the bucket.
	Reads func(origin string) bool
	Path  func(site.Key) (site.URLPath, bool) // where it shows a key; false for nowhere
	URLs  func(site.Key) []site.URLPath       // all paths that answer with it
	Asks  func(site.URLPath) bool             // whether the bucket answers a path
	Clean bool                                // whether /x may be answered with x.html
	Local bool                                // viewers are on this machine
}

// Examine makes all checks, in an order in which the first problem explains
// the later ones. A check whose ground is missing is left out.
func Examine(ctx context.Context, t Target) []Finding {
	state, bucket, out := t.bucket(ctx)
	if t.CDNErr != nil {
		out = append(out, about("distribution", broken("configuration", "it cannot be read", "what viewers get cannot be known, and nothing can be invalidated", t.CDNErr))...)
	}
	for _, d := range t.Distributions {
		e := examination{Target: t, Distribution: d, state: state, bucket: bucket}
		out = append(out, about("distribution "+d.ID, e.all(ctx)...)...)
	}
	out = append(out, t.cost(ctx)...)
	return append(out, about("site", t.site(ctx, state)...)...)
}

// bucket makes the checks that need no distribution.
func (t Target) bucket(ctx context.Context) (release.State, remote.Bucket, []Finding) {
	var out []Finding
	var state release.State
	err := t.BucketErr
	if t.Record != nil && err == nil {
		state, err = t.Record.Read(ctx)
	}
	out = append(out, t.keys(ctx, err)...)
	if err != nil {
		return state, remote.Bucket{}, about("bucket", append(out, unreadable(err))...)
	}
	out = append(out, record(state), conditions(t.Record.Probe(ctx)))
	out = append(out, underWay(state)...)
	bucket, access := t.access(ctx)
	return state, bucket, about("bucket", append(out, access...)...)
}

// about names what findings are about.
func about(what string, findings ...Finding) []Finding {
	for i := range findings {
		findings[i].About = what
	}
	return findings
}

// Worst is the worst level among findings. What is not known is not bad.
func Worst(findings []Finding) Level {
	worst := Good
	for _, f := range findings {
		if f.Level == Problem || f.Level == Warning && worst == Good {
			worst = f.Level
		}
	}
	return worst
}

// Mend joins what mends the findings about one distribution.
func Mend(findings []Finding, distribution string) remote.Change {
	var all remote.Change
	for _, f := range findings {
		if f.About != "distribution "+distribution {
			continue
		}
		if f.Mend.RootObject != "" {
			all.RootObject = f.Mend.RootObject
		}
		all.Compress = append(all.Compress, f.Mend.Compress...)
		for _, page := range f.Mend.Errors {
			all.Errors = withError(all.Errors, page)
		}
	}
	return all
}

// withError has one entry for each status: of two, the one that shows a page.
func withError(all []remote.ErrorPage, page remote.ErrorPage) []remote.ErrorPage {
	for i, p := range all {
		if p.Status == page.Status {
			if p.Page == "" {
				all[i] = page
			}
			return all
		}
	}
	return append(all, page)
}

func good(check, format string, args ...any) Finding {
	return Finding{Check: check, Level: Good, What: fmt.Sprintf(format, args...)}
}

func broken(check, what, why string, err error) Finding {
	return Finding{Check: check, Level: Problem, What: fmt.Sprintf("%s: %v", what, err), Why: why, Err: err}
}
