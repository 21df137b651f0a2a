package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the releases: what each changed, cost and took",
		Long: `Lists the releases, newest first: who published what, when, from which commit,
how many objects went up, and how many invalidation paths it took. A release
that is still kept can be made live again with ` + "`freshet rollback`" + `.`,
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
			entries := state.Past(a.now(), p.Retain)
			if a.json {
				return a.answer(historyJSON(t, state, entries))
			}
			a.showHistory(t, state, entries)
			return nil
		},
	}
}

func (a *app) showHistory(t *target, state release.State, entries []release.Entry) {
	a.say("%s  %s", t.name, t.store)
	a.say("")
	if len(entries) == 0 {
		a.say("  Nothing has been published here by freshet yet.")
		return
	}
	rows := make([][]string, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, []string{string(e.Release), e.Created.Local().Format("2 Jan 2006 15:04"), e.Writer, revisionOf(e), changes(e), standing(state, e)})
	}
	a.style().Table(rows)
}

// revisionOf is what a release was built from, short.
func revisionOf(e release.Entry) string {
	if e.Restores != "" {
		return "as " + string(e.Restores)
	}
	if e.Revision == nil {
		return ""
	}
	const enough = 12
	name := e.Revision.Name
	if len(name) > enough {
		name = name[:enough]
	}
	return name
}

// changes is what a release did, in one cell.
func changes(e release.Entry) string {
	var parts []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(e.Uploaded, "%s (%s)", ui.Count(e.Uploaded, "upload"), ui.Bytes(e.Sent))
	add(e.Headers, "%s", ui.Count(e.Headers, "header change"))
	add(e.Removed, "%d removed", e.Removed)
	add(e.Retired, "%d retired", e.Retired)
	add(e.Swept, "%d swept", e.Swept)
	add(e.Paths, "%s", ui.Count(e.Paths, "path"))
	if e.Seconds > 0 {
		parts = append(parts, ui.Duration(time.Duration(e.Seconds*float64(time.Second))))
	}
	return strings.Join(parts, " · ")
}

func standing(state release.State, e release.Entry) string {
	switch {
	case e.Release == state.LiveID():
		return "live"
	case e.Gone:
		return "not kept"
	case e.Site == plan.Fingerprint(state.Live.Site):
		return "same site"
	}
	return ""
}

// historyAnswer is the JSON answer of history; docs/json.md describes it.
type historyAnswer struct {
	Target   string          `json:"target"`
	Bucket   string          `json:"bucket"`
	Live     string          `json:"live"` // "" before the first release
	Releases []release.Entry `json:"releases"`
}

func historyJSON(t *target, state release.State, entries []release.Entry) historyAnswer {
	return historyAnswer{t.name, t.store.String(), string(state.LiveID()), append([]release.Entry{}, entries...)}
}
