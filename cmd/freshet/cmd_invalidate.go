package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/nearest"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

const invalidateHelp = `Throws the given paths out of the caches: '/about/', a wildcard '/posts/*', or
everything with --all. Paths are checked against what is live before anything
is sent; - reads them from standard input, one a line.

Quote wildcards, or the shell expands them before freshet sees them.`

// manyObjects is how many objects --all may drop unasked.
const manyObjects = 1000

type invalidateFlags struct {
	all, yes, force, noWait bool
}

func (a *app) invalidateCommand() *cobra.Command {
	var f invalidateFlags
	opts := deploy.Options{}
	cmd := &cobra.Command{
		Use:     "invalidate PATH…",
		Short:   "Throw paths out of the caches",
		Long:    invalidateHelp + "\n\n" + exitCodes,
		Example: "  freshet invalidate /about/\n  freshet invalidate '/posts/*' /feed.xml\n  freshet invalidate --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.NoWait = f.noWait
			return a.invalidate(cmd.Context(), args, f, opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "invalidate everything")
	flags.BoolVar(&f.yes, "yes", false, "carry out what a guard refuses")
	flags.BoolVar(&f.force, "force", false, "send paths that match nothing that is live, and what looks expanded by the shell")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait until it is completed: exit 3")
	flags.DurationVar(&opts.Wait, "wait-timeout", 0, "how long to wait (default 10m)")
	return cmd
}

func (a *app) invalidate(ctx context.Context, args []string, f invalidateFlags, opts deploy.Options) (err error) {
	paths, err := a.paths(args, f)
	if err != nil {
		return err
	}
	p, err := a.project()
	if err != nil {
		return err
	}
	t, err := a.open(ctx, p, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if t.distribution == "" {
		return usage("write its id, or auto, as `distribution:` in freshet.yaml", "the target %s has no distribution", t.name)
	}
	progress := ui.NewProgress(a.stderr, a.getenv, a.now)
	engine := a.engine(t, opts, progress)
	live, err := engine.Look(ctx, site.Manifest{}, nil)
	if err != nil {
		return err
	}
	urls := liveURLs(t, live)
	if err := a.checkPaths(paths, urls, f); err != nil {
		return err
	}
	cover := invalidation.Price(paths, nil, urls)
	if err := a.guardAll(t, cover, f); err != nil {
		return err
	}
	return a.send(ctx, t, engine, progress, cover)
}

// paths reads the command line. Everything that can be said of it without
// looking at the target is said here.
func (a *app) paths(args []string, f invalidateFlags) ([]invalidation.Path, error) {
	if f.all {
		if len(args) > 0 {
			return nil, usage("leave one of them out", "--all and paths were both given")
		}
		return []invalidation.Path{"/*"}, nil
	}
	if len(args) == 1 && args[0] == "-" {
		var err error
		if args, err = lines(a.stdin); err != nil {
			return nil, err
		}
	} else if err := shellTrap(args, f); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, usage("type `freshet invalidate /about/`, or --all for everything", "no path was given")
	}
	var paths []invalidation.Path
	for _, arg := range args {
		path, err := invalidation.Parse(arg)
		var quoted *invalidation.ParseError
		if errors.As(err, &quoted) && strings.Trim(arg, `"'`) != arg {
			return nil, refused(quoted.Hint, "%w", err)
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(paths, path) { // each is billed, even twice the same
			paths = append(paths, path)
		}
	}
	return paths, nil
}

func lines(r io.Reader) ([]string, error) {
	var out []string
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			out = append(out, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read paths from standard input: %w", err)
	}
	return out, nil
}

// shellTrap refuses arguments that a shell has made of a pattern.
func shellTrap(args []string, f invalidateFlags) error {
	if f.force {
		return nil
	}
	pattern, ok := invalidation.ShellPattern(args, func(dir string) ([]string, error) {
		entries, err := os.ReadDir(dir)
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.Name()
		}
		return names, err
	})
	if !ok {
		return nil
	}
	meant := "/" + strings.TrimPrefix(pattern, "/")
	text := fmt.Sprintf("the shell has expanded %s into the names of %s on this machine", pattern, ui.Count(len(args), "file"))
	hint := fmt.Sprintf("quote it, so that the shell leaves it alone: freshet invalidate '%s'", meant)
	if meant == "/*" {
		hint += "   (or: freshet invalidate --all)"
	}
	return refused(hint, "%s; nothing was sent", text)
}

// liveURLs are the viewer URLs of everything in the bucket.
func liveURLs(t *target, live plan.Live) []invalidation.URL {
	var out []invalidation.URL
	for _, o := range live.Objects {
		for _, u := range t.view.URLs(o.Object.Key) {
			out = append(out, invalidation.URL{Path: u.Path, Object: o.Object.Key, Size: o.Object.Size, Why: u.Why})
		}
	}
	return out
}

// checkPaths refuses a path that names nothing that is live.
func (a *app) checkPaths(paths []invalidation.Path, urls []invalidation.URL, f invalidateFlags) error {
	if f.force || f.all {
		return nil
	}
	known := make([]string, len(urls))
	for i, u := range urls {
		known[i] = string(u.Path)
	}
	priced := invalidation.Price(paths, nil, urls)
	for _, it := range priced.Items {
		if it.Drops > 0 {
			continue
		}
		hint := "to send it all the same, add --force"
		if near, ok := nearest.Of(strings.TrimSuffix(string(it.Path), "*"), known); ok {
			hint = "did you mean " + near + "? " + hint
		}
		return refused(hint, "%s matches nothing that is live; nothing was sent", it.Path)
	}
	return nil
}

// guardAll makes sure that somebody who throws a large cache away means it.
func (a *app) guardAll(t *target, c invalidation.Cover, f invalidateFlags) error {
	if !f.all {
		return nil
	}
	what := fmt.Sprintf("%s (%s) will have to be served by the origin again", ui.Count(c.Drops, "object"), ui.Bytes(c.DropsBytes))
	if c.Drops > manyObjects && !f.yes {
		return refused("if this is what you want, type `freshet invalidate --all --yes`", "--all throws the whole cache of %s away: %s; nothing was sent", t.distribution, what)
	}
	a.tell("%s", what)
	return nil
}

// send submits the paths and prints what became of them.
func (a *app) send(ctx context.Context, t *target, engine *deploy.Engine, progress *ui.Progress, c invalidation.Cover) error {
	if !a.json && !a.quiet {
		s := a.style()
		s.Printf("Invalidate %s on %s", ui.Count(len(c.Items), "path"), t.distribution)
		for _, it := range c.Items {
			s.Printf("  %s  drops %s (%s)", it.Path, ui.Count(it.Drops, "object"), ui.Bytes(it.DropsBytes))
		}
	}
	id, err := release.NewID(0, rand.Reader)
	if err != nil {
		return err
	}
	sub, err := engine.Invalidate(ctx, "manual-"+id, c.Paths())
	progress.Clear()
	if a.json {
		out := struct {
			Target       string              `json:"target"`
			Distribution string              `json:"distribution"`
			Invalidation submittedJSON       `json:"invalidation"`
			Items        []invalidation.Item `json:"items"`
			Dropped      int                 `json:"dropped"`
			DroppedBytes int64               `json:"dropped_bytes"`
			Error        *errorJSON          `json:"error,omitempty"`
		}{t.name, t.distribution, submitted(sub), c.Items, c.Drops, c.DropsBytes, nil}
		if err != nil {
			e := classify(err).json()
			out.Error = &e
		}
		a.reported = true
		return errors.Join(err, a.answer(out))
	}
	if err == nil {
		a.say("Completed: the next request for any of these asks the origin.")
	}
	return err
}
