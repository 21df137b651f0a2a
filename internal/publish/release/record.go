package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// The files right below the prefix of the record.
const (
	currentFile = "current.json"
	journalFile = "journal.json"
	lockFile    = "lock.json"
	readmeFile  = "README.txt"
)

// Record reads and writes the record in one bucket. It is not safe for
// concurrent use by one process, but for the Hold that it gave out; several
// processes are kept apart by the lock and by conditional writes.
type Record struct {
	store  remote.Store
	random io.Reader
	always bool   // writes are unconditional
	prefix string // "" while the bucket has no record
	seen   *State // what Open has read by the way, for the next Read; nil for nothing
}

// Options say how a record is written.
type Options struct {
	// Random names the prefix of a new record and the holders of its lock; nil
	// means crypto/rand.
	Random io.Reader
	// Unconditional writes without conditions, for a store that has none: nothing
	// then keeps two runs apart.
	Unconditional bool
	// Hint is where the record was the last time, as Prefix told; "" where nobody
	// knows. It spares one wait for an answer where the claim still says the same,
	// and is not believed otherwise.
	Hint string
}

// Open finds the record in store. A bucket without one is no error: Read then
// gives the zero State, and Lock or Begin makes the record.
func Open(ctx context.Context, store remote.Store, o Options) (*Record, error) {
	r := &Record{store: store, random: o.Random, always: o.Unconditional}
	if r.random == nil {
		r.random = rand.Reader
	}
	if r.recall(ctx, o.Hint) {
		return r, nil
	}
	prefix, err := r.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("find freshet's record in %s: %w", store, err)
	}
	r.prefix = prefix
	return r, nil
}

// Read gives the record as it stands, the first time as it stood during Open.
func (r *Record) Read(ctx context.Context) (State, error) {
	for tag := ""; ; {
		s, err := r.recalled(ctx)
		if err != nil || s.Current == nil {
			return s, err
		}
		s.Live, err = r.manifest(ctx, s.Current.Release, s.Current.Manifest, s.Current.Objects)
		if err == nil {
			return s, nil
		}
		// Two quick releases without retention trim the manifest of the first.
		if !errors.Is(err, remote.ErrNotFound) || s.pointerTag == tag {
			return State{}, err
		}
		tag = s.pointerTag
	}
}

// recalled is what Open has read, once; then it reads.
func (r *Record) recalled(ctx context.Context) (State, error) {
	if s := r.seen; s != nil {
		r.seen = nil
		return *s, nil
	}
	return r.heads(ctx)
}

// heads reads pointer, journal and lock at once, but not the manifest.
func (r *Record) heads(ctx context.Context) (s State, err error) {
	if r.prefix == "" {
		return s, nil
	}
	var journal *Journal
	g, gctx := crash.WithContext(ctx)
	g.Go(func() (err error) { journal, s.journalTag, err = readJSON[Journal](gctx, r, journalFile); return err })
	g.Go(func() (err error) { s.Current, s.pointerTag, err = readJSON[Pointer](gctx, r, currentFile); return err })
	g.Go(func() (err error) { s.Lock, s.lockTag, err = readJSON[Lock](gctx, r, lockFile); return err })
	if err := g.Wait(); err != nil {
		return State{}, err
	}
	if s.Lock != nil && s.Lock.Free {
		s.Lock = nil
	}
	if journal != nil && journal.presumes() != s.LiveID() {
		// As a rule a release was made between the two reads. A pointer that is
		// read after the journal is never older than it.
		if s.Current, s.pointerTag, err = readJSON[Pointer](ctx, r, currentFile); err != nil {
			return State{}, err
		}
	}
	if journal != nil && !s.finished(journal) {
		s.Journal = journal
	}
	return s, nil
}

// Unchanged reports whether pointer and journal are still those of s: nobody
// else has begun or published anything since it was read.
func (r *Record) Unchanged(ctx context.Context, s State) (bool, error) {
	if r.prefix == "" {
		return s.Same(State{}), nil
	}
	var now State
	g, gctx := crash.WithContext(ctx)
	g.Go(func() (err error) { now.pointerTag, err = r.tag(gctx, currentFile); return err })
	g.Go(func() (err error) { now.journalTag, err = r.tag(gctx, journalFile); return err })
	if err := g.Wait(); err != nil {
		return false, err
	}
	return s.Same(now), nil
}

