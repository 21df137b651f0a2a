package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

var _ remote.Store = (*Store)(nil)

// pageSize is the most objects of one page; fact 7.6.
const pageSize = 1000

// StoreOptions describe a store.
type StoreOptions struct {
	Name     string // of the bucket; "" means "memory"
	PageSize int    // objects of one page of a listing, at most 1,000; 0 means 1,000
	// ShortPages makes pages hold 1, 2 and 3 objects in turn, whatever PageSize is.
	ShortPages bool
	Conditions Conditions
	Now        func() time.Time // for LastModified; nil means that all times are zero
	Hook       Hook             // nil means no faults
}

// Object is one stored object, as a test sees it.
type Object struct {
	Data         []byte
	Headers      site.Headers
	Digest       site.Digest
	ETag         string // the MD5 of Data, in hexadecimal
	LastModified time.Time
}

// Store keeps objects in memory. It is safe for concurrent use.
type Store struct {
	calls
	name  string
	page  int
	short bool
	now   func() time.Time

	state      sync.Mutex // held while the fields below are looked at or changed, never during a hook or a delay
	objects    map[site.Key]Object
	conditions Conditions
	bucket     *remote.Bucket // what Bucket says; nil for what it says by default
}

// NewStore makes an empty store.
func NewStore(o StoreOptions) *Store {
	s := &Store{name: cmp.Or(o.Name, "memory"), page: pageSize, short: o.ShortPages, now: o.Now, objects: map[site.Key]Object{}, conditions: o.Conditions}
	if o.PageSize > 0 {
		s.page = min(o.PageSize, pageSize)
	}
	if s.now == nil {
		s.now = func() time.Time { return time.Time{} }
	}
	s.SetHook(o.Hook)
	return s
}

// String is "s3://" and the name.
func (s *Store) String() string { return "s3://" + s.name }

// Objects is a copy of everything that is stored.
func (s *Store) Objects() map[site.Key]Object {
	s.state.Lock()
	defer s.state.Unlock()
	return maps.Clone(s.objects)
}

// Set stores an object as somebody else would: without hook and log.
func (s *Store) Set(key site.Key, data []byte, h site.Headers) {
	s.state.Lock()
	defer s.state.Unlock()
	s.store(key, bytes.Clone(data), h)
}

// Remove deletes an object as somebody else would: without hook and log.
func (s *Store) Remove(key site.Key) {
	s.state.Lock()
	defer s.state.Unlock()
	delete(s.objects, key)
}

// store needs state to be held, and data to be the store's own.
func (s *Store) store(key site.Key, data []byte, h site.Headers) string {
	sum := md5.Sum(data)
	h.ContentType = cmp.Or(h.ContentType, "application/octet-stream")
	o := Object{Data: data, Headers: h, Digest: sha256.Sum256(data), ETag: hex.EncodeToString(sum[:]), LastModified: s.now()}
	s.objects[key] = o
	return o.ETag
}

func (s *Store) load(key site.Key) (Object, error) {
	s.state.Lock()
	defer s.state.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return Object{}, remote.ErrNotFound
	}
	return o, nil
}

// Get implements remote.Store.
func (s *Store) Get(ctx context.Context, key site.Key) ([]byte, string, error) {
	f, err := s.begin(ctx, Call{Op: OpGet, Key: string(key)})
	if err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	o, err := s.load(key)
	if err = errors.Join(err, f.after); err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	return bytes.Clone(o.Data), o.ETag, nil
}

// Head implements remote.Store.
func (s *Store) Head(ctx context.Context, key site.Key) (remote.Head, error) {
	f, err := s.begin(ctx, Call{Op: OpHead, Key: string(key)})
	if err != nil {
		return remote.Head{}, fmt.Errorf("head %s: %w", key, err)
	}
	o, err := s.load(key)
	if err = errors.Join(err, f.after); err != nil {
		return remote.Head{}, fmt.Errorf("head %s: %w", key, err)
	}
	return remote.Head{Info: info(key, o), Headers: o.Headers, Digest: o.Digest}, nil
}

func info(key site.Key, o Object) remote.Info {
	return remote.Info{Key: key, Size: int64(len(o.Data)), ETag: o.ETag, LastModified: o.LastModified}
}

// Put implements remote.Store.
func (s *Store) Put(ctx context.Context, put remote.Put) (string, error) {
	f, err := s.begin(ctx, Call{Op: OpPut, Key: string(put.Key)})
	if err != nil {
		return "", fmt.Errorf("put %s: %w", put.Key, err)
	}
	data, err := read(put)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", put.Key, err)
	}
	tag, err := s.write(put, data)
	if err = errors.Join(err, f.after); err != nil {
		return "", fmt.Errorf("put %s: %w", put.Key, err)
	}
	return tag, nil
}

func read(put remote.Put) ([]byte, error) {
	if put.Digest.IsZero() || put.Size < 0 {
		return nil, errors.New("size and digest must be known")
	}
	data, err := io.ReadAll(put.Body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(data)) != put.Size || sha256.Sum256(data) != put.Digest {
		return nil, remote.ErrContent
	}
	return data, nil
}

