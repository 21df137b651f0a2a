package remotetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

var conditionCases = []storeCase{
	{"Put where the key must be absent writes once", func(t *testing.T, s remote.Store) {
		p := NewPut("a", []byte("one"), html)
		p.If.Absent = true
		put(t, s, p)
		p = NewPut("a", []byte("two"), html)
		p.If.Absent = true
		_, err := s.Put(t.Context(), p)
		wantIs(t, "second Put", err, remote.ErrPrecondition)
		wantData(t, s, "a", "one")
	}},
	{"Put where the ETag must be the one seen", func(t *testing.T, s remote.Store) {
		etag := put(t, s, NewPut("a", []byte("one"), html))
		p := NewPut("a", []byte("two"), html)
		p.If.ETag = etag
		put(t, s, p)
		p = NewPut("a", []byte("three"), html)
		p.If.ETag = etag
		_, err := s.Put(t.Context(), p)
		wantIs(t, "Put with the old ETag", err, remote.ErrPrecondition)
		wantData(t, s, "a", "two")
	}},
	{"Put with the ETag of a missing object is ErrPrecondition", func(t *testing.T, s remote.Store) {
		p := NewPut("a", []byte("one"), html)
		p.If.ETag = "0123456789abcdef0123456789abcdef"
		_, err := s.Put(t.Context(), p)
		wantIs(t, "Put", err, remote.ErrPrecondition)
		wantKeys(t, listKeys(t, s, "", ""), nil)
	}},
	{"of 16 racing writers of an absent key one wins", func(t *testing.T, s remote.Store) {
		for round := range 5 {
			race(t, s, site.Key(fmt.Sprintf("lock-%d", round)), remote.Condition{Absent: true})
		}
	}},
	{"of 16 racing writers with one ETag one wins", func(t *testing.T, s remote.Store) {
		etag := put(t, s, NewPut("pointer", []byte("0"), html))
		race(t, s, "pointer", remote.Condition{ETag: etag})
	}},
}

// race lets 16 writers try the same conditional write with different bytes.
// The losers are told of the condition, or asked to try again where the service
// cannot say who won.
func race(t *testing.T, s remote.Store, key site.Key, c remote.Condition) {
	t.Helper()
	errs := make([]error, 16)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			p := NewPut(key, fmt.Appendf(nil, "writer %d", i), html)
			p.If = c
			<-start
			_, errs[i] = s.Put(t.Context(), p)
		})
	}
	close(start)
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("%s: writers %d and %d both won", key, winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, remote.ErrPrecondition) && !errors.Is(err, remote.ErrTemporary):
			t.Errorf("%s: writer %d: %v", key, i, err)
		}
	}
	if winner < 0 {
		t.Fatalf("%s: nobody won: %v", key, errs[0])
	}
	wantData(t, s, key, fmt.Sprintf("writer %d", winner))
}

var copyCases = []storeCase{
	{"Copy gives the destination the bytes and exactly the headers", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("bytes"), allHeaders))
		etag, err := s.Copy(t.Context(), remote.Copy{From: "a", To: "deep/er/b", Headers: html})
		if err != nil {
			t.Fatalf("Copy: %v", err)
		}
		wantData(t, s, "deep/er/b", "bytes")
		if got := head(t, s, "deep/er/b"); got.Headers != html || got.ETag != etag {
			t.Errorf("Head = %+v, want the headers %+v and the ETag %q", got, html, etag)
		}
		if got := head(t, s, "a").Headers; got != allHeaders {
			t.Errorf("the source's headers became %+v", got)
		}
	}},
	{"Copy onto itself changes the headers alone", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("bytes"), html))
		for _, h := range eachWithout(allHeaders) {
			etag, err := s.Copy(t.Context(), remote.Copy{From: "a", To: "a", Headers: h})
			if err != nil {
				t.Fatalf("Copy: %v", err)
			}
			got := head(t, s, "a")
			if diff := cmp.Diff(got.Headers, h); diff != "" || got.ETag != etag {
				t.Errorf("ETag %q, want %q; headers (-got +want):\n%s", got.ETag, etag, diff)
			}
		}
		wantData(t, s, "a", "bytes")
	}},
	{"Copy replaces what was there", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("new"), html))
		put(t, s, NewPut("b", []byte("old"), allHeaders))
		for range 2 { // a repeat is safe
			if _, err := s.Copy(t.Context(), remote.Copy{From: "a", To: "b", Headers: html}); err != nil {
				t.Fatalf("Copy: %v", err)
			}
		}
		wantData(t, s, "b", "new")
	}},
	{"Copy of the version that was seen", func(t *testing.T, s remote.Store) {
		etag := put(t, s, NewPut("a", []byte("bytes"), html))
		put(t, s, NewPut("b", []byte("old"), html))
		for _, to := range []site.Key{"b", "new", "a"} {
			if _, err := s.Copy(t.Context(), remote.Copy{From: "a", To: to, Headers: allHeaders, IfETag: etag}); err != nil {
				t.Errorf("Copy to %s: %v", to, err)
			}
			wantData(t, s, to, "bytes")
			if got := head(t, s, to).Headers; got != allHeaders {
				t.Errorf("the headers of %s are %+v", to, got)
			}
		}
	}},
	{"Copy of another version is ErrPrecondition and writes nothing", func(t *testing.T, s remote.Store) {
		seen := put(t, s, NewPut("a", []byte("seen"), html))
		put(t, s, NewPut("a", []byte("other"), html))
		put(t, s, NewPut("b", []byte("old"), html))
		for _, to := range []site.Key{"b", "new", "a"} {
			_, err := s.Copy(t.Context(), remote.Copy{From: "a", To: to, Headers: allHeaders, IfETag: seen})
			wantIs(t, "Copy to "+string(to), err, remote.ErrPrecondition)
		}
		wantKeys(t, listKeys(t, s, "", ""), []site.Key{"a", "b"})
		wantData(t, s, "a", "other")
		wantData(t, s, "b", "old")
		for _, key := range []site.Key{"a", "b"} {
			if got := head(t, s, key).Headers; got != html {
				t.Errorf("the headers of %s became %+v", key, got)
			}
		}
	}},
	{"Copy of a missing key with an ETag is ErrNotFound", func(t *testing.T, s remote.Store) {
		for _, to := range []site.Key{"b", "missing"} {
			_, err := s.Copy(t.Context(), remote.Copy{From: "missing", To: to, IfETag: "0123456789abcdef0123456789abcdef"})
			wantIs(t, "Copy to "+string(to), err, remote.ErrNotFound)
		}
		wantKeys(t, listKeys(t, s, "", ""), nil)
	}},
	{"Copy of a missing key is ErrNotFound", func(t *testing.T, s remote.Store) {
		_, err := s.Copy(t.Context(), remote.Copy{From: "missing", To: "b", Headers: html})
		wantIs(t, "Copy", err, remote.ErrNotFound)
		_, err = s.Copy(t.Context(), remote.Copy{From: "missing", To: "missing", Headers: html})
		wantIs(t, "Copy onto itself", err, remote.ErrNotFound)
		wantKeys(t, listKeys(t, s, "", ""), nil)
	}},
}

