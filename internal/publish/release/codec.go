package release

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/freshet/freshet/internal/site"
)

// manifestFile is a manifest as it is stored, zstd-compressed JSON. Its
// objects stand on lines of their own, so that a manifest of a million objects
// is written and read one object at a time.
type manifestFile struct {
	Version int           `json:"version"`
	Release ID            `json:"release"`
	Number  int           `json:"number"`
	Created time.Time     `json:"created"`
	Objects []site.Object `json:"objects"`
	Retired []Retired     `json:"retired,omitempty"`
	Kept    []Kept        `json:"kept,omitempty"`
	About   Entry         `json:"about,omitzero"`
	History []Entry       `json:"history,omitempty"`
}

// maxManifest bounds what decodeManifest unpacks: a record of ten million
// objects stays below it.
const maxManifest = 4 << 30

// objectsList is where the objects begin, at the end of the first line.
const objectsList = `"objects":[`

// encodeManifest gives the same bytes for the same manifest.
func encodeManifest(m Manifest) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(m.Site.Len() * usuallyPacked) // else it is in memory twice when it grows
	err := packManifest(&out, m)
	return out.Bytes(), err
}

// manifestDigest is the SHA-256 of what encodeManifest gives.
func manifestDigest(m Manifest) (site.Digest, error) {
	sum := sha256.New()
	err := packManifest(sum, m)
	return site.Digest(sum.Sum(nil)), err
}

func packManifest(w io.Writer, m Manifest) error {
	enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err == nil {
		err = errors.Join(writeManifest(bufio.NewWriterSize(enc, 64<<10), m), enc.Close())
	}
	if err != nil {
		return fmt.Errorf("encode the manifest of release %s: %w", m.Release, err)
	}
	return nil
}

func writeManifest(w *bufio.Writer, m Manifest) error {
	frame, err := json.Marshal(manifestFile{
		Version: Version, Release: m.Release, Number: m.Number, Created: m.Created, Objects: []site.Object{},
		Retired: m.Retired, Kept: m.Kept, About: m.About, History: m.History,
	})
	if err != nil {
		return err
	}
	head, tail, _ := bytes.Cut(frame, []byte(objectsList)) // nothing before it can hold a quoted word
	fmt.Fprintf(w, "%s%s\n", head, objectsList)
	headers := map[site.Shared][]byte{}
	var line []byte
	for i := range m.Site.Len() {
		o := m.Site.At(i)
		if line, err = appendObject(line[:0], &o, headers); err != nil {
			return err
		}
		if i < m.Site.Len()-1 {
			line = append(line, ',')
		}
		w.Write(append(line, '\n'))
	}
	w.Write(tail)
	return w.Flush() // its error is that of any write before
}

// appendObject appends what json.Marshal makes of o. headers remembers those
// that were written before.
func appendObject(line []byte, o *site.Object, headers map[site.Shared][]byte) ([]byte, error) {
	text, known := headers[o.Headers]
	if !known {
		var err error
		if text, err = json.Marshal(o.Headers); err != nil {
			return nil, err
		}
		headers[o.Headers] = text
	}
	line = appendText(append(line, `{"key":`...), string(o.Key))
	line = strconv.AppendInt(append(line, `,"size":`...), o.Size, 10)
	line = hex.AppendEncode(append(line, `,"sha256":"`...), o.Digest[:])
	line = appendText(append(line, `","kind":`...), string(o.Kind))
	line = append(append(line, `,"headers":`...), text...)
	if o.ETag != "" {
		line = appendText(append(line, `,"etag":`...), o.ETag)
	}
	return append(line, '}'), nil
}

// appendText appends a string as json.Marshal writes it.
func appendText(line []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			text, _ := json.Marshal(s) // a string can always be written
			return append(line, text...)
		}
	}
	return append(append(append(line, '"'), s...), '"')
}

// decodeManifest reads the manifest of about so many objects; 0 where nobody knows.
func decodeManifest(data []byte, objects int) (Manifest, error) {
	dec, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxManifest), zstd.WithDecoderLowmem(true))
	if err != nil {
		return Manifest{}, err
	}
	defer dec.Close()
	if objects <= 0 {
		objects = len(data) / usuallyPacked
	}
	objects = min(objects, len(data)/leastPacked)
	f, m, err := readManifest(bufio.NewReaderSize(io.LimitReader(dec, maxManifest), 64<<10), objects)
	if err != nil {
		return Manifest{}, err
	}
	return Manifest{f.Release, f.Number, f.Created, m, f.Retired, f.Kept, f.About, f.History}, nil
}

// readManifest reads a manifest of about so many objects that stand on lines of their own, or,
// from before they did, one of a single line. f is without them.
func readManifest(r *bufio.Reader, about int) (f manifestFile, m site.Manifest, err error) {
	first, err := r.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return f, m, fmt.Errorf("unpack: %w", err)
	}
	head, lines := bytes.CutSuffix(first, []byte(objectsList+"\n"))
	if !lines {
		rest, err := io.ReadAll(r)
		if err != nil {
			return f, m, fmt.Errorf("unpack: %w", err)
		}
		if f, err = whole(append(first, rest...)); err == nil {
			m, err = site.NewManifest(f.Objects)
		}
		return f, m, err
	}
	frame := slices.Concat(head, []byte(objectsList))
	if err := checkVersion(slices.Concat(frame, []byte("]}"))); err != nil {
		return f, m, err
	}
	m, tail, err := readObjects(r, about)
	if err != nil {
		return f, m, err
	}
	f, err = whole(append(frame, tail...))
	return f, m, err
}

