package purge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const scope = "x-amz-meta-cache-tag"

func TestCovers(t *testing.T) {
	tests := []struct {
		spec, item, uri string
		tags            string
		want            bool
	}{
		{spec: "1.2 exact path", item: "/a.html", uri: "/a.html", want: true},
		{spec: "1.1 case counts", item: "/A.html", uri: "/a.html"},
		{spec: "1.2 item without query, key with one", item: "/a", uri: "/a?x=1"},
		{spec: "1.2 query named", item: "/a?x=1", uri: "/a?x=1", want: true},
		{spec: "1.2 other query", item: "/a?x=1", uri: "/a?x=2"},
		{spec: "1.2 query named, key without", item: "/a?x=1", uri: "/a"},
		{spec: "1.2 star covers queries", item: "/a*", uri: "/a?x=1", want: true},
		{spec: "1.2 star covers nothing more", item: "/a*", uri: "/a", want: true},
		{spec: "1.2 star inside a segment", item: "/dir*", uri: "/directory2/a", want: true},
		{spec: "1.2 folder itself", item: "/dir/*", uri: "/dir/", want: true},
		{spec: "1.2 below, recursively", item: "/dir/*", uri: "/dir/a/b", want: true},
		{spec: "1.2 not without slash", item: "/dir/*", uri: "/dir"},
		{spec: "1.2 not with query", item: "/dir/*", uri: "/dir?x"},
		{spec: "1.2 everything", item: "/*", uri: "/any/thing?at=all", want: true},
		{spec: "1.2 root", item: "/", uri: "/", want: true},
		{spec: "1.2 root is not its index", item: "/", uri: "/index.html"},
		{spec: "1.1 star elsewhere is literal", item: "/a*b", uri: "/axb"},
		{spec: "1.1 star elsewhere is itself", item: "/a*b", uri: "/a*b", want: true},
		{spec: "1.1 only the last star is wild", item: "/a**", uri: "/a*x", want: true},
		{spec: "1.1 only the last star is wild, no match", item: "/a**", uri: "/ax"},
		{spec: "1.1 %2A is no wildcard", item: "/a%2A", uri: "/ab"},
		{spec: "1.1 question mark is no wildcard", item: "/a?c", uri: "/abc"},
		{spec: "1.1 bytes, not meanings", item: "/%7Ea", uri: "/~a"},
		{spec: "1.1 hex case counts", item: "/%c3", uri: "/%C3"},
		{spec: "4.6 double slash does not hit", item: "//a", uri: "/a"},
		{spec: "1.1 shorter path", item: "/abc", uri: "/ab"},
		{spec: "2 tag", item: "#post:42", uri: "/p", tags: "a, post:42", want: true},
		{spec: "2 tags ignore case", item: "#Post:42", uri: "/p", tags: "pOST:42", want: true},
		{spec: "2 no wildcard in tags", item: "#post*", uri: "/p", tags: "post:42"},
		{spec: "2 star is a character of a tag", item: "#post*", uri: "/p", tags: "post*", want: true},
		{spec: "2 other tag", item: "#post:4", uri: "/p", tags: "post:42"},
		{spec: "2 tag is no path", item: "#p", uri: "/p"},
	}
	for _, test := range tests {
		t.Run(test.spec+" "+test.item, func(t *testing.T) {
			l := New(0)
			if _, err := l.Accept(scope, []string{test.item}); err != nil {
				t.Fatal(err)
			}
			got, at := l.Covered(test.uri, Tags(scope, []string{test.tags}), 0)
			if got != test.want || at != 1 {
				t.Errorf("Covered(%q, %q) = %v, %d, want %v, 1", test.uri, test.tags, got, at, test.want)
			}
		})
	}
}

func TestAcceptRefuses(t *testing.T) {
	for name, items := range map[string][]string{
		"no items":           {},
		"no slash":           {"/ok", "index.html"},
		"empty item":         {""},
		"lone star":          {"*"},
		"empty tag":          {"#"},
		"tag with blank":     {"#a b"},
		"tag with comma":     {"#a,b"},
		"tag too long":       {"#" + strings.Repeat("t", 257)},
		"path of 4001 bytes": {"/" + strings.Repeat("a", 4000)},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(0)
			if _, err := l.Accept(scope, items); !errors.Is(err, ErrItem) {
				t.Errorf("Accept = %v, want ErrItem", err)
			}
			if covered, _ := l.Covered("/ok", nil, 0); covered || l.Current() != 0 {
				t.Error("a refused batch had an effect")
			}
		})
	}
}

