package edge

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// RuleSet names the rules that an edge follows.
type RuleSet int

// Rule sets.
const (
	CloudFront RuleSet = iota // cache policies, TTLs and error caching as CloudFront has them
	RFC9111                   // a plain shared HTTP cache: RFC 9111 with RFC 5861, 9211 and 9213; cache policies and allowed methods have no effect
)

// ErrRuleSet is the cause of an error about a rule set that does not exist.
var ErrRuleSet = errors.New("unknown rule set")

// String returns the name that ParseRuleSet takes.
func (s RuleSet) String() string {
	if s == RFC9111 {
		return "rfc9111"
	}
	return "cloudfront"
}

// ParseRuleSet reads "cloudfront" or "rfc9111". The error wraps ErrRuleSet.
func ParseRuleSet(name string) (RuleSet, error) {
	for _, s := range []RuleSet{CloudFront, RFC9111} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("read rule set %q (there are cloudfront and rfc9111): %w", name, ErrRuleSet)
}

// rules are what the engine asks wherever the rule sets differ: data, and pure functions from values to values.
type rules struct {
	judge   func(response, terms) verdict                                       // what becomes of a response
	forward func(*request, *target) http.Header                                 // headers of every origin request
	show    func(*http.Response, *behavior, time.Time) http.Header              // headers for viewers and for the store
	sign    func(http.Header, *distribution, *Options, *request, *answer)       // adds the edge's own headers
	demands func(http.Header) *demands                                          // what a request asks of the cache; nil: requests have no say
	update  func(stored, confirmed http.Header) (merged http.Header, sure bool) // headers after a 304; nil: a 304 changes none
	policy  *CachePolicy                                                        // in place of the behaviours' own; nil for theirs

	open       bool // a behaviour without AllowedMethods takes every method and body
	vary       bool // responses select their variant by Vary
	writes     bool // unsafe methods invalidate what they write to
	through    bool // HEAD and ranges that the store cannot answer go to the origin as they are
	storedAge  bool // everything from the store carries an Age
	dateCounts bool // If-Modified-Since is compared with Date where there is no Last-Modified
	noRecoding bool // Cache-Control: no-transform keeps a body from being compressed
	interim    bool // 1xx responses of origins are passed on
}

// validators is the header that conditions are compared with.
// RFC 9111 4.3.2, Date in place of a missing Last-Modified
func (r *rules) validators(h http.Header) http.Header {
	if !r.dateCounts || h["Last-Modified"] != nil {
		return h
	}
	return http.Header{"Etag": h["Etag"], "Last-Modified": h["Date"]}
}

// rules returns the rules of the set.
func (s RuleSet) rules() *rules {
	if s == RFC9111 {
		return &rules{
			judge: judgeRFC9111, forward: forwardedRFC9111, show: shownRFC9111, sign: signRFC9111,
			demands: parseDemands, update: mergeHeaders,
			policy: &CachePolicy{MaxTTL: maxSeconds * time.Second, Query: Selection{Mode: SelectAll}},
			open:   true, vary: true, writes: true, through: true, storedAge: true, dateCounts: true, noRecoding: true, interim: true,
		}
	}
	return &rules{judge: judgeCloudFront, forward: forwarded, show: viewerHeader, sign: signCloudFront}
}
