package edge

import (
	"net/http"
	"strings"
	"time"
)

// Config is one distribution as the edge needs it: an immutable value, swapped whole by SetConfig.
type Config struct {
	Rules             RuleSet           // CloudFront, or plain RFC 9111; default CloudFront
	Domain            string            // the distribution's own domain; it gives the Via header its id and enters nothing else
	DefaultRootObject string            // served for "/", without leading slash; "" for none
	Behaviors         []Behavior        // in order, the first match wins
	Default           Behavior          // where none matches; its PathPattern is ignored
	Origins           map[string]Origin // by origin id; every OriginID above must be here
	ErrorResponses    []ErrorResponse   // at most one for each status
	TagHeader         string            // response header that carries cache tags (CacheTagConfig); "" ignores tags
	Hidden            []string          // path prefixes answered with 403, compared with the decoded path, such as "/.freshet-"
	CacheForbidden    bool              // cache a plain 403 as a 404 is; CloudFront's guide lists 403 among what is not cached by itself
}

// Origin is where a behaviour's objects come from.
type Origin struct {
	Path      string            // put before every key path; starts with "/" and does not end with it, or ""
	Host      string            // Host header and authority of origin requests
	Scheme    string            // "http" or "https"; "" means http
	Transport http.RoundTripper // sends the requests; must heed their context, and must not decompress (DisableCompression)
	S3        bool              // an S3 REST endpoint: errors are cached for one second at least

	// Dated says that every write of an object, also one that changes its headers alone, gives it a later Last-Modified,
	// as Amazon S3 does. Other S3 stores (S3, or X-Amz headers in their responses) may not, so that after an invalidation their objects are
	// fetched anew, whole.
	// It is not asked of other HTTP servers.
	Dated bool
}

// Protocol is what a behaviour does with viewers' plain HTTP requests.
type Protocol int

// Values of ViewerProtocolPolicy.
const (
	AllowAll        Protocol = iota // serves them
	HTTPSOnly                       // answers 403
	RedirectToHTTPS                 // answers 301, or 307 for methods other than GET and HEAD
)

// Behavior is a cache behaviour: which paths, from which origin, cached how.
type Behavior struct {
	PathPattern    string                  // "*" is any run of characters, "?" exactly one; a leading slash is implied; case counts
	OriginID       string                  // key of Config.Origins
	Policy         CachePolicy             // cache key and lifetimes
	OriginHeaders  []string                // viewer headers sent to the origin that are not in the key
	AllowedMethods []string                // others get 403; nil means GET and HEAD
	CacheOptions   bool                    // cache OPTIONS too, under a key of its own
	Rewrite        func(uri string) string // viewer-request rewrite of the path, before the look-up; nil for none
	ViewerProtocol Protocol                // default AllowAll
	Compress       bool                    // compress for viewers who accept a coding that Policy enables; with RFC9111 br and gzip. Not where caching is off

	// OriginHeaderMode says what OriginHeaders means: SelectAll sends all viewer headers, SelectAllExcept all but those named
	// (Host is one of them), any other mode those named.
	OriginHeaderMode           Mode
	OriginQuery, OriginCookies Selection        // sent to the origin besides what is in the key
	ResponseHeaders            *ResponseHeaders // changes what viewers see; nil for nothing
}

// Mode says which of a request's names a cache policy takes.
type Mode int

// Modes of a Selection.
const (
	SelectNone      Mode = iota
	SelectListed         // those in Names
	SelectAllExcept      // all but those in Names
	SelectAll
)

// Selection picks query parameters or cookies by name. Names are compared byte for byte; "*" is literal.
type Selection struct {
	Mode  Mode
	Names []string
}

// takes says whether the selection contains name.
func (s Selection) takes(name string) bool {
	switch s.Mode {
	case SelectAll:
		return true
	case SelectListed:
		return contains(s.Names, name)
	case SelectAllExcept:
		return !contains(s.Names, name)
	}
	return false
}

// CachePolicy says what enters the cache key and how long objects live. What enters the key is also sent to the origin.
// With all three TTLs 0 nothing is cached.
type CachePolicy struct {
	MinTTL, DefaultTTL, MaxTTL time.Duration // whole seconds, MinTTL <= DefaultTTL <= MaxTTL
	Query                      Selection     // query parameters, in the order in which the viewer sent them
	Cookies                    Selection     // any mode but SelectNone turns collapsing and revalidation off
	Headers                    []string      // header names
	EnableGzip, EnableBrotli   bool          // puts the normalised Accept-Encoding into the key
}

// CachingOptimized is the managed policy of this name, the usual one for static sites.
// spec: cloudfront 4.2
func CachingOptimized() CachePolicy {
	return CachePolicy{
		MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: 31536000 * time.Second,
		EnableGzip: true, EnableBrotli: true,
	}
}

// CachingDisabled is the managed policy of this name: every request goes to the origin.
// spec: cloudfront 4.2
func CachingDisabled() CachePolicy {
	return CachePolicy{}
}

// disabled says whether the policy turns caching off.
// spec: cloudfront 3.1, all three TTLs 0
func (p CachePolicy) disabled() bool {
	return p.MinTTL == 0 && p.DefaultTTL == 0 && p.MaxTTL == 0
}

// DefaultErrorTTL is how long errors are cached where no ErrorResponse says otherwise.
const DefaultErrorTTL = 10 * time.Second // CloudFront Developer Guide, "Control how long CloudFront caches errors", read 2026-11

// ErrorResponse says what viewers see in place of an origin's error, and how long the error is remembered.
type ErrorResponse struct {
	Status       int           // the origin's status
	PagePath     string        // page served instead, starting with "/"; "" sets only MinTTL
	ResponseCode int           // status that viewers get with the page; 0 keeps Status
	MinTTL       time.Duration // error-caching minimum TTL; 0 means 0, except that an S3 origin's errors live one second
}

// DirectoryIndex is the usual index rewrite of a static site, for Behavior.Rewrite:
// "/docs/" and "/docs" become "/docs/index.html"; a last segment with a dot stays as it is.
// spec: cloudfront 5.6
func DirectoryIndex(uri string) string {
	last := uri[strings.LastIndexByte(uri, '/')+1:]
	switch {
	case last == "":
		return uri + "index.html"
	case !strings.Contains(last, "."):
		return uri + "/index.html"
	}
	return uri
}
