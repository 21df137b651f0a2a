package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/user"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

// publication is a site held against a target: what plan shows and deploy
// carries out.
type publication struct {
	files    files
	target   *target
	engine   *deploy.Engine
	live     plan.Live
	plan     plan.Plan
	progress *ui.Progress
	ledger   string // why the month's count is not whole, "" where it is
	made     time.Time
	stored   *planFile // the plan to carry out, nil to make one
}

// prepare scans the site, opens the target and makes the plan. The caller
// closes the target. With readOnly nothing can be written. A stored plan is
// made again and must come out the same.
func (a *app) prepare(ctx context.Context, p project, opts deploy.Options, stored *planFile, readOnly bool) (pub *publication, err error) {
	pub = &publication{stored: stored}
	if pub.files, err = a.scan(ctx, p); err != nil {
		return nil, err
	}
	if pub.files.why != "" {
		a.tell("publishing %s: %s", pub.files.why, pub.files.dir)
	}
	if pub.target, err = a.open(ctx, p, readOnly); err != nil {
		return nil, err
	}
	if err := checkKeys(pub.files.manifest, pub.target.prefix); err != nil {
		return nil, errors.Join(err, pub.target.close())
	}
	pub.progress = ui.NewProgress(a.stderr, a.getenv, a.now)
	pub.engine = a.engine(pub.target, opts, pub.progress)
	if err := pub.look(ctx, a, p); err != nil {
		return nil, errors.Join(err, pub.target.close())
	}
	return pub, nil
}

// checkKeys makes sure, before anything is sent, that every key still fits
// with the target's prefix in front.
func checkKeys(m site.Manifest, prefix string) error {
	for _, o := range m.Objects() {
		if n := len(prefix) + len(o.Key); n > site.MaxKeyBytes {
			return refused("shorten the name or the prefix; nothing was sent",
				"%s: the key has %d bytes with the prefix %s, S3 takes %d", o.Key, n, prefix, site.MaxKeyBytes)
		}
	}
	return nil
}

// look reads what is live and plans against it.
func (pub *publication) look(ctx context.Context, a *app, p project) (err error) {
	if pub.live, err = pub.engine.Look(ctx, pub.files.manifest, deploy.NewSource(pub.files.scanned)); err != nil {
		return err
	}
	pub.progress.Clear()
	id, err := release.NewID(pub.live.State.NextNumber(), rand.Reader)
	if err != nil {
		return err
	}
	pub.made = a.now().UTC()
	if pub.stored != nil {
		return pub.again(p)
	}
	input := plan.Input{
		Release: id, Site: pub.files.manifest, Live: pub.live, Now: pub.made,
		Distributions: pub.target.forPlan(pub.files.manifest.Objects()), Spending: spending(p, pub.target),
	}
	pub.plan = plan.Make(input)
	if pub.plan.Paths() > 0 && !input.Spending.Free {
		if err := pub.count(ctx, a, &input.Spending); err != nil {
			return err
		}
		pub.plan = plan.Make(input)
	}
	return nil
}

// again makes the stored plan anew from what it was made from, and refuses if
// it comes out differently.
func (pub *publication) again(p project) error {
	spend := spending(p, pub.target)
	var id release.ID
	id, pub.made, spend.Used = pub.stored.inputs()
	pub.plan = plan.Make(plan.Input{
		Release: id, Site: pub.files.manifest, Live: pub.live, Now: pub.made,
		Distributions: pub.target.forPlan(pub.files.manifest.Objects()), Spending: spend,
	})
	return pub.stored.unchanged(pub)
}

// engine wires the engine to an open target.
func (a *app) engine(t *target, opts deploy.Options, progress *ui.Progress) *deploy.Engine {
	opts.Distributions, opts.Limits = t.forEngine(), t.limits
	opts.Jobs, opts.Now, opts.Writer = jobs, a.now, writer()
	if !a.json && !a.quiet {
		opts.Events = progress.Event
	}
	return deploy.New(t.store, t.cdn, t.record, opts)
}

// writer names this user and machine for the journal.
func writer() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return name + "@" + host
}

// view is the plan with what people need around it.
func (pub *publication) view(maxRows int) ui.PlanView {
	return ui.PlanView{
		Target: pub.target.name, From: pub.target.store.String(), To: pub.target.names(), Plan: pub.plan, MaxRows: maxRows,
		Ledger: pub.ledger,
	}
}
