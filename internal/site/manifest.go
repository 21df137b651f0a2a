package site

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// Object is one file of a site as it is, or shall be, published.
type Object struct {
	Key     Key    `json:"key"`
	Size    int64  `json:"size"`   // bytes
	Digest  Digest `json:"sha256"` // of the bytes as stored
	Kind    Kind   `json:"kind"`
	Headers Shared `json:"headers"`
	// ETag is what the store answered when it took the bytes, without quotes;
	// "" until then. It is compared with listings to notice other writers,
	// never with local files (fact sheet 7.1).
	ETag string `json:"etag,omitempty"`
}

// SameAnswer reports whether viewers get the same answer from o and p.
func (o Object) SameAnswer(p Object) bool {
	return o.Digest == p.Digest && (o.Headers == p.Headers || o.Headers.Get().Visible() == p.Headers.Get().Visible())
}

// Manifest lists the objects of a release in byte order of their keys, each
// key once. The zero Manifest is an empty site.
//
// There may be millions of objects: each takes 76 bytes, those of its key, and
// nothing that a garbage collector has to look into but the key. A Manifest
// never changes, and one that a Draft makes shares what is the same.
type Manifest struct {
	keys    []Key
	sizes   []int64
	digests []Digest
	answers answers
	etags   etags
}

// NewManifest sorts objects. Two objects with one key are an error.
func NewManifest(objects []Object) (Manifest, error) {
	if !slices.IsSortedFunc(objects, byKey) {
		objects = slices.SortedFunc(slices.Values(objects), byKey)
	}
	b := NewBuilder(len(objects))
	for i := range objects {
		if err := b.Add(objects[i]); err != nil {
			return Manifest{}, err
		}
	}
	return b.Manifest(), nil
}

func byKey(a, b Object) int { return cmp.Compare(a.Key, b.Key) }

// Len is the number of objects.
func (m Manifest) Len() int { return len(m.keys) }

// Bytes is the sum of all sizes.
func (m Manifest) Bytes() int64 {
	var n int64
	for _, size := range m.sizes {
		n += size
	}
	return n
}

// At is the object with the index i in key order, from 0 to Len()-1.
func (m Manifest) At(i int) Object {
	kind, headers := m.answers.get(i)
	return Object{m.keys[i], m.sizes[i], m.digests[i], kind, headers, m.etags.get(i)}
}

// KeyAt is the key of At(i).
func (m Manifest) KeyAt(i int) Key { return m.keys[i] }

// KindAt is the kind of At(i).
func (m Manifest) KindAt(i int) Kind { kind, _ := m.answers.get(i); return kind }

// AnswerAt is what viewers see of At(i), for who needs no more: its digest and
// its headers.
func (m Manifest) AnswerAt(i int) (Digest, Shared) {
	_, headers := m.answers.get(i)
	return m.digests[i], headers
}

// Holds reports whether a listing with so many bytes and this ETag shows At(i).
func (m Manifest) Holds(i int, size int64, etag string) bool {
	return m.sizes[i] == size && m.etags.is(i, etag)
}

// All are the objects in key order.
func (m Manifest) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for i := range m.keys {
			if !yield(m.At(i)) {
				return
			}
		}
	}
}

// Objects is a list of All, which takes more memory than the Manifest does; nil
// for none.
func (m Manifest) Objects() []Object {
	if m.Len() == 0 {
		return nil
	}
	out := make([]Object, m.Len())
	for i := range out {
		out[i] = m.At(i)
	}
	return out
}

// Index finds the object with the key k, or where it would stand.
func (m Manifest) Index(k Key) (int, bool) { return slices.BinarySearch(m.keys, k) }

// Lookup finds the object with the key k.
func (m Manifest) Lookup(k Key) (Object, bool) {
	i, ok := m.Index(k)
	if !ok {
		return Object{}, false
	}
	return m.At(i), true
}

// SameAt reports whether the objects with the index i are equal in m and n but
// for their ETags.
func (m Manifest) SameAt(n Manifest, i int) bool {
	kind, headers := m.answers.get(i)
	k, h := n.answers.get(i)
	return m.keys[i] == n.keys[i] && m.sizes[i] == n.sizes[i] && m.digests[i] == n.digests[i] && kind == k && headers == h
}

// AnswersLike is Object.SameAnswer for At(i) and the object of n with the index j.
func (m Manifest) AnswersLike(i int, n Manifest, j int) bool {
	_, headers := m.answers.get(i)
	_, h := n.answers.get(j)
	return m.digests[i] == n.digests[j] && (headers == h || headers.Get().Visible() == h.Get().Visible())
}

// ShareKeys lets go of the memory of those of m's keys that n has too, and takes
// n's. It is for who alone uses m.
func (m Manifest) ShareKeys(n Manifest) {
	j := 0
	for i, k := range m.keys {
		for j < len(n.keys) && n.keys[j] < k {
			j++
		}
		if j < len(n.keys) && n.keys[j] == k {
			m.keys[i] = n.keys[j]
		}
	}
}

// Equal reports whether both list the same objects.
func (m Manifest) Equal(n Manifest) bool {
	if m.Len() != n.Len() {
		return false
	}
	for i := range m.keys {
		if !m.SameAt(n, i) || m.etags.get(i) != n.etags.get(i) {
			return false
		}
	}
	return true
}

// Builder makes a Manifest of objects that come in key order.
type Builder struct{ m Manifest }

// NewBuilder makes a Builder with room for n objects; more may come.
func NewBuilder(n int) *Builder {
	return &Builder{Manifest{keys: make([]Key, 0, n), sizes: make([]int64, 0, n), digests: make([]Digest, 0, n), answers: answers{at: make([]uint32, 0, n)}}}
}

// Add takes the next object. One that does not follow the one before is an
// error, and is left out.
func (b *Builder) Add(o Object) error {
	m := &b.m
	n := len(m.keys)
	if n > 0 && o.Key <= m.keys[n-1] {
		if o.Key == m.keys[n-1] {
			return fmt.Errorf("the key %q is listed twice", o.Key)
		}
		return fmt.Errorf("the key %q is listed after %q", o.Key, m.keys[n-1])
	}
	m.keys, m.sizes, m.digests = append(m.keys, o.Key), append(m.sizes, o.Size), append(m.digests, o.Digest)
	m.answers.at = append(m.answers.at, m.answers.number(o.Kind, o.Headers))
	m.etags.put(n, o.ETag, cap(m.keys))
	return nil
}

// Manifest is what was added. The Builder is not used any more.
func (b *Builder) Manifest() Manifest {
	b.m.answers.known = nil
	return b.m
}

// Columns makes the Manifest of the objects whose keys, which ascend, sizes and
// digests stand at the same index of three lists, and takes those over;
// describe says the rest, but for ETags.
func Columns(keys []Key, sizes []int64, digests []Digest, describe func(Key) (Kind, Headers)) Manifest {
	m := Manifest{keys: keys, sizes: sizes, digests: digests}
	m.answers.at = make([]uint32, len(keys))
	for i, k := range keys {
		kind, headers := describe(k)
		m.answers.at[i] = m.answers.number(kind, Share(headers))
	}
	m.answers.known = nil
	return m
}
