package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

// publishFlags are the flags of every command that publishes.
type publishFlags struct {
	yes, noWait, noVerify, noLock bool
	wait, lockTimeout, lockLease  time.Duration
}

func (f *publishFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.yes, "yes", false, "carry out what a guard refuses")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for the invalidation: exit 3, and the next run finishes it")
	flags.DurationVar(&f.wait, "wait-timeout", 10*time.Minute, "how long to wait for the invalidation, and how long to try what fails for the moment")
	flags.BoolVar(&f.noVerify, "no-verify", false, "do not ask the edge for the new version")
	flags.DurationVar(&f.lockTimeout, "lock-timeout", time.Minute, "how long to wait for another deploy")
	flags.DurationVar(&f.lockLease, "lock-lease", 30*time.Second, "how long the lock outlives this run if it is killed, for other machines")
	flags.BoolVar(&f.noLock, "no-lock", false, "publish to a store without conditional writes: nothing keeps two deploys apart")
}

// addTrust adds the flag that spares the listing.
func addTrust(flags *pflag.FlagSet, trust *bool) {
	flags.BoolVar(trust, "trust-manifest", false,
		"do not list the bucket, believe the record of the last release: quicker, and what others have changed there goes unnoticed")
}

// addRehash adds the flag of the commands that read the site folder.
func (a *app) addRehash(flags *pflag.FlagSet) {
	flags.BoolVar(&a.rehash, "rehash", false, "read every file again, whatever is remembered of the last run")
}

func (f *publishFlags) check() error {
	const shortest = 100 * time.Millisecond
	switch {
	case f.wait <= 0:
		return usage("give a time, as in `freshet * --wait-timeout 10m`, or --no-wait", "--wait-timeout %s is no time to wait", f.wait)
	case f.lockTimeout < 0:
		return usage("give a time, as in `freshet * --lock-timeout 1m`, or 0s", "--lock-timeout %s is no time to wait", f.lockTimeout)
	case f.lockLease < shortest:
		return usage("give a time, as in `freshet * --lock-lease 30s`", "--lock-lease %s is too short to be renewed in time", f.lockLease)
	}
	return nil
}

func (f *publishFlags) options() deploy.Options {
	return deploy.Options{
		Wait: f.wait, NoWait: f.noWait, NoVerify: f.noVerify,
		Lock: release.LockOptions{Lease: f.lockLease, Timeout: f.lockTimeout},
	}
}

func (f *publishFlags) access() access { return access{noLock: f.noLock} }

// deciding is a job's Plan.
func (pub *publication) deciding(restores release.ID, how func(plan.Input) plan.Plan) func(context.Context, plan.Live, site.Manifest) (plan.Plan, error) {
	return func(ctx context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
		return pub.decide(ctx, live, want, restores, how)
	}
}

// publish carries job out and reports what came of it.
func (pub *publication) publish(ctx context.Context, f publishFlags, began time.Time, job deploy.Job) error {
	a := pub.app
	if f.noLock {
		a.warn("--no-lock: nothing keeps this deploy and another one apart")
	}
	job.Revision = pub.revision
	job.Approve = func(p plan.Plan, again bool) error { return pub.approve(p, f, again) }
	res, err := pub.engine.Publish(ctx, job)
	a.progress.Clear()
	took := a.now().Sub(began)
	if res.Release != "" {
		if failed := a.summarise(pub, res, err, took); failed != nil {
			a.warn(failed.Error())
		}
	}
	return a.report(pub, res, err, took)
}

// approve shows the plan and asks its guards.
func (pub *publication) approve(p plan.Plan, f publishFlags, again bool) error {
	a := pub.app
	if p.Sweeps && len(p.Guards) > 0 {
		return refused("type `freshet deploy` first, which finishes it", "%s; nothing was deleted", p.Guards[0])
	}
	if p.Empty() {
		return nil
	}
	if again {
		a.say("Another run has published meanwhile: release %s is live. This is what is left to do:\n", p.Base)
	}
	a.showPlan(pub)
	if len(p.Guards) > 0 && !f.yes {
		return refused("if this is what you want, type it again with --yes; `freshet plan` lists what would go", "%s; nothing was sent", p.Guards[0])
	}
	return nil
}

