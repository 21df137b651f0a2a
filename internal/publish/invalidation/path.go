// Package invalidation knows the items of an invalidation request: how they
// are written, what they cover, which of them cover a set of changed URLs, and
// what a shell does to them before freshet sees them.
//
// It is pure and is one of two independent readings of the fact sheet's
// sections 1.1 and 1.2; the other is the embedded edge, which never shares
// code with it.
package invalidation

import (
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// MaxPathChars is the longest path that CloudFront takes, in characters;
// CloudFront Developer Guide, "Invalidating files", read 2026-11.
const MaxPathChars = 4000

// Path is one item as CloudFront takes it: percent-encoded by RFC 1738 and
// with a leading slash. A "*" at its very end stands for any rest; anywhere
// else it is an ordinary character.
type Path string

// IsWildcard reports whether p covers a prefix.
func (p Path) IsWildcard() bool { return strings.HasSuffix(string(p), "*") && !p.IsTag() }

// IsTag reports whether p is a cache tag: "#fr.page". A "*" in it means nothing.
func (p Path) IsTag() bool { return strings.HasPrefix(string(p), "#") }

// Covers reports whether p names the URL u. Bytes are compared as they are:
// whether CloudFront equates two spellings of one path is not documented.
//
// A tag covers no URL as such; see tagged.
func (p Path) Covers(u site.URLPath) bool {
	if p.IsTag() {
		return false
	}
	if prefix, ok := strings.CutSuffix(string(p), "*"); ok {
		return strings.HasPrefix(string(u), prefix)
	}
	return string(p) == string(u)
}

// Exact is the path that covers u, which begins with a slash. It is a wildcard
// where u holds something that no path can carry: then everything from there
// on is cut off, and "/js/runtime~main.js" becomes "/js/runtime*". A "*" at
// the very end of u cannot be told from a wildcard either.
func Exact(u site.URLPath) Path {
	s := string(u)
	cut := inexpressible(s)
	if cut == len(s) && cut <= MaxPathChars {
		return Path(s)
	}
	if cut = min(cut, MaxPathChars-1); cut > 2 && cut < len(s) {
		if i := strings.LastIndexByte(s[cut-2:cut], '%'); i >= 0 {
			cut += i - 2 // not between the parts of an escape
		}
	}
	return Path(s[:cut] + "*")
}

// inexpressible is where the first thing stands in s that a browser may send
// but a path cannot name, or the length of s: "~" is refused and "%7E" without
// effect, "'" is blamed for refusals, and the others must be encoded, which
// then names another URL (fact sheet 1.1).
func inexpressible(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case isUnsafe(c), strings.IndexByte("~'|[]", c) >= 0:
			return i
		case c == '%' && (!isEscape(s[i:]) || isTilde(s[i:])):
			return i
		}
	}
	return len(s)
}

// Parse reads what somebody typed. Every error is a *ParseError and says what
// to type instead.
func Parse(s string) (Path, error) {
	if strings.HasPrefix(s, "#") {
		return parseTag(s)
	}
	for _, mistake := range []func(string) (msg, hint string){quotedTwice, noPath, starInside, unsendable} {
		if msg, hint := mistake(s); msg != "" {
			return "", &ParseError{s, msg, hint}
		}
	}
	p := Path(normalize(s))
	if len(p) > MaxPathChars {
		return "", &ParseError{s, fmt.Sprintf("the path has %d characters, CloudFront takes %d", len(p), MaxPathChars),
			"type a wildcard that ends earlier"}
	}
	return p, nil
}

// ParseError is a path that cannot be sent, with what to do about it.
type ParseError struct {
	Arg  string // as typed
	Msg  string
	Hint string
}

// maxShown is how many bytes of an argument an error repeats.
const maxShown = 200

// Error names the argument, shortened where it is very long.
func (e *ParseError) Error() string {
	arg := e.Arg
	if len(arg) > maxShown {
		arg = strings.ToValidUTF8(arg[:maxShown], "") + "…"
	}
	return fmt.Sprintf("%q: %s", arg, e.Msg)
}

// normalize escapes what must be escaped (fact sheet 1.1) and leaves alone
// what is escaped already, so that both "/a b" and "/a%20b" may be typed.
func normalize(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isUnsafe(c):
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		case c == '%' && !isEscape(s[i:]):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isUnsafe reports whether c must be encoded in a path: the unsafe characters
// of RFC 1738, section 2.2, but "~", "|", "[" and "]", which browsers send as
// they are.
func isUnsafe(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#{}\\^`", c) >= 0
}

func isTilde(s string) bool { return len(s) >= 3 && strings.EqualFold(s[:3], "%7E") }

func isEscape(s string) bool {
	return len(s) >= 3 && isHexDigit(s[1]) && isHexDigit(s[2])
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
