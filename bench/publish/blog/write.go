package blog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Write writes the site to a folder and returns how many files were not there before with the same bytes.
// Files that the site does not have are left alone.
func (s *Site) Write(ctx context.Context, dir string) (changed int, err error) {
	if err := makeFolders(dir, s.files); err != nil {
		return 0, err
	}
	differ := make([]bool, len(s.files))
	err = parallel(ctx, len(s.files), func(b *bytes.Buffer, i int) error {
		s.files[i].Render(b)
		path := filepath.Join(dir, filepath.FromSlash(s.files[i].Key))
		old, err := os.ReadFile(path)
		if err == nil && bytes.Equal(old, b.Bytes()) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		differ[i] = true
		return os.WriteFile(path, b.Bytes(), 0o644)
	})
	for _, d := range differ {
		if d {
			changed++
		}
	}
	return changed, err
}

// Some are the keys of a share of all files, drawn by the seed from posts and images.
func (s *Site) Some(percent int) []string {
	var may []string
	for _, f := range s.files {
		if strings.HasPrefix(f.Key, "images/") || strings.Count(f.Key, "/") == 4 {
			may = append(may, f.Key)
		}
	}
	s.source("some").Shuffle(len(may), func(i, j int) { may[i], may[j] = may[j], may[i] })
	return may[:min(len(may), len(s.files)*percent/100)]
}

// Touch gives every file below a folder one time of change, as a rebuild does.
func Touch(dir string, now time.Time) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, now, now)
	})
}

// perFolder is how many pages one folder of a flat site has.
const perFolder = 1000

// WriteFlat writes a site of n small pages (about 500 bytes each), 1,000 to a folder. Those whose number is a multiple of n/changed, rounded down,
// have other bytes in each edition; with rewrite, only those are written. It returns how many it wrote.
func WriteFlat(ctx context.Context, dir string, n, edition, changed int, rewrite bool) (int, error) {
	step := 1
	if rewrite {
		step = n / changed
	}
	var folders []File
	for i := 0; i < n; i += perFolder {
		folders = append(folders, File{Key: flatKey(i)})
	}
	if err := makeFolders(dir, folders); err != nil {
		return 0, err
	}
	count := (n + step - 1) / step
	err := parallel(ctx, count, func(b *bytes.Buffer, k int) error {
		i := k * step
		said := 1
		if i%(n/changed) == 0 {
			said = edition
		}
		fmt.Fprintf(b, "<!doctype html>\n<title>Page %d</title>\n<p>Edition %d of page %d.\n%s", i, said, i, strings.Repeat("<p>ka lo mi re tan ver so pin dul gra chi es tor\n", 8))
		return os.WriteFile(filepath.Join(dir, filepath.FromSlash(flatKey(i))), b.Bytes(), 0o644)
	})
	return count, err
}

func flatKey(i int) string {
	return fmt.Sprintf("archive/%05d/page-%08d.html", i/perFolder, i)
}

func makeFolders(dir string, files []File) error {
	made := map[string]bool{}
	for _, f := range files {
		folder := filepath.Dir(filepath.Join(dir, filepath.FromSlash(f.Key)))
		if made[folder] {
			continue
		}
		made[folder] = true
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// parallel does n things on all cores, each with an empty buffer.
func parallel(ctx context.Context, n int, do func(*bytes.Buffer, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() error {
			var b bytes.Buffer
			for i := w; i < n && ctx.Err() == nil; i += workers {
				b.Reset()
				if err := do(&b, i); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}
