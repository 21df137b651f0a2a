package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/doctor"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/ui"
)

// doctorFlags are the flags of doctor.
type doctorFlags struct{ fix, yes bool }

func (a *app) doctorCommand() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check target and site: what is wrong, why it matters, what to type",
		Long: `Checks the credentials, the bucket and what anybody sees of it, freshet's record,
the distributions with their origins, caching, compression and error pages, what
last month's invalidations cost, and the site's own links, assets and names. It
exits 1 if something keeps freshet from publishing, or viewers from the site.

With --fix it shows what it can mend on the distributions by itself, and does so
after a yes: a missing default root object, compression that is off, errors that
are kept too long, and the page for what is missing.`,
		Example: "  freshet doctor --target production\n  freshet doctor --target production --fix",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), flags) },
	}
	cmd.Flags().BoolVar(&flags.fix, "fix", false, "show what can be mended on the distributions, and mend it after a yes")
	cmd.Flags().BoolVar(&flags.yes, "yes", false, "with --fix: mend it without asking")
	return cmd
}

func (a *app) doctor(ctx context.Context, flags doctorFlags) (err error) {
	if flags.yes && !flags.fix {
		return usage("add --fix", "--yes is for --fix alone")
	}
	p, err := a.project()
	if err != nil {
		return err
	}
	findings, t, err := a.examine(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if !a.json {
		a.showFindings(t, findings)
	}
	mended, err := a.mend(ctx, t, findings, flags)
	if err == nil && done(mended) {
		findings, err = a.again(ctx, p, t, mended)
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.answer(doctorJSON(t, findings, mended))
	}
	if doctor.Worst(findings) == doctor.Problem {
		a.reported = true
		return errors.Join(err, errors.New("the target has a problem"))
	}
	return err
}

// examine opens the target as far as it opens, and makes all checks.
func (a *app) examine(ctx context.Context, p project) ([]doctor.Finding, *target, error) {
	t, err := a.open(ctx, p, access{examine: true})
	if err != nil {
		return nil, nil, err
	}
	findings, err := a.check(ctx, p, t)
	if err != nil {
		return nil, nil, errors.Join(err, t.close())
	}
	return findings, t, nil
}

func (a *app) check(ctx context.Context, p project, t *target) ([]doctor.Finding, error) {
	examined, err := a.examined(ctx, p, t)
	if err != nil {
		return nil, err
	}
	findings := doctor.Examine(ctx, examined)
	a.progress.Clear()
	for i := range findings {
		if f := &findings[i]; f.Err != nil && f.Next == "" {
			f.Next = classify(f.Err).hint
		}
		findings[i].Next = a.named(findings[i].Next)
	}
	return findings, ctx.Err()
}

// named adds the target to a command of freshet's own, where it had to be named
// here too.
func (a *app) named(next string) string {
	if a.targetName == "" {
		return next
	}
	for _, command := range []string{"freshet doctor", "freshet deploy", "freshet history"} {
		next = strings.ReplaceAll(next, command, command+" --target "+a.targetName)
	}
	return next
}

// again checks what has been mended.
func (a *app) again(ctx context.Context, p project, t *target, mended []mendedJSON) ([]doctor.Finding, error) {
	for i, d := range t.distributions {
		now, err := t.cdn.Distribution(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		t.distributions[i].Distribution, t.distributions[i].view.RootObject = now, now.DefaultRootObject
	}
	findings, err := a.check(ctx, p, t)
	if err == nil && a.talks() {
		a.say("")
		a.say("Checked again: %s.", outcome(findings))
		for _, m := range mended {
			if m.Done && !t.embedded {
				a.say("Edges follow within minutes: aws cloudfront wait distribution-deployed --id %s", m.Distribution)
			}
		}
	}
	return findings, err
}

func (a *app) showFindings(t *target, findings []doctor.Finding) {
	if a.quiet && doctor.Worst(findings) == doctor.Good {
		return
	}
	style := a.style()
	style.Printf("%s  %s", t.name, t.store)
	last := ""
	for _, f := range findings {
		if a.quiet && (f.Level == doctor.Good || f.Level == doctor.Unknown) {
			continue
		}
		if f.About != last {
			style.Printf("")
			style.Heading(f.About)
			last = f.About
		}
		style.Finding(ui.Finding{Level: string(f.Level), Check: f.Check, What: f.What, Why: f.Why, Next: f.Next, Details: f.Details, MaxDetails: a.maxRows(8)})
	}
	style.Printf("")
	style.Printf("%s.", outcome(findings))
}

// outcome is how the checks came out, for people.
func outcome(findings []doctor.Finding) string {
	count := map[doctor.Level]int{}
	for _, f := range findings {
		count[f.Level]++
	}
	var parts []string
	for _, p := range []struct {
		level doctor.Level
		noun  string
	}{{doctor.Problem, "problem"}, {doctor.Warning, "warning"}} {
		if n := count[p.level]; n > 0 {
			parts = append(parts, ui.Count(n, p.noun))
		}
	}
	if n := count[doctor.Unknown]; n > 0 {
		parts = append(parts, ui.Number(n)+" not known")
	}
	if len(parts) == 0 {
		return fmt.Sprintf("All %d checks are well", count[doctor.Good])
	}
	return strings.Join(append(parts, fmt.Sprintf("%d of %d checks are well", count[doctor.Good], len(findings))), ", ")
}

// mendedJSON is what was, or could be, changed on one distribution.
type mendedJSON struct {
	Distribution string                 `json:"distribution"`
	Changes      []remote.SettingChange `json:"changes"`
	Done         bool                   `json:"done"`
}

func done(all []mendedJSON) bool {
	for _, m := range all {
		if m.Done {
			return true
		}
	}
	return false
}

// mend proposes what can be mended, and does it after a yes.
func (a *app) mend(ctx context.Context, t *target, findings []doctor.Finding, flags doctorFlags) ([]mendedJSON, error) {
	out := []mendedJSON{}
	if !flags.fix {
		return out, nil
	}
	for _, d := range t.distributions {
		change := doctor.Mend(findings, d.ID)
		cdn, ok := t.cdn.(remote.Configurator)
		if change.IsZero() || !ok {
			continue
		}
		p, err := cdn.Propose(ctx, d.ID, change)
		if err != nil {
			return nil, mendFailure(err)
		}
		one := mendedJSON{Distribution: d.ID, Changes: p.Lines}
		a.showProposal(p)
		if flags.yes || a.confirms(fmt.Sprintf("Change distribution %s?", d.ID)) {
			if err := cdn.Apply(ctx, p); err != nil {
				return nil, mendFailure(err)
			}
			one.Done = true
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		a.say("")
		a.say("There is nothing that --fix can mend.")
	} else if !done(out) {
		a.tell("nothing was changed; `freshet doctor --fix --yes` does it without asking")
	}
	return out, nil
}

func mendFailure(err error) error {
	if errors.Is(err, remote.ErrPrecondition) {
		return &failure{err, exitFailed, "run `freshet doctor --fix` again: it looks at what is there now"}
	}
	if errors.Is(err, remote.ErrUnsupported) {
		return &failure{err, exitFailed, "make the change in the CloudFront console, or install the newest freshet"}
	}
	if errors.Is(err, remote.ErrDenied) {
		return &failure{err, exitFailed, "allow cloudfront:UpdateDistribution on the distribution, or make the change in the CloudFront console"}
	}
	return err
}

func (a *app) showProposal(p remote.Proposal) {
	if a.json {
		return
	}
	style := a.style()
	style.Printf("")
	style.Printf("Changes to distribution %s; nothing else of it changes:", p.Distribution)
	for _, l := range p.Lines {
		style.Change(l.Setting, l.Old, l.New)
	}
}

// confirms asks on a terminal; anywhere else the answer is no.
func (a *app) confirms(question string) bool {
	if a.json || !ui.IsTerminal(a.stdin) || !ui.IsTerminal(a.stderr) {
		return false
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "y" || answer == "yes")
}

// doctorAnswer is the JSON answer of doctor; docs/json.md describes it.
type doctorAnswer struct {
	Target   string        `json:"target"`
	Bucket   string        `json:"bucket"`
	Worst    string        `json:"worst"`
	Findings []findingJSON `json:"findings"`
	Fixes    []mendedJSON  `json:"fixes"`
}

type findingJSON struct {
	About   string   `json:"about"`
	Check   string   `json:"check"`
	Level   string   `json:"level"`
	What    string   `json:"what"`
	Why     string   `json:"why,omitempty"`
	Next    string   `json:"next,omitempty"`
	Details []string `json:"details,omitempty"`
	Fixable bool     `json:"fixable,omitempty"`
}

func doctorJSON(t *target, findings []doctor.Finding, mended []mendedJSON) doctorAnswer {
	out := doctorAnswer{Target: t.name, Bucket: t.store.String(), Worst: string(doctor.Worst(findings)), Findings: []findingJSON{}, Fixes: mended}
	for _, f := range findings {
		out.Findings = append(out.Findings, findingJSON{f.About, f.Check, string(f.Level), f.What, f.Why, f.Next, f.Details, !f.Mend.IsZero()})
	}
	return out
}
