package habit

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// scriptOf splits the text of a file into lines of commands.
func scriptOf(kind dialect, text string) script {
	s := script{kind: kind, vars: variables{}}
	switch kind {
	case npm:
		s.npm(text)
	case python:
		s.lines = pythonLines(text)
		for l := range strings.SplitSeq(text, "\n") {
			s.vars.assign(kind, l)
		}
	default:
		s.text(text)
	}
	return s
}

var (
	makeTarget = regexp.MustCompile(`^([A-Za-z0-9_.%/-]+)(?:\s+[A-Za-z0-9_.%/ -]+)?\s*:(?:[^=]|$)`)
	yamlJob    = regexp.MustCompile(`^ {0,2}([A-Za-z0-9_.-]+)\s*:\s*(?:#.*)?$`)
	yamlFolded = regexp.MustCompile(`^(\s*(?:- +)?)[\w.-]+\s*:\s*>[+-]?\d*\s*$`)
)

// text reads lines that may go on with a backslash at their end, and those of
// YAML's folded texts.
func (s *script) text(text string) {
	group, jobs := "", false // jobs: inside the list of jobs of a YAML file
	raw, heading := strings.Split(text, "\n"), s.heading()
	for i := 0; i < len(raw); i++ {
		if m := heading.FindStringSubmatch(raw[i]); m != nil && (s.kind != yaml || raw[i][0] != ' ' || jobs) {
			group, jobs = m[1], m[1] == "jobs" || jobs && raw[i][0] == ' '
		}
		l := line{number: i + 1, group: group, text: raw[i]}
		if s.kind == yaml && yamlFolded.MatchString(raw[i]) {
			l.number = i + 2
			l.text, i = folded(raw, i)
		}
		for strings.HasSuffix(l.text, `\`) && i+1 < len(raw) && len(l.text) < maxText {
			i++
			l.text = strings.TrimSuffix(l.text, `\`) + " " + strings.TrimSpace(raw[i])
			if strings.HasSuffix(raw[i], `\`) && !strings.HasSuffix(l.text, `\`) {
				l.text += `\`
			}
		}
		s.lines = append(s.lines, l)
		if !strings.HasPrefix(strings.TrimSpace(l.text), "#") {
			s.vars.assign(s.kind, l.text)
		}
	}
}

// heading finds the name of a group of lines.
func (s *script) heading() *regexp.Regexp {
	switch s.kind {
	case makefile:
		return makeTarget
	case yaml:
		return yamlJob
	}
	return regexp.MustCompile(`^(\w+)\s*\(\)`) // a function of the shell
}

// folded joins the lines below raw[at] that are indented deeper, and returns
// the index of the last.
func folded(raw []string, at int) (text string, last int) {
	depth := indent(strings.Replace(raw[at], "-", " ", 1))
	var parts []string
	last = at
	for i := at + 1; i < len(raw) && (strings.TrimSpace(raw[i]) == "" || indent(raw[i]) > depth); i++ {
		parts = append(parts, strings.TrimSpace(strings.TrimSuffix(raw[i], `\`)))
		last = i
	}
	return strings.Join(parts, " "), last
}

func indent(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

// npm reads the scripts of a package.json, and its config, whose values npm
// gives to scripts as npm_package_config_NAME.
func (s *script) npm(text string) {
	var p struct {
		Scripts map[string]string `json:"scripts"`
		Config  map[string]any    `json:"config"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return
	}
	for name, value := range p.Config {
		if value, ok := value.(string); ok {
			s.vars.set("npm_package_config_"+name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Scripts)) {
		s.lines = append(s.lines, line{number: keyLine(text, name, p.Scripts[name]), group: name, text: p.Scripts[name]})
		s.vars.assign(shell, p.Scripts[name])
	}
	slices.SortStableFunc(s.lines, func(a, b line) int { return a.number - b.number })
}

// keyLine is the line of a key with its value in a JSON text, 1 if it is not
// written plainly.
func keyLine(text, key, value string) int {
	quoted, err := json.Marshal(key)
	if err != nil {
		return 1
	}
	for i, l := range strings.Split(text, "\n") {
		rest, ok := strings.CutPrefix(strings.TrimLeft(l, " \t{"), string(quoted))
		if !ok {
			if _, rest, ok = strings.Cut(l, string(quoted)); !ok {
				continue
			}
		}
		rest = strings.TrimLeft(rest, " \t:")
		var got string
		if json.NewDecoder(strings.NewReader(rest)).Decode(&got) == nil && got == value {
			return i + 1
		}
	}
	return 1
}

// pythonLiteral is a string of Python on one line, or in three quotes.
var pythonLiteral = regexp.MustCompile(`(?s)#[^\n]*|[A-Za-z]{0,2}("""(?:[^\\]|\\.)*?"""|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')`)

// betweenLiterals is what may stand between the words of one command: nothing,
// as in a string over two lines, or a comma and names, as in a list of words.
var betweenLiterals = regexp.MustCompile(`^\s*(?:(,)\s*((?:[A-Za-z_][\w.]*\s*,\s*)*))?$`)

// pythonLines are the texts in a Python file that could be commands: strings,
// and lists of them.
func pythonLines(text string) []line {
	var lines []line
	last := -1 // where the last string ended
	for _, m := range pythonLiteral.FindAllStringSubmatchIndex(text, -1) {
		if m[2] < 0 {
			continue // a comment
		}
		literal := strings.Trim(text[m[2]:m[3]], `"'`)
		between := []string(nil)
		if last >= 0 {
			between = betweenLiterals.FindStringSubmatch(text[last:m[0]])
		}
		last = m[1]
		if between == nil || len(lines) == 0 || len(lines[len(lines)-1].text) > maxText {
			lines = append(lines, line{number: 1 + strings.Count(text[:m[0]], "\n"), text: literal})
			continue
		}
		l := &lines[len(lines)-1]
		if between[1] != "" {
			l.text += " "
			for name := range strings.FieldsFuncSeq(between[2], func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
				l.text += "{" + name + "} "
			}
		}
		l.text += literal
	}
	return lines
}
