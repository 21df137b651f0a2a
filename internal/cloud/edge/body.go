package edge

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
)

// passWindow is how much of a body that is not kept is in memory at a time, in bytes.
const passWindow = 1 << 20

// errNoReader ends a fill that nobody reads and nothing keeps.
var errNoReader = errors.New("no viewer is left")

// body is a response body on its way: one writer, any number of readers, each at its own speed.
// Normally it holds all bytes from the first. Once passing, it holds a window only: the writer then waits for the slowest reader.
type body struct {
	mu      sync.Mutex // guards what follows; never held while waiting
	buf     []byte     // bytes from base on; what lies below len is never changed
	base    int64
	passing bool
	over    bool
	err     error // with over: why the body ended early; nil for its end
	readers map[*bodyReader]struct{}
	changed chan struct{} // closed at the next change; nil while nobody waits
}

func newBody() *body {
	return &body{readers: map[*bodyReader]struct{}{}}
}

// wake tells everybody who waits to look again. The caller holds mu.
func (b *body) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// wait returns a channel that the next change closes. The caller holds mu.
func (b *body) wait() <-chan struct{} {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// room returns free space for the writer to read into. While passing it first waits until the window has space.
func (b *body) room(ctx context.Context) ([]byte, error) {
	for {
		b.mu.Lock()
		if !b.passing || len(b.buf) < passWindow {
			break
		}
		if len(b.readers) == 0 {
			b.mu.Unlock()
			return nil, errNoReader
		}
		if b.forget() {
			b.mu.Unlock()
			continue
		}
		changed := b.wait()
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer b.mu.Unlock()
	if cap(b.buf) == len(b.buf) {
		b.buf = slices.Grow(b.buf, max(4096, min(len(b.buf), 1<<20)))
	}
	return b.buf[len(b.buf):cap(b.buf)], nil
}

// forget drops the bytes that every reader has taken and says whether there were any. The caller holds mu.
func (b *body) forget() bool {
	slowest := b.base + int64(len(b.buf))
	for r := range b.readers {
		slowest = min(slowest, r.off)
	}
	if slowest == b.base {
		return false
	}
	b.buf = slices.Clone(b.buf[slowest-b.base:])
	b.base = slowest
	return true
}

// reserve makes room for n bytes at once, before the first.
func (b *body) reserve(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = make([]byte, 0, n)
}

// commit adds the n bytes that the writer has read into room, and returns the length so far.
func (b *body) commit(n int) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = b.buf[:len(b.buf)+n]
	b.wake()
	return b.base + int64(len(b.buf))
}

// pass stops keeping bytes that every reader has taken.
func (b *body) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passing = true
}

// isPassing says whether bytes are being dropped.
func (b *body) isPassing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passing
}

// whole returns the bytes of a body that was kept, and those of the last that are read but not committed, without spare memory.
func (b *body) whole(last int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.buf[:len(b.buf)+last]
	if cap(all)-len(all) > len(all)/8 {
		return slices.Clone(all)
	}
	return all
}

// finish ends the body: err is nil at its proper end.
func (b *body) finish(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over, b.err = true, err
	b.wake()
}

// source is a response body that arrives piece by piece.
type source interface {
	// next returns the next bytes, waiting for them if need be, or io.EOF at the proper end.
	// The bytes are valid until the next call.
	next(ctx context.Context) ([]byte, error)
	// ready says whether next would return at once.
	ready() bool
}

// bodyReader is one reader's place in a body.
type bodyReader struct {
	b     *body
	off   int64 // bytes taken and done with; guarded by b.mu
	taken int   // bytes given out by the last next
}

var _ source = (*bodyReader)(nil)

// attach adds a reader at the start of the body.
func (b *body) attach() *bodyReader {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &bodyReader{b: b}
	b.readers[r] = struct{}{}
	return r
}

// close takes the reader away, so that nobody waits for it.
func (r *bodyReader) close() {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	delete(r.b.readers, r)
	r.b.wake()
}

func (r *bodyReader) next(ctx context.Context) ([]byte, error) {
	for {
		p, changed, err := r.poll()
		if changed == nil {
			return p, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// poll returns what there is, or a channel to wait on.
func (r *bodyReader) poll() (p []byte, changed <-chan struct{}, err error) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.taken > 0 {
		r.off += int64(r.taken)
		r.taken = 0
		if r.b.passing {
			r.b.wake()
		}
	}
	if p := r.b.buf[r.off-r.b.base:]; len(p) > 0 {
		r.taken = len(p)
		return p, nil, nil
	}
	if !r.b.over {
		return nil, r.b.wait(), nil
	}
	if r.b.err != nil {
		return nil, nil, r.b.err
	}
	return nil, nil, io.EOF
}

func (r *bodyReader) ready() bool {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.b.over || r.off+int64(r.taken) < r.b.base+int64(len(r.b.buf))
}
