package plan

import (
	"cmp"
	"iter"
	"slices"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// Observed is one object that the bucket holds, whoever wrote it.
type Observed struct {
	Object *site.Object // never nil; not to be changed, since the record may share it
	// Known says that Object's bytes and headers are known for sure. Where it
	// is false only key, size and ETag mean anything.
	Known bool
	// Ours says that a release or an open journal names the key.
	Ours bool
}

// Live is what a plan starts from.
type Live struct {
	State release.State
	// Sound says of the objects of State.Live.Site, by index, whether the bucket
	// holds them as they are recorded: they are known and ours. It may be shorter
	// than that list: then the rest is not.
	Sound []bool
	// Objects is everything else in the bucket but freshet's record, in key order.
	Objects []Observed
}

// All is everything that the bucket holds but freshet's record, in key order.
// What an Observed points to is good until the next one.
func (l *Live) All() iter.Seq[Observed] {
	return func(yield func(Observed) bool) {
		for c := l.walk(); c.key() != ""; c.next() {
			if !yield(c.observed()) {
				return
			}
		}
	}
}

// Holds reports whether the bucket holds anything under the key k.
func (l *Live) Holds(k site.Key) bool {
	if i, ok := l.State.Live.Site.Index(k); ok && l.sound(i) {
		return true
	}
	_, ok := slices.BinarySearchFunc(l.Objects, k, func(o Observed, k site.Key) int { return cmp.Compare(o.Object.Key, k) })
	return ok
}

// empty reports whether the bucket holds nothing.
func (l *Live) empty() bool { return l.walk().key() == "" }

func (l *Live) sound(i int) bool { return i < len(l.Sound) && l.Sound[i] }

// cursor stands at one object of the bucket after the other.
type cursor struct {
	live   *Live
	at     int        // the next sound object of the record
	others []Observed // that are still to come
	object site.Object
}

func (l *Live) walk() *cursor {
	c := &cursor{live: l, at: -1, others: l.Objects}
	c.skip()
	return c
}

// skip goes to the next object of the record that is sound.
func (c *cursor) skip() {
	for c.at++; c.at < len(c.live.Sound) && !c.live.Sound[c.at]; c.at++ {
	}
}

// recorded reports whether the cursor stands at an object as it is recorded.
func (c *cursor) recorded() bool {
	return c.at < len(c.live.Sound) && (len(c.others) == 0 || c.live.State.Live.Site.KeyAt(c.at) < c.others[0].Object.Key)
}

// key is that of the object; "" at the end.
func (c *cursor) key() site.Key {
	switch {
	case c.recorded():
		return c.live.State.Live.Site.KeyAt(c.at)
	case len(c.others) > 0:
		return c.others[0].Object.Key
	}
	return ""
}

// observed is what the bucket holds there. What it points to is good until next.
func (c *cursor) observed() Observed {
	if !c.recorded() {
		return c.others[0]
	}
	c.object = c.live.State.Live.Site.At(c.at)
	return Observed{Object: &c.object, Known: true, Ours: true}
}

func (c *cursor) next() {
	if c.recorded() {
		c.skip()
	} else {
		c.others = c.others[1:]
	}
}
