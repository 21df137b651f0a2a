package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/freshet/freshet/internal/durable"
)

// Limits of multipart uploads.
// spec: S3 7.7
const (
	maxParts    = 10_000
	minPartSize = 5 << 20 // bytes, of every part but the last
)

// doneMemory is how long a finished upload can be completed again with the same answer.
const doneMemory = 24 * time.Hour

// upload is an upload in progress.
type upload struct {
	ID        string            `json:"-"`
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	Initiated int64             `json:"initiated"` // Unix milliseconds
	Headers   map[string]string `json:"headers,omitempty"`
	Algorithm string            `json:"algorithm,omitempty"` // of the checksum; "" for none
	Type      string            `json:"type,omitempty"`      // FULL_OBJECT or COMPOSITE
}

// part is one part of an upload.
type part struct {
	Number   int       `json:"-"`
	Size     int64     `json:"size"`
	MD5      string    `json:"md5"`
	Modified int64     `json:"modified"` // Unix milliseconds
	Checksum *checksum `json:"checksum,omitempty"`
	File     string    `json:"file"` // name in the folder of the upload
}

// finished is what a repeated completion answers.
type finished struct {
	Bucket   string    `json:"bucket"`
	Key      string    `json:"key"`
	ETag     string    `json:"etag"`
	Checksum *checksum `json:"checksum,omitempty"`
	At       int64     `json:"at"` // Unix milliseconds
}

// beginUpload starts an upload and gives it an ID that nobody can guess.
func (s *Store) beginUpload(ctx context.Context, u upload) (string, error) {
	id := rand.Text()
	u.Initiated = s.opts.Now().UnixMilli()
	v, err := json.Marshal(u)
	if err != nil {
		return "", fmt.Errorf("begin upload of %s: %w", u.Key, err)
	}
	err = s.commit(ctx, func(tx *bolt.Tx) error {
		return writeCondition{}.checkIn(tx, u.Bucket, u.Key)
	}, func(b *batch) error {
		return b.tx.Bucket(tableUploads).Put([]byte(id), v)
	})
	if err != nil {
		return "", fmt.Errorf("begin upload of %s: %w", u.Key, err)
	}
	return id, nil
}

// findUpload reads an upload in progress. The error is errNoSuchUpload when the
// ID is not known for this bucket and key.
func findUpload(tx *bolt.Tx, bucket, key, id string) (*upload, error) {
	v := tx.Bucket(tableUploads).Get([]byte(id))
	if v == nil {
		return nil, errNoSuchUpload
	}
	u := &upload{ID: id}
	if err := json.Unmarshal(v, u); err != nil {
		return nil, fmt.Errorf("decode upload %s: %w", id, err)
	}
	if u.Bucket != bucket || u.Key != key {
		return nil, errNoSuchUpload
	}
	return u, nil
}

// upload reads an upload in progress.
func (s *Store) upload(ctx context.Context, bucket, key, id string) (*upload, error) {
	var out *upload
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		out, err = findUpload(tx, bucket, key, id)
		return err
	})
	return out, err
}

// putPart makes the staged body part number n of an upload, in place of one
// that had the number before. The body is used up or discarded.
func (s *Store) putPart(ctx context.Context, u *upload, n int, body staged, sum *checksum) (*part, error) {
	p := &part{
		Number: n, Size: body.size, MD5: hex.EncodeToString(body.md5[:]),
		Modified: s.opts.Now().UnixMilli(), Checksum: sum, File: partFileName(n, rand.Text()),
	}
	if err := s.placePart(u.ID, p, body); err != nil {
		body.discard()
		return nil, fmt.Errorf("put part %d of %s: %w", n, u.Key, err)
	}
	v, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("put part %d of %s: %w", n, u.Key, err)
	}
	err = s.commit(ctx, func(tx *bolt.Tx) error {
		_, err := findUpload(tx, u.Bucket, u.Key, u.ID)
		return err
	}, func(b *batch) error {
		old, err := findPart(b.tx, u.ID, n)
		if err != nil {
			return err
		}
		if old != nil {
			b.gone = append(b.gone, b.bodies.partPath(u.ID, old.File))
		}
		return b.tx.Bucket(tableParts).Put(partKey(u.ID, n), v)
	})
	if err != nil {
		_ = removeFile(s.bodies.partPath(u.ID, p.File))
		return nil, fmt.Errorf("put part %d of %s: %w", n, u.Key, err)
	}
	return p, nil
}

