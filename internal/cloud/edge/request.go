package edge

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// request is a viewer's request as the engine sees it, whatever server received it.
type request struct {
	method string
	path   string // raw, starting with "/"
	query  string // raw, without "?"
	header http.Header
	host   string
	remote string // viewer's address without port
	body   io.Reader
	length int64 // of body; -1 unknown
	http10 bool
	tls    bool
	id     string         // X-Amz-Cf-Id
	wants  *demands       // what it asks of the cache; nil for nothing
	begin  purge.Sequence // newest invalidation when the request began: what it must not miss
	start  time.Time
	early  func(status int, h http.Header) // passes an interim response on; nil if the viewer cannot take one

	fenced bool   // it began without a valid lease: see fence.go
	after  uint64 // with fenced: the newest flight when the request began

	dist *distribution // the configuration by which it is answered

	borrowed bool // path and query are valid only until the request is answered
}

// values returns the request's values of a canonical header name; Host counts as one.
func (rq *request) values(name string) []string {
	if name == "Host" {
		return []string{rq.host}
	}
	return rq.header[name]
}

// hasBody says whether the request carries a body.
func (rq *request) hasBody() bool {
	return rq.length != 0
}

// Result is how a request was answered.
type Result int

// Results, the values of X-Cache.
// spec: cloudfront 6
const (
	Miss       Result = iota // fetched from the origin
	Hit                      // served from the cache, or shared with a request that was fetching
	RefreshHit               // an expired object, confirmed by the origin or standing in for it; or an invalidated one that the origin has proved
	Error                    // a status of 400 or more, from origin, edge or cache, also where an error page replaced it
	Redirect                 // from HTTP to HTTPS
)

var xCache = [...][]string{
	Miss:       {"Miss from cloudfront"},
	Hit:        {"Hit from cloudfront"},
	RefreshHit: {"RefreshHit from cloudfront"},
	Error:      {"Error from cloudfront"},
	Redirect:   {"Redirect from cloudfront"},
}

// String returns the value of X-Cache.
func (r Result) String() string {
	return xCache[r][0]
}

// answer is what the engine has decided to serve. The server turns it into a status, headers and bytes.
type answer struct {
	status int
	header http.Header // shared with the cache: read only
	whole  []byte      // the body, if source is nil
	source source      // the body, arriving
	length int64       // of the body; -1 unknown
	result Result
	age    time.Duration // never: no Age header
	trail  trail         // for rule sets that tell it
	made   bool          // the edge's own page
	close  bool          // close the viewer's connection
	uri    string        // of the cache key; "" before there was one
	done   func(satisfied bool)

	policy *ResponseHeaders // what the behaviour does to the header on its way to the viewer; nil for nothing
}

// release gives back what the answer holds. Satisfied says that the viewer got what it asked for.
func (a *answer) release(satisfied bool) {
	if a.done != nil {
		a.done(satisfied)
	}
}

// skip takes the rest of the body without serving it, so that the error is in the cache before its page is shown.
func (a *answer) skip(ctx context.Context) {
	if _, shared := a.source.(*bodyReader); shared {
		for {
			if _, err := a.source.next(ctx); err != nil {
				break
			}
		}
	}
	a.release(ctx.Err() == nil)
}

// liveSource reads a body straight from the origin.
type liveSource struct {
	r   io.Reader
	buf []byte
}

var _ source = (*liveSource)(nil)

func (s *liveSource) next(context.Context) ([]byte, error) {
	if s.buf == nil {
		s.buf = make([]byte, 32<<10)
	}
	for {
		n, err := s.r.Read(s.buf)
		if n > 0 {
			return s.buf[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *liveSource) ready() bool { return false }
