// Package wire is the proxy that stands between a publisher under test and the services that it talks to: it counts
// requests by kind and bytes each way, delays every request, and says how many of them had to follow one another.
//
// It promises to pass on what it gets: Host, path, header and body stay as they were, so that signatures hold. It leaves out TLS, HTTP/2,
// and the time that opening a connection takes: only requests are delayed.
package wire

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Counts is what has passed.
type Counts struct {
	Kinds    map[string]int64 `json:"kinds"`    // requests by kind; see Kind
	Failures map[string]int64 `json:"failures"` // answers of 400 and more, by kind and status
	Sent     int64            `json:"sent"`     // bytes of request bodies
	Received int64            `json:"received"` // bytes of answers' bodies
	Widest   int              `json:"widest"`   // the most requests that were under way at once
	// Chain is the length of the longest chain of requests of which each began after the one before it had ended:
	// how often the network's latency was paid.
	Chain int `json:"chain"`
}

// Requests is how many there were of all kinds.
func (c Counts) Requests() (n int64) {
	for _, k := range c.Kinds {
		n += k
	}
	return n
}

// counter is Counts in the making.
type counter struct {
	// mu guards what follows; it is held for a few additions.
	mu       sync.Mutex
	counts   Counts
	underWay int
	ended    int // length of the longest chain that has ended
	latency  time.Duration
}

func (c *counter) reset(latency time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = Counts{Kinds: map[string]int64{}, Failures: map[string]int64{}}
	c.ended, c.latency = 0, latency
}

func (c *counter) read() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.counts
	out.Kinds, out.Failures = maps.Clone(out.Kinds), maps.Clone(out.Failures)
	return out
}

// begin counts a request and returns its place in the longest chain that it belongs to, and how long it is to wait.
func (c *counter) begin(kind string) (place int, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Kinds[kind]++
	c.underWay++
	c.counts.Widest = max(c.counts.Widest, c.underWay)
	return c.ended + 1, c.latency
}

// end counts what the request of that place moved; status is 0 where no answer came.
func (c *counter) end(kind string, place, status int, sent, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay--
	c.ended = max(c.ended, place)
	c.counts.Chain = c.ended
	c.counts.Sent += sent
	c.counts.Received += received
	if status == 0 || status >= http.StatusBadRequest {
		c.counts.Failures[strings.TrimSpace(kind+" "+http.StatusText(status))]++
	}
}

// versioned begins the path of every request to the CloudFront API.
var versioned = regexp.MustCompile(`^/20\d\d-\d\d-\d\d/`)

// isControl says whether a request is for CloudFront's API, by its path.
func isControl(path string) bool { return versioned.MatchString(path) }

// Kind names what a request does: LIST, PUT, COPY, GET, HEAD, DELETE, PART (of a large object), UPLOAD (begin or end of one in parts),
// DELETES (of many objects at once), BUCKET (anything about a bucket), and CF with its method for CloudFront's API.
func Kind(method, path string, query url.Values, copies bool) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case isControl(path):
		return "CF " + method
	case method == http.MethodPost && query.Has("delete"):
		return "DELETES"
	case key == "" && method == http.MethodGet && !subresource(query):
		return "LIST"
	case key == "":
		return "BUCKET"
	case query.Has("partNumber") && method == http.MethodPut:
		return "PART"
	case query.Has("uploads"), query.Has("uploadId"):
		return "UPLOAD"
	case method == http.MethodPut && copies:
		return "COPY"
	}
	return method
}

// subresource says whether a GET of a bucket is for something else than its listing.
func subresource(query url.Values) bool {
	for _, name := range []string{"location", "acl", "versioning", "policy", "lifecycle", "object-lock", "uploads"} {
		if query.Has(name) {
			return true
		}
	}
	return false
}
