package manual_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/manual"
)

var sample = manual.Reference{
	Program: manual.Command{Name: "tool", Usage: "tool [flags]", Short: "Do it", Long: "Does it:\n\n    tool go\n\nand *nothing* <else>."},
	Commands: []manual.Command{{
		Name: "tool go", Usage: "tool go PATH… [flags]", Short: "Go | stay", Examples: []string{"tool go '/*'"},
		Long:  "Takes `a*b` and\n.profile, then:\n\n  one\n    two\n\n  three",
		Flags: []manual.Flag{{Name: "fast", Short: "f", Value: "much", Default: "1", Usage: "how much, a|b"}},
	}},
	Global: []manual.Flag{{Name: "quiet", Short: "q", Usage: "say nothing"}},
	Exits:  []manual.Exit{{Code: 0, Means: "done"}, {Code: 1, Means: "failed"}},
}

func TestMarkdown(t *testing.T) {
	want := "# tool: commands and exit codes\n\n" +
		"<!-- Written by the program itself: `make docs`. Changes belong into its help texts. -->\n\n" +
		"Does it:\n\n```\ntool go\n```\n\nand \\*nothing\\* \\<else\\>.\n\n" +
		"## Commands\n\n| command | does |\n|---|---|\n| [`tool go`](#tool-go) | Go \\| stay |\n\n" +
		"## Flags of every command\n\n| flag | default | |\n|---|---|---|\n| `-q, --quiet` |  | say nothing |\n\n" +
		"## Exit codes\n\nThe same for every command.\n\n| code | means |\n|---|---|\n| 0 | done |\n| 1 | failed |\n\n" +
		"## tool go\n\nGo | stay.\n\n```\ntool go PATH… [flags]\n```\n\n" +
		"Takes `a*b` and\n.profile, then:\n\n```\none\n  two\n\nthree\n```\n\n" +
		"| flag | default | |\n|---|---|---|\n| `-f, --fast much` | `1` | how much, a\\|b |\n\n" +
		"```sh\ntool go '/*'\n```\n"
	if diff := cmp.Diff(string(sample.Markdown()), want); diff != "" {
		t.Errorf("got-, want+:\n%s", diff)
	}
}

func TestPages(t *testing.T) {
	want := ".TH TOOL-GO 1 \"\" \"tool\" \"tool manual\"\n" +
		".SH NAME\ntool\\-go \\- Go | stay\n" +
		".SH SYNOPSIS\n.nf\ntool go PATH\\[u2026] [flags]\n.fi\n" +
		".SH DESCRIPTION\nTakes \\fBa*b\\fR and\n\\&.profile, then:\n.PP\n.RS 4\n.nf\none\n  two\n\nthree\n.fi\n.RE\n" +
		".SH OPTIONS\n.TP\n\\fB\\-f\\fR, \\fB\\-\\-fast\\fR \\fImuch\\fR\nhow much, a|b (default 1)\n" +
		".SH GLOBAL OPTIONS\n.TP\n\\fB\\-q\\fR, \\fB\\-\\-quiet\\fR\nsay nothing\n" +
		".SH EXAMPLES\n.nf\ntool go \\(aq/*\\(aq\n.fi\n" +
		".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n" +
		".SH SEE ALSO\n.BR tool (1)\n"
	pages := sample.Pages()
	if diff := cmp.Diff(string(pages["tool-go.1"]), want); diff != "" {
		t.Errorf("got-, want+:\n%s", diff)
	}
	names := []string{}
	for name := range pages {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, []string{"tool-go.1", "tool.1"}); diff != "" {
		t.Error(diff)
	}
}

// groff is the outside judge: what it prints is what the page says, without a
// warning.
func TestPagesAreReadByGroff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil && os.Getenv("FRESHET_REQUIRE_JUDGES") != "" {
		t.Fatal("groff is required and not installed")
	}
	if err != nil {
		t.Skip("groff is not installed")
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-P-cbou")
	cmd.Stdin = strings.NewReader(string(sample.Pages()["tool-go.1"]))
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("%v: %s", err, &warnings)
	}
	for _, want := range []string{"tool go PATH… [flags]", "-f, --fast much", "tool go '/*'", "Takes a*b and .profile"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the page does not show %q:\n%s", want, out)
		}
	}
}
