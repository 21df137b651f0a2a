package rules

import (
	"path"
	"regexp"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// hasContentHash reports whether a name carries a hash of its content, as in
// app.3f2a9c1b.js or index-DkF3x9aB.css, so that other content would have
// another name.
//
// The two mistakes do not weigh the same. A hash that is overlooked costs a
// question to the edge now and then; a date, a version or a word that is taken
// for one pins old bytes in browsers for a year. In doubt the answer is no,
// which it is for one in twenty random hashes of eight hexadecimal digits, one
// in three of esbuild's and half of Vite's; a header rule settles those.
func hasContentHash(key site.Key) bool {
	if inHashedFolder(key) {
		return true
	}
	base := strings.TrimSuffix(key.Base(), ".map")
	if uuid.MatchString(base) {
		return false // names a thing, whatever its content
	}
	parts := strings.FieldsFunc(base, isSeparator)
	if len(parts) < 3 {
		return false // a hash stands between a name and an extension
	}
	for _, p := range parts[1 : len(parts)-1] {
		if isHexHash(p) {
			return true
		}
	}
	return isBundled(base)
}

var uuid = regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func isSeparator(r rune) bool { return strings.ContainsRune(".-_~", r) }

// hashedFolders hold nothing but files named by content, by the word of the
// frameworks that write them; the documentation of Astro, SvelteKit and
// Next.js on caching, read 2026-11. Next.js keeps its build manifests, whose
// folder can be given a fixed name, beside these three.
var hashedFolders = []string{
	"/_astro/", "/_app/immutable/", "/_next/static/chunks/", "/_next/static/css/", "/_next/static/media/",
}

func inHashedFolder(key site.Key) bool {
	for _, f := range hashedFolders {
		if strings.Contains("/"+key.Dir(), f) {
			return true
		}
	}
	return false
}

// isHexHash recognises what webpack, Hugo, Parcel, Jekyll and the like write:
// 8 to 128 hexadecimal digits (SHA-512), an even number of them, with figures
// and letters. It refuses dates with something behind them (20260102ab) and
// words with a year or number (cafe2024, 2024face).
func isHexHash(s string) bool {
	if len(s) < 8 || len(s) > 128 || len(s)%2 == 1 || strings.Trim(s, digits+"abcdef") != "" {
		return false
	}
	if !strings.ContainsAny(s, digits) || !strings.ContainsAny(s, "abcdef") {
		return false
	}
	return !startsWithDate(s) && !isWordAndNumber(s)
}

// startsWithDate reports whether s begins with a day of 1900 to 2099, as
// 20260102.
func startsWithDate(s string) bool {
	if strings.Trim(s[:8], digits) != "" || s[:2] != "19" && s[:2] != "20" {
		return false
	}
	month, day := s[4:6], s[6:8]
	return "01" <= month && month <= "12" && "01" <= day && day <= "31"
}

// isWordAndNumber reports whether s is three letters or more and then figures
// only, or the other way round. Long hashes cannot look like this by chance.
func isWordAndNumber(s string) bool {
	letters := strings.Trim(s, digits)
	return len(letters) >= 3 && strings.ContainsAny(s, digits) && strings.Trim(letters, lower) == "" &&
		(strings.HasPrefix(s, letters) || strings.HasSuffix(s, letters))
}

// bundled are the files that bundlers name by content in mixed case.
var bundled = map[string]bool{
	".js": true, ".mjs": true, ".css": true, ".wasm": true, ".woff": true, ".woff2": true,
}

// isBundled recognises the eight characters at the end of a stem that Vite and
// Rollup write in base64url (index-DkF3x9aB.css) and esbuild in base32
// (chunk-KH3F2ZQR.js). A figure must stand inside, since Version2 and README25
// are words; and those with "-" and "_" are left alone, since v2-Final is a
// version.
func isBundled(base string) bool {
	const length = 8
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	at := len(stem) - length
	if !bundled[ext] || at < 2 || stem[at-1] != '-' && stem[at-1] != '.' {
		return false
	}
	hash := stem[at:]
	if strings.Trim(hash, lower+upper+digits) != "" || !strings.ContainsAny(hash, upper) {
		return false
	}
	inside := strings.Trim(hash, digits)
	if !strings.ContainsAny(inside, digits) {
		return false
	}
	return strings.ContainsAny(hash, lower) || strings.Trim(hash, upper+"234567") == ""
}
