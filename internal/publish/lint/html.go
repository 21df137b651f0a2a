package lint

import (
	"bytes"
	"slices"
	"strings"
)

// reference is something that a page names.
type reference struct {
	value string // as it is written, entities included
	at    int    // where, in bytes
	asset bool   // the page needs it to be shown; else it only leads there
	base  bool   // it is what the others are relative to
}

// attribute is one attribute of a tag.
type attribute struct {
	name  string // in lower case
	value []byte
	at    int
}

// inHTML shows the references of a page. Where the page is malformed in a way
// that browsers repair by rules of their own it stops.
func inHTML(text []byte, found func(reference)) {
	for at := 0; ; {
		open := bytes.IndexByte(text[at:], '<')
		if open < 0 {
			return
		}
		at += open + 1
		rest := text[at:]
		switch {
		case bytes.HasPrefix(rest, []byte("!--")):
			at = after(text, at+3, "-->")
		case len(rest) > 0 && (rest[0] == '!' || rest[0] == '?' || rest[0] == '/'):
			at = after(text, at, ">")
		case len(rest) > 0 && isLetter(rest[0]):
			name, attrs, end := tag(text, at)
			if end < 0 {
				return
			}
			named(name, attrs, found)
			at = behind(text, end, name, found)
		}
		if at < 0 {
			return
		}
	}
}

// after is where the text goes on behind the mark, -1 where there is none.
func after(text []byte, at int, mark string) int {
	if i := bytes.Index(text[at:], []byte(mark)); i >= 0 {
		return at + i + len(mark)
	}
	return -1
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// wanted are the attributes that matter.
var wanted = []string{"href", "src", "srcset", "imagesrcset", "poster", "data", "style", "rel", "xlink:href"}

// tag reads a start tag whose name begins at at. end is behind its ">", or -1
// where it has none.
func tag(text []byte, at int) (name string, attrs []attribute, end int) {
	start := at
	for at < len(text) && !isSpace(text[at]) && text[at] != '/' && text[at] != '>' {
		at++
	}
	name = strings.ToLower(string(text[start:at]))
	for {
		for at < len(text) && (isSpace(text[at]) || text[at] == '/') {
			at++
		}
		if at >= len(text) {
			return name, nil, -1
		}
		if text[at] == '>' {
			return name, attrs, at + 1
		}
		var one attribute
		if one, at = attr(text, at); at < 0 {
			return name, nil, -1
		}
		if slices.Contains(wanted, one.name) && !slices.ContainsFunc(attrs, func(a attribute) bool { return a.name == one.name }) {
			attrs = append(attrs, one) // of two with one name the first counts
		}
	}
}

// attr reads an attribute; next is -1 where its quote is not closed.
func attr(text []byte, at int) (a attribute, next int) {
	start := at
	for at++; at < len(text) && !isSpace(text[at]) && text[at] != '=' && text[at] != '/' && text[at] != '>'; at++ {
	}
	a.name = strings.ToLower(string(text[start:at]))
	value := at
	for value < len(text) && isSpace(text[value]) {
		value++
	}
	if value >= len(text) || text[value] != '=' {
		return a, at
	}
	for value++; value < len(text) && isSpace(text[value]); value++ {
	}
	if value >= len(text) {
		return a, -1
	}
	if quote := text[value]; quote == '"' || quote == '\'' {
		length := bytes.IndexByte(text[value+1:], quote)
		if length < 0 {
			return a, -1
		}
		a.at, a.value = value+1, text[value+1:value+1+length]
		return a, value + length + 2
	}
	for at = value; at < len(text) && !isSpace(text[at]) && text[at] != '>'; at++ {
	}
	a.at, a.value = value, text[value:at]
	return a, at
}

// behind is where the text goes on behind a start tag: behind the whole element
// where it holds no tags that count.
func behind(text []byte, at int, name string, found func(reference)) int {
	switch name {
	case "script", "style", "textarea", "title", "template", "xmp", "iframe", "noembed", "noframes":
	case "plaintext":
		return -1
	default:
		return at
	}
	end := closing(text, at, name)
	if end < 0 {
		return -1
	}
	if name == "style" {
		inCSS(text[at:end], at, found)
	}
	return end
}

// closing is where the end tag of an element begins, -1 where there is none.
func closing(text []byte, at int, name string) int {
	for {
		i := bytes.Index(text[at:], []byte("</"))
		if i < 0 {
			return -1
		}
		at += i
		if rest := text[at+2:]; len(rest) >= len(name) && strings.EqualFold(string(rest[:len(name)]), name) {
			return at
		}
		at += 2
	}
}

// needed are the relations of <link> that a page is shown with.
var needed = []string{"stylesheet", "icon", "apple-touch-icon", "mask-icon", "manifest", "preload", "modulepreload"}

// named shows what a tag refers to.
func named(name string, attrs []attribute, found func(reference)) {
	rel := ""
	for _, a := range attrs {
		if a.name == "rel" {
			rel = strings.ToLower(string(a.value))
		}
	}
	for _, a := range attrs {
		if a.name == "style" {
			inCSS(a.value, a.at, found)
			continue
		}
		if strings.HasSuffix(a.name, "srcset") {
			inSrcset(a, found)
			continue
		}
		if asset, counts := meaning(name, a.name, rel); counts {
			found(reference{value: string(a.value), at: a.at, asset: asset, base: name == "base"})
		}
	}
}

// meaning says whether an attribute names something, and whether the page needs
// it.
func meaning(tag, attr, rel string) (asset, counts bool) {
	switch tag + " " + attr {
	case "a href", "area href", "iframe src", "base href":
		return false, true
	case "link href":
		words := strings.Fields(rel)
		if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(needed, w) }) {
			return !slices.Contains(words, "alternate"), true
		}
		return false, slices.Contains(words, "alternate")
	case "img src", "script src", "source src", "video src", "audio src", "track src", "embed src", "input src",
		"video poster", "object data", "image href", "image xlink:href", "use href", "use xlink:href":
		return true, true
	}
	return false, false
}

// inSrcset follows the HTML standard, "Parse a srcset attribute".
func inSrcset(a attribute, found func(reference)) {
	for at := 0; ; {
		for at < len(a.value) && (isSpace(a.value[at]) || a.value[at] == ',') {
			at++
		}
		start := at
		for at < len(a.value) && !isSpace(a.value[at]) {
			at++
		}
		if start == at {
			return
		}
		url := bytes.TrimRight(a.value[start:at], ",")
		found(reference{value: string(url), at: a.at + start, asset: true})
		if len(url) < at-start {
			continue // without a descriptor
		}
		for at < len(a.value) && a.value[at] != ',' {
			at++
		}
	}
}
