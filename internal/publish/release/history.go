package release

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxGone is how many releases whose bytes are not kept any more the history
// remembers.
const maxGone = 100

// Past is the History of the manifest that comes after s: the live release and
// those before it, newest first; empty before the first release. An entry is
// Gone once it has been superseded for retain or longer: when the next newer
// release was made says since when. What is live is being superseded now, so it
// is never Gone; with a retain of 0 everything before it is. What was Gone
// stays so, and only the newest 100 of those are remembered.
func (s State) Past(now time.Time, retain time.Duration) []Entry {
	var past []Entry
	gone := 0
	var superseded time.Time
	for i, e := range s.releases() {
		e.Gone = e.Gone || i > 0 && !superseded.Add(retain).After(now)
		superseded = e.Created
		if e.Gone {
			if gone++; gone > maxGone {
				continue
			}
		}
		past = append(past, e)
	}
	return past
}

// releases are the live release and those before it, newest first.
func (s State) releases() []Entry {
	if s.Current == nil {
		return nil
	}
	return append([]Entry{s.live()}, s.Live.History...)
}

// live is the entry of the release that is live. A manifest of before history
// was kept tells nothing about itself, and the pointer has to do.
func (s State) live() Entry {
	e, p := s.Live.About, s.Current
	if e.Release == "" {
		e = Entry{Release: p.Release, Number: p.Number, Created: p.Created, Objects: p.Objects, Bytes: p.Bytes}
	}
	e.Manifest, e.Revision, e.Seconds, e.Gone = p.Manifest, p.Revision, p.Seconds, false
	return e
}

// Find is the release that name means, "r12-3f2a9c1b", "r12" or "12", among the
// live one and those of its history. It may be live, and its bytes may be Gone;
// Record.Manifest says so of the latter. The error of a name that there is not
// names the nearest that there is.
func (s State) Find(name string) (Entry, error) {
	all := s.releases()
	if len(all) == 0 {
		return Entry{}, errors.New("nothing has been published yet")
	}
	name = strings.ToLower(name)
	number, isNumber := parseNumber(name)
	var found []Entry
	for _, e := range all {
		if string(e.Release) == name {
			return e, nil
		}
		if isNumber && e.Number == number {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, notThere(name, all)
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%s may mean release %s or %s: give the whole name", name, found[0].Release, found[1].Release)
}

// parseNumber reads "r12" or "12".
func parseNumber(name string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "r"), 10, 31)
	return int(n), err == nil
}

// notThere names the release with the nearest number; of two, the newer one.
func notThere(name string, all []Entry) error {
	begin, _, _ := strings.Cut(name, "-")
	number, ok := parseNumber(begin)
	if !ok {
		return fmt.Errorf("%q is no name of a release: those are like %s, %s or %d", name, all[0].Release, "r"+strconv.Itoa(all[0].Number), all[0].Number)
	}
	nearest := slices.MinFunc(all, func(a, b Entry) int { return abs(a.Number-number) - abs(b.Number-number) })
	return fmt.Errorf("there is no release %s; the nearest is %s", name, nearest.Release)
}

func abs(n int) int { return max(n, -n) }
