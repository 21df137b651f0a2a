package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// query is a search for cached objects: words that the path has to contain, and conditions, all of which must hold.
//
//	blog .css          words, in any case, as the path stands or as people read it; "in quotes" with spaces
//	tag:page           a cache tag
//	type:image         the beginning of the content type
//	status:404, 4xx    the status
//	size>10KB hits<3   also size<, hits>
//	age>1h ttl<5m      also age<, ttl>: since it was stored or last confirmed, until it expires; s, m, h or d
//	is:expired         its time is over; is:fresh
type query struct {
	words []string // in lower case
	tests []func(*edge.ObjectInfo) bool
}

// parseQuery reads what somebody typed, at a given time. What is no condition is a word. The error, for a condition that cannot be meant, wraps errAsked.
func parseQuery(text string, now time.Time) (query, error) {
	var q query
	for _, term := range terms(text) {
		name, operator, value := cutTerm(term)
		if name == "" {
			q.words = append(q.words, strings.ToLower(strings.Trim(term, `"`)))
			continue
		}
		test, err := condition(name, operator, value, now)
		if err != nil {
			return query{}, err
		}
		q.tests = append(q.tests, test)
	}
	return q, nil
}

// terms cuts text at spaces outside of quotes.
func terms(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	})
}

// operators by the names that they go with.
var operators = map[string]string{"tag": ":", "type": ":", "status": ":", "is": ":", "size": "<>", "hits": "<>", "age": "<>", "ttl": "<>"}

// cutTerm cuts a condition at its operator; without a name that is known it is a word.
func cutTerm(term string) (name string, operator byte, value string) {
	i := strings.IndexAny(term, ":<>")
	if i < 0 || strings.IndexByte(operators[strings.ToLower(term[:i])], term[i]) < 0 {
		return "", 0, ""
	}
	return strings.ToLower(term[:i]), term[i], strings.Trim(term[i+1:], `"`)
}

func condition(name string, operator byte, value string, now time.Time) (func(*edge.ObjectInfo) bool, error) {
	value = strings.ToLower(value)
	switch name {
	case "tag":
		return func(o *edge.ObjectInfo) bool { return slices.Contains(o.Tags, value) }, nil
	case "type":
		return func(o *edge.ObjectInfo) bool { return strings.HasPrefix(strings.ToLower(o.Type), value) }, nil
	case "status":
		return statusIs(value)
	case "is":
		return isState(value, now)
	}
	measure, bound, err := quantity(name, value, now)
	if err != nil {
		return nil, err
	}
	if operator == '<' {
		return func(o *edge.ObjectInfo) bool { return measure(o) < bound }, nil
	}
	return func(o *edge.ObjectInfo) bool { return measure(o) > bound }, nil
}

func statusIs(value string) (func(*edge.ObjectInfo) bool, error) {
	if class, ok := strings.CutSuffix(value, "xx"); ok && len(class) == 1 && "1" <= class && class <= "5" {
		return func(o *edge.ObjectInfo) bool { return o.Status/100 == int(class[0]-'0') }, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 100 || n > 999 {
		return nil, asked("status:%s: give a number or a class, such as status:404 or status:4xx", value)
	}
	return func(o *edge.ObjectInfo) bool { return o.Status == n }, nil
}

func isState(value string, now time.Time) (func(*edge.ObjectInfo) bool, error) {
	if value != "expired" && value != "fresh" {
		return nil, asked("is:%s: give is:fresh or is:expired", value)
	}
	return func(o *edge.ObjectInfo) bool { return o.Expires.After(now) == (value == "fresh") }, nil
}

// quantity is what a condition compares, and with what.
func quantity(name, value string, now time.Time) (measure func(*edge.ObjectInfo) int64, bound int64, err error) {
	ok := true
	switch name {
	case "size":
		measure = func(o *edge.ObjectInfo) int64 { return int64(o.Size) }
		bound, ok = parseAmount(value, map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30})
	case "hits":
		measure = func(o *edge.ObjectInfo) int64 { return o.Hits }
		bound, ok = parseAmount(value, map[string]float64{"": 1})
	default:
		measure = func(o *edge.ObjectInfo) int64 { return int64(now.Sub(o.Stored)) }
		if name == "ttl" {
			measure = func(o *edge.ObjectInfo) int64 { return int64(o.Expires.Sub(now)) }
		}
		bound, ok = parseAmount(value, map[string]float64{"": 1e9, "s": 1e9, "m": 60e9, "min": 60e9, "h": 3600e9, "d": 86400e9})
	}
	if !ok {
		return nil, 0, asked("%s: %q is none; write size>10KB, hits>3, age<5m or ttl<1h", name, value)
	}
	return measure, bound, nil
}

// parseAmount reads a number with a unit.
func parseAmount(text string, units map[string]float64) (int64, bool) {
	at := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if at < 0 {
		at = len(text)
	}
	n, err := strconv.ParseFloat(text[:at], 64)
	unit, known := units[text[at:]]
	if err != nil || !known || n*unit > 1<<62 {
		return 0, false
	}
	return int64(n * unit), true
}

// wants says whether a path has all words in it.
func (q *query) wants(uri string) bool {
	for _, word := range q.words {
		if !contains(uri, word) {
			return false
		}
	}
	return true
}

// takes says whether all conditions hold.
func (q *query) takes(o *edge.ObjectInfo) bool {
	for _, test := range q.tests {
		if !test(o) {
			return false
		}
	}
	return true
}

// contains looks for a word in lower case, in a URI as it stands or without its percent escapes. Most URIs are in lower case already, and have none.
func contains(uri, word string) bool {
	if strings.Contains(uri, word) {
		return true
	}
	upper, escaped := false, false
	for i := range len(uri) {
		c := uri[i]
		upper = upper || 'A' <= c && c <= 'Z' || c >= 0x80
		escaped = escaped || c == '%'
	}
	if upper && strings.Contains(strings.ToLower(uri), word) {
		return true
	}
	return escaped && strings.Contains(strings.ToLower(readable(uri)), word)
}

// readable is uri without its percent escapes, or uri itself if one is broken.
func readable(uri string) string {
	if plain, err := url.PathUnescape(uri); err == nil {
		return plain
	}
	return uri
}
