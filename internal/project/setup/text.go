package setup

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/freshet/freshet/internal/project/config"
)

// Text is the file that gives the answers, with comments. The schema is what
// its first line names for editors, relative to the file; "" leaves the line
// out. The error is a *Mistake if the file cannot say an answer.
func (f Facts) Text(a Answers, from Origins, schema string) ([]byte, error) {
	var w writer
	if schema != "" {
		w.line("# yaml-language-server: $schema=%s", oneLine(schema))
	}
	w.line("# What freshet publishes, and where. `freshet init` wrote this; it is yours to change.")
	w.line("")
	w.key("site: "+scalar(a.Site), siteComment(from.Site))
	w.line("")
	f.writeBuild(&w, a)
	w.examples(f.Generator.Name)
	writeTargets(&w, a, from)
	return w.text, verify(w.text, a)
}

// verify reads the text back and compares.
func verify(text []byte, a Answers) error {
	c, err := config.Parse("freshet.yaml", text)
	if err != nil {
		return fmt.Errorf("the answers make no good file: %w", err)
	}
	t := c.Targets[a.Target]
	said := Answers{Site: c.Site, Build: c.Build.Command, Clean: c.Build.Clean, Target: a.Target, Region: t.Region, Endpoint: t.Endpoint, Distributions: t.Distributions}
	if t.Bucket != "" {
		said.Bucket = strings.TrimSuffix("s3://"+t.Bucket+"/"+t.Prefix, "/")
	}
	if !said.equal(a) {
		return errors.New("the file would not say what was answered; write freshet.yaml by hand, and report this as a bug")
	}
	return nil
}

// equal compares what the file says with what was answered, in the forms that
// package config gives it.
func (a Answers) equal(b Answers) bool {
	return a.Site == b.Site && a.Build == strings.TrimSpace(b.Build) && a.Bucket == strings.TrimRight(b.Bucket, "/") &&
		a.Region == b.Region && a.Endpoint == strings.TrimRight(b.Endpoint, "/") &&
		slices.Equal(a.Distributions, b.Distributions) && slices.Equal(a.Clean, b.Clean)
}

func siteComment(origin string) string {
	if origin == "" {
		return "the folder to publish"
	}
	return "the folder to publish: " + origin
}

func (f Facts) writeBuild(w *writer, a Answers) {
	if a.Build == "" {
		w.key("# build:", "how the site is made from its sources")
		w.key("#   command: make html", "")
		return
	}
	w.line("build:")
	w.key("  command: "+scalar(a.Build), "")
	if len(a.Clean) > 0 {
		if f.Generator.Leaves && a.Build == f.Generator.Command {
			w.line("  # %s leaves pages whose source is gone: `freshet clean` before a build removes them.", f.Generator.Name)
		}
		w.key("  clean: "+list(a.Clean), "what `freshet clean` removes")
	}
	w.key("  # watch: [content]", "what `freshet dev` watches")
	w.key("  # image: python:3.13", "run the command in a container, by docker or podman")
}

// examples are the sections that a new user meets later, as comments.
func (w *writer) examples(generator string) {
	match := cmp.Or(map[string]string{"Pelican": "theme/**", "Docusaurus": "assets/**", "MkDocs": "assets/**", "Jekyll": "assets/**"}[generator], "images/**")
	w.line("")
	w.key("# headers:", "the first match wins; what matches nothing gets freshet's defaults")
	w.line("#   - match: %q", match)
	w.line("#     cache-control: public, max-age=3600, s-maxage=31536000")
	w.line("#")
	w.line("# invalidation:")
	w.key("#   policy: balanced", "exact | balanced | frugal")
	w.key(fmt.Sprintf("#   budget: %d", config.DefaultBudget), "paths a month over all targets; 0 = no limit")
	w.line("#")
	w.key("# retain: 30d", "how long assets of past releases stay reachable")
	w.line("")
}

func writeTargets(w *writer, a Answers, from Origins) {
	w.line("targets:")
	w.key("  local: {}", "the embedded cloud of this machine: where a plain `freshet deploy` goes")
	if a.Bucket == "" {
		w.key("  # "+a.Target+":", "`freshet deploy --target "+a.Target+"`")
		w.line("  #   bucket: s3://www.example.org")
		w.line("  #   region: eu-central-1")
		w.key("  #   distribution: auto", "found by the bucket behind it")
		return
	}
	w.key("  "+scalar(a.Target)+":", "`freshet deploy --target "+a.Target+"`")
	w.key("    bucket: "+scalar(a.Bucket), origin(from.Bucket))
	if a.Region != "" {
		w.key("    region: "+scalar(a.Region), origin(from.Region))
	}
	if a.Endpoint != "" {
		w.key("    endpoint: "+scalar(a.Endpoint), "")
	}
	switch len(a.Distributions) {
	case 0:
		w.key("    # distribution: auto", "without one, nothing is invalidated")
	case 1:
		w.key("    distribution: "+scalar(a.Distributions[0]), origin(from.Distribution))
	default:
		w.key("    distribution: "+list(a.Distributions), origin(from.Distribution))
	}
}

func origin(from string) string {
	if from == "" || strings.Contains(from, " ") {
		return from
	}
	return "from " + from
}

// writer writes lines with comments in one column.
type writer struct{ text []byte }

// commentColumn is where comments begin, if there is room.
const commentColumn = 36

func (w *writer) line(format string, args ...any) {
	w.text = append(fmt.Appendf(w.text, format, args...), '\n')
}

// key writes a line that may end with a comment; one after a long value goes
// above the line.
func (w *writer) key(text, comment string) {
	comment = oneLine(comment)
	switch width := utf8.RuneCountInString(text); {
	case comment == "":
		w.line("%s", text)
	case width >= 60:
		indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
		w.line("%s# %s", indent, comment)
		w.line("%s", text)
	default:
		w.line("%s%s # %s", text, strings.Repeat(" ", max(0, commentColumn-1-width)), comment)
	}
}

// oneLine keeps a comment a comment, whatever a file is called.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// bare are texts that YAML reads as what they are, without quotes.
var bare = regexp.MustCompile(`^[A-Za-z./][A-Za-z0-9 ._/@%+=&;$()-]*(?:://[A-Za-z0-9._/-]+)?$`)

// scalar is a text as YAML.
func scalar(text string) string {
	word := strings.ToLower(text)
	special := slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"}, word)
	number := strings.Trim(word, "0123456789._e+-x") == ""
	if text == "." || bare.MatchString(text) && !special && !number && !strings.HasSuffix(text, " ") {
		return text
	}
	return quoted(text)
}

// quoted is a text in double quotes, on one line. YAML 1.2.2, 5.7 "Escaped
// Characters".
func quoted(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r <= 0xff && !unicode.IsPrint(r):
			fmt.Fprintf(&out, `\x%02X`, r)
		case r <= 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&out, `\u%04X`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&out, `\U%08X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func list(values []string) string {
	var out []string
	for _, value := range values {
		if text := scalar(value); strings.ContainsAny(text, " ") && text[0] != '"' {
			out = append(out, quoted(value))
		} else {
			out = append(out, text)
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}
