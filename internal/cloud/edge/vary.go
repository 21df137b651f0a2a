package edge

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// maxVary is how many request headers may select a response; one that names more is not stored.
const maxVary = 32

// varyNames reads Vary: the request headers that select a response, canonical, sorted, each once. Star says that nothing can select it.
// RFC 9110 12.5.5; a "*" anywhere in the list counts
func varyNames(values []string) (names []string, star bool) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = trimBlanks(name); name == "*" {
				return nil, true
			} else if name != "" {
				names = append(names, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names, len(names) > maxVary
}

// secondary is the variant part of a request's cache key where the headers in names select the response.
// RFC 9111 4.1
func secondary(names []string, rq *request) string {
	if len(names) == 0 {
		return ""
	}
	var v strings.Builder
	for _, name := range names {
		v.WriteString(name)
		if values := rq.values(name); len(values) > 0 {
			v.WriteString(": " + normalValue(name, values))
		}
		v.WriteByte('\n')
	}
	return v.String()
}

// normalValue brings a header's values into one spelling that means the same: lines combined, without blanks around commas;
// language ranges and codings in lower case too, and in order, because there quality ranks and position does not.
// RFC 9111 4.1; RFC 9110 12.5.2 to 12.5.4
func normalValue(name string, values []string) string {
	var parts []string
	for _, value := range values {
		for value != "" {
			var part string
			part, value = cutDirective(value)
			if part = trimBlanks(part); part != "" {
				parts = append(parts, part)
			}
		}
	}
	all := strings.Join(parts, ",")
	switch name {
	case "Accept-Language", "Accept-Encoding", "Accept-Charset":
		if !strings.Contains(all, `"`) { // no valid value has quotes
			parts = strings.Split(strings.ToLower(strings.NewReplacer(" ", "", "\t", "").Replace(all)), ",")
			slices.Sort(parts)
			all = strings.Join(parts, ",")
		}
	}
	return all
}

// variants is the store's note, beside the objects of a URI, of which request headers select among them.
// It is an object like others, so that the budget and invalidations of its URI reach it; tags do not, for it holds nothing of any response.
const variants = "\x00vary"

// variantKey is the key under which the store would have the answer to rq.
func (e *Edge) variantKey(uri string, rq *request) cacheKey {
	return cacheKey{uri: uri, variant: secondary(e.selecting(uri), rq)}
}

// selecting returns the names of the request headers that are known to select among the responses of a URI; nil for none.
func (e *Edge) selecting(uri string) []string {
	if note := e.store.get(cacheKey{uri: uri, variant: variants}); note != nil {
		return note.selecting
	}
	return nil
}

// learn notes which request headers select the responses of f's URI, now that one has come, and returns the key to store it under.
// A response without Vary selects itself for every request; otherwise what was known before stays, so that one request has one key.
func (e *Edge) learn(f *flight) cacheKey {
	uri, names := f.target.key.uri, f.head.verdict.vary
	known := e.selecting(uri)
	if len(names) > 0 {
		names = union(known, names)
	}
	if len(names) > maxVary {
		names = f.head.verdict.vary
	}
	if !slices.Equal(names, known) {
		note := cacheKey{uri: uri, variant: variants}
		e.store.put(&object{key: note, fill: f.number, stamp: f.stamp, selecting: append([]string{}, names...), header: http.Header{}})
	}
	return cacheKey{uri: uri, variant: secondary(names, f.viewer)}
}

// union merges two sorted lists of names.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// selects says whether the response of f, which is ready, is the one that rq selects.
func (f *flight) selects(rq *request) bool {
	names := f.head.verdict.vary
	confirmed := f.kind != fetched && f.former == nil // a prior object was found under the variant's own key
	return confirmed || len(names) == 0 || secondary(names, rq) == secondary(names, f.viewer)
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }
