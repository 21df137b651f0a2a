package lint

import (
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/site"
)

// Keys finds what is wrong with the objects themselves, in the order of the
// kinds and of the keys.
func (s *Site) Keys() []Problem {
	return slices.Concat(s.noIndex(), s.sizes(), s.twins(), s.unnameable())
}

func (s *Site) noIndex() []Problem {
	if s.names["index.html"] || len(s.objects) == 0 {
		return nil
	}
	return []Problem{{Kind: NoIndex, Key: "index.html"}}
}

func (s *Site) sizes() []Problem {
	var out []Problem
	for _, o := range s.objects {
		switch {
		case o.Size > MaxBytes:
			out = append(out, Problem{Kind: TooLarge, Key: o.Key, Bytes: o.Size})
		case o.Size > LargeBytes:
			out = append(out, Problem{Kind: Large, Key: o.Key, Bytes: o.Size})
		}
	}
	return out
}

// twins are keys that one file would be where case does not count.
func (s *Site) twins() []Problem {
	seen := make(map[string]site.Key, len(s.objects))
	var out []Problem
	for _, o := range s.objects {
		low := strings.ToLower(string(o.Key))
		if other, ok := seen[low]; ok {
			out = append(out, Problem{Kind: Twins, Key: o.Key, Near: string(other)})
			continue
		}
		seen[low] = o.Key
	}
	return out
}

// unnameable are the objects whose path only a wildcard covers (fact sheet 1.1).
func (s *Site) unnameable() []Problem {
	var out []Problem
	var paths []string // of all objects, sorted; made when the first is needed
	for _, o := range s.objects {
		urls := s.options.URLs(o.Key)
		if len(urls) == 0 {
			continue
		}
		item := invalidation.Exact(urls[0])
		if !item.IsWildcard() {
			continue
		}
		if paths == nil {
			paths = s.paths()
		}
		out = append(out, Problem{
			Kind: Unnameable, Key: o.Key, Near: string(item), Drops: beginning(paths, strings.TrimSuffix(string(item), "*")) - 1,
		})
	}
	return out
}

func (s *Site) paths() []string {
	paths := make([]string, 0, len(s.objects))
	for _, o := range s.objects {
		if urls := s.options.URLs(o.Key); len(urls) > 0 {
			paths = append(paths, string(urls[0]))
		}
	}
	slices.Sort(paths)
	return paths
}

// beginning is how many of the sorted strings begin with prefix.
func beginning(sorted []string, prefix string) int {
	from, _ := slices.BinarySearch(sorted, prefix)
	n := 0
	for _, s := range sorted[from:] {
		if !strings.HasPrefix(s, prefix) {
			break
		}
		n++
	}
	return n
}
