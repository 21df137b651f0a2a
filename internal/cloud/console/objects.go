package console

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// How many objects are on one page.
const (
	defaultObjects = 100
	maxObjects     = 500
)

// Objects is one page of the cached objects that a search finds.
type Objects struct {
	Time   time.Time     `json:"time"`
	Found  int           `json:"found"`  // all that match
	Before int           `json:"before"` // of them, those on earlier pages
	Items  []ObjectState `json:"items"`
	Next   string        `json:"next"` // ?after= of the next page; "" after the last
}

// ObjectState is one cached object.
type ObjectState struct {
	URI     string    `json:"uri"`     // path and query of the cache key
	Variant string    `json:"variant"` // the rest of the cache key, lines of "Name: value"
	Status  int       `json:"status"`
	Bytes   int       `json:"bytes"` // of the body
	Type    string    `json:"type"`
	ETag    string    `json:"etag"`
	Tags    []string  `json:"tags"`
	Stored  time.Time `json:"stored"` // or last confirmed
	Expires time.Time `json:"expires"`
	Hits    int64     `json:"hits"`
}

func objectState(o *edge.ObjectInfo) ObjectState {
	return ObjectState{
		URI: o.URI, Variant: o.Variant, Status: o.Status, Bytes: o.Size, Type: o.Type, ETag: o.ETag, Tags: append([]string{}, o.Tags...),
		Stored: o.Stored, Expires: o.Expires, Hits: o.Hits,
	}
}

// order is how objects are sorted: by a measure, ascending or not, and then by their keys, so that no two are equal.
type order struct {
	name       string
	measure    func(*edge.ObjectInfo) int64
	descending bool
}

// parseOrder reads a column, with a minus sign before it for descending; "" is the path.
func parseOrder(text string) (order, error) {
	name, descending := strings.CutPrefix(text, "-")
	o := order{name: name, descending: descending}
	switch name {
	case "", "path":
		o.name, o.measure = "path", func(*edge.ObjectInfo) int64 { return 0 }
	case "status":
		o.measure = func(i *edge.ObjectInfo) int64 { return int64(i.Status) }
	case "size":
		o.measure = func(i *edge.ObjectInfo) int64 { return int64(i.Size) }
	case "age":
		o.measure = func(i *edge.ObjectInfo) int64 { return -i.Stored.UnixMicro() }
	case "ttl":
		o.measure = func(i *edge.ObjectInfo) int64 { return i.Expires.UnixMicro() }
	case "hits":
		o.measure = func(i *edge.ObjectInfo) int64 { return i.Hits }
	default:
		return o, asked("objects are sorted by path, status, size, age, ttl or hits, not by %q", name)
	}
	return o, nil
}

// place is where an object stands in an order. It is what ?after= holds.
type place struct {
	Measure int64  `json:"m"`
	URI     string `json:"u"`
	Variant string `json:"v"`
}

func (o order) compare(a, b place) int {
	n := cmp.Or(cmp.Compare(a.Measure, b.Measure), strings.Compare(a.URI, b.URI), strings.Compare(a.Variant, b.Variant))
	if o.descending {
		return -n
	}
	return n
}

func (p place) text() string {
	data, err := json.Marshal(p)
	if err != nil {
		return "" // two strings and a number can always be written
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func parsePlace(text string) (p place, err error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, asked("after is not what an answer gave as next")
	}
	return p, nil
}

// placed is an object on a page.
type placed struct {
	place
	state ObjectState
}

// search walks through the cache once and keeps what is on one page, and a little more while it walks.
type search struct {
	query query
	order order
	after *place // nil on the first page
	limit int

	found, before int
	page          []placed
	last          *place // nothing beyond it is on the page any more
}

// parseSearch reads the parameters of a request.
func parseSearch(v url.Values, now time.Time) (s *search, err error) {
	s = &search{limit: defaultObjects}
	if s.query, err = parseQuery(v.Get("q"), now); err != nil {
		return nil, err
	}
	if s.order, err = parseOrder(v.Get("sort")); err != nil {
		return nil, err
	}
	if text := v.Get("after"); text != "" {
		p, err := parsePlace(text)
		if err != nil {
			return nil, err
		}
		s.after = &p
	}
	if text := v.Get("limit"); text != "" {
		if s.limit, err = strconv.Atoi(text); err != nil || s.limit < 1 || s.limit > maxObjects {
			return nil, asked("limit is a number from 1 to %d", maxObjects)
		}
	}
	return s, nil
}

// run walks. The places of objects that change meanwhile may change too: hits and ages do.
func (s *search) run(ctx context.Context, cache Cache) error {
	err := cache.Inspect(ctx, s.query.wants, func(o *edge.ObjectInfo) bool {
		s.visit(o)
		return true
	})
	s.cut()
	return err
}

func (s *search) visit(o *edge.ObjectInfo) {
	if !s.query.takes(o) {
		return
	}
	s.found++
	at := place{s.order.measure(o), o.URI, o.Variant}
	switch {
	case s.after != nil && s.order.compare(at, *s.after) <= 0:
		s.before++
	case s.last != nil && s.order.compare(at, *s.last) > 0:
	default:
		s.page = append(s.page, placed{at, objectState(o)})
		if len(s.page) >= 4*(s.limit+1) {
			s.cut()
		}
	}
}

// cut sorts the page and keeps what is on it.
func (s *search) cut() {
	slices.SortFunc(s.page, func(a, b placed) int { return s.order.compare(a.place, b.place) })
	if len(s.page) >= s.limit {
		s.page = s.page[:s.limit]
		last := s.page[s.limit-1].place
		s.last = &last
	}
}

func (s *search) result(now time.Time) Objects {
	out := Objects{Time: now, Found: s.found, Before: s.before, Items: []ObjectState{}}
	for _, one := range s.page {
		out.Items = append(out.Items, one.state)
	}
	if n := len(s.page); n > 0 && s.before+n < s.found {
		out.Next = s.page[n-1].text()
	}
	return out
}

func (c *Console) serveObjects(w http.ResponseWriter, r *http.Request) {
	now := c.opts.Now()
	s, err := parseSearch(r.URL.Query(), now)
	if err != nil {
		answer(w, nil, err)
		return
	}
	err = c.walk(r.Context(), func() error { return s.run(r.Context(), c.opts.Cache) })
	answer(w, s.result(now), err)
}
