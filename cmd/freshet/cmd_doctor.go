package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the target: what is wrong, why it matters, what to type",
		Long: `Checks that the bucket can be written to and honours conditional writes, what
freshet's record in it says, that the distributions are deployed, and that
viewers can neither list nor read the record. It exits 1 if something keeps
freshet from publishing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) (err error) {
	p, err := a.project()
	if err != nil {
		return err
	}
	t, err := a.open(ctx, p, access{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	examined := doctor.Target{Record: t.record}
	for _, d := range t.distributions {
		examined.Distributions = append(examined.Distributions, doctor.Distribution{Distribution: d.Distribution, Viewer: d.viewer, Path: d.view.Own})
	}
	findings := doctor.Examine(ctx, examined)
	for i := range findings {
		if f := &findings[i]; f.Err != nil && f.Next == "" {
			f.Next = classify(f.Err).hint
		}
	}
	if a.json {
		err = a.answer(doctorJSON(t, findings))
	} else {
		a.showFindings(t, findings)
	}
	if doctor.Worst(findings) == doctor.Problem {
		a.reported = true
		return errors.Join(err, errors.New("the target has a problem"))
	}
	return err
}

func (a *app) showFindings(t *target, findings []doctor.Finding) {
	a.say("%s  %s", t.name, t.store)
	a.say("")
	style := a.style()
	for _, f := range findings {
		style.Finding(string(f.Level), f.Check+": "+f.What, f.Why, f.Next)
	}
}

// doctorAnswer is the JSON answer of doctor; docs/json.md describes it.
type doctorAnswer struct {
	Target   string        `json:"target"`
	Bucket   string        `json:"bucket"`
	Worst    string        `json:"worst"`
	Findings []findingJSON `json:"findings"`
}

type findingJSON struct {
	Check string `json:"check"`
	Level string `json:"level"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"`
	Next  string `json:"next,omitempty"`
}

func doctorJSON(t *target, findings []doctor.Finding) doctorAnswer {
	out := doctorAnswer{Target: t.name, Bucket: t.store.String(), Worst: string(doctor.Worst(findings)), Findings: []findingJSON{}}
	for _, f := range findings {
		out.Findings = append(out.Findings, findingJSON{f.Check, string(f.Level), f.What, f.Why, f.Next})
	}
	return out
}