// placePart writes the file of a part; the sweep at Open removes it if the
// index never comes to name it.
func (s *Store) placePart(id string, p *part, body staged) error {
	path := s.bodies.partPath(id, p.File)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	switch {
	case body.temp == "" && s.bodies.sync:
		return durable.WriteFile(path, body.inline, 0o600)
	case body.temp == "":
		return os.WriteFile(path, body.inline, 0o600)
	}
	if err := os.Rename(body.temp, path); err != nil || !s.bodies.sync {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// partFileName is unique for each arrival of a part.
func partFileName(n int, unique string) string { return strconv.Itoa(n) + "-" + unique }

// partKey orders the parts of an upload by number.
func partKey(id string, n int) []byte {
	return binary.BigEndian.AppendUint16([]byte(id+"/"), uint16(n))
}

func findPart(tx *bolt.Tx, id string, n int) (*part, error) {
	v := tx.Bucket(tableParts).Get(partKey(id, n))
	if v == nil {
		return nil, nil
	}
	return decodePart(n, v)
}

func decodePart(n int, v []byte) (*part, error) {
	p := &part{Number: n}
	if err := json.Unmarshal(v, p); err != nil {
		return nil, fmt.Errorf("decode part %d: %w", n, err)
	}
	return p, nil
}

// namesPart reports whether the index names the part file at ID/N-unique.
func namesPart(tx *bolt.Tx, rel string) bool {
	id, file, _ := strings.Cut(rel, "/")
	number, _, _ := strings.Cut(file, "-")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxParts {
		return false
	}
	p, err := findPart(tx, id, n)
	return err == nil && p != nil && p.File == file
}

// partsOf lists the parts of an upload in order, from behind number after.
func partsOf(tx *bolt.Tx, id string, after int) ([]*part, error) {
	var out []*part
	prefix := []byte(id + "/")
	c := tx.Bucket(tableParts).Cursor()
	for k, v := c.Seek(partKey(id, after+1)); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		p, err := decodePart(int(binary.BigEndian.Uint16(k[len(prefix):])), v)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// abortUpload forgets an upload and its parts.
func (s *Store) abortUpload(ctx context.Context, bucket, key, id string) error {
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		_, err := findUpload(tx, bucket, key, id)
		return err
	}, func(b *batch) error { return b.dropUpload(id) })
	if err != nil {
		return fmt.Errorf("abort upload of %s: %w", key, err)
	}
	return nil
}

// dropUpload removes an upload, its parts, and after the commit their files.
func (b *batch) dropUpload(id string) error {
	parts, err := partsOf(b.tx, id, 0)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := b.tx.Bucket(tableParts).Delete(partKey(id, p.Number)); err != nil {
			return err
		}
		b.gone = append(b.gone, b.bodies.partPath(id, p.File))
	}
	b.gone = append(b.gone, filepath.Dir(b.bodies.partPath(id, "x")))
	return b.tx.Bucket(tableUploads).Delete([]byte(id))
}

// dropUploads removes the uploads into a bucket that goes.
func (b *batch) dropUploads(bucket string) error {
	all, err := uploadsOf(b.tx, bucket)
	for _, u := range all {
		err = errors.Join(err, b.dropUpload(u.ID))
	}
	return err
}

// uploadsOf lists the uploads in progress into a bucket, in the order of their IDs.
func uploadsOf(tx *bolt.Tx, bucket string) ([]*upload, error) {
	var out []*upload
	err := tx.Bucket(tableUploads).ForEach(func(id, v []byte) error {
		u := &upload{ID: string(id)}
		if err := json.Unmarshal(v, u); err != nil {
			return fmt.Errorf("decode upload %s: %w", id, err)
		}
		if u.Bucket == bucket {
			out = append(out, u)
		}
		return nil
	})
	return out, err
}

// claimed is a part as the completion names it.
type claimed struct {
	number   int
	etag     string // without quotes
	checksum string // base64; "" when the client gives none
}

// completeUpload makes the object from the parts that the client names, in one
// commit, if the condition holds. want, if not nil, is the checksum that the
// whole must have. Repeating a completion gives the same answer.
func (s *Store) completeUpload(ctx context.Context, u *upload, named []claimed, cond writeCondition, want *checksum) (finished, error) {
	parts, err := s.chooseParts(ctx, u, named)
	if err != nil {
		return finished{}, fmt.Errorf("complete upload of %s: %w", u.Key, err)
	}
	body, r, err := s.assemble(u, parts, want)
	if err != nil {
		return finished{}, fmt.Errorf("complete upload of %s: %w", u.Key, err)
	}
	done := finished{Bucket: u.Bucket, Key: u.Key, ETag: r.ETag, Checksum: r.Checksum, At: r.Modified}
	v, err := json.Marshal(done)
	if err != nil {
		body.discard()
		return finished{}, fmt.Errorf("complete upload of %s: %w", u.Key, err)
	}
	err = s.commit(ctx, func(tx *bolt.Tx) error {
		if _, err := findUpload(tx, u.Bucket, u.Key, u.ID); err != nil {
			return err
		}
		return cond.checkIn(tx, u.Bucket, u.Key)
	}, func(b *batch) error {
		if err := b.adopt(body); err != nil {
			return err
		}
		return errors.Join(b.store(u.Bucket, u.Key, r), b.dropUpload(u.ID), b.tx.Bucket(tableDone).Put([]byte(u.ID), v))
	})
	if err != nil {
		body.discard()
		return finished{}, fmt.Errorf("complete upload of %s: %w", u.Key, err)
	}
	return done, nil
}

