package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

func keptSince(body string, age time.Duration) release.Kept {
	return release.Kept{Digest: file("x", body).Digest, Size: int64(len(body)), Since: now.Add(-age)}
}

// copies are the steps that keep what they destroy, with what they keep.
func copies(t tester, p plan.Plan) []string {
	t.Helper()
	var out []string
	for _, s := range p.Steps {
		if !s.Keep {
			continue
		}
		if s.Old == nil || s.Old.Key != s.Object.Key {
			t.Fatal("a step keeps what nobody knows", s)
		}
		out = append(out, fmt.Sprintf("%s %s keeps %d bytes with the etag %s", s.Op, s.Old.Key, s.Old.Size, s.Old.ETag))
	}
	return out
}

func TestWhatIsKept(t *testing.T) {
	type files = map[site.Key]string
	live := files{"a.html": "page", "b.css": "style"}
	touched := func(keys ...site.Key) *release.Journal {
		return &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Touched: keys}
	}
	const page, style = "page", "style"
	rows := []struct {
		name   string
		world  world
		stored []release.Kept
		site   files
		retain time.Duration // of retired assets since an hour ago
		copies []string
		kept   []release.Kept // in any order
	}{
		{"nothing changes", world{live: live}, nil, live, day, nil, nil},
		{"other bytes", world{live: live}, nil, files{"a.html": "new", "b.css": style}, day,
			[]string{"update a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"other headers", world{live: live}, nil, files{"a.html": "page|x", "b.css": style}, day, nil, nil},
		{"a page goes, an asset stays at its key", world{live: live}, nil, files{}, day,
			[]string{"remove a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"a page moves", world{live: live}, nil, files{"z.html": page, "b.css": style}, day,
			[]string{"remove a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"somebody has written over it: the bytes are theirs", world{live: live, bucket: files{"a.html": "?theirs", "b.css": "?x"}}, nil, files{"a.html": "new"}, day, nil, nil},
		{"a repair", world{live: live, bucket: files{"a.html": "?theirs"}}, nil, live, day, nil, nil},
		{"somebody deleted it", world{live: live, bucket: files{"a.html": "", "b.css": ""}}, nil, files{"b.css": "new"}, day, nil, nil},
		{"somebody deleted what is kept for an earlier release too", world{live: live, bucket: files{"a.html": ""}}, []release.Kept{keptSince(page, time.Hour)}, files{"b.css": style}, day,
			nil, []release.Kept{keptSince(page, 0)}},
		{"a foreign object is adopted", world{bucket: files{"a.html": "theirs"}}, nil, files{"a.html": "new"}, day, nil, nil},
		{"an interrupted run was to overwrite it and did not", world{live: live, journal: touched("a.html")}, nil, files{"a.html": "new", "b.css": style}, day,
			[]string{"update a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"likewise, and nobody has looked", world{live: live, bucket: files{"a.html": "?page"}, journal: touched("a.html")}, nil, files{"a.html": "longer", "b.css": style}, day,
			[]string{"update a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"an interrupted run was to change its headers, and nobody has looked", world{live: live, bucket: files{"a.html": "?page"}, journal: touched("a.html")}, nil, live, day, nil, nil},
		{"an interrupted run was to remove it and did not", world{live: live, bucket: files{"a.html": "?page"}, journal: touched("a.html")}, nil, files{"b.css": style}, day,
			[]string{"remove a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"an interrupted run has overwritten it", world{live: live, bucket: files{"a.html": "?other"}, journal: touched("a.html")}, nil, files{"a.html": "new", "b.css": style}, day,
			nil, []release.Kept{keptSince(page, 0)}},
		{"an interrupted run has overwritten it with what is wanted", world{live: live, bucket: files{"a.html": "new"}, journal: touched("a.html")}, nil, files{"a.html": "new", "b.css": style}, day,
			nil, []release.Kept{keptSince(page, 0)}},
		{"an interrupted run has overwritten an asset that goes", world{live: live, bucket: files{"b.css": "?other"}, journal: touched("b.css")}, nil, files{"a.html": page}, day,
			nil, []release.Kept{keptSince(style, 0)}},
		{"an interrupted run has removed it", world{live: live, bucket: files{"a.html": ""}, journal: touched("a.html")}, nil, files{"b.css": style}, day,
			nil, []release.Kept{keptSince(page, 0)}},
		{"an interrupted run has removed it, and it comes back", world{live: live, bucket: files{"a.html": ""}, journal: touched("a.html")}, nil, live, day, nil, nil},
		{"a retired asset gets other bytes", world{live: live, retired: files{"old.css": "old"}}, nil, files{"a.html": page, "b.css": style, "old.css": "new"}, day,
			[]string{"update old.css keeps 3 bytes with the etag etag of old"}, []release.Kept{keptSince("old", time.Hour)}},
		{"a retired asset gets other bytes after its time", world{live: live, retired: files{"old.css": "old"}}, nil, files{"a.html": page, "b.css": style, "old.css": "new"}, time.Hour, nil, nil},
		{"an interrupted run gave a retired asset other bytes", world{live: live, retired: files{"old.css": "old"}, bucket: files{"old.css": "?new"}, journal: touched("old.css")}, nil, live, day,
			nil, []release.Kept{keptSince("old", time.Hour)}},
		{"an interrupted run has swept a retired asset", world{live: live, retired: files{"old.css": "old"}, bucket: files{"old.css": ""}, journal: touched("old.css")}, nil, live, day, nil, nil},
		{"the record's own, due and not", world{live: live}, []release.Kept{keptSince("young", time.Hour), keptSince("old", day)}, live, day, nil, []release.Kept{keptSince("young", time.Hour)}},
		{"no retention: what is new stays until the next release", world{live: live}, []release.Kept{keptSince("old", time.Second)}, files{"a.html": "new", "b.css": style}, 0,
			[]string{"update a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"the later one wins", world{live: live}, []release.Kept{keptSince(page, time.Hour)}, files{"a.html": "new", "b.css": style}, day,
			[]string{"update a.html keeps 4 bytes with the etag etag of page"}, []release.Kept{keptSince(page, 0)}},
		{"the same bytes twice, once for a retired asset", world{live: live, retired: files{"old.css": page}}, nil, files{"a.html": "new", "b.css": style, "old.css": "x"}, day, []string{
			"update old.css keeps 4 bytes with the etag etag of page", "update a.html keeps 4 bytes with the etag etag of page",
		}, []release.Kept{keptSince(page, 0)}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			in := plan.Input{Release: "r2-new", Site: manifest(t, row.site), Live: row.world.build(t), Distributions: one, Retain: row.retain, Now: now}
			in.Live.State.Live.Kept = row.stored
			p := plan.Make(in)
			if diff := cmp.Diff(copies(t, p), row.copies, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what steps keep (-got +want):\n%s", diff)
			}
			byDigest := cmpopts.SortSlices(func(a, b release.Kept) bool { return a.Digest.String() < b.Digest.String() })
			if diff := cmp.Diff(p.Kept, row.kept, byDigest, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("kept (-got +want):\n%s", diff)
			}
		})
	}
}

// An empty page is an object like any other.
func TestEmptyObjectsAreKept(t *testing.T) {
	empty, full := manifest(t, map[site.Key]string{"a.html": ""}), manifest(t, map[site.Key]string{"a.html": "1"})
	live := plan.Live{
		State:   release.State{Current: &release.Pointer{Release: "r1-live", Number: 1}, Live: release.Manifest{Release: "r1-live", Site: empty}},
		Objects: []plan.Observed{{Object: ptr(file("a.html", "")), Known: true, Ours: true}},
	}
	for name, want := range map[string]site.Manifest{"update": full, "remove": {}} {
		p := plan.Make(plan.Input{Release: "r2-new", Site: want, Live: live, Now: now})
		if got := copies(t, p); len(got) != 1 || got[0] != name+" a.html keeps 0 bytes with the etag etag of " {
			t.Errorf("%s: %q", name, got)
		}
		if diff := cmp.Diff(p.Kept, []release.Kept{keptSince("", 0)}); diff != "" {
			t.Errorf("%s: kept (-got +want):\n%s", name, diff)
		}
	}
}

// A copy of an object onto itself may change its ETag: where somebody has
// looked and the bytes are those that were published, they are kept.
func TestBytesAreKnownByTheirDigest(t *testing.T) {
	w := world{live: map[site.Key]string{"a.html": "page", "b.css": "style"}, journal: &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Touched: []site.Key{"a.html", "b.css"}}}
	live := w.build(t)
	for i := range live.Objects {
		live.Objects[i].Object.ETag, live.Objects[i].Known = "after a copy", true
	}
	in := plan.Input{Release: "r3-new", Live: live, Retain: day, Now: now}
	p := plan.Make(in)
	if diff := cmp.Diff(copies(t, p), []string{"remove a.html keeps 4 bytes with the etag after a copy"}); diff != "" {
		t.Errorf("what steps keep (-got +want):\n%s", diff)
	}
	if len(p.Retired) != 1 || p.Retired[0].ETag != "after a copy" || p.Retired[0].Digest != file("b.css", "style").Digest {
		t.Errorf("retired: %+v, want what is there", p.Retired)
	}
	if diff := cmp.Diff(p.Kept, []release.Kept{keptSince("page", 0)}); diff != "" {
		t.Errorf("kept (-got +want):\n%s", diff)
	}
}

// Somebody has written the published bytes once more, under other headers and
// without tags: they are kept, and no tag is relied upon to reach what caches
// hold of them.
func TestBytesThatSomebodyWroteAgain(t *testing.T) {
	live := world{live: map[site.Key]string{"a.html": "page"}}.build(t)
	h := live.Objects[0].Object.Headers.Get()
	h.CacheControl = "theirs"
	live.Objects[0].Object.ETag, live.Objects[0].Object.Headers = "again", site.Share(h)
	p := plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, map[site.Key]string{"a.html": "PAGE"}), Live: live, Retain: day, Now: now})
	if diff := cmp.Diff(copies(t, p), []string{"update a.html keeps 4 bytes with the etag again"}); diff != "" {
		t.Fatalf("what steps keep (-got +want):\n%s", diff)
	}
	if got := p.Steps[0].Old.Headers.Get().CacheControl; got != "theirs" || len(p.Kept) != 1 {
		t.Errorf("caches may hold cache-control %q, kept %v", got, p.Kept)
	}
}

// What an interrupted run has left at a key is retired as it is, not as the
// record says that it was: else the next look would take it for somebody
// else's, and headers that nobody knows for those that were published.
func TestRetiredIsWhatIsThere(t *testing.T) {
	open := &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Touched: []site.Key{"a.css"}}
	for name, row := range map[string]struct {
		bucket string
		digest site.Digest
		size   int64
	}{
		"other bytes":      {"?other", site.Digest{}, 5},
		"perhaps headers":  {"?css", file("a.css", "css").Digest, 3},
		"somebody looked":  {"other", file("a.css", "other").Digest, 5},
		"and at the bytes": {"css|x", file("a.css", "css").Digest, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{live: map[site.Key]string{"a.css": "css", "a.html": "x"}, bucket: map[site.Key]string{"a.css": row.bucket}, journal: open}
			live := w.build(t)
			p := plan.Make(plan.Input{Release: "r3-new", Site: manifest(t, map[site.Key]string{"a.html": "x"}), Live: live, Retain: day, Now: now})
			want := *live.Objects[0].Object
			want.Kind, want.Digest, want.Size = site.KindAsset, row.digest, row.size
			if diff := cmp.Diff(p.Retired, []release.Retired{{Object: want, Release: "r3-new", Since: now}}); diff != "" {
				t.Errorf("retired (-got +want):\n%s", diff)
			}
		})
	}
}

// A retired asset whose headers an interrupted run has changed stays what it
// is: its time does not begin anew.
func TestRetiredStaysRetired(t *testing.T) {
	open := &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Touched: []site.Key{"old.css"}}
	live := world{live: map[site.Key]string{"a.html": "x"}, retired: map[site.Key]string{"old.css": "old"}, journal: open}.build(t)
	live.Objects[1].Object.ETag, live.Objects[1].Known = "after a copy", true
	p := plan.Make(plan.Input{Release: "r3-new", Site: live.State.Live.Site, Live: live, Retain: day, Now: now})
	want := []release.Retired{{Object: *live.Objects[1].Object, Release: "r1-live", Since: now.Add(-time.Hour)}}
	if diff := cmp.Diff(p.Retired, want); diff != "" || len(p.Steps) > 0 {
		t.Errorf("steps %q, retired (-got +want):\n%s", steps(p), diff)
	}
}

func TestARepeatedRunKeepsItsNameInTheRecord(t *testing.T) {
	next := map[site.Key]string{"a.html": "x"}
	j := &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Site: plan.Fingerprint(manifest(t, next))}
	p := planFor(t, world{live: map[site.Key]string{"a.html": "x", "b.css": "b"}, journal: j}, next)
	if p.Release != "r2-open" || len(p.Retired) != 1 || p.Retired[0].Release != "r2-open" {
		t.Errorf("%s retires %+v, want r2-open", p.Release, p.Retired)
	}
}

