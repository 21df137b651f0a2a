package habit

import (
	"cmp"
	"regexp"
	"strings"
)

// setting is a key with a text, as TOML, YAML and JSON write it.
var setting = regexp.MustCompile(`(?i)(?:^|[\s{,-])["']?([a-z][a-z-]*)["']?\s*[:=]\s*("[^"]*"|'[^']*'|[^\s,}#"']+)`)

// hugo reads the deployment targets of Hugo's settings. Hugo documentation,
// "Hugo Deploy", read 2026-11.
func hugo(text string) []Command {
	var found []Command
	open := false // the last command can take more settings
	for i, l := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "#") {
			continue
		}
		if strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "- ") || strings.HasPrefix(trimmed, "{") {
			open = false
		}
		for _, m := range setting.FindAllStringSubmatch(l, -1) {
			key, value := strings.ToLower(m[1]), unquote(m[2])
			if key != "url" && key != "cloudfrontdistributionid" {
				continue
			}
			if !open || len(found) == 0 {
				found = append(found, Command{Line: i + 1, Tool: "hugo deploy"})
				open = true
			}
			c := &found[len(found)-1]
			if key == "url" {
				c.Line = i + 1
				c.bucketURL(value)
			} else {
				c.invalidates([]string{value})
			}
		}
	}
	return useful(found)
}

// useful leaves out what names neither bucket nor distribution, such as a
// target at another cloud.
func useful(found []Command) []Command {
	var out []Command
	for _, c := range found {
		if c.Bucket != "" || len(c.Distributions) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// s3deployFile reads the settings of s3deploy, whose keys are its flags.
func s3deployFile(text string) []Command {
	a := arguments{options: map[string][]string{}}
	at := 0
	for i, l := range strings.Split(text, "\n") {
		if m := yamlAssignment.FindStringSubmatch(l); m != nil && !strings.HasPrefix(l, " ") {
			a.options[m[1]] = append(a.options[m[1]], unquote(comment.ReplaceAllString(m[2], "")))
			if m[1] == "bucket" {
				at = i + 1
			}
		}
	}
	c, ok := s3deployed(a)
	if c.Line = at; !ok {
		return nil
	}
	return []Command{c}
}

// actionSettings are the settings of GitHub actions that publish or
// invalidate. Their READMEs, read 2026-11.
type actionSettings struct{ bucket, prefix, folder, distribution string }

func settingsOf(action string) (actionSettings, bool) {
	switch action {
	case "jakejarvis/s3-sync-action":
		return actionSettings{"AWS_S3_BUCKET", "DEST_DIR", "SOURCE_DIR", ""}, true
	case "chetan/invalidate-cloudfront-action":
		return actionSettings{"", "", "", "DISTRIBUTION"}, true
	}
	return actionSettings{}, false
}

var uses = regexp.MustCompile(`^\s*(?:- +)?uses:\s*["']?([\w.-]+/[\w.-]+)`)

// actions reads the steps of a workflow that use such an action. A step ends
// where the next one begins.
func (s script) actions() []Command {
	if s.kind != yaml {
		return nil
	}
	var found []Command
	for i, l := range s.lines {
		m := uses.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		names, ok := settingsOf(m[1])
		if !ok {
			continue
		}
		step := s.step(i)
		c := Command{Line: l.number, Group: l.group, Tool: m[1], Region: value(step["AWS_REGION"])}
		if bucket := strings.TrimPrefix(step[names.bucket], "s3://"); bucket != "" {
			c.publishes(cmp.Or(step[names.folder], "."), "s3://"+bucket+"/"+step[names.prefix])
		}
		if id := step[names.distribution]; id != "" {
			c.invalidates([]string{id})
		}
		if c.Bucket != "" || len(c.Distributions) > 0 || len(c.Unknown) > 0 {
			s.surroundings(&c)
			found = append(found, c)
		}
	}
	return found
}

// step is the keys and expanded values of the step around a line.
func (s script) step(at int) map[string]string {
	begins := func(i int) bool { return strings.HasPrefix(strings.TrimSpace(s.lines[i].text), "- ") }
	from := at
	for from > 0 && !begins(from) {
		from--
	}
	out := map[string]string{}
	for i := from; i < len(s.lines) && (i == from || !begins(i)); i++ {
		if m := yamlAssignment.FindStringSubmatch(s.lines[i].text); m != nil {
			out[m[1]], _ = s.vars.expand(yaml, unquote(comment.ReplaceAllString(m[2], "")), 0)
		}
	}
	return out
}
