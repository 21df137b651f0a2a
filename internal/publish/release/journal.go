package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// Begin writes the journal: from here on nothing is forgotten. It fails with
// ErrMoved if another run wrote its journal since s was read, be it closed or
// not. The returned State carries the journal. A repeat is safe.
func (r *Record) Begin(ctx context.Context, s State, j Journal) (State, error) {
	if err := r.establish(ctx); err != nil {
		return s, err
	}
	j.Closed = false
	return r.writeJournal(ctx, s, j)
}

func (r *Record) writeJournal(ctx context.Context, s State, j Journal) (State, error) {
	j.Version = Version
	data, err := encodeJournal(j)
	if err != nil {
		return s, err
	}
	tag, err := r.put(ctx, r.key(journalFile), data, unchanged(s.journalTag))
	if err != nil {
		return s, fmt.Errorf("write the journal: %w", moved(err))
	}
	s.Journal, s.journalTag = &j, tag
	return s, nil
}

// Store is StoreManifest and Mark.
func (r *Record) Store(ctx context.Context, s State, m Manifest) (State, error) {
	s, err := r.StoreManifest(ctx, s, m)
	if err != nil {
		return s, err
	}
	return r.Mark(ctx, s)
}

// StoreManifest stores the file of the manifest m, which nothing names yet, unless
// the open journal says that it is stored. A repeat is safe.
func (r *Record) StoreManifest(ctx context.Context, s State, m Manifest) (State, error) {
	if s.Journal == nil {
		return s, fmt.Errorf("store the manifest of release %s: no journal is open", m.Release)
	}
	data, err := encodeManifest(m)
	if err != nil {
		return s, err
	}
	digest := site.Digest(sha256.Sum256(data))
	if !s.stored(m.Release, digest) {
		if err := r.storeManifest(ctx, m.Release, data); err != nil {
			return s, err
		}
	}
	s.file = digest
	return s, nil
}

// Mark marks the open journal with the manifest that StoreManifest has stored: from
// here on the release can be finished by whoever reads the record. It fails with
// ErrMoved if another run has taken the journal over. A repeat is safe.
func (r *Record) Mark(ctx context.Context, s State) (State, error) {
	if s.Journal == nil || s.file.IsZero() {
		return s, errors.New("mark the journal: no manifest is stored")
	}
	if s.Journal.Manifest == s.file {
		return s, nil
	}
	j := *s.Journal
	j.Manifest = s.file
	return r.writeJournal(ctx, s, j)
}

// stored reports whether the file with the digest is stored as the manifest of the
// release id: the open journal says so, or it was this run that did it.
func (s State) stored(id ID, digest site.Digest) bool {
	return s.Journal != nil && s.Journal.Release == id && (s.Journal.Manifest == digest || s.file == digest)
}

// Pending is the stored manifest of the run whose journal is open, which has
// uploaded everything: Journal.Manifest is not zero.
func (r *Record) Pending(ctx context.Context, s State) (Manifest, error) {
	if s.Journal == nil {
		return Manifest{}, errors.New("no run is open")
	}
	if s.Journal.Manifest.IsZero() {
		return Manifest{}, fmt.Errorf("the run that makes release %s was interrupted before it had uploaded everything", s.Journal.Release)
	}
	return r.manifest(ctx, s.Journal.Release, s.Journal.Manifest, 0)
}

// Commit moves the pointer to the manifest m, whose file it stores unless
// StoreManifest has done so. took is how long the run took. It fails with ErrMoved, and the
// pointer stays, if another run moved it since s was read. A repeat with the
// same values is safe.
func (r *Record) Commit(ctx context.Context, s State, m Manifest, took time.Duration) (State, error) {
	digest, err := manifestDigest(m)
	if err != nil {
		return s, err
	}
	if !s.stored(m.Release, digest) {
		data, err := encodeManifest(m)
		if err != nil {
			return s, err
		}
		if err := r.storeManifest(ctx, m.Release, data); err != nil {
			return s, err
		}
	}
	p := Pointer{
		Version: Version, Release: m.Release, Number: m.Number, Previous: s.LiveID(),
		Manifest: digest, Created: m.Created, Objects: m.Site.Len(), Bytes: m.Site.Bytes(), Revision: m.About.Revision,
		Seconds: took.Seconds(),
		Month:   monthOf(m.Created), Paths: s.Current.PathsIn(m.Created) + m.About.Paths,
	}
	if s, err = r.movePointer(ctx, s, p); err != nil {
		return s, err
	}
	s.Live = m
	return s, nil
}

// Note moves the pointer to the same release under another revision: what was
// built from it is what is live already. It fails with ErrMoved if another run
// moved the pointer since s was read. A repeat is safe.
func (r *Record) Note(ctx context.Context, s State, rev *Revision) (State, error) {
	if s.Current == nil {
		return s, errors.New("note a revision: nothing has been published yet")
	}
	p := *s.Current
	p.Revision = rev
	return r.movePointer(ctx, s, p)
}

func (r *Record) movePointer(ctx context.Context, s State, p Pointer) (State, error) {
	tag, err := r.putJSON(ctx, currentFile, p, unchanged(s.pointerTag))
	if err != nil {
		return s, fmt.Errorf("move the pointer to release %s: %w", p.Release, moved(err))
	}
	s.Current, s.pointerTag = &p, tag
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