// TestClockWentBack: what is superseded now was not superseded before what was
// superseded earlier.
func TestClockWentBack(t *testing.T) {
	in := plan.Input{Release: "r4-new", Live: world{live: map[site.Key]string{"a.html": "a", "b.css": "b"}}.build(t), Retain: day, Now: now}
	ahead := now.Add(time.Hour)
	rows := map[string]func(*release.Manifest){
		"a kept release": func(m *release.Manifest) {
			m.About = release.Entry{Release: "r3", Created: now.Add(-time.Hour)}
			m.History = []release.Entry{{Release: "r2", Created: ahead}, {Release: "r1", Created: now.Add(-2 * time.Hour)}}
		},
		"kept bytes":      func(m *release.Manifest) { m.Kept = []release.Kept{keptSince("z", -time.Hour)} },
		"a retired asset": func(m *release.Manifest) { m.Retired = []release.Retired{{Object: file("z.css", "z"), Since: ahead}} },
	}
	for name, change := range rows {
		t.Run(name, func(t *testing.T) {
			in.Live.State.Live = release.Manifest{Release: "r3", Site: in.Live.State.Live.Site}
			change(&in.Live.State.Live)
			p := plan.Make(in)
			m := p.Manifest(in.Live.State, p.Site, release.Entry{Created: now.Add(time.Minute)})
			for _, k := range m.Kept {
				if k.Digest == file("", "a").Digest && !k.Since.Equal(ahead) {
					t.Errorf("kept since %s, want %s", k.Since, ahead)
				}
			}
			if len(m.Retired) != 1 || !m.Retired[0].Since.Equal(ahead) {
				t.Errorf("retired: %+v, want since %s", m.Retired, ahead)
			}
		})
	}
}

