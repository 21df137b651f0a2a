package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// claimKey is a fixed key, so that a conditional write of it decides between
// two first publishers.
const claimKey site.Key = site.StatePrefix + "claim"

const readme = "This folder is freshet's record of what it published. Deleting it makes the next deploy adopt the bucket anew.\n"

// noETag is the ETag of no object: an MD5 of zeros.
const noETag = "00000000000000000000000000000000"

// find is the prefix that holds the record, "" for none. More than one prefix
// is there after a race of two first publishers; the claim tells which counts.
// A claim of a prefix that is not listed is as a rule one that was made between
// the two reads, which are made at once: a prefix exists before its claim does,
// so a second listing has it.
func (r *Record) find(ctx context.Context) (string, error) {
	for range 2 {
		dirs, claim, err := r.candidates(ctx)
		if err != nil || len(dirs) == 0 || claim == "" {
			return "", err // whoever made prefixes without a claim never got as far
		}
		for _, dir := range dirs {
			if claim == claimOf(dir) {
				return dir, nil
			}
		}
	}
	return "", fmt.Errorf("%s names a prefix that is gone: somebody deleted part of the record; to start anew delete %s as well", claimKey, claimKey)
}

// candidates are the prefixes that may be the record's, and the claim, "" for
// none. Both are asked for at once; the claim counts where there is a prefix.
func (r *Record) candidates(ctx context.Context) (dirs []string, claim string, err error) {
	var data []byte
	var refusal error
	var both sync.WaitGroup
	both.Go(func() {
		err = crash.Guard(func() (err error) { dirs, err = r.store.Dirs(ctx, "", site.StatePrefix); return err })()
	})
	both.Go(func() {
		refusal = crash.Guard(func() (err error) { data, _, err = r.store.Get(ctx, claimKey); return err })()
	})
	both.Wait()
	if err != nil || len(dirs) == 0 || errors.Is(refusal, remote.ErrNotFound) {
		return dirs, "", err
	}
	return dirs, string(data), refusal
}

// recall looks for the record where it was the last time. The claim tells whether
// that is still the record's prefix, and what lies there is read meanwhile. It is
// the record only where something does: what find says of a claim whose prefix is
// gone is find's to say, and so are failures.
func (r *Record) recall(ctx context.Context, hint string) bool {
	bits, prefixed := strings.CutPrefix(hint, site.StatePrefix)
	bits, slashed := strings.CutSuffix(bits, "/")
	if !prefixed || !slashed || !isHex(bits) {
		return false
	}
	r.prefix = hint
	var s State
	var claim []byte
	g, gctx := crash.WithContext(ctx)
	g.Go(func() (err error) { claim, _, err = r.store.Get(gctx, claimKey); return err })
	g.Go(func() (err error) { s, err = r.heads(gctx); return err })
	if g.Wait() != nil || string(claim) != claimOf(hint) || s.pointerTag+s.journalTag+s.lockTag == "" {
		r.prefix = ""
		return false
	}
	r.seen = &s
	return true
}

// isHex reports whether text is 128 bits in hexadecimal.
func isHex(text string) bool {
	bits, err := hex.DecodeString(text)
	return err == nil && len(bits) == 16
}

// Prefix is where the record is, for the Hint of a later Open; "" while there is
// none. Who knows it can read the record through a CDN in front of the bucket.
func (r *Record) Prefix() string { return r.prefix }

// claimOf tells nothing about a prefix of 128 random bits to who reads it.
func claimOf(prefix string) string {
	return fmt.Sprintf("freshet keeps its record under a prefix with this SHA-256: %x\n", sha256.Sum256([]byte(prefix)))
}

// establish makes the record where there is none.
func (r *Record) establish(ctx context.Context) error {
	if r.prefix != "" {
		return nil
	}
	if err := r.makePrefix(ctx); err != nil {
		return fmt.Errorf("make freshet's record in %s: %w", r.store, err)
	}
	return nil
}

