// Package habit reads how a site has been published until now: the `aws s3
// sync` and `create-invalidation` lines, and their like, in a Makefile, a
// package.json, a shell script, a CI file, a tasks.py or Hugo's settings.
//
// It is pure: it gets the text of one file and returns the commands that it
// found, each with its line. It promises to take nothing for a fact that the
// text does not say: a variable that the same file does not set stays unknown
// and is named, one that is set to several values gives one command for each,
// and which distribution belongs to which bucket is said only where that is
// clear. It runs nothing and fails on nothing: a text that it cannot read has
// no commands.
//
// It leaves out what other files, the environment and the output of commands
// would say (`include`, .env, $(shell …)), conditions, functions and loops of
// make and shell, and sync commands that download.
package habit

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Command is one command that publishes, invalidates, or both.
type Command struct {
	// File is the name that Read was given, Line the line of the command's
	// program in it, from 1.
	File string
	Line int
	// Tool is the command without its arguments: "aws s3 sync".
	Tool string
	// Group is the target of make, the npm script or the job that the command
	// stands in; "" means none.
	Group string
	// Source is the folder that is published, with slashes, clean, relative to
	// where the command runs; "" means unknown or outside.
	Source string
	// Bucket is the bucket's bare name and Prefix what goes before every key,
	// with a slash at its end; "" for a command that only invalidates.
	Bucket, Prefix string
	// Distributions are the ids that the command invalidates.
	Distributions []string
	// Region, Profile and Endpoint are those of the command or else of its
	// file; "" means unknown.
	Region, Profile, Endpoint string
	// Unknown are the variables in the bucket or the distributions that the
	// file does not set; those parts are then "" and missing.
	Unknown []string
	// Guess says that a variable in the command has several values, of which
	// this command has one.
	Guess bool
}

// Place is "Makefile:12".
func (c Command) Place() string { return fmt.Sprintf("%s:%d", c.File, c.Line) }

// maxCommands bounds what one file can give; a text that has more is not one
// that people wrote.
const maxCommands = 100

// Read finds the commands in the text of a file. The name, with slashes and
// relative to the project, says how to read it; a name that says nothing is
// read as a shell script.
func Read(name string, src []byte) []Command {
	text := strings.ReplaceAll(string(src), "\r\n", "\n")
	var found []Command
	switch kind := kindOf(name); kind {
	case hugoSettings:
		found = hugo(text)
	case s3deploySettings:
		found = s3deployFile(text)
	default:
		s := scriptOf(kind, text)
		found = append(s.commands(), s.actions()...)
	}
	for i := range found {
		found[i].File = name
	}
	return found
}

// dialect is how a file's lines and variables are written.
type dialect int

const (
	shell dialect = iota
	makefile
	npm
	yaml
	python
	hugoSettings
	s3deploySettings
)

func kindOf(name string) dialect {
	base, ext := path.Base(name), path.Ext(name)
	switch {
	case strings.EqualFold(base, "makefile"), base == "GNUmakefile", ext == ".mk", strings.EqualFold(base, "justfile"):
		return makefile
	case base == "package.json":
		return npm
	case strings.TrimPrefix(base, ".") == "s3deploy.yml", strings.TrimPrefix(base, ".") == "s3deploy.yaml":
		return s3deploySettings
	case ext == ".py":
		return python
	case IsHugoSettings(name):
		return hugoSettings
	case ext == ".yml", ext == ".yaml":
		return yaml
	}
	return shell
}

// IsHugoSettings reports whether a file of that name is one that Hugo takes
// its settings from.
func IsHugoSettings(name string) bool {
	base := path.Base(name)
	switch ext := path.Ext(base); ext {
	case ".toml", ".yaml", ".yml", ".json":
		switch strings.TrimSuffix(base, ext) {
		case "hugo", "deployment":
			return true
		case "config": // .circleci/config.yml is another
			return !strings.HasPrefix(path.Base(path.Dir(name)), ".circleci")
		}
	}
	return false
}

// line is one command line, with what continues it.
type line struct {
	number int
	group  string
	text   string
}

// script is a file as lines of commands with the variables that it sets.
type script struct {
	kind  dialect
	lines []line
	vars  variables
}

// verb is in every line that can be a command of interest, whatever variables
// stand for the rest.
var verb = regexp.MustCompile(`sync|cp|mv|put|copy|create-invalidation|s3deploy`)

// commands are those of all lines.
func (s script) commands() []Command {
	var found []Command
	for _, l := range s.lines {
		if !verb.MatchString(l.text) {
			continue
		}
		for pick := 0; pick < maxValues && len(found) < maxCommands; pick++ {
			text, values := s.vars.expand(s.kind, l.text, pick)
			if pick >= max(values, 1) {
				break
			}
			for _, c := range parse(text, 0) {
				c.Line, c.Group, c.Guess = l.number, l.group, values > 1
				s.surroundings(&c)
				found = append(found, c)
			}
		}
	}
	return found
}

// surroundings fills in what the AWS CLI takes from its environment.
func (s script) surroundings(c *Command) {
	take := func(field *string, names ...string) {
		for _, name := range names {
			if *field != "" {
				return
			}
			if values := s.vars[name]; len(values) == 1 {
				if text, _ := s.vars.expand(s.kind, values[0], 0); known(text) && !strings.ContainsAny(text, " \t") {
					*field = text
				}
			}
		}
	}
	take(&c.Region, "AWS_REGION", "AWS_DEFAULT_REGION", "aws-region")
	take(&c.Profile, "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	take(&c.Endpoint, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
}
