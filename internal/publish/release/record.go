package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// claimKey is a fixed key, so that a conditional write of it decides between
// two first publishers.
const claimKey site.Key = site.StatePrefix + "claim"

// Record reads and writes the record in one bucket. It is not safe for
// concurrent use by one process; several processes are kept apart by
// conditional writes.
type Record struct {
	store  remote.Store
	random io.Reader
	prefix string // "" while the bucket has no record
}

// Open finds the record in store. A bucket without one is no error: Read then
// gives the zero State, and Begin makes the record.
func Open(ctx context.Context, store remote.Store, random io.Reader) (*Record, error) {
	r := &Record{store: store, random: random}
	prefix, err := r.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("find freshet's record in %s: %w", store, err)
	}
	r.prefix = prefix
	return r, nil
}

// find is the prefix that holds the record, "" for none. More than one prefix
// is there after a race of two first publishers; the claim tells which counts.
func (r *Record) find(ctx context.Context) (string, error) {
	dirs, err := r.store.Dirs(ctx, "", site.StatePrefix)
	if err != nil || len(dirs) == 0 {
		return "", err
	}
	claim, _, err := r.store.Get(ctx, claimKey)
	if errors.Is(err, remote.ErrNotFound) {
		return "", nil // whoever made these never got as far as the claim
	}
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		if string(claim) == claimOf(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s names a prefix that is gone: somebody deleted part of the record; to start anew delete %s as well", claimKey, claimKey)
}

// claimOf tells nothing about a prefix of 128 random bits to who reads it.
func claimOf(prefix string) string {
	return fmt.Sprintf("freshet keeps its record under a prefix with this SHA-256: %x\n", sha256.Sum256([]byte(prefix)))
}

// establish makes the prefix. The prefix exists before the claim does, so a
// claim always names something that is there.
func (r *Record) establish(ctx context.Context) error {
	if r.prefix != "" {
		return nil
	}
	mine, err := randomPrefix(r.random)
	if err != nil {
		return err
	}
	marker := site.Key(mine + "README.txt")
	const readme = "This folder is freshet's record of what it published. Deleting it makes the next deploy adopt the bucket anew.\n"
	if _, err := r.put(ctx, marker, []byte(readme), remote.Condition{}); err != nil {
		return err
	}
	_, err = r.put(ctx, claimKey, []byte(claimOf(mine)), remote.Condition{Absent: true})
	if err == nil {
		r.prefix = mine
		return nil
	}
	if !errors.Is(err, remote.ErrPrecondition) {
		return err
	}
	theirs, err := r.find(ctx)
	if err != nil {
		return err
	}
	if theirs == "" {
		return fmt.Errorf("%s was there and is gone: somebody is deleting the record", claimKey)
	}
	r.prefix = theirs
	if theirs == mine {
		return nil // the claim's answer was lost
	}
	return r.store.Delete(ctx, []site.Key{marker})
}

// Read gives the record as it stands.
func (r *Record) Read(ctx context.Context) (State, error) {
	var s State
	if r.prefix == "" {
		return s, nil
	}
	journal, tag, err := readJSON[Journal](ctx, r, "journal.json")
	if err != nil {
		return State{}, err
	}
	s.journalTag = tag
	pointer, tag, err := readJSON[Pointer](ctx, r, "current.json")
	if err != nil {
		return State{}, err
	}
	s.Current, s.pointerTag = pointer, tag
	if journal != nil && !s.finished(journal) {
		s.Journal = journal
	}
	if pointer == nil {
		return s, nil
	}
	s.Live, err = r.manifest(ctx, pointer.Release, pointer.Manifest)
	return s, err
}

func (r *Record) manifest(ctx context.Context, id ID, want site.Digest) (Manifest, error) {
	key := r.manifestKey(id)
	data, _, err := r.store.Get(ctx, key)
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of release %s: %w", id, err)
	}
	if got := site.Digest(sha256.Sum256(data)); got != want {
		return Manifest{}, fmt.Errorf("the manifest of release %s is damaged: its SHA-256 is %s, not %s", id, got.Short(), want.Short())
	}
	m, err := decodeManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of release %s: %w", id, err)
	}
	return m, nil
}

