package dev

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// loop is the round of load, build and publish, one at a time.
type loop struct {
	opts    Options
	watcher *watcher
	hub     *hub
	project Project
	started bool // the first round is over

	// What changes while a build runs may be the build's own work.
	began, ended time.Time         // of the last build
	own          map[string]int    // in how many builds, one after another, a path changed and nothing else did
	seen         map[string]string // the content of what has changed, by path
}

// lag is how long after its end a build's last writes may be reported.
const lag = 100 * time.Millisecond

// strikes is how often a file has to change during builds that only such files
// had started before it is taken for the build's own.
const strikes = 3

// maxHashed bounds the files that are compared by content, in bytes; larger
// ones are compared by size and time.
const maxHashed = 16 << 20

// run does a first round, then one for each burst of changes, until ctx ends.
func (l *loop) run(ctx context.Context) error {
	project, err := l.opts.Load()
	if err != nil {
		return err
	}
	if err := l.take(project); err != nil {
		return err
	}
	l.round(ctx, nil)
	for {
		changes, err := l.watcher.next(ctx, l.opts.Quiet)
		if err != nil {
			return nil // ctx has ended
		}
		paths, own := l.sift(changes)
		if len(own) > 0 {
			l.report(Round{Time: l.opts.Now(), Own: own})
		}
		if len(paths) > 0 {
			l.round(ctx, paths)
		}
	}
}

// take makes a project the one that is watched and built.
func (l *loop) take(p Project) error {
	if err := l.watcher.set(scope{p.Watch, p.Ignore}); err != nil {
		return err
	}
	l.project = p
	return nil
}

// sift leaves out what a build has changed itself: files with the content that
// they had before, and those that change with every build. It returns the paths
// that make a round necessary, and those that are left out from now on.
func (l *loop) sift(changes []change) (paths, own []string) {
	elsewhere := false // something has changed that no build can have
	for _, c := range changes {
		content := fingerprint(c.path)
		same := l.seen[c.path] == content
		l.seen[c.path] = content
		during := !c.at.Before(l.began) && c.at.Before(l.ended.Add(lag))
		switch {
		case !during:
			elsewhere = true
			delete(l.own, c.path)
		case same || l.own[c.path] >= strikes:
			continue
		default:
			l.own[c.path]++
			if l.own[c.path] == strikes {
				own = append(own, l.name(c.path))
				continue
			}
		}
		paths = append(paths, l.name(c.path))
	}
	if elsewhere {
		for path, n := range l.own {
			if n < strikes {
				delete(l.own, path)
			}
		}
	}
	return paths, own
}

// fingerprint stands for the content of a path.
func fingerprint(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "none"
	}
	defer f.Close() // read only: nothing can be lost
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "none"
	}
	if info.Size() > maxHashed {
		return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "none"
	}
	return string(h.Sum(nil))
}

// name is how people know a path.
func (l *loop) name(path string) string {
	if rel, ok := below(l.project.Root, path); ok {
		return filepath.ToSlash(rel)
	}
	return path
}

// round loads, builds, publishes, and tells browsers and the user.
func (l *loop) round(ctx context.Context, changed []string) {
	r := Round{Changed: changed}
	l.steps(ctx, &r)
	l.started = true
	if ctx.Err() != nil {
		return // whatever failed, it was interrupted
	}
	r.Time = l.opts.Now()
	if r.Err != nil {
		l.hub.fail(l.problem(r))
	} else {
		l.hub.succeed(r.Published.Changed)
	}
	l.report(r)
}

func (l *loop) report(r Round) {
	if l.opts.Report != nil {
		l.opts.Report(r)
	}
}

// steps goes on until one fails.
func (l *loop) steps(ctx context.Context, r *Round) {
	r.Step = StepLoad
	if r.Err = l.load(); r.Err != nil {
		return
	}
	if l.project.Build != nil {
		r.Step = StepBuild
		var out tail
		l.began = l.opts.Now()
		l.ended = l.began.Add(24 * time.Hour) // not yet
		r.Err = l.project.Build(ctx, &out)
		l.ended = l.opts.Now()
		r.Built, r.Output = l.ended.Sub(l.began), out.lines()
		if r.Err != nil {
			return
		}
		if !l.started { // only now it may be known which folder the build writes to
			r.Step = StepLoad
			if r.Err = l.load(); r.Err != nil {
				return
			}
		}
	}
	r.Step = StepPublish
	began := l.opts.Now()
	r.Published, r.Err = l.opts.Publish(ctx)
	r.Publishing = l.opts.Now().Sub(began)
}

// load reads the project anew.
func (l *loop) load() error {
	p, err := l.opts.Load()
	if err != nil {
		return err
	}
	return l.take(p)
}

// problem is what a failed round shows in the page.
func (l *loop) problem(r Round) problem {
	p := problem{Title: "The site could not be published", Text: r.Err.Error()}
	switch r.Step {
	case StepLoad:
		p.Title = "The project could not be read"
	case StepBuild:
		p.Title = "The build failed"
		p.Output = r.Output
	}
	if l.opts.Hint != nil {
		p.Hint = l.opts.Hint(r.Err)
	}
	return p
}
