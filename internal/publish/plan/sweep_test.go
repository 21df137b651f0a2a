package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

func TestSweeping(t *testing.T) {
	type files = map[site.Key]string
	live, retired := files{"a.html": "a", "b.html": "b"}, files{"old.css": "old"}
	touched := func(keys ...site.Key) *release.Journal {
		return &release.Journal{
			Release: "r2-open", Number: 2, Base: "r1-live", Touched: keys, Site: plan.Fingerprint(manifest(t, live)),
			Pending: []release.PendingURL{{Path: "/old.css", Key: "old.css"}},
		}
	}
	many := files{}
	for _, k := range strings.Split("abcdefgh", "") {
		many[site.Key(k+".css")] = k
	}
	const swept = "sweep old.css (no page has named it since 22 Nov)"
	rows := []struct {
		name    string
		world   world
		site    files
		retain  time.Duration // retired an hour ago
		steps   []string
		urls    []string
		retired int
		foreign int
		id      release.ID
		idle    bool
	}{
		{"due", world{live: live, retired: retired}, live, time.Hour, []string{swept}, []string{"/old.css"}, 0, 0, "r2-new", false},
		{"not yet due", world{live: live, retired: retired}, live, time.Hour + 1, nil, nil, 1, 0, "r2-new", true},
		{"no retention", world{live: live, retired: retired}, live, 0, []string{swept}, []string{"/old.css"}, 0, 0, "r2-new", false},
		{"after removals, before retirements", world{live: files{"a.html": "a", "b.html": "b", "z.html": "z", "c.css": "c"}, retired: retired}, live, time.Minute,
			[]string{"remove z.html (removed page)", swept, "retire c.css (no longer used; kept until 22 Nov (retain: 1m))"}, []string{"/old.css", "/z.html"}, 1, 0, "r2-new", false},
		{"due and wanted again", world{live: live, retired: retired}, files{"a.html": "a", "b.html": "b", "old.css": "old"}, time.Hour, nil, nil, 0, 0, "r2-new", false},
		{"due, and somebody else's now", world{live: live, retired: retired, bucket: files{"old.css": "?theirs"}}, live, time.Hour, nil, nil, 0, 1, "r2-new", true},
		{"due, and gone already", world{live: live, retired: retired, bucket: files{"old.css": ""}}, live, time.Hour, nil, nil, 0, 0, "r2-new", true},
		{"more than the site has", world{live: live, retired: many}, live, time.Hour, nil, nil, 0, 0, "r2-new", false},
		{"an interrupted run has swept it: the same references", world{live: live, retired: retired, bucket: files{"old.css": ""}, journal: touched("old.css")}, live, time.Hour, nil, []string{"/old.css"}, 0, 0, "r2-open", false},
		{"an interrupted run did not get to it", world{live: live, retired: retired, bucket: files{"old.css": "?old"}, journal: touched("old.css")}, live, time.Hour, []string{swept}, []string{"/old.css"}, 0, 0, "r2-new", false},
		{"an interrupted run has put other bytes there", world{live: live, retired: retired, bucket: files{"old.css": "?new!"}, journal: touched("old.css")}, live, time.Hour,
			[]string{"retire old.css (no longer used; kept until 22 Nov (retain: 1h))"}, []string{"/old.css"}, 1, 0, "r2-open", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, row.site), Live: row.world.build(t), Distributions: one, Retain: row.retain, Now: now})
			if diff := cmp.Diff(steps(p), row.steps, cmpopts.EquateEmpty()); diff != "" && row.steps != nil {
				t.Errorf("steps (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(changed(p), row.urls, cmpopts.EquateEmpty()); diff != "" && len(row.world.retired) == 1 {
				t.Errorf("changed URLs (-got +want):\n%s", diff)
			}
			if len(p.Retired) != row.retired || p.Foreign != row.foreign || p.Release != row.id || p.Empty() != row.idle || len(p.Guards) > 0 {
				t.Errorf("retired %v, foreign %d, id %s, empty %v, guards %q", p.Retired, p.Foreign, p.Release, p.Empty(), p.Guards)
			}
		})
	}
}

// A swept asset is dropped on purpose; it is no price of a wildcard.
func TestSweptAssetsAreNotUntouched(t *testing.T) {
	w := world{live: map[site.Key]string{"a.html": "a"}, retired: map[site.Key]string{"x/1.css": "1", "x/2.css": "2"}}
	p := plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, w.live), Live: w.build(t), Distributions: one, Now: now})
	if u := p.Purges[0]; u.LiveObjects != 1 || u.Cover.Drops != 0 || len(u.Changed) != 2 {
		t.Errorf("live objects %d, drops %d, changed %v", u.LiveObjects, u.Cover.Drops, u.Changed)
	}
	if why := p.Purges[0].Changed[0].Why; why != "no longer used" {
		t.Errorf("the URL changes because: %q", why)
	}
}

