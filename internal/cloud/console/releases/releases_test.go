package releases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// bucket is keys with their bytes.
type bucket map[string]string

func (b bucket) Folders(_ context.Context, prefix string, limit int) ([]string, error) {
	var out []string
	for key := range b {
		if rest, ok := strings.CutPrefix(key, prefix); ok && strings.Contains(rest, "/") {
			if name, _, _ := strings.Cut(rest, "/"); !slices.Contains(out, prefix+name+"/") {
				out = append(out, prefix+name+"/")
			}
		}
	}
	slices.Sort(out)
	return out[:min(limit, len(out))], nil
}

func (b bucket) ETag(_ context.Context, key string) (string, error) {
	if data, ok := b[key]; ok {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(data))), nil
	}
	return "", fmt.Errorf("no %s: %w", key, fs.ErrNotExist)
}

func (b bucket) Read(_ context.Context, key string) (io.ReadCloser, error) {
	if data, ok := b[key]; ok {
		return io.NopCloser(strings.NewReader(data)), nil
	}
	return nil, fmt.Errorf("no %s: %w", key, fs.ErrNotExist)
}

const state = ".freshet-00112233445566778899aabbccddeeff/"

// digests of the two releases' manifests, and of contents.
var first, second, x, y = strings.Repeat("1", 64), strings.Repeat("2", 64), strings.Repeat("a", 64), strings.Repeat("b", 64)

// published is a record of two releases, as docs/state.md describes it.
func published() bucket {
	line := func(key, digest, control string) string {
		return fmt.Sprintf(`{"key":"%s","size":%d,"sha256":"%s","kind":"page","headers":{"content_type":"text/html; charset=utf-8","cache_control":"%s"},"etag":"e"}`,
			key, len(key), digest, control)
	}
	return bucket{
		".freshet-claim":                         fmt.Sprintf("freshet keeps its record under a prefix with this SHA-256: %x\n", sha256.Sum256([]byte(state))),
		".freshet-ffffffffffffffff/README.txt":   "of a publisher who was slower",
		state + "README.txt":                     "",
		state + "current.json":                   `{"version":1,"release":"r2-0000000b","number":2,"previous":"r1-0000000a","manifest":"` + second + `","seconds":1.5}`,
		state + "journal.json":                   `{"version":1,"release":"r2-0000000b","pending":[{"path":"/a"}],"closed":true}`,
		manifestKey("r1-0000000a", first):        packed(manifest("r1-0000000a", "", line("a", x, "max-age=60"), line("b", x, ""), line("c", x, ""), line("d", x, ""))),
		manifestKey("r2-0000000b", second):       packed(manifest("r2-0000000b", `"retired":[{"key":"c","release":"r2-0000000b"},{"key":"old","release":"r1-0000000a"}],"history":[{"release":"r1-0000000a","number":1,"manifest":"`+first+`"}],`, line("a", x, "max-age=90"), line("b", y, ""), line("e", x, ""), line("z", x, ""))),
		"index.html":                             "somebody's site",
		".freshet-ffffffffffffffff/current.json": "not to be read",
	}
}

func manifestKey(id, digest string) string {
	return state + "releases/" + id + "/manifest-" + digest[:16] + ".json.zst"
}

func manifest(id, more string, lines ...string) string {
	return `{"version":1,"release":"` + id + `","number":1,"created":"2026-11-22T12:00:00Z","objects":[` + "\n" + strings.Join(lines, ",\n") + "\n]," + more +
		`"about":{"release":"` + id + `","number":2,"created":"2026-11-22T12:00:00Z","writer":"ben@desk","revision":{"name":"v2","branch":"main","time":"2026-11-22T11:00:00Z"},"objects":4,"uploaded":3,"paths":5,"seconds":0}}`
}

