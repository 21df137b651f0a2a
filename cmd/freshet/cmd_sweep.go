package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) sweepCommand() *cobra.Command {
	var f publishFlags
	var dry bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Delete what no kept release needs any more",
		Long: `Deletes the assets that no release of the last days names (` + "`retain:`" + ` in
freshet.yaml, 30 days by default), then invalidates their URLs, and forgets the
releases that are older. ` + "`freshet deploy`" + ` does the same at its end.

Only what freshet published itself is deleted, and only if it is still what
freshet published.` + "\n\n" + exitCodes,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sweep(cmd.Context(), f, dry) },
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show it")
	f.add(cmd.Flags())
	return cmd
}

func (a *app) sweep(ctx context.Context, f publishFlags, dry bool) (err error) {
	began := a.now()
	if err := f.check(); err != nil {
		return err
	}
	p, err := a.project()
	if err != nil {
		return err
	}
	access := f.access()
	access.readOnly = dry
	pub, err := a.connect(ctx, p, f.options(), access)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.target.close()) }()
	job := deploy.Job{Want: liveSite, Plan: pub.deciding("", plan.Sweep)}
	if dry {
		return pub.showSweep(ctx, job)
	}
	return pub.publish(ctx, f, began, job)
}

// liveSite is what a sweep publishes: what is live already.
func liveSite(_ context.Context, state release.State) (site.Manifest, deploy.Source, error) {
	return state.Live.Site, deploy.Nothing{}, nil
}

// showSweep prints what a sweep would do.
func (pub *publication) showSweep(ctx context.Context, job deploy.Job) error {
	a := pub.app
	live, err := pub.engine.Look(ctx, deploy.Given(site.Manifest{}, deploy.Nothing{}))
	if err != nil {
		return err
	}
	p, err := job.Plan(ctx, live, live.State.Live.Site)
	switch {
	case err != nil:
		return err
	case len(p.Guards) > 0:
		return pub.approve(p, publishFlags{}, false)
	case a.json:
		return a.answer(ui.NewPlanJSON(pub.view(0)))
	case a.quiet:
		return a.planInBrief(pub)
	case p.Empty():
		a.say("Nothing is to be deleted: everything is part of a release that is kept.")
		return nil
	}
	a.style().Plan(pub.view(0))
	return nil
}
