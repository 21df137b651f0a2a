package site

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxKeyBytes is the longest key that S3 takes, prefix included, in bytes of
// UTF-8; S3 User Guide, "Naming Amazon S3 objects", read 2026-11.
const MaxKeyBytes = 1024

// StatePrefix begins every key under which freshet keeps its own record. What
// follows cannot be guessed: a CDN serves every key that it is asked for.
const StatePrefix = ".freshet-"

// Key is an object key below a target's prefix: "posts/a/index.html". It is
// valid UTF-8 that XML can carry, so without control characters, has no
// leading slash and no empty, "." or ".." segment. Case matters.
type Key string

// ParseKey checks s, which may be at most MaxKeyBytes long; how much of that
// the target's prefix takes is for whoever knows the prefix to check. The
// error says what is wrong and is meant to stand behind the name of the file.
func ParseKey(s string) (Key, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("an empty name cannot be an object key")
	case len(s) > MaxKeyBytes:
		return "", fmt.Errorf("a key of %d bytes is longer than the %d that S3 takes", len(s), MaxKeyBytes)
	case !utf8.ValidString(s):
		return "", fmt.Errorf("the name is not valid UTF-8: %q", s)
	}
	if i := strings.IndexFunc(s, notInXML); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return "", fmt.Errorf("the name has the control character %q, which S3 requests and listings cannot carry", r)
	}
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return "", fmt.Errorf("the key %q has the segment %q, which clients normalise away", s, seg)
		}
	}
	return Key(s), nil
}

// notInXML reports whether r is a control character or one of the two others
// that XML 1.0 lacks: a batch delete is an XML document, and a character that
// it replaces would delete another key (fact sheet 7.4).
func notInXML(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff }

// IsState reports whether k belongs to freshet's own record.
func (k Key) IsState() bool { return strings.HasPrefix(string(k), StatePrefix) }

// Base is the last segment of k.
func (k Key) Base() string { return string(k)[strings.LastIndexByte(string(k), '/')+1:] }

// Dir is k up to and including its last slash, "" at the top.
func (k Key) Dir() string { return string(k)[:strings.LastIndexByte(string(k), '/')+1] }

// URLPath is the path by which browsers ask for k through a REST origin.
//
// Space, the characters that browsers escape, and all bytes from 0x80 on are
// percent-encoded in upper-case hexadecimal. So are "%" and "?", which would
// otherwise mean something else, and "+", which S3 reads as a space (fact
// sheet 4.6). Everything else stays as it is.
func (k Key) URLPath() URLPath { return URLPath("/" + escape(string(k))) }

// URLPath is the path of a URL exactly as a browser sends it: percent-encoded,
// with a leading slash, without query. "/posts/a%20b/" and "/posts/a b/" are
// two different URLs, of which only the first can be asked for.
type URLPath string

// DirURLPath is the URL path of a folder; dir is "" for the root or ends in a
// slash, and is escaped as Key.URLPath escapes.
func DirURLPath(dir string) URLPath { return URLPath("/" + escape(dir)) }

func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	raw := 0
	for raw < len(s) && staysRaw(s[raw]) {
		raw++
	}
	if raw == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:raw])
	for i := raw; i < len(s); i++ {
		if c := s[i]; staysRaw(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// staysRaw reports whether browsers send c as it is in a path and an S3 REST
// origin reads it as itself: the path percent-encode set of the WHATWG URL
// standard, read 2026-11, and fact sheet 4.6 for "+".
func staysRaw(c byte) bool {
	return c > 0x20 && c < 0x7f && strings.IndexByte("\"#%<>?\\^`{}+", c) < 0
}
