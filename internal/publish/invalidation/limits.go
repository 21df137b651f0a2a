package invalidation

import (
	"fmt"
	"slices"
)

// Limits are what a CDN takes at once. They are a value, because CloudFront
// changed them in 2026 and other services have none.
type Limits struct {
	Name string
	// PathsPerSecond and WildcardsPerSecond bound the rate of submitting; 0
	// means no bound. Tags count as paths.
	PathsPerSecond, WildcardsPerSecond int
	// Paths and Wildcards bound what may be in progress at once; 0 means no
	// bound.
	Paths, Wildcards int
	// Patience is how many wildcards a plan uses at most where it has a choice:
	// each costs a second of submitting.
	Patience int
}

// The limits by name: cloudfront as documented in 2026, cloudfront-legacy as
// until April 2026 (fact sheet 1.3, read 2026-11), and none.
func limitsByName() []Limits {
	return []Limits{
		{Name: "cloudfront", PathsPerSecond: 150, WildcardsPerSecond: 1, Patience: 15},
		{Name: "cloudfront-legacy", Paths: 3000, Wildcards: 15, Patience: 15},
		{Name: "none"},
	}
}

// LimitsNamed finds limits by name.
func LimitsNamed(name string) (Limits, error) {
	all := limitsByName()
	i := slices.IndexFunc(all, func(l Limits) bool { return l.Name == name })
	if i < 0 {
		return Limits{}, fmt.Errorf("there are no limits %q; there are cloudfront, cloudfront-legacy and none", name)
	}
	return all[i], nil
}

// maxRequest is how many paths one request carries at most. CloudFront states
// no maximum today; 3,000 was implied by its earlier limits (fact sheet 1.3).
const maxRequest = 3000

// Request is a part of the items that is sent at once.
type Request struct {
	Items []string
	// Wait is how many seconds must pass before the next one is sent.
	Wait float64
	// Drain says that everything sent before must be completed first.
	Drain bool
}

// Requests splits items, in their order, into requests that keep to the limits.
func (l Limits) Requests(items []string) []Request {
	var out []Request
	var now Request
	paths, wildcards, inProgress, wildInProgress := 0, 0, 0, 0
	flush := func() {
		if len(now.Items) > 0 {
			now.Wait = max(rate(paths, l.PathsPerSecond), rate(wildcards, l.WildcardsPerSecond))
			out = append(out, now)
		}
		now, paths, wildcards = Request{}, 0, 0
	}
	for _, item := range items {
		wild := 0
		if Path(item).IsWildcard() {
			wild = 1
		}
		over := l.Paths > 0 && inProgress+1 > l.Paths || l.Wildcards > 0 && wildInProgress+wild > l.Wildcards
		if over || len(now.Items) == maxRequest || exceeds(paths+1, l.PathsPerSecond) || exceeds(wildcards+wild, l.WildcardsPerSecond) {
			flush()
		}
		if over {
			now.Drain = true
			inProgress, wildInProgress = 0, 0
		}
		now.Items = append(now.Items, item)
		paths, wildcards, inProgress, wildInProgress = paths+1, wildcards+wild, inProgress+1, wildInProgress+wild
	}
	flush()
	return out
}

func exceeds(n, perSecond int) bool { return perSecond > 0 && n > perSecond }

func rate(n, perSecond int) float64 {
	if perSecond == 0 {
		return 0
	}
	return float64(n) / float64(perSecond)
}

// Seconds is how long submitting items takes, without what the service itself
// needs.
func (l Limits) Seconds(items []string) float64 {
	requests := l.Requests(items)
	total := 0.0
	for i, r := range requests {
		if i < len(requests)-1 {
			total += r.Wait
		}
		if r.Drain {
			total += completionSeconds
		}
	}
	return total
}

// completionSeconds is how long an invalidation takes at P95, status included;
// AWS, "invalidation by cache tag", 29 April 2026 (fact sheet 1.5).
const completionSeconds = 25
