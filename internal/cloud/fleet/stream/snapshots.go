package stream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	partSize  = 512 << 10 // bytes of a snapshot in one message
	partBatch = 4         // parts asked for at once

	// partsWait bounds how long a part is waited for: longer than an election. Who reads then looks for a newer snapshot.
	partsWait = 15 * time.Second
)

// head is the record that names the newest snapshot.
type head struct {
	Version  int    `json:"version"` // headVersion
	Sequence uint64 `json:"sequence"`
	ID       string `json:"id"`
	First    uint64 `json:"first"` // positions of its first and last part in the stream; 0 where it is empty
	Last     uint64 `json:"last"`
	Size     int64  `json:"size_bytes"`
	SHA256   []byte `json:"sha256"`

	at uint64 // the record's own position; 0 where there is none
}

const headVersion = 1

// Put implements fleet.Snapshots. The parts come first, then the record that names them, in place of the one that was
// there when Put began: if another was put meanwhile, this one is given up, with an error unless that one is as new.
//
// The snapshot before stays, for whoever is reading it; what is older goes. A Put that is overtaken by two others may lose
// parts to their tidying: then its record is refused too.
func (e *Engine) Put(ctx context.Context, sequence uint64, state io.Reader) error {
	before, err := e.head(ctx)
	if err != nil {
		return err
	}
	h := head{Version: headVersion, Sequence: sequence, ID: rand.Text()}
	if err := e.putParts(ctx, &h, state); err != nil {
		return err
	}
	overtaken, err := e.putHead(ctx, h, before)
	if err != nil || overtaken {
		return err // the parts go with the next Put; to drop what stands before them would drop the other's
	}
	keep := before.First
	if h.First != 0 && (keep == 0 || h.First < keep) {
		keep = h.First
	}
	return e.purge(ctx, keep)
}

// putParts stores the parts, and notes in h where.
func (e *Engine) putParts(ctx context.Context, h *head, state io.Reader) error {
	sum, part := sha256.New(), make([]byte, partSize)
	for number := 0; ; number++ {
		n, err := io.ReadFull(state, part)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read the state to put: %w", err)
		}
		if n > 0 {
			if err := e.putPart(ctx, h, number, part[:n]); err != nil {
				return err
			}
			sum.Write(part[:n])
			h.Size += int64(n)
		}
		if err != nil {
			h.SHA256 = sum.Sum(nil)
			return nil
		}
	}
}

func (e *Engine) putPart(ctx context.Context, h *head, number int, data []byte) error {
	return e.try(ctx, "put a snapshot", func(ctx context.Context) error {
		at, err := e.publish(ctx, message(snapshotPart+h.ID, data, headerID, h.ID+"."+strconv.Itoa(number)))
		if err == nil {
			h.Last = at
			if h.First == 0 {
				h.First = at
			}
		}
		return err
	})
}

// putHead puts h in place of the record before, unless it was overtaken by another that is as new.
func (e *Engine) putHead(ctx context.Context, h, before head) (overtaken bool, err error) {
	data, err := json.Marshal(h)
	if err != nil {
		return false, fmt.Errorf("put a snapshot: %w", err)
	}
	err = e.try(ctx, "put a snapshot", func(ctx context.Context) error {
		_, err := e.publish(ctx, message(snapshotHead, data, headerID, h.ID, headerRollup, "sub",
			headerLastOf, strconv.FormatUint(before.at, 10)))
		if !outdated(err) {
			return err
		}
		cause := err
		now, err := e.headOnce(ctx)
		switch {
		case err != nil:
			return err
		case now.at <= before.at:
			return fmt.Errorf("%w: %w", errAgain, cause)
		case now.ID == h.ID: // the answer was lost
			return nil
		case now.Sequence >= h.Sequence:
			overtaken = true
			return nil
		}
		return fmt.Errorf("another was put meanwhile, of entry %d", now.Sequence)
	})
	return overtaken, err
}

// purge drops what stands before a position of the stream, but for the newest record; 0 drops nothing.
func (e *Engine) purge(ctx context.Context, before uint64) error {
	if before == 0 {
		return nil
	}
	return e.try(ctx, "drop old snapshots", func(ctx context.Context) error {
		return e.call(ctx, apiPurge+snapshotStream, map[string]any{"seq": before, "filter": snapshotPart + "*"}, &struct{}{})
	})
}

