package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

// small is the plan of DESIGN section 2.
func small() PlanView {
	step := func(op plan.Op, phase plan.Phase, key site.Key, size int64, kind site.Kind, why string) plan.Step {
		return plan.Step{Op: op, Phase: phase, Object: site.Object{Key: key, Size: size, Kind: kind, Digest: site.Digest{1}}, Why: why}
	}
	item := func(path invalidation.Path, why string, covers ...string) invalidation.Item {
		return invalidation.Item{Path: path, Why: why, Covers: covers, CoverCount: len(covers)}
	}
	return PlanView{
		Target: "production", From: "s3://ben.gnoinski.ca", To: "EW7T5A29H3R3J",
		Plan: plan.Plan{
			Release: "0002-b", Base: "0001-a",
			Steps: []plan.Step{
				step(plan.OpHeaders, plan.PhaseChangedAssets, "theme/css/main.css", 4000, site.KindAsset, "cache-control: max-age=60 → max-age=31536000, immutable"),
				step(plan.OpAdd, plan.PhaseNewPages, "posts/invalidating-cloudfront-cache/index.html", 18_200, site.KindPage, "new page"),
				step(plan.OpUpdate, plan.PhaseChangedPages, "index.html", 9_100, site.KindPage, "content"),
				step(plan.OpRemove, 0, "drafts/old.html", 700, site.KindPage, "removed page"),
				step(plan.OpRetire, 0, "theme/css/old.5be7d0a2.css", 800, site.KindImmutable, "no longer used; kept until 22 Dec (retain: 30d)"),
			},
			Unchanged: 1204, Foreign: 2,
			Warnings: []string{"something to know"},
			Money:    plan.Money{Paths: 5, Used: 412, Budget: 1000},
			Purges: []plan.Purge{{Distribution: "EW7T5A29H3R3J", Policy: "balanced", LiveObjects: 1204, LiveBytes: 312_000_000, Cover: invalidation.Cover{Items: []invalidation.Item{
				item("/", "index.html", "/"),
				item("/drafts/old.html", "removed", "/drafts/old.html"),
				item("/index.html", "index.html", "/index.html"),
				item("/posts/invalidating-cloudfront-cache*", "index.html",
					"/posts/invalidating-cloudfront-cache", "/posts/invalidating-cloudfront-cache/", "/posts/invalidating-cloudfront-cache/index.html"),
				item("/theme/css/main.css", "headers changed", "/theme/css/main.css"),
			}}}},
		},
	}
}

func printed(s Style, v PlanView) string {
	var b bytes.Buffer
	s.w = &b
	s.Plan(v)
	return b.String()
}

func TestPlan(t *testing.T) {
	const want = `production  s3://ben.gnoinski.ca → EW7T5A29H3R3J

  ~ theme/css/main.css                                4.0 KB   cache-control: max-age=60 → max-age=31536000, immutable
  + posts/invalidating-cloudfront-cache/index.html   18.2 KB   new page
  ~ index.html                                        9.1 KB   content
  - drafts/old.html                                            removed page
  - theme/css/old.5be7d0a2.css                                 no longer used; kept until 22 Dec (retain: 30d)

  2 uploads (27.3 KB) · 1 header change · 1 removal now, 1 unused asset kept · 1,204 unchanged · 2 foreign objects left alone
  warning: something to know

Invalidate 5 paths, free (412 of 1,000 used this month), effective in about 5 s
  /                                      index.html
  /drafts/old.html                       removed
  /index.html                            index.html
  /posts/invalidating-cloudfront-cache*  3 URLs that changed; drops nothing else
  /theme/css/main.css                    headers changed
Drops 0 untouched objects. "/*" would drop 1,204 (312 MB).
`
	if diff := cmp.Diff(printed(Style{}, small()), want); diff != "" {
		t.Errorf("plan (-got +want):\n%s", diff)
	}
}

