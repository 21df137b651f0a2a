// Package report draws a plan as one HTML page that needs nothing but a
// browser: `freshet plan --html report.html`.
//
// The page says in one sentence what a deploy does, shows the site as a map
// (a squarified treemap: Bruls, Huizing, van Wijk, "Squarified Treemaps",
// 2000) in which everything that changes or is dropped is marked, and explains
// each path that is invalidated, what it costs, and what "/*" would have cost.
//
// It promises that the page loads nothing from anywhere and runs only its own
// script (a Content-Security-Policy with hashes says so to the browser), that
// no name of an object can become markup or hide its direction, that the same
// Data makes the same bytes, and that the file stays about a megabyte at
// most, however large the site: what would be too small to see is drawn as one tile
// ("412 more files"), and long lists are cut with a count of the rest. All but
// zooming and highlighting works without JavaScript.
//
// It decides nothing: counts, prices and reasons arrive as values. It leaves
// out what one cannot see: a map has no tile for each object of a large site,
// and a tag is highlighted only where Covers lists its URLs.
package report

import (
	"fmt"
	"io"
	"time"
)

// Data is a plan as the page shows it. All text is shown as it is; none of it
// is trusted.
type Data struct {
	Target string    // "production"
	Bucket string    // "s3://bucket/prefix"
	Made   time.Time // when the plan was made, shown in its own location; zero hides it

	Release string // the release that the plan makes
	Base    string // the release that is live; "" before the first

	// Summary is the line of counts below the plan's text form: "3 uploads
	// (31.3 KB) · 1 removal now"; "" hides it.
	Summary string

	Steps         []Step         // in the order in which they are done
	Distributions []Distribution // none: nothing is invalidated
	Money         Money
	Objects       []Object // every object that is live before or after, in any order
	Warnings      []string
	Guards        []string // the reasons why the plan is not carried out unasked
}

// Op is what a step does to an object.
type Op string

// The operations, named as in the JSON form of a plan.
const (
	OpAdd     Op = "add"
	OpUpdate  Op = "update"
	OpHeaders Op = "headers" // the same bytes under other headers
	OpRemove  Op = "remove"
	OpRetire  Op = "retire" // no longer used, kept for now
)

// Step is one operation with its reason.
type Step struct {
	Op   Op
	Key  string
	Size int64 // bytes
	Why  string
}

// Distribution is what happens in front of the bucket at one distribution.
type Distribution struct {
	ID     string // "EW7T5A29H3R3J"
	Domain string // "d111111abcdef8.cloudfront.net"; "" hides it
	// Root is what the distribution's origin path adds in front of its URLs to
	// make a key: "blog/"; "" for the whole bucket. Only highlighting needs it.
	Root  string
	Items []Item

	Drops      int   // untouched objects that all items drop together
	DropsBytes int64 // their size

	EverythingObjects int   // untouched objects that "/*" would drop
	EverythingBytes   int64 // their size

	Optimal string  // a sentence: why these items are the best for the policy; "" hides it
	Seconds float64 // how long it takes to submit the items under the rate limits
	Policy  string  // "exact", "balanced", "frugal"; "" hides it
}

// Item is one path, wildcard or tag that is invalidated.
type Item struct {
	Path       string   // "/posts/a/", "/posts/2026/*", "#tag"
	Why        string   // why it is sent, for people
	Covers     []string // changed URLs that it covers; may stop early
	CoverCount int      // how many changed URLs it covers
	Drops      int      // untouched objects that it drops
	DropsBytes int64
}

// Money is what the invalidation costs.
type Money struct {
	Paths  int     // paths that this plan sends, over all distributions
	Used   int     // paths used this month before it
	Budget int     // paths allowed in a month; 0 means no limit
	Price  float64 // US dollars
	Text   string  // the same for people: "free (412 of 1,000 used this month)"
}

// Mark is what a plan means for an object.
type Mark string

// The marks. Any other is drawn as MarkNone.
const (
	MarkNone    Mark = ""
	MarkAdded   Mark = "added"
	MarkUpdated Mark = "updated"
	MarkHeaders Mark = "headers"
	MarkRemoved Mark = "removed"
	MarkRetired Mark = "retired"
	MarkDropped Mark = "dropped" // unchanged, yet an item throws it out of the caches
	MarkForeign Mark = "foreign" // not published by freshet, left alone
)

// Object is one object of the bucket.
type Object struct {
	Key  string
	Size int64 // bytes; negative counts as 0
	Mark Mark
}

// Write writes the page. It leaves d as it is; its only errors are those of w.
func Write(w io.Writer, d Data) error {
	if err := page().Execute(w, newView(d)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
