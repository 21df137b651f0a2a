package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

// caching looks at the behaviors that ask the bucket.
func (e examination) caching() []Finding {
	var out []Finding
	for i, s := range e.Settings.Behaviors {
		if i >= len(e.Behaviors) || !e.Reads(e.Behaviors[i].OriginID) {
			continue
		}
		out = append(out, e.lifetimes(s), e.compression(s))
		out = append(out, e.headers(s)...)
		if s.HTTP && !e.Local {
			out = append(out, Finding{
				Check: "https" + of(s), Level: Warning, What: "pages are answered without TLS to whoever asks so", Why: "they can be read and changed on the way",
				Next: e.console(behavior(s), "Viewer protocol policy: Redirect HTTP to HTTPS"),
			})
		}
	}
	return out
}

// of names a behavior but the default one behind the name of a check.
func of(s remote.BehaviorSettings) string {
	if s.Pattern == "*" {
		return ""
	}
	return ", " + s.Pattern
}

func behavior(s remote.BehaviorSettings) string {
	if s.Pattern == "*" {
		return "Behaviors, Default (*), Edit"
	}
	return "Behaviors, " + strings.TrimPrefix(s.Pattern, "/") + ", Edit"
}

// longMin and shortMax are lifetimes beyond which a policy and freshet's own
// headers do not go together: freshet lets edges keep everything for a year, and
// asks browsers to ask each time.
const (
	longMin  = time.Minute
	shortMax = time.Hour
)

// lifetimes follows fact 3.1.
func (e examination) lifetimes(s remote.BehaviorSettings) Finding {
	check := "cache policy" + of(s)
	c := s.Caching
	if c == nil {
		return Finding{Check: check, Level: Unknown, What: "it could not be read", Next: "allow cloudfront:GetCachePolicy: `freshet policy` prints the rights"}
	}
	name := c.Name
	if name == "" {
		name = "legacy settings"
	}
	f := good(check, "%s, at least %s, at most %s; what has no Cache-Control is kept for %s", name, span(c.Min), span(c.Max), span(max(c.Default, c.Min)))
	choose := e.console(behavior(s), "Cache policy: CachingOptimized")
	switch {
	case c.Disabled():
		f.Level, f.What = Warning, name+" keeps nothing"
		f.Why = "every request goes to the bucket, and freshet's invalidations are for nothing, though each counts as a path"
		f.Next = choose + "; or take `distribution:` out of freshet.yaml"
	case c.Min > longMin:
		f.Level, f.What = Warning, fmt.Sprintf("%s keeps everything for %s at least", name, span(c.Min))
		f.Why = "no header can shorten that: what says no-store or max-age=0 is kept all the same, and what others change in the bucket shows late"
		f.Next = choose
	case c.Max < shortMax:
		f.Level, f.What = Warning, fmt.Sprintf("%s keeps nothing longer than %s", name, span(c.Max))
		f.Why = "freshet purges exactly what changed, so that everything else could stay: the bucket is asked far more often than it needs to be"
		f.Next = choose
	}
	return f
}

// compression follows fact 4.4.
func (e examination) compression(s remote.BehaviorSettings) Finding {
	f := good("compression"+of(s), "text is compressed at the edge")
	switch {
	case !s.Compress:
		f.Level, f.What, f.Why = Warning, "it is off", "pages, styles and scripts take three to five times the bytes, which viewers wait for and you pay for"
		f.Next, f.Mend = fixes, remote.Change{Compress: []string{s.Pattern}}
	case s.Caching != nil && !s.Caching.Disabled() && !s.Caching.Gzip && !s.Caching.Brotli:
		f.Level, f.What = Warning, "it is on, but the cache policy "+s.Caching.Name+" does not allow it"
		f.Why, f.Next = "pages, styles and scripts go out uncompressed", e.console(behavior(s), "Cache policy: CachingOptimized")
	}
	return f
}

func (e examination) headers(s remote.BehaviorSettings) []Finding {
	check := "response headers" + of(s)
	switch {
	case s.HeadersUnread:
		return []Finding{{Check: check, Level: Unknown, What: "the policy could not be read", Next: "allow cloudfront:GetResponseHeadersPolicy to have it looked at: `freshet policy --doctor` prints the rights"}}
	case s.CacheControl != "":
		return []Finding{{
			Check: check, Level: Warning, What: "its policy replaces Cache-Control by " + s.CacheControl,
			Why:  "browsers do not get what freshet and freshet.yaml say, and no invalidation reaches what they keep",
			Next: e.console(behavior(s), "choose a response headers policy without Cache-Control"),
		}}
	}
	return nil
}

// tags follows fact 2: S3 can only send headers that begin so.
func (e examination) tags() Finding {
	const check = "cache tags"
	switch {
	case e.TagHeader == "":
		return good(check, "off; with them, all pages can be purged as one path (docs/doctor.md, cache tags)")
	case !strings.HasPrefix(strings.ToLower(e.TagHeader), "x-amz-meta-") && slices.ContainsFunc(e.Origins, func(o remote.Origin) bool { return e.Reads(o.ID) }):
		return Finding{
			Check: check, Level: Warning, What: fmt.Sprintf("they are read from %s, which no S3 object can have", e.TagHeader),
			Why: "no object has a tag, and purging one purges nothing", Next: "set CacheTagConfig.HeaderName to x-amz-meta-cache-tag",
		}
	}
	return good(check, "on, in %s", e.TagHeader)
}

// span is a lifetime for people: "0 s", "10 min", "1 day", "1 year".
func span(d time.Duration) string {
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"year", 365 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"min", time.Minute}} {
		if d >= u.of && d%u.of == 0 {
			n := int(d / u.of)
			if n != 1 && u.name != "min" {
				u.name += "s"
			}
			return fmt.Sprintf("%d %s", n, u.name)
		}
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}