func TestPlanVariants(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(v *PlanView)
		want   []string // all of them stand in the text
		not    string   // does not
	}{
		{"nothing to do", func(v *PlanView) { v.Plan = plan.Plan{Unchanged: 3} },
			[]string{"EW7T5A29H3R3J\n\n  3 unchanged\n\nNothing to invalidate.\n"}, "Drops"},
		{"no distribution", func(v *PlanView) { v.To, v.Plan.Purges = "", nil },
			[]string{"production  s3://ben.gnoinski.ca\n", "Nothing is invalidated: the target has no distribution.\n"}, "→ EW"},
		{"no distribution, nothing to do", func(v *PlanView) { v.To, v.Plan = "", plan.Plan{} }, []string{"Nothing to invalidate.\n"}, "distribution"},
		{"a run that was interrupted", func(v *PlanView) { v.Plan.Resumes = "0002-b" }, []string{"Finishes release 0002-b, whose run was interrupted."}, "\x1b"},
		{"what a wildcard drops", func(v *PlanView) {
			v.Plan.Purges[0].Cover.Items[3].Drops, v.Plan.Purges[0].Cover.Items[3].DropsBytes = 1, 2000
			v.Plan.Purges[0].Cover.Drops, v.Plan.Purges[0].Cover.DropsBytes = 1, 2000
		}, []string{"3 URLs that changed; also drops 1 untouched object (2.0 KB)\n", "Drops 1 untouched object (2.0 KB). \"/*\" would drop 1,204"}, "Drops 0"},
		{"everything", func(v *PlanView) {
			v.Plan.Purges[0].Cover = invalidation.Cover{Items: []invalidation.Item{{Path: "/*", CoverCount: 7, Drops: 1204}}, Drops: 1204, DropsBytes: 312_000_000}
		}, []string{"Invalidate 1 path, free (412 of 1,000 used this month), effective in about 5 s\n  /*  7 URLs that changed; also drops 1,204 untouched objects (0 B)\nDrops 1,204 untouched objects (312 MB).\n"}, "would"},
		{"nothing to pay", func(v *PlanView) { v.Plan.Money.Free = true }, []string{"Invalidate 5 paths, free\n"}, "this month"},
		{"beyond the allowance", func(v *PlanView) {
			v.Plan.Money = plan.Money{Used: 1050, Budget: 2000, Price: 0.025}
			v.Plan.Purges[0].Seconds = 1.2
		},
			[]string{"Invalidate 5 paths, $0.03 (1,050 used this month), effective in about 7 s\n"}, "free"},
		{"no budget", func(v *PlanView) { v.Plan.Money.Budget = 0 }, []string{"free (412 used this month)"}, " of 0"},
		{"the budget is spent", func(v *PlanView) { v.Plan.Money.FellBack = true }, []string{"The month's budget of 1,000 paths does not allow more: the frugal policy was used.\n"}, "\x1b"},
		{"not all counted", func(v *PlanView) { v.Ledger = "why" }, []string{"The month's count is not whole: why\n"}, "\x1b"},
		{"two distributions", func(v *PlanView) {
			v.Plan.Purges = append(v.Plan.Purges, plan.Purge{Distribution: "E2", Cover: invalidation.Cover{Items: []invalidation.Item{{Path: "/x", Why: "x"}}}})
		},
			[]string{"Invalidate 6 paths, ", "EW7T5A29H3R3J: 5 paths\n  /  ", "\nE2: 1 path\n  /x  x\nDrops 0 untouched objects.\n"}, "\x1b"},
		{"a tag", func(v *PlanView) { v.Plan.Purges[0].Cover.Items[0].Path = "#fr.page" }, []string{"  #fr.page  ", "1 URL that changed; drops nothing else"}, "\x1b"},
		{"more rows than wanted", func(v *PlanView) { v.MaxRows = 2 },
			[]string{"… and 3 more; `freshet plan` lists them all\n\n", "  /drafts/old.html  removed\n  … and 3 more"}, "main.css  headers"},
		{"as many rows as wanted", func(v *PlanView) { v.MaxRows = 5 }, []string{"theme/css/old"}, "more;"},
		{"only removals", func(v *PlanView) { v.Plan.Steps = v.Plan.Steps[3:4] }, []string{"  1 removal now · 1,204"}, "upload"},
		{"only unused assets", func(v *PlanView) { v.Plan.Steps = v.Plan.Steps[4:] }, []string{"  1 unused asset kept · 1,204"}, "removal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := small()
			tt.change(&v)
			got := printed(Style{}, v)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s\nwant it to hold %q", got, want)
				}
			}
			if strings.Contains(got, tt.not) {
				t.Errorf("got\n%s\nwant it without %q", got, tt.not)
			}
		})
	}
}

