package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

func write(t testing.TB, d Data) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sample is a small plan in which everything occurs.
func sample() Data {
	return Data{
		Target: "production", Bucket: "s3://example", Made: time.Date(2026, 11, 22, 15, 4, 0, 0, time.UTC),
		Release: "r2", Base: "r1", Summary: "1 upload (1.0 KB)",
		Steps: []Step{
			{OpAdd, "posts/new/index.html", 1000, "new page"}, {OpUpdate, "index.html", 900, "content"},
			{OpHeaders, "a.css", 80, "cache-control"}, {OpRemove, "old.html", 70, "removed page"}, {OpRetire, "old.js", 60, "kept"},
		},
		Distributions: []Distribution{{
			ID: "E1", Domain: "d1.example", Policy: "balanced", Seconds: 2, Optimal: "Nothing smaller covers them.",
			EverythingObjects: 1204, EverythingBytes: 312e6, Drops: 1, DropsBytes: 500,
			Items: []Item{
				{"/index.html", "content", []string{"/index.html"}, 1, 0, 0},
				{"/posts/*", "new page", []string{"/posts/new", "/posts/new/"}, 5, 1, 500},
			},
		}},
		Money: Money{Paths: 2, Used: 412, Budget: 1000, Text: "free (412 of 1,000 used this month)"},
		Objects: []Object{
			{"posts/new/index.html", 1000, MarkAdded}, {"posts/other/index.html", 500, MarkDropped}, {"index.html", 900, MarkUpdated},
			{"a.css", 80, MarkHeaders}, {"old.html", 70, MarkRemoved}, {"old.js", 60, MarkRetired},
			{"b.css", 5000, ""}, {"theirs.zip", 9000, MarkForeign},
		},
		Warnings: []string{"a warning"}, Guards: []string{"a guard"},
	}
}

func TestThePageSaysItAll(t *testing.T) {
	text := html.UnescapeString(write(t, sample()))
	for _, want := range []string{
		"<title>Plan for production</title>", "s3://example", ">E1</bdi>", "d1.example", "22 November 2026, 15:04 UTC",
		"2 files go up, 1 file gets other headers, 1 page goes away, 1 unused file is kept for now, and 6 addresses are thrown out of the caches; with them go 1 file that did not change (500 B).",
		"a warning", "a guard", "1 upload (1.0 KB)", "free (412 of 1,000 used this month)", "414 of 1,000 paths",
		"/posts/*", "… and 3 more", "1 unchanged (500 B)", "1,204 unchanged (312 MB)", "Nothing smaller covers them.",
		"posts/new/index.html", "removed page", `name="by" id="by-count"`, "takes 2 s", "<code>balanced</code>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(text, `<svg class="map `); n != 4 {
		t.Errorf("the page has %d maps, want 4", n)
	}
}

func TestThePageOfNothing(t *testing.T) {
	for name, d := range map[string]Data{
		"zero":            {},
		"no invalidation": {Distributions: []Distribution{{ID: "E1"}}},
		"unknown values":  {Steps: []Step{{Op: "dance"}}, Objects: []Object{{"a", -1, "odd"}, {"", 0, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			checkStructure(t, write(t, d))
		})
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `</title></svg><img src=x onerror=alert(1)>`, `"><b onclick="x">`, `' style='x`, `&lt;b&gt;`,
	"\u202egnp.exe", "שלום/עולם.html", "\x00\x1b[31m\n\r", "\xff\xfe", "{{.}}", `javascript:alert(1)`, "]]>", "<!--", "--!>",
	strings.Repeat("long<b>", 146) + "xx", strings.Repeat("あ", 341), "", "/", "//", "a//b", ".", "*", "#tag", "~'@%",
}

// hostileData puts each of the names wherever a name can stand.
func hostileData(names []string) Data {
	d := sample()
	for i, s := range names {
		d.Target, d.Bucket, d.Release, d.Base, d.Summary, d.Money.Text = s, s, s, s, s, s
		d.Objects = append(d.Objects, Object{s, 100, marks[i%len(marks)].mark}, Object{s + "/" + s, 5000, MarkUpdated})
		d.Steps = append(d.Steps, Step{OpAdd, s, 100, s}, Step{Op(s), s, 1, s})
		d.Distributions = append(d.Distributions, Distribution{
			ID: s, Domain: s, Root: s, Optimal: s, Policy: s,
			Items: []Item{{s, s, []string{s, s}, 2, 0, 0}, {"/" + s + "*", s, []string{"/" + s}, 1, 3, 3}},
		})
		d.Warnings, d.Guards = append(d.Warnings, s), append(d.Guards, s)
	}
	return d
}

func TestHostileNamesStayText(t *testing.T) {
	clean := elements(t, write(t, hostileData(harmless(len(hostile)))))
	for _, s := range hostile {
		out := write(t, hostileData([]string{s}))
		checkStructure(t, out)
		for _, r := range []rune{'\u202e', '\x00', '\x1b', '\r'} {
			if strings.ContainsRune(out, r) {
				t.Errorf("%q: the page holds %U as it is", s, r)
			}
		}
		for name := range elements(t, out) {
			if !clean[name] {
				t.Errorf("%q made <%s>", s, name)
			}
		}
	}
}

func harmless(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("name-%d", i))
	}
	return out
}

