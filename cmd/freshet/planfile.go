package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/durable"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/ui"
)

// planVersion is the format of a stored plan.
const planVersion = 1

// planFile is a plan as `freshet plan --out` stores it. What it was made from
// is named beside it, so that deploy can make it again and see whether it is
// still the same.
type planFile struct {
	Version int         `json:"version"`
	Made    time.Time   `json:"made"`
	Used    int         `json:"used"` // paths of the month, as counted then
	Plan    ui.PlanJSON `json:"plan"`
}

// writePlan stores the plan of pub.
func (pub *publication) writePlan(path string) error {
	data, err := json.MarshalIndent(planFile{planVersion, pub.made, pub.plan.Money.Used, ui.NewPlanJSON(pub.view(0))}, "", "  ")
	if err != nil {
		return fmt.Errorf("store the plan: %w", err)
	}
	if err := durable.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return noPlace(fmt.Errorf("store the plan: %w", err), "`freshet plan --out plan.json`")
	}
	return nil
}

// readPlan reads a stored plan.
func readPlan(path string) (*planFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("make one with `freshet plan --out plan.json`", "read the plan: %w", err)
	}
	f := &planFile{}
	if err := json.Unmarshal(data, f); err != nil || f.Plan.Release == "" {
		return nil, usage("make a new one with `freshet plan --out plan.json`", "%s is not a plan: %w", path, errors.Join(err))
	}
	if f.Version != planVersion {
		return nil, usage("make a new one with `freshet plan --out plan.json`", "%s has version %d, this freshet reads %d", path, f.Version, planVersion)
	}
	return f, nil
}

// inputs are what a stored plan was made from besides site and bucket.
func (f *planFile) inputs() (release.ID, time.Time, int) {
	return release.ID(f.Plan.Release), f.Made, f.Used
}

// unchanged makes sure that the plan of pub, made again from the same inputs,
// is the one in the file.
func (f *planFile) unchanged(pub *publication) error {
	now := ui.NewPlanJSON(pub.view(0))
	a, errA := json.Marshal(f.Plan)
	b, errB := json.Marshal(now)
	if err := errors.Join(errA, errB); err != nil {
		return fmt.Errorf("compare the plan: %w", err)
	}
	if bytes.Equal(a, b) {
		return nil
	}
	return refused("look at what is different with `freshet plan`, and store a new plan with --out", "the plan is out of date: %s; nothing was sent", f.difference(now))
}

// difference names what has moved on since the plan was stored.
func (f *planFile) difference(now ui.PlanJSON) string {
	var moved []string
	if f.Plan.Target != now.Target || f.Plan.Bucket != now.Bucket {
		moved = append(moved, fmt.Sprintf("it is for %s (%s), not for %s (%s)", f.Plan.Target, f.Plan.Bucket, now.Target, now.Bucket))
	}
	if f.Plan.Base != now.Base {
		moved = append(moved, fmt.Sprintf("release %q is live, it was made on %q", now.Base, f.Plan.Base))
	}
	then := map[string]ui.StepJSON{}
	for _, s := range f.Plan.Steps {
		then[s.Key] = s
	}
	for _, s := range now.Steps {
		old, planned := then[s.Key]
		delete(then, s.Key)
		switch {
		case !planned:
			moved = append(moved, s.Key+" has changed since")
		case old != s:
			moved = append(moved, s.Key+" is not what was planned")
		}
	}
	for _, s := range f.Plan.Steps {
		if _, left := then[s.Key]; left {
			moved = append(moved, s.Key+" needs nothing any more")
		}
	}
	const most = 5
	if len(moved) == 0 {
		return "the bucket or the distribution has changed"
	}
	if rest := len(moved) - most; rest > 0 {
		moved = append(moved[:most], fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(moved, "; ")
}
