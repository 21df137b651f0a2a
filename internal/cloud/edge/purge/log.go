// Package purge is the invalidation log of an edge: which cached objects are no longer valid, answered without touching the cache.
//
// Every accepted batch of invalidation items gets the next sequence number.
// An object remembers the number that was current when its origin request started.
// A look-up asks Covered with that number: does any later batch cover this object?
// The object then remembers the number up to which it was checked, so that the next look-up costs one comparison.
//
// It promises: when Accept has returned, every later Covered sees the batch.
// Accepting an item costs the length of the item, a question the length of the object's URI, times a handful of segments;
// neither depends on the number of objects in the cache or of items in the log.
// Memory is bounded: at the limit the log forgets its items and declares every older object covered, which costs origin requests and never a stale answer.
//
// It follows the CloudFront Developer Guide, "Invalidation" and "Invalidation by cache tag" (read 2026-11):
// an item is compared with the bytes of the object's URI as it stands in the cache key.
// Percent-encoding is never decoded, so "/%7Ea" does not cover "/~a"; whether CloudFront equates spellings is unconfirmed.
//
// It leaves out: limits per second and per batch, caller references and the refusal of "~" (the control API's business), and removal of the objects themselves (the edge's).
package purge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Sequence numbers the accepted batches of one log: 1 is the first; 0 stands before all of them.
type Sequence uint64

// DefaultLimit is the memory that a log may use for its items, in bytes, by its own reckoning.
const DefaultLimit = 64 << 20

// maxItemLength is the longest item accepted, in bytes.
const maxItemLength = 4000 // CloudFront Developer Guide, "Specify the objects to invalidate", read 2026-11

// ErrItem is the cause of an error about an item that no invalidation can carry.
var ErrItem = errors.New("invalid invalidation item")

// Log is the purge log. The zero value is not ready: use New. All methods are safe for concurrent use.
type Log struct {
	current  atomic.Uint64 // the newest sequence whose items are all in place
	position atomic.Uint64 // see Position; changed under mu
	limit    int

	mu       sync.RWMutex // guards what follows; held for one Accept, or one look-up that has something to check
	segments []*segment   // oldest first, never empty; the last one is open, the others are sealed
	floor    Sequence     // items up to this number have been forgotten
	journal  Journal      // nil for none
}

// segment holds the items of a range of sequence numbers.
type segment struct {
	newest Sequence // of the batches inside; 0 while empty
	paths  node
	tags   map[string]Sequence
	any    bool // tags has some of AnyScope
	bytes  int
	items  int
}

// New returns an empty log that uses at most limit bytes for its items; 0 means DefaultLimit.
func New(limit int) *Log {
	if limit == 0 {
		limit = DefaultLimit
	}
	return &Log{limit: limit, segments: []*segment{newSegment()}}
}

func newSegment() *segment {
	return &segment{tags: map[string]Sequence{}}
}

// Current is the sequence number of the newest accepted batch; 0 before the first.
// Read it before the origin request starts, and keep it with the object.
func (l *Log) Current() Sequence {
	return Sequence(l.current.Load())
}

// Accept adds one batch and returns its sequence number; when it returns, every later Covered sees the batch.
// An item is a path with a leading slash, a path with a trailing "*" (a prefix), or "#" and a tag.
// Scope names the set of tags that tag items refer to (the tag header); "" means that no object carries tags, and tag items do nothing.
// Items of earlier scopes keep covering the objects tagged under those. AnyScope is all scopes together.
// A batch is taken whole or, with an error that wraps ErrItem, not at all; an empty batch is refused too.
// Any other error is the journal's: the batch is in force, but a restart may forget it; accept it again.
func (l *Log) Accept(scope string, items []string) (Sequence, error) {
	if err := checkAll(items); err != nil {
		return 0, err
	}
	seq := l.accept(Batch{Scope: scope, Items: items})
	return seq, l.settle(seq)
}

// checkAll says whether items can be a batch.
func checkAll(items []string) error {
	if len(items) == 0 {
		return fmt.Errorf("accept batch without items: %w", ErrItem)
	}
	for _, item := range items {
		if err := check(item); err != nil {
			return fmt.Errorf("accept batch: %w", err)
		}
	}
	return nil
}

// accept puts a batch without a number into the log and the journal, unless it has a position that the log has reached.
func (l *Log) accept(b Batch) Sequence {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.Position != 0 {
		if b.Position <= l.Position() {
			return l.Current()
		}
		l.position.Store(b.Position)
	}
	b.Sequence = l.Current() + 1
	l.put(b)
	l.record(b)
	l.current.Store(uint64(b.Sequence))
	return b.Sequence
}

