package ui

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func env(values ...string) func(string) string {
	return func(name string) string {
		for _, v := range values {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestFindCI(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want CI
	}{
		{"nobody's", nil, ""},
		{"any other", []string{"CI=true"}, ""},
		{"GitHub", []string{"CI=true", "GITHUB_ACTIONS=true"}, GitHub},
		{"GitLab", []string{"CI=true", "GITLAB_CI=true"}, GitLab},
		{"switched off", []string{"GITHUB_ACTIONS=false"}, ""},
	} {
		if got := FindCI(env(tt.env...)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnnotate(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    Annotation
		want string
	}{
		{"message alone", Annotation{Level: "warning", Message: "careful"}, "::warning::careful\n"},
		{"place", Annotation{Level: "error", File: "a,b/freshet:1.yaml", Line: 3, Column: 5, Title: "50%: bad", Message: "100% wrong:\r\n::error::x, y"},
			"::error file=a%2Cb/freshet%3A1.yaml,line=3,col=5,title=50%25%3A bad::100%25 wrong:%0D%0A::error::x, y\n"},
		{"no file, no line", Annotation{Level: "error", Line: 3, Title: "t", Message: "m"}, "::error title=t::m\n"},
	} {
		var b bytes.Buffer
		GitHub.Annotate(&b, tt.a)
		if b.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, b.String(), tt.want)
		}
	}
	var b bytes.Buffer
	GitLab.Annotate(&b, Annotation{Level: "error", Message: "m"})
	CI("").Annotate(&b, Annotation{Level: "error", Message: "m"})
	if b.Len() > 0 {
		t.Errorf("printed where nobody reads it: %q", b.String())
	}
}

// readCommand is how GitHub's runner reads a line. actions/runner,
// ActionCommand.TryParseV2, read 2026-11
func readCommand(line string) (properties map[string]string, message string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "::")
	head, message, found := strings.Cut(rest, "::")
	if !ok || !found {
		return nil, "", false
	}
	properties = map[string]string{}
	_, list, _ := strings.Cut(head, " ")
	for one := range strings.SplitSeq(list, ",") {
		if name, value, ok := strings.Cut(one, "="); ok {
			properties[name] = strings.NewReplacer("%3A", ":", "%2C", ",", "%0D", "\r", "%0A", "\n", "%25", "%").Replace(value)
		}
	}
	return properties, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(message), true
}

// Whatever a message holds, GitHub reads one command, and reads it as it was.
func TestAnnotationsAreReadAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab:,%=\r\n \"02AD3C5é")))
		a := Annotation{Level: "error", Title: text.Draw(t, "title"), File: text.Draw(t, "file"), Message: text.Draw(t, "message")}
		var b bytes.Buffer
		GitHub.Annotate(&b, a)
		line, rest, _ := strings.Cut(b.String(), "\n")
		properties, message, ok := readCommand(line)
		if !ok || rest != "" || message != a.Message || properties["title"] != a.Title || properties["file"] != a.File {
			t.Fatalf("%+v is read as %q, %q from %q", a, properties, message, b.String())
		}
	})
}

func TestGroup(t *testing.T) {
	c := &clock{time.Unix(1790000000, 0)}
	for _, tt := range []struct {
		ci   CI
		want string
	}{
		{"", "inside\n"},
		{GitHub, "::group::Plan: 100%25%0A::error::\ninside\n::endgroup::\n"},
		{GitLab, "\x1b[0Ksection_start:1790000000:freshet_plan[collapsed=true]\r\x1b[0KPlan: 100%\\n::error::\ninside\n" +
			"\x1b[0Ksection_end:1790000007:freshet_plan\r\x1b[0K\n"},
	} {
		c.now = time.Unix(1790000000, 0)
		var b bytes.Buffer
		end := tt.ci.Group(&b, "plan", "Plan: 100%\n::error::", c.Now)
		b.WriteString("inside\n")
		c.now = c.now.Add(7 * time.Second)
		end()
		if b.String() != tt.want {
			t.Errorf("%q: %q, want %q", tt.ci, b.String(), tt.want)
		}
	}
}

func TestMarkdownTable(t *testing.T) {
	var b bytes.Buffer
	MarkdownTable(&b, []string{"", "Object"}, [][]string{{"add", Code("a|b`<img>\n@x.html")}, {"", Plain("**not bold** [no](link)")}})
	want := "|  | Object |\n| --- | --- |\n" +
		"| add | <code>a&#124;b&#96;&#60;img&#62;&#92;n&#64;x.html</code> |\n" +
		"|  | &#42;&#42;not bold&#42;&#42; &#91;no&#93;&#40;link&#41; |\n\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// No text leaves its cell.
func TestPlainStaysInItsCell(t *testing.T) {
	bad := regexp.MustCompile("[|<>`*_\\[\\]\\n\\\\]")
	rapid.Check(t, func(t *rapid.T) {
		if got := Plain(rapid.String().Draw(t, "text")); bad.MatchString(got) {
			t.Fatalf("%q", got)
		}
	})
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain ページ 👩\u200d💻": "plain ページ 👩\u200d💻", "": "", "a\x1b[31mb": `a\x1b[31mb`, "a\nb\tc\r": `a\nb\tc\r`, "a\x7f\u0085": `a\x7f\x85`,
		"evil\u202egpj.exe": `evil\u202egpj.exe`, "a\xffb": `a\xffb`,
	} {
		if got := Visible(text); got != want {
			t.Errorf("Visible(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	for _, text := range []string{"", "a", "\x1b[2J", "日本\u202e", "\xff\xfe"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Visible(text)
		for _, r := range got {
			if hidden(r) {
				t.Errorf("Visible(%q) = %q", text, got)
			}
		}
		if again := Visible(got); again != got {
			t.Errorf("Visible(%q) = %q, and again %q", text, got, again)
		}
	})
}

func TestColour(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want bool
	}{
		{"no terminal", nil, false},
		{"forced", []string{"FORCE_COLOR=1"}, true},
		{"forced, the older way", []string{"CLICOLOR_FORCE=1", "TERM=dumb"}, true},
		{"not forced", []string{"FORCE_COLOR=0", "CLICOLOR_FORCE=0"}, false},
		{"NO_COLOR counts most", []string{"FORCE_COLOR=1", "NO_COLOR=1"}, false},
		{"an empty NO_COLOR says nothing", []string{"FORCE_COLOR=1", "NO_COLOR="}, true},
	} {
		if got := NewStyle(&bytes.Buffer{}, env(tt.env...)).colour; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
