package scan

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxErrors bounds how many unreadable files one error names.
const maxErrors = 10

// failures collects what could not be read, for one error. add may be called
// from several goroutines at once.
type failures struct {
	mu   sync.Mutex // guards list, for an append
	list []failure
}

type failure struct {
	name string
	err  error
}

func (f *failures) add(name string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the name is said already
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, failure{cmp.Or(strings.TrimSuffix(name, "/"), "."), err})
}

// join is nil when nothing failed.
func (f *failures) join() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortFunc(f.list, func(a, b failure) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.err.Error(), b.err.Error()))
	})
	f.list = slices.CompactFunc(f.list, func(a, b failure) bool { return a.name == b.name && a.err.Error() == b.err.Error() })
	errs := []error{}
	for i, one := range f.list {
		if i == maxErrors {
			errs = append(errs, fmt.Errorf("and %d more", len(f.list)-maxErrors))
			break
		}
		errs = append(errs, fmt.Errorf("%s: %w", printable(one.name), one.err))
	}
	return fmt.Errorf("read the site folder: %w", errors.Join(errs...))
}

// printable quotes a name that a terminal would obey instead of showing it.
func printable(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
