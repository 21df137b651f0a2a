package dev

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInject(t *testing.T) {
	const tag = `<script async="" src="/.freshet/reload.js" data-version="v1"></script>`
	tests := []struct{ name, page, want string }{
		{"a page", "<html><body>x</body></html>", "<html><body>x" + tag + "</body></html>"},
		{"upper case and blanks", "<BODY>x</BODY\n >", "<BODY>x" + tag + "</BODY\n >"},
		{"no end of the body", "<!doctype html><p>x", "<!doctype html><p>x" + tag},
		{"nothing", "", tag},
		{"the last end counts", "<script>'</body>'</script>x</body>", "<script>'</body>'</script>x" + tag + "</body>"},
		{"the end is in a comment", "<body>x<!-- </body> -->", "<body>x<!-- </body> -->" + tag},
		{"a comment before", "<!-- a --><body>x</body>", "<!-- a --><body>x" + tag + "</body>"},
		{"letters that grow in upper case", "<body>ſıK</body>", "<body>ſıK" + tag + "</body>"},
		{"UTF-16", "\xff\xfe<\x00p\x00>\x00", "\xff\xfe<\x00p\x00>\x00"},
		{"a base elsewhere", `<BASE href="https://a.example/"></body>`,
			`<BASE href="https://a.example/">` + strings.Replace(tag, `"/.f`, `"http://localhost:8080/.f`, 1) + "</body>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/", nil)
			r = r.WithContext(context.WithValue(r.Context(), versionKey{}, "v1"))
			if diff := cmp.Diff(string(inject([]byte(tt.page), r)), tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzInject(f *testing.F) {
	for _, page := range []string{"", "</body>", "<!--</body>", "<base></BODY", "\xfe\xff"} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		out := string(inject(page, r))
		// Nothing of the page is lost, and one script is added at most.
		at := place(page)
		if out != string(page) && (!strings.HasPrefix(out, string(page[:at])+"<script ") || !strings.HasSuffix(out, "</script>"+string(page[at:]))) {
			t.Errorf("%q became %q", page, out)
		}
	})
}
