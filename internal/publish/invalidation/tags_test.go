package invalidation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

func TestTagsOf(t *testing.T) {
	first := TagsOf(site.KindPage, "/posts/2026/thaw/index.html")
	if len(first) != 4 || first[0] != "fr.page" {
		t.Fatalf("tags %q, want the kind and one for each of three folders", first)
	}
	for _, tt := range []struct {
		kind   site.Kind
		path   site.URLPath
		shared int // how many of the first's tags it carries, from the top down
	}{
		{site.KindPage, "/posts/2026/thaw/more.html", 4},
		{site.KindPage, "/posts/2026/ice/index.html", 3},
		{site.KindPage, "/posts/index.html", 2},
		{site.KindPage, "/index.html", 1},
		{site.KindPage, "/posts", 1},
		{site.KindPage, "/Posts/2026/thaw/index.html", 1},
		{site.KindPage, "/2026/thaw/index.html", 1},
		{site.KindAsset, "/posts/2026/thaw/a.css", 0},
	} {
		got := TagsOf(tt.kind, tt.path)
		if n := strings.Count(string(tt.path), "/"); len(got) != n {
			t.Errorf("%s %s: %d tags, want %d", tt.kind, tt.path, len(got), n)
		}
		for i, tag := range got {
			if (i < tt.shared) != (i < len(first) && tag == first[i]) || i >= tt.shared && slices.Contains(first, tag) {
				t.Errorf("%s %s: %q, want to share %d of %q", tt.kind, tt.path, got, tt.shared, first)
			}
		}
	}
}

// What CloudFront and S3 take of tags; fact sheet 2.
func TestTagsFit(t *testing.T) {
	pattern := regexp.MustCompile(`^[!-+\--~]{1,256}$`) // visible ASCII without a comma
	kinds := rapid.SampledFrom([]site.Kind{site.KindPage, site.KindAsset, site.KindImmutable, site.KindFeed, site.KindOther})
	rapid.Check(t, func(t *rapid.T) {
		deep := strings.Repeat("/x", rapid.SampledFrom([]int{0, 0, 10, 46, 47, 48, 300}).Draw(t, "depth"))
		path := site.URLPath(deep + "/" + strings.Join(rapid.SliceOf(rapid.StringMatching(`[a-zA-Z%0-9,. ]{0,6}`)).Draw(t, "path"), "/"))
		tags := TagsOf(kinds.Draw(t, "kind"), path)
		if n := len(strings.Join(tags, ",")) + len("cache-tag"); len(tags) > 48 || len(tags) == 0 || n > 2048 {
			t.Fatalf("%d tags of %d bytes", len(tags), n)
		}
		seen := map[string]bool{}
		for _, tag := range tags {
			low := strings.ToLower(tag)
			if !pattern.MatchString(tag) || seen[low] || !strings.HasPrefix(tag, "fr.") {
				t.Fatalf("the tag %q among %q", tag, tags)
			}
			seen[low] = true
		}
		if want := min(strings.Count(string(path), "/"), 48); len(tags) != want {
			t.Fatalf("%d tags for %s, want %d", len(tags), path, want)
		}
	})
}

// Tags of different folders and kinds differ also for who does not see case.
func TestTagsAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range []site.Kind{site.KindPage, site.KindAsset, site.KindImmutable, site.KindFeed, site.KindOther} {
		for i := range 20000 {
			folder := fmt.Sprintf("/f%d/", i)
			tags := TagsOf(kind, site.URLPath(folder+"x"))
			name := strings.ToLower(tags[1])
			if other, ok := seen[name]; ok {
				t.Fatalf("%s of %s and of %s", name, other, folder)
			}
			seen[name] = string(kind) + folder
		}
	}
}

// themed is a site of n pages, most in folders by year beside images.
func themed(n, images int) (pages, pictures []URL) {
	pages = []URL{{Path: "/index.html", Object: "index.html", Size: 9000, Why: "w", Kind: site.KindPage}}
	for i := range n - 1 {
		key := fmt.Sprintf("posts/%d/%02d/p%d/index.html", 2000+i%27, 1+i%12, i)
		pages = append(pages, URL{Path: site.URLPath("/" + key), Object: site.Key(key), Size: 9000, Why: "w", Kind: site.KindPage})
	}
	for i := range images {
		key := fmt.Sprintf("posts/%d/%02d/p%d/photo.jpg", 2000+i%27, 1+i%12, i)
		pictures = append(pictures, URL{Path: site.URLPath("/" + key), Object: site.Key(key), Size: 90000, Kind: site.KindAsset})
	}
	return pages, pictures
}

