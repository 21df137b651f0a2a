package manual

import (
	"bytes"
	"fmt"
	"strings"
)

// Pages are the man pages, by file name: "freshet-deploy.1". All are of section
// 1. They hold ASCII only; what is beyond it is written as groff and mandoc
// both read it.
func (r Reference) Pages() map[string][]byte {
	pages := map[string][]byte{}
	for _, c := range append([]Command{r.Program}, r.Commands...) {
		pages[page(c.Name)+".1"] = r.page(c)
	}
	return pages
}

// page is the name of a command's page: "freshet-deploy".
func page(name string) string { return strings.ReplaceAll(name, " ", "-") }

func (r Reference) page(c Command) []byte {
	var out bytes.Buffer
	title := page(c.Name)
	fmt.Fprintf(&out, ".TH %s 1 \"\" \"%s\" \"%s manual\"\n", strings.ToUpper(title), r.Program.Name, r.Program.Name)
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n", escape(title), text(c.Short))
	fmt.Fprintf(&out, ".SH SYNOPSIS\n.nf\n%s\n.fi\n", literal(c.Usage))
	out.WriteString(".SH DESCRIPTION\n" + paragraphs(c))
	if c.Name == r.Program.Name {
		out.WriteString(".SH COMMANDS\n")
		for _, sub := range r.Commands {
			fmt.Fprintf(&out, ".TP\n.BR %s (1)\n%s\n", escape(page(sub.Name)), text(sub.Short))
		}
	}
	if len(c.Flags) > 0 {
		out.WriteString(".SH OPTIONS\n" + options(c.Flags))
	}
	out.WriteString(".SH GLOBAL OPTIONS\n" + options(r.Global))
	if len(c.Examples) > 0 {
		fmt.Fprintf(&out, ".SH EXAMPLES\n.nf\n%s\n.fi\n", literal(strings.Join(c.Examples, "\n")))
	}
	out.WriteString(".SH EXIT STATUS\n")
	for _, e := range r.Exits {
		fmt.Fprintf(&out, ".TP\n.B %d\n%s\n", e.Code, text(e.Means))
	}
	if c.Name != r.Program.Name {
		fmt.Fprintf(&out, ".SH SEE ALSO\n.BR %s (1)\n", escape(page(r.Program.Name)))
	}
	return out.Bytes()
}

// paragraphs is a command's long text, or its short one.
func paragraphs(c Command) string {
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	var out strings.Builder
	for i, b := range blocks(long) {
		if i > 0 {
			out.WriteString(".PP\n")
		}
		if b.verbatim {
			fmt.Fprintf(&out, ".RS 4\n.nf\n%s\n.fi\n.RE\n", literal(strings.Join(b.lines, "\n")))
			continue
		}
		out.WriteString(text(strings.Join(b.lines, "\n")) + "\n")
	}
	return out.String()
}

func options(flags []Flag) string {
	var out strings.Builder
	for _, f := range flags {
		name := "\\fB\\-\\-" + escape(f.Name) + "\\fR"
		if f.Short != "" {
			name = "\\fB\\-" + escape(f.Short) + "\\fR, " + name
		}
		if f.Value != "" {
			name += " \\fI" + escape(f.Value) + "\\fR"
		}
		usage := text(f.Usage)
		if f.Default != "" {
			usage += " (default " + escape(f.Default) + ")"
		}
		fmt.Fprintf(&out, ".TP\n%s\n%s\n", name, usage)
	}
	return out.String()
}

// text is prose, with `words to type` in bold.
func text(s string) string {
	var out strings.Builder
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			out.WriteString("\\fB" + escape(part) + "\\fR")
			continue
		}
		out.WriteString(escape(part))
	}
	return guard(out.String())
}

// literal is text in which nothing is markup.
func literal(s string) string { return guard(escape(s)) }

// guard keeps lines that begin like a request of roff from being read as one.
func guard(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// escape keeps characters as they are: hyphens that can be copied into a shell,
// straight quotes, and what is beyond ASCII.
func escape(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			out.WriteString(`\e`)
		case r == '-':
			out.WriteString(`\-`)
		case r == '\'':
			out.WriteString(`\(aq`)
		case r == '`':
			out.WriteString(`\(ga`)
		case r == '~':
			out.WriteString(`\(ti`)
		case r == '^':
			out.WriteString(`\(ha`)
		case r > '~':
			fmt.Fprintf(&out, `\[u%04X]`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
