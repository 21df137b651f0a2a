package remotetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Store checks an implementation of remote.Store. open makes an empty store
// for one subtest and cleans up with t.Cleanup.
func Store(t *testing.T, open func(t *testing.T) remote.Store) {
	for _, c := range slices.Concat(readCases, putCases, conditionCases, copyCases, deleteCases, listCases) {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

type storeCase struct {
	name string
	test func(*testing.T, remote.Store)
}

var readCases = []storeCase{
	{"String names the store", func(t *testing.T, s remote.Store) {
		if got := s.String(); !strings.HasPrefix(got, "s3://") || got == "s3://" {
			t.Errorf("String() = %q", got)
		}
	}},
	{"Get of a missing key is ErrNotFound", func(t *testing.T, s remote.Store) {
		_, _, err := s.Get(t.Context(), "missing")
		wantIs(t, "Get", err, remote.ErrNotFound)
	}},
	{"Head of a missing key is ErrNotFound", func(t *testing.T, s remote.Store) {
		_, err := s.Head(t.Context(), "missing")
		wantIs(t, "Head", err, remote.ErrNotFound)
	}},
	{"Get answers bytes and the ETag of the Put", func(t *testing.T, s remote.Store) {
		etag := put(t, s, NewPut("a", []byte("hello"), html))
		data, got, err := s.Get(t.Context(), "a")
		if err != nil || string(data) != "hello" || got != etag {
			t.Errorf("Get = %q, %q, %v; want hello, %q", data, got, err, etag)
		}
	}},
	{"Head answers size, ETag, headers and digest", func(t *testing.T, s remote.Store) {
		data := []byte("body { }")
		etag := put(t, s, NewPut("a.css", data, allHeaders))
		got := head(t, s, "a.css")
		got.LastModified = got.LastModified.UTC().Truncate(0)
		want := remote.Head{
			Info:    remote.Info{Key: "a.css", Size: int64(len(data)), ETag: etag, LastModified: got.LastModified},
			Headers: allHeaders, Digest: sha256.Sum256(data),
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("Head (-got +want):\n%s", diff)
		}
	}},
	{"every method notices a canceled context", cancelCase},
}

func cancelCase(t *testing.T, s remote.Store) {
	put(t, s, NewPut("a", []byte("old"), html))
	ctx := canceled(t)
	calls := map[string]func() error{
		"Get":    func() error { _, _, err := s.Get(ctx, "a"); return err },
		"Head":   func() error { _, err := s.Head(ctx, "a"); return err },
		"Put":    func() error { _, err := s.Put(ctx, NewPut("a", []byte("new"), html)); return err },
		"Copy":   func() error { _, err := s.Copy(ctx, remote.Copy{From: "a", To: "b", Headers: html}); return err },
		"Delete": func() error { return s.Delete(ctx, []site.Key{"a"}) },
		"List":   func() error { return s.List(ctx, "", "", func([]remote.Info) error { return nil }) },
		"Dirs":   func() error { _, err := s.Dirs(ctx, "", ""); return err },
	}
	for name, call := range calls {
		err := call()
		wantIs(t, name, err, context.Canceled)
		if errors.Is(err, remote.ErrTemporary) {
			t.Errorf("%s: %v says that a canceled call is a passing fault", name, err)
		}
	}
	wantData(t, s, "a", "old")
}

var putCases = []storeCase{
	{"Put replaces bytes and headers together", func(t *testing.T, s remote.Store) {
		first := put(t, s, NewPut("a", []byte("one"), allHeaders))
		second := put(t, s, NewPut("a", []byte("two"), html))
		wantData(t, s, "a", "two")
		if got := head(t, s, "a"); got.Headers != html || got.ETag != second || first == second {
			t.Errorf("Head = %+v, want %+v and the ETag %q, not %q", got, html, second, first)
		}
	}},
	{"Put may be repeated", func(t *testing.T, s remote.Store) {
		first := put(t, s, NewPut("a", []byte("one"), html))
		if second := put(t, s, NewPut("a", []byte("one"), html)); second != first {
			t.Errorf("the same bytes have the ETags %q and %q", first, second)
		}
	}},
	{"Put takes an empty object", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("empty", nil, html))
		wantData(t, s, "empty", "")
		if got := head(t, s, "empty"); got.Size != 0 || got.Digest != sha256.Sum256(nil) {
			t.Errorf("Head = %+v", got)
		}
	}},
	{"Put reads the body from its current position", func(t *testing.T, s remote.Store) {
		p := NewPut("a", []byte("tail"), html)
		body := bytes.NewReader([]byte("head tail"))
		body.Seek(5, 0)
		p.Body = body
		put(t, s, p)
		wantData(t, s, "a", "tail")
	}},
	{"Put without a content type is application/octet-stream", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("x"), site.Headers{}))
		want := site.Headers{ContentType: "application/octet-stream"}
		if got := head(t, s, "a").Headers; got != want {
			t.Errorf("Headers = %+v, want %+v", got, want)
		}
	}},
	{"Put with other bytes is ErrContent and leaves the old object", func(t *testing.T, s remote.Store) {
		wrong := map[string]func(*remote.Put){
			"other bytes": func(p *remote.Put) { p.Body = bytes.NewReader([]byte("NEW")) },
			"longer body": func(p *remote.Put) { p.Body = bytes.NewReader([]byte("newer")) },
			"short body":  func(p *remote.Put) { p.Body = bytes.NewReader([]byte("ne")) },
			"empty body":  func(p *remote.Put) { p.Body = bytes.NewReader(nil) },
		}
		put(t, s, NewPut("a", []byte("old"), html))
		for name, spoil := range wrong {
			p := NewPut("a", []byte("new"), allHeaders)
			spoil(&p)
			_, err := s.Put(t.Context(), p)
			wantIs(t, name, err, remote.ErrContent)
		}
		wantData(t, s, "a", "old")
		if got := head(t, s, "a").Headers; got != html {
			t.Errorf("Headers = %+v, want %+v", got, html)
		}
	}},
	{"Put without a digest is refused", func(t *testing.T, s remote.Store) {
		p := NewPut("a", []byte("x"), html)
		p.Digest = site.Digest{}
		if _, err := s.Put(t.Context(), p); err == nil {
			t.Error("Put without a digest succeeded")
		}
		wantKeys(t, listKeys(t, s, "", ""), nil)
	}},
	{"odd keys come back exactly", oddKeysCase},
	{"an object of 17 MiB is whole", bigCase},
	{"a reader never sees half of a write", mixedCase},
}

