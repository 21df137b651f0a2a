package invalidation

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// Tags of one object are at most MaxTags, so that those of deeper folders are
// left out (fact sheet 2: 50 tags count, and S3's 2 KB of user metadata hold
// them: each of ours takes at most 24 bytes).
const MaxTags = 48

// tagPrefix begins every tag of freshet's, to keep apart from anybody else's.
const tagPrefix = "fr."

// TagsOf lists the cache tags of an object that viewers know as path: its kind,
// then its kind within each enclosing folder, from the top down, which is the
// order of their use. Names are short and have neither comma nor blank.
func TagsOf(kind site.Kind, path site.URLPath) []string {
	tags := []string{tagName(kind, "/")}
	for i := 1; i < len(path) && len(tags) < MaxTags; i++ {
		if path[i] == '/' {
			tags = append(tags, tagName(kind, string(path[:i+1])))
		}
	}
	return tags
}

// reachable reports whether all enclosing folders of path have their tag.
func reachable(path site.URLPath) bool { return strings.Count(string(path), "/") <= MaxTags }

// tagName names one kind below one folder, which ends in a slash.
func tagName(kind site.Kind, folder string) string {
	if folder == "/" {
		return tagPrefix + string(kind)
	}
	sum := sha256.Sum256([]byte(folder))
	return tagPrefix + string(kind) + "." + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// place is what a tag stands for: one kind below one folder, which ends in a
// slash. The zero place is no tag, or one that nothing carries.
type place struct {
	kind   site.Kind
	folder string
}

// places finds out what the tags among paths stand for, by the tags that the
// urls carry.
func places(paths []Path, lists ...[]URL) []place {
	found := map[Path]place{}
	for _, p := range paths {
		if p.IsTag() {
			found[p] = place{}
		}
	}
	if len(found) > 0 {
		seen := map[place]bool{}
		for _, urls := range lists {
			for _, u := range urls {
				u.find(found, seen)
			}
		}
	}
	out := make([]place, len(paths))
	for i, p := range paths {
		out[i] = found[p]
	}
	return out
}

// find looks among the tags of u for those that are asked for.
func (u URL) find(found map[Path]place, seen map[place]bool) {
	for i, n := 0, 0; u.Kind != "" && i < len(u.Path) && n < MaxTags; i++ {
		if u.Path[i] != '/' {
			continue
		}
		n++
		at := place{u.Kind, string(u.Path[:i+1])}
		if seen[at] {
			continue
		}
		seen[at] = true
		if tag := Path("#" + tagName(at.kind, at.folder)); found[tag] == (place{}) {
			if _, asked := found[tag]; asked {
				found[tag] = at
			}
		}
	}
}

// tagged are the urls, which are in byte order, whose cached answers carry the
// tag of at: those in its folder, and with each of them the other URLs of its
// object. These lead to the folder, "/posts" and "/" to "/posts/".
func tagged(urls []URL, at place) []URL {
	if at.folder == "" {
		return nil
	}
	var inside []URL
	for _, u := range matching(urls, Path(at.folder+"*")) {
		if u.Kind == at.kind {
			inside = append(inside, u)
		}
	}
	var out []URL
	for n := 1; n < len(at.folder) && len(inside) > 0; n++ {
		i, found := slices.BinarySearchFunc(urls, site.URLPath(at.folder[:n]), func(u URL, p site.URLPath) int { return cmp.Compare(u.Path, p) })
		if found && slices.ContainsFunc(inside, func(u URL) bool { return u.Object == urls[i].Object }) {
			out = append(out, urls[i])
		}
	}
	return append(out, inside...)
}