// head reads the record of the newest snapshot; zero where there is none.
func (e *Engine) head(ctx context.Context) (h head, err error) {
	err = e.try(ctx, "find the newest snapshot", func(ctx context.Context) (err error) {
		h, err = e.headOnce(ctx)
		return err
	})
	return h, err
}

func (e *Engine) headOnce(ctx context.Context) (h head, err error) {
	m, err := e.newest(ctx, snapshotStream, snapshotHead)
	if absent(err) {
		return head{}, nil
	}
	if err != nil {
		return head{}, err
	}
	if header := m.header(); header.Get(headerRollup) == "" || header.Get(headerID) == "" {
		// An answer that an edge had sent here: the next Put replaces it. What putHead writes says that it takes the place of the one before.
		e.log.Warn("the newest snapshot's record was not written as one", "position", m.Sequence)
		return head{at: m.Sequence}, nil
	}
	if err := json.Unmarshal(m.Data, &h); err != nil {
		return head{}, fmt.Errorf("parse the newest snapshot's record: %w", err)
	}
	if h.Version != headVersion {
		return head{}, fmt.Errorf("the newest snapshot has version %d; this program knows %d", h.Version, headVersion)
	}
	h.at = m.Sequence
	return h, nil
}

// Get implements fleet.Snapshots. The state must be read before ctx ends. Its last Read fails where bytes are missing or
// wrong, also where two newer snapshots replaced it meanwhile: then Get it anew.
func (e *Engine) Get(ctx context.Context) (uint64, io.ReadCloser, error) {
	h, err := e.head(ctx)
	if err != nil {
		return 0, nil, err
	}
	return h.Sequence, &parts{ctx: ctx, e: e, h: h, next: h.First, sum: sha256.New()}, nil
}

// parts reads a snapshot.
type parts struct {
	ctx  context.Context // of Get: reading goes on with what Get began
	e    *Engine
	h    head
	next uint64 // position after the last part that was fetched
	size int64  // bytes fetched
	have bytes.Buffer
	sum  hash.Hash
}

// Read implements io.Reader.
func (p *parts) Read(out []byte) (int, error) {
	for p.have.Len() == 0 {
		if p.size >= p.h.Size {
			return 0, p.check()
		}
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
	return p.have.Read(out)
}

// check is io.EOF where everything came as it was put.
func (p *parts) check() error {
	if p.size != p.h.Size || p.h.SHA256 != nil && !bytes.Equal(p.sum.Sum(nil), p.h.SHA256) {
		return fmt.Errorf("read the snapshot of entry %d: its bytes are not those that were put", p.h.Sequence)
	}
	return io.EOF
}

// fill fetches further parts.
func (p *parts) fill() error {
	ctx, cancel := context.WithTimeout(p.ctx, partsWait)
	defer cancel()
	return p.e.try(ctx, "read a snapshot", func(ctx context.Context) error {
		want := page{Sequence: p.next, Subject: snapshotPart + p.h.ID, Messages: partBatch, Bytes: partBatch * partSize}
		next, _, err := p.e.fetchPage(ctx, snapshotStream, want, func(at uint64, m *nats.Msg) error {
			if at > p.h.Last { // none of its parts
				return nil
			}
			p.have.Write(m.Data)
			p.sum.Write(m.Data)
			p.size += int64(len(m.Data))
			return nil
		})
		came := next > p.next
		p.next = next
		if err != nil || came {
			return err
		}
		return p.missing(ctx)
	})
}

// missing says why a part does not come: a node that is behind will have it; a part that was dropped stays away.
func (p *parts) missing(ctx context.Context) error {
	now, err := p.e.headOnce(ctx)
	if err != nil {
		return err
	}
	if now.at != p.h.at {
		return fmt.Errorf("the snapshot of entry %d was replaced while it was read", p.h.Sequence)
	}
	return errAgain
}

// Close implements io.Closer.
func (p *parts) Close() error { return nil }
