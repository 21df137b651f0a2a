package remote

import (
	"context"

	"github.com/freshet/freshet/internal/site"
)

// Answer is what a viewer got from the edge.
type Answer struct {
	Status       int
	ContentType  string
	CacheControl string
	Cache        string      // the X-Cache header, "" where there is none
	Digest       site.Digest // of the body
	// Plain says that it was asked for without TLS, of a site that viewers ask
	// with it.
	Plain bool
}

// Viewer asks a site for its URLs as a browser does. It is safe for concurrent
// use.
type Viewer interface {
	// Ask gets one URL, without following redirects. An error means that there
	// was no whole answer; every status is an answer. ErrUnreachable where no
	// connection can be made.
	Ask(ctx context.Context, path site.URLPath) (Answer, error)

	// String is the base URL of the site.
	String() string
}
