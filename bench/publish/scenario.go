package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/freshet/freshet/bench/publish/blog"
)

// The scenarios, in the order in which a round goes through them. Each but the first is a rebuild: all files have new times.
const (
	first   = "first"   // into an empty bucket
	nothing = "nothing" // the same bytes
	post    = "post"    // one more post, and all that names it
	removal = "removal" // 5 % of the posts and images are gone
)

var scenarioNames = []string{first, nothing, post, removal}

// titles are the scenarios' names for readers.
var titles = map[string]string{first: "First upload", nothing: "Nothing changed", post: "One new post", removal: "5 % removed"}

const removedPercent = 5

// run measures everything that the options ask for, and reports.
func (b *bench) run(ctx context.Context) error {
	for _, n := range b.opts.files {
		for _, latency := range b.opts.latencies {
			if err := b.rounds(ctx, n, latency); err != nil {
				return fmt.Errorf("measure %d files at %s: %w", n, latency, err)
			}
		}
	}
	if b.opts.scale > 0 {
		if err := b.curve(ctx); err != nil {
			return err
		}
	}
	return b.report(os.Stdout)
}

// rounds lets the tools take their turns with one site, as often as asked for.
func (b *bench) rounds(ctx context.Context, n int, latency time.Duration) error {
	tools := slices.Clone(b.tools)
	for round := range b.opts.rounds {
		took, err := b.round(ctx, n, latency, round, tools)
		if err != nil {
			return err
		}
		tools = slices.DeleteFunc(tools, func(t tool) bool {
			if took[t.name] > b.opts.slow && round+1 < b.opts.rounds {
				fmt.Printf("%s took %s in one round: it gets no other (-slow)\n", t.name, took[t.name].Round(time.Second))
				return true
			}
			return false
		})
	}
	return nil
}

// round goes once through the scenarios, each with all tools in turn; who begins changes from round to round.
func (b *bench) round(ctx context.Context, n int, latency time.Duration, round int, tools []tool) (took map[string]time.Duration, err error) {
	site := filepath.Join(b.dir, "site")
	defer func() { err = joinRemove(err, site) }()
	var stages []*stage
	defer func() {
		for _, s := range stages {
			s.close()
		}
	}()
	for _, t := range tools {
		s, err := b.stage(ctx, t, site)
		if err != nil {
			return nil, fmt.Errorf("set the stage for %s: %w", t.name, err)
		}
		stages = append(stages, s)
	}
	took = map[string]time.Duration{}
	for _, scenario := range scenarioNames {
		if scenario != first && !slices.Contains(b.opts.scenarios, scenario) {
			continue
		}
		now, err := b.change(ctx, site, scenario, n)
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", scenario, err)
		}
		for i := range stages {
			r, err := b.turn(ctx, stages[(i+round)%len(stages)], latency, now)
			if err != nil {
				return nil, err
			}
			r.Site, r.Scenario, r.Round = n, scenario, round+1
			took[r.Tool] += time.Duration(r.Wall * float64(time.Second))
			if err := b.keep(r); err != nil {
				return nil, err
			}
		}
	}
	return took, nil
}

// change brings the site's folder to what the scenario publishes.
func (b *bench) change(ctx context.Context, dir, scenario string, n int) (*tree, error) {
	var err error
	var gone []string
	changed := 0
	switch scenario {
	case first:
		changed, err = blog.New(b.opts.seed, n).Write(ctx, dir)
	case post:
		changed, err = blog.WithPost(b.opts.seed, n).Write(ctx, dir)
	case removal:
		gone = blog.New(b.opts.seed, n).Some(removedPercent)
		changed = len(gone)
		for _, key := range gone {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(key))); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if err := b.settle(ctx, dir); err != nil {
		return nil, err
	}
	t, err := readTree(ctx, dir)
	if err != nil {
		return nil, err
	}
	t.changed, t.gone = changed, gone
	return t, nil
}

// settle gives all files new times, later than the last upload and earlier than the next: S3 knows whole seconds only, and a
// deploy in the second of its build would look older than the build to tools that compare times.
func (b *bench) settle(ctx context.Context, dir string) error {
	if err := wait(ctx, b.opts.settle); err != nil {
		return err
	}
	if err := blog.Touch(dir, time.Now()); err != nil {
		return err
	}
	return wait(ctx, b.opts.settle)
}

func wait(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}

// joinRemove removes a folder whatever happened; the first error counts.
func joinRemove(err error, dir string) error {
	if removed := os.RemoveAll(dir); err == nil {
		return removed
	}
	return err
}