func TestTags(t *testing.T) {
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("t%d", i)
	}
	tests := []struct {
		spec   string
		scope  string
		values []string
		want   []string
	}{
		{"off", "", []string{"a"}, nil},
		{"blanks are trimmed", "S", []string{" a ,b\t"}, []string{"s\x00a", "s\x00b"}},
		{"several lines", "s", []string{"a", "b"}, []string{"s\x00a", "s\x00b"}},
		{"case and repeats", "s", []string{"A,a"}, []string{"s\x00a"}},
		{"what is no tag is skipped", "s", []string{"a b,,é," + strings.Repeat("x", 257) + ",ok"}, []string{"s\x00ok"}},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			if diff := cmp.Diff(Tags(test.scope, test.values), test.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
	if got := Tags("s", []string{strings.Join(many, ",")}); len(got) != 50 || got[49] != "s\x00t49" {
		t.Errorf("of 60 tags %d were kept, want the first 50", len(got))
	}
}

// Items of one tag header do not cover objects tagged under another, nor are they lost when the header changes.
func TestScopes(t *testing.T) {
	l := New(0)
	old, renamed := Tags("old", []string{"a"}), Tags("new", []string{"a"})
	mustAccept(t, l, "old", "#a")
	if got, _ := l.Covered("/x", old, 0); !got {
		t.Error("object tagged under the header of the time is not covered")
	}
	if got, _ := l.Covered("/x", renamed, 0); got {
		t.Error("object tagged under a later header is covered")
	}
	mustAccept(t, l, "", "#a")
	if got, _ := l.Covered("/x", old, 1); got {
		t.Error("tag item without a tag header has an effect")
	}
}

// An item of any scope covers what is tagged under each, and no other tag.
func TestAnyScope(t *testing.T) {
	l := New(0)
	mustAccept(t, l, AnyScope, "#A")
	for _, header := range []string{"old", "new"} {
		if got, _ := l.Covered("/x", Tags(header, []string{"b, a"}), 0); !got || l.Which("/x", Tags(header, []string{"a"}), 0) != 1 {
			t.Errorf("tagged under %s: %v", header, got)
		}
		if got, _ := l.Covered("/x", Tags(header, []string{"b"}), 0); got {
			t.Errorf("another tag under %s is covered", header)
		}
		if got, _ := l.Covered("/x", Tags(header, []string{"a"}), 1); got {
			t.Errorf("an object from after is covered")
		}
	}
}

func mustAccept(t *testing.T, l *Log, scope string, items ...string) Sequence {
	t.Helper()
	seq, err := l.Accept(scope, items)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func TestSequence(t *testing.T) {
	l := New(0)
	first := mustAccept(t, l, "", "/a")
	second := mustAccept(t, l, "", "/b", "/c")
	if first != 1 || second != 2 || l.Current() != 2 {
		t.Errorf("sequences %d, %d, current %d", first, second, l.Current())
	}
	if got, _ := l.Covered("/a", nil, first); got {
		t.Error("object filled after the invalidation is covered")
	}
	if got, at := l.Covered("/c", nil, first); !got || at != 2 {
		t.Errorf("object filled before the invalidation: %v, %d", got, at)
	}
}

// A later prefix makes room: what it covers need not be kept.
func TestPrefixAbsorbs(t *testing.T) {
	l := New(0)
	for i := range 1000 {
		mustAccept(t, l, "", fmt.Sprintf("/posts/%d/index.html", i), fmt.Sprintf("/posts/%d*", i))
	}
	before := l.Size()
	mustAccept(t, l, "", "/posts/*")
	after := l.Size()
	if before.Items < 1000 || after.Items != 1 || after.Bytes > 1000 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestForget(t *testing.T) {
	l := New(0)
	mustAccept(t, l, "", "/a")
	sealed := l.Seal()
	mustAccept(t, l, "", "/b")
	l.Forget(sealed - 1)
	if size := l.Size(); size.Items != 2 || size.Segments != 2 {
		t.Errorf("a segment that is still needed was forgotten: %+v", size)
	}
	l.Forget(sealed)
	if size := l.Size(); size.Items != 1 || size.Segments != 1 {
		t.Errorf("after Forget: %+v", size)
	}
	if got, _ := l.Covered("/elsewhere", nil, sealed-1); !got {
		t.Error("an object older than what was forgotten must count as covered")
	}
	if got, _ := l.Covered("/elsewhere", nil, sealed); got {
		t.Error("an object as new as what was forgotten is covered")
	}
	if got, _ := l.Covered("/b", nil, sealed); !got {
		t.Error("a later item was forgotten too")
	}
}

func TestSealTwice(t *testing.T) {
	l := New(0)
	l.Seal()
	l.Seal()
	mustAccept(t, l, "", "/a")
	l.Seal()
	l.Seal()
	if size := l.Size(); size.Segments != 2 {
		t.Errorf("%d segments, want 2: empty ones must not pile up", size.Segments)
	}
}

// However many items come, memory stays within the limit, and no answer becomes stale.
func TestLimit(t *testing.T) {
	l := New(20_000)
	tags := Tags(scope, []string{"kept"})
	for i := range 5000 {
		mustAccept(t, l, scope, fmt.Sprintf("/p/%d", i), fmt.Sprintf("#t%d", i))
		if size := l.Size(); size.Bytes > 20_000 {
			t.Fatalf("after %d batches: %+v", i+1, size)
		}
		if got, _ := l.Covered(fmt.Sprintf("/p/%d", i), tags, Sequence(i)); !got {
			t.Fatalf("item %d is lost", i)
		}
	}
	if got, _ := l.Covered("/p/3", nil, 1); !got {
		t.Error("an early item is lost")
	}
}

// The tree's reckoning of its size must agree with what it holds.
func TestSizeAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var root node
		total := size{}
		for range rapid.IntRange(1, 40).Draw(t, "items") {
			path := "/" + rapid.StringMatching(`[ab/]{0,5}`).Draw(t, "path")
			grown := root.insert(path, rapid.Bool().Draw(t, "prefix"), 1)
			total.bytes += grown.bytes
			total.items += grown.items
		}
		counted := size{}
		for _, c := range root.children {
			measure(c, &counted)
		}
		if counted != total || root.size != total {
			t.Fatalf("counted %+v, summed %+v, root %+v", counted, total, root.size)
		}
	})
}