func TestLongNamesAreClipped(t *testing.T) {
	key := strings.Repeat("a", 512) + "/" + strings.Repeat("z", 511)
	out := write(t, Data{Steps: []Step{{OpAdd, key, 1, ""}}, Objects: []Object{{key, 1, MarkAdded}}})
	if n := strings.Count(out, key); n != 1 {
		t.Errorf("the whole name stands in the page %d times, want once, as the title of its row", n)
	}
	if !strings.Contains(out, "aaa…zzz") {
		t.Error("no name is clipped in its middle")
	}
}

func FuzzWrite(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkStructure(t, write(t, hostileData([]string{s})))
	})
}

var (
	scripts   = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	styles    = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	drawings  = regexp.MustCompile(`(?s)<svg.*?</svg>`)
	forbidden = regexp.MustCompile(`(?i)<[^>]*\s(on[a-z]+|style|src|srcset|action|xlink:href)\s*=`)
)

// checkStructure checks what holds for every page: it is one well-formed tree,
// and has one script and one style sheet, which its policy names.
func checkStructure(t testing.TB, page string) {
	t.Helper()
	elements(t, page)
	policy := html.UnescapeString(page)
	for kind, found := range map[string][][]string{
		"script-src": scripts.FindAllStringSubmatch(page, -1), "style-src": styles.FindAllStringSubmatch(page, -1),
	} {
		if len(found) != 1 {
			t.Fatalf("%s: %d blocks, want 1", kind, len(found))
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := kind + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if m := forbidden.FindString(quotedOut(page)); m != "" {
		t.Errorf("the page has %s", m)
	}
	for _, svg := range drawings.FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for _, err := d.Token(); err != io.EOF; _, err = d.Token() {
			if err != nil {
				t.Fatalf("a drawing is no XML: %v", err)
			}
		}
	}
}

// quotedOut is the page without script, and without what stands in quotes.
func quotedOut(page string) string {
	return regexp.MustCompile(`"[^"]*"`).ReplaceAllString(scripts.ReplaceAllString(page, ""), `""`)
}

// elements are the names of the page's elements, which must form a tree.
func elements(t testing.TB, page string) map[string]bool {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(styles.ReplaceAllString(scripts.ReplaceAllString(page, ""), "")))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	names := map[string]bool{}
	var open []string
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("read the page: %v", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			names[e.Name.Local] = true
			if !void(e.Name.Local) {
				open = append(open, e.Name.Local)
			}
		case xml.EndElement:
			if void(e.Name.Local) {
				continue
			}
			if len(open) == 0 || open[len(open)-1] != e.Name.Local {
				t.Fatalf("</%s> closes %v", e.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Fatalf("left open: %v", open)
	}
	return names
}

func void(name string) bool {
	return name == "meta" || name == "link" || name == "input"
}

func TestLongListsAreCut(t *testing.T) {
	d := Data{Distributions: []Distribution{{ID: "E1"}}}
	for i := range 175 {
		key := fmt.Sprintf("k%04d.html", i)
		d.Steps = append(d.Steps, Step{OpUpdate, key, 1, "content"})
		d.Warnings = append(d.Warnings, "w "+key)
	}
	for i := range 350 {
		d.Distributions[0].Items = append(d.Distributions[0].Items, Item{Path: fmt.Sprintf("/p%d", i), CoverCount: 1})
	}
	out := write(t, d)
	for text, want := range map[string]int{
		`<td class="key">`: 50, "… and 125 more; ": 2, `<th scope="row"><code>`: 300, "280 more paths": 1, "… and 50 more; ": 1, "<details open": 0,
	} {
		if got := strings.Count(out, text); got != want {
			t.Errorf("%q stands %d times, want %d", text, got, want)
		}
	}
}

func TestTheFileStaysSmall(t *testing.T) {
	d := sample()
	for i := range 200_000 {
		mark := MarkNone
		if i%20 == 0 {
			mark = MarkUpdated
		}
		d.Objects = append(d.Objects, Object{fmt.Sprintf("posts/%d/%02d/a-post-with-a-long-name-%d/index.html", 2000+i%26, i%12, i), int64(i % 50_000), mark})
	}
	if n := len(write(t, d)); n > 1_000_000 {
		t.Errorf("the page has %d bytes, want a million at most", n)
	}
}

func TestTheSameDataMakesTheSameBytes(t *testing.T) {
	d := sample()
	a := write(t, d)
	last := len(d.Objects) - 1
	d.Objects[0], d.Objects[last] = d.Objects[last], d.Objects[0]
	if a != write(t, d) {
		t.Error("the order of the objects shows")
	}
}

func TestButtonsPointAtTheTilesOfAnItem(t *testing.T) {
	d := Data{
		Distributions: []Distribution{{ID: "E1", Items: []Item{{Path: "/a/*", CoverCount: 1}, {Path: "#t", CoverCount: 1}}}},
		Objects:       []Object{{"a/1", 3000, ""}, {"a/2", 2000, ""}, {"b", 1000, ""}},
	}
	out := write(t, d)
	// Each of the four maps has the tiles a/1, a/2, b in the order of weight;
	// counted, all weigh the same and folder a/ still comes first.
	if want := `data-tiles="0-1 3-4 6-7 9-10"`; !strings.Contains(out, want) {
		t.Errorf("no button has %s: %v", want, regexp.MustCompile(`data-tiles="[^"]*"`).FindAllString(out, -1))
	}
	if n := strings.Count(out, "data-tiles="); n != 1 {
		t.Errorf("%d buttons, want 1: nobody knows the tiles of a tag", n)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteReturnsTheErrorOfItsWriter(t *testing.T) {
	full := errors.New("disk full")
	if err := Write(brokenWriter{full}, sample()); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}
