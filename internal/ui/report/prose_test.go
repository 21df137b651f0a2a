package report

import "testing"

func steps(op Op, keys ...string) []Step {
	var out []Step
	for _, k := range keys {
		out = append(out, Step{Op: op, Key: k, Size: 10})
	}
	return out
}

func TestSentence(t *testing.T) {
	address := Distribution{Items: []Item{{Path: "/a", CoverCount: 1}}}
	for _, tt := range []struct {
		name string
		data Data
		want string
	}{
		{"nothing", Data{}, "Nothing changes: no file is sent, and nothing is thrown out of the caches."},
		{
			"the example of the design",
			Data{
				Steps: append(append(steps(OpAdd, "a"), steps(OpUpdate, "b", "c")...), steps(OpRemove, "old.html")...),
				Distributions: []Distribution{{Items: []Item{
					{Path: "/a", CoverCount: 1}, {Path: "/b*", CoverCount: 3}, {Path: "/old.html", CoverCount: 1},
				}}},
			},
			"3 files go up, 1 page goes away, and 5 addresses are thrown out of the caches; nothing else is touched.",
		},
		{
			"a first deploy",
			Data{Steps: steps(OpAdd, "a", "b"), Distributions: []Distribution{{}}},
			"2 files go up; nothing is thrown out of the caches, and nothing else is touched.",
		},
		{
			"singular everywhere",
			Data{
				Steps: append(append(append(steps(OpAdd, "a"), steps(OpHeaders, "b")...), steps(OpRemove, "feed.xml")...),
					steps(OpRetire, "d.css")...),
				Distributions: []Distribution{address},
			},
			"1 file goes up, 1 file gets other headers, 1 file goes away, 1 unused file is kept for now, and 1 address is thrown out of the caches; nothing else is touched.",
		},
		{
			"something else goes too",
			Data{
				Steps: steps(OpUpdate, "a"),
				Distributions: []Distribution{{
					Items: []Item{{Path: "/p*", CoverCount: 2, Drops: 12, DropsBytes: 3e6}}, Drops: 12, DropsBytes: 3e6,
				}},
			},
			"1 file goes up and 2 addresses are thrown out of the caches; with them go 12 files that did not change (3.0 MB).",
		},
		{
			"everything, with nothing left over",
			Data{Steps: steps(OpUpdate, "a"), Distributions: []Distribution{{Items: []Item{{Path: "/*", CoverCount: 9}}}}},
			"1 file goes up and every address is thrown out of the caches; nothing else is touched.",
		},
		{
			"everything at one of two distributions",
			Data{Distributions: []Distribution{{Items: []Item{{Path: "/*", CoverCount: 9}}}, address}},
			"10 addresses are thrown out of the caches; nothing else is touched.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sentence(tt.data); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestItemsInPlainWords(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		item                    Item
		meaning, purpose, price string
	}{
		{"an address", Item{Path: "/a", CoverCount: 1}, "This one address.", "", "nothing else"},
		{
			"a wildcard for many", Item{Path: "/p/*", CoverCount: 3, Drops: 1204, DropsBytes: 312e6},
			"Every address that begins with “/p/”: 3 addresses that changed.",
			"One path to send and to pay for instead of 3.", "1,204 unchanged (312 MB)",
		},
		{
			"a name that cannot be written", Item{Path: "/js/runtime*", CoverCount: 1, Covers: []string{"/js/runtime~main.js"}},
			"Every address that begins with “/js/runtime”: 1 address that changed.",
			"A path cannot be trusted to name the character “~”, so this one stops before it.", "nothing else",
		},
		{
			"the same, escaped", Item{Path: "/it*", CoverCount: 1, Covers: []string{"/it%27s"}},
			"Every address that begins with “/it”: 1 address that changed.",
			"A path cannot be trusted to name the character “'”, so this one stops before it.", "nothing else",
		},
		{
			"a wildcard for one, nobody knows why", Item{Path: "/a*", CoverCount: 1, Covers: []string{"/a%2"}},
			"Every address that begins with “/a”: 1 address that changed.", "", "nothing else",
		},
		{
			"a tag", Item{Path: "#page", CoverCount: 30},
			"Every address whose object carries this tag: 30 addresses that changed.",
			"One path to send and to pay for instead of 30.", "nothing else",
		},
		{
			"everything", Item{Path: "/*", CoverCount: 2000},
			"Every address there is, 2,000 of them changed.",
			"One path to send and to pay for instead of 2,000.", "nothing else",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.item.meaning(); got != tt.meaning {
				t.Errorf("meaning: got %q, want %q", got, tt.meaning)
			}
			if got := tt.item.purpose(); got != tt.purpose {
				t.Errorf("purpose: got %q, want %q", got, tt.purpose)
			}
			if got := tt.item.price(); got != tt.price {
				t.Errorf("price: got %q, want %q", got, tt.price)
			}
		})
	}
}