// A release that was made by a clock far ahead holds nothing back once what it
// superseded is gone.
func TestGoneReleasesDoNotHoldTheClock(t *testing.T) {
	in := plan.Input{Release: "r4-new", Live: world{live: map[site.Key]string{"a.html": "a"}}.build(t), Retain: day, Now: now}
	in.Live.State.Live.About = release.Entry{Release: "r3", Created: now.Add(-time.Hour)}
	in.Live.State.Live.History = []release.Entry{{Release: "r2", Created: now.Add(365 * day)}, {Release: "r1", Created: now.Add(-2 * day), Gone: true}}
	if diff := cmp.Diff(plan.Make(in).Kept, []release.Kept{keptSince("a", 0)}); diff != "" {
		t.Errorf("kept (-got +want):\n%s", diff)
	}
}

func TestBackAgain(t *testing.T) {
	in := plan.Input{
		Release: "r3-new", Site: manifest(t, map[site.Key]string{"a.html": "old", "b.html": "b"}), Restores: "r1-old",
		Live: world{live: map[site.Key]string{"a.html": "new"}}.build(t), Now: now,
	}
	p := plan.Make(in)
	if diff := cmp.Diff(steps(p), []string{"new pages: add b.html (back again)", "changed pages: update a.html (content)"}); diff != "" {
		t.Errorf("steps (-got +want):\n%s", diff)
	}
	if p.Restores != "r1-old" || p.Manifest(in.Live.State, p.Site, release.Entry{}).About.Restores != "r1-old" {
		t.Errorf("the plan restores %q", p.Restores)
	}
}