func packed(text string) string {
	var out bytes.Buffer
	w, _ := zstd.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func TestList(t *testing.T) {
	got, err := New(published()).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	want := History{Live: "r2-0000000b", Releases: []Release{
		{
			ID: "r2-0000000b", Number: 2, Created: noon, Writer: "ben@desk", Revision: &Revision{"v2", "main", noon.Add(-time.Hour)},
			Objects: 4, Uploaded: 3, Paths: 5, Seconds: 1.5, Manifest: second,
		},
		{ID: "r1-0000000a", Number: 1, Manifest: first},
	}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	r := New(published())
	got, err := r.Diff(t.Context(), "r2-0000000b", 100)
	if err != nil {
		t.Fatal(err)
	}
	want := Difference{
		Release: "r2-0000000b", Before: "r1-0000000a", Counts: map[string]int{Added: 2, Changed: 1, Headers: 1, Removed: 1, Retired: 1},
		Changes: []Change{
			{Key: "a", What: Headers, Size: 1, Was: 1, Type: "text/html", Headers: []HeaderChange{{"cache-control", "max-age=60", "max-age=90"}}},
			{Key: "b", What: Changed, Size: 1, Was: 1, Type: "text/html"},
			{Key: "c", What: Retired, Was: 1, Type: "text/html"},
			{Key: "d", What: Removed, Was: 1, Type: "text/html"},
			{Key: "e", What: Added, Size: 1, Type: "text/html"},
			{Key: "z", What: Added, Size: 1, Type: "text/html"},
		},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	few, err := r.Diff(t.Context(), "r2-0000000b", 2)
	if err != nil || len(few.Changes) != 2 || few.Counts[Added] != 2 || few.Counts[Retired] != 1 {
		t.Errorf("of few changes: %+v %v", few, err)
	}
	one, err := r.Diff(t.Context(), "r1-0000000a", 100)
	if err != nil || one.Before != "" || one.Counts[Added] != 4 || one.Unchanged != 0 {
		t.Errorf("the first release: %+v %v", one, err)
	}
	if _, err := r.Diff(t.Context(), "r9-00000009", 100); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown release: %v", err)
	}
}

func TestVersion(t *testing.T) {
	b := published()
	r := New(b)
	was, err := r.Version(t.Context())
	if err != nil || was == "" {
		t.Fatalf("%q, %v", was, err)
	}
	b[state+"journal.json"] = `{"version":1,"release":"r3-0000000c","number":3,"writer":"amy@lap","started":"2026-11-22T12:00:00Z","pending":[{},{}]}`
	if is, _ := r.Version(t.Context()); is == was {
		t.Error("a journal does not show")
	}
	h, err := r.List(t.Context())
	want := &UnderWay{"r3-0000000c", 3, "amy@lap", time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), 2}
	if diff := cmp.Diff(h.UnderWay, want); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	b[state+"current.json"] = strings.Replace(b[state+"current.json"], second, first, 1)
	b[state+"current.json"] = strings.Replace(b[state+"current.json"], "r2-0000000b", "r1-0000000a", 1)
	if h, err := r.List(t.Context()); err != nil || h.Live != "r1-0000000a" || len(h.Releases) != 1 {
		t.Errorf("another pointer: %+v %v", h, err)
	}
}

// A bucket that freshet does not know is empty; a record that is not as it should be is an error, which never tells the prefix.
func TestOddRecords(t *testing.T) {
	pointer := func(text string) func(bucket) { return func(b bucket) { b[state+"current.json"] = text } }
	live := manifestKey("r2-0000000b", second)
	for _, row := range []struct {
		name   string
		change func(bucket)
		list   string // error; "" for none
		diff   string
	}{
		{"no record", func(b bucket) { clear(b) }, "", "no such release"},
		{"no claim", func(b bucket) { delete(b, ".freshet-claim") }, "", "no such release"},
		{"a claim of nothing", func(b bucket) { b[".freshet-claim"] = first }, "", "no such release"},
		{"no pointer yet", func(b bucket) { delete(b, state+"current.json") }, "", "no such release"},
		{"a newer format", pointer(`{"version":2}`), "its version is 2, and this program knows 1", ""},
		{"a broken pointer", pointer(`{`), "read current.json of the record", ""},
		{"a way out", pointer(`{"version":1,"release":"../../x","manifest":"` + second + `"}`), "not kept any more", ""},
		{"a digest that is none", pointer(`{"version":1,"release":"r2-0000000b","manifest":"../../../../../.."}`), "not kept any more", ""},
		{"the live manifest is gone", func(b bucket) { delete(b, live) }, "not kept any more", ""},
		{"the live manifest is broken", func(b bucket) { b[live] = b[live][:len(b[live])/2] }, "read the manifest of release r2-0000000b", ""},
		{"it is no zstd", func(b bucket) { b[live] = "x" }, "read the manifest of release r2-0000000b", ""},
		{"it is of another version", func(b bucket) { b[live] = packed(`{"version":7}`) }, "its version is 7", ""},
		{"the one before is gone", func(b bucket) { delete(b, manifestKey("r1-0000000a", first)) }, "", "not kept any more"},
		{"the one before is not in order", func(b bucket) {
			b[manifestKey("r1-0000000a", first)] = packed(`{"version":1,"objects":[{"key":"b"},{"key":"a"}]}`)
		}, "", "not in order"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := published()
			row.change(b)
			_, err := New(b).List(t.Context())
			judge(t, err, row.list)
			if row.diff == "" {
				row.diff = row.list
			}
			_, err = New(b).Diff(t.Context(), "r2-0000000b", 10)
			judge(t, err, row.diff)
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(published()).List(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func judge(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want == "":
	case err == nil || want == "" || !strings.Contains(err.Error(), want):
		t.Errorf("error %v, want %q", err, want)
	case strings.Contains(err.Error(), "0011223344"):
		t.Errorf("the error tells the prefix: %v", err)
	}
}

// Whatever a manifest holds, reading it ends without a panic.
func FuzzRead(f *testing.F) {
	f.Add([]byte(manifest("r1-0000000a", `"retired":[],`, `{"key":"a","headers":{"x":"y"}}`)))
	f.Add([]byte(`{"version":1,"objects":[{"key":"a"},{"key":"b"}],"history":[{}]}`))
	f.Add([]byte(`{"objects":{}}`))
	f.Add([]byte(`{"version":1,"objects":7`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		_ = read(t.Context(), bytes.NewReader(data), nil, &tail{})
		r := New(bucket{manifestKey("r1-0000000a", first): packed(string(data))})
		for _, err := range r.objects(t.Context(), state, Release{ID: "r1-0000000a", Manifest: first}, &tail{}) {
			if n++; err != nil {
				break
			}
		}
		if n > len(data) {
			t.Errorf("%d objects from %d bytes", n, len(data))
		}
	})
}
