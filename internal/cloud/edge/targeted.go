package edge

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

// capability is how the edge announces itself to origins that speak Surrogate-Control.
// W3C Note "Edge Architecture Specification" 1.0, 2.2
const (
	capability = surrogate + `="Surrogate/1.0"`
	surrogate  = "freshet"
)

// responsePolicy returns the directives that govern a response: those of the first field of the edge's target list that is valid and not empty,
// or else Cache-Control. Targeted says that Cache-Control and Expires have no say.
// RFC 9213 2.2; the list is CDN-Cache-Control, Surrogate-Control.
func responsePolicy(h http.Header) (cc cacheControl, targeted bool) {
	if values := h["Cdn-Cache-Control"]; len(values) > 0 {
		if cc, ok := parseTargeted(values); ok {
			return cc, true
		}
	}
	if values := h["Surrogate-Control"]; len(values) > 0 {
		if cc, ok := parseSurrogate(values); ok {
			return cc, true
		}
	}
	return parseCacheControl(h["Cache-Control"]), false
}

// secondsDirectives are the directives whose value is a number of seconds.
var secondsDirectives = []string{"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"}

// parseTargeted reads a targeted field, a dictionary of structured fields. Parameters of directives are ignored, as are unknown directives.
// Not ok means empty or no dictionary, or a number of seconds that is no integer: then the field counts as absent.
// RFC 9213 2.1
func parseTargeted(values []string) (cacheControl, bool) {
	dictionary, err := httpsfv.UnmarshalDictionary(values)
	if err != nil || len(dictionary.Names()) == 0 {
		return cacheControl{}, false
	}
	cc := parseCacheControl(nil)
	for _, name := range dictionary.Names() {
		member, _ := dictionary.Get(name)
		directive, ok := plainDirective(name, member)
		if !ok {
			return cacheControl{}, false
		}
		cc.take(directive)
	}
	cc.present = true
	return cc, true
}

// plainDirective spells a dictionary's member as Cache-Control would.
func plainDirective(name string, member httpsfv.Member) (directive string, ok bool) {
	var value any
	if item, isItem := member.(httpsfv.Item); isItem {
		value = item.Value
	}
	n, isNumber := value.(int64)
	if contains(secondsDirectives, name) {
		return name + "=" + strconv.FormatInt(n, 10), isNumber
	}
	if fields, isString := value.(string); isString {
		return name + `="` + fields + `"`, true
	}
	return name, true
}

// parseSurrogate reads Surrogate-Control: no-store and max-age, for this edge or for every one. "max-age=60+10" counts as max-age=60.
// Not ok means that it has neither.
// W3C Note "Edge Architecture Specification" 1.0, 2.3; a directive for this edge beats one for all
func parseSurrogate(values []string) (cacheControl, bool) {
	all, own := parseCacheControl(nil), parseCacheControl(nil)
	for _, value := range values {
		for value != "" {
			var directive string
			directive, value = cutDirective(value)
			directive, target, targeted := strings.Cut(directive, ";")
			directive, _, _ = strings.Cut(directive, "+")
			switch {
			case !targeted:
				all.take(directive)
			case strings.TrimSpace(target) == surrogate:
				own.take(directive)
			}
		}
	}
	for _, cc := range []cacheControl{own, all} {
		if cc.noStore || cc.maxAge != never {
			return cacheControl{present: true, noStore: cc.noStore, maxAge: cc.maxAge, sMaxAge: never, staleIfError: never}, true
		}
	}
	return cacheControl{}, false
}
