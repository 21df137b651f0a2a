package edge

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// ObjectInfo describes one cached object.
type ObjectInfo struct {
	URI     string // path and query of the cache key
	Variant string // the rest of the key; "" for none
	Status  int
	Size    int // of the body, in bytes
	Type    string
	ETag    string
	Tags    []string  // cache tags, in lower case; nil for none
	Stored  time.Time // or last confirmed
	Expires time.Time
	Hits    int64
}

// A walk rests after every inspectChunk objects for as long as they took, but not longer than inspectRest: it takes half of one processor, some hundred
// microseconds at a time.
const (
	inspectChunk = 1024
	inspectRest  = 500 * time.Microsecond
)

// Inspect visits the objects in memory that no invalidation covers and whose URI is wanted, in no order, until visit says no. It holds no lock meanwhile: what
// comes or goes may be seen or not. Wanted is cheap where visit is not; nil wants all. The value that visit gets, and its Tags, are good for that call only.
// The error is that of ctx.
func (e *Edge) Inspect(ctx context.Context, wanted func(uri string) bool, visit func(*ObjectInfo) bool) error {
	return e.inspect(ctx, func(o *object, info *ObjectInfo) bool {
		if wanted != nil && !wanted(o.key.uri) {
			return true
		}
		o.describe(info)
		return visit(info)
	})
}

func (e *Edge) inspect(ctx context.Context, visit func(*object, *ObjectInfo) bool) error {
	n, began := 0, time.Now()
	info := &ObjectInfo{}
	for _, o := range e.store.cache.All() {
		if n++; n%inspectChunk == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !e.rest(min(time.Since(began), inspectRest)) {
				return nil
			}
			began = time.Now()
		}
		if o.selecting == nil && e.store.clean(o) && !visit(o, info) {
			return nil
		}
	}
	return ctx.Err()
}

// Objects yields the cached objects that no invalidation covers, in no order. The cache may change meanwhile.
func (e *Edge) Objects() iter.Seq[ObjectInfo] {
	return func(yield func(ObjectInfo) bool) {
		for _, o := range e.store.cache.All() {
			if o.selecting != nil || !e.store.clean(o) {
				continue
			}
			var info ObjectInfo
			if o.describe(&info); !yield(info) {
				return
			}
		}
	}
}

// describe fills info, whose Tags it uses again.
func (o *object) describe(info *ObjectInfo) {
	*info = ObjectInfo{
		URI: o.key.uri, Variant: o.key.variant, Status: o.status, Size: len(o.body), Type: first(o.header["Content-Type"]), ETag: first(o.header["Etag"]),
		Tags: info.Tags[:0], Stored: o.born, Expires: o.expires, Hits: o.hits.Load(),
	}
	for _, tag := range o.tags {
		_, name, _ := strings.Cut(tag, "\x00") // its scope comes first
		info.Tags = append(info.Tags, name)
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Preview visits the objects in memory that an invalidation of items would drop, as Inspect does, and changes nothing. Visit also learns which items cover
// the object, by their places in items, at least one; the slice is good for that call only. What only the disk tier holds is not visited.
// The error wraps purge.ErrItem for an item that no invalidation can carry, or is that of ctx.
func (e *Edge) Preview(ctx context.Context, items []string, visit func(o *ObjectInfo, by []int) bool) error {
	scope := e.dist.Load().TagHeader
	all, each, err := trials(scope, items)
	if err != nil {
		return fmt.Errorf("preview an invalidation: %w", err)
	}
	var by []int
	return e.inspect(ctx, func(o *object, info *ObjectInfo) bool {
		if covered, _ := all.Covered(o.key.uri, o.tags, 0); !covered {
			return true
		}
		by = by[:0]
		for i, one := range each {
			if covered, _ := one.Covered(o.key.uri, o.tags, 0); covered {
				by = append(by, i)
			}
		}
		o.describe(info)
		return visit(info, by)
	})
}

// trials are purge logs of their own: one with all items, and one for each.
func trials(scope string, items []string) (all *purge.Log, each []*purge.Log, err error) {
	all = purge.New(0)
	if _, err := all.Accept(scope, items); err != nil {
		return nil, nil, err
	}
	for _, item := range items {
		one := purge.New(0)
		if _, err := one.Accept(scope, []string{item}); err != nil {
			return nil, nil, err
		}
		each = append(each, one)
	}
	return all, each, nil
}
