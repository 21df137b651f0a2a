package hashes

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

var head = Header{Device: 7, Seed: Seed{1, 2, 3}}

func entryOf(i int) Entry {
	return Entry{Inode: uint64(i), Size: int64(i), Modified: -int64(i), Changed: 1 << 60, Digest: site.Digest{1, byte(i)}, Quick: Quick{2, byte(i)}}
}

// write makes a cache with an entry for each key.
func write(t interface{ Fatal(...any) }, path string, keys []string) {
	w := Create(path, head, time.Now())
	for i, k := range keys {
		e := entryOf(i)
		w.Add(site.Key(k), &e)
	}
	w.Commit()
	w.Discard() // after Commit: nothing
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

// read asks for all keys.
func read(r *Reader, keys []string) (found map[string]Entry) {
	found = map[string]Entry{}
	for _, k := range keys {
		var e Entry
		if r.Lookup(site.Key(k), &e) {
			found[k] = e
		}
	}
	return found
}

func TestEntriesComeBack(t *testing.T) {
	dir := t.TempDir()
	names := rapid.StringOfN(rapid.RuneFrom([]rune("ab/日 ")), 1, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "hashes")
		keys := rapid.SliceOfNDistinct(names, 0, 50, func(s string) string { return s }).Draw(t, "keys")
		asked := rapid.SliceOfNDistinct(names, 0, 50, func(s string) string { return s }).Draw(t, "asked")
		asked = append(asked, rapid.Permutation(keys).Draw(t, "some")[:len(keys)/2]...)
		slices.Sort(keys)
		slices.Sort(asked)
		asked = slices.Compact(asked)
		write(t, path, keys)
		r := Open(path)
		defer r.Close()
		if r.Header != head {
			t.Fatalf("header %v", r.Header)
		}
		got, want := read(r, asked), map[string]Entry{}
		for i, k := range keys {
			if slices.Contains(asked, k) {
				want[k] = entryOf(i)
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("entries (-got +want):\n%s", diff)
		}
		if r.Exact() != (len(want) == len(keys)) {
			t.Fatalf("Exact() = %v with %d of %d asked for", r.Exact(), len(want), len(keys))
		}
	})
}

// manyKeys are keys for several blocks.
func manyKeys(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("posts/%06d/index.html", i))
	}
	return keys
}

func TestManyBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	keys := manyKeys(5000)
	write(t, path, keys)
	r := Open(path)
	defer r.Close()
	if found := read(r, keys); len(found) != len(keys) || !r.Exact() || cap(r.buf) > maxBlock {
		t.Errorf("%d of %d entries, exact %v, a buffer of %d", len(found), len(keys), r.Exact(), cap(r.buf))
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 100*5000 {
		t.Errorf("%v, %v: more than 100 bytes an entry", info.Size(), err)
	}
}

// What is damaged is not believed, and what stands before the damage is.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	keys := manyKeys(2000)
	write(t, path, keys)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		r := newReader(io.NopCloser(bytes.NewReader(data)))
		defer r.Close()
		found := read(r, keys)
		for i, k := range keys {
			if e, ok := found[k]; ok && e != entryOf(i) {
				t.Fatalf("%s: %s has the entry %v", what, k, e)
			}
		}
		if len(found) == len(keys) {
			t.Errorf("%s: all entries were found", what)
		}
		if r.Exact() && len(found) > 0 && what != "cut between blocks" {
			t.Errorf("%s: it counts as exact", what)
		}
	}
	for at := 0; at < len(whole); at += 1 + at/50 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		check(fmt.Sprintf("byte %d flipped", at), flipped)
		if at > headerBytes {
			zeros := append(bytes.Clone(whole[:at]), make([]byte, len(whole)-at)...)
			check(fmt.Sprintf("zeros from %d", at), zeros)
		}
		check(fmt.Sprintf("cut at %d", at), whole[:at])
	}
	check("another version", append([]byte("freshet hashes 2\n"), whole[len(magic):]...))
	check("another file", []byte(strings.Repeat("<!doctype html>", 1000)))
	check("empty", nil)
}

// Nothing that is wrong with the file system is an error.
func TestPlacesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", filepath.Join(file, "hashes"), dir, filepath.Join(dir, "\x00")} {
		w := Create(path, head, time.Now())
		e := entryOf(1)
		w.Add("a", &e)
		w.Commit()
		r := Open(path)
		if r.Lookup("a", &e) || r.Header != (Header{}) || !r.Exact() {
			t.Errorf("%q: it is not empty", path)
		}
		r.Close()
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // .gitignore, and file
		t.Errorf("%v, %v: something was left", entries, err)
	}
}

// The folder keeps itself out of git, and what killed runs left goes.
func TestFolderOfTheCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".freshet")
	path := filepath.Join(dir, "hashes")
	killed := Create(path, head, time.Now())
	defer killed.Discard()
	write(t, path, []string{"a"})
	list := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if diff := cmp.Diff(list(), []string{".gitignore", filepath.Base(killed.temp), "hashes"}); diff != "" {
		t.Errorf("one is being written (-got +want):\n%s", diff)
	}
	later := Create(path, head, time.Now().Add(2*staleAfter))
	later.Discard()
	later.Discard()
	if diff := cmp.Diff(list(), []string{".gitignore", "hashes"}); diff != "" {
		t.Errorf("an hour later (-got +want):\n%s", diff)
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf(".gitignore %q, %v", text, err)
	}
}

// A cache that another user wrote could name any digest.
func TestAnotherUsersCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hashes")
	write(t, path, []string{"a"})
	if err := os.Chown(path, 65534, -1); err != nil {
		t.Skip("only root gives files away: ", err)
	}
	r := Open(path)
	defer r.Close()
	if found := read(r, []string{"a"}); len(found) != 0 || r.Header != (Header{}) {
		t.Errorf("it is believed: %v", found)
	}
}

func FuzzReader(f *testing.F) {
	body := appendEntry(nil, "", "a/b", &Entry{Size: 1, Digest: site.Digest{1}})
	body = appendEntry(body, "a/b", "a/c", &Entry{Size: 1, Digest: site.Digest{1}})
	f.Add(body)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var key, last []byte
		var e Entry
		var err error
		for len(data) > 0 {
			last = bytes.Clone(key)
			if data, key, err = parseEntry(data, key, &e); err != nil {
				return
			}
			if bytes.Compare(key, last) <= 0 || len(key) > site.MaxKeyBytes || e.Size < 0 {
				t.Fatalf("%q after %q, %v", key, last, e)
			}
		}
	})
}

// BenchmarkReader reads a cache of a million entries.
func BenchmarkReader(b *testing.B) {
	path := filepath.Join(b.TempDir(), "hashes")
	keys := manyKeys(1_000_000)
	write(b, path, keys)
	b.ReportAllocs()
	for b.Loop() {
		r := Open(path)
		var e Entry
		for _, k := range keys {
			if !r.Lookup(site.Key(k), &e) {
				b.Fatal(k)
			}
		}
		r.Close()
	}
}
