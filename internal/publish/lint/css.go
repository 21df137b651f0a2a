package lint

import (
	"bytes"
	"strings"
)

// inCSS shows the references of a style sheet that begins at offset in the page.
func inCSS(text []byte, offset int, found func(reference)) {
	for at := 0; at < len(text); {
		switch c := text[at]; {
		case c == '/' && at+1 < len(text) && text[at+1] == '*':
			if at = after(text, at+2, "*/"); at < 0 {
				return
			}
		case c == '"' || c == '\'':
			if _, at = quoted(text, at); at < 0 {
				return
			}
		case c == '@' && begins(text[at:], "@import"):
			at = inImport(text, at+len("@import"), offset, found)
		case c|0x20 == 'u' && begins(text[at:], "url(") && (at == 0 || !isName(text[at-1])):
			if at = inURL(text, at+len("url("), offset, found); at < 0 {
				return
			}
		default:
			at++
		}
	}
}

func begins(text []byte, word string) bool {
	return len(text) >= len(word) && strings.EqualFold(string(text[:len(word)]), word)
}

func isName(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0x80
}

// quoted is a string that begins with its quote at at, and where the text goes
// on; -1 where it is not closed in its line.
func quoted(text []byte, at int) (value []byte, next int) {
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case quote:
			return text[at+1 : i], i + 1
		case '\\':
			i++
		case '\n':
			return nil, -1
		}
	}
	return nil, -1
}

// inImport reads what follows @import, where it is a string; url() is found as
// everywhere.
func inImport(text []byte, at, offset int, found func(reference)) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	if at >= len(text) || text[at] != '"' && text[at] != '\'' {
		return at
	}
	value, next := quoted(text, at)
	if next < 0 {
		return len(text)
	}
	found(reference{value: string(value), at: offset + at, asset: true})
	return next
}

// inURL reads what follows "url(".
func inURL(text []byte, at, offset int, found func(reference)) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	if at >= len(text) {
		return -1
	}
	if text[at] == '"' || text[at] == '\'' {
		value, next := quoted(text, at)
		if next >= 0 {
			found(reference{value: string(value), at: offset + at, asset: true})
		}
		return next
	}
	length := bytes.IndexByte(text[at:], ')')
	if length < 0 {
		return -1
	}
	value := bytes.TrimRight(text[at:at+length], " \t\n\r\f")
	if !bytes.ContainsAny(value, "\"'( \t\n\r\f") {
		found(reference{value: string(value), at: offset + at, asset: true})
	}
	return at + length + 1
}
