package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/project/dev"
	"github.com/freshet/freshet/internal/ui"
)

// ready says where to look.
func (d *developer) ready(addr net.Addr, info cloud.Info) error {
	a := d.app
	url := "http://" + reachable(addr) + "/"
	if a.json {
		return json.NewEncoder(a.stdout).Encode(struct {
			URL  string `json:"url"`
			Edge string `json:"edge"`
			Data string `json:"data"`
		}{url, info.Edge, d.data})
	}
	a.say("%s   (Ctrl-C stops)\n", url)
	if d.guessed != "" {
		a.tell("no freshet.yaml names a build command; building as %s does", d.guessed)
	}
	if c := d.project.Build.Command; c != "" {
		a.tell("$ %s", c)
	}
	return nil
}

// reachable is how a browser on this machine spells addr.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// shownOutput is how many lines of a failed build the terminal gets.
const shownOutput = 40

// report prints one line for a round, and what failed below it.
func (d *developer) report(r dev.Round) {
	a := d.app
	if a.json {
		_ = json.NewEncoder(a.stdout).Encode(a.roundJSON(r)) // nowhere is left to report this failure to
		return
	}
	at := r.Time.Local().Format("15:04:05")
	switch {
	case len(r.Own) > 0:
		a.tell("%s  %s with each build: no longer a reason to build. Name what the build makes under build.clean in freshet.yaml.",
			at, firstOf(r.Own)+" changes")
	case r.Err == nil:
		a.say("%s  %s", at, strings.Join(happened(r), "   "))
	default:
		d.reportFailure(at, r)
	}
}

func (d *developer) reportFailure(at string, r dev.Round) {
	a := d.app
	fmt.Fprintf(a.stderr, "%s  %s\n", at, strings.Join(happened(r), "   "))
	if !a.verbose {
		for _, line := range r.Output[max(0, len(r.Output)-shownOutput):] {
			fmt.Fprintln(a.stderr, "    "+line)
		}
	}
	a.showFailure(a.explain(r.Err))
}

// happened is what a round did, in order.
func happened(r dev.Round) []string {
	parts := []string{cmp.Or(firstOf(r.Changed), "start")}
	built := ""
	if r.Built > 0 {
		built = "built " + brief(r.Built)
	}
	switch {
	case r.Err != nil && r.Step == dev.StepLoad:
		parts = append(parts, "the project cannot be read")
	case r.Err != nil && r.Step == dev.StepBuild:
		return append(parts, "build failed after "+brief(r.Built))
	case r.Err != nil:
		parts = append(parts, built, "not published")
	case !r.Published.Changed:
		parts = append(parts, built, "nothing to publish")
	default:
		text := "published " + brief(r.Publishing) + ": " + ui.Count(r.Published.Uploaded, "object") + " uploaded"
		if n := r.Published.Removed; n > 0 {
			text += ", " + ui.Number(n) + " removed"
		}
		parts = append(parts, built, text+", "+ui.Count(r.Published.URLs, "URL")+" invalidated")
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// firstOf is the first of the files that changed, and how many more did.
func firstOf(files []string) string {
	switch n := len(files); n {
	case 0:
		return ""
	case 1:
		return files[0]
	default:
		return fmt.Sprintf("%s and %s more", files[0], ui.Number(n-1))
	}
}

// brief is a duration that people compare with the blink of an eye.
func brief(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return ui.Duration(d)
}

// roundJSON is a round as --json prints it; docs/dev.md describes it.
func (a *app) roundJSON(r dev.Round) any {
	out := struct {
		Time      time.Time  `json:"time"`
		Changed   []string   `json:"changed"`
		BuildMS   int64      `json:"build_ms"`
		PublishMS int64      `json:"publish_ms"`
		Live      bool       `json:"changed_site"`
		Uploaded  int        `json:"uploaded"`
		Removed   int        `json:"removed"`
		URLs      int        `json:"invalidated_urls"`
		Output    []string   `json:"output,omitempty"`
		Own       []string   `json:"ignored_from_now_on,omitempty"`
		Error     *errorJSON `json:"error,omitempty"`
	}{
		Time: r.Time, Changed: append([]string{}, r.Changed...), BuildMS: r.Built.Milliseconds(), PublishMS: r.Publishing.Milliseconds(),
		Live: r.Published.Changed, Uploaded: r.Published.Uploaded, Removed: r.Published.Removed, URLs: r.Published.URLs, Own: r.Own,
	}
	if r.Err != nil {
		e := a.explain(r.Err).json()
		out.Error, out.Output = &e, r.Output
	}
	return out
}
