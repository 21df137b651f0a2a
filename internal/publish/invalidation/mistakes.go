package invalidation

import (
	"fmt"
	"strings"
)

// The mistakes that Parse knows, in the order in which it looks for them. Each
// function is given what was typed and answers with what is wrong and what to
// type instead, or with two empty strings.

// quotedTwice finds quotes that became part of the argument: '"/*"', a quote
// without its partner, and the curly ones of word processors.
func quotedTwice(s string) (msg, hint string) {
	const quotes = `"'“”‘’`
	inner := strings.Trim(s, quotes)
	opens := strings.TrimLeft(s, quotes) != s
	closes := strings.HasSuffix(s, `"`) || strings.HasSuffix(s, `*'`)
	if inner == "" || !opens && !closes {
		return "", ""
	}
	return "the quotes are inside the argument, so they became part of the path",
		"type the path with one pair of quotes: '" + withSlash(inner) + "'"
}

// noPath finds what is no path of a URL at all.
func noPath(s string) (msg, hint string) {
	switch {
	case strings.Trim(s, `"'`) == "":
		return "an empty path names nothing", "to invalidate the home page type /"
	case s[0] == '/':
		return "", ""
	case strings.Contains(s, "://"):
		return "a path has no scheme and no host", "type what follows the host name: " + shellWord(afterHost(s))
	}
	return "a path begins with a slash", "type " + shellWord(withSlash(s))
}

// starInside finds a "*" that CloudFront would take for an ordinary character
// (fact sheet 1.1): one that is not last, or that is encoded.
func starInside(s string) (msg, hint string) {
	if i := strings.IndexByte(s, '*'); i >= 0 && i < len(s)-1 {
		return "a * stands for a rest only at the very end; here it would be an ordinary character",
			fmt.Sprintf("type %s, which also covers everything else that begins with %s", shellWord(s[:i+1]), s[:i])
	}
	if i := len(s) - len("%2A"); i >= 0 && strings.EqualFold(s[i:], "%2A") {
		return "%2A is an ordinary character and no wildcard", "type " + shellWord(s[:i]+"*")
	}
	return "", ""
}

// unsendable finds characters that a path cannot name in the spelling in which
// browsers send them (fact sheet 1.1).
func unsendable(s string) (msg, hint string) {
	for i := range len(s) {
		switch {
		case s[i] == '~' || isTilde(s[i:]):
			msg = "CloudFront cannot invalidate a path with ~ in it, encoded or not"
		case s[i] == '\'':
			msg = "CloudFront is known to refuse paths with ' in them"
		case strings.IndexByte("|[]", s[i]) >= 0:
			msg = fmt.Sprintf("browsers send %c as it is, and CloudFront takes it only encoded, which names another URL", s[i])
		default:
			continue
		}
		return msg, "type a wildcard that ends before it: " + shellWord(s[:i]+"*")
	}
	return "", ""
}

// afterHost is the path and query of an absolute URL; a fragment is never sent.
func afterHost(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	rest, _, _ = strings.Cut(rest, "#")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return withSlash(rest[i:])
	}
	return "/"
}

func withSlash(s string) string { return "/" + strings.TrimPrefix(s, "/") }

// shellWord is s as it is typed into a shell: in single quotes where the shell
// would make something else of it.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%="
	if strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
