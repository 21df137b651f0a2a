package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is live and what is under way",
		Long: `Reads freshet's record in the bucket: which release is live, and whether a run
is under way or was interrupted, and then what the next deploy does about it.
Of a fleet of freshet's own edges it shows each one as well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, err := a.project()
			if err != nil {
				return err
			}
			t, err := a.open(cmd.Context(), p, access{readOnly: true})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, t.close()) }()
			state, err := t.record.Read(cmd.Context())
			if err != nil {
				return err
			}
			fleet, err := t.fleet(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.answer(statusJSON(t, state, fleet))
			}
			a.showStatus(t, state)
			a.showFleet(fleet)
			return nil
		},
	}
}

func (a *app) showStatus(t *target, state release.State) {
	to := ""
	if len(t.distributions) > 0 {
		to = " → " + t.names()
	}
	a.say("%s  %s%s", t.name, t.store, to)
	if c := state.Current; c == nil {
		a.say("\n  Nothing has been published here by freshet yet.")
	} else {
		a.say("\n  Live      release %s, since %s (%s ago)", c.Release, c.Created.Local().Format("2 Jan 2006 15:04:05"),
			ago(a.now().Sub(c.Created)))
		if c.Revision != nil {
			a.say("  From      %s", describe(c.Revision))
		}
		a.say("  Holds     %s, %s", ui.Count(c.Objects, "object"), ui.Bytes(c.Bytes))
		if n := len(state.Live.Retired); n > 0 {
			a.say("  Kept      %s that the site no longer has, for pages that are still open", ui.Count(n, "asset"))
		}
	}
	a.showUnderWay(state)
	if t.url != "" && t.started == nil {
		a.say("  Site      %s/", t.url)
	}
	if t.embedded && t.started != nil {
		a.say("  Site      not running; `freshet local` serves it")
	}
}

// showUnderWay tells of a held lock and an open journal, and what the next
// deploy does about them.
func (a *app) showUnderWay(state release.State) {
	if l := state.Lock; l != nil {
		a.say("  Lock      held by %s since %s, until %s unless it is renewed", l.Writer, l.Since.Local().Format("15:04:05"), l.Until.Local().Format("15:04:05"))
		a.say("            The next `freshet deploy` waits for it, and takes it over if it is not renewed.")
	}
	j := state.Journal
	if j == nil {
		return
	}
	a.say("  Open      release %s, begun %s ago by %s: %s still to be invalidated.", j.Release, ago(a.now().Sub(j.Started)), j.Writer,
		ui.Count(len(j.Pending), "URL"))
	switch {
	case state.Lock != nil:
		a.say("            It is running, or was interrupted a moment ago.")
	case !j.Manifest.IsZero():
		a.say("            Everything is uploaded. The next `freshet deploy`, or `freshet deploy --resume` from any")
		a.say("            machine, invalidates what is left and finishes it.")
	default:
		a.say("            It was interrupted. The next `freshet deploy` finishes it.")
	}
}

// describe is a revision for people: "3f2a9c1b of main, 22 Nov 2026 14:02".
func describe(r *release.Revision) string {
	text := r.Name
	if r.Branch != "" {
		text += " of " + r.Branch
	}
	return text + ", " + r.Time.Local().Format("2 Jan 2006 15:04:05")
}

// ago is a time span for people, coarse on purpose.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return ui.Count(int(d.Seconds()), "second")
	case d < time.Hour:
		return ui.Count(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return ui.Count(int(d.Hours()), "hour")
	}
	return ui.Count(int(d.Hours()/24), "day")
}

// statusAnswer is the JSON answer of status; docs/json.md describes it.
type statusAnswer struct {
	Target       string       `json:"target"`
	Bucket       string       `json:"bucket"`
	Distribution string       `json:"distribution"`
	URL          string       `json:"url"`
	Live         *liveJSON    `json:"live"`    // null before the first release
	Journal      *journalJSON `json:"journal"` // null when no run is open
	Lock         *lockJSON    `json:"lock"`    // null when nobody holds it
	// Fleet is null where the target has no edges of freshet's own.
	Fleet *remote.Fleet `json:"fleet"`
}

type liveJSON struct {
	Release string    `json:"release"`
	Created time.Time `json:"created"`
	Objects int       `json:"objects"`
	Bytes   int64     `json:"bytes"`
	Retired int       `json:"retired"`
	// Revision is what it was built from; null where nobody knows.
	Revision *release.Revision `json:"revision"`
}

type journalJSON struct {
	Release string    `json:"release"`
	Started time.Time `json:"started"`
	Writer  string    `json:"writer"`
	Pending int       `json:"pending"`
	// Uploaded says that only invalidating and proving are left.
	Uploaded bool `json:"uploaded"`
}

type lockJSON struct {
	Writer  string    `json:"writer"`
	Release string    `json:"release"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
}

func statusJSON(t *target, state release.State, fleet *remote.Fleet) statusAnswer {
	out := statusAnswer{Target: t.name, Bucket: t.store.String(), Distribution: t.names(), URL: t.url, Fleet: fleet}
	if c := state.Current; c != nil {
		out.Live = &liveJSON{string(c.Release), c.Created, c.Objects, c.Bytes, len(state.Live.Retired), c.Revision}
	}
	if j := state.Journal; j != nil {
		out.Journal = &journalJSON{string(j.Release), j.Started, j.Writer, len(j.Pending), !j.Manifest.IsZero()}
	}
	if l := state.Lock; l != nil {
		out.Lock = &lockJSON{l.Writer, string(l.Release), l.Since, l.Until}
	}
	return out
}