func oddKeysCase(t *testing.T, s remote.Store) {
	keys := oddKeys(s)
	for i, key := range keys {
		if _, err := site.ParseKey(string(key)); err != nil {
			t.Fatalf("the test's own key: %v", err)
		}
		put(t, s, NewPut(key, []byte(fmt.Sprint(i)), html))
	}
	for i, key := range keys {
		wantData(t, s, key, fmt.Sprint(i))
		if got := head(t, s, key); got.Key != key {
			t.Errorf("Head(%q).Key = %q", key, got.Key)
		}
	}
	for i, key := range keys {
		if _, err := s.Copy(t.Context(), remote.Copy{From: key, To: "copies/" + site.Key(fmt.Sprint(i)), Headers: html}); err != nil {
			t.Errorf("Copy(%q): %v", key, err)
		}
		if _, err := s.Copy(t.Context(), remote.Copy{From: key, To: key, Headers: allHeaders}); err != nil {
			t.Errorf("Copy(%q) onto itself: %v", key, err)
		}
		wantData(t, s, "copies/"+site.Key(fmt.Sprint(i)), fmt.Sprint(i))
	}
	listed := slices.DeleteFunc(listKeys(t, s, "", ""), func(k site.Key) bool { return strings.HasPrefix(string(k), "copies/") })
	slices.Sort(keys)
	wantKeys(t, listed, keys)
	for i, key := range keys {
		if rest := listKeys(t, s, string(key), ""); len(rest) == 0 || rest[0] != key {
			t.Errorf("List with the prefix %q = %q", key, rest)
		}
		if i > 0 {
			if rest := listKeys(t, s, "", string(keys[i-1])); len(rest) == 0 || !slices.Contains(rest, key) || slices.Contains(rest, keys[i-1]) {
				t.Errorf("List after %q = %.200q", keys[i-1], rest)
			}
		}
	}
	if err := s.Delete(t.Context(), keys); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if left := listKeys(t, s, "", "copies0"); len(left) != 0 {
		t.Errorf("left after Delete: %q", left)
	}
}

func bigCase(t *testing.T, s remote.Store) {
	data := make([]byte, 17<<20+3)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	p := NewPut("big", data, allHeaders)
	p.If.Absent = true
	etag := put(t, s, p)
	got := head(t, s, "big")
	if got.Size != p.Size || got.ETag != etag || got.Headers != allHeaders {
		t.Errorf("Head = %+v", got)
	}
	if !got.Digest.IsZero() && got.Digest != p.Digest {
		t.Errorf("Digest = %s, want %s or none", got.Digest, p.Digest)
	}
	read, _, err := s.Get(t.Context(), "big")
	if err != nil || !bytes.Equal(read, data) {
		t.Errorf("Get = %d bytes, %v", len(read), err)
	}
	p.Body = bytes.NewReader(data)
	_, err = s.Put(t.Context(), p)
	wantIs(t, "Put where the key must be absent", err, remote.ErrPrecondition)

	wrong := NewPut("big", data, html)
	wrong.Digest[0]++
	_, err = s.Put(t.Context(), wrong)
	wantIs(t, "Put with another digest", err, remote.ErrContent)
	if got := head(t, s, "big"); got.ETag != etag || got.Headers != allHeaders {
		t.Errorf("after a refused Put, Head = %+v", got)
	}
	wantKeys(t, listKeys(t, s, "", ""), []site.Key{"big"})
}

// mixedCase writes two versions in turn while readers watch.
func mixedCase(t *testing.T, s remote.Store) {
	versions := []remote.Put{
		NewPut("a", bytes.Repeat([]byte("1"), 9000), html),
		NewPut("a", bytes.Repeat([]byte("2"), 12000), allHeaders),
	}
	put(t, s, versions[0])
	done := make(chan error, 1)
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		for i := range 60 {
			p := versions[i%2]
			p.Body = bytes.NewReader(bytes.Repeat([]byte{"12"[i%2]}, int(p.Size)))
			if _, err := s.Put(t.Context(), p); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	})
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Put: %v", err)
			}
			return
		default:
		}
		h := head(t, s, "a")
		whole := func(p remote.Put) bool {
			return h.Size == p.Size && h.Headers == p.Headers && h.Digest == p.Digest
		}
		if !slices.ContainsFunc(versions, whole) {
			t.Errorf("Head mixes two versions: %+v", h)
		}
	}
}
