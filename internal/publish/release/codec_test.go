package release

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"github.com/freshet/freshet/internal/site"
)

var awkward = []site.Key{"a b+%#~'.html", "日本/語.html", "<&>.html", `quo"te\.html`, "\u2028.html", "plain.html", "tab\t.html"}

func awkwardManifest(t testing.TB) Manifest {
	var objects []site.Object
	for i, k := range awkward {
		objects = append(objects, site.Object{
			Key: k, Size: int64(i) * 1e15, Digest: site.Digest{byte(i), 255}, Kind: site.KindPage, ETag: strings.Repeat("ab", i),
			Headers: site.Share(site.Headers{ContentType: "text/html; charset=utf-8", ContentDisposition: `attachment; filename="{x}"`}),
		})
	}
	m, err := site.NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return Manifest{
		Release: "r7-x", Number: 7, Created: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Site: m,
		Retired: []Retired{{Object: objects[0], Release: "r6-x"}}, About: Entry{Release: "r7-x", Writer: `"objects":[`},
	}
}

func TestManifestCodec(t *testing.T) {
	for _, m := range []Manifest{awkwardManifest(t), {Release: "r1-x", Number: 1}} {
		data, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeManifest(data, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(site.Manifest{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// The file is JSON for everybody else, too, and manifests of one line, as freshet wrote them once, can still be read.
func TestManifestIsJSON(t *testing.T) {
	m := awkwardManifest(t)
	data, err := encodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	var f manifestFile
	if err := json.Unmarshal(plain, &f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Site.Objects(), f.Objects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	line, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := readManifest(bufio.NewReader(bytes.NewReader(line)), len(line))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, again); diff != "" {
		t.Errorf("of one line (-want +got):\n%s", diff)
	}
}

func TestManifestDamage(t *testing.T) {
	data, err := encodeManifest(awkwardManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := decodeManifest(data[:n], 0); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a manifest", n, len(data))
		}
	}
}

// FuzzObject compares the quick reading of a line with encoding/json's.
func FuzzObject(f *testing.F) {
	for _, line := range []string{
		`{"key":"a","size":1,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"page","headers":{"content_type":"a}b"},"etag":"e"}`,
		`{"key":"a","size":01,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"page","headers":{}}`,
		`{"key":"a","size":1,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"page","headers":{"content_type":1}}`,
		`{"key":"a","size":1,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"page","headers":{},"etag":"e"}x`,
		`{"key":"\u0041","size":9223372036854775807,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"","headers":{}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := parser{headers: map[string]site.Shared{}, kinds: map[string]site.Kind{}}
		got, ok := p.plain(line)
		if !ok {
			return
		}
		var want site.Object
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%s: %v, read as %+v", line, err, got)
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	})
}

func random(i int) site.Digest { return sha256.Sum256([]byte(strconv.Itoa(i))) }

func BenchmarkManifest(b *testing.B) {
	var objects []site.Object
	for i := range 20_000 {
		objects = append(objects, site.Object{
			Key: site.Key("posts/2026/some-post-" + strings.Repeat("x", i%20) + "/" + strconv.Itoa(i) + "/index.html"), Size: int64(i), Digest: random(i),
			Kind: site.KindPage, ETag: random(-i).String()[:32], Headers: site.Share(site.Headers{ContentType: "text/html; charset=utf-8", CacheControl: "max-age=0"}),
		})
	}
	m := Manifest{Release: "r1-x", Number: 1}
	m.Site, _ = site.NewManifest(objects)
	data, err := encodeManifest(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encodeManifest(m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeManifest(data, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
