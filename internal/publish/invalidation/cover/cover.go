// Package cover chooses the cheapest items of an invalidation: exact paths,
// prefixes with a "*" at their end, and cache tags, that together cover every
// changed URL. It is pure.
//
// The choice is optimal, not a heuristic. All URLs that one prefix covers stand
// together below one node of the radix tree over the changed URLs, so the best
// cover of a node is either one prefix, or tags for some of its kinds of
// objects and the best covers of its children: a dynamic program over the
// tree. docs/planner.md explains it for a reader who wants to check it, and a
// brute force over all covers checks it in the tests.
//
// What a path may look like, and what it covers, follows the fact sheet,
// sections 1.1 to 1.3, and for tags section 2.
package cover

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Policy is what a cover is optimised for. In all of them p is the number of
// paths and tags that are billed, d the number of untouched objects that are
// dropped, and w the number of wildcards, which are slow to submit.
type Policy int

// The policies.
const (
	Balanced Policy = iota // least 10p + d, then least w, then least d
	Exact                  // least d, then least p, then least w
	Frugal                 // least p, then least d, then least w
	Plain                  // least d, then least w, then least p
)

// pathWeight is how many untouched objects one path weighs in Balanced.
const pathWeight = 10

// cost orders covers lexicographically; costs of parts add up.
type cost [3]int64

func (p Policy) cost(paths, wildcards, drops int64) cost {
	switch p {
	case Exact:
		return cost{drops, paths, wildcards}
	case Frugal:
		return cost{paths, drops, wildcards}
	case Plain:
		return cost{drops, wildcards, paths}
	}
	return cost{pathWeight*paths + drops, wildcards, drops}
}

func (c cost) plus(d cost) cost { return cost{c[0] + d[0], c[1] + d[1], c[2] + d[2]} }

func (c cost) less(d cost) bool { return slices.Compare(c[:], d[:]) < 0 }

// Class is what a cache tag can tell apart: the kind of an object as a small
// number from 1 up to MaxClasses. Untagged is an object without tags, or one
// that was cached before it had them.
type Class uint8

// The bounds of a Class.
const (
	Untagged   Class = 0
	MaxClasses Class = 5
)

// Changed is an object whose answer changes.
type Changed struct {
	// Forms are the object's viewer URLs, from the shortest to the longest,
	// each a prefix of the next: "/a", "/a/", "/a/index.html". They are as
	// browsers send them.
	Forms []string
	// Class tells which tags cached answers of all forms carry.
	Class Class
	// Variants says that each form has answers under query strings too. Then it
	// takes two items to name a form: "/a" and the prefix "/a?".
	Variants bool
}

// Untouched is an object whose answer stays.
type Untouched struct {
	URL   string // its longest form
	Class Class
	Bytes int64
}

// Problem is what is to be covered, and how.
type Problem struct {
	Changed   []Changed
	Untouched []Untouched
	Others    iter.Seq[Untouched] // if not nil, more of them, in any order: a site may be too large to list
	Policy    Policy
	// MaxPaths and MaxWildcards bound a cover; 0 means no bound. "/*" is one
	// path and one wildcard, so there is always a cover.
	MaxPaths, MaxWildcards int
	// Tags says that tags may be used: a tag covers one class below one folder.
	Tags bool
}

// ItemKind tells items apart.
type ItemKind uint8

// The kinds of items.
const (
	Path   ItemKind = iota // one URL
	Prefix                 // every URL that begins with Text
	Tag                    // every object of Class below the folder Text
)

// Item is one thing to send.
type Item struct {
	Kind  ItemKind
	Text  string // a URL, a prefix without its "*", or a folder that ends in "/"
	Class Class  // of a Tag
}

// Solution is an optimal cover.
type Solution struct {
	Items            []Item // paths, then prefixes, then tags, each in byte order
	Paths, Wildcards int    // Paths counts all items
	Drops            int    // untouched objects dropped, each once
	DropBytes        int64
	Nodes            int // of the tree, for benchmarks and the curious
}

