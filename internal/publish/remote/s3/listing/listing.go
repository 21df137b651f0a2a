// Package listing reads the answers of ListObjectsV2 as services write them,
// without the tokens, copies and allocations of a general XML reader: a page of a
// thousand objects costs a handful of allocations instead of 70,000.
//
// It promises to read what it accepts exactly as encoding/xml does, which fuzzing
// compares, and to accept no more than it is sure of: elements without attributes
// or prefixes, in any order; the five named entities; valid UTF-8. Everything
// else is ErrUnusual, and the caller reads the same bytes with a general reader.
//
// It leaves out what freshet does not use: owners, storage classes, checksums.
// It follows the S3 API Reference, "ListObjectsV2", read 2026-11, and XML 1.0.
package listing

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"time"
)

// ErrUnusual: the document is not of the form that this package knows.
var ErrUnusual = errors.New("a listing of an unusual form")

// Page is one answer. Its slices are used again by the next Decode, its strings
// are not.
type Page struct {
	Objects   []Object
	Prefixes  []string // the common prefixes
	Truncated bool     // there is more
	Token     string   // where it goes on: NextContinuationToken
}

// Object is one object of a page. Keys and ETags of a page share one piece of
// memory, which lives as long as any of them.
type Object struct {
	Key      string // decoded
	ETag     string // as it is, usually with quotes
	Size     int64  // bytes
	Modified time.Time
}

// Decoder reads pages one after the other. The zero value is ready. It must not
// be used by two goroutines at once.
type Decoder struct {
	in       scanner
	text     []byte // of all strings of a page
	objects  []object
	prefixes []span
	token    span
	encoded  bool
	page     Page
}

// span is a part of Decoder.text.
type span struct{ from, to int }

type object struct {
	key, etag span
	size      int64
	modified  time.Time
}

// Decode reads one answer. ErrUnusual where it is for another reader to judge;
// an url.EscapeError where a key is not encoded as the answer says.
func (d *Decoder) Decode(data []byte) (*Page, error) {
	*d = Decoder{in: scanner{b: data}, text: d.text[:0], objects: d.objects[:0], prefixes: d.prefixes[:0], page: d.page}
	d.page.Truncated = false
	if err := d.in.prolog(); err != nil {
		return nil, err
	}
	if err := d.in.children(inPage, d.child); err != nil {
		return nil, err
	}
	if len(bytes.TrimLeft(data[d.in.at:], space)) > 0 {
		return nil, ErrUnusual
	}
	if err := d.decodeKeys(); err != nil {
		return nil, err
	}
	return d.finish(), nil
}

// The elements that are read.
var (
	inPage   = []string{"Contents", "CommonPrefixes", "IsTruncated", "NextContinuationToken", "EncodingType"}
	inObject = []string{"Key", "ETag", "Size", "LastModified"}
	inPrefix = []string{"Prefix"}
)

// child reads one element of the document.
func (d *Decoder) child(name []byte) (err error) {
	switch string(name) {
	case "Contents":
		d.objects = append(d.objects, object{})
		return d.in.children(inObject, d.field)
	case "CommonPrefixes":
		d.prefixes = append(d.prefixes, span{})
		return d.in.children(inPrefix, d.prefix)
	case "IsTruncated":
		d.page.Truncated, err = d.in.boolean()
	case "NextContinuationToken":
		d.token, err = d.string()
	case "EncodingType":
		var value []byte
		value, err = d.in.value()
		if bytes.IndexByte(value, '&') >= 0 {
			return ErrUnusual
		}
		d.encoded = string(value) == "url"
	default:
		return ErrUnusual
	}
	return err
}

// field reads one element of an object.
func (d *Decoder) field(name []byte) (err error) {
	o := &d.objects[len(d.objects)-1]
	switch string(name) {
	case "Key":
		o.key, err = d.string()
	case "ETag":
		o.etag, err = d.string()
	case "Size":
		o.size, err = d.in.number()
	case "LastModified":
		var value []byte
		if value, err = d.in.value(); err == nil && o.modified.UnmarshalText(value) != nil {
			return ErrUnusual
		}
	default:
		return ErrUnusual
	}
	return err
}

// prefix reads one element of a common prefix.
func (d *Decoder) prefix(name []byte) (err error) {
	if string(name) != "Prefix" {
		return ErrUnusual
	}
	d.prefixes[len(d.prefixes)-1], err = d.string()
	return err
}

// string reads a value into d.text.
func (d *Decoder) string() (span, error) {
	value, err := d.in.value()
	if err != nil {
		return span{}, err
	}
	from := len(d.text)
	if d.text, err = appendUnescaped(d.text, value); err != nil {
		return span{}, err
	}
	return span{from, len(d.text)}, nil
}

// decodeKeys undoes the URL encoding of keys and prefixes, which gets them
// shorter, in place. Only the end of the document is sure to have said whether
// there is one.
func (d *Decoder) decodeKeys() error {
	if !d.encoded {
		return nil
	}
	for i := range d.objects {
		if err := d.unescape(&d.objects[i].key); err != nil {
			return err
		}
	}
	for i := range d.prefixes {
		if err := d.unescape(&d.prefixes[i]); err != nil {
			return err
		}
	}
	return nil
}

// unescape is url.QueryUnescape in place: S3 writes a space as "+".
func (d *Decoder) unescape(s *span) error {
	text := d.text[s.from:s.to]
	if bytes.IndexByte(text, '%') < 0 && bytes.IndexByte(text, '+') < 0 {
		return nil
	}
	n := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(text) || hexDigit(text[i+1]) < 0 || hexDigit(text[i+2]) < 0 {
				_, err := url.QueryUnescape(string(text[i:]))
				return err
			}
			c = byte(hexDigit(text[i+1])<<4 | hexDigit(text[i+2]))
			i += 2
		}
		text[n] = c
		n++
	}
	s.to = s.from + n
	return nil
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// finish makes strings of the spans: one allocation for all of them.
func (d *Decoder) finish() *Page {
	all := string(d.text)
	p := &d.page
	p.Objects, p.Prefixes, p.Token = p.Objects[:0], p.Prefixes[:0], strings.Clone(all[d.token.from:d.token.to])
	for _, o := range d.objects {
		p.Objects = append(p.Objects, Object{all[o.key.from:o.key.to], all[o.etag.from:o.etag.to], o.size, o.modified})
	}
	for _, s := range d.prefixes {
		p.Prefixes = append(p.Prefixes, all[s.from:s.to])
	}
	return p
}
