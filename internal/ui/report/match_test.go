package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpansFindTheObjectsOfAnItem(t *testing.T) {
	f := finder{sortedObjects([]Object{
		{Key: "index.html"}, {Key: "about.html"}, {Key: "posts/a/index.html"}, {Key: "posts/a/pic.png"},
		{Key: "posts/ab.html"}, {Key: "it's #1.html"}, {Key: "100%.html"}, {Key: "blog/index.html"}, {Key: "blog/x"},
	})}
	tests := []struct {
		name string
		root string
		item Item
		want []string
	}{
		{"the root", "", Item{Path: "/"}, []string{"index.html"}},
		{"a file", "", Item{Path: "/posts/a/pic.png"}, []string{"posts/a/pic.png"}},
		{"a folder", "", Item{Path: "/posts/a/"}, []string{"posts/a/index.html"}},
		{"a folder without its slash", "", Item{Path: "/posts/a"}, []string{"posts/a/index.html"}},
		{"a clean address", "", Item{Path: "/about"}, []string{"about.html"}},
		{"escaped", "", Item{Path: "/it's%20%231.html"}, []string{"it's #1.html"}},
		{"a lone percent sign", "", Item{Path: "/100%.html"}, []string{"100%.html"}},
		{"with a query", "", Item{Path: "/about.html?x=1"}, []string{"about.html"}},
		{"a wildcard", "", Item{Path: "/posts/a*"}, []string{"posts/a/index.html", "posts/a/pic.png", "posts/ab.html"}},
		{"everything below the origin path", "blog/", Item{Path: "/*"}, []string{"blog/index.html", "blog/x"}},
		{"below the origin path", "blog/", Item{Path: "/x"}, []string{"blog/x"}},
		{"a tag", "", Item{Path: "#page", Covers: []string{"/about", "/"}}, []string{"about.html", "index.html"}},
		{"nothing", "", Item{Path: "/none"}, nil},
		{"a wildcard over nothing", "", Item{Path: "/zzz*"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range f.spans(tt.root, tt.item) {
				for _, o := range f.objects[s.lo:s.hi] {
					got = append(got, o.Key)
				}
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		ids  []int
		want string
	}{
		{"none", nil, ""},
		{"one", []int{4}, "4"},
		{"a run", []int{1, 2, 3}, "1-3"},
		{"mixed", []int{0, 2, 3, 7}, "0 2-3 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ranges(tt.ids); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
