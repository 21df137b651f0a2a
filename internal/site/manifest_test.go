package site

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tags draws ETags: usual ones, those that look like it, and none.
func tags() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Just(""),
		rapid.StringMatching(`[0-9a-f]{32}`),
		rapid.SampledFrom([]string{
			strings.Repeat("0", 32), strings.Repeat("A", 32), strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("g", 32),
			"d41d8cd98f00b204e9800998ecf8427e-5", "W/weak",
		}),
	)
}

func shared() *rapid.Generator[Shared] {
	return rapid.Custom(func(t *rapid.T) Shared {
		return Share(Headers{ContentType: rapid.SampledFrom([]string{"", "text/html"}).Draw(t, "type"), Tags: rapid.SampledFrom([]string{"", "a"}).Draw(t, "tags")})
	})
}

func drawObjects(t *rapid.T, name string) []Object {
	one := rapid.Custom(func(t *rapid.T) Object {
		return Object{
			Key: Key(rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "key")), Size: int64(rapid.IntRange(0, 3).Draw(t, "size")),
			Digest: Digest{rapid.Byte().Draw(t, "digest")}, Kind: rapid.SampledFrom([]Kind{"", KindPage, KindAsset}).Draw(t, "kind"),
			Headers: shared().Draw(t, "headers"), ETag: tags().Draw(t, "etag"),
		}
	})
	return rapid.SliceOfNDistinct(one, 0, 12, func(o Object) Key { return o.Key }).Draw(t, name)
}

func drawManifest(t *rapid.T, name string) (Manifest, []Object) {
	objects := drawObjects(t, name)
	m, err := NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return m, slices.SortedFunc(slices.Values(objects), func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
}

// TestManifestLists holds every way to look at a manifest against a sorted list.
func TestManifestLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, want := drawManifest(t, "objects")
		if diff := gocmp.Diff(m.Objects(), want); diff != "" {
			t.Fatalf("objects (-got +want):\n%s", diff)
		}
		var bytes int64
		for i, o := range want {
			bytes += o.Size
			digest, headers := m.AnswerAt(i)
			if m.KeyAt(i) != o.Key || m.KindAt(i) != o.Kind || digest != o.Digest || headers != o.Headers {
				t.Errorf("at %d: %q %q %v %v, want %+v", i, m.KeyAt(i), m.KindAt(i), digest, headers, o)
			}
			size, etag := o.Size+int64(rapid.IntRange(0, 1).Draw(t, "more")), rapid.OneOf(rapid.Just(o.ETag), tags()).Draw(t, "listed")
			if got := m.Holds(i, size, etag); got != (size == o.Size && etag == o.ETag) {
				t.Errorf("Holds(%d, %d, %q) = %v for %+v", i, size, etag, got, o)
			}
		}
		if m.Len() != len(want) || m.Bytes() != bytes || !slices.Equal(slices.Collect(m.All()), want) {
			t.Errorf("%d objects, %d bytes, %v; want %+v", m.Len(), m.Bytes(), slices.Collect(m.All()), want)
		}
		k := Key(rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "k"))
		at, ok := slices.BinarySearchFunc(want, k, func(o Object, k Key) int { return cmp.Compare(o.Key, k) })
		i, found := m.Index(k)
		if o, there := m.Lookup(k); i != at || found != ok || there != ok || ok && o != want[at] {
			t.Errorf("Index(%q) = %d, %v; Lookup %+v, %v", k, i, found, o, there)
		}
	})
}

func TestManifestsCompared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, one := drawManifest(t, "one")
		n, two := drawManifest(t, "two")
		if m.Equal(n) != slices.Equal(one, two) {
			t.Errorf("Equal = %v for %v and %v", m.Equal(n), one, two)
		}
		for i, o := range one {
			for j, p := range two {
				if got := m.AnswersLike(i, n, j); got != o.SameAnswer(p) {
					t.Errorf("AnswersLike = %v for %+v and %+v", got, o, p)
				}
			}
			if i < len(two) {
				p := two[i]
				if p.ETag = o.ETag; m.SameAt(n, i) != (o == p) {
					t.Errorf("SameAt = %v for %+v and %+v", m.SameAt(n, i), o, p)
				}
			}
		}
		m.ShareKeys(n)
		if !slices.Equal(m.Objects(), one) || !slices.Equal(n.Objects(), two) {
			t.Errorf("sharing keys has changed them: %v, %v", m.Objects(), n.Objects())
		}
	})
}

// TestDraft changes a list and a draft alike. What the draft began with stays.
func TestDraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, before := drawManifest(t, "objects")
		from, other := drawManifest(t, "from")
		want := slices.Clone(before)
		d := m.Draft()
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			if len(want) == 0 {
				break
			}
			i := rapid.IntRange(0, len(want)-1).Draw(t, "i")
			switch what := rapid.SampledFrom([]string{"headers", "etag", "take"}).Draw(t, "what"); {
			case what == "headers":
				want[i].Headers = shared().Draw(t, "headers")
				d.SetHeaders(i, want[i].Headers)
			case what == "etag":
				want[i].ETag = tags().Draw(t, "etag")
				d.SetETag(i, want[i].ETag)
			case len(other) > 0:
				j := rapid.IntRange(0, len(other)-1).Draw(t, "j")
				want[i].Headers, want[i].ETag = other[j].Headers, other[j].ETag
				d.Take(i, from, j)
			}
		}
		if diff := gocmp.Diff(d.Manifest().Objects(), want); diff != "" {
			t.Fatalf("draft (-got +want):\n%s", diff)
		}
		if !slices.Equal(m.Objects(), before) || !slices.Equal(from.Objects(), other) {
			t.Errorf("what it was made from has changed: %v, %v", m.Objects(), from.Objects())
		}
	})
}

func TestColumns(t *testing.T) {
	describe := func(k Key) (Kind, Headers) { return Kind(k[:1]), Headers{ContentType: string(k)} }
	m := Columns([]Key{"a1", "a2", "b"}, []int64{1, 2, 3}, []Digest{{1}, {2}, {3}}, describe)
	want := []Object{
		{Key: "a1", Size: 1, Digest: Digest{1}, Kind: "a", Headers: Share(Headers{ContentType: "a1"})},
		{Key: "a2", Size: 2, Digest: Digest{2}, Kind: "a", Headers: Share(Headers{ContentType: "a2"})},
		{Key: "b", Size: 3, Digest: Digest{3}, Kind: "b", Headers: Share(Headers{ContentType: "b"})},
	}
	if diff := gocmp.Diff(m.Objects(), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestBuilderOrder(t *testing.T) {
	b := NewBuilder(0)
	for _, tt := range []struct {
		key  Key
		want string // part of the error
	}{{"b", ""}, {"b", "listed twice"}, {"a", "listed after"}, {"c", ""}} {
		err := b.Add(Object{Key: tt.key})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("add %q: %v, want %q", tt.key, err, tt.want)
		}
	}
	if m := b.Manifest(); m.Len() != 2 {
		t.Errorf("%v", m.Objects())
	}
	if _, err := NewManifest([]Object{{Key: "a"}, {Key: "b"}, {Key: "a"}}); err == nil {
		t.Error("a key was taken twice")
	}
}
