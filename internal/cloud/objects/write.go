package objects

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// put makes the staged body the object at key, if the condition holds for what
// is there now. The body is used up or discarded.
func (s *Store) put(ctx context.Context, bucket, key string, body staged, r *record, cond writeCondition) error {
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		return cond.checkIn(tx, bucket, key)
	}, func(b *batch) error {
		if err := b.adopt(body); err != nil {
			return err
		}
		return b.store(bucket, key, r)
	})
	if err != nil {
		body.discard()
		return fmt.Errorf("put %s/%s: %w", bucket, key, err)
	}
	return nil
}

// store writes the record of a key and lets go of what it replaces. The
// reference to the new body has been counted already.
func (b *batch) store(bucket, key string, r *record) error {
	old, err := find(b.tx, bucket, key)
	if err != nil {
		return err
	}
	if old != nil {
		b.count(bucket, -1, -old.Size)
		if err := b.release(old.Body); err != nil {
			return err
		}
	}
	v, err := r.encode()
	if err != nil {
		return err
	}
	b.count(bucket, 1, r.Size)
	return b.tx.Bucket(objectTable(bucket)).Put([]byte(key), v)
}

// copySource names the object to copy and the condition on it.
type copySource struct {
	bucket, key string
	cond        readCondition
}

// copyObject makes the object at key from the body of the source, in one
// commit. describe turns the source's record into the headers of the new
// object; it sees the version that is copied. The record of the result is
// returned.
func (s *Store) copyObject(ctx context.Context, src copySource, bucket, key string, cond writeCondition, describe func(*record) map[string]string) (*record, error) {
	var out *record
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		from, err := lookup(tx, src.bucket, src.key)
		if err != nil {
			return err
		}
		if err := src.cond.check(from, errPrecondition); err != nil {
			return err
		}
		if from.Size > maxSingleBody {
			// spec: S3 7.5, a larger object is copied part by part
			return invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
		}
		return cond.checkIn(tx, bucket, key)
	}, func(b *batch) error {
		from, err := lookup(b.tx, src.bucket, src.key)
		if err != nil {
			return err
		}
		out = copyRecord(from, describe(from), s.opts.Now().UnixMilli())
		if err := b.share(out.Body); err != nil {
			return err
		}
		return b.store(bucket, key, out)
	})
	if err != nil {
		return nil, fmt.Errorf("copy %s/%s to %s/%s: %w", src.bucket, src.key, bucket, key, err)
	}
	return out, nil
}

// copyRecord describes a copy. A copy is always of one piece, so that its ETag
// is the MD5 of the body even where the source's was not.
// spec: S3 7.1, "CopyObject of a multipart object"
func copyRecord(from *record, headers map[string]string, modified int64) *record {
	r := &record{
		Size: from.Size, ETag: from.MD5, MD5: from.MD5, Modified: modified,
		Headers: headers, Body: from.Body,
		inline: append([]byte(nil), from.inline...),
	}
	if from.Checksum != nil && from.Checksum.Type == checksumFull {
		r.Checksum = from.Checksum
	}
	return r
}

// removal is one key to delete and the condition on it.
type removal struct {
	key  string
	cond deleteCondition
}

// remove deletes keys in one commit and returns one result for each, in order:
// nil for a key that is gone now (also when it never was there), else why it was
// kept. The error concerns all of them.
func (s *Store) remove(ctx context.Context, bucket string, keys []removal) ([]error, error) {
	results := make([]error, len(keys))
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		if tx.Bucket(objectTable(bucket)) == nil {
			return ErrNoBucket
		}
		return nil
	}, func(b *batch) error {
		for i, k := range keys {
			refused, err := b.removeKey(bucket, k)
			if err != nil {
				return err
			}
			results[i] = refused
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("delete %d keys from %s: %w", len(keys), bucket, err)
	}
	return results, nil
}

// removeKey deletes one key. refused says why it was kept; err fails the batch.
func (b *batch) removeKey(bucket string, k removal) (refused, err error) {
	old, err := find(b.tx, bucket, k.key)
	if err != nil || old == nil {
		return nil, err
	}
	if refused := k.cond.check(old); refused != nil {
		return refused, nil
	}
	b.count(bucket, -1, -old.Size)
	if err := b.release(old.Body); err != nil {
		return nil, err
	}
	return nil, b.tx.Bucket(objectTable(bucket)).Delete([]byte(k.key))
}

// setHeader changes one stored header of an object, or removes it when value is
// empty. Body, ETag and modification time stay.
func (s *Store) setHeader(ctx context.Context, bucket, key, name, value string) error {
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		_, err := lookup(tx, bucket, key)
		return err
	}, func(b *batch) error {
		r, err := lookup(b.tx, bucket, key)
		if err != nil {
			return err
		}
		headers := map[string]string{name: value}
		for k, v := range r.Headers {
			if k != name {
				headers[k] = v
			}
		}
		if value == "" {
			delete(headers, name)
		}
		r.Headers = headers
		if err := b.share(r.Body); err != nil {
			return err
		}
		return b.store(bucket, key, r)
	})
	if err != nil {
		return fmt.Errorf("set %s of %s/%s: %w", name, bucket, key, err)
	}
	return nil
}