// A retired asset of which nobody knows the bytes, as an interrupted run leaves
// one, waits for its time and goes like any other.
func TestUnknownBytesAreSwept(t *testing.T) {
	stray := site.Object{Key: "stray.css", Size: 3, Kind: site.KindAsset, ETag: "e"}
	in := plan.Input{Release: "r2-new", Site: manifest(t, map[site.Key]string{"a.html": "a"}), Live: world{live: map[site.Key]string{"a.html": "a"}}.build(t), Now: now}
	in.Live.State.Live.Retired = []release.Retired{{Object: stray, Release: "r1-live", Since: now.Add(-time.Hour)}}
	in.Live.Objects = append(in.Live.Objects, plan.Observed{Object: &stray, Known: true, Ours: true})
	for retain, want := range map[time.Duration][]string{day: nil, time.Hour: {"sweep stray.css (no page has named it since 22 Nov)"}} {
		in.Retain = retain
		for name, p := range map[string]plan.Plan{"deploy": plan.Make(in), "sweep": plan.Sweep(in)} {
			if diff := cmp.Diff(steps(p), want, cmpopts.EquateEmpty()); diff != "" || len(p.Kept) > 0 {
				t.Errorf("%s after %s: kept %v, steps (-got +want):\n%s", name, retain, p.Kept, diff)
			}
		}
	}
}

func TestSweepAlone(t *testing.T) {
	type files = map[site.Key]string
	w := world{
		live: files{"a.html": "a", "b.html": "b", "c.css": "c", "d.css": "d"}, retired: files{"due.css": "due", "theirs.css": "x", "z.css": "z"},
		bucket: files{"a.html": "?hacked", "b.html": "", "theirs.css": "?theirs", "foreign.txt": "?f"},
	}
	in := plan.Input{Release: "r2-new", Site: manifest(t, files{"other.html": "o"}), Live: w.build(t), Distributions: one, Retain: time.Hour, Now: now}
	in.Live.State.Live.Retired[2].Since = now // z.css
	in.Live.State.Live.Kept = []release.Kept{keptSince("old", time.Hour), keptSince("young", time.Minute)}
	p := plan.Sweep(in)
	if diff := cmp.Diff(steps(p), []string{"sweep due.css (no page has named it since 22 Nov)"}); diff != "" {
		t.Errorf("steps (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(changed(p), []string{"/due.css"}); diff != "" {
		t.Errorf("changed URLs (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(keys(p.Site), []site.Key{"a.html", "b.html", "c.css", "d.css"}); diff != "" {
		t.Errorf("the site (-got +want):\n%s", diff)
	}
	if len(p.Retired) != 1 || p.Retired[0].Key != "z.css" || p.Foreign != 2 {
		t.Errorf("retired %v, foreign %d", p.Retired, p.Foreign)
	}
	if diff := cmp.Diff(p.Kept, []release.Kept{keptSince("young", time.Minute)}); diff != "" || p.Trims != 1 {
		t.Errorf("trims %d, kept (-got +want):\n%s", p.Trims, diff)
	}
	if p.Empty() || !p.Sweeps || !p.Recorded || p.Base != "r1-live" || p.Number != 2 || len(p.History) != 1 || p.Money.Paths != 1 || len(p.Guards) > 0 {
		t.Errorf("plan: %+v", p)
	}
}

// What only the record lets go of is a reason to sweep, and none to deploy.
func TestTrims(t *testing.T) {
	files := map[site.Key]string{"a.html": "a"}
	same, other := plan.Fingerprint(manifest(t, files)), site.Digest{1}
	entry := func(id release.ID, age time.Duration, fingerprint site.Digest, gone bool) release.Entry {
		return release.Entry{Release: id, Created: now.Add(-age), Site: fingerprint, Gone: gone}
	}
	rows := []struct {
		name    string
		kept    []release.Kept
		history []release.Entry
		trims   int
	}{
		{"nothing", nil, nil, 0},
		{"nothing is due", []release.Kept{keptSince("x", time.Minute)}, []release.Entry{entry("r8", 2*time.Hour, other, false)}, 0},
		{"bytes", []release.Kept{keptSince("x", time.Hour), keptSince("y", time.Minute), keptSince("z", day)}, nil, 2},
		{"releases", nil, []release.Entry{entry("r8", 59*time.Minute, other, false), entry("r7", time.Hour, other, false), entry("r6", 2*time.Hour, other, false), entry("r5", 3*time.Hour, other, false)}, 2},
		{"a release that went before", nil, []release.Entry{entry("r8", time.Hour, other, false), entry("r7", 2*time.Hour, other, true)}, 0},
		{"a release with the very same site", nil, []release.Entry{entry("r8", time.Hour, other, false), entry("r7", 2*time.Hour, same, false)}, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			in := plan.Input{Release: "r9-new", Site: manifest(t, files), Live: world{live: files}.build(t), Retain: time.Hour, Now: now}
			in.Live.State.Live.Kept = row.kept
			in.Live.State.Live.About = entry("r9", time.Minute, same, false)
			in.Live.State.Live.History = row.history
			for name, p := range map[string]plan.Plan{"deploy": plan.Make(in), "sweep": plan.Sweep(in)} {
				if idle := name == "deploy" || row.trims == 0; p.Trims != row.trims || p.Empty() != idle {
					t.Errorf("%s: trims %d, empty %v, history %+v", name, p.Trims, p.Empty(), p.History)
				}
			}
		})
	}
}

func TestSweepOverAnOpenJournal(t *testing.T) {
	files := map[site.Key]string{"a.html": "a", "c.css": "c"}
	same := plan.Fingerprint(manifest(t, files))
	open := func(base release.ID, fingerprint site.Digest, keys ...site.Key) *release.Journal {
		return &release.Journal{Release: "r2-open", Number: 2, Base: base, Site: fingerprint, Touched: keys, Pending: []release.PendingURL{{Path: "/due.css", Key: "due.css"}}}
	}
	rows := []struct {
		name    string
		journal *release.Journal
		bucket  map[site.Key]string
		steps   int
		id      release.ID
		refused bool
	}{
		{"a sweep that swept", open("r1-live", same, "due.css"), map[site.Key]string{"due.css": ""}, 0, "r2-open", false},
		{"a sweep that did not", open("r1-live", same, "due.css"), nil, 1, "r2-new", false},
		{"another site", open("r1-live", site.Digest{1}, "due.css"), nil, 0, "r2-new", true},
		{"the same site, which it was to repair", open("r1-live", same, "a.html"), nil, 0, "r2-new", true},
		{"on another base", open("r0", same, "due.css"), nil, 0, "r2-new", true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := world{live: files, retired: map[site.Key]string{"due.css": "due"}, bucket: row.bucket, journal: row.journal}
			p := plan.Sweep(plan.Input{Release: "r2-new", Live: w.build(t), Distributions: one, Now: now})
			if len(p.Steps) != row.steps || p.Release != row.id || (len(p.Guards) > 0) != row.refused || p.Empty() != row.refused {
				t.Errorf("steps %q, id %s, guards %q, empty %v", steps(p), p.Release, p.Guards, p.Empty())
			}
			if !row.refused && (p.Resumes != "r2-open" || !slices.Equal(changed(p), []string{"/due.css"})) {
				t.Errorf("resumes %q, changed %v", p.Resumes, changed(p))
			}
			if row.refused && (!strings.Contains(p.Guards[0], "r2-open was interrupted") || p.Resumes != "" || p.Paths() > 0) {
				t.Errorf("guards %q, resumes %q, paths %d", p.Guards, p.Resumes, p.Paths())
			}
		})
	}
	t.Run("of the first release", func(t *testing.T) {
		p := plan.Sweep(plan.Input{Release: "r1-new", Live: world{journal: open("", same, "a.html")}.build(t), Now: now})
		if !p.Empty() || len(p.Guards) != 1 {
			t.Errorf("plan: %+v", p)
		}
	})
	t.Run("none, and nothing was ever published", func(t *testing.T) {
		p := plan.Sweep(plan.Input{Release: "r1-new", Live: world{bucket: map[site.Key]string{"a.html": "?x"}}.build(t), Now: now})
		if !p.Empty() || len(p.Guards) != 0 || p.Foreign != 1 {
			t.Errorf("plan: %+v", p)
		}
	})
}

