package site

import (
	"cmp"
	"fmt"
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
type Manifest struct {
	objects []Object
}

// NewManifest sorts objects and takes them over. Two objects with one key are
// an error.
func NewManifest(objects []Object) (Manifest, error) {
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	for i := 1; i < len(objects); i++ {
		if objects[i].Key == objects[i-1].Key {
			return Manifest{}, fmt.Errorf("the key %q is listed twice", objects[i].Key)
		}
	}
	return Manifest{objects}, nil
}

// Objects are the manifest's objects in key order. The caller must not change
// the slice.
func (m Manifest) Objects() []Object { return m.objects }

// Len is the number of objects.
func (m Manifest) Len() int { return len(m.objects) }

// Bytes is the sum of all sizes.
func (m Manifest) Bytes() int64 {
	var n int64
	for _, o := range m.objects {
		n += o.Size
	}
	return n
}

// Lookup finds the object with the key k.
func (m Manifest) Lookup(k Key) (Object, bool) {
	i, ok := slices.BinarySearchFunc(m.objects, k, func(o Object, k Key) int { return cmp.Compare(o.Key, k) })
	if !ok {
		return Object{}, false
	}
	return m.objects[i], true
}