// A theme change touches all pages and no image.
func TestAThemeIsOneTag(t *testing.T) {
	pages, images := themed(1179, 800)
	for _, policy := range []Policy{PolicyExact, PolicyBalanced, PolicyFrugal} {
		got, err := Choose(Problem{Changed: pages, Untouched: images, Policy: policy, Share: 500, Limits: cloudfrontLimits(t)})
		if diff := cmp.Diff(brief(got), []string{"#fr.page 1179/0/0"}); diff != "" || err != nil {
			t.Errorf("%s: %v (-got +want):\n%s", policy, err, diff)
		}
		if s := got.Seconds(cloudfrontLimits(t)); s != 0 || got.Wildcards() != 0 {
			t.Errorf("%s takes %v s with %d wildcards", policy, s, got.Wildcards())
		}
	}
	var march []URL // of all years but one
	for _, u := range pages {
		if strings.Contains(string(u.Path), "/2013/") {
			march = append(march, u)
		}
	}
	untouched := join(images, slices.DeleteFunc(slices.Clone(pages), func(u URL) bool { return slices.Contains(march, u) }))
	got, err := Choose(Problem{Changed: march, Untouched: untouched, Policy: PolicyExact, Share: -1})
	if want := TagsOf(site.KindPage, "/posts/2013/x")[2]; err != nil || !cmp.Equal(got.Paths(), []string{"#" + want}) || got.Drops != 0 {
		t.Errorf("the pages of 2013: %v drop %d, want %s (%v)", got.Paths(), got.Drops, want, err)
	}
}

// One page that caches hold without tags goes by its own path; one that stays
// makes the tag cost something.
func TestTagsBesideWhatHasNone(t *testing.T) {
	pages, images := themed(200, 100)
	pages[7].Kind = ""
	got, err := Choose(Problem{Changed: pages, Untouched: images, Policy: PolicyExact, Share: -1})
	if diff := cmp.Diff(brief(got), []string{"#fr.page 199/0/0", string(pages[7].Path) + " 1/0/0"}); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	pages[7].Kind = site.KindPage
	got, err = Choose(Problem{Changed: slices.Delete(slices.Clone(pages), 7, 8), Untouched: join(images, pages[7:8]), Policy: PolicyFrugal, Share: -1})
	if diff := cmp.Diff(brief(got), []string{"#fr.page 199/1/9000"}); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
}

// Below the 48th folder objects carry no further tags, so that none is used for
// what lies there.
func TestTagsOfDeepFolders(t *testing.T) {
	at := func(depth, n int) []URL {
		var out []URL
		for i := range n {
			key := strings.Repeat("x/", depth) + fmt.Sprintf("p%d.html", i)
			out = append(out, URL{Path: site.URLPath("/" + key), Object: site.Key(key), Size: 1, Why: "w", Kind: site.KindPage})
		}
		return out
	}
	for _, depth := range []int{2, 46, 47, 48, 49, 60} {
		changed := at(depth, 30)
		aside := URL{Path: "/a.html", Object: "a.html", Kind: site.KindPage} // makes the tag of the root cost something
		image := URL{Path: site.URLPath("/" + strings.Repeat("x/", depth) + "p"), Object: "p", Kind: site.KindAsset}
		got, err := Choose(Problem{Changed: changed, Untouched: []URL{aside, image}, Policy: PolicyExact, Share: -1})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range changed {
			reached := slices.ContainsFunc(got.Items, func(it Item) bool {
				tag, isTag := strings.CutPrefix(string(it.Path), "#")
				return isTag && slices.Contains(TagsOf(u.Kind, u.Path), tag) || covers(string(it.Path), string(u.Path))
			})
			if !reached {
				t.Fatalf("at depth %d %s is reached by none of %q", depth, u.Path, got.Paths())
			}
		}
		if usesTag := got.Items[0].Path.IsTag(); usesTag != (depth < 48) {
			t.Errorf("at depth %d: %q", depth, got.Paths())
		}
	}
}

// What lies deeper still carries the tags of the folders above, and is dropped
// by them.
func TestTagsDropDeepFolders(t *testing.T) {
	pages, _ := themed(30, 0)
	deep := URL{Path: site.URLPath("/posts" + strings.Repeat("/x", 60) + ".html"), Object: "deep", Size: 1, Kind: site.KindPage}
	got, err := Choose(Problem{Changed: pages, Untouched: []URL{deep}, Policy: PolicyExact, Share: -1})
	if err != nil || got.Drops != 0 {
		t.Errorf("%q drop %d: %v", got.Paths(), got.Drops, err)
	}
	tag := Path("#" + TagsOf(site.KindPage, "/posts/x")[1])
	if got := Price([]Path{tag}, pages, []URL{deep}); got.Drops != 1 || got.Items[0].CoverCount != 29 {
		t.Errorf("%s: %v", tag, brief(got))
	}
}
