package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/freshet/freshet/internal/site"
)

const separator = string(filepath.Separator)

// walker lists the files of one folder. Its methods may run in several
// goroutines at once.
type walker struct {
	ctx      context.Context // of the call that the walker lives for
	root     string          // symbolic links resolved
	ignore   Ignore
	now      func() time.Time
	device   uint64 // of root
	steady   bool   // stamps on that device can be believed
	failures failures
}

// place says where the files are whose keys begin with prefix. All files of a
// site share one, but for those that are reached through a symbolic link.
type place struct {
	path   string // of what prefix names; a folder's ends in a separator
	prefix string
}

// of is where the file with the key is.
func (p *place) of(key string) string { return p.path + filepath.FromSlash(key[len(p.prefix):]) }

// folder is one folder of the site, under one of its names.
type folder struct {
	at     *place
	prefix string // of the keys in it; "" or with a slash at its end
	above  *folder
	linked bool   // it is reached through a symbolic link
	items  []item // in byte order of their keys
	was    stat   // what it was like before it was listed
	// again: its stamps alone cannot tell whether it has changed since, because
	// they were young, or are not to be believed, or because there are links in
	// it, and what they lead to can change elsewhere.
	again bool
}

// item is a file or, with sub, a folder.
type item struct {
	key string // a folder's ends in a slash, which is how folders sort among keys
	sub *folder
	at  *place
}

func (f *folder) path() string {
	path := f.at.of(f.prefix)
	if trimmed := strings.TrimSuffix(path, separator); trimmed != "" {
		return trimmed
	}
	return path // the root of the file system
}

// tick is more than what a kernel's clock for stamps goes by at a time: 10 ms
// at most on Linux. What is written later than that after something else has
// another stamp.
const tick = 50 * time.Millisecond

// scratch is what one goroutine lists folders with, one after the other.
type scratch struct {
	dirents []byte
	names   []byte
	found   []found
}

// found is one name in scratch.names.
type found struct {
	from, to int
	mode     fs.FileMode
	known    bool // mode is
}

func newScratch() *scratch { return &scratch{dirents: make([]byte, 32<<10)} }

// top is the site folder.
func (w *walker) top() *folder {
	return &folder{at: &place{path: strings.TrimSuffix(w.root, separator) + separator}}
}

// walk lists f and everything below it, with several goroutines at once. The
// caller's is one of them, and the only one where jobs is 1.
func (w *walker) walk(f *folder, jobs int) {
	todo := newQueue(f)
	together(jobs, func() {
		s := newScratch()
		for f := todo.next(); f != nil; f = todo.next() {
			w.list(f, s)
			todo.done(f)
		}
	})
}

// together runs do in n goroutines and waits for them. The caller's is one.
func together(n int, do func()) {
	var others sync.WaitGroup
	for range n - 1 {
		others.Go(do)
	}
	do()
	others.Wait()
}

// queue holds the folders that are still to be listed.
type queue struct {
	mu   sync.Mutex // guards what follows, for a moment at a time
	more *sync.Cond
	todo []*folder
	busy int // folders that are being listed
}

func newQueue(first *folder) *queue {
	q := &queue{todo: []*folder{first}}
	q.more = sync.NewCond(&q.mu)
	return q
}

// next waits for a folder; nil is the end.
func (q *queue) next() *folder {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.todo) == 0 && q.busy > 0 {
		q.more.Wait()
	}
	if len(q.todo) == 0 {
		return nil
	}
	last := len(q.todo) - 1
	f := q.todo[last]
	q.todo[last], q.todo = nil, q.todo[:last]
	q.busy++
	return f
}

// done ends what next began.
func (q *queue) done(f *folder) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range f.items {
		if it.sub != nil {
			q.todo = append(q.todo, it.sub)
		}
	}
	q.busy--
	q.more.Broadcast()
}

// list fills in what is in f, but not in the folders in it.
func (w *walker) list(f *folder, s *scratch) {
	if w.ctx.Err() != nil {
		return // Folder says so
	}
	path := f.path()
	for up := f.above; f.linked && up != nil; up = up.above {
		if up.path() == path {
			w.failures.add(f.prefix, fmt.Errorf("the symbolic link leads back to %s, a folder above it", printable(w.rel(path))))
			return
		}
	}
	began := w.now().UnixNano()
	text, err := s.read(path, f)
	if err != nil {
		w.failures.add(f.prefix, err)
		return
	}
	f.again = !w.steady || f.was.device != w.device || began-max(f.was.modified, f.was.changed) < int64(tick)
	f.items = make([]item, 0, len(s.found))
	for _, one := range s.found {
		if it, ok := w.entry(f, text[one.from:one.to], one); ok {
			f.items = append(f.items, it)
		}
	}
	slices.SortFunc(f.items, func(a, b item) int { return strings.Compare(a.key[len(f.prefix):], b.key[len(f.prefix):]) })
}