// Unconditional reports whether writes have no conditions: then nothing but
// Unchanged tells that somebody else has written.
func (r *Record) Unconditional() bool { return r.always }

// PointerUnchanged is Unchanged for the pointer alone. Of the journal Begin makes
// sure, unless the record is Unconditional.
func (r *Record) PointerUnchanged(ctx context.Context, s State) (bool, error) {
	if r.prefix == "" {
		return s.pointerTag == "", nil
	}
	tag, err := r.tag(ctx, currentFile)
	return tag == s.pointerTag, err
}

// tag is the ETag of one file of the record, "" when it is not there.
func (r *Record) tag(ctx context.Context, name string) (string, error) {
	head, err := r.store.Head(ctx, r.key(name))
	if errors.Is(err, remote.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", name, err)
	}
	return head.ETag, nil
}

// unchanged is the condition that an object is still as it was read; "" means
// that it was not there.
func unchanged(tag string) remote.Condition {
	if tag == "" {
		return remote.Condition{Absent: true}
	}
	return remote.Condition{ETag: tag}
}

// refused reports whether a conditional write found something else than
// expected: S3 answers 404 where the object is gone (fact 7.3).
func refused(err error) bool {
	return errors.Is(err, remote.ErrPrecondition) || errors.Is(err, remote.ErrNotFound)
}

func moved(err error) error {
	if refused(err) {
		return fmt.Errorf("%w: %w", ErrMoved, err)
	}
	return err
}

func (r *Record) key(name string) site.Key { return site.Key(r.prefix + name) }

// put writes one file. A write whose condition fails because an earlier try,
// whose answer was lost, has done it already, succeeds.
func (r *Record) put(ctx context.Context, key site.Key, data []byte, cond remote.Condition) (string, error) {
	if r.always {
		cond = remote.Condition{}
	}
	tag, err := r.store.Put(ctx, request(key, data, cond))
	if errors.Is(err, remote.ErrPrecondition) {
		if there, tag, getErr := r.store.Get(ctx, key); getErr == nil && bytes.Equal(there, data) {
			return tag, nil
		}
	}
	if cond != (remote.Condition{}) && errors.Is(err, remote.ErrUnsupported) {
		return "", r.unprotected("refuses conditional writes", err)
	}
	return tag, err
}

func request(key site.Key, data []byte, cond remote.Condition) remote.Put {
	h := site.Headers{ContentType: "application/json", CacheControl: "private, no-store"}
	switch {
	case strings.HasSuffix(string(key), ".zst"):
		h.ContentType = "application/zstd"
	case !strings.HasSuffix(string(key), ".json"):
		h.ContentType = "text/plain; charset=utf-8"
	}
	return remote.Put{Key: key, Size: int64(len(data)), Digest: sha256.Sum256(data), Headers: h, If: cond, Body: bytes.NewReader(data)}
}

func (r *Record) putJSON(ctx context.Context, name string, v any, cond remote.Condition) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", name, err)
	}
	return r.put(ctx, r.key(name), append(data, '\n'), cond)
}

// readJSON reads one versioned file of the record; nil and "" when it is not
// there.
func readJSON[T any](ctx context.Context, r *Record, name string) (*T, string, error) {
	data, tag, err := r.store.Get(ctx, r.key(name))
	if errors.Is(err, remote.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	v := new(T)
	if err := checkVersion(data); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, &damage{err})
	}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, &damage{err})
	}
	return v, tag, nil
}

// damage is a file that was read and cannot be understood.
type damage struct{ err error }

func (d *damage) Error() string { return d.err.Error() }
func (d *damage) Unwrap() error { return d.err }

// checkVersion looks at the version alone: the rest of a newer format may not
// even parse.
func checkVersion(data []byte) error {
	var head struct{ Version int }
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Version != Version {
		return fmt.Errorf("%w: version %d, this one reads %d", ErrVersion, head.Version, Version)
	}
	return nil
}