// deployRows bounds the lists that deploy prints; plan prints all.
const deployRows = 20

// foldedRows bounds them where CI folds the plan away.
const foldedRows = 500

func (a *app) showPlan(pub *publication) {
	if a.stream != nil {
		a.stream.Plan(ui.NewPlanJSON(pub.view(0)))
	}
	if !a.talks() {
		return
	}
	rows := deployRows
	if a.ci() != "" {
		rows = foldedRows
	}
	end := a.group(a.stdout, "plan", "Plan: "+ui.Summary(pub.plan))
	a.style().Plan(pub.view(a.maxRows(rows)))
	a.say("")
	end()
	for _, w := range pub.plan.Warnings {
		a.annotateWarning(w)
	}
}

// report prints what the run did, failed or not, and passes err on.
func (a *app) report(pub *publication, res deploy.Result, err error, took time.Duration) error {
	if err != nil && res.Release == "" {
		return err // nothing was begun
	}
	if a.json {
		out := deployJSON(pub, res, took)
		if err != nil {
			e := a.explain(err).json()
			out.Error = &e
		}
		a.reported = true
		return errors.Join(err, a.answer(out))
	}
	if err != nil {
		return err
	}
	switch {
	case res.Changed:
		a.say("%s", summary(pub, res, took))
	case res.Noted:
		a.say("Nothing has changed: %s are live as release %s at %s. Noted that it is also what %s looks like.",
			ui.Count(pub.plan.Unchanged, "object"), res.Release, pub.target.store, pub.revision.Name)
	case pub.plan.Sweeps:
		a.say("Nothing is to be deleted: everything is part of a release that is kept.")
	default:
		a.say("Nothing has changed: %s are live as release %s at %s. Nothing was sent.",
			ui.Count(pub.plan.Unchanged, "object"), res.Release, pub.target.store)
	}
	for _, w := range res.Warnings {
		a.warn(w)
	}
	if res.Changed || !pub.plan.Sweeps {
		a.sayWhere(pub.target)
	}
	return nil
}

// summary is what a successful run did, in a few lines.
func summary(pub *publication, res deploy.Result, took time.Duration) string {
	text := fmt.Sprintf("Release %s is live after %s.", res.Release, ui.Duration(took))
	switch {
	case len(pub.target.distributions) == 0:
		text += " Nothing was invalidated: the target has no distribution. A CDN in front of the bucket may keep old answers."
	case res.Verified.Unseen != "" && res.Verified.Checked == 0:
		text += " It could not be verified at the edge: " + res.Verified.Unseen + "."
	case res.Verified.Of == 0:
		text += " It was not verified at the edge."
	case res.Verified.Checked < res.Verified.Of:
		text += fmt.Sprintf(" The edge answers with the new version: %s of %s URLs were asked for%s.",
			ui.Number(res.Verified.Checked), ui.Number(res.Verified.Of), provedAt(res.Verified.Fleet))
	case res.Verified.Of == 1:
		text += " The edge answers with the new version" + provedAt(res.Verified.Fleet) + "."
	default:
		text += fmt.Sprintf(" The edge answers with the new version: all %s URLs were asked for%s.", ui.Number(res.Verified.Of), provedAt(res.Verified.Fleet))
	}
	return text
}

// provedAt is at how many edges of a fleet the new version was proved; "" without a
// fleet, or where nobody knows its edges.
func provedAt(f *deploy.FleetVerification) string {
	switch {
	case f == nil || f.Edges == 0:
		return ""
	case f.Proved < f.Edges:
		return fmt.Sprintf(", proved at %s of %s", ui.Number(f.Proved), ui.Count(f.Edges, "edge"))
	}
	return ", proved at " + ui.Count(f.Edges, "edge")
}

// sayWhere tells what to type to see the site.
func (a *app) sayWhere(t *target) {
	switch {
	case t.started != nil:
		a.say("\nTo browse it, type\n  %s\nand open %s/", a.typed("local"), t.url)
	case t.url != "":
		a.say("\n%s/", t.url)
	}
}