func TestPlanOnATerminal(t *testing.T) {
	v := small()
	v.Plan.Steps[2].Object.Key = site.Key(strings.Repeat("日本/", 20) + "index.html")
	got := printed(Style{colour: true, terminal: true, columns: 80}, v)
	if !strings.Contains(got, "\x1b[32m+\x1b[0m") || !strings.Contains(got, "\x1b[1mproduction\x1b[0m") {
		t.Errorf("no colours in %q", got)
	}
	if !strings.Contains(got, "…") {
		t.Errorf("the long name is not shortened:\n%s", got)
	}
	column := 0
	for line := range strings.Lines(got) {
		if !strings.HasSuffix(line, "new page\n") && !strings.HasSuffix(line, "content\n") {
			continue
		}
		i := strings.Index(line, "KB")
		if at := Columns(line[:i]); column == 0 {
			column = at
		} else if at != column {
			t.Errorf("the sizes stand at %d and %d", column, at)
		}
	}
}

// What goes into a file is whole, however long.
func TestPlanElsewhereIsNotShortened(t *testing.T) {
	v := small()
	v.Plan.Steps[2].Object.Key = site.Key(strings.Repeat("a", 300))
	if got := printed(Style{}, v); !strings.Contains(got, "~ "+strings.Repeat("a", 300)+"    9.1 KB   content\n") {
		t.Errorf("the long name is shortened:\n%s", got)
	}
}

func TestPlanJSON(t *testing.T) {
	text, err := json.Marshal(NewPlanJSON(small()))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Release, Base, Resumes, Target, Bucket string
		Steps                                  []struct {
			Op, Phase, Key, Kind, SHA256, Why string
			Size                              int64
		}
		Unchanged, Foreign int
		Invalidations      []struct {
			Distribution       string
			Items              []struct{ Path string }
			Dropped_untouched  int
			Everything_objects int
			Everything_bytes   int64
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	summary := fmt.Sprint(got.Release, got.Base, got.Resumes, got.Target, got.Bucket, got.Invalidations[0].Distribution, len(got.Steps), got.Unchanged, got.Foreign,
		len(got.Invalidations[0].Items), got.Invalidations[0].Dropped_untouched, got.Invalidations[0].Everything_objects, got.Invalidations[0].Everything_bytes)
	want := fmt.Sprint("0002-b", "0001-a", "", "production", "s3://ben.gnoinski.ca", "EW7T5A29H3R3J", 5, 1204, 2, 5, 0, 1204, 312_000_000)
	if summary != want {
		t.Errorf("got %s, want %s", summary, want)
	}
	if s := got.Steps[1]; s.Op != "add" || s.Phase != "new pages" || s.Kind != "page" || s.Size != 18_200 || len(s.SHA256) != 64 || s.Why != "new page" {
		t.Errorf("step %+v", s)
	}
	if s := got.Steps[3]; s.Op != "remove" || s.Phase != "" {
		t.Errorf("a removal has the phase %q", s.Phase)
	}
}

func TestJSONHasNoNullLists(t *testing.T) {
	bare := small()
	bare.Plan.Purges[0].Cover.Items[0].Covers = nil
	for name, v := range map[string]any{
		"an empty plan":               NewPlanJSON(PlanView{}),
		"a small plan":                NewPlanJSON(small()),
		"an item that covers nothing": NewPlanJSON(bare),
		"no items":                    Items(nil),
		"an item of nothing":          Items(invalidation.Price([]invalidation.Path{"/a"}, nil, nil).Items),
	} {
		text, err := json.Marshal(v)
		if err != nil || bytes.Contains(text, []byte("null")) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	if bare.Plan.Purges[0].Cover.Items[0].Covers != nil {
		t.Error("NewPlanJSON changed the plan")
	}
}
