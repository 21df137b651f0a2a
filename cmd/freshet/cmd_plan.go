package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/ui"
)

type planFlags struct {
	out, html string
	trust     bool
}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what deploy would do, and why, item by item",
		Long: `Compares the site with what is live and shows every upload, header change,
removal and invalidation with its reason and its price. Nothing is written to
the bucket.

With --quiet it prints one line of counts, or nothing where nothing is to do.`,
		Example: "  freshet plan\n  freshet plan --out plan.json && freshet deploy --plan plan.json\n  freshet plan --html report.html",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), f) },
	}
	addTrust(cmd.Flags(), &f.trust)
	cmd.Flags().StringVar(&f.out, "out", "", "store the plan in this `file`, for deploy --plan")
	cmd.Flags().StringVar(&f.html, "html", "", "draw the plan as a page, in this `file`")
	a.addRehash(cmd.Flags())
	return cmd
}

func (a *app) plan(ctx context.Context, f planFlags) (err error) {
	p, err := a.project()
	if err != nil {
		return err
	}
	pub, err := a.scanned(ctx, p, deploy.Options{TrustRecord: f.trust}, access{readOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.close()) }()
	if err := pub.look(ctx); err != nil {
		return err
	}
	if f.out != "" {
		if err := pub.writePlan(f.out); err != nil {
			return err
		}
	}
	if f.html != "" {
		if err := pub.writeReport(f.html); err != nil {
			return err
		}
	}
	view := pub.view(0)
	switch {
	case a.json:
		return a.answer(ui.NewPlanJSON(view))
	case a.quiet:
		return a.planInBrief(pub)
	case pub.plan.Empty():
		a.say("Nothing has changed: %s at %s are live as release %s.", ui.Count(pub.plan.Unchanged, "object"), pub.target.store, pub.plan.Base)
		return nil
	}
	a.style().Plan(view)
	for _, guard := range pub.plan.Guards {
		a.say("\nDeploy refuses this unless it is given --yes: %s.", guard)
	}
	return nil
}

// planInBrief prints the plan as one line; nothing where deploy has nothing to
// do, so that a script can ask for that.
func (a *app) planInBrief(pub *publication) error {
	p := pub.plan
	if p.Empty() {
		return nil
	}
	line := ui.Summary(p) + " · " + ui.Count(p.Paths(), "path") + " to invalidate"
	if len(p.Guards) > 0 {
		line += " · refused without --yes"
	}
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}
