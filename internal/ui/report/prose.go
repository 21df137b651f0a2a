package report

import (
	"fmt"
	"path"
	"strings"
)

// sentence says what the plan does to somebody who has never seen freshet:
// "3 files go up, 1 page goes away, and 5 addresses are thrown out of the
// caches; nothing else is touched."
func sentence(d Data) string {
	parts := stepParts(d.Steps)
	addresses, drops, bytes, everything := purged(d.Distributions)
	switch {
	case everything:
		parts = append(parts, "every address is thrown out of the caches")
	case addresses == 1:
		parts = append(parts, "1 address is thrown out of the caches")
	case addresses > 1:
		parts = append(parts, number(addresses)+" addresses are thrown out of the caches")
	}
	if len(parts) == 0 {
		return "Nothing changes: no file is sent, and nothing is thrown out of the caches."
	}
	text := join(parts)
	switch {
	case drops > 0:
		text += fmt.Sprintf("; with them go %s that did not change (%s).", count(drops, "file"), showBytes(bytes))
	case addresses == 0 && !everything:
		text += "; nothing is thrown out of the caches, and nothing else is touched."
	default:
		text += "; nothing else is touched."
	}
	return text
}

// stepParts are the clauses about files.
func stepParts(steps []Step) []string {
	n := map[Op]int{}
	pages := 0
	for _, s := range steps {
		n[s.Op]++
		if s.Op == OpRemove && isPage(s.Key) {
			pages++
		}
	}
	gone := "file"
	if pages == n[OpRemove] {
		gone = "page"
	}
	var parts []string
	for _, p := range []struct {
		n               int
		noun, one, many string
	}{
		{n[OpAdd] + n[OpUpdate], "file", "goes up", "go up"},
		{n[OpHeaders], "file", "gets other headers", "get other headers"},
		{n[OpRemove], gone, "goes away", "go away"},
		{n[OpRetire], "unused file", "is kept for now", "are kept for now"},
	} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.noun+" "+p.one)
		case p.n > 1:
			parts = append(parts, count(p.n, p.noun)+" "+p.many)
		}
	}
	return parts
}

func isPage(key string) bool {
	switch strings.ToLower(path.Ext(key)) {
	case ".html", ".htm", ".xhtml", "":
		return true
	}
	return false
}

// purged sums over the distributions what their items do; everything says that
// each of them is emptied.
func purged(distributions []Distribution) (addresses, drops int, bytes int64, everything bool) {
	emptied := 0
	for _, d := range distributions {
		drops += d.Drops
		bytes += d.DropsBytes
		all := false
		for _, it := range d.Items {
			addresses += it.CoverCount
			all = all || it.Path == "/*"
		}
		if all {
			emptied++
		}
	}
	return addresses, drops, bytes, emptied > 0 && emptied == len(distributions)
}

// join puts clauses together: "a", "a and b", "a, b, and c".
func join(parts []string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	case 2:
		return parts[0] + " and " + parts[1]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + ", and " + parts[len(parts)-1]
}

// kind is what an item is: "address", "wildcard", "tag", "everything".
func (it Item) kind() string {
	switch {
	case it.Path == "/*":
		return "everything"
	case strings.HasPrefix(it.Path, "#"):
		return "tag"
	case strings.HasSuffix(it.Path, "*"):
		return "wildcard"
	}
	return "address"
}

// meaning says in plain words what the item covers.
func (it Item) meaning() string {
	changed := count(it.CoverCount, "address") + " that changed"
	switch it.kind() {
	case "everything":
		return "Every address there is, " + number(it.CoverCount) + " of them changed."
	case "tag":
		return "Every address whose object carries this tag: " + changed + "."
	case "wildcard":
		return fmt.Sprintf("Every address that begins with %s: %s.", quoted(strings.TrimSuffix(it.Path, "*")), changed)
	}
	return "This one address."
}

// purpose says why an item is more than one address; "" where there is nothing
// to say.
func (it Item) purpose() string {
	switch {
	case it.kind() == "address":
		return ""
	case it.CoverCount > 1:
		return "One path to send and to pay for instead of " + number(it.CoverCount) + "."
	case it.kind() == "wildcard" && len(it.Covers) == 1:
		return unspeakable(strings.TrimSuffix(it.Path, "*"), it.Covers[0])
	}
	return ""
}

// unspeakable explains a wildcard that is there for one address: it stops
// where a character follows that an invalidation cannot be trusted to express.
// spec: cloudfront 1.1
func unspeakable(prefix, address string) string {
	rest, ok := strings.CutPrefix(address, prefix)
	if !ok || rest == "" {
		return ""
	}
	next := rest[:1]
	if next == "%" && len(rest) >= 3 {
		next = keyOf(rest[:3])
	}
	if !strings.Contains("~'@*", next) {
		return ""
	}
	return "A path cannot be trusted to name the character “" + next + "”, so this one stops before it."
}

// price says what else the item throws out.
func (it Item) price() string {
	if it.Drops == 0 {
		return "nothing else"
	}
	return fmt.Sprintf("%s unchanged (%s)", number(it.Drops), showBytes(it.DropsBytes))
}

func quoted(s string) string { return "“" + clip(visible(s), maxName) + "”" }
