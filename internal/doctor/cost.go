package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What invalidations cost; fact 1.4.
const (
	freePaths = 1000  // a month, over all distributions of the account
	pathPrice = 0.005 // US dollars for each path beyond
)

// countWithin is how long counting may take. What was counted is remembered, so
// that the next run gets further.
const countWithin = 15 * time.Second

// cost tells what the last whole month's invalidations came to, and how the
// present one stands.
func (t Target) cost(ctx context.Context) []Finding {
	if t.Usage == nil || len(t.Distributions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	now := t.Now.UTC()
	this := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return about("account", t.month(ctx, this.Add(-time.Second)), t.month(ctx, now))
}

func (t Target) month(ctx context.Context, at time.Time) Finding {
	check := "invalidations of " + at.Format("January 2006")
	u, err := t.Usage(ctx, at)
	if err != nil {
		f := Finding{Check: check, Level: Unknown, What: fmt.Sprintf("they could not be counted: %v", err)}
		if errors.Is(err, context.DeadlineExceeded) {
			f.What, f.Next = fmt.Sprintf("they could not be counted within %s", countWithin), "`freshet doctor` counts on from where it stopped"
		}
		return f
	}
	price := float64(max(0, u.Used-freePaths)) * pathPrice
	paths := number(u.Used) + " paths"
	if u.Used == 1 {
		paths = "1 path"
	}
	f := good(check, "%s, free (%s a month are)", paths, number(freePaths))
	if price > 0 {
		f.Level, f.What = Warning, fmt.Sprintf("%s, about $%.2f", paths, price)
		f.Why = fmt.Sprintf("AWS bills $%.3f for each path beyond the first %s of a month, whichever tool sent it", pathPrice, number(freePaths))
		f.Next = "set `invalidation: {policy: frugal}` or a lower `budget:` in freshet.yaml; `freshet history` shows what each release took"
	}
	if !u.Whole {
		f.What += "; at least, since " + u.Note
	}
	return f
}

// number is n with thousands apart.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
