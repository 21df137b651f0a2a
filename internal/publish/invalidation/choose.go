package invalidation

import (
	"cmp"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/invalidation/cover"
	"github.com/freshet/freshet/internal/site"
)

// Policy says what a plan spends on: paths, which are billed beyond 1,000 a
// month, or untouched objects, which the origin has to serve again.
type Policy string

// The policies; docs/planner.md has their formulas.
const (
	PolicyExact    Policy = "exact"    // drop nothing untouched, unless a URL cannot be expressed otherwise
	PolicyBalanced Policy = "balanced" // like exact while that fits the month's share, else weigh
	PolicyFrugal   Policy = "frugal"   // the fewest items
)

// Problem is what Choose decides on.
type Problem struct {
	// Changed are the URLs whose answer changes, Untouched one URL of each
	// object that stays as it is: its longest.
	Changed, Untouched []URL
	// Others, if not nil, are more untouched URLs, each of another object, in any
	// order, for a site that is too large to list. They are asked for several
	// times, and always the same.
	Others iter.Seq[URL]
	Policy Policy
	Limits Limits
	// Share is how many paths this plan may spend before Balanced begins to
	// weigh; below 0 there is no bound.
	Share int
}

// smallPart is which part of the share may be spent on naming every URL by
// itself, which needs no wildcard and is therefore submitted at once.
const smallPart = 10

// Choose covers every changed URL at the least cost under the policy. It never
// covers less, whatever the limits are.
func Choose(p Problem) (Cover, error) {
	if len(p.Changed) == 0 {
		return Cover{}, nil
	}
	changed := once(inOrder(p.Changed))
	if alike(changed) && !p.someUntouched() {
		// One wildcard drops nothing and fewer than one item there cannot be: a
		// site's first deploy need not search.
		prefix := cover.Shared(string(changed[0].Path), string(changed[len(changed)-1].Path))
		return price([]Path{Path(prefix + "*")}, []place{{}}, changed, nil), nil
	}
	return p.search(changed, inOrder(p.Untouched))
}

// alike reports whether there are several changed URLs and no tag covers any.
func alike(changed []URL) bool {
	return len(changed) > 1 && !slices.ContainsFunc(changed, func(u URL) bool { return u.Kind != "" })
}

// search finds the cover by the planner's methods. Both lists are in order.
func (p Problem) search(changed, untouched []URL) (Cover, error) {
	classes := classesOf(changed)
	problem := cover.Problem{Changed: elements(changed, classes), Tags: len(classes) > 0}
	problem.Untouched = make([]cover.Untouched, len(untouched))
	for i, u := range untouched {
		problem.Untouched[i] = u.untouched(classes)
	}
	if p.Others != nil {
		problem.Others = func(yield func(cover.Untouched) bool) {
			for u := range p.Others {
				if !yield(u.untouched(classes)) {
					return
				}
			}
		}
	}
	prepared, err := cover.Prepare(problem)
	if err != nil {
		return Cover{}, err
	}
	s, err := p.solve(prepared)
	if err != nil {
		return Cover{}, err
	}
	paths, places := written(s.Items, classes)
	c := price(paths, places, changed, untouched)
	p.addOthers(&c, paths, places)
	return c, nil
}

func (u URL) untouched(classes map[site.Kind]cover.Class) cover.Untouched {
	return cover.Untouched{URL: string(u.Path), Class: classes[u.Kind], Bytes: u.Size}
}

// once is sorted urls with each path once. Where two objects answer one path,
// "/a" for a and for a/index.html, a cached answer may be either's, so that no
// tag is relied on for it.
func once(urls []URL) []URL {
	twice := func(i int) bool { return i > 0 && urls[i].Path == urls[i-1].Path }
	first := 0
	for first < len(urls) && !twice(first) {
		first++
	}
	if first == len(urls) {
		return urls
	}
	out := slices.Clone(urls[:first])
	urls = urls[first:]
	for _, u := range urls {
		if n := len(out); n == 0 || out[n-1].Path != u.Path {
			out = append(out, u)
		} else if last := &out[n-1]; last.Object != u.Object {
			last.Kind, last.Variants = "", last.Variants || u.Variants
		}
	}
	return out
}

