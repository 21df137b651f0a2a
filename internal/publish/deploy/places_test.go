package deploy

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

func TestWhichEdgesAreAsked(t *testing.T) {
	edge := func(name, state, address string) remote.FleetEdge {
		return remote.FleetEdge{Name: name, State: state, Address: address}
	}
	rows := []struct {
		name  string
		fleet remote.Fleet
		asked []string
		want  FleetVerification
	}{
		{"none", remote.Fleet{}, nil, FleetVerification{}},
		{"two that serve", remote.Fleet{Edges: []remote.FleetEdge{edge("a", "serving", "https://a.example"), edge("b", "serving", "http://192.0.2.1:8080")}},
			[]string{"a", "b"}, FleetVerification{Edges: 2}},
		{"others answer from the origin", remote.Fleet{Edges: []remote.FleetEdge{
			edge("a", "serving", "https://a.example"), edge("b", "joining", "https://b.example"), edge("c", "silent", "https://c.example"), edge("d", "ended", "https://d.example"),
		}}, []string{"a"}, FleetVerification{Edges: 1}},
		{"one says no address", remote.Fleet{Edges: []remote.FleetEdge{edge("a", "serving", ""), edge("b", "serving", "https://b.example")}},
			[]string{"b"}, FleetVerification{Edges: 2, Nameless: 1}},
		{"one that was killed a moment ago is back", remote.Fleet{Edges: []remote.FleetEdge{
			edge("a", "serving", "https://a.example"), edge("a", "serving", "https://a.example"), edge("a", "serving", "https://other.example"),
		}}, []string{"a", "a"}, FleetVerification{Edges: 2}},
		{"two say neither name nor address", remote.Fleet{Edges: []remote.FleetEdge{edge("", "serving", ""), edge("", "serving", "")}}, nil, FleetVerification{Edges: 2, Nameless: 2}},
		{"a loopback address of another machine", remote.Fleet{Edges: []remote.FleetEdge{
			edge("a", "serving", "http://127.0.0.1:8080"), edge("b", "serving", "http://[::1]:80"), edge("c", "serving", "http://localhost"), edge("d", "serving", "http://127.example"),
		}}, []string{"d"}, FleetVerification{Edges: 4, Unasked: []Unasked{
			{"a", "its address http://127.0.0.1:8080 is one of its own machine alone"}, {"b", "its address http://[::1]:80 is one of its own machine alone"},
			{"c", "its address http://localhost is one of its own machine alone"},
		}}},
		{"a loopback address of this machine", remote.Fleet{Here: true, Edges: []remote.FleetEdge{edge("a", "serving", "http://127.0.0.1:8080")}},
			[]string{"a"}, FleetVerification{Edges: 1}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			edges, v := serving(&row.fleet)
			var asked []string
			for _, e := range edges {
				asked = append(asked, e.Name)
			}
			if diff := cmp.Diff(asked, row.asked); diff != "" {
				t.Errorf("asked (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(*v, row.want); diff != "" {
				t.Errorf("told (-got +want):\n%s", diff)
			}
		})
	}
}

func TestHowMuchIsAskedOfEachEdge(t *testing.T) {
	for edges, want := range map[int]int{0: 200, 1: 200, 5: 200, 20: 200, 21: 190, 40: 100, 400: 10, 1000: 10} {
		if got := perEdge(edges); got != want {
			t.Errorf("of %d edges each is asked for %d URLs, want %d", edges, got, want)
		}
	}
}