// eachWithout is h and then h with one header less at a time. The content type
// stays: a store always sends one.
func eachWithout(h site.Headers) []site.Headers {
	out := []site.Headers{h}
	for _, drop := range []func(*site.Headers){
		func(h *site.Headers) { h.CacheControl = "" },
		func(h *site.Headers) { h.ContentEncoding = "" },
		func(h *site.Headers) { h.ContentDisposition = "" },
		func(h *site.Headers) { h.ContentLanguage = "" },
	} {
		without := h
		drop(&without)
		out = append(out, without)
	}
	return append(out, h)
}

var deleteCases = []storeCase{
	{"Delete of missing keys is no error", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("x"), html))
		for range 2 { // a repeat is safe
			if err := s.Delete(t.Context(), []site.Key{"missing", "a", "other/missing"}); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		wantKeys(t, listKeys(t, s, "", ""), nil)
	}},
	{"Delete of nothing does nothing", func(t *testing.T, s remote.Store) {
		put(t, s, NewPut("a", []byte("x"), html))
		if err := s.Delete(t.Context(), nil); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantKeys(t, listKeys(t, s, "", ""), []site.Key{"a"})
	}},
	{"Delete removes just the keys, not what begins like them", func(t *testing.T, s remote.Store) {
		for _, key := range []site.Key{"a", "ab", "a.b", "b/a"} {
			put(t, s, NewPut(key, []byte(key), html))
		}
		if err := s.Delete(t.Context(), []site.Key{"a"}); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantKeys(t, listKeys(t, s, "", ""), []site.Key{"a.b", "ab", "b/a"})
	}},
	{"a key and keys below it live side by side", func(t *testing.T, s remote.Store) {
		for _, key := range []site.Key{"a", "a/b", "a/b/c", "ab"} {
			_, err := s.Put(t.Context(), NewPut(key, []byte(key), html))
			if errors.Is(err, remote.ErrUnsupported) {
				t.Skipf("this service keeps objects as files: %v", err) // and so does every site that is made of files
			}
			if err != nil {
				t.Fatalf("Put(%q): %v", key, err)
			}
		}
		wantKeys(t, listKeys(t, s, "", ""), []site.Key{"a", "a/b", "a/b/c", "ab"})
		wantKeys(t, listKeys(t, s, "", "a"), []site.Key{"a/b", "a/b/c", "ab"})
		wantKeys(t, listKeys(t, s, "a/b", ""), []site.Key{"a/b", "a/b/c"})
		if err := s.Delete(t.Context(), []site.Key{"a"}); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantKeys(t, listKeys(t, s, "", ""), []site.Key{"a/b", "a/b/c", "ab"})
		_, _, err := s.Get(t.Context(), "a")
		wantIs(t, "Get of a deleted key", err, remote.ErrNotFound)
	}},
	{"1,500 keys are listed whole, from any point, and deleted", manyCase},
}

// manyCase shares one set of objects, because they take a while to write.
func manyCase(t *testing.T, s remote.Store) {
	keys := fill(t, s, "many/", 1500)
	put(t, s, NewPut("other", []byte("x"), html))
	wantKeys(t, listKeys(t, s, "many/", ""), keys)
	wantKeys(t, listKeys(t, s, "many/", string(keys[99])), keys[100:])
	wantKeys(t, listKeys(t, s, "many/", string(keys[1498])), keys[1499:])
	wantKeys(t, listKeys(t, s, "many/", string(keys[1499])), nil)
	wantKeys(t, listKeys(t, s, "", ""), append(slices.Clone(keys), "other"))

	seen := 0
	stop := errors.New("enough")
	err := s.List(t.Context(), "", "", func(page []remote.Info) error { seen++; return stop })
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("List that is stopped: %d pages, %v", seen, err)
	}
	if err := s.Delete(t.Context(), keys); err != nil {
		t.Errorf("Delete: %v", err)
	}
	wantKeys(t, listKeys(t, s, "", ""), []site.Key{"other"})
}
