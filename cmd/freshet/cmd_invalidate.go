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

const invalidateHelp = `Throws the given paths out of the caches: '/about/', a wildcard '/posts/*', a
cache tag '#fr.page', or everything with --all. Paths are checked against what is live before anything
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
	t, err := a.open(ctx, p, access{readOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if len(t.distributions) == 0 {
		return usage("write its id, or auto, as `distribution:` in freshet.yaml", "the target %s has no distribution", t.name)
	}
	engine := a.engine(t, opts)
	live, err := engine.Look(ctx, deploy.Given(site.Manifest{}, deploy.Nothing{}))
	if err != nil {
		return err
	}
	var sends []purge
	for _, d := range t.distributions {
		urls := liveURLs(d, live)
		sends = append(sends, purge{d, invalidation.Price(paths, nil, urls), urls})
	}
	if err := checkPaths(paths, sends, f); err != nil {
		return err
	}
	money, err := a.afford(ctx, p, t, sends, f)
	if err != nil {
		return err
	}
	return a.send(ctx, t, engine, sends, money)
}

// purge is what goes to one distribution.
type purge struct {
	distribution
	cover invalidation.Cover
	urls  []invalidation.URL // everything that is live there
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

// liveURLs are the viewer URLs of everything in the bucket that d shows.
func liveURLs(d distribution, live plan.Live) []invalidation.URL {
	var out []invalidation.URL
	for _, o := range live.Objects {
		kind := o.Object.Kind
		if d.TagHeader == "" || o.Object.Headers.Get().TagHeader != d.TagHeader {
			kind = ""
		}
		for _, u := range d.view.URLs(o.Object.Key) {
			out = append(out, invalidation.URL{Path: u.Path, Object: o.Object.Key, Size: o.Object.Size, Why: u.Why, Kind: kind})
		}
	}
	return out
}

// checkPaths refuses a path that names nothing that is live anywhere, and a tag
// where no distribution knows tags.
func checkPaths(paths []invalidation.Path, sends []purge, f invalidateFlags) error {
	if f.force || f.all {
		return nil
	}
	for i, path := range paths {
		if slices.ContainsFunc(sends, func(s purge) bool { return s.cover.Items[i].Drops > 0 }) {
			continue
		}
		if path.IsTag() {
			return refused("tags work where the distribution has a CacheTagConfig and objects carry them; to send it all the same, add --force",
				"%s is a tag that nothing live carries; nothing was sent", path)
		}
		var known []string
		for _, s := range sends {
			for _, u := range s.urls {
				known = append(known, string(u.Path))
			}
		}
		hint := "to send it all the same, add --force"
		if near, ok := nearest.Of(strings.TrimSuffix(string(path), "*"), known); ok {
			hint = "did you mean " + near + "? " + hint
		}
		return refused(hint, "%s matches nothing that is live; nothing was sent", path)
	}
	return nil
}

// afford asks the ledger and makes sure that somebody who throws a large cache
// away, or spends more than the budget, means it.
func (a *app) afford(ctx context.Context, p project, t *target, sends []purge, f invalidateFlags) (plan.Money, error) {
	spend := spending(p, t)
	if !spend.Free {
		usage, err := a.usage(ctx, t)
		if err != nil {
			return plan.Money{}, err
		}
		spend.Used = usage.Used
	}
	paths, drops, bytes := 0, 0, int64(0)
	for _, s := range sends {
		paths, drops, bytes = paths+len(s.cover.Items), drops+s.cover.Drops, bytes+s.cover.DropsBytes
	}
	money := plan.Cost(spend, paths)
	if f.all {
		what := fmt.Sprintf("%s (%s) will have to be served by the origin again", ui.Count(drops, "object"), ui.Bytes(bytes))
		if drops > manyObjects && !f.yes {
			return money, refused("if this is what you want, type `freshet invalidate --all --yes`",
				"--all throws the whole cache of %s away: %s; nothing was sent", t.names(), what)
		}
		a.tell("%s", what)
	}
	if spend.Refuse && money.Over() && !f.yes {
		return money, refused("add --yes to spend it all the same", "this takes %s, and %s of this month's %s are used; nothing was sent",
			ui.Count(paths, "path"), ui.Number(money.Used), ui.Number(money.Budget))
	}
	return money, nil
}

// send submits the paths and prints what became of them.
func (a *app) send(ctx context.Context, t *target, engine *deploy.Engine, sends []purge, money plan.Money) error {
	if !a.json && !a.quiet {
		s := a.style()
		s.Printf("Invalidate %s on %s, %s", ui.Count(money.Paths, "path"), t.names(), ui.Money(money))
		for _, one := range sends {
			for _, it := range one.cover.Items {
				s.Printf("  %s  drops %s (%s)", it.Path, ui.Count(it.Drops, "object"), ui.Bytes(it.DropsBytes))
			}
		}
	}
	id, err := release.NewID(0, rand.Reader)
	if err != nil {
		return err
	}
	var subs []submittedJSON
	for _, one := range sends {
		sub, failed := engine.Invalidate(ctx, "manual-"+id, one.ID, one.cover.Paths())
		subs = append(subs, submitted(sub))
		if err = failed; err != nil {
			break
		}
	}
	a.progress.Clear()
	if a.json {
		return a.reportSent(t, sends, subs, money, err)
	}
	if err == nil {
		a.say("Completed: the next request for any of these asks the origin.")
	}
	return err
}

// invalidateAnswer is the JSON answer of invalidate; docs/json.md describes it.
type invalidateAnswer struct {
	Target        string              `json:"target"`
	Invalidation  submittedJSON       `json:"invalidation"`
	Invalidations []submittedJSON     `json:"invalidations"`
	Items         []invalidation.Item `json:"items"` // of the first distribution, with what each drops
	Dropped       int                 `json:"dropped"`
	DroppedBytes  int64               `json:"dropped_bytes"`
	Money         plan.Money          `json:"money"`
	Error         *errorJSON          `json:"error,omitempty"`
}

func (a *app) reportSent(t *target, sends []purge, subs []submittedJSON, money plan.Money, err error) error {
	out := invalidateAnswer{
		Target: t.name, Invalidation: together(subs), Invalidations: append([]submittedJSON{}, subs...),
		Items: ui.Items(sends[0].cover.Items), Money: money,
	}
	for _, s := range sends {
		out.Dropped += s.cover.Drops
		out.DroppedBytes += s.cover.DropsBytes
	}
	if err != nil {
		e := classify(err).json()
		out.Error = &e
	}
	a.reported = true
	return errors.Join(err, a.answer(out))
}
