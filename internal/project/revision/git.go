package revision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const timeout = 5 * time.Second // for all questions together

// repository is a work tree that git can be asked about.
type repository struct {
	program string // git, an absolute path
	dir     string
	env     []string
	getenv  func(string) string
}

// errAnswer: git ran and said no, which is an answer to most questions.
var errAnswer = errors.New("git found nothing")

// open finds git and makes sure that dir lies in a work tree; false where
// either is missing.
func open(ctx context.Context, dir string, getenv func(string) string) (repository, bool, error) {
	program, ok := lookPath("git", getenv("PATH"))
	if !ok {
		return repository{}, false, nil
	}
	if dir == "" {
		dir = "."
	}
	r := repository{program, dir, environment(dir, getenv), getenv}
	inside, err := r.ask(ctx, "rev-parse", "--is-inside-work-tree")
	if err != nil && strings.Contains(err.Error(), "not a git repository") {
		return repository{}, false, nil
	}
	return r, inside == "true", err
}

// at is false where git does not know the name, or it is no commit's.
func (r repository) at(ctx context.Context, name string) (Revision, bool, error) {
	// Two questions, since name may be ":/text", which takes all that follows.
	object, err := r.ask(ctx, "rev-parse", "--verify", "--quiet", name)
	if err == nil {
		object, err = r.ask(ctx, "rev-parse", "--verify", "--quiet", object+"^{commit}")
	}
	switch {
	case errors.Is(err, errAnswer), err == nil && !isHash(object): // "^name" gives no hash
		return Revision{}, false, nil
	case err != nil:
		return Revision{}, false, err
	}
	// Plumbing: the configuration cannot add to what it prints.
	line, err := r.ask(ctx, "rev-list", "--timestamp", "--max-count=1", object)
	if err != nil {
		return Revision{}, false, err
	}
	seconds, commit, _ := strings.Cut(line, " ")
	if commit != object {
		return Revision{}, false, fmt.Errorf("git answered %q to a question for the commit %s", line, object)
	}
	at, err := parseUnix(seconds)
	if err != nil {
		return Revision{}, false, err
	}
	branch, err := r.branch(ctx, name, commit)
	return Revision{commit, branch, at}, err == nil, err
}

// branch is the branch that name names, or the one that is checked out, or the
// one that CI says commit is of.
func (r repository) branch(ctx context.Context, name, commit string) (string, error) {
	for _, question := range [][]string{
		{"rev-parse", "--verify", "--quiet", "--symbolic-full-name", name},
		{"symbolic-ref", "--quiet", "HEAD"},
	} {
		ref, err := r.ask(ctx, question...)
		if err != nil && !errors.Is(err, errAnswer) {
			return "", err
		}
		if branch := branchOf(ref); branch != "" {
			return branch, nil
		}
	}
	return branchOfCI(r.getenv, commit), nil
}

// branchOf is the branch that a full reference stands for, "" for none. The
// remote of a remote-tracking branch is taken to be one word, as "origin".
func branchOf(ref string) string {
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return branch
	}
	if rest, ok := strings.CutPrefix(ref, "refs/remotes/"); ok {
		if _, branch, _ := strings.Cut(rest, "/"); branch != "HEAD" {
			return branch
		}
	}
	return ""
}

// ask runs git and returns the line that it writes. errAnswer stands for its
// exit status 1 to a question that has an answer.
func (r repository) ask(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.program, append([]string{"-C", r.dir}, args...)...)
	cmd.Env = r.env
	cmd.WaitDelay = time.Second
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	said := strings.TrimSpace(errOut.String())
	var exit *exec.ExitError
	switch {
	case err == nil:
		return strings.TrimRight(string(out), "\r\n"), nil
	case !errors.As(err, &exit):
		return "", err
	case exit.ExitCode() == 1 && (said == "" || strings.Contains(said, "expected commit type")):
		return "", errAnswer // --quiet does not keep git from explaining the second
	case said == "":
		return "", err
	}
	said, _, _ = strings.Cut(strings.TrimPrefix(said, "fatal: "), "\n") // what follows is advice
	if !printable(said) {
		said = strconv.Quote(said)
	}
	return "", errors.New(said)
}

// isHash reports whether s is a full SHA-1 or SHA-256.
func isHash(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// lookPath finds a program on path, a list of folders. Entries that are not
// absolute are passed over, as os/exec does: they would run a program of the
// project.
func lookPath(name, path string) (string, bool) {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, true
		}
	}
	return "", false
}
