// Package site is freshet's vocabulary: object keys, URL paths, digests,
// headers, objects and manifests, with the few conversions between them.
//
// It promises that every conversion is total and tested, and that two equal
// manifests are equal values. It does no I/O and knows neither S3 nor
// CloudFront; how an object becomes viewer URLs is decided by package rules.
package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is the SHA-256 of an object's bytes. The zero Digest means unknown.
type Digest [sha256.Size]byte

// IsZero reports whether d is unknown.
func (d Digest) IsZero() bool { return d == Digest{} }

// String is d as 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short is the first 12 hexadecimal digits of d, for people.
func (d Digest) Short() string { return d.String()[:12] }

// MarshalText writes d as String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote. Anything else, capitals too, is
// an error and leaves d as it was.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("parse digest %q: want %d hexadecimal digits", text, hex.EncodedLen(len(d)))
	}
	var read Digest
	if _, err := hex.Decode(read[:], text); err != nil {
		return fmt.Errorf("parse digest %q: %w", text, err)
	}
	var canonical [2 * sha256.Size]byte
	if hex.Encode(canonical[:], read[:]); !bytes.Equal(canonical[:], text) {
		return fmt.Errorf("parse digest %q: want lower-case digits", text)
	}
	*d = read
	return nil
}

// Kind says what an object is to a viewer. It decides the upload phase, the
// default headers, and what happens to the object when the site drops it.
type Kind string

const (
	KindImmutable Kind = "immutable" // an asset whose name carries a hash of its content
	KindAsset     Kind = "asset"     // what pages name: styles, scripts, images, fonts
	KindOther     Kind = "other"     // downloads and everything that has no other kind
	KindPage      Kind = "page"      // an HTML document
	KindFeed      Kind = "feed"      // feeds, sitemaps and search indexes: lists of pages
)

// Removable reports whether an object of kind k goes as soon as the site
// drops it. Pages and feeds do. What a page may name stays for a while,
// because open tabs and cached pages still ask for it.
func (k Kind) Removable() bool { return k == KindPage || k == KindFeed }

// Headers are the response headers that freshet stores with an object. An
// empty string means that the header is not sent. Headers is comparable:
// two objects answer alike if bytes and Headers are equal.
type Headers struct {
	ContentType        string `json:"content_type,omitempty"`
	CacheControl       string `json:"cache_control,omitempty"`
	ContentEncoding    string `json:"content_encoding,omitempty"`
	ContentDisposition string `json:"content_disposition,omitempty"`
	ContentLanguage    string `json:"content_language,omitempty"`
	// TagHeader is the response header that carries the cache tags, and Tags
	// are the tags, separated by commas; both or neither. They tell caches what
	// an answer is part of and are not part of the answer itself.
	TagHeader string `json:"tag_header,omitempty"`
	Tags      string `json:"tags,omitempty"`
}

// Visible is h without the cache tags: what makes two answers differ.
func (h Headers) Visible() Headers {
	h.TagHeader, h.Tags = "", ""
	return h
}

// Diff lists the headers in which h and other differ, by lower-case name, in
// a fixed order.
func (h Headers) Diff(other Headers) []HeaderChange {
	var out []HeaderChange
	for _, f := range []HeaderChange{
		{"content-type", h.ContentType, other.ContentType},
		{"cache-control", h.CacheControl, other.CacheControl},
		{"content-encoding", h.ContentEncoding, other.ContentEncoding},
		{"content-disposition", h.ContentDisposition, other.ContentDisposition},
		{"content-language", h.ContentLanguage, other.ContentLanguage},
	} {
		if f.Old != f.New {
			out = append(out, f)
		}
	}
	return out
}

// HeaderChange is one header that differs between two versions of an object;
// "" stands for a header that is not sent.
type HeaderChange struct{ Name, Old, New string }
