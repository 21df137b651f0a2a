// Package manual writes what a program says about itself as documents: a
// command reference in Markdown and man pages.
//
// It promises that the same reference gives the same bytes, on every machine and
// every day: no dates, no paths, no widths of terminals. It takes plain values
// and knows no library for command lines; cmd/freshet reads its own tree of
// commands into them. It leaves out what a help text does not hold: anything in
// its prose beyond paragraphs, `words to type` and indented blocks is passed on
// as it stands.
//
// The Markdown is CommonMark with GitHub's tables; the man pages use the macros
// of man(7) that groff and mandoc share.
package manual

import "strings"

// Reference is a program with its commands.
type Reference struct {
	Program  Command   // the program itself: Name "freshet"
	Commands []Command // in the order in which people should read them
	Global   []Flag    // flags that every command takes
	Exits    []Exit    // exit codes, from 0
}

// Command is one command.
type Command struct {
	Name     string   // as it is typed: "freshet deploy"
	Usage    string   // "freshet invalidate PATH… [flags]"
	Short    string   // one line, without a full stop
	Long     string   // paragraphs; indented lines stand as they are; "" for none
	Examples []string // lines to type
	Flags    []Flag   // its own, without the global ones
	Subs     []string // names of commands below it, which have no section of their own
}

// Flag is one flag.
type Flag struct {
	Name    string // "directory"
	Short   string // "C"; "" for none
	Value   string // what it takes: "folder"; "" for nothing
	Default string // "" where there is none, or where Usage tells
	Usage   string
}

// Exit is one exit code.
type Exit struct {
	Code  int
	Means string
}

// spelled is a flag as it is typed: "-C, --directory folder".
func (f Flag) spelled() string {
	text := "--" + f.Name
	if f.Short != "" {
		text = "-" + f.Short + ", " + text
	}
	if f.Value != "" {
		text += " " + f.Value
	}
	return text
}

// block is a paragraph, or lines that stand as they are.
type block struct {
	lines    []string
	verbatim bool
}

// blocks cuts a help text. Lines that begin with two spaces, and empty ones
// between them, make a verbatim block, which loses the indentation that all its
// lines share.
func blocks(text string) []block {
	var out []block
	gap := true
	for line := range strings.SplitSeq(text, "\n") {
		verbatim := strings.HasPrefix(line, "  ")
		last := len(out) - 1
		switch {
		case strings.TrimSpace(line) == "":
			gap = true
			continue
		case verbatim && last >= 0 && out[last].verbatim:
			if gap {
				out[last].lines = append(out[last].lines, "")
			}
			out[last].lines = append(out[last].lines, line)
		case gap || out[last].verbatim != verbatim:
			out = append(out, block{[]string{line}, verbatim})
		default:
			out[last].lines = append(out[last].lines, line)
		}
		gap = false
	}
	for _, b := range out {
		if b.verbatim {
			dedent(b.lines)
		}
	}
	return out
}

// dedent takes the indentation away that all lines share.
func dedent(lines []string) {
	least := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, " ")); line != "" && (least < 0 || n < least) {
			least = n
		}
	}
	for i, line := range lines {
		if line != "" {
			lines[i] = line[least:]
		}
	}
}
