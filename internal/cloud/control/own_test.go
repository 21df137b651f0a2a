package control

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A configuration that is kept elsewhere replaces what is stored, under the same id and only where it differs.
func TestSetDistribution(t *testing.T) {
	f := start(t, Options{})
	first, err := f.SetDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != f.dist.ID {
		t.Errorf("id %s, want the one that was there, %s", first.ID, f.dist.ID)
	}
	again, err := f.SetDistribution(t.Context(), siteConfig())
	if err != nil || again.ETag != first.ETag {
		t.Errorf("the same configuration got version %s after %s, %v", again.ETag, first.ETag, err)
	}
	changed := siteConfig()
	changed.Comment = "moved"
	now, err := f.SetDistribution(t.Context(), changed)
	if err != nil {
		t.Fatal(err)
	}
	if now.ID != first.ID || now.ETag == first.ETag || now.Config.Comment != "moved" || now.Status != "Deployed" {
		t.Errorf("got %s version %s, %q, %s", now.ID, now.ETag, now.Config.Comment, now.Status)
	}
	changed.Origins = nil
	if _, err := f.SetDistribution(t.Context(), changed); err == nil {
		t.Error("a configuration without an origin was accepted")
	}
}

// Callers in the process get what signed requests get: the same checks, limits, repeats and words.
func TestInvalidate(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials, Limits: Limits{PathsPerSecond: 4}})
	first, err := f.Invalidate(t.Context(), f.dist.ID, "one", []string{"/a", "/b*"})
	if err != nil || first.Status != "InProgress" && first.Status != "Completed" || first.Reference != "one" || !slices.Equal(first.Items, []string{"/a", "/b*"}) {
		t.Fatalf("got %+v, %v", first, err)
	}
	if again, err := f.Invalidate(t.Context(), f.dist.ID, "one", []string{"/b*", "/a"}); err != nil || again.ID != first.ID {
		t.Errorf("a repeat is %s, %v; want %s", again.ID, err, first.ID)
	}
	for _, row := range []struct {
		name, distribution, reference string
		items                         []string
		status                        int
		code                          string
	}{
		{"no such distribution", "ENONE", "a", []string{"/a"}, 404, "NoSuchDistribution"},
		{"reused reference", f.dist.ID, "one", []string{"/c"}, 400, "InvalidArgument"},
		{"no reference", f.dist.ID, "", []string{"/c"}, 400, "InvalidArgument"},
		{"no items", f.dist.ID, "b", nil, 400, "InvalidArgument"},
		{"no path", f.dist.ID, "b", []string{"/c", "c"}, 400, "InvalidArgument"},
		{"empty path", f.dist.ID, "b", []string{""}, 400, "InvalidArgument"},
		{"a control character", f.dist.ID, "b", []string{"/\x01"}, 400, "InvalidArgument"},
		{"no UTF-8", f.dist.ID, "b", []string{"/\xff"}, 400, "InvalidArgument"},
		{"markup", f.dist.ID, "b", []string{"</Path>"}, 400, "InvalidArgument"},
		{"more than a second's", f.dist.ID, "b", []string{"/1", "/2", "/3", "/4", "/5"}, 413, "BatchTooLarge"},
		{"large", f.dist.ID, "b", slices.Repeat([]string{"/" + strings.Repeat("x", 3999)}, 300), 413, "BatchTooLarge"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := f.Invalidate(t.Context(), row.distribution, row.reference, row.items)
			if err == nil {
				t.Fatal("it was accepted")
			}
			status, code, message := Refusal(err)
			if diff := cmp.Diff([]any{status, code, message != ""}, []any{row.status, row.code, true}); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
	if status, code, _ := Refusal(errors.Join(context.Canceled)); status != http.StatusServiceUnavailable || code != "ServiceUnavailable" {
		t.Errorf("what is nobody's fault is %d %s", status, code)
	}
}