func TestManifestTellsWhatThePlanDid(t *testing.T) {
	live := map[site.Key]string{"a.html": "a", "b.html": "b", "c.html": "c", "gone.html": "gone", "old.css": "old"}
	in := plan.Input{
		Release: "r2-new", Site: manifest(t, map[site.Key]string{"a.html": "longer", "b.html": "b|x", "c.html": "c", "new.html": "!"}),
		Live: world{live: live, retired: map[site.Key]string{"due.css": "due"}}.build(t), Distributions: one, Retain: time.Hour, Now: now,
		Spending: plan.Spending{Policy: invalidation.PolicyFrugal},
	}
	in.Live.State.Live.Kept = []release.Kept{keptSince("young", time.Minute)}
	in.Live.State.Live.Created = now.Add(-time.Hour)
	p := plan.Make(in)
	created := now.Add(time.Minute)
	revision := &release.Revision{Name: "abc"}
	m := p.Manifest(in.Live.State, p.Site, release.Entry{Created: created, Writer: "ben@laptop", Revision: revision, Seconds: 7})
	drops, _ := p.Drops()
	want := release.Entry{
		Release: "r2-new", Number: 2, Created: created, Site: plan.Fingerprint(in.Site), Writer: "ben@laptop", Revision: revision,
		Objects: 4, Bytes: 9, Uploaded: 2, Sent: 7, Headers: 1, Removed: 1, Retired: 1, Swept: 1, Paths: p.Paths(), Drops: drops, Seconds: 7,
	}
	if diff := cmp.Diff(m.About, want); diff != "" {
		t.Errorf("about (-got +want):\n%s", diff)
	}
	if drops == 0 || p.Paths() == 0 {
		t.Errorf("%d paths drop %d objects: the row tests nothing", p.Paths(), drops)
	}
	if m.Release != "r2-new" || m.Number != 2 || !m.Created.Equal(created) || !cmp.Equal(keys(m.Site), keys(in.Site)) {
		t.Errorf("manifest: %+v", m)
	}
	if diff := cmp.Diff(m.History, in.Live.State.Past(now, time.Hour)); diff != "" || len(m.History) != 1 {
		t.Errorf("history (-got +want):\n%s", diff)
	}
	sinces := map[site.Digest]time.Time{}
	for _, k := range m.Kept {
		sinces[k.Digest] = k.Since
	}
	for _, body := range []string{"a", "gone"} {
		if got := sinces[file("", body).Digest]; !got.Equal(created) {
			t.Errorf("%q is kept since %s, want since it was superseded", body, got)
		}
	}
	if got := sinces[file("", "young").Digest]; !got.Equal(now.Add(-time.Minute)) || len(sinces) != 3 {
		t.Errorf("%d kept, the old one since %s", len(sinces), got)
	}
	if slices.ContainsFunc(p.Kept, func(k release.Kept) bool { return k.Since.After(now) }) {
		t.Errorf("the plan has changed: %+v", p.Kept)
	}
	if len(m.Retired) != 1 || !m.Retired[0].Since.Equal(created) || !p.Retired[0].Since.Equal(now) {
		t.Errorf("retired %+v; the plan must stay as it was: %+v", m.Retired, p.Retired)
	}
}