// A sample has as many as it may have, each once and in order, and those of all
// edges together have every URL where they can.
func TestSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := make([]check, rapid.IntRange(0, 500).Draw(t, "URLs"))
		for i := range all {
			all[i].path = site.URLPath(fmt.Sprint(i))
		}
		most, edges := rapid.IntRange(1, 200).Draw(t, "most"), rapid.IntRange(1, 60).Draw(t, "edges")
		seen := map[site.URLPath]bool{}
		for n := range edges {
			got, last := sample(all, most, n, edges), -1
			if len(got) != min(most, len(all)) {
				t.Fatalf("%d URLs of %d, want at most %d", len(got), len(all), most)
			}
			for _, c := range got {
				i := slices.IndexFunc(all, func(a check) bool { return a.path == c.path })
				if i <= last {
					t.Fatalf("edge %d: %d after %d", n, i, last)
				}
				last, seen[c.path] = i, true
			}
		}
		if want := min(len(all), edges*most); want == len(all) && len(seen) < want {
			t.Fatalf("%d edges are asked for %d of %d URLs together", edges, len(seen), len(all))
		}
	})
}

func TestWhatCouldNotBeProvedIsSaid(t *testing.T) {
	unasked := func(n int) []Unasked {
		var out []Unasked
		for i := range n {
			out = append(out, Unasked{fmt.Sprint("edge-", i+1), "it is dead"})
		}
		return out
	}
	rows := []struct {
		name string
		v    Verification
		want []string
	}{
		{"without a fleet", Verification{Unseen: "no way"}, nil},
		{"all were asked", Verification{Fleet: &FleetVerification{Edges: 2, Proved: 2}}, nil},
		{"one", Verification{Fleet: &FleetVerification{Edges: 2, Proved: 1, Unasked: unasked(1)}}, []string{"edge-1 could not be asked: it is dead"}},
		{"many", Verification{Fleet: &FleetVerification{Edges: 20, Unasked: unasked(14)}}, []string{
			"edge-1 could not be asked: it is dead", "edge-2 could not be asked: it is dead", "edge-3 could not be asked: it is dead",
			"edge-4 could not be asked: it is dead", "edge-5 could not be asked: it is dead",
			"9 more edges could not be asked: edge-6, edge-7, edge-8, edge-9, edge-10, and 4 more",
		}},
		{"no addresses", Verification{Fleet: &FleetVerification{Edges: 5, Nameless: 2}}, []string{"2 of 5 edges could not be asked: they name no address"}},
		{"the site's name leads nowhere", Verification{Unseen: "no way", Fleet: &FleetVerification{Edges: 1, Proved: 1}}, []string{"where the site's name leads could not be asked: no way"}},
		{"nobody knows the edges", Verification{Fleet: &FleetVerification{Unread: "no way"}}, []string{"no edge was asked by itself: no way"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.v.Unproved(), row.want); diff != "" {
				t.Errorf("lines (-got +want):\n%s", diff)
			}
		})
	}
}

// An answer that is wrong is the edge's unless something else must have given it.
func TestWhoAnswersAtAnEdgesAddress(t *testing.T) {
	old, fresh := site.Digest{1}, site.Digest{2}
	rows := []struct {
		name string
		a    remote.Answer
		want string
	}{
		{"old bytes", remote.Answer{Status: 200, Digest: old, Cache: "Hit from cloudfront"}, ""},
		{"old bytes of no edge", remote.Answer{Status: 200, Digest: old}, ""},
		{"another page of an edge", remote.Answer{Status: 404, Digest: fresh, Cache: "Error from cloudfront"}, ""},
		{"another page of no edge", remote.Answer{Status: 404}, "what answers at its address is no edge of the fleet (status 404, no X-Cache)"},
		{"sent to TLS", remote.Answer{Status: 301, Plain: true, Cache: "Redirect from cloudfront"}, "viewers come with TLS, and its address has none (status 301)"},
		{"refused without TLS", remote.Answer{Status: 403, Plain: true, Cache: "Error from cloudfront"}, "viewers come with TLS, and its address has none (status 403)"},
		{"refused with TLS", remote.Answer{Status: 403, Cache: "Error from cloudfront"}, ""},
		{"an error without TLS", remote.Answer{Status: 502, Plain: true, Cache: "Error from cloudfront"}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			if err := (check{old: old}).alien(row.a); err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
