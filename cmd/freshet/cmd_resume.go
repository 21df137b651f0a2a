package main

import (
	"context"
	"errors"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// errNothingOpen: there is nothing to resume.
var errNothingOpen = errors.New("no run was interrupted")

// resume finishes the run that was interrupted, and publishes nothing else.
func (a *app) resume(ctx context.Context, p project, f deployFlags, began time.Time) (err error) {
	pub, err := a.connect(ctx, p, f.options(), f.access())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.target.close()) }()
	err = pub.publish(ctx, f.publishFlags, began, pub.resuming())
	if errors.Is(err, errNothingOpen) {
		a.reported = false
		return pub.nothingOpen(ctx, began)
	}
	return err
}

func (pub *publication) nothingOpen(ctx context.Context, began time.Time) error {
	state, err := pub.target.record.Read(ctx)
	if err != nil {
		return err
	}
	pub.app.say("Nothing is to be resumed: no run was interrupted.")
	if !pub.app.json {
		return nil
	}
	return pub.app.answer(deployJSON(pub, deploy.Result{Release: state.LiveID()}, pub.app.now().Sub(began)))
}

// resuming is the job that ends what the open journal began.
func (pub *publication) resuming() deploy.Job {
	var job deploy.Job // of what was begun
	return deploy.Job{
		Resumes: true,
		Want: func(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
			j := state.Journal
			if j == nil {
				return site.Manifest{}, nil, errNothingOpen
			}
			job = pub.begun(*j)
			return job.Want(ctx, state)
		},
		Plan: func(ctx context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			return job.Plan(ctx, live, want)
		},
	}
}

// begun is the job that j is the journal of: where everything is uploaded, its
// manifest tells what the site is; a rollback's bytes are in the bucket; else
// the site's own folder must still hold what was being published.
func (pub *publication) begun(j release.Journal) deploy.Job {
	switch {
	case !j.Manifest.IsZero():
		return deploy.Job{Want: pub.uploaded, Plan: pub.finishing}
	case j.Restores != "":
		return pub.restoring(string(j.Restores))
	}
	return deploy.Job{
		Want: func(ctx context.Context, _ release.State) (site.Manifest, deploy.Source, error) {
			return pub.sameFolder(ctx, j)
		},
		Plan: pub.deciding("", plan.Make),
	}
}

func (pub *publication) uploaded(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
	m, err := pub.target.record.Pending(ctx, state)
	return m.Site, deploy.Nothing{}, err
}

// finishing is a plan that has nothing to upload any more.
func (pub *publication) finishing(ctx context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
	j := live.State.Journal
	p, err := pub.decide(ctx, live, want, j.Restores, plan.Make)
	if err != nil {
		return p, err
	}
	if n, _ := p.Count(plan.OpAdd, plan.OpUpdate); n > 0 {
		return p, refused("type `freshet deploy` where the site's folder is",
			"somebody has changed %d objects since release %s was uploaded; nothing was sent", n, j.Release)
	}
	return p, nil
}

// sameFolder is the site's folder, if it holds what j was publishing.
func (pub *publication) sameFolder(ctx context.Context, j release.Journal) (site.Manifest, deploy.Source, error) {
	files, err := pub.app.scan(ctx, pub.project)
	if err != nil {
		return site.Manifest{}, nil, err
	}
	pub.files = files
	if plan.Fingerprint(files.manifest) != j.Site {
		return site.Manifest{}, nil, refused("type `freshet deploy`: it publishes the site as it is now, and finishes what was begun",
			"the site is not the one that release %s was publishing when it was interrupted; nothing was sent", j.Release)
	}
	return files.manifest, deploy.NewFiles(files.scanned), nil
}
