package remote

import (
	"context"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// Configurator is a CDN whose distributions can be looked at more closely than
// publishing needs, and changed in the few things that can be changed safely.
type Configurator interface {
	// Settings reads how a distribution is set up. What a lack of rights hides is
	// told as unread, not as an error. ErrNotFound.
	Settings(ctx context.Context, id string) (Settings, error)

	// Propose says what Apply would do, and changes nothing. A change that changes
	// nothing makes a proposal with no lines. ErrUnsupported where the distribution
	// has settings that a change by this program would lose. ErrNotFound.
	Propose(ctx context.Context, id string, change Change) (Proposal, error)

	// Apply carries a proposal out. ErrPrecondition where the distribution has been
	// changed since, and nothing was done then. A repeat after success is
	// ErrPrecondition as well. When it returns nil the change is accepted; edges
	// follow within minutes, see Distribution.Deployed.
	Apply(ctx context.Context, p Proposal) error
}

// Settings are how a distribution is set up, beyond what Distribution tells.
type Settings struct {
	Version   string // of the configuration; it changes with every change
	Origins   []OriginSettings
	Behaviors []BehaviorSettings // in the order of Distribution.Behaviors
}

// Signing says how a distribution shows a bucket who is asking.
type Signing string

// The ways; CloudFront guide, "Restrict access to an Amazon S3 origin", read
// 2026-11, fact 5.1.
const (
	SigningNone     Signing = ""         // every request is anonymous
	SigningAlways   Signing = "always"   // an origin access control signs every request
	SigningViewer   Signing = "viewer"   // it signs what the viewer has not signed
	SigningOff      Signing = "off"      // there is one, and it signs nothing
	SigningUnread   Signing = "unread"   // there is one, and how it signs could not be read
	SigningIdentity Signing = "identity" // an origin access identity, the older way
)

// OriginSettings are how an origin is asked.
type OriginSettings struct {
	ID      string
	Signing Signing
}

// BehaviorSettings are how a behavior caches and answers.
type BehaviorSettings struct {
	Pattern  string   // as in Behavior
	Compress bool     // answers are compressed where the cache policy allows it
	HTTP     bool     // answers go out without TLS to whoever asks so
	Caching  *Caching // nil where the cache policy could not be read
	// CacheControl is what viewers get in place of the object's own header; ""
	// where the object's own reaches them, or where that could not be read.
	CacheControl string
	// HeadersUnread is whether there is a response headers policy that could not
	// be read.
	HeadersUnread bool
}

// Caching is what a cache policy says, or a behavior's legacy settings.
type Caching struct {
	Name string // "CachingOptimized"; "" for legacy settings
	// Min, Default and Max bound how long an answer is kept; fact 3.1.
	Min, Default, Max time.Duration
	Gzip, Brotli      bool // compressed variants may be kept
}

// Disabled is whether nothing is ever kept.
func (c Caching) Disabled() bool { return c.Max == 0 && c.Min == 0 && c.Default == 0 }

// Change is a change of a distribution's configuration. What is empty stays.
type Change struct {
	RootObject string   // the new default root object
	Compress   []string // patterns of behaviors that shall compress
	// Errors replace the entries for their statuses, or are added.
	Errors []ErrorPage
}

// IsZero reports whether c changes nothing.
func (c Change) IsZero() bool {
	return c.RootObject == "" && len(c.Compress) == 0 && len(c.Errors) == 0
}

// Proposal is a change held against the configuration that it was made for.
type Proposal struct {
	Distribution string
	Version      string // of the configuration
	Change       Change
	Lines        []SettingChange // all that becomes different, in a fixed order
}

// SettingChange is one setting that becomes different.
type SettingChange struct {
	Setting string `json:"setting"` // "DefaultCacheBehavior/Compress"
	Old     string `json:"old"`     // "" where there was none
	New     string `json:"new"`     // "" where there is none any more
}

// Examinable is a Store that tells what only those ask who look for what is
// wrong with it.
type Examinable interface {
	// Keys tells which credentials requests are signed with. It makes no request
	// to the store. ErrCredentials where there are none.
	Keys(ctx context.Context) (Keys, error)

	// Bucket tells how the bucket is set up. sample is a key of the store that
	// somebody without credentials is played for; "" for none. What cannot be
	// found out is Unknown, not an error; ErrNoBucket, ErrRegion and ErrCredentials
	// where nothing can be.
	Bucket(ctx context.Context, sample site.Key) (Bucket, error)
}

// Keys are credentials without their secret. It may be shown.
type Keys struct {
	ID      string    // "AKIA…"
	Source  string    // for people: "the environment", "the profile blog"
	Expires time.Time // zero for keys that do not
}

// Known is a yes or a no that may not be known.
type Known int

// The three.
const (
	Unknown Known = iota
	Yes
	No
)

// Bucket is how a bucket is set up.
type Bucket struct {
	Name   string
	Region string // "" where the service does not say
	// Readable is whether anybody can read the sample past the CDN, and Listable
	// whether anybody can list the bucket.
	Readable, Listable Known
	// Blocked is whether the bucket refuses every way of making it public.
	Blocked Known
}
