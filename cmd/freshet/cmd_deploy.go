package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/ui"
)

const deployHelp = `Publishes exactly what changed: plan → upload → invalidate → wait → verify.

Assets go up before the pages that name them, removed pages go before the
invalidation, and everything that is invalidated is on the printed plan. What
is live afterwards is proved at the edge, byte for byte.

A run that was interrupted is finished by the next one, from any machine.`

// deployFlags are the flags of deploy alone.
type deployFlags struct {
	build, yes, noWait, noVerify bool
	wait                         time.Duration
	plan                         string
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
	flags.BoolVar(&f.yes, "yes", false, "carry out what a guard refuses")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait for the invalidation: exit 3, and the next run finishes it")
	flags.DurationVar(&f.wait, "wait-timeout", 10*time.Minute, "how long to wait for the invalidation")
	flags.StringVar(&f.plan, "plan", "", "carry out exactly the plan in this `file`, or refuse")
	flags.BoolVar(&f.noVerify, "no-verify", false, "do not ask the edge for the new version")
	return cmd
}

func (a *app) deploy(ctx context.Context, f deployFlags) (err error) {
	began := a.now()
	if f.wait <= 0 {
		return usage("give a time such as 10m, or --no-wait", "--wait-timeout %s is no time to wait", f.wait)
	}
	p, err := a.project()
	if err != nil {
		return err
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
	pub, err := a.prepare(ctx, p, deploy.Options{Wait: f.wait, NoWait: f.noWait, NoVerify: f.noVerify}, stored, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.target.close()) }()
	if !pub.plan.Empty() {
		a.showPlan(pub)
	}
	if len(pub.plan.Guards) > 0 && !f.yes {
		return refused("if this is what you want, type `freshet deploy --yes`; `freshet plan` lists what would go", "%s; nothing was sent", pub.plan.Guards[0])
	}
	res, err := pub.engine.Run(ctx, pub.plan, pub.live, deploy.NewSource(pub.files.scanned))
	pub.progress.Clear()
	return a.report(pub, res, err, a.now().Sub(began))
}

// deployRows bounds the lists that deploy prints; plan prints all.
const deployRows = 20

func (a *app) showPlan(pub *publication) {
	if !a.json && !a.quiet {
		a.style().Plan(pub.view(a.maxRows(deployRows)))
		a.say("")
	}
}

// report prints what the run did, failed or not, and passes err on.
func (a *app) report(pub *publication, res deploy.Result, err error, took time.Duration) error {
	if a.json {
		out := deployJSON(pub, res, took)
		if err != nil {
			e := classify(err).json()
			out.Error = &e
		}
		a.reported = true
		return errors.Join(err, a.answer(out))
	}
	if err != nil {
		return err
	}
	if !res.Changed {
		a.say("Nothing has changed: %s are live as release %s at %s. Nothing was sent.",
			ui.Count(pub.plan.Unchanged, "object"), res.Release, pub.target.store)
	} else {
		a.say("%s", summary(pub, res, took))
	}
	a.sayWhere(pub.target)
	return nil
}

// summary is what a successful run did, in a few lines.
func summary(pub *publication, res deploy.Result, took time.Duration) string {
	text := fmt.Sprintf("Release %s is live after %s.", res.Release, ui.Duration(took))
	switch {
	case len(pub.target.distributions) == 0:
		text += " Nothing was invalidated: the target has no distribution. A CDN in front of the bucket may keep old answers."
	case res.Verified.Unseen != "":
		text += " It could not be verified at the edge: " + res.Verified.Unseen + "."
	case res.Verified.Of == 0:
		text += " It was not verified at the edge."
	case res.Verified.Checked < res.Verified.Of:
		text += fmt.Sprintf(" The edge answers with the new version: %s of %s URLs were asked for.",
			ui.Number(res.Verified.Checked), ui.Number(res.Verified.Of))
	case res.Verified.Of == 1:
		text += " The edge answers with the new version."
	default:
		text += fmt.Sprintf(" The edge answers with the new version: all %s URLs were asked for.", ui.Number(res.Verified.Of))
	}
	return text
}

