package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/project/revision"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
)

const deployHelp = `Publishes exactly what changed: plan → upload → invalidate → wait → verify.

Assets go up before the pages that name them, removed pages go before the
invalidation, and everything that is invalidated is on the printed plan. What
is live afterwards is proved at the edge, byte for byte; of a fleet, at each one.

A run that was interrupted is finished by the next one, from any machine. Two
runs never publish at once: the second waits for the first, then compares anew.
A build from an older commit never replaces one from a newer commit of the same
branch.`

// deployFlags are the flags of deploy.
type deployFlags struct {
	publishFlags
	build, resume  bool
	trust          bool
	plan, revision string
}

func (a *app) deployCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Publish the site: upload, invalidate, wait, verify",
		Long:  deployHelp + "\n\n" + exitCodes,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.deploy(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.build, "build", false, "run the site's build command first")
	addTrust(flags, &f.trust)
	flags.StringVar(&f.plan, "plan", "", "carry out exactly the plan in this `file`, or refuse")
	flags.BoolVar(&f.resume, "resume", false, "only finish the run that was interrupted, and publish nothing else")
	flags.StringVar(&f.revision, "revision", "", "what the site was built from: a git `commit`, NAME@TIME, or none (default: git's HEAD)")
	a.addRehash(flags)
	f.add(flags)
	return cmd
}

func (a *app) deploy(ctx context.Context, f deployFlags) (err error) {
	began := a.now()
	if err := f.check(); err != nil {
		return err
	}
	if f.resume && (f.build || f.plan != "" || f.revision != "" || f.trust) {
		return usage("leave the other flags out: what was begun is known", "--resume was given with --build, --plan, --revision or --trust-manifest")
	}
	p, err := a.project()
	if err != nil {
		return err
	}
	if f.resume {
		return a.resume(ctx, p, f, began)
	}
	if f.build {
		if err := a.build(ctx, p); err != nil {
			return err
		}
	}
	var stored *planFile
	if f.plan != "" {
		if stored, err = readPlan(f.plan); err != nil {
			return err
		}
	}
	opts := f.options()
	opts.TrustRecord = f.trust
	pub, revision, err := a.scannedWithRevision(ctx, p, opts, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.close()) }()
	pub.stored, pub.revision = stored, revision
	return pub.publish(ctx, f.publishFlags, began, deploy.Job{Want: pub.scannedSite, Plan: pub.deciding("", plan.Make)})
}

// scannedWithRevision is scanned, which git is asked meanwhile. Of two errors that
// about the revision is told, since it is about what was typed.
func (a *app) scannedWithRevision(ctx context.Context, p project, opts deploy.Options, f deployFlags) (*publication, *release.Revision, error) {
	var built *release.Revision
	var bad error
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		built, bad = a.revision(ctx, p, f.revision)
	}()
	pub, err := a.scanned(ctx, p, opts, f.access())
	<-asked
	if bad != nil && pub != nil {
		bad = errors.Join(bad, pub.close())
	}
	return pub, built, cmp.Or(bad, err)
}

// revision is what the site was built from: what the user says, or git's HEAD;
// nil where nobody knows.
func (a *app) revision(ctx context.Context, p project, text string) (*release.Revision, error) {
	var found revision.Revision
	var known bool
	var err error
	if text == "" {
		found, known, err = revision.Of(ctx, p.root, a.getenv)
	} else {
		found, known, err = revision.Parse(text, func(name string) (revision.Revision, bool, error) {
			return revision.At(ctx, p.root, name, a.getenv)
		})
		if err != nil {
			return nil, usage("give a commit, NAME@TIME, or none", "--revision: %w", err)
		}
	}
	if err != nil && a.verbose {
		a.tell("not compared with the revision that is live: %v", err)
	}
	if !known {
		return nil, ctx.Err()
	}
	return &release.Revision{Name: found.Name, Branch: found.Branch, Time: found.Time.UTC()}, nil
}