// Begin writes the journal: from here on nothing is forgotten. It fails with
// ErrMoved if another run wrote its journal since s was read, be it closed or
// not. The returned State carries the journal. A repeat is safe.
func (r *Record) Begin(ctx context.Context, s State, j Journal) (State, error) {
	if err := r.establish(ctx); err != nil {
		return s, fmt.Errorf("make freshet's record in %s: %w", r.store, err)
	}
	j.Closed = false
	return r.writeJournal(ctx, s, j)
}

func (r *Record) writeJournal(ctx context.Context, s State, j Journal) (State, error) {
	j.Version = Version
	tag, err := r.putJSON(ctx, "journal.json", j, unchanged(s.journalTag))
	if err != nil {
		return s, fmt.Errorf("write the journal: %w", moved(err))
	}
	s.Journal, s.journalTag = &j, tag
	return s, nil
}

// Commit stores the manifest m and moves the pointer to it. It fails with
// ErrMoved, and the pointer stays, if another run moved it since s was read. A
// repeat is safe.
func (r *Record) Commit(ctx context.Context, s State, m Manifest) (State, error) {
	data, err := encodeManifest(m)
	if err != nil {
		return s, err
	}
	if _, err := r.put(ctx, r.manifestKey(m.Release), data, remote.Condition{}); err != nil {
		return s, fmt.Errorf("store the manifest of release %s: %w", m.Release, err)
	}
	p := Pointer{
		Version: Version, Release: m.Release, Number: m.Number, Previous: s.LiveID(),
		Manifest: sha256.Sum256(data), Created: m.Created, Objects: m.Site.Len(), Bytes: m.Site.Bytes(),
		Month: monthOf(m.Created), Paths: s.Current.PathsIn(m.Created) + m.Paths,
	}
	tag, err := r.putJSON(ctx, "current.json", p, unchanged(s.pointerTag))
	if err != nil {
		return s, fmt.Errorf("move the pointer to release %s: %w", m.Release, moved(err))
	}
	s.Current, s.Live, s.pointerTag = &p, m, tag
	return s, nil
}

// Close closes the journal: everything in it has happened. It fails with
// ErrMoved if another run has taken the journal over. A repeat is safe.
func (r *Record) Close(ctx context.Context, s State) (State, error) {
	if s.Journal == nil {
		return s, nil
	}
	j := s.Journal
	s, err := r.writeJournal(ctx, s, Journal{
		Release: j.Release, Number: j.Number, Base: j.Base, Started: j.Started, Writer: j.Writer, Site: j.Site, Closed: true,
	})
	if err != nil {
		return s, fmt.Errorf("close the journal: %w", err)
	}
	s.Journal = nil
	return s, nil
}

// unchanged is the condition that an object is still as it was read; "" means
// that it was not there.
func unchanged(tag string) remote.Condition {
	if tag == "" {
		return remote.Condition{Absent: true}
	}
	return remote.Condition{ETag: tag}
}

func moved(err error) error {
	if errors.Is(err, remote.ErrPrecondition) || errors.Is(err, remote.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrMoved, err)
	}
	return err
}

func (r *Record) key(name string) site.Key { return site.Key(r.prefix + name) }

func (r *Record) manifestKey(id ID) site.Key {
	return r.key("releases/" + string(id) + "/manifest.json.zst")
}

func (r *Record) put(ctx context.Context, key site.Key, data []byte, cond remote.Condition) (string, error) {
	h := site.Headers{ContentType: "application/json", CacheControl: "private, no-store"}
	switch {
	case strings.HasSuffix(string(key), ".zst"):
		h.ContentType = "application/zstd"
	case !strings.HasSuffix(string(key), ".json"):
		h.ContentType = "text/plain; charset=utf-8"
	}
	tag, err := r.store.Put(ctx, remote.Put{
		Key: key, Size: int64(len(data)), Digest: sha256.Sum256(data), Headers: h, If: cond, Body: bytes.NewReader(data),
	})
	if errors.Is(err, remote.ErrPrecondition) {
		// A repeat of our own write, whose answer was lost, finds its own bytes.
		if there, tag, getErr := r.store.Get(ctx, key); getErr == nil && bytes.Equal(there, data) {
			return tag, nil
		}
	}
	return tag, err
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
	if err := checkVersion(data); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	return v, tag, nil
}

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
