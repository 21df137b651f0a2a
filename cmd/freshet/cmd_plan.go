package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "Show what deploy would do, and why, item by item",
		Long: `Compares the site with what is live and shows every upload, header change,
removal and invalidation with its reason. Nothing is written.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, err := a.project()
			if err != nil {
				return err
			}
			pub, err := a.prepare(cmd.Context(), p, deploy.Options{}, true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, pub.target.close()) }()
			view := pub.view(0)
			switch {
			case a.json:
				return a.answer(ui.NewPlanJSON(view))
			case pub.plan.Empty():
				a.say("Nothing has changed: %s at %s are live as release %s.",
					ui.Count(pub.plan.Unchanged, "object"), pub.target.store, pub.plan.Base)
				return nil
			}
			a.style().Plan(view)
			for _, guard := range pub.plan.Guards {
				a.say("\nDeploy refuses this unless it is given --yes: %s.", guard)
			}
			return nil
		},
	}
}
