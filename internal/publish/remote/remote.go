// Package remote is the contract between the publisher and the services it
// publishes to: a Store that keeps objects and a CDN that caches them.
//
// Each method says what holds when it returns, whether a repeat is safe, and
// which sentinel comes back. The suite in remotetest checks all of it on every
// implementation. Retries of passing faults are the engine's business
// (package deploy): an implementation reports them with ErrTemporary and does
// not hide a long wait.
//
// Facts about S3 and CloudFront follow the fact sheet, sections 1 and 7.
package remote

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// What an implementation reports, to be asked with errors.Is. An error may be
// several of them at once.
var (
	// ErrNotFound: there is no such object, distribution or invalidation.
	ErrNotFound = errors.New("not found")
	// ErrNoBucket: the bucket itself does not exist (or lies elsewhere).
	ErrNoBucket = errors.New("no such bucket")
	// ErrPrecondition: a conditional write found another state than expected.
	ErrPrecondition = errors.New("precondition failed")
	// ErrDenied: the credentials are valid but lack a right. The error text
	// names the action and the resource.
	ErrDenied = errors.New("access denied")
	// ErrCredentials: there are no credentials, or they are wrong or expired.
	ErrCredentials = errors.New("no valid credentials")
	// ErrExpired: the credentials were good and are no longer. Such an error is
	// ErrCredentials as well.
	ErrExpired = errors.New("the credentials have expired")
	// ErrClock: this machine's clock is too far from the service's.
	ErrClock = errors.New("the clock of this machine is wrong")
	// ErrRegion: the bucket lies in another region. The error text names it. Such
	// an error is ErrNoBucket as well.
	ErrRegion = errors.New("wrong region")
	// ErrTemporary: throttled, overloaded, timed out or cut off; the same call
	// may work later. Whether it took effect is unknown.
	ErrTemporary = errors.New("temporary failure")
	// ErrReferenceReused: the caller reference was used for other items.
	ErrReferenceReused = errors.New("caller reference already used for other paths")
	// ErrContent: the bytes that arrived are not those that were announced.
	ErrContent = errors.New("content does not match its checksum")
	// ErrUnreachable: the viewers' host cannot be found or connected to from here,
	// which says nothing about what it serves to others.
	ErrUnreachable = errors.New("cannot be reached from here")
	// ErrFull: the store has no room for more.
	ErrFull = errors.New("the store is full")
	// ErrUnsupported: the service lacks what freshet needs, for example
	// conditional writes.
	ErrUnsupported = errors.New("not supported by this service")
)

// Condition makes a write depend on what is there. The zero Condition always
// holds.
type Condition struct {
	Absent bool   // the key must not exist
	ETag   string // the object's ETag must be this one, without quotes; "" means any
}

// Info is what a listing tells of an object.
type Info struct {
	Key          site.Key
	Size         int64  // bytes
	ETag         string // without quotes
	LastModified time.Time
}

// Head is what a HEAD request tells of an object.
type Head struct {
	Info
	Headers site.Headers
	Digest  site.Digest // zero where the store does not know the SHA-256
}

// Put is one write of a whole object.
type Put struct {
	Key    site.Key
	Size   int64       // bytes
	Digest site.Digest // SHA-256 of the body; never zero
	// Headers are stored as they are, but that an empty ContentType is stored as
	// application/octet-stream.
	Headers site.Headers
	If      Condition
	// Body yields Size bytes. The store reads it from its current position and
	// may seek back to repeat a request; it does not close it.
	Body io.ReadSeeker
}

// Copy is one copy inside a store.
type Copy struct {
	// From and To may be the same key, which changes the headers alone.
	From, To site.Key
	Headers  site.Headers // exactly those of the copy; nothing is taken over
	IfETag   string       // the source's ETag must be this one, without quotes; "" means any
}

// Store is a bucket, or the part of one below a prefix: all keys are relative
// to that prefix, and nothing outside it can be reached. It is safe for
// concurrent use. Reads see every write that returned before (fact sheet 7.6).
type Store interface {
	// String names the store for people: "s3://bucket/prefix".
	String() string

	// Get reads a whole small object, of at most 256 MiB. ErrNotFound.
	Get(ctx context.Context, key site.Key) (data []byte, etag string, err error)

	// Head asks for headers and, where the store knows it, the digest.
	// ErrNotFound.
	Head(ctx context.Context, key site.Key) (Head, error)

	// Put writes an object whole or not at all and returns its ETag without
	// quotes. When it returns nil, bytes and headers are persisted together.
	// An unconditional repeat is safe. ErrPrecondition where put.If does not
	// hold, ErrContent where the body is not what Size and Digest say; both
	// leave what was there. A conditional write that lost a race may come back
	// as ErrTemporary instead: the store did not find out who won (fact 7.3), and
	// a repeat is told.
	Put(ctx context.Context, put Put) (etag string, err error)

	// Copy writes an object with the bytes of another, inside the store, and
	// returns the new object's ETag. A repeat is safe. ErrNotFound where there is
	// no source; ErrPrecondition where copy.IfETag does not hold, and nothing was
	// written then.
	Copy(ctx context.Context, copy Copy) (etag string, err error)

	// Delete removes the keys; a key that is not there is no error. Answers
	// are read item by item: when some fail, the others are gone, and the
	// error joins one KeyError for each failed key in key order. A repeat is
	// safe.
	Delete(ctx context.Context, keys []site.Key) error

	// List calls page with all objects whose keys begin with prefix and are
	// greater than after, in byte order, in pages of at most 1,000. It is whole
	// or it fails: when it returns nil, every object was shown. An error from
	// page ends it and is returned.
	List(ctx context.Context, prefix, after string, page func([]Info) error) error

	// Dirs lists the "folders" right below prefix, which is "" or ends in a
	// slash, whose names begin with start. Each is a whole prefix relative to the
	// store, prefix included, and ends in a slash: "a/b/" for the folder b of
	// "a/".
	Dirs(ctx context.Context, prefix, start string) ([]string, error)
}

