// Package ledger counts the invalidation paths that an AWS account has used in
// a calendar month: the first 1,000 are free, pooled over all distributions,
// and then every path and tag of every accepted batch is billed (fact sheet
// 1.4).
//
// It promises that what CloudFront's own list tells is counted exactly once,
// whoever sent it, and that each invalidation is asked for once ever: what it
// holds never changes, so the number is remembered in a cache file. Where a
// right is missing or CloudFront throttles, the count is what could be read and
// says what is missing; it never claims to be whole then. A cache file that is
// damaged, of another version or not writable costs requests and nothing else,
// and several processes may share one.
//
// It leaves out what no list tells: invalidations of distributions that have
// been deleted since, of distribution tenants, and of other accounts on the
// same bill. Months are those of UTC; CloudFront does not say which time zone
// its bill goes by. A flat-rate plan may bill otherwise. Prices and budgets are
// for others to apply.
//
// It follows the fact sheet, sections 1.4, 1.5 and 1.7.
package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

// Usage is what has been used of a month.
type Usage struct {
	Used  int       // paths and tags; at least so many where Whole is false
	Month time.Time // its first instant, UTC
	Whole bool      // everything that CloudFront lists was counted
	// Note says why the count is not whole, for people, without a full stop:
	// "cloudfront:ListDistributions is denied, so only E1 is counted"; "" where it
	// is whole.
	Note string
}

// Count adds up the month of now, which is the caller's clock. It counts all
// distributions of the account, and those of own in any case: ids that are
// known without a list; empty and repeated ones are ignored. cacheFile is where
// numbers are remembered, "" for nowhere; its folder is made if need be. What
// was learned is kept there even when Count fails.
//
// Missing rights, throttling, unreachable services and distributions that are
// gone make the count not whole. The end of ctx, missing or wrong credentials
// and answers that cannot be understood are errors.
func Count(ctx context.Context, cdn remote.CDN, own []string, now time.Time, cacheFile string) (Usage, error) {
	now = now.UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	known, _ := load(cacheFile, month)
	c := &count{cdn: cdn, month: month, known: known}
	err := c.run(ctx, own)
	save(cacheFile, month, c.known)
	if err != nil {
		return Usage{}, fmt.Errorf("count the invalidation paths of %s: %w", month.Format("January 2006"), err)
	}
	return Usage{Used: c.used(), Month: month, Whole: len(c.notes) == 0, Note: strings.Join(c.notes, "; ")}, nil
}
