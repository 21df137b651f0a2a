package revision

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errTest = errors.New("a reason")

// known stands in for At.
func known(name string) (Revision, bool, error) {
	switch name {
	case "HEAD", "@", "a@b", "HEAD@{1}", "user@2026", "none@", "None", "@5":
		return Revision{Name: "commit of " + name, Branch: "main"}, true, nil
	case "broken":
		return Revision{}, false, errTest
	}
	return Revision{}, false, nil
}

func TestParse(t *testing.T) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	git := func(name string) Revision { return Revision{Name: "commit of " + name, Branch: "main"} }
	for _, tt := range []struct {
		text string
		want Revision // zero for none
		err  string
	}{
		{"none", Revision{}, ""},
		{"build-7@7", Revision{Name: "build-7", Time: at(7)}, ""},
		{"build@0", Revision{Name: "build", Time: at(0)}, ""},
		{"build@007", Revision{Name: "build", Time: at(7)}, ""},
		{"build@253402300799", Revision{Name: "build", Time: at(253402300799)}, ""},
		{"v1@2026-11-22T15:30:00Z", Revision{Name: "v1", Time: time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)}, ""},
		{"v1@2026-11-22T15:30:00.25+09:00", Revision{Name: "v1", Time: time.Date(2026, 11, 22, 6, 30, 0, 25e7, time.UTC)}, ""},
		{"feature/a@b@1", Revision{Name: "feature/a@b", Time: at(1)}, ""},
		{"two words@1", Revision{Name: "two words", Time: at(1)}, ""},
		{"none@1", Revision{Name: "none", Time: at(1)}, ""},
		{"@@1", Revision{Name: "@", Time: at(1)}, ""},
		{strings.Repeat("a", 200) + "@1", Revision{Name: strings.Repeat("a", 200), Time: at(1)}, ""},
		{"HEAD", git("HEAD"), ""},
		{"@", git("@"), ""},
		{"a@b", git("a@b"), ""},
		{"HEAD@{1}", git("HEAD@{1}"), ""},
		{"None", git("None"), ""},
		{"none@", git("none@"), ""},
		{"@5", git("@5"), ""},
		{"", Revision{}, `read the revision "": git knows no such commit here; give a commit, NAME@TIME with a time like 2026-11-22T15:30:00Z or a whole number, or none`},
		{"gone", Revision{}, "NAME@TIME"},
		{"v1@", Revision{}, "NAME@TIME"},
		{"v1@-1", Revision{}, "NAME@TIME"},
		{"v1@+1", Revision{}, "NAME@TIME"},
		{"v1@1.5", Revision{}, "NAME@TIME"},
		{"v1@2026-11-22", Revision{}, "NAME@TIME"},
		{"v1@yesterday", Revision{}, "NAME@TIME"},
		{"v1@253402300800", Revision{}, "larger than 253402300799"},
		{"v1@20261122153000", Revision{}, "a date is written like"},
		{"v1@99999999999999999999", Revision{}, "larger than"},
		{"v1@9999-12-31T23:59:59-01:00", Revision{}, "outside the years"},
		{"v1@0000-01-01T00:00:00+01:00", Revision{}, "outside the years"},
		{" @1", Revision{}, "the name before the @ is empty"},
		{strings.Repeat("a", 201) + "@1", Revision{}, "201 bytes, more than 200"},
		{"a\x1b[31m@1", Revision{}, "cannot be printed"},
		{"a\u202eb@1", Revision{}, "cannot be printed"},
		{"a\xff@1", Revision{}, "cannot be printed"},
		{"broken", Revision{}, `read the revision "broken": a reason`},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, ok, err := Parse(tt.text, known)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || ok || got != (Revision{}) {
					t.Errorf("got %v, %v, %v; want the error %q", got, ok, err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil || ok != (tt.want != Revision{}) {
				t.Errorf("%v, %v (-got +want):\n%s", ok, err, diff)
			}
		})
	}
	if _, _, err := Parse("broken", known); !errors.Is(err, errTest) {
		t.Errorf("the reason is not in the chain of %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"none", "a@1", "@", "a@b@2026-11-22T15:30:00Z", "a@253402300799", "a@99999999999999999999", "a@0000-01-01T00:00:00+01:00", "\xff@1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		asked := 0
		rev, ok, err := Parse(text, func(name string) (Revision, bool, error) {
			asked++
			if name != text {
				t.Fatalf("git is asked for %q", name)
			}
			return Revision{}, false, nil
		})
		if asked > 1 || ok != (rev != Revision{}) || ok && err != nil || (text == "none") != (!ok && err == nil) {
			t.Fatalf("Parse(%q) = %v, %v, %v", text, rev, ok, err)
		}
		if !ok {
			return
		}
		if !strings.HasPrefix(text, rev.Name+"@") || strings.Contains(text[len(rev.Name)+1:], "@") || rev.Branch != "" {
			t.Fatalf("Parse(%q) = %v", text, rev)
		}
		data, err := json.Marshal(rev) // as the record does
		var back Revision
		if err != nil || json.Unmarshal(data, &back) != nil || back != rev {
			t.Fatalf("Parse(%q) = %v becomes %s, %v", text, rev, data, err)
		}
	})
}
