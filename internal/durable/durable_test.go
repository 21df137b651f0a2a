package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names lists the folder, so that a leftover shows up by name.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWriteFile(t *testing.T) {
	tests := map[string]struct {
		old  string
		have bool
		data string
		perm fs.FileMode
	}{
		"new":          {data: "hello", perm: 0o600},
		"new, empty":   {data: "", perm: 0o600},
		"replace":      {have: true, old: "a much longer old content", data: "new", perm: 0o600},
		"replace mode": {have: true, old: "open", data: "closed", perm: 0o400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "state.json")
			if tt.have {
				if err := os.WriteFile(path, []byte(tt.old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := WriteFile(path, []byte(tt.data), tt.perm); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(got), tt.data); diff != "" {
				t.Errorf("content (-got +want):\n%s", diff)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if runtime.GOOS != "windows" && info.Mode().Perm() != tt.perm {
				t.Errorf("mode %v, want %v", info.Mode().Perm(), tt.perm)
			}
			if diff := cmp.Diff(names(t, dir), []string{"state.json"}); diff != "" {
				t.Errorf("folder (-got +want):\n%s", diff)
			}
		})
	}
}

// A rename onto a folder that is not empty fails after the bytes are written:
// the latest point at which a write can fail before the switch.
func TestWriteFileFailedRename(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new"), 0o600); err == nil {
		t.Fatal("a file replaced a folder")
	}
	if diff := cmp.Diff(names(t, dir), []string{"taken"}); diff != "" {
		t.Errorf("folder (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(names(t, path), []string{"inside"}); diff != "" {
		t.Errorf("old content (-got +want):\n%s", diff)
	}
}

func TestWriteFileMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "file")
	if err := WriteFile(path, []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
}

// Readers beside a writer see whole contents only.
func TestWriteFileWholeForReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 20_000+i) }
	if err := WriteFile(path, content(0), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
					return
				}
				i := len(got) - 20_000
				if i < 0 || !bytes.Equal(got, content(i)) {
					t.Errorf("a reader saw a torn file of %d bytes", len(got))
					return
				}
			}
		})
	}
	for i := range 50 {
		if err := WriteFile(path, content(i), 0o600); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c")
	for range 2 { // a repeat is no error
		if err := MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Fatalf("stat: %v, %v", info, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := MkdirAll(bad, 0o700); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestMkdirAllRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "y")
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { errs[i] = MkdirAll(path, 0o700) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Error(fmt.Errorf("racer %d: %w", i, err))
		}
	}
}
