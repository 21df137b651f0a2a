package deploy

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// TestSurvey compares a listing in stretches with a look at one key after the
// other.
func TestSurvey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live, bucket, journal := drawWorld(t)
		want, missing := bruteForce(live, bucket, reached(journal))
		now := plan.Live{Sound: make([]bool, live.Site.Len())}
		now.State.Live = live
		var lacking []site.Key
		for _, s := range stretches(live, rapid.IntRange(1, 5).Draw(t, "range")) {
			c := comparison{stretch: s, touched: reached(journal), sound: now.Sound}
			listPages(bucket, s.after, rapid.IntRange(1, 4).Draw(t, "page"), c.page)
			c.pass("")
			now.Objects, lacking = append(now.Objects, c.found...), append(lacking, c.lacking...)
		}
		if diff := cmp.Diff(want, all(now)); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(missing, lacking); diff != "" {
			t.Errorf("lacking (-want +got):\n%s", diff)
		}
	})
}

// all is what is live in a list.
func all(live plan.Live) (out []plan.Observed) {
	for o := range live.All() {
		object := *o.Object
		o.Object = &object
		out = append(out, o)
	}
	return out
}

// listPages lists as remote.Store.List does, after one key.
func listPages(bucket []remote.Info, after site.Key, size int, page func([]remote.Info) error) {
	rest := slices.DeleteFunc(slices.Clone(bucket), func(i remote.Info) bool { return i.Key <= after })
	for len(rest) > 0 {
		n := min(size, len(rest))
		if page(rest[:n]) != nil {
			return
		}
		rest = rest[n:]
	}
}

func drawWorld(t *rapid.T) (live release.Manifest, bucket []remote.Info, journal *release.Journal) {
	if rapid.Bool().Draw(t, "interrupted") {
		journal = &release.Journal{}
	}
	var objects []site.Object
	for i := range 12 {
		key := site.Key(fmt.Sprintf("k%02d", i))
		if i == 3 {
			key = ".freshet-x/current.json"
		}
		state := rapid.SampledFrom([]string{"both", "both", "both", "changed", "larger", "gone", "foreign", "retired", "retired gone", "none"}).Draw(t, string(key))
		o := site.Object{Key: key, Size: int64(i), ETag: "etag", Kind: site.KindAsset}
		info := remote.Info{Key: key, Size: o.Size, ETag: o.ETag}
		switch state {
		case "changed":
			info.ETag = "other"
		case "larger":
			info.Size++
		}
		if !key.IsState() && state != "foreign" && state != "none" {
			if state == "retired" || state == "retired gone" {
				live.Retired = append(live.Retired, release.Retired{Object: o})
			} else {
				objects = append(objects, o)
			}
		}
		if state != "gone" && state != "retired gone" && state != "none" {
			bucket = append(bucket, info)
		}
		if journal != nil && rapid.Bool().Draw(t, "touched") {
			journal.Touched = append(journal.Touched, key)
			if state == "foreign" {
				journal.Overwritten = append(journal.Overwritten, release.Overwritten{Key: key, ETag: rapid.SampledFrom([]string{"etag", "before"}).Draw(t, "before")})
			}
		}
	}
	slices.SortFunc(bucket, func(a, b remote.Info) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	live.Site, _ = site.NewManifest(objects)
	return live, bucket, journal
}

func bruteForce(live release.Manifest, bucket []remote.Info, touched touched) (found []plan.Observed, lacking []site.Key) {
	there := map[site.Key]bool{}
	for _, info := range bucket {
		if there[info.Key] = true; !info.Key.IsState() {
			found = append(found, observed(info, lookup(live, info.Key), touched))
		}
	}
	whole := plan.Live{Sound: make([]bool, live.Site.Len())}
	whole.State.Live, whole.Objects = live, recorded(live, whole.Sound)
	for _, o := range all(whole) {
		if !there[o.Object.Key] {
			lacking = append(lacking, o.Object.Key)
		}
	}
	return found, lacking
}

func TestObserved(t *testing.T) {
	recorded := &site.Object{Key: "a", Size: 1, ETag: "e", Kind: site.KindPage}
	at := func(etag string) remote.Info { return remote.Info{Key: "a", Size: 1, ETag: etag} }
	tests := []struct {
		name        string
		info        remote.Info
		recorded    *site.Object
		touched     touched
		known, ours bool
	}{
		{name: "as recorded", info: at("e"), recorded: recorded, known: true, ours: true},
		{name: "written by somebody", info: at("f"), recorded: recorded, ours: true},
		{name: "of another size", info: remote.Info{Key: "a", Size: 2, ETag: "e"}, recorded: recorded, ours: true},
		{name: "perhaps written by an interrupted run", info: at("e"), recorded: recorded, touched: touched{"a": ""}, ours: true},
		{name: "of somebody else", info: at("e")},
		{name: "new of an interrupted run", info: at("e"), touched: touched{"a": ""}, ours: true},
		{name: "foreign, the run did not get to it", info: at("e"), touched: touched{"a": "e"}},
		{name: "foreign once, the run got to it", info: at("f"), touched: touched{"a": "e"}, ours: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := observed(test.info, test.recorded, test.touched)
			if got.Known != test.known || got.Ours != test.ours {
				t.Errorf("known %v, ours %v; want %v, %v", got.Known, got.Ours, test.known, test.ours)
			}
			if !got.Known && got.Object.Kind != "" || got.Object.ETag != test.info.ETag || got.Object.Size != test.info.Size {
				t.Errorf("object %+v", got.Object)
			}
		})
	}
}