func measure(n *node, into *size) {
	into.bytes += nodeOverhead + len(n.label)
	if n.exact != 0 {
		into.items++
	}
	if n.prefix != 0 {
		into.items++
	}
	for _, c := range n.children {
		measure(c, into)
	}
}

// model is the log as a list.
type model struct {
	items []string
	seqs  []Sequence
}

func (m *model) covered(uri string, tags []string, since Sequence) bool {
	for i, item := range m.items {
		if m.seqs[i] <= since {
			continue
		}
		tag, isTag := strings.CutPrefix(item, "#")
		prefix, isPrefix := strings.CutSuffix(item, "*")
		switch {
		case isTag:
			if slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) }) {
				return true
			}
		case isPrefix && strings.HasPrefix(uri, prefix), !isPrefix && uri == item:
			return true
		}
	}
	return false
}

// Against a list searched from end to end: same answers, whatever is sealed and (rightly) forgotten in between.
func TestAgainstModel(t *testing.T) {
	item := rapid.StringMatching(`/[ab]{0,3}(/[ab*]{0,3})?(\?[ab])?\*?|#[aAbB]`)
	uri := rapid.StringMatching(`/[ab]{0,3}(/[ab*]{0,3})?(\?[ab])?`)
	rapid.Check(t, func(t *rapid.T) {
		l, m := New(0), &model{}
		oldest := Sequence(0)
		t.Repeat(map[string]func(*rapid.T){
			"accept": func(t *rapid.T) {
				items := rapid.SliceOfN(item, 1, 4).Draw(t, "items")
				seq, err := l.Accept(scope, items)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range items {
					m.items, m.seqs = append(m.items, i), append(m.seqs, seq)
				}
			},
			"look up": func(t *rapid.T) {
				u := uri.Draw(t, "uri")
				tags := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "tags")
				since := Sequence(rapid.Uint64Range(uint64(oldest), uint64(l.Current())).Draw(t, "since"))
				got, at := l.Covered(u, Tags(scope, tags), since)
				if want := m.covered(u, tags, since); got != want {
					t.Fatalf("Covered(%q, %q, %d) = %v, want %v; items %q", u, tags, since, got, want, m.items)
				}
				if at != l.Current() {
					t.Fatalf("answered up to %d of %d", at, l.Current())
				}
			},
			"forget": func(t *rapid.T) {
				upTo := Sequence(rapid.Uint64Range(0, uint64(l.Seal())).Draw(t, "up to"))
				l.Forget(upTo)
				oldest = max(oldest, upTo)
			},
		})
	})
}

func FuzzCovers(f *testing.F) {
	f.Add("/a*", "/b/c", "/a/b")
	f.Add("/dir/*", "/dir", "/dir")
	f.Add("/a?x=1", "/a*b", "/a?x=1")
	f.Add("#tag", "/", "/")
	f.Fuzz(func(t *testing.T, one, two, uri string) {
		l, m := New(0), &model{}
		for _, item := range []string{one, two} {
			seq, err := l.Accept(scope, []string{item})
			if err == nil {
				m.items, m.seqs = append(m.items, item), append(m.seqs, seq)
			}
		}
		for since := range l.Current() + 1 {
			got, _ := l.Covered(uri, nil, since)
			if want := m.covered(uri, nil, since); got != want {
				t.Errorf("items %q: Covered(%q, %d) = %v, want %v", m.items, uri, since, got, want)
			}
		}
	})
}

func BenchmarkAccept(b *testing.B) {
	for _, held := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			l := New(1 << 30)
			for i := range held {
				if _, err := l.Accept("", []string{fmt.Sprintf("/posts/%d/index.html", i)}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := l.Accept("", []string{fmt.Sprintf("/posts/%d/index.html", i%100_000)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCovered(b *testing.B) {
	l := New(1 << 30)
	for i := range 100_000 {
		if _, err := l.Accept("", []string{fmt.Sprintf("/posts/%d/index.html", i)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Covered("/posts/5000000/index.html", nil, 0)
	}
}
