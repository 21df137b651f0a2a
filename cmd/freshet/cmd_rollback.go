package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) rollbackCommand() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "rollback [RELEASE]",
		Short: "Make an earlier release live again, without a build",
		Long: `Restores bytes and headers of an earlier release from what freshet keeps in the
bucket, and invalidates exactly what differs. It needs neither a build nor the
site's folder, and is itself a release: a rollback can be rolled back.

Without RELEASE it is the newest one whose site differs from what is live.
` + "`freshet history`" + ` lists them.` + "\n\n" + exitCodes,
		Example: "  freshet rollback\n  freshet rollback r12",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rollback(cmd.Context(), strings.Join(args, ""), f)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (a *app) rollback(ctx context.Context, name string, f publishFlags) (err error) {
	began := a.now()
	if err := f.check(); err != nil {
		return err
	}
	p, err := a.project()
	if err != nil {
		return err
	}
	pub, err := a.connect(ctx, p, f.options(), f.access())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.target.close()) }()
	return pub.publish(ctx, f, began, pub.restoring(name))
}

// restoring is the job that makes the named release live again.
func (pub *publication) restoring(name string) deploy.Job {
	var kept deploy.Kept
	var restores release.Entry
	return deploy.Job{
		Want: func(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
			var err error
			if restores, err = earlier(state, name); err != nil {
				return site.Manifest{}, nil, err
			}
			m, err := pub.target.record.Manifest(ctx, restores)
			if err != nil {
				return site.Manifest{}, nil, err
			}
			kept, err = deploy.NewKept(ctx, pub.target.record)
			return m.Site, kept, err
		},
		Plan: func(ctx context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			p, err := pub.decide(ctx, live, want, restores.Release, plan.Make)
			if err != nil {
				return p, err
			}
			return p, obtainable(p, kept)
		},
	}
}

// earlier finds the release to go back to; "" is the newest one whose site is
// not what is live.
func earlier(state release.State, name string) (release.Entry, error) {
	if state.Current == nil {
		return release.Entry{}, refused("`freshet deploy` publishes the site", "nothing has been published here by freshet yet")
	}
	if name != "" {
		e, err := state.Find(name)
		if err != nil {
			return e, usage("`freshet history` lists the releases", "%w", err)
		}
		if e.Gone {
			return e, refused("`freshet history` lists those that are; `retain:` in freshet.yaml says how long", "release %s is not kept any more", e.Release)
		}
		return e, nil
	}
	live := plan.Fingerprint(state.Live.Site)
	i := slices.IndexFunc(state.Live.History, func(e release.Entry) bool { return !e.Gone && e.Site != live })
	if i < 0 {
		return release.Entry{}, refused("`freshet history` lists the releases", "no earlier release with another site is kept")
	}
	return state.Live.History[i], nil
}

// obtainable makes sure, before anything is written, that all bytes which p
// writes are kept.
func obtainable(p plan.Plan, kept deploy.Kept) error {
	var gone []string
	for _, s := range p.Steps {
		if (s.Op == plan.OpAdd || s.Op == plan.OpUpdate) && !kept.Has(s.Object.Digest) {
			gone = append(gone, string(s.Object.Key))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	const most = 5
	named := strings.Join(gone[:min(len(gone), most)], ", ")
	if len(gone) > most {
		named += fmt.Sprintf(" and %d more", len(gone)-most)
	}
	return refused("build that version again and type `freshet deploy`", "release %s cannot be restored: the bytes of %s are not kept (%s); nothing was sent",
		p.Restores, ui.Count(len(gone), "object"), named)
}
