package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangelogHoldsEveryChange(t *testing.T) {
	root := filepath.Join("..", "..")
	committed, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := updated(string(committed), filepath.Join(root, "changes"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), want); diff != "" {
		t.Errorf("CHANGELOG.md is not what changes/ says; type `make docs`. Committed-, changes+:\n%s", diff)
	}
}

func TestUpdated(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"0001-a.md": "# One\n\nWas bad.\n\nIs good, see\n[docs](../docs/x.md).\n\nAnd more.\n",
		"0002-b.md": "# Two\n\nWas slow.\n\nIs fast:\n\n- one\n  way\n- or two\n\nAnd so on.\n<!-- Changed -->\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := updated("# Log\n\n## [Unreleased]\n\nold\n\n## [1.0.0] - 2026-01-01\n\n- kept\n", dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Log\n\n## [Unreleased]\n\n### Added\n\n- **One** ([0001](changes/0001-a.md)). Is good, see [docs](docs/x.md). And more.\n" +
		"\n### Changed\n\n- **Two** ([0002](changes/0002-b.md)). Is fast:\n  - one way\n  - or two\n\n  And so on.\n\n## [1.0.0] - 2026-01-01\n\n- kept\n"
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	again, err := updated(got, dir)
	if err != nil || again != got {
		t.Errorf("a second run changes it: %v\n%s", err, again)
	}
}

func TestEntryRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no heading": "One\n\nWas.\n\nIs.\n", "no news": "# One\n\nWas.\n", "no such kind": "# One\n\nWas.\n\nIs.\n<!-- Better -->\n",
	} {
		if _, line, err := entry("0001-a.md", text); err == nil {
			t.Errorf("%s: became %q", name, line)
		}
	}
}