// put puts the items of a batch in place. The caller holds mu.
func (l *Log) put(b Batch) {
	open := l.segments[len(l.segments)-1]
	for _, item := range b.Items {
		if b.Exact {
			open.addPath(item, false, b.Sequence)
		} else {
			open.add(b.Scope, item, b.Sequence)
		}
	}
	if l.size() > l.limit {
		l.collapse(b.Sequence)
	}
}

// AcceptExact adds one batch of URIs, each covering exactly itself: a trailing "*" is no wildcard here.
// It is for invalidations that a viewer's request causes, which must not reach further than the URIs that it names.
func (l *Log) AcceptExact(uris []string) Sequence {
	seq := l.accept(Batch{Exact: true, Items: uris})
	_ = l.settle(seq) // the viewer who caused it has no use for the error
	return seq
}

// check says whether item can be part of a batch.
// spec: cloudfront 1.1, path syntax; 2, tags.
func check(item string) error {
	switch {
	case len(item) > maxItemLength:
		return fmt.Errorf("check item of %d bytes, %d allowed: %w", len(item), maxItemLength, ErrItem)
	case strings.HasPrefix(item, "/"):
		return nil
	case strings.HasPrefix(item, "#") && validTag(item[1:]):
		return nil
	}
	return fmt.Errorf("check item %q: %w", item, ErrItem)
}

// add puts one item into the segment.
func (s *segment) add(scope, item string, seq Sequence) {
	s.newest = seq
	if tag, isTag := strings.CutPrefix(item, "#"); isTag {
		if scope != "" {
			s.any = s.any || scope == AnyScope
			s.addTag(scopedTag(scope, tag), seq)
		}
		return
	}
	// spec: cloudfront 1.1, wildcard: only the very last character is one, elsewhere "*" is itself
	path, isPrefix := strings.CutSuffix(item, "*")
	s.addPath(path, isPrefix, seq)
}

func (s *segment) addPath(path string, isPrefix bool, seq Sequence) {
	s.newest = seq
	grown := s.paths.insert(path, isPrefix, seq)
	s.bytes += grown.bytes
	s.items += grown.items
}

func (s *segment) addTag(key string, seq Sequence) {
	if _, known := s.tags[key]; !known {
		s.bytes += len(key) + tagOverhead
		s.items++
	}
	s.tags[key] = seq
}

// tagOverhead is what one map entry costs beyond its key, in bytes, roughly.
const tagOverhead = 64

// size is the memory of all segments, in bytes. The caller holds mu.
func (l *Log) size() int {
	total := 0
	for _, s := range l.segments {
		total += s.bytes
	}
	return total
}

// collapse forgets every item up to seq: everything older than seq counts as covered. The caller holds mu.
func (l *Log) collapse(seq Sequence) {
	l.segments = []*segment{newSegment()}
	l.floor = seq
}

// Covered says whether a batch later than since covers the object with this URI and these tags (from Tags).
// URI is the path of the cache key as it stands, with "?" and the query if the key has one.
// The second result is the number up to which the question has been answered; an object that is not covered keeps it as its next since.
func (l *Log) Covered(uri string, tags []string, since Sequence) (bool, Sequence) {
	if since >= l.Current() {
		return false, since
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	at := l.Current()
	if since < l.floor {
		return true, at
	}
	for _, s := range slices.Backward(l.segments) {
		if s.newest != 0 && s.newest <= since {
			break
		}
		if s.covers(uri, tags, since) {
			return true, at
		}
	}
	return false, at
}

func (s *segment) covers(uri string, tags []string, since Sequence) bool {
	if s.paths.covers(uri, since) {
		return true
	}
	if len(s.tags) == 0 {
		return false
	}
	return slices.ContainsFunc(tags, func(tag string) bool { return s.tags[tag] > since || s.any && s.tags[unscoped(tag)] > since })
}

// Seal closes the open segment, so that Forget can drop it later, and returns the newest sequence number.
func (l *Log) Seal() Sequence {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.segments[len(l.segments)-1].newest != 0 {
		l.segments = append(l.segments, newSegment())
	}
	return l.Current()
}

// Forget drops sealed segments that hold nothing later than upTo.
// The caller knows that every object, cached or on its way, has been checked up to upTo or started after it;
// an object that is older nevertheless counts as covered from then on.
func (l *Log) Forget(upTo Sequence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.segments)-1 && l.segments[n].newest <= upTo {
		l.floor = max(l.floor, l.segments[n].newest)
		n++
	}
	l.segments = slices.Delete(l.segments, 0, n)
}

// Size tells what the log holds.
type Size struct {
	Items    int // that still count: an item covered by a later prefix of its segment does not
	Bytes    int // used by them, by the log's own reckoning
	Segments int // at least 1
}

// Size returns the log's present size.
func (l *Log) Size() Size {
	l.mu.RLock()
	defer l.mu.RUnlock()
	size := Size{Segments: len(l.segments), Bytes: l.size()}
	for _, s := range l.segments {
		size.Items += s.items
	}
	return size
}