// chooseParts finds the parts that a completion names.
func (s *Store) chooseParts(ctx context.Context, u *upload, named []claimed) ([]*part, error) {
	if len(named) == 0 {
		return nil, errMalformedXML
	}
	for i := 1; i < len(named); i++ {
		if named[i].number <= named[i-1].number {
			return nil, errInvalidPartOrder
		}
	}
	var out []*part
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for i, n := range named {
			p, err := findPart(tx, u.ID, n.number)
			if err != nil {
				return err
			}
			if p == nil || p.MD5 != n.etag || (n.checksum != "" && (p.Checksum == nil || p.Checksum.Value != n.checksum)) {
				return errInvalidPart
			}
			if i < len(named)-1 && p.Size < minPartSize {
				return errEntityTooSmall
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// assemble joins the parts to one staged body and describes the object.
func (s *Store) assemble(u *upload, parts []*part, want *checksum) (staged, *record, error) {
	full := newHash(u.Algorithm)
	var extra io.Writer
	if full != nil && u.Type == checksumFull {
		extra = full
	}
	join := &partJoiner{bodies: &s.bodies, id: u.ID, parts: parts}
	body, err := s.bodies.stage(join, extra)
	if err = errors.Join(err, join.close()); err != nil {
		body.discard()
		return staged{}, nil, err
	}
	r := newRecord(body, u.Headers, nil, s.opts.Now())
	md := md5.New()
	for _, p := range parts {
		raw, _ := hex.DecodeString(p.MD5) // written by us
		md.Write(raw)
		r.Parts = append(r.Parts, p.Size)
	}
	r.ETag = fmt.Sprintf("%s-%d", hexSum(md), len(parts)) // spec: S3 7.1
	switch {
	case extra != nil:
		r.Checksum = &checksum{Algorithm: u.Algorithm, Value: base64.StdEncoding.EncodeToString(full.Sum(nil)), Type: checksumFull}
	case full != nil:
		r.Checksum = composite(u.Algorithm, parts)
	}
	if want != nil && (r.Checksum == nil || r.Checksum.Value != want.Value) {
		body.discard()
		return staged{}, nil, want.mismatch()
	}
	return body, r, nil
}

// composite is the checksum of the parts' checksums; nil when a part has none.
// spec: S3 7.2
func composite(algorithm string, parts []*part) *checksum {
	h := newHash(algorithm)
	for _, p := range parts {
		if p.Checksum == nil || p.Checksum.Algorithm != algorithm {
			return nil
		}
		raw, err := base64.StdEncoding.DecodeString(p.Checksum.Value)
		if err != nil {
			return nil
		}
		h.Write(raw)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return &checksum{Algorithm: algorithm, Value: value, Type: checksumComposite}
}

// finishedUpload finds the answer to a completion that has been carried out.
func (s *Store) finishedUpload(ctx context.Context, bucket, key, id string) (finished, error) {
	var out finished
	err := s.view(ctx, func(tx *bolt.Tx) error {
		v := tx.Bucket(tableDone).Get([]byte(id))
		if v == nil {
			return errNoSuchUpload
		}
		return json.Unmarshal(v, &out)
	})
	if err == nil && (out.Bucket != bucket || out.Key != key) {
		err = errNoSuchUpload
	}
	return out, err
}

// forgetOldUploads removes the memory of completions that nobody repeats any more.
func forgetOldUploads(tx *bolt.Tx, now time.Time) error {
	table := tx.Bucket(tableDone)
	c := table.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var f finished
		if err := json.Unmarshal(v, &f); err != nil || now.Sub(time.UnixMilli(f.At)) > doneMemory {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}

// partJoiner reads parts one after the other, with one file open at a time.
type partJoiner struct {
	bodies *bodies
	id     string
	parts  []*part
	file   *os.File
}

// Read reads from the current part and goes on to the next at its end.
func (j *partJoiner) Read(p []byte) (int, error) {
	for {
		if j.file == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(j.bodies.partPath(j.id, j.parts[0].File))
			if errors.Is(err, os.ErrNotExist) {
				return 0, errInvalidPart // replaced or aborted meanwhile
			}
			if err != nil {
				return 0, fmt.Errorf("open part: %w", err)
			}
			j.file, j.parts = f, j.parts[1:]
		}
		n, err := j.file.Read(p)
		if n > 0 || (err != nil && !errors.Is(err, io.EOF)) {
			return n, err
		}
		if err := j.close(); err != nil {
			return 0, err
		}
	}
}

func (j *partJoiner) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