func (s *Store) write(put remote.Put, data []byte) (string, error) {
	s.state.Lock()
	defer s.state.Unlock()
	old, there := s.objects[put.Key]
	if err := s.conditions.check(put.If, old, there); err != nil {
		return "", err
	}
	return s.store(put.Key, data, put.Headers), nil
}

// Copy implements remote.Store.
func (s *Store) Copy(ctx context.Context, c remote.Copy) (string, error) {
	f, err := s.begin(ctx, Call{Op: OpCopy, Key: string(c.To), Source: c.From})
	if err != nil {
		return "", fmt.Errorf("copy %s to %s: %w", c.From, c.To, err)
	}
	tag, err := s.copy(c)
	if err = errors.Join(err, f.after); err != nil {
		return "", fmt.Errorf("copy %s to %s: %w", c.From, c.To, err)
	}
	return tag, nil
}

func (s *Store) copy(c remote.Copy) (string, error) {
	s.state.Lock()
	defer s.state.Unlock()
	o, ok := s.objects[c.From]
	if !ok {
		return "", remote.ErrNotFound
	}
	if err := s.conditions.check(remote.Condition{ETag: c.IfETag}, o, ok); err != nil {
		return "", err
	}
	return s.store(c.To, o.Data, c.Headers), nil
}

// Delete implements remote.Store. The hook is asked once for the call and then
// for each key with OpDeleteKey, where a fault fails that key alone.
func (s *Store) Delete(ctx context.Context, keys []site.Key) error {
	f, err := s.begin(ctx, Call{Op: OpDelete, Keys: slices.Clone(keys)})
	if err != nil {
		return eachKey(keys, err)
	}
	var failed []*remote.KeyError
	for _, key := range keys {
		if err := s.deleteKey(key); err != nil {
			failed = append(failed, &remote.KeyError{Key: key, Err: err})
		}
	}
	if f.after != nil {
		return eachKey(keys, f.after)
	}
	return join(failed)
}

func (s *Store) deleteKey(key site.Key) error {
	f := s.fault(OpDeleteKey, string(key))
	if f.before != nil {
		return f.before
	}
	s.Remove(key)
	return f.after
}

// eachKey is the failure of a whole call.
func eachKey(keys []site.Key, err error) error {
	failed := make([]*remote.KeyError, len(keys))
	for i, key := range keys {
		failed[i] = &remote.KeyError{Key: key, Err: err}
	}
	return join(failed)
}

func join(failed []*remote.KeyError) error {
	slices.SortStableFunc(failed, func(a, b *remote.KeyError) int { return cmp.Compare(a.Key, b.Key) })
	errs := make([]error, len(failed))
	for i, e := range failed {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// List implements remote.Store. It shows what is stored when it begins.
func (s *Store) List(ctx context.Context, prefix, after string, page func([]remote.Info) error) error {
	f, err := s.begin(ctx, Call{Op: OpList, Key: prefix, After: after})
	if err != nil {
		return fmt.Errorf("list %s/%s: %w", s, prefix, err)
	}
	shown := 0
	for infos := range s.pages(s.listed(prefix, after)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %s/%s: %w", s, prefix, err)
		}
		if f.midway != nil && shown == f.pages {
			break
		}
		if err := page(infos); err != nil {
			return err
		}
		shown++
	}
	if err := errors.Join(f.midway, f.after); err != nil {
		return fmt.Errorf("list %s/%s: %w", s, prefix, err)
	}
	return nil
}

// pages cuts a listing into pages.
func (s *Store) pages(all []remote.Info) iter.Seq[[]remote.Info] {
	if !s.short {
		return slices.Chunk(all, s.page)
	}
	return func(yield func([]remote.Info) bool) {
		for n := 0; len(all) > 0; n++ {
			size := min(n%3+1, len(all))
			if !yield(all[:size:size]) {
				return
			}
			all = all[size:]
		}
	}
}

func (s *Store) listed(prefix, after string) []remote.Info {
	s.state.Lock()
	defer s.state.Unlock()
	var infos []remote.Info
	for key, o := range s.objects {
		if strings.HasPrefix(string(key), prefix) && string(key) > after {
			infos = append(infos, info(key, o))
		}
	}
	slices.SortFunc(infos, func(a, b remote.Info) int { return cmp.Compare(a.Key, b.Key) })
	return infos
}

// Dirs implements remote.Store.
func (s *Store) Dirs(ctx context.Context, prefix, start string) ([]string, error) {
	f, err := s.begin(ctx, Call{Op: OpDirs, Key: prefix + start})
	if err = errors.Join(err, f.after); err != nil {
		return nil, fmt.Errorf("list folders of %s/%s: %w", s, prefix, err)
	}
	var dirs []string
	for _, o := range s.listed(prefix+start, "") {
		name, _, ok := strings.Cut(strings.TrimPrefix(string(o.Key), prefix), "/")
		if dir := prefix + name + "/"; ok && !slices.Contains(dirs[max(0, len(dirs)-1):], dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}
