package cover

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomProblem makes a small site with hard names and short alphabets, so
// that prefixes, folders and forms meet often.
func randomProblem(r *rand.Rand) Problem {
	p := Problem{Policy: Policy(r.IntN(4)), Tags: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		p.MaxWildcards = 1 + r.IntN(3)
	}
	if r.IntN(2) == 0 {
		p.MaxPaths = 1 + r.IntN(4)
	}
	seen := map[string]bool{}
	forms := 0
	for range 3 + r.IntN(7) {
		url := randomURL(r)
		if seen[url] {
			continue
		}
		seen[url] = true
		class := Class(r.IntN(3))
		if r.IntN(2) == 0 && forms < 8 {
			c := Changed{Forms: formsOf(url), Class: class, Variants: r.IntN(5) == 0}
			forms += len(c.Forms)
			if c.Variants {
				forms += len(c.Forms)
			}
			p.Changed = append(p.Changed, c)
		} else {
			p.Untouched = append(p.Untouched, Untouched{URL: url, Class: class, Bytes: int64(r.IntN(100))})
		}
	}
	return p
}

func randomURL(r *rand.Rand) string {
	names := []string{"a", "b", "ab", "a~", "a%20b", "x*", "it's"}
	var b strings.Builder
	for range r.IntN(3) {
		b.WriteString("/" + names[r.IntN(len(names))])
	}
	if r.IntN(2) == 0 {
		return b.String() + "/index.html"
	}
	return b.String() + "/" + names[r.IntN(len(names))]
}

// formsOf lists the URLs of an object as a publisher does.
func formsOf(url string) []string {
	dir, ok := strings.CutSuffix(url, "index.html")
	switch {
	case !ok:
		return []string{url}
	case dir == "/":
		return []string{"/", url}
	}
	return []string{strings.TrimSuffix(dir, "/"), dir, url}
}

// covers is a reading of its own of what an item does to a URL of an object.
func covers(it Item, url, longest string, class Class) bool {
	switch it.Kind {
	case Path:
		return it.Text == url
	case Prefix:
		return strings.HasPrefix(url, it.Text)
	}
	return it.Class == class && class != Untagged && strings.HasPrefix(longest, it.Text)
}

// sendable says by the fact sheet, 1.1, whether an item can be sent and means
// what it says.
func sendable(it Item) bool {
	if it.Kind == Tag {
		return true
	}
	for i := range len(it.Text) {
		if strings.ContainsRune("~'|[] ", rune(it.Text[i])) {
			return false
		}
	}
	if it.Kind == Path {
		return !strings.HasSuffix(it.Text, "*")
	}
	return (strings.LastIndexByte(it.Text, '%') < len(it.Text)-2 || !strings.Contains(it.Text, "%"))
}

// measured is what a set of items costs.
type measured struct{ paths, wildcards, drops int }

func (p Problem) worth(m measured) cost {
	return p.Policy.cost(int64(m.paths), int64(m.wildcards), int64(m.drops))
}

// bruteForce tries every set of items and returns the cheapest that covers all
// and keeps the bounds.
func bruteForce(p Problem) (cost, bool) {
	type want struct {
		url, longest string
		class        Class
	}
	var wants []want
	classOf := map[string]Class{}
	for _, c := range p.Changed {
		for _, f := range c.Forms {
			wants = append(wants, want{f, c.Forms[len(c.Forms)-1], c.Class})
			if c.Variants {
				wants = append(wants, want{f + "?q", c.Forms[len(c.Forms)-1], c.Class})
			}
		}
		classOf[c.Forms[len(c.Forms)-1]] = c.Class
	}
	candidates := map[Item]bool{}
	for _, w := range wants {
		end := len(w.url)
		if strings.HasSuffix(w.url, "?q") {
			end-- // ?q stands for all query strings, so no item may name it alone
		} else {
			candidates[Item{Kind: Path, Text: w.url}] = true
		}
		for n := 1; n <= end; n++ {
			candidates[Item{Kind: Prefix, Text: w.url[:n]}] = true
			if p.Tags && n <= len(w.longest) && w.longest[n-1] == '/' {
				candidates[Item{Kind: Tag, Text: w.longest[:n], Class: 1}] = true
				candidates[Item{Kind: Tag, Text: w.longest[:n], Class: 2}] = true
			}
		}
	}
	type effect struct{ cover, drop uint32 }
	effects := map[effect]int{} // to 1 for a wildcard, 0 for another item; the fewer the better
	for it := range candidates {
		if !sendable(it) {
			continue
		}
		var e effect
		for i, w := range wants {
			if covers(it, w.url, w.longest, w.class) {
				e.cover |= 1 << i
			}
		}
		for i, u := range p.Untouched {
			for _, f := range formsOf(u.URL) {
				if it.Kind != Path && covers(it, f, u.URL, u.Class) {
					e.drop |= 1 << i
				}
			}
		}
		wild := 0
		if it.Kind == Prefix {
			wild = 1
		}
		if old, ok := effects[e]; !ok || wild < old {
			effects[e] = wild
		}
	}
	type state struct {
		effect
		wildcards int
	}
	all := uint32(1)<<len(wants) - 1
	best := map[state]int{{}: 0}
	queue := []state{{}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at.cover == all {
			continue
		}
		for e, wild := range effects {
			next := state{effect{at.cover | e.cover, at.drop | e.drop}, at.wildcards + wild}
			n := best[at] + 1
			if next.cover == at.cover || p.MaxWildcards > 0 && next.wildcards > p.MaxWildcards || p.MaxPaths > 0 && n > p.MaxPaths {
				continue
			}
			if old, ok := best[next]; !ok || n < old {
				best[next] = n
				queue = append(queue, next)
			}
		}
	}
	var least cost
	found := false
	for st, n := range best {
		if st.cover != all {
			continue
		}
		c := p.worth(measured{n, st.wildcards, bits.OnesCount32(st.drop)})
		if !found || c.less(least) {
			least, found = c, true
		}
	}
	return least, found
}

