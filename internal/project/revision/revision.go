// Package revision says what a site is built from, so that an older build does
// not overwrite a newer one: a commit of git, or what the user calls it.
//
// It promises to tell the truth or nothing. What is not known for sure is not
// known: no git, no repository, no commit. It asks the git program, reads only,
// takes no lock, runs no hook, fetches nothing, and gives up after 5 seconds.
//
// The folder decides which repository is asked, and not the environment: a hook
// of git runs with GIT_DIR of the repository that it belongs to, mostly relative
// to another folder, and a deploy from there must say the same as one from a
// shell. Only a GIT_DIR and a GIT_WORK_TREE that are both absolute, where the
// work tree holds the folder, are believed, since then nothing is ambiguous.
//
// It leaves out whether the work tree has changes that are not committed, and
// other systems of version control: their users name the revision.
//
// It follows gitrevisions(7), git-rev-parse(1), git-rev-list(1) and git(1),
// "Environment Variables"; read 2026-11.
package revision

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Revision is what a site is built from. The zero Revision is that of a site of
// which nobody knows.
type Revision struct {
	// Name is a full commit, in hexadecimal, or what the user calls it.
	Name string
	// Branch is the branch without "refs/heads/", "" where there is none or
	// nobody knows.
	Branch string
	// Time orders the revisions of one branch, in UTC. Of a commit it is when it
	// was committed; a build number stands for that many seconds after 1970.
	Time time.Time
}

const (
	none    = "none"
	maxName = 200 // bytes of a name that the user gives
	// maxUnix is the last second that JSON can carry, of the year 9999; RFC 3339,
	// section 1, "years between 0000 and 9999".
	maxUnix = 253402300799
)

// Of is the revision of the commit that is checked out in the work tree that
// holds dir: HEAD. dir itself may be new to git, or ignored. It is false where
// nobody knows: without a git program, outside a work tree, before the first
// commit.
//
// An error is a reason why a repository that is there could not be read (it
// belongs to another user, git is broken or too slow); it then goes with false,
// and a deploy may go on without a revision. Where ctx has ended, its error is
// in the chain.
//
// getenv is the environment, like os.Getenv. Besides git's own configuration it
// tells the branch where HEAD is detached, as it is in most CI.
func Of(ctx context.Context, dir string, getenv func(string) string) (Revision, bool, error) {
	return At(ctx, dir, "HEAD", getenv)
}

// At is Of for any name of a commit that git knows in the work tree that holds
// dir: a branch, a tag, a hash, "HEAD~2". It is also false where git does not
// know the name, or it names no commit. The branch is the one that is named, or
// else the one that is checked out.
func At(ctx context.Context, dir, name string, getenv func(string) string) (Revision, bool, error) {
	return within(ctx, timeout, dir, name, getenv)
}

// within is At with a limit on the time that git may take.
func within(ctx context.Context, limit time.Duration, dir, name string, getenv func(string) string) (Revision, bool, error) {
	if name == "" || strings.HasPrefix(name, "-") {
		return Revision{}, false, nil // git would read an option; git-check-ref-format(1) forbids such names
	}
	inside, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, ok, err := open(inside, dir, getenv)
	if ok && err == nil {
		var rev Revision
		if rev, ok, err = r.at(inside, name); ok && err == nil {
			return rev, true, nil
		}
	}
	switch {
	case err == nil:
		return Revision{}, false, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case inside.Err() != nil:
		err = fmt.Errorf("git did not answer within %s", limit)
	}
	return Revision{}, false, fmt.Errorf("ask git for the revision of %s: %w", dir, err)
}

// Parse reads what the user says of a revision, in one of three forms:
//
//	none        nobody knows; the answer is false
//	NAME@TIME   any name; TIME is RFC 3339, or a whole number from 0 up: seconds
//	            since 1970, or a build number
//	NAME        a commit, which resolve knows
//
// resolve is At with its other arguments filled in; it is asked for everything
// that has neither of the other forms, "@" and "HEAD@{1}" too. Everything else
// is an error that says the three forms. A NAME@TIME is of no branch.
func Parse(text string, resolve func(name string) (Revision, bool, error)) (Revision, bool, error) {
	if text == none {
		return Revision{}, false, nil
	}
	if i := strings.LastIndexByte(text, '@'); i > 0 {
		at, ok, err := parseTime(text[i+1:])
		if ok && err == nil {
			err = checkName(text[:i])
		}
		if err != nil {
			return Revision{}, false, fmt.Errorf("read the revision %q: %w", text, err)
		}
		if ok {
			return Revision{Name: text[:i], Time: at}, true, nil
		}
	}
	rev, ok, err := resolve(text)
	switch {
	case err != nil:
		return Revision{}, false, fmt.Errorf("read the revision %q: %w", text, err)
	case !ok:
		return Revision{}, false, fmt.Errorf("read the revision %q: git knows no such commit here; "+
			"give a commit, NAME@TIME with a time like 2026-11-22T15:30:00Z or a whole number, or %s", text, none)
	}
	return rev, true, nil
}

// parseTime is false for what is no time at all, and an error for one that
// cannot be kept.
func parseTime(text string) (at time.Time, ok bool, err error) {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > maxUnix {
			return time.Time{}, false, fmt.Errorf("the number %s is larger than %d, the last second of the year 9999; a date is written like 2026-11-22T15:30:00Z", text, maxUnix)
		}
		return time.Unix(seconds, 0).UTC(), true, nil
	}
	at, err = time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, false, nil // it may be a name of git's
	}
	at = at.UTC()
	if at.Year() < 0 || at.Unix() > maxUnix {
		return time.Time{}, false, errors.New("the time lies outside the years 0000 to 9999 in UTC")
	}
	return at, true, nil
}

// checkName keeps out what a terminal would obey when the name is shown again,
// and what was not meant as a name.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("the name before the @ is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has %d bytes, more than %d", len(name), maxName)
	case !printable(name):
		return errors.New("the name has characters that cannot be printed")
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}

// parseUnix reads git's own seconds.
func parseUnix(text string) (time.Time, error) {
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err != nil || seconds > maxUnix {
		return time.Time{}, fmt.Errorf("the commit's time %q is beyond the year 9999", text)
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}