// KeyError is a failure that concerns one key of a batch.
type KeyError struct {
	Key site.Key
	Err error
}

func (e *KeyError) Error() string { return string(e.Key) + ": " + e.Err.Error() }

// Unwrap is the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// DefaultErrorTTL is how long an error answer is cached at least where an
// ErrorPage does not say; CloudFront guide, "Control how long CloudFront caches
// errors", read 2026-11.
const DefaultErrorTTL = 10 * time.Second

// Distribution is what the publisher needs to know of a CDN distribution. A
// list of distributions does not fill in all of it; see CDN.Distributions.
type Distribution struct {
	ID      string
	Domain  string // what viewers ask for: "d111111abcdef8.cloudfront.net", or host:port of a local edge
	Aliases []string
	Enabled bool
	// Deployed is false while a change of configuration is still spreading.
	Deployed          bool
	DefaultRootObject string // "" means none
	Origins           []Origin
	// TagHeader is the response header in which the distribution looks for cache
	// tags ("x-amz-meta-cache-tag"); "" where tags are off (fact 2).
	TagHeader string
	// Behaviors are in the order in which they are tried, the first whose pattern
	// matches is used; the default one is last, with the pattern "*" (fact 5.3).
	Behaviors []Behavior
	// ErrorPages are the statuses that are not answered as CloudFront does by
	// default; a status that is not here has no page and DefaultErrorTTL.
	ErrorPages []ErrorPage
}

// Origin is one place that a distribution fetches from.
type Origin struct {
	ID     string
	Domain string // "bucket.s3.eu-central-1.amazonaws.com"
	Path   string // prepended to every request: "" or "/production"
	// Website is whether it is no bucket's REST endpoint but an S3 website
	// endpoint or any other HTTP server, which may answer /dir/ with an index page
	// (fact 5.1).
	Website bool
}

// Behavior is how a distribution treats one part of its URL space.
type Behavior struct {
	// Pattern is matched against the path without its query string, with * for 0
	// or more characters and ? for one; the leading slash is explicit
	// ("/images/*"), but for the default behavior's "*".
	Pattern string
	// OriginID names the origin that is asked; of an origin group, its first.
	OriginID string
	// FailoverIDs are the origins that are asked when OriginID fails or answers
	// with a chosen error: the rest of an origin group. Empty without one.
	FailoverIDs []string
	// QueryInKey is whether answers are cached by query string, so that a URL has
	// variants that its path alone does not name (fact 1.2). It is true as well
	// where that could not be read.
	QueryInKey bool
	// Rewrites is whether a function or Lambda on the way to the origin may show
	// an object under other paths than its own (facts 1.2 and 5.6).
	Rewrites bool
}

// ErrorPage is how a distribution answers one error status of its origin.
type ErrorPage struct {
	Status   int           // of the origin's answer: 403, 404, ...
	Page     string        // path of the object that is shown, "/404.html"; "" keeps the origin's body
	Response int           // status that viewers get; 0 without a page
	MinTTL   time.Duration // how long the error is cached at least; 0 is zero, not the default
}

// Invalidation statuses, spelled as CloudFront does; there is no third one.
const (
	InProgress = "InProgress"
	Completed  = "Completed"
)

// Invalidation is one accepted batch.
type Invalidation struct {
	ID      string
	Status  string // InProgress or Completed
	Created time.Time
	Items   []string // as sent; empty in a list
}

// CDN is a content delivery network in front of stores. It is safe for
// concurrent use.
type CDN interface {
	// Distribution reads one distribution. ErrNotFound.
	Distribution(ctx context.Context, id string) (Distribution, error)

	// Distributions lists all of them, whole or not at all, in the CDN's order.
	// DefaultRootObject, TagHeader, Behaviors and ErrorPages are left empty: a
	// list does not tell them all. Distribution does.
	Distributions(ctx context.Context) ([]Distribution, error)

	// Invalidate submits a batch. A repeat with the same reference and items
	// returns the earlier invalidation and starts nothing, so a call whose
	// outcome is unknown is simply repeated. ErrReferenceReused where the
	// reference stands for other items. When it returns nil the batch is
	// accepted; it has taken effect once Invalidation says Completed.
	Invalidate(ctx context.Context, distribution, reference string, items []string) (Invalidation, error)

	// Invalidation reads one invalidation. ErrNotFound.
	Invalidation(ctx context.Context, distribution, id string) (Invalidation, error)

	// Invalidations lists the invalidations of a distribution that were created
	// at or after since, newest first, whole or not at all. Items are not filled
	// in. The zero time lists all that the CDN still knows. ErrNotFound.
	Invalidations(ctx context.Context, distribution string, since time.Time) ([]Invalidation, error)
}
