package dev

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
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
	began, ended time.Time       // of the last build
	told         map[string]bool // which paths have been reported as the build's own
	own          map[string]int  // in how many builds, one after another, a path changed and nothing else did
}

// A file that changed during strikes builds, one after another, and nothing else
// at any other time, is the build's own. From the second on, a build that only
// such files ask for begins after a pause, in which somebody who saves again and
// again would show. Nothing is lost until then: each of these builds sees all
// that was saved before.
const (
	strikes = 4
	pauses  = 20 // a pause is that many times Options.Quiet
)

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
		found, err := l.wait(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if len(found.own) > 0 {
			l.report(Round{Time: l.opts.Now(), Own: found.own})
		}
		if len(found.paths) > 0 {
			l.round(ctx, found.paths)
		}
	}
}

// found is what changed.
type found struct {
	paths    []string // that make a round necessary
	own      []string // that are left out from now on
	doubtful bool     // the paths may be the build's own work
}

// wait waits for changes.
func (l *loop) wait(ctx context.Context) (found, error) {
	changes, err := l.watcher.next(ctx, l.opts.Quiet)
	f := l.sift(changes)
	if err != nil || !f.doubtful {
		return f, err
	}
	pause, stop := context.WithTimeout(ctx, pauses*l.opts.Quiet)
	defer stop()
	if changes, err = l.watcher.next(pause, l.opts.Quiet); err == nil {
		more := l.sift(changes)
		f.paths = slices.Compact(slices.Sorted(slices.Values(append(f.paths, more.paths...))))
	}
	return f, ctx.Err()
}

// take makes a project the one that is watched and built.
func (l *loop) take(p Project) error {
	if err := l.watcher.set(scope{p.Watch, p.Ignore}); err != nil {
		return err
	}
	l.project = p
	return nil
}

// sift leaves out what changes with every build.
func (l *loop) sift(changes []change) (f found) {
	elsewhere := false // something has changed that no build can have
	for _, c := range changes {
		if during := !c.at.Before(l.began) && !c.at.After(l.ended); !during {
			elsewhere = true
			delete(l.own, c.path)
		} else if l.own[c.path] < strikes {
			l.own[c.path]++
			f.doubtful = f.doubtful || l.own[c.path] > 1
		}
		switch {
		case l.own[c.path] < strikes:
			f.paths = append(f.paths, l.name(c.path))
		case !l.told[c.path]:
			l.told[c.path] = true
			f.own = append(f.own, l.name(c.path))
		}
	}
	if elsewhere {
		f.doubtful = false
		maps.DeleteFunc(l.own, func(_ string, n int) bool { return n < strikes })
	}
	return f
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
		r.Err = l.project.Build(ctx, &out)
		r.Built, r.Output = l.opts.Now().Sub(l.began), out.lines()
		l.watcher.catchUp(ctx)
		l.ended = l.opts.Now()
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