// solve applies the policy.
func (p Problem) solve(problem cover.Prepared) (cover.Solution, error) {
	share := p.Share
	if share < 0 {
		share = math.MaxInt
	}
	if p.Policy == PolicyFrugal {
		return problem.Solve(cover.Frugal, 0, 0)
	}
	if p.Policy == PolicyBalanced && p.someUntouched() {
		if s, err := problem.Solve(cover.Plain, 0, 0); err != nil || s.Paths <= share/smallPart {
			return s, err
		}
	}
	s, err := p.precise(problem)
	if err != nil || p.Policy == PolicyExact || s.Paths <= share {
		return s, err
	}
	return p.weighed(problem, max(share, 1))
}

// precise drops as little as possible, with the fewest items that do, but not
// with more wildcards than there is patience for unless it must.
func (p Problem) precise(problem cover.Prepared) (cover.Solution, error) {
	free, err := problem.Solve(cover.Exact, 0, 0)
	if err != nil || p.Limits.Patience == 0 || free.Wildcards <= p.Limits.Patience {
		return free, err
	}
	plain, err := problem.Solve(cover.Plain, 0, 0) // drops as little, with the fewest wildcards that do
	if err != nil {
		return plain, err
	}
	return problem.Solve(cover.Exact, 0, max(p.Limits.Patience, plain.Wildcards))
}

// weighed stays inside the share. Where that and the patience together make
// the problem too large, the share counts.
func (p Problem) weighed(problem cover.Prepared, share int) (cover.Solution, error) {
	s, err := problem.Solve(cover.Balanced, share, p.Limits.Patience)
	if errors.Is(err, cover.ErrTooLarge) {
		return problem.Solve(cover.Balanced, share, 0)
	}
	return s, err
}

// classesOf numbers the kinds that tags can reach among the changed URLs.
func classesOf(changed []URL) map[site.Kind]cover.Class {
	classes := map[site.Kind]cover.Class{}
	for _, u := range changed {
		if u.Kind != "" && classes[u.Kind] == 0 && cover.Class(len(classes)) < cover.MaxClasses {
			classes[u.Kind] = cover.Class(len(classes) + 1)
		}
	}
	return classes
}

// elements groups the changed URLs by object. The forms of one object are each
// a prefix of the next; where they are not, each stands for itself.
func elements(changed []URL, classes map[site.Kind]cover.Class) []cover.Changed {
	byObject := map[site.Key][]URL{}
	var order []site.Key
	for _, u := range changed {
		if _, seen := byObject[u.Object]; !seen {
			order = append(order, u.Object)
		}
		byObject[u.Object] = append(byObject[u.Object], u)
	}
	var out []cover.Changed
	for _, key := range order {
		urls := byObject[key]
		slices.SortFunc(urls, func(a, b URL) int { return cmp.Compare(len(a.Path), len(b.Path)) })
		if chained(urls) {
			out = append(out, element(urls, classes))
			continue
		}
		for _, u := range urls {
			u.Kind = "" // the tags of the object name the folders of one of its URLs only
			out = append(out, element([]URL{u}, classes))
		}
	}
	return out
}

func chained(urls []URL) bool {
	for i := 1; i < len(urls); i++ {
		if !strings.HasPrefix(string(urls[i].Path), string(urls[i-1].Path)) {
			return false
		}
	}
	return true
}

func element(urls []URL, classes map[site.Kind]cover.Class) cover.Changed {
	longest := urls[len(urls)-1]
	out := cover.Changed{Class: classes[longest.Kind]}
	if !reachable(longest.Path) {
		out.Class = cover.Untagged
	}
	for _, u := range urls {
		out.Forms = append(out.Forms, string(u.Path))
		out.Variants = out.Variants || u.Variants
		if u.Kind != longest.Kind {
			out.Class = cover.Untagged
		}
	}
	return out
}

// written spells items as they are sent, in byte order, and says what those
// that are tags stand for.
func written(items []cover.Item, classes map[site.Kind]cover.Class) ([]Path, []place) {
	kinds := map[cover.Class]site.Kind{}
	for k, c := range classes {
		kinds[c] = k
	}
	tags := map[Path]place{}
	paths := make([]Path, len(items))
	for i, it := range items {
		switch it.Kind {
		case cover.Path:
			paths[i] = Path(it.Text)
		case cover.Prefix:
			paths[i] = Path(it.Text + "*")
		case cover.Tag:
			paths[i] = Path("#" + tagName(kinds[it.Class], it.Text))
			tags[paths[i]] = place{kinds[it.Class], it.Text}
		}
	}
	slices.Sort(paths)
	places := make([]place, len(paths))
	for i, p := range paths {
		places[i] = tags[p]
	}
	return paths, places
}
