package habit

import (
	"regexp"
	"slices"
	"strings"
)

// variables are the values that a file gives its variables, each value once,
// in the order of the file.
type variables map[string][]string

// maxValues is how many values of one variable are followed, and maxDepth how
// often one may stand in another.
const (
	maxValues = 8
	maxDepth  = 8
	maxText   = 1 << 14 // bytes and steps that one line may take
	// maxReference is how long a reference to a variable may be, in bytes.
	maxReference = 1 << 10
)

func (v variables) set(name, value string) {
	value = strings.TrimSpace(value)
	if value != "" && len(v[name]) < maxValues && !slices.Contains(v[name], value) {
		v[name] = append(v[name], value)
	}
}

// assignments of each dialect: name and value.
var (
	makeAssignment   = regexp.MustCompile(`^ *(?:(?:export|override) +)*([A-Za-z_][\w.-]*)\s*(?:\?|\+|!|:{1,3})?=\s*(.*)$`)
	shellAssignment  = regexp.MustCompile(`(?:^|[\s;&|(@])([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;&|)"']*)`)
	yamlAssignment   = regexp.MustCompile(`^\s*(?:- +)?["']?([A-Za-z_][\w.-]*)["']?\s*:\s+(.+)$`)
	pythonAssignment = regexp.MustCompile(`(?:^\s*([A-Za-z_]\w*)\s*=|["'](\w+)["']\s*:|[(,]\s*([A-Za-z_]\w*)=)\s*[fru]?("[^"]*"|'[^']*')\s*(?:[,)}#]|$)`)
)

// assign takes the variables from one line.
func (v variables) assign(kind dialect, text string) {
	switch kind {
	case makefile:
		if m := makeAssignment.FindStringSubmatch(text); m != nil {
			v.set(m[1], comment.ReplaceAllString(m[2], ""))
			return
		}
	case yaml:
		if m := yamlAssignment.FindStringSubmatch(text); m != nil {
			v.set(m[1], unquote(comment.ReplaceAllString(m[2], "")))
		}
	case python:
		for _, m := range pythonAssignment.FindAllStringSubmatch(text, -1) {
			v.set(m[1]+m[2]+m[3], unquote(m[4]))
		}
		return
	}
	for _, m := range shellAssignment.FindAllStringSubmatch(text, -1) {
		v.set(m[1], unquote(m[2]))
	}
}

var comment = regexp.MustCompile(`(?:^|\s)#.*$`)

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// here are the names of the folder that commands run in.
var here = []string{
	"CURDIR", "PWD", "shell pwd", "pwd", "GITHUB_WORKSPACE", "github.workspace", "CI_PROJECT_DIR",
	"BITBUCKET_CLONE_DIR", "CODEBUILD_SRC_DIR", "TRAVIS_BUILD_DIR",
}

// known reports whether the text holds no variable without a value.
func known(text string) bool { return !strings.Contains(text, "${") }

// expand puts values in the place of variables. Of a variable with several it
// takes the one with the index pick, and it says how many there are at most. A
// variable without any stays, as ${name}.
//
// A line that is longer than anybody writes by hand gives nothing: what
// follows references would take a time that nothing bounds.
func (v variables) expand(kind dialect, text string, pick int) (expanded string, values int) {
	if len(text) > maxText {
		return "", 0
	}
	e := expander{vars: v, kind: kind, pick: pick}
	return e.expand(text, 0), e.values
}

type expander struct {
	vars   variables
	kind   dialect
	pick   int
	values int
	steps  int
}

func (e *expander) expand(text string, depth int) string {
	var out strings.Builder
	for text != "" && e.steps < maxText {
		e.steps++
		name, other, size := reference(e.kind, text)
		if size == 0 {
			size = 1
			if e.kind == makefile && strings.HasPrefix(text, "$$") {
				text = text[1:] // the shell's own variable
				continue
			}
			out.WriteByte(text[0])
		} else {
			out.WriteString(e.value(name, other, depth))
		}
		text = text[size:]
	}
	return out.String()
}

// value is what a reference stands for.
func (e *expander) value(name, other string, depth int) string {
	values := e.vars[name]
	switch {
	case len(values) > 0 && depth < maxDepth:
		e.values = max(e.values, len(values))
		return e.expand(values[min(e.pick, len(values)-1)], depth+1)
	case other != "" && depth < maxDepth:
		return e.expand(other, depth+1)
	case slices.Contains(here, name):
		return "."
	}
	return "${" + strings.Map(plainName, name) + "}"
}

// plainName keeps a name one word, whatever it is.
func plainName(r rune) rune {
	if strings.ContainsRune(" \t\n\"'\\;&|()#{}$", r) {
		return -1
	}
	return r
}

var (
	actionReference = regexp.MustCompile(`^\$\{\{\s*([^}]*?)\s*\}\}`)
	bracesReference = regexp.MustCompile(`^\$\{(?:([A-Za-z_][\w.]*|[0-9@*])(?::?[-=]([^}]*)|:?\?[^}]*)?|([^}]*))\}`)
	plainReference  = regexp.MustCompile(`^\$([A-Za-z_]\w*|[0-9@*])`)
	pythonReference = regexp.MustCompile(`^\{(?:[\w.]*\[["']?(\w+)["']?\]|(?:[\w.]+\.)?(\w+))\}|^(%s)`)
)

// reference is the variable that the text begins with, what stands for it if
// it has no value, and the length of the reference: 0 if there is none.
func reference(kind dialect, text string) (name, other string, size int) {
	if strings.IndexByte("${%", text[0]) < 0 {
		return "", "", 0
	}
	text = text[:min(len(text), maxReference)]
	if kind == python {
		if m := pythonReference.FindStringSubmatch(text); m != nil {
			return m[1] + m[2] + m[3], "", len(m[0])
		}
	}
	if m := actionReference.FindStringSubmatch(text); m != nil {
		return strings.TrimPrefix(m[1], "env."), "", len(m[0])
	}
	if m := bracesReference.FindStringSubmatch(text); m != nil {
		return m[1] + m[3], m[2], len(m[0])
	}
	if strings.HasPrefix(text, "$(") {
		if size := closing(text); size > 0 {
			return text[2 : size-1], "", size
		}
	}
	if m := plainReference.FindStringSubmatch(text); m != nil {
		return m[1], "", len(m[0])
	}
	return "", "", 0
}

// closing is the length of "$(…)" at the beginning of the text, with the
// brackets in it.
func closing(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