// weigh measures a solution by the test's own reading, and says what it leaves
// uncovered.
func weigh(p Problem, items []Item) (m measured, missed []string) {
	m.paths = len(items)
	for _, it := range items {
		if it.Kind == Prefix {
			m.wildcards++
		}
	}
	for _, c := range p.Changed {
		longest := c.Forms[len(c.Forms)-1]
		for _, f := range c.Forms {
			plain, variant := false, !c.Variants
			for _, it := range items {
				plain = plain || covers(it, f, longest, c.Class)
				variant = variant || covers(it, f+"?q", longest, c.Class)
			}
			if !plain || !variant {
				missed = append(missed, f)
			}
		}
	}
	for _, u := range p.Untouched {
	object:
		for _, f := range formsOf(u.URL) {
			for _, it := range items {
				if it.Kind != Path && covers(it, f, u.URL, u.Class) {
					m.drops++
					break object
				}
			}
		}
	}
	return m, missed
}

// hasSharedForms reports whether two objects answer one URL; then the
// planner leaves it to one of them, on purpose.
func hasSharedForms(p Problem) bool {
	seen := map[string]bool{}
	for _, c := range p.Changed {
		for _, f := range c.Forms {
			if seen[f] {
				return true
			}
			seen[f] = true
		}
	}
	return false
}

func TestSolveIsOptimal(t *testing.T) {
	cases := 4000
	if testing.Short() {
		cases = 500
	}
	checked := 0
	for seed := range cases {
		p := randomProblem(rand.New(rand.NewPCG(uint64(seed), 7)))
		if len(p.Changed) == 0 || hasSharedForms(p) {
			continue
		}
		checked++
		got, err := Solve(p)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		m, missed := weigh(p, got.Items)
		if len(missed) > 0 {
			t.Fatalf("seed %d: %+v\nitems %v leave %v uncovered", seed, p, got.Items, missed)
		}
		for _, it := range got.Items {
			if !sendable(it) {
				t.Fatalf("seed %d: %v cannot be sent", seed, it)
			}
		}
		if (measured{got.Paths, got.Wildcards, got.Drops}) != m {
			t.Fatalf("seed %d: %+v\nclaims %+v of %v, is %+v", seed, p, got, got.Items, m)
		}
		want, ok := bruteForce(p)
		if !ok {
			t.Fatalf("seed %d: no cover within the bounds, not even /*", seed)
		}
		if p.worth(m) != want {
			t.Fatalf("seed %d: %s\nitems %v cost %v, the best costs %v", seed, describe(p), got.Items, p.worth(m), want)
		}
	}
	if checked < cases/2 {
		t.Fatalf("only %d of %d cases were checked", checked, cases)
	}
}

func describe(p Problem) string {
	return fmt.Sprintf("policy %d, tags %v, at most %d paths and %d wildcards\nchanged %v\nuntouched %v",
		p.Policy, p.Tags, p.MaxPaths, p.MaxWildcards, p.Changed, p.Untouched)
}

// A "*" stands behind no half of an escape, and behind nothing that no path can carry.
func TestShared(t *testing.T) {
	for _, tt := range []struct{ name, a, b, want string }{
		{"a part of a name", "/posts/ab", "/posts/ac", "/posts/a"},
		{"one a prefix of the other", "/a", "/a/index.html", "/a"},
		{"nothing but the slash", "/a", "/b", "/"},
		{"within an escape", "/%C3%A4", "/%C3%A9", "/%C3"},
		{"at its percent sign", "/%C3", "/%D3", "/"},
		{"what is refused", "/a~x1", "/a~x2", "/a"},
	} {
		if got := Shared(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: Shared(%q, %q) = %q, want %q", tt.name, tt.a, tt.b, got, tt.want)
		}
	}
}
