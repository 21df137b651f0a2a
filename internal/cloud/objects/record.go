package objects

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// record is what the index holds of one object, beside a small body.
type record struct {
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"`               // without quotes; MD5, or MD5 of MD5s and "-N"
	MD5      string            `json:"md5"`                // of the whole body, hexadecimal
	Modified int64             `json:"modified"`           // Unix milliseconds
	Headers  map[string]string `json:"headers,omitempty"`  // canonical names; user metadata in lower case
	Checksum *checksum         `json:"checksum,omitempty"` // what the client gave, if it gave one
	Body     string            `json:"body,omitempty"`     // SHA-256 of the body file; "" when the body follows the record
	Parts    []int64           `json:"parts,omitempty"`    // sizes, for an object made by an upload of parts

	inline []byte // the small body
}

// modified is the time of the last change, in UTC.
func (r *record) modified() time.Time { return time.UnixMilli(r.Modified).UTC() }

// quotedETag is the ETag as HTTP writes it.
func (r *record) quotedETag() string { return `"` + r.ETag + `"` }

// encode gives the index value: the length of the JSON in 4 bytes, the JSON,
// the small body.
func (r *record) encode() ([]byte, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	out := make([]byte, 0, 4+len(head)+len(r.inline))
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	out = append(out, head...)
	return append(out, r.inline...), nil
}

// decodeRecord reads what encode wrote. The small body still points into v.
func decodeRecord(v []byte) (*record, error) {
	if len(v) < 4 || int(binary.BigEndian.Uint32(v)) > len(v)-4 {
		return nil, fmt.Errorf("decode record: %d bytes are too few", len(v))
	}
	n := 4 + int(binary.BigEndian.Uint32(v))
	r := &record{inline: v[n:]}
	if err := json.Unmarshal(v[4:n], r); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}

// lookup finds the record of a key. The error is ErrNoBucket or errNoSuchKey.
// The small body is valid inside the transaction only.
func lookup(tx *bolt.Tx, bucket, key string) (*record, error) {
	table := tx.Bucket(objectTable(bucket))
	if table == nil {
		return nil, ErrNoBucket
	}
	if key == "" {
		return nil, errNoSuchKey
	}
	v := table.Get([]byte(key))
	if v == nil {
		return nil, errNoSuchKey
	}
	return decodeRecord(v)
}

// find is lookup for callers outside a transaction; a key that is not there
// gives nil and no error.
func find(tx *bolt.Tx, bucket, key string) (*record, error) {
	r, err := lookup(tx, bucket, key)
	if err == errNoSuchKey {
		return nil, nil
	}
	return r, err
}

// head reads the record of an object without its body.
func (s *Store) head(ctx context.Context, bucket, key string) (*record, error) {
	var out *record
	err := s.view(ctx, func(tx *bolt.Tx) error {
		r, err := lookup(tx, bucket, key)
		if err != nil {
			return err
		}
		r.inline = nil
		out = r
		return nil
	})
	return out, err
}

// object is one version of an object, open for reading: what it holds stays
// readable whatever happens to the key. The caller closes it.
type object struct {
	*record
	file *os.File // nil when the body is small
}

// close releases the body.
func (o *object) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// open reads an object. Record and body are of the same version.
func (s *Store) open(ctx context.Context, bucket, key string) (*object, error) {
	s.bodies.gate.RLock()
	defer s.bodies.gate.RUnlock()
	var out *object
	err := s.view(ctx, func(tx *bolt.Tx) error {
		r, err := lookup(tx, bucket, key)
		if err != nil {
			return err
		}
		r.inline = append([]byte(nil), r.inline...)
		out = &object{record: r}
		return nil
	})
	if err != nil || out.Body == "" {
		return out, err
	}
	out.file, err = os.Open(s.bodies.path(out.Body))
	if err != nil {
		return nil, fmt.Errorf("open body of %s: %w", key, err)
	}
	return out, nil
}

// newRecord describes a staged body as an object of one piece.
func newRecord(body staged, headers map[string]string, sum *checksum, now time.Time) *record {
	md := hex.EncodeToString(body.md5[:])
	r := &record{
		Size: body.size, ETag: md, MD5: md, Modified: now.UnixMilli(),
		Headers: headers, Checksum: sum, inline: body.inline,
	}
	if body.temp != "" {
		r.Body = body.sha256
	}
	return r
}
