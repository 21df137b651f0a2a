package invalidation

import "github.com/freshet/freshet/internal/site"

// Dropped are the objects of the untouched URLs that c drops.
func (c Cover) Dropped(untouched []URL) map[site.Key]bool {
	paths := make([]Path, 0, len(c.Items))
	for _, it := range c.Items {
		if it.Drops > 0 {
			paths = append(paths, it.Path)
		}
	}
	untouched = inOrder(untouched)
	out := map[site.Key]bool{}
	for i, at := range places(paths, untouched) {
		for _, u := range reached(untouched, paths[i], at) {
			out[u.Object] = true
		}
	}
	return out
}