// sayWhere tells what to type to see the site.
func (a *app) sayWhere(t *target) {
	switch {
	case t.started != nil:
		a.say("\nTo browse it, type\n  %s\nand open %s/", a.command("local"), t.url)
	case t.url != "":
		a.say("\n%s/", t.url)
	}
}

// deployAnswer is the JSON answer of deploy; docs/json.md describes it.
type deployAnswer struct {
	Release          string          `json:"release"`
	Target           string          `json:"target"`
	Changed          bool            `json:"changed"`
	Uploaded         countJSON       `json:"uploaded"`
	UpdatedHeaders   int             `json:"updated_headers"`
	Removed          int             `json:"removed"`
	Retired          int             `json:"retired"`
	Unchanged        int             `json:"unchanged"`
	Foreign          int             `json:"foreign"`
	Invalidation     submittedJSON   `json:"invalidation"`
	Invalidations    []submittedJSON `json:"invalidations"`
	DroppedUntouched int             `json:"dropped_untouched"`
	Verified         verifiedJSON    `json:"verified"`
	URL              string          `json:"url"`
	DurationMS       int64           `json:"duration_ms"`
	Warnings         []string        `json:"warnings"`
	Error            *errorJSON      `json:"error,omitempty"`
}

type countJSON struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

type submittedJSON struct {
	Distribution string   `json:"distribution"`
	ID           string   `json:"id"`  // of the first request
	IDs          []string `json:"ids"` // of all
	Status       string   `json:"status"`
	Items        []string `json:"items"`
}

// together is the sum of all distributions' invalidations: completed when all
// are. With one distribution, the usual case, it is that one's.
func together(all []submittedJSON) submittedJSON {
	out := submittedJSON{IDs: []string{}, Items: []string{}}
	for i, s := range all {
		if i == 0 {
			out.Distribution, out.ID, out.Status = s.Distribution, s.ID, s.Status
		} else if s.Status != remote.Completed {
			out.Status = s.Status
		}
		out.IDs, out.Items = append(out.IDs, s.IDs...), append(out.Items, s.Items...)
	}
	return out
}

type verifiedJSON struct {
	Checked int         `json:"checked"`
	Of      int         `json:"of"`
	Stale   []staleJSON `json:"stale"`
}

type staleJSON struct {
	URL string `json:"url"`
	Why string `json:"why"`
}

func deployJSON(pub *publication, res deploy.Result, took time.Duration) deployAnswer {
	p := pub.plan
	out := deployAnswer{
		Release: string(res.Release), Target: pub.target.name, Changed: res.Changed, Unchanged: p.Unchanged, Foreign: p.Foreign,
		Invalidations: []submittedJSON{},
		Verified:      verifiedJSON{Checked: res.Verified.Checked, Of: res.Verified.Of, Stale: []staleJSON{}},
		URL:           pub.target.url, DurationMS: took.Milliseconds(), Warnings: append([]string{}, p.Warnings...),
	}
	if res.Verified.Unseen != "" {
		out.Warnings = append(out.Warnings, "not verified: "+res.Verified.Unseen)
	}
	for _, sub := range res.Invalidations {
		out.Invalidations = append(out.Invalidations, submitted(sub))
	}
	out.Invalidation = together(out.Invalidations)
	out.DroppedUntouched, _ = p.Drops()
	out.Uploaded.Count, out.Uploaded.Bytes = p.Count(plan.OpAdd, plan.OpUpdate)
	out.UpdatedHeaders, _ = p.Count(plan.OpHeaders)
	out.Removed, _ = p.Count(plan.OpRemove)
	out.Retired, _ = p.Count(plan.OpRetire)
	for _, s := range res.Verified.Stale {
		out.Verified.Stale = append(out.Verified.Stale, staleJSON{s.Base + string(s.Path), s.Why})
	}
	return out
}

func submitted(s deploy.Submitted) submittedJSON {
	out := submittedJSON{Distribution: s.Distribution, IDs: append([]string{}, s.IDs...), Status: s.Status, Items: append([]string{}, s.Items...)}
	if len(s.IDs) > 0 {
		out.ID = s.IDs[0]
	}
	return out
}
