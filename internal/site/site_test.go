package site

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDigestText(t *testing.T) {
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-4, example "abc"
	d := Digest(sha256.Sum256([]byte("abc")))
	if d.String() != abc || d.Short() != abc[:12] || d.IsZero() {
		t.Errorf("digest of abc: %q, %q, zero %v", d, d.Short(), d.IsZero())
	}
	if zero := (Digest{}); !zero.IsZero() || zero.String() != strings.Repeat("0", 64) {
		t.Errorf("zero digest: %q, zero %v", zero, zero.IsZero())
	}
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"a digit too few", abc[1:]},
		{"a digit too many", abc + "0"},
		{"not hexadecimal", "g" + abc[1:]},
		{"capitals", strings.ToUpper(abc)},
		{"a space", abc[1:] + " "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Digest{1, 2, 3}
			if err := got.UnmarshalText([]byte(tt.text)); err == nil || got != (Digest{1, 2, 3}) {
				t.Errorf("UnmarshalText(%q) = %v, %v, want an error and the old value", tt.text, got, err)
			}
		})
	}
}

func TestDigestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d, got Digest
		copy(d[:], rapid.SliceOfN(rapid.Byte(), len(d), len(d)).Draw(t, "digest"))
		text, err := json.Marshal(d)
		if err != nil || string(text) != fmt.Sprintf("%q", d) {
			t.Fatalf("Marshal(%v) = %s, %v", d, text, err)
		}
		if err := json.Unmarshal(text, &got); err != nil || got != d {
			t.Fatalf("Unmarshal(%s) = %v, %v", text, got, err)
		}
	})
}

func FuzzDigestText(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("0f", 32))
	f.Add(strings.Repeat("0F", 32))
	f.Fuzz(func(t *testing.T, s string) {
		var d Digest
		if d.UnmarshalText([]byte(s)) == nil && d.String() != s {
			t.Fatalf("UnmarshalText(%q) gives %q", s, d)
		}
	})
}

func TestHeadersDiff(t *testing.T) {
	full := Headers{
		ContentType: "text/html", CacheControl: "no-cache", ContentEncoding: "gzip", ContentDisposition: "attachment", ContentLanguage: "de",
	}
	short := full
	short.CacheControl = "max-age=60"
	for _, tt := range []struct {
		name     string
		old, new Headers
		want     []HeaderChange
	}{
		{"equal", full, full, nil},
		{"both empty", Headers{}, Headers{}, nil},
		{"one changes", full, short,
			[]HeaderChange{{"cache-control", "no-cache", "max-age=60"}}},
		{"one goes", Headers{ContentLanguage: "de"}, Headers{}, []HeaderChange{{"content-language", "de", ""}}},
		{"all come, in their order", Headers{}, full, []HeaderChange{
			{"content-type", "", "text/html"}, {"cache-control", "", "no-cache"}, {"content-encoding", "", "gzip"},
			{"content-disposition", "", "attachment"}, {"content-language", "", "de"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.old.Diff(tt.new)
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("Diff (-got +want):\n%s", diff)
			}
			if (len(got) == 0) != (tt.old == tt.new) {
				t.Errorf("Diff and == disagree on %v and %v", tt.old, tt.new)
			}
		})
	}
}

func TestSameAnswer(t *testing.T) {
	o := Object{Key: "a", Size: 1, Digest: Digest{1}, Kind: KindPage, Headers: Share(Headers{ContentType: "text/html"})}
	etag, bytes, headers, tags := o, o, o, o
	etag.ETag, bytes.Digest, headers.Headers = "x", Digest{2}, Share(Headers{ContentType: "text/html", CacheControl: "no-cache"})
	tags.Headers = Share(Headers{ContentType: "text/html", TagHeader: "x-amz-meta-cache-tag", Tags: "fr.page"})
	if !o.SameAnswer(o) || !o.SameAnswer(etag) || o.SameAnswer(bytes) || o.SameAnswer(headers) {
		t.Error("SameAnswer must look at bytes and headers, and at nothing else")
	}
	if !o.SameAnswer(tags) || !tags.SameAnswer(o) {
		t.Error("cache tags are no part of the answer")
	}
}

// Visible takes the tags away and nothing else.
func TestVisibleHeaders(t *testing.T) {
	h := Headers{
		ContentType: "a", CacheControl: "b", ContentEncoding: "c", ContentDisposition: "d", ContentLanguage: "e",
		TagHeader: "x-amz-meta-t", Tags: "fr.page",
	}
	want := h
	want.TagHeader, want.Tags = "", ""
	if got := h.Visible(); got != want || h.Tags == "" || got.Visible() != got {
		t.Errorf("Visible() = %+v of %+v", got, h)
	}
	if diff := h.Diff(want); diff != nil {
		t.Errorf("Diff sees the tags: %v", diff)
	}
}

func TestKindRemovable(t *testing.T) {
	for kind, want := range map[Kind]bool{
		KindPage: true, KindFeed: true, KindAsset: false, KindImmutable: false, KindOther: false, "": false,
	} {
		if kind.Removable() != want {
			t.Errorf("%q.Removable() = %v, want %v", kind, !want, want)
		}
	}
}

func TestManifest(t *testing.T) {
	m, err := NewManifest([]Object{{Key: "b", Size: 2}, {Key: "a/b", Size: 3}, {Key: "a", Size: 4}, {Key: "a-b", Size: 5}})
	if err != nil {
		t.Fatal(err)
	}
	var got []Key
	for _, o := range m.Objects() {
		got = append(got, o.Key)
	}
	if diff := cmp.Diff(got, []Key{"a", "a-b", "a/b", "b"}); diff != "" {
		t.Errorf("keys in byte order (-got +want):\n%s", diff)
	}
	if m.Len() != 4 || m.Bytes() != 14 {
		t.Errorf("%d objects of %d bytes, want 4 of 14", m.Len(), m.Bytes())
	}
	if zero := (Manifest{}); zero.Len() != 0 || zero.Bytes() != 0 {
		t.Error("the zero manifest is not an empty site")
	}
}

func TestManifestRefusesAKeyTwice(t *testing.T) {
	_, err := NewManifest([]Object{{Key: "a"}, {Key: "b"}, {Key: "a"}})
	if err == nil || !strings.Contains(err.Error(), `"a" is listed twice`) {
		t.Errorf("got %v, want an error that names the key", err)
	}
}

func TestManifestLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.StringMatching(`[ab/.-]{1,4}`), rapid.ID[string]).Draw(t, "names")
		objects := make([]Object, len(names))
		for i, n := range names {
			objects[i] = Object{Key: Key(n), Size: int64(i)}
		}
		m, err := NewManifest(slices.Clone(objects))
		if err != nil {
			t.Fatal(err)
		}
		asked := rapid.OneOf(rapid.StringMatching(`[ab/.-]{0,4}`), rapid.SampledFrom(append(names, "a"))).Draw(t, "asked")
		i := slices.Index(names, asked)
		got, ok := m.Lookup(Key(asked))
		if ok != (i >= 0) || ok && got != objects[i] || !ok && got != (Object{}) {
			t.Fatalf("Lookup(%q) = %v, %v; it stands at %d", asked, got, ok, i)
		}
	})
}