// read lists the folder. What it yields is one string for all names, with
// f's prefix before and a slash behind each, so that keys cost no memory of
// their own.
func (s *scratch) read(path string, f *folder) (text string, err error) {
	s.names, s.found = s.names[:0], s.found[:0]
	f.was, err = readFolder(path, s.dirents, func(name []byte, mode fs.FileMode, known bool) {
		from := len(s.names)
		s.names = append(append(append(s.names, f.prefix...), name...), '/')
		s.found = append(s.found, found{from, len(s.names), mode, known})
	})
	return string(s.names), err
}

// entry looks at one name; rel is its path below the site folder, with a slash
// at its end.
func (w *walker) entry(f *folder, rel string, one found) (it item, ok bool) {
	at, mode, slashed := f.at, one.mode, rel
	rel = strings.TrimSuffix(rel, "/")
	if !one.known {
		st, err := lstat(at.of(rel))
		if err != nil {
			w.failures.add(rel, err)
			return it, false
		}
		mode = st.mode
	}
	if mode&fs.ModeSymlink != 0 {
		f.again = true
		path, target, err := w.resolve(at.of(rel))
		if err != nil {
			if !w.ignore.Match(rel, false) && !w.ignore.Match(rel, true) {
				w.failures.add(rel, err)
			}
			return it, false
		}
		if mode, at = target, (&place{path, rel}); mode.IsDir() {
			at = &place{strings.TrimSuffix(path, separator) + separator, slashed}
		}
	}
	switch {
	case w.ignore.Match(rel, mode.IsDir()):
	case mode.IsDir():
		return item{key: slashed, sub: &folder{at: at, prefix: slashed, above: f, linked: f.linked || at != f.at}}, true
	case mode.IsRegular():
		return item{key: rel, at: at}, w.publishable(rel)
	default:
		w.failures.add(rel, errNoFile)
	}
	return it, false
}

var errNoFile = errors.New("it is a socket, pipe or device, which cannot be published")

// publishable reports whether a file's name can be a key.
func (w *walker) publishable(rel string) bool {
	key, err := site.ParseKey(rel)
	if err == nil && key.IsState() {
		err = fmt.Errorf("names that begin with %s are freshet's own; rename it", site.StatePrefix)
	}
	if err != nil {
		w.failures.add(rel, err)
	}
	return err == nil
}

// resolve follows a symbolic link, which must not leave the site folder, to
// what it leads to in the end.
func (w *walker) resolve(path string) (target string, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, errors.New("the symbolic link leads nowhere")
	case errors.Is(err, syscall.ELOOP):
		return "", 0, errors.New("the symbolic link leads in a circle")
	case err != nil:
		return "", 0, err
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", 0, err
	}
	if target != w.root && !strings.HasPrefix(target, strings.TrimSuffix(w.root, separator)+separator) {
		return "", 0, fmt.Errorf("the symbolic link leaves the site folder, to %s", printable(target))
	}
	for name := range strings.SplitSeq(w.rel(target), separator) {
		if builtIn(name, info.IsDir()) {
			return "", 0, fmt.Errorf("the symbolic link leads to %s, which is never published", printable(w.rel(target)))
		}
	}
	return target, info.Mode().Type(), nil
}

func (w *walker) rel(path string) string {
	rel, err := filepath.Rel(w.root, path)
	if err != nil {
		return path
	}
	return rel
}

// flatten lists the files below top in byte order of their keys, and the
// folders, and lets go of the items. A folder is listed in that order already,
// and all keys of a folder in it stand together, where it stands itself.
func flatten(top *folder) (files *Files, folders []*folder) {
	var nf, nd int
	top.each(func(*folder) { nd++ }, func(item) { nf++ }, func(*folder) {})
	files, folders = newFiles(top.at, nf), make([]*folder, 0, nd)
	top.each(func(f *folder) { folders = append(folders, f) }, func(it item) { files.add(it) }, func(f *folder) { f.items = nil })
	return files, folders
}

// each goes through f: every folder before and after what is in it.
func (f *folder) each(before func(*folder), file func(item), after func(*folder)) {
	before(f)
	for _, it := range f.items {
		if it.sub != nil {
			it.sub.each(before, file, after)
		} else {
			file(it)
		}
	}
	after(f)
}
