package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// ErrTooMany: the system allows no more files or folders to be watched.
var ErrTooMany = errors.New("the system allows no more to be watched")

// longest bounds how long changes that do not end put a round off.
const longest = time.Second

// change is a path that changed, and when that was last noticed.
type change struct {
	path string
	at   time.Time
}

// watcher collects changes. fsnotify watches single folders: each folder below
// a root is added, and each that appears later. A root's own folder is watched
// too, so that a root that is a file, or that is deleted and made again, is
// seen.
type watcher struct {
	notify *fsnotify.Watcher
	now    func() time.Time
	news   chan struct{} // has one value while pending may be new
	mark   string        // a file of the watcher's own, whose change tells that all before it are reported
	marked chan struct{} // has one value when it is
	done   sync.WaitGroup

	// mu guards what follows; held while folders are read and added.
	mu      sync.Mutex
	scope   scope
	pending map[string]time.Time
	known   map[string]bool // the files that were there when they were last looked at
	first   time.Time       // when the oldest pending change was noticed
	last    time.Time       // when the newest was
	err     error           // why not everything is watched
}

func newWatcher(now func() time.Time) (*watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch for changes: %w", watchError(err))
	}
	w := &watcher{
		notify: notify, now: now, news: make(chan struct{}, 1), marked: make(chan struct{}, 1),
		pending: map[string]time.Time{}, known: map[string]bool{},
	}
	dir, err := os.MkdirTemp("", "freshet-dev-")
	if err == nil {
		w.mark = filepath.Join(dir, "mark")
		err = watchError(notify.Add(dir))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch for changes: %w", err), notify.Close())
	}
	w.done.Go(w.collect)
	return w, nil
}

// close stops watching; nothing of it runs afterwards.
func (w *watcher) close() {
	_ = w.notify.Close() // nothing was written
	w.done.Wait()
	_ = os.RemoveAll(filepath.Dir(w.mark)) // an empty folder for temporary files
}

// catchUp waits until all that has changed so far is pending. inotify reports
// in order; where another system does not, or nothing is reported, it waits no
// longer than a moment.
func (w *watcher) catchUp(ctx context.Context) {
	const moment = 250 * time.Millisecond
	select {
	case <-w.marked: // of a call before that did not wait for it
	default:
	}
	if os.WriteFile(w.mark, nil, 0o600) != nil {
		return
	}
	defer func() { _ = os.Remove(w.mark) }() // made anew by the next call
	ctx, stop := context.WithTimeout(ctx, moment)
	defer stop()
	select {
	case <-w.marked:
	case <-ctx.Done():
	}
}

// set says which paths count from now on. What is watched beyond them is not
// reported.
func (w *watcher) set(s scope) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && slices.Equal(w.scope.roots, s.roots) && slices.Equal(w.scope.ignore, s.ignore) {
		return nil
	}
	w.scope, w.err = s, nil
	for _, root := range s.roots {
		w.add(filepath.Dir(root))
		w.addTree(root, map[string]bool{}, w.know)
	}
	return w.err
}

// add watches one folder.
func (w *watcher) add(dir string) {
	err := w.notify.Add(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && w.err == nil {
		w.err = fmt.Errorf("watch %s: %w", dir, watchError(err))
	}
}

// addTree watches a folder and all below it, and calls found for each file in
// it. Links to folders are followed, each folder once. What
// cannot be read is not watched: the build will say why.
func (w *watcher) addTree(dir string, been map[string]bool, found func(path string)) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || been[real] || w.scope.ignored(dir) {
		return
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return
	}
	been[real] = true
	w.add(dir) // before it is read, so that nothing appears in between
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case skipped(e.Name()):
		case e.IsDir() || e.Type()&fs.ModeSymlink != 0 && isDir(path):
			w.addTree(path, been, found)
		default:
			found(path)
		}
	}
}

func (w *watcher) know(path string) { w.known[path] = true }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// collect takes what fsnotify reports until it is closed.
func (w *watcher) collect() {
	for {
		select {
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			w.take(e)
		case err, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			w.missed(err)
		}
	}
}

// take notes one event. A change of permissions or times alone is none: indexers
// and backups make them.
func (w *watcher) take(e fsnotify.Event) {
	if e.Op == fsnotify.Chmod {
		return
	}
	if e.Name == w.mark {
		if e.Has(fsnotify.Create) {
			select {
			case w.marked <- struct{}{}:
			default:
			}
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.scope.counts(e.Name) {
		return
	}
	if !isDir(e.Name) {
		w.note(e.Name)
		return
	}
	if e.Has(fsnotify.Create) { // also what a rename brought here, with all that is in it
		w.addTree(e.Name, map[string]bool{}, func(path string) {
			if w.scope.counts(path) {
				w.note(path)
			}
		})
	}
}

// missed is told that events were lost: anything may have changed.
func (w *watcher) missed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		return
	}
	for _, root := range w.scope.roots {
		w.addTree(root, map[string]bool{}, w.know)
		w.note(root)
		w.know(root) // a folder counts although it is no file
	}
}

// note makes a change pending.
func (w *watcher) note(path string) {
	now := w.now()
	if len(w.pending) == 0 {
		w.first = now
	}
	w.pending[path], w.last = now, now
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// next waits until something has changed and nothing else for quiet, but no
// longer than a second after the first change, and returns the changes in the
// order of their paths.
func (w *watcher) next(ctx context.Context, quiet time.Duration) ([]change, error) {
	for {
		wait, changed := w.due(quiet)
		if changed && wait <= 0 {
			return w.drain(), nil
		}
		var timer <-chan time.Time
		if changed {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.news:
		case <-timer:
		}
	}
}

// due is how long to wait still, if anything has changed.
func (w *watcher) due(quiet time.Duration) (wait time.Duration, changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 {
		return 0, false
	}
	now := w.now()
	return min(w.last.Add(quiet).Sub(now), w.first.Add(longest).Sub(now)), true
}

// drain takes what is pending and still counts. What came and went in the
// meantime does not: editors and tools write a file under another name first.
func (w *watcher) drain() []change {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []change
	for path, at := range w.pending {
		_, err := os.Lstat(path)
		there := err == nil
		if w.scope.counts(path) && (there || w.known[path]) {
			out = append(out, change{path, at})
		}
		if delete(w.known, path); there {
			w.know(path)
		}
	}
	clear(w.pending)
	slices.SortFunc(out, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	return out
}

// watchError recognises the system's limits: inotify's watches and instances,
// and open files, of which kqueue needs one for each file.
func watchError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w: %w", ErrTooMany, err)
	}
	return err
}
