package objects

import (
	"bytes"
	"context"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// listQuery says what to list: keys that start with prefix and come after the
// key after, rolled up at delimiter, limit items at most.
type listQuery struct {
	prefix, delimiter, after string
	limit                    int
}

// listItem is a key with its record, or a common prefix with none.
type listItem struct {
	name   string
	record *record // nil for a common prefix
}

// list returns a page in byte order and whether there is more. It reads the
// page and one key besides, and steps over a common prefix in one seek.
// spec: S3 7.6, listing
func (s *Store) list(ctx context.Context, bucket string, q listQuery) (items []listItem, more bool, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		table := tx.Bucket(objectTable(bucket))
		if table == nil {
			return ErrNoBucket
		}
		c := table.Cursor()
		k, v := c.Seek(q.start())
		if k != nil && string(k) == q.after && q.after != "" {
			k, v = c.Next()
		}
		for k != nil && bytes.HasPrefix(k, []byte(q.prefix)) {
			if len(items) == q.limit {
				more = true
				return nil
			}
			item, err := q.item(k, v)
			if err != nil {
				return err
			}
			items = append(items, item)
			if item.record != nil {
				k, v = c.Next()
				continue
			}
			next := successor(item.name)
			if next == nil {
				return nil
			}
			k, v = c.Seek(next)
		}
		return nil
	})
	return items, more, err
}

// start is where the page begins. A page that ended with a common prefix goes
// on behind all keys that the prefix stands for.
func (q listQuery) start() []byte {
	if q.after == "" || q.after < q.prefix {
		return []byte(q.prefix)
	}
	if p, ok := q.rollUp(q.after); ok && p == q.after {
		if next := successor(p); next != nil {
			return next
		}
		return bytes.Repeat([]byte{0xff}, maxKeyLength+1) // behind every key
	}
	return []byte(q.after)
}

// rollUp gives the common prefix that stands for the key, if one does.
func (q listQuery) rollUp(key string) (string, bool) {
	if q.delimiter == "" || !strings.HasPrefix(key, q.prefix) {
		return "", false
	}
	i := strings.Index(key[len(q.prefix):], q.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(q.prefix)+i+len(q.delimiter)], true
}

func (q listQuery) item(k, v []byte) (listItem, error) {
	if p, ok := q.rollUp(string(k)); ok {
		return listItem{name: p}, nil
	}
	r, err := decodeRecord(v)
	if err != nil {
		return listItem{}, err
	}
	r.inline = nil
	return listItem{name: string(k), record: r}, nil
}

// successor is the first byte string behind all that start with p; nil when there is none.
func successor(p string) []byte {
	out := []byte(p)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] < 0xff {
			out[i]++
			return out[:i+1]
		}
	}
	return nil
}
