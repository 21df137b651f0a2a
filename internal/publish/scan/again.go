package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
)

const onceMore = "run the command again once nothing writes to the folder"

// unchanged makes sure that nothing came or went behind the walk's back, as in
// a folder that is being built anew: it would count as removed.
//
// A name that is made, removed or renamed gives its folder new stamps (POSIX.1-2017,
// open, unlink, rename: "mark for update the last data modification and last
// file status change timestamps of the parent directory"), and they cannot be
// set back without giving it a new ctime. So a folder whose number, size, mtime
// and ctime are what they were before it was listed holds the same names,
// provided that the change would have had another time: that the old stamps
// were older than a tick of the kernel's clock when the listing began. That
// costs one stat for each folder, not a second listing of each. Every other
// folder is listed again and its names are compared: young ones, ones that
// differ, those with symbolic links in them, whose targets may come and go
// elsewhere, and all folders of file systems that other machines write to, or
// that do not keep times so exactly.
func (w *walker) unchanged(files *Files, folders []*folder, jobs int) error {
	again := walker{ctx: w.ctx, root: w.root, ignore: w.ignore, now: w.now, device: w.device, steady: w.steady}
	c := comparison{&again, files, folders}
	var next atomic.Int64
	together(jobs, func() {
		s := newScratch()
		for i := next.Add(1) - 1; i < int64(len(folders)) && again.ctx.Err() == nil; i = next.Add(1) - 1 {
			if f := folders[i]; f.again || !c.same(f) {
				c.listAgain(f, s)
			}
		}
	})
	if err := w.ctx.Err(); err != nil {
		return fmt.Errorf("read the site folder: %w", err)
	}
	return again.failures.join()
}

// comparison holds the folder as it is against what the walk has found.
type comparison struct {
	*walker
	files   *Files
	folders []*folder // in the order of their prefixes
}

// same reports whether the folder's stamps are those of before it was listed.
func (c *comparison) same(f *folder) bool {
	st, err := lstat(f.path())
	return err == nil && st == f.was
}

// listAgain lists a folder again, and all of what is new in it.
func (c *comparison) listAgain(f *folder, s *scratch) {
	now := &folder{at: f.at, prefix: f.prefix, above: f.above, linked: f.linked}
	if f.above == nil || !gone(f) { // else the folder above says what became of it
		c.list(now, s)
	}
	kept := map[string]bool{} // the folders in it that are what they were
	var names []string
	for _, it := range now.items {
		switch {
		case it.sub == nil:
			names = append(names, it.key)
		case c.knows(it.sub):
			kept[it.key] = true
		default:
			c.walk(it.sub, 1)
			it.sub.each(func(*folder) {}, func(it item) { names = append(names, it.key) }, func(*folder) {})
		}
	}
	c.compare(c.filesOf(f, kept), names)
}

// gone reports whether the folder is no more.
func gone(f *folder) bool {
	st, err := lstat(f.path())
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !st.mode.IsDir()
}

// knows reports whether the walk has been in the folder, under the same name.
func (c *comparison) knows(f *folder) bool {
	i := sort.Search(len(c.folders), func(i int) bool { return c.folders[i].prefix >= f.prefix })
	return i < len(c.folders) && c.folders[i].prefix == f.prefix && c.folders[i].path() == f.path()
}

// filesOf lists what the walk has found in f, but not in the folders in it that
// are kept.
func (c *comparison) filesOf(f *folder, kept map[string]bool) (keys []string) {
	for i := c.search(0, f.prefix); i < c.files.Len(); {
		key := string(c.files.keys[i])
		rest, below := strings.CutPrefix(key, f.prefix)
		if !below {
			break
		}
		if sub := key[:len(f.prefix)+strings.IndexByte(rest, '/')+1]; len(sub) > len(f.prefix) && kept[sub] {
			i = c.search(i, sub[:len(sub)-1]+"0") // behind everything in it: "0" follows "/"
			continue
		}
		keys = append(keys, key)
		i++
	}
	return keys
}

// search finds the first file from the i-th on whose key is not below key.
func (c *comparison) search(i int, key string) int {
	return i + sort.Search(c.files.Len()-i, func(n int) bool { return string(c.files.keys[i+n]) >= key })
}

// compare takes two lists of keys.
func (c *comparison) compare(before, now []string) {
	slices.Sort(now)
	for _, key := range now {
		if _, ok := slices.BinarySearch(before, key); !ok {
			c.failures.add(key, fmt.Errorf("it appeared while the folder was read; %s", onceMore))
		}
	}
	for _, key := range before {
		if _, ok := slices.BinarySearch(now, key); !ok {
			c.failures.add(key, fmt.Errorf("it vanished while the folder was read; %s", onceMore))
		}
	}
}
