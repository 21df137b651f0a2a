package blog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contents are the digests of a site's files by key.
func contents(s *Site) map[string]string {
	out := map[string]string{}
	var b bytes.Buffer
	for _, f := range s.Files() {
		b.Reset()
		f.Render(&b)
		out[f.Key] = fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
	}
	return out
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	first, second, other := contents(New(1, 200)), contents(New(1, 200)), contents(New(2, 200))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two builds differ (-first +second):\n%s", diff)
	}
	same := 0
	for key, digest := range first {
		if other[key] == digest {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d files are the same under another seed", same)
	}
}

// TestBytesStayWhatTheyWere holds the generator to its bytes over time: figures of one day are compared with those of another.
func TestBytesStayWhatTheyWere(t *testing.T) {
	all := sha256.New()
	var b bytes.Buffer
	for _, f := range New(1, 200).Files() {
		b.Reset()
		f.Render(&b)
		fmt.Fprintf(all, "%s %d\n", f.Key, b.Len())
		all.Write(b.Bytes())
	}
	const want = "4a761f76ef2ad83b1bfb2eaf3c4ab35fc3182745d340e5ed2e11c659f8c92c39"
	if got := fmt.Sprintf("%x", all.Sum(nil)); got != want {
		t.Errorf("the site's digest is %s, want %s", got, want)
	}
}

func TestHowManyFiles(t *testing.T) {
	for _, n := range []int{Smallest, 500, 2000, 5000} {
		if got := len(New(1, n).Files()); got != n {
			t.Errorf("New(1, %d) has %d files", n, got)
		}
	}
}

func TestOnePostChangesWhatNamesIt(t *testing.T) {
	before, after := contents(New(1, 2000)), contents(WithPost(1, 2000))
	var changed, added []string
	for key, digest := range after {
		switch old, there := before[key]; {
		case !there:
			added = append(added, key)
		case old != digest:
			changed = append(changed, key)
		}
	}
	for key := range before {
		if _, there := after[key]; !there {
			t.Errorf("%s is gone", key)
		}
	}
	if len(added) < 1 || len(added) > 3 {
		t.Errorf("added: %q", added)
	}
	for _, want := range []string{"index.html", "feed.xml", "sitemap.xml", "search.json", "posts/index.html", "posts/reindex.html", "tags/index.html", "page/2/index.html"} {
		if before[want] == after[want] {
			t.Errorf("%s has not changed", want)
		}
	}
	if len(changed) < 20 || len(changed) > 60 {
		t.Errorf("%d files changed: %q", len(changed), changed)
	}
	for _, key := range changed {
		if strings.HasPrefix(key, "assets/") || strings.HasPrefix(key, "images/") {
			t.Errorf("%s has changed", key)
		}
	}
}

func TestNamesHoldTheHashOfTheBytes(t *testing.T) {
	for key, digest := range contents(New(1, 500)) {
		if parts := strings.Split(key, "."); strings.HasPrefix(key, "assets/") && parts[1] != digest[:8] {
			t.Errorf("%s has the digest %s", key, digest)
		}
	}
}

func TestWriteSaysWhatChanged(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	for _, row := range []struct {
		name        string
		site        *Site
		least, most int
	}{
		{"first", New(1, 300), 300, 300},
		{"again", New(1, 300), 0, 0},
		{"one post more", WithPost(1, 300), 15, 40},
	} {
		changed, err := row.site.Write(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if changed < row.least || changed > row.most {
			t.Errorf("%s: %d files changed, want %d to %d", row.name, changed, row.least, row.most)
		}
	}
}

func TestTouchAndSome(t *testing.T) {
	dir := t.TempDir()
	s := New(1, 300)
	if _, err := s.Write(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := Touch(dir, when); err != nil {
		t.Fatal(err)
	}
	some := s.Some(5)
	if len(some) != 15 {
		t.Errorf("5 %% of 300 are %d files", len(some))
	}
	if diff := cmp.Diff(some, New(1, 300).Some(5)); diff != "" {
		t.Errorf("drawn again (-first +second):\n%s", diff)
	}
	for _, key := range some {
		info, err := os.Stat(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		if !info.ModTime().Equal(when) {
			t.Errorf("%s changed at %s", key, info.ModTime())
		}
	}
}

func TestFlatEditions(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	read := func() map[string]string {
		out := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			out[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if n, err := WriteFlat(ctx, dir, 2500, 1, 125, false); err != nil || n != 2500 {
		t.Fatalf("wrote %d: %v", n, err)
	}
	before := read()
	if n, err := WriteFlat(ctx, dir, 2500, 2, 125, true); err != nil || n != 125 {
		t.Fatalf("wrote %d again: %v", n, err)
	}
	after, changed := read(), 0
	for path, data := range after {
		if before[path] != data {
			changed++
		}
	}
	if len(before) != 2500 || len(after) != 2500 || changed != 125 {
		t.Errorf("%d files, then %d, of which %d changed", len(before), len(after), changed)
	}
}
