package invalidation_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

const tagHeader = "x-amz-meta-cache-tag"

// cached is what an edge keeps of a URL.
type cached struct {
	url  string
	tags []string
	key  site.Key
}

// TestEdgeAgrees holds the planner against the edge's own reading of the same
// rules: what is sent reaches every URL that browsers ask for and that changed,
// and nothing that the plan does not say it drops.
func TestEdgeAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { agree(t) })
}

func agree(t *rapid.T) {
	name := rapid.StringMatching(`[ab ~'+%#é|*?\[\]日]{1,3}`)
	keys := map[site.Key]bool{}
	for _, parts := range rapid.SliceOfN(rapid.SliceOfN(name, 1, 3), 1, 8).Draw(t, "keys") {
		text := ""
		for _, p := range parts[:len(parts)-1] {
			text += p + "/"
		}
		text += rapid.SampledFrom([]string{parts[len(parts)-1], "index.html"}).Draw(t, "base")
		if key, err := site.ParseKey(text); err == nil {
			keys[key] = true
		}
	}
	view := rules.View{RootObject: "index.html", Routes: []rules.Route{{Pattern: "*", Bucket: true, Folders: true, Variants: rapid.Bool().Draw(t, "variants")}}}
	tags := rapid.Bool().Draw(t, "tags")
	var changed, untouched []invalidation.URL
	var fresh, stale []cached
	for key := range keys {
		isChanged := rapid.Bool().Draw(t, "changed")
		kind := rules.KindOf(key, rules.ContentType(key))
		own, _ := view.Own(key)
		var carried []string
		if tags {
			carried = invalidation.TagsOf(kind, own)
		} else {
			kind = ""
		}
		for _, u := range view.URLs(key) {
			one := invalidation.URL{Path: u.Path, Object: key, Size: 1, Kind: kind, Variants: u.Variants}
			at := cached{string(u.Path), carried, key}
			if !isChanged {
				fresh = append(fresh, at)
				if u.Path == own {
					untouched = append(untouched, one)
				}
				continue
			}
			changed, stale = append(changed, one), append(stale, at)
			if u.Variants {
				stale = append(stale, cached{at.url + "?a=b", carried, key})
			}
		}
	}
	policy := rapid.SampledFrom([]invalidation.Policy{invalidation.PolicyExact, invalidation.PolicyBalanced, invalidation.PolicyFrugal}).Draw(t, "policy")
	share := rapid.SampledFrom([]int{-1, 1, 3, 100}).Draw(t, "share")
	cover, err := invalidation.Choose(invalidation.Problem{Changed: changed, Untouched: untouched, Policy: policy, Share: share})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, cover, stale, fresh, cover.Dropped(untouched))
}

// compare puts the items through an edge's purge log.
func compare(t *rapid.T, cover invalidation.Cover, stale, fresh []cached, dropped map[site.Key]bool) {
	log := purge.New(0)
	before := log.Current()
	if len(cover.Items) > 0 {
		if _, err := log.Accept(tagHeader, cover.Paths()); err != nil {
			t.Fatalf("the edge refuses %q: %v", cover.Paths(), err)
		}
	}
	gone := map[string]bool{}
	for _, c := range stale {
		gone[c.url] = true
		if hit, _ := log.Covered(c.url, purge.Tags(tagHeader, c.tags), before); !hit {
			t.Fatalf("%q leave %s in the edge", cover.Paths(), c.url)
		}
	}
	for _, c := range fresh {
		hit, _ := log.Covered(c.url, purge.Tags(tagHeader, c.tags), before)
		if hit && !dropped[c.key] && !gone[c.url] {
			t.Fatalf("%q drop %s of %s, which the plan does not say", cover.Paths(), c.url, c.key)
		}
	}
}
