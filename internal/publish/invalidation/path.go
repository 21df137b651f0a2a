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
func (p Path) IsWildcard() bool { return strings.HasSuffix(string(p), "*") }

// Covers reports whether p names the URL u. Bytes are compared as they are:
// whether CloudFront equates two spellings of one path is not documented.
func (p Path) Covers(u site.URLPath) bool {
	if prefix, ok := strings.CutSuffix(string(p), "*"); ok {
		return strings.HasPrefix(string(u), prefix)
	}
	return string(p) == string(u)
}

// Exact is the path that covers u. It is a wildcard where u holds a character
// that no path can carry: then everything from that character on is cut off.
// "/js/runtime~main.js" becomes "/js/runtime*".
func Exact(u site.URLPath) Path {
	s := string(u)
	if i := strings.IndexFunc(s, inexpressible); i >= 0 {
		return Path(s[:i] + "*")
	}
	if len(s) > MaxPathChars {
		return Path(s[:MaxPathChars-1] + "*")
	}
	return Path(s)
}

// inexpressible reports whether a browser sends r as it is while a path
// cannot name it: "~" is refused and "%7E" without effect, "'" is blamed for
// refusals, and the others must be encoded, which then names another URL
// (fact sheet 1.1).
func inexpressible(r rune) bool { return strings.ContainsRune("~'|[]", r) || r <= ' ' || r >= 0x7f }

// Parse reads what somebody typed. Its errors say what to type instead.
func Parse(s string) (Path, error) {
	if inner := strings.Trim(s, `"'`); inner != s {
		return "", &ParseError{s, "the quotes are inside the argument, so they became part of the path",
			"type the path with one pair of quotes: '" + inner + "'"}
	}
	switch i := strings.IndexByte(s, '*'); {
	case s == "":
		return "", &ParseError{s, "an empty path names nothing", "to invalidate the home page type /"}
	case strings.Contains(s, "://"):
		return "", &ParseError{s, "a path has no scheme and no host", "type what follows the host name: " + afterHost(s)}
	case s[0] != '/':
		return "", &ParseError{s, "a path begins with a slash", "type /" + s}
	case i >= 0 && i < len(s)-1:
		return "", &ParseError{s, "a * stands for a rest only at the very end; here it would be an ordinary character",
			"type '" + s[:i+1] + "', which also covers everything else that begins with " + s[:i]}
	case strings.Contains(s, "~") || strings.Contains(strings.ToUpper(s), "%7E"):
		return "", &ParseError{s, "CloudFront cannot invalidate a path with ~ in it, encoded or not",
			"type a wildcard that ends before it: '" + beforeTilde(s) + "*'"}
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

func (e *ParseError) Error() string { return fmt.Sprintf("%q: %s", e.Arg, e.Msg) }

func afterHost(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

func beforeTilde(s string) string {
	if i := strings.Index(s, "~"); i >= 0 {
		return s[:i]
	}
	return s[:strings.Index(strings.ToUpper(s), "%7E")]
}

// normalize escapes what must be escaped (fact sheet 1.1) and leaves alone
// what is escaped already, so that both "/a b" and "/a%20b" may be typed.
func normalize(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#{}|\\^[]`", c) >= 0:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		case c == '%' && !isEscape(s[i:]):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isEscape(s string) bool {
	return len(s) >= 3 && isHexDigit(s[1]) && isHexDigit(s[2])
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