// ErrTooLarge: a problem with both bounds in force is too large to be solved
// exactly.
var ErrTooLarge = errors.New("too many changes to plan under both limits at once")

// Solve finds the optimal cover. Forms that do not follow the rule of Changed
// are an error.
func Solve(p Problem) (Solution, error) {
	prepared, err := Prepare(p)
	if err != nil {
		return Solution{}, err
	}
	return prepared.Solve(p.Policy, p.MaxPaths, p.MaxWildcards)
}

// Prepared is a problem whose tree is built, to be solved for one policy after
// another.
type Prepared struct{ tree *tree }

// Prepare builds the tree of a problem; its policy and bounds are not looked
// at.
func Prepare(p Problem) (Prepared, error) {
	if len(p.Changed) == 0 {
		return Prepared{}, nil
	}
	for _, c := range p.Changed {
		if err := checkForms(c.Forms); err != nil {
			return Prepared{}, err
		}
		if c.Class > MaxClasses {
			return Prepared{}, fmt.Errorf("class %d of %s is above %d", c.Class, c.Forms[0], MaxClasses)
		}
	}
	t := newTree(p)
	t.count(slices.Values(p.Untouched))
	if p.Others != nil {
		t.count(p.Others)
	}
	t.accumulate()
	return Prepared{t}, nil
}

// Solve finds the optimal cover for a policy under bounds, which are as in
// Problem.
func (p Prepared) Solve(policy Policy, maxPaths, maxWildcards int) (Solution, error) {
	if p.tree == nil {
		return Solution{}, nil
	}
	// Bounds cost time, so they are only tracked where the cheapest cover
	// breaks them: a cover that is best without a bound and keeps it is best
	// with it.
	bounds := bounds{}
	for {
		s, err := p.tree.solve(policy, bounds)
		if err != nil {
			return Solution{}, err
		}
		switch {
		case maxWildcards > 0 && s.Wildcards > maxWildcards:
			bounds.wildcards = maxWildcards
		case maxPaths > 0 && s.Paths > maxPaths:
			bounds.paths = maxPaths
		default:
			return s, nil
		}
	}
}

func checkForms(forms []string) error {
	if len(forms) == 0 {
		return errors.New("a changed object has no URL")
	}
	for i, f := range forms {
		if !strings.HasPrefix(f, "/") || i > 0 && (!strings.HasPrefix(f, forms[i-1]) || f == forms[i-1]) {
			return fmt.Errorf("the URLs %q of one object are not each a prefix of the next", forms)
		}
	}
	return nil
}

// maxPath is the longest path that CloudFront takes, in characters, its "*"
// included; fact sheet 1.1.
const maxPath = 4000

// bad reports whether no path can carry the byte as browsers send it. "~" is
// refused; "'" is blamed for refusals; the others must be escaped, which names
// another URL (fact sheet 1.1).
func bad(c byte) bool { return c <= ' ' || c >= 0x7f || strings.IndexByte("~'|[]", c) >= 0 }

// writable is the length of the longest prefix of s, of at most n bytes, that
// can stand before a "*". It never cuts an escape in two.
func writable(s string, n int) int {
	n = min(n, maxPath-1)
	for i := range n {
		if bad(s[i]) {
			n = i
			break
		}
	}
	if n >= 1 && s[n-1] == '%' {
		return n - 1
	}
	if n >= 2 && s[n-2] == '%' && n < len(s) {
		return n - 2
	}
	return n
}

// Shared is the longest prefix of both URLs that can stand before a "*".
func Shared(a, b string) string { return a[:writable(a, shared(a, b))] }

// exact reports whether a path can name the URL s and nothing else. A "*" at
// the end would be a wildcard.
func exact(s string) bool {
	return len(s) <= maxPath && !strings.HasSuffix(s, "*") && writable(s, len(s)) == min(len(s), maxPath-1)
}

func sortItems(items []Item) {
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Text, b.Text), cmp.Compare(a.Class, b.Class))
	})
}
