package control

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Limits are how many invalidations CloudFront takes. 0 is no limit; the zero value has none.
// spec: cloudfront 1.3, which has both the present and the former quotas.
type Limits struct {
	// PathsPerSecond counts paths and tags, WildcardsPerSecond paths with a trailing star, over all distributions:
	// their scope is not published. A batch that has more than one second's worth is refused with BatchTooLarge,
	// one that comes too soon with Throttling.
	PathsPerSecond, WildcardsPerSecond int
	// PathsInProgress and WildcardsInProgress count those not yet Completed of one distribution. One more is refused
	// with TooManyInvalidationsInProgress.
	PathsInProgress, WildcardsInProgress int
}

// CurrentLimits are CloudFront's quotas since 2026: 150 paths or tags, and one wildcard a second.
// CloudFront Developer Guide, "Quotas on invalidations", read 2026-11.
func CurrentLimits() Limits { return Limits{PathsPerSecond: 150, WildcardsPerSecond: 1} }

// LegacyLimits are the quotas until 2026: 3,000 paths and, apart from them, 15 wildcards in progress.
// CloudFront Developer Guide, "Concurrent invalidation request maximum", read 2026-04.
func LegacyLimits() Limits { return Limits{PathsInProgress: 3000, WildcardsInProgress: 15} }

// load is what invalidation items count for.
type load struct{ paths, wildcards int }

// loadOf counts items. A tag is a path, whatever its last character.
func loadOf(items []string) (l load) {
	for _, item := range items {
		if item[0] == '/' && strings.HasSuffix(item, "*") {
			l.wildcards++
		} else {
			l.paths++
		}
	}
	return l
}

// meter is a token bucket: a second's worth of items, refilled evenly.
type meter struct {
	spent float64 // items not yet refilled
	at    time.Time
}

// take spends n of perSecond items, or reports that there are too few; perSecond 0 is no limit.
func (m *meter) take(n, perSecond int, now time.Time) bool {
	if perSecond == 0 || n == 0 {
		return true
	}
	if elapsed := now.Sub(m.at); elapsed > 0 { // a clock that went back refills nothing
		m.spent = max(0, m.spent-elapsed.Seconds()*float64(perSecond))
	}
	m.at = now
	const rounding = 1e-6
	if m.spent+float64(n) > float64(perSecond)+rounding {
		return false
	}
	m.spent += float64(n)
	return true
}

// pace are the meters of a Server. They are used in write transactions only, which come one at a time.
type pace struct{ paths, wildcards meter }

// check takes a new batch into account, or refuses it. What is refused costs nothing.
func (p *pace) check(l Limits, batch load, h history, now time.Time) error {
	if l.PathsPerSecond > 0 && batch.paths > l.PathsPerSecond || l.WildcardsPerSecond > 0 && batch.wildcards > l.WildcardsPerSecond {
		return &apiError{http.StatusRequestEntityTooLarge, "BatchTooLarge", fmt.Sprintf(
			"Invalidation batch specified is too large: %d paths or tags and %d wildcards; %d and %d are allowed a second.",
			batch.paths, batch.wildcards, l.PathsPerSecond, l.WildcardsPerSecond)}
	}
	if err := l.checkProgress(batch, h); err != nil {
		return err
	}
	before := *p
	if p.paths.take(batch.paths, l.PathsPerSecond, now) && p.wildcards.take(batch.wildcards, l.WildcardsPerSecond, now) {
		return nil
	}
	*p = before
	return badRequest("Throttling", "Rate exceeded") // spec: cloudfront 1.6, the observed text
}

// checkProgress counts what is in progress already.
func (l Limits) checkProgress(batch load, h history) error {
	if l.PathsInProgress == 0 && l.WildcardsInProgress == 0 {
		return nil
	}
	all, err := h.pendingLoad()
	if err != nil {
		return err
	}
	if batch.paths > 0 && all.paths+batch.paths > l.PathsInProgress || batch.wildcards > 0 && all.wildcards+batch.wildcards > l.WildcardsInProgress {
		// spec: cloudfront 1.6, the observed text
		return badRequest("TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress invalidations.")
	}
	return nil
}

// pendingLoad counts the items of all invalidations in progress.
func (h history) pendingLoad() (load, error) {
	var all load
	c := h.pending.Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		rec, err := h.bySequence(key)
		if err != nil {
			return load{}, err
		}
		one := loadOf(rec.Items)
		all.paths, all.wildcards = all.paths+one.paths, all.wildcards+one.wildcards
	}
	return all, nil
}