// whole reads JSON that is in memory.
func whole(data []byte) (f manifestFile, err error) {
	if err := checkVersion(data); err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}

// readObjects reads lines up to that with the end of the list, and what comes
// from there on.
func readObjects(r *bufio.Reader, about int) (m site.Manifest, tail []byte, err error) {
	objects := site.NewBuilder(about)
	p := parser{headers: map[string]site.Shared{}, kinds: map[string]site.Kind{}}
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // the end of the manifest, as a rule: history is long
			var more []byte
			line = bytes.Clone(line)
			more, err = r.ReadBytes('\n')
			line = append(line, more...)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return m, nil, fmt.Errorf("unpack: %w", err)
		}
		if len(line) == 0 || line[0] != '{' {
			rest, err := io.ReadAll(r)
			if err != nil {
				return m, nil, fmt.Errorf("unpack: %w", err)
			}
			return objects.Manifest(), append(bytes.Clone(line), rest...), nil
		}
		o, err := p.object(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte(",")))
		if err == nil {
			err = objects.Add(o)
		}
		if err != nil {
			return m, nil, err
		}
	}
}

// What one object takes when it is packed, in bytes. Digest and ETag are random
// and take 48; keys have much in common with the ones before. What is less than
// the digest is not believed: nothing can make a reader ask for more memory.
const (
	usuallyPacked = 64
	leastPacked   = 32
)

// parser reads objects as encodeManifest writes them without encoding/json,
// and all others with it. A site has few headers, which the objects share.
type parser struct {
	headers map[string]site.Shared
	kinds   map[string]site.Kind
	text    strings.Builder // the keys of some objects, one behind the other
}

// textBytes is how much of the keys is one piece of memory.
const textBytes = 64 << 10

// keep makes a key of text. All that are kept together are let go of together.
func (p *parser) keep(text []byte) site.Key {
	if p.text.Len()+len(text) > p.text.Cap() {
		p.text = strings.Builder{}
		p.text.Grow(max(textBytes, len(text)))
	}
	p.text.Write(text)
	return site.Key(p.text.String()[p.text.Len()-len(text):])
}

func (p *parser) object(line []byte) (site.Object, error) {
	if o, ok := p.plain(line); ok {
		return o, nil
	}
	var o site.Object
	if err := json.Unmarshal(line, &o); err != nil {
		return o, err
	}
	return o, nil
}

// plain reads the usual form of an object: fields in their order, strings
// without escapes.
func (p *parser) plain(line []byte) (o site.Object, ok bool) {
	in := cutter{line, true}
	key := in.text(`{"key":`)
	o.Size = in.number(`,"size":`)
	digest := in.text(`,"sha256":`)
	kind := in.text(`,"kind":`)
	in.word(`,"headers":`)
	headers := in.flat()
	var etag []byte
	if bytes.HasPrefix(in.rest, []byte(`,"etag":`)) {
		etag = in.text(`,"etag":`)
	}
	in.word(`}`)
	if !in.ok || len(in.rest) > 0 || o.Digest.UnmarshalText(digest) != nil {
		return o, false
	}
	if o.Headers, ok = p.headers[string(headers)]; !ok {
		if json.Unmarshal(headers, &o.Headers) != nil {
			return o, false
		}
		p.headers[string(headers)] = o.Headers
	}
	if o.Kind, ok = p.kinds[string(kind)]; !ok {
		o.Kind = site.Kind(kind)
		p.kinds[string(kind)] = o.Kind
	}
	o.Key, o.ETag = p.keep(key), string(etag)
	return o, true
}

// cutter cuts one piece after the other off a line; ok is false once something
// was not there.
type cutter struct {
	rest []byte
	ok   bool
}

func (c *cutter) word(w string) {
	rest, found := bytes.CutPrefix(c.rest, []byte(w))
	c.rest, c.ok = rest, c.ok && found
}

// text is a string without escapes after a word.
func (c *cutter) text(after string) []byte {
	c.word(after + `"`)
	for i, b := range c.rest {
		switch {
		case b == '"':
			text := c.rest[:i]
			c.rest, c.ok = c.rest[i+1:], c.ok && utf8.Valid(text)
			return text
		case b == '\\' || b < ' ':
			c.ok = false
			return nil
		}
	}
	c.ok = false
	return nil
}

// number is a whole number of 0 or more after a word.
func (c *cutter) number(after string) int64 {
	c.word(after)
	n, i := int64(0), 0
	for ; i < len(c.rest) && c.rest[i] >= '0' && c.rest[i] <= '9' && n < math.MaxInt64/100; i++ {
		n = 10*n + int64(c.rest[i]-'0')
	}
	c.ok = c.ok && i > 0 && (i == 1 || c.rest[0] != '0')
	c.rest = c.rest[i:]
	return n
}

// flat is an object without objects in it.
func (c *cutter) flat() []byte {
	quoted := false
	for i, b := range c.rest {
		switch {
		case b == '\\', i == 0 && b != '{', i > 0 && !quoted && strings.IndexByte("{[", b) >= 0:
			c.ok = false
			return nil
		case b == '"':
			quoted = !quoted
		case b == '}' && !quoted:
			piece := c.rest[:i+1]
			c.rest = c.rest[i+1:]
			return piece
		}
	}
	c.ok = false
	return nil
}
