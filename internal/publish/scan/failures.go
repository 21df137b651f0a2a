package scan

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxErrors bounds how many unreadable files one error names.
const maxErrors = 10

// failures collects what could not be read, for one error.
type failures struct{ list []failure }

type failure struct {
	name string
	err  error
}

func (f *failures) add(name string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the name is said already
	}
	f.list = append(f.list, failure{cmp.Or(strings.TrimSuffix(name, "/"), "."), err})
}

// join is nil when nothing failed.
func (f *failures) join() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortFunc(f.list, func(a, b failure) int { return strings.Compare(a.name, b.name) })
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