// makePrefix makes the prefix, or finds that of a publisher who was faster. The
// prefix exists before the claim does, so a claim always names something that
// is there.
func (r *Record) makePrefix(ctx context.Context) error {
	mine, err := randomPrefix(r.random)
	if err != nil {
		return err
	}
	marker := site.Key(mine + readmeFile)
	write := func(key site.Key, text string, cond remote.Condition) error {
		return patient(ctx, func(ctx context.Context) error { _, err := r.put(ctx, key, []byte(text), cond); return err })
	}
	if err := write(marker, readme, remote.Condition{}); err != nil {
		return err
	}
	if err := r.probe(ctx, marker); err != nil {
		if errors.Is(err, remote.ErrUnsupported) {
			err = errors.Join(err, r.store.Delete(ctx, []site.Key{marker}))
		}
		return err
	}
	err = write(claimKey, claimOf(mine), remote.Condition{Absent: true})
	if err == nil {
		r.prefix = mine
		return nil
	}
	if !errors.Is(err, remote.ErrPrecondition) {
		return err
	}
	return r.follow(ctx, mine, marker)
}

// follow takes over the prefix of the publisher whose claim was there first.
func (r *Record) follow(ctx context.Context, mine string, marker site.Key) error {
	var theirs string
	if err := patient(ctx, func(ctx context.Context) (err error) { theirs, err = r.find(ctx); return err }); err != nil {
		return err
	}
	if theirs == "" {
		return fmt.Errorf("%s was there and is gone: somebody is deleting the record", claimKey)
	}
	r.prefix = theirs
	if theirs == mine {
		return nil // the claim's answer was lost
	}
	return patient(ctx, func(ctx context.Context) error { return r.store.Delete(ctx, []site.Key{marker}) })
}

// randomPrefix makes ".freshet-<128 random bits>/".
func randomPrefix(random io.Reader) (string, error) {
	bits, err := randomHex(random)
	if err != nil {
		return "", fmt.Errorf("make a state prefix: %w", err)
	}
	return site.StatePrefix + bits + "/", nil
}

// randomHex is 128 random bits in hexadecimal.
func randomHex(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// Probe fails with ErrUnprotected where the store ignores or refuses conditional
// writes, and as any write does where the rights are missing. It changes
// nothing: what it writes over README.txt is README.txt, and without a record
// it writes one of its own and deletes it again. With Options.Unconditional it
// does nothing. Lock and Begin probe by themselves.
func (r *Record) Probe(ctx context.Context) error {
	if r.prefix != "" || r.always {
		return r.probe(ctx, r.key(readmeFile))
	}
	prefix, err := randomPrefix(r.random)
	if err != nil {
		return err
	}
	marker := site.Key(prefix + readmeFile)
	if err := patient(ctx, func(ctx context.Context) error {
		_, err := r.put(ctx, marker, []byte(readme), remote.Condition{})
		return err
	}); err != nil {
		return err
	}
	return errors.Join(r.probe(ctx, marker), patient(ctx, func(ctx context.Context) error { return r.store.Delete(ctx, []site.Key{marker}) }))
}

// Readme is the key of the record's README.txt, "" while there is no record.
// Viewers who know it can read it unless something in front of the bucket hides
// the record.
func (r *Record) Readme() site.Key {
	if r.prefix == "" {
		return ""
	}
	return r.key(readmeFile)
}

// probe tries both conditions, since there are stores that know only one, on
// an object that is there: both writes must be refused (fact 7.3).
func (r *Record) probe(ctx context.Context, marker site.Key) error {
	if r.always {
		return nil
	}
	g, gctx := crash.WithContext(ctx)
	g.Go(func() error {
		return r.mustRefuse(gctx, "If-None-Match", request(marker, []byte(readme), remote.Condition{Absent: true}))
	})
	g.Go(func() error {
		return r.mustRefuse(gctx, "If-Match", request(marker, []byte(readme), remote.Condition{ETag: noETag}))
	})
	return g.Wait()
}

// mustRefuse tries a write that must be refused. The first one may succeed: it
// does where somebody deleted the object.
func (r *Record) mustRefuse(ctx context.Context, header string, put remote.Put) error {
	for range 2 {
		err := patient(ctx, func(ctx context.Context) error {
			if _, err := put.Body.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := r.store.Put(ctx, put)
			return err
		})
		switch {
		case refused(err):
			return nil
		case errors.Is(err, remote.ErrUnsupported):
			return r.unprotected("refuses conditional writes ("+header+")", err)
		case err != nil:
			return fmt.Errorf("try a conditional write: %w", err)
		}
	}
	return r.unprotected("ignores conditional writes ("+header+")", remote.ErrUnsupported)
}

// unprotected is the error about a store that ignores or refuses conditional
// writes.
func (r *Record) unprotected(verb string, err error) error {
	return fmt.Errorf("%s %s: %w: %w", r.store, verb, ErrUnprotected, err)
}
