package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/remote"
)

// survivable are the failures that leave a count incomplete and do not end it,
// in the order in which notes tell of them.
var survivable = []error{remote.ErrDenied, remote.ErrNotFound, remote.ErrUnsupported, remote.ErrTemporary}

// kindOf is the first of survivable that err is, nil for any other error and
// for none.
func kindOf(err error) error {
	for _, kind := range survivable {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}

// reason is the first half of a note: why an action did not work on some
// distributions, which are "" where the action has none.
func reason(kind error, action, on string) string {
	switch kind {
	case remote.ErrDenied:
		if on != "" {
			on = " on " + on
		}
		return "cloudfront:" + action + " is denied" + on
	case remote.ErrNotFound:
		return "cloudfront:" + action + " found nothing on " + on
	case remote.ErrUnsupported:
		return "this service does not answer cloudfront:" + action + " as CloudFront does"
	}
	return "CloudFront throttles or does not answer cloudfront:" + action
}

// onlyNote says which distributions are counted although they could not be
// listed.
func onlyNote(failure error, ids []string) string {
	why := reason(kindOf(failure), "ListDistributions", "")
	switch len(ids) {
	case 0:
		return why + ", so nothing is counted"
	case 1:
		return why + ", so only " + ids[0] + " is counted"
	}
	return why + ", so only " + names(ids) + " are counted"
}

// listNotes are a note for each kind of failure of the lists of ids.
func listNotes(ids []string, failures []error) []string {
	var notes []string
	for _, kind := range survivable {
		var failed []string
		for i, id := range ids {
			if kindOf(failures[i]) == kind {
				failed = append(failed, id)
			}
		}
		if len(failed) > 0 {
			why := reason(kind, "ListInvalidations", names(failed))
			notes = append(notes, fmt.Sprintf("%s, so %s %s not counted in full", why, names(failed), isAre(len(failed))))
		}
	}
	return notes
}

// readNotes are a note for each kind of failure of reading unread.
func readNotes(unread []listed, failures []error) []string {
	var notes []string
	for _, kind := range survivable {
		var failed int
		var on []string
		for i, l := range unread {
			if kindOf(failures[i]) != kind {
				continue
			}
			failed++
			if !slices.Contains(on, l.distribution) {
				on = append(on, l.distribution)
			}
		}
		if failed > 0 {
			why := reason(kind, "GetInvalidation", names(on))
			notes = append(notes, fmt.Sprintf("%s, so %d of this month's invalidations %s not counted", why, failed, isAre(failed)))
		}
	}
	return notes
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// names is "E1", "E1 and E2", or the first three and how many more.
func names(ids []string) string {
	const shown = 3
	if n := len(ids) - shown; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:shown], ", "), n)
	}
	last := len(ids) - 1
	if last < 1 {
		return strings.Join(ids, "")
	}
	return strings.Join(ids[:last], ", ") + " and " + ids[last]
}