func TestRetentionInWords(t *testing.T) {
	for retain, want := range map[time.Duration]string{
		0: "until the next release", 30 * day: "until 22 Dec (retain: 30d)", 40 * day: "until 1 Jan 2027 (retain: 40d)", day: "until 23 Nov (retain: 1d)",
		36 * time.Hour: "until 23 Nov (retain: 36h)", 90 * time.Minute: "until 22 Nov (retain: 1h30m)", 10 * time.Minute: "until 22 Nov (retain: 10m)",
		90 * time.Second: "until 22 Nov (retain: 1m30s)", time.Hour + time.Second: "until 22 Nov (retain: 1h0m1s)", 7 * 365 * day: "until 20 Nov 2033 (retain: 2555d)",
	} {
		p := plan.Make(plan.Input{Release: "r2-new", Live: world{live: map[site.Key]string{"a.css": "a"}}.build(t), Retain: retain, Now: now})
		if want := "no longer used; kept " + want; p.Steps[0].Why != want {
			t.Errorf("%s: %q, want %q", retain, p.Steps[0].Why, want)
		}
	}
	in := plan.Input{Release: "r2-new", Live: world{live: map[site.Key]string{"a.html": "a"}, retired: map[site.Key]string{"a.css": "a"}}.build(t), Now: now.In(time.FixedZone("", 14*3600))}
	for since, want := range map[time.Time]string{
		now.Add(-30 * day): "no page has named it since 24 Oct", time.Date(2025, 12, 31, 9, 0, 0, 0, time.UTC): "no page has named it since 31 Dec 2025",
		time.Date(2025, 12, 31, 11, 0, 0, 0, time.UTC): "no page has named it since 1 Jan",
	} {
		in.Live.State.Live.Retired[0].Since = since
		if p := plan.Sweep(in); len(p.Steps) != 1 || p.Steps[0].Why != want {
			t.Errorf("%s: %+v, want %q", since, p.Steps, want)
		}
	}
}
