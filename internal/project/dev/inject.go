package dev

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
)

// inject adds the script to the page that r has asked for.
func inject(page []byte, r *http.Request) []byte {
	if wide(page) {
		return page
	}
	version, _ := r.Context().Value(versionKey{}).(string)
	src := ownPath + "reload.js"
	if r.Host != "" && bytes.Contains(lower(page), []byte("<base")) {
		src = "http://" + r.Host + src // a base would send the path to another server
	}
	// Valid as XML, too.
	tag := fmt.Sprintf(`<script async="" src="%s" data-version="%s"></script>`, html.EscapeString(src), html.EscapeString(version))
	at := place(page)
	out := make([]byte, 0, len(page)+len(tag)+1)
	out = append(append(out, page[:at]...), tag...)
	return append(out, page[at:]...)
}

// place is where in the page the script goes: before the end tag of its body,
// and at its end where there is none that counts. What comes after the end of
// the body is read as part of it. HTML Living Standard, 13.2.6.4.19
func place(page []byte) int {
	text := lower(page)
	at := bytes.LastIndex(text, []byte("</body"))
	if at < 0 {
		return len(page)
	}
	open, closed := bytes.LastIndex(text[:at], []byte("<!--")), bytes.LastIndex(text[:at], []byte("-->"))
	if open > closed { // in a comment
		return len(page)
	}
	return at
}

// lower puts ASCII letters into lower case, and keeps every byte in its place.
func lower(text []byte) []byte {
	out := make([]byte, len(text))
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// wide says whether a page is in UTF-16, by its byte order mark.
func wide(page []byte) bool {
	return bytes.HasPrefix(page, []byte{0xfe, 0xff}) || bytes.HasPrefix(page, []byte{0xff, 0xfe})
}
