package site

import (
	"encoding/hex"
	"maps"
	"slices"
)

// answer is what many objects of a site have in common.
type answer struct {
	kind    Kind
	headers Shared
}

// answers holds an answer for each object, as a number in a table.
type answers struct {
	at    []uint32
	table []answer
	known map[answer]uint32 // while it is being made
}

func (a *answers) get(i int) (Kind, Shared) {
	one := a.table[a.at[i]]
	return one.kind, one.headers
}

// number is the place of an answer in the table.
func (a *answers) number(kind Kind, headers Shared) uint32 {
	one := answer{kind, headers}
	if last := len(a.at) - 1; last >= 0 && int(a.at[last]) < len(a.table) && a.table[a.at[last]] == one {
		return a.at[last] // files of a folder are alike
	}
	n, ok := a.known[one]
	if !ok {
		if a.known == nil {
			a.known = make(map[answer]uint32, len(a.table))
			for i, old := range a.table {
				a.known[old] = uint32(i)
			}
		}
		if n, ok = a.known[one]; !ok {
			n = uint32(len(a.table))
			a.known[one], a.table = n, append(a.table, one)
		}
	}
	return n
}

// md5Bytes is the length of the usual ETag, which is an MD5 in hexadecimal.
const md5Bytes = 16

// etags holds an ETag for each object: those that are an MD5 as such, the
// others as they are. It may be shorter than the list of objects, which have
// none then.
type etags struct {
	md5    [][md5Bytes]byte // zero where there is none
	others map[int]string   // never "", and no MD5 but that of zeros
}

func (e *etags) get(i int) string {
	if i < len(e.md5) && e.md5[i] != [md5Bytes]byte{} {
		return hex.EncodeToString(e.md5[i][:])
	}
	return e.others[i]
}

func (e *etags) is(i int, etag string) bool {
	sum, ok := parseMD5(etag)
	if !ok {
		return e.get(i) == etag
	}
	return i < len(e.md5) && e.md5[i] == sum
}

// put notes the ETag of the object i. room is how many objects there may be.
func (e *etags) put(i int, etag string, room int) {
	sum, ok := parseMD5(etag)
	e.set(i, sum, room)
	if !ok && etag != "" {
		if e.others == nil {
			e.others = map[int]string{}
		}
		e.others[i] = etag
	}
}

// set is put for an MD5, or zeros for no ETag.
func (e *etags) set(i int, sum [md5Bytes]byte, room int) {
	none := sum == [md5Bytes]byte{}
	if !none && i >= len(e.md5) {
		if e.md5 == nil {
			e.md5 = make([][md5Bytes]byte, 0, max(room, i+1))
		}
		e.md5 = slices.Grow(e.md5, i+1-len(e.md5))[:i+1]
	}
	if i < len(e.md5) {
		e.md5[i] = sum
	}
	if len(e.others) > 0 {
		delete(e.others, i)
	}
}

func (e *etags) clone(room int) etags {
	md5 := make([][md5Bytes]byte, len(e.md5), max(room, len(e.md5)))
	copy(md5, e.md5)
	return etags{md5, maps.Clone(e.others)}
}

// parseMD5 reads the usual ETag, in lower case and not of zeros alone.
func parseMD5(etag string) (sum [md5Bytes]byte, ok bool) {
	if len(etag) != 2*md5Bytes {
		return sum, false
	}
	for i := range sum {
		high, low := hexDigit(etag[2*i]), hexDigit(etag[2*i+1])
		if high < 0 || low < 0 {
			return [md5Bytes]byte{}, false
		}
		sum[i] = byte(high<<4 | low)
	}
	return sum, sum != [md5Bytes]byte{}
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// Draft is a Manifest under way that has the keys, sizes and digests of
// another one.
type Draft struct {
	m       Manifest
	answers bool // its own by now
	etags   bool
}

// Draft begins with m as it is.
func (m Manifest) Draft() *Draft { return &Draft{m: m} }

// SetHeaders gives the object with the index i other headers.
func (d *Draft) SetHeaders(i int, headers Shared) {
	kind, old := d.m.answers.get(i)
	if old == headers {
		return
	}
	if !d.answers {
		d.answers = true
		d.m.answers.at, d.m.answers.table = slices.Clone(d.m.answers.at), slices.Clone(d.m.answers.table)
	}
	d.m.answers.at[i] = d.m.answers.number(kind, headers)
}

// SetETag gives the object with the index i another ETag.
func (d *Draft) SetETag(i int, etag string) {
	if !d.etags {
		if d.m.etags.get(i) == etag {
			return
		}
		d.etags, d.m.etags = true, d.m.etags.clone(d.m.Len())
	}
	d.m.etags.put(i, etag, d.m.Len())
}

// Take gives the object with the index i headers and ETag of the one that n has
// at j.
func (d *Draft) Take(i int, n Manifest, j int) {
	_, headers := n.answers.get(j)
	d.SetHeaders(i, headers)
	if _, other := n.etags.others[j]; other || j >= len(n.etags.md5) {
		d.SetETag(i, n.etags.get(j))
		return
	}
	if !d.etags {
		d.etags, d.m.etags = true, d.m.etags.clone(d.m.Len())
	}
	d.m.etags.set(i, n.etags.md5[j], d.m.Len())
}

// Manifest is the draft as it is. The Draft is not used any more.
func (d *Draft) Manifest() Manifest {
	d.m.answers.known = nil
	return d.m
}
