package manual

import (
	"bytes"
	"fmt"
	"strings"
)

// Markdown is the command reference. Each command has a heading of its own,
// with the anchor that GitHub makes of it: "#freshet-deploy".
func (r Reference) Markdown() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s: commands and exit codes\n\n", r.Program.Name)
	out.WriteString("<!-- Written by the program itself: `make docs`. Changes belong into its help texts. -->\n\n")
	out.WriteString(prose(r.Program.Long))
	out.WriteString("## Commands\n\n| command | does |\n|---|---|\n")
	for _, c := range r.Commands {
		fmt.Fprintf(&out, "| [`%s`](#%s) | %s |\n", c.Name, anchor(c.Name), cell(c.Short))
	}
	out.WriteString("\n## Flags of every command\n\n" + table(r.Global))
	out.WriteString("## Exit codes\n\nThe same for every command.\n\n| code | means |\n|---|---|\n")
	for _, e := range r.Exits {
		fmt.Fprintf(&out, "| %d | %s |\n", e.Code, cell(e.Means))
	}
	for _, c := range r.Commands {
		out.WriteString("\n" + c.section())
	}
	return out.Bytes()
}

// section is one command's part of the reference.
func (c Command) section() string {
	var out strings.Builder
	fmt.Fprintf(&out, "## %s\n\n%s.\n\n```\n%s\n```\n", c.Name, inline(c.Short), c.Usage)
	if c.Long != "" {
		out.WriteString("\n" + strings.TrimSuffix(prose(c.Long), "\n"))
	}
	if len(c.Subs) > 0 {
		fmt.Fprintf(&out, "\n`%s --help` has more; so has each of: `%s`.\n", c.Name, strings.Join(c.Subs, "`, `"))
	}
	if len(c.Flags) > 0 {
		out.WriteString("\n" + strings.TrimSuffix(table(c.Flags), "\n"))
	}
	if len(c.Examples) > 0 {
		fmt.Fprintf(&out, "\n```sh\n%s\n```\n", strings.Join(c.Examples, "\n"))
	}
	return out.String()
}

func table(flags []Flag) string {
	var out strings.Builder
	out.WriteString("| flag | default | |\n|---|---|---|\n")
	for _, f := range flags {
		value := ""
		if f.Default != "" {
			value = "`" + f.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", f.spelled(), value, cell(f.Usage))
	}
	return out.String() + "\n"
}

// prose is a help text as paragraphs and code blocks, each followed by an empty
// line.
func prose(text string) string {
	var out strings.Builder
	for _, b := range blocks(text) {
		if b.verbatim {
			fmt.Fprintf(&out, "```\n%s\n```\n\n", strings.Join(b.lines, "\n"))
			continue
		}
		fmt.Fprintf(&out, "%s\n\n", inline(strings.Join(b.lines, "\n")))
	}
	return out.String()
}

// inline keeps characters of a text from being read as markup, except in
// `words to type`.
func inline(text string) string {
	var out strings.Builder
	code := false
	for i, r := range text {
		start := i == 0 || text[i-1] == '\n'
		switch {
		case r == '`':
			code = !code
		case code:
		case strings.ContainsRune(`*_<>[]\`, r), start && strings.ContainsRune("#+-=~", r):
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// cell is a text in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(inline(text), "|", `\|`), "\n", " ")
}

// anchor is what GitHub makes of a heading of lower-case words.
func anchor(name string) string { return strings.ReplaceAll(name, " ", "-") }
