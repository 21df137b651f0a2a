package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/project/habit"
)

// Notes are what people should know about the answers, in whole sentences. The
// search says whether a program is installed, as exec.LookPath does.
func (f Facts) Notes(a Answers, search func(string) (string, error)) []string {
	var notes []string
	if f.Generated && f.Generator.Caution != "" {
		notes = append(notes, f.Generator.Caution+".")
	}
	if program := first(a.Build); program != "" {
		if _, err := search(program); err != nil {
			notes = append(notes, fmt.Sprintf("%s is not installed here; the build needs it.", program))
		}
	}
	notes = append(notes, f.notesOnPlaces(a)...)
	return append(notes, f.strays(a)...)
}

// first is the program of a simple command, or "".
func first(command string) string {
	word, _, _ := strings.Cut(command, " ")
	if word == "" || strings.ContainsAny(word, "/=$\"'`(;&|<>{[") || slices.Contains([]string{"cd", "set", "export", "if", "for", "test", ":", "exec", "."}, word) {
		return ""
	}
	return word
}

func (f Facts) notesOnPlaces(a Answers) []string {
	var notes []string
	place := f.place(a.Bucket)
	if place.Profile != "" {
		notes = append(notes, fmt.Sprintf("%s uses the AWS profile %s: type export AWS_PROFILE=%s before you publish there.",
			place.From[0].Place(), place.Profile, place.Profile))
	}
	if place.Source != "" && place.Source != a.Site {
		notes = append(notes, fmt.Sprintf("%s publishes the folder %s, not %s; if that is the site, write it as site: in the file.",
			place.From[0].Place(), place.Source, a.Site))
	}
	for _, c := range f.Commands {
		if _, err := checker("bucket")(c.Bucket); err != nil {
			notes = append(notes, fmt.Sprintf("%s publishes to %q, which cannot be a bucket's name: an example that nobody filled in?", c.Place(), c.Bucket))
		}
		if len(c.Unknown) > 0 && (a.Bucket == "" || len(a.Distributions) == 0 || a.Distributions[0] == "auto") {
			notes = append(notes, unknown(c))
		}
	}
	return slices.Compact(notes)
}

// unknown says what an old command does not tell.
func unknown(c habit.Command) string {
	flag, what := "--bucket", "the bucket"
	if strings.HasSuffix(c.Tool, "create-invalidation") || strings.Contains(c.Tool, "invalidate-cloudfront") || c.Bucket != "" {
		flag, what = "--distribution", "the distribution"
	}
	var names []string
	for _, name := range c.Unknown {
		if strings.Trim(name, "0123456789@*") == "" {
			name = "its arguments"
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%s (%s) takes %s from %s, which the file does not set: write it into the config, or say %s.",
		c.Place(), c.Tool, what, strings.Join(slices.Compact(names), " and "), flag)
}

// strays are files beside a plain site that nobody wants to publish.
func (f Facts) strays(a Answers) []string {
	if a.Site != "." {
		return nil
	}
	var found []string
	for _, name := range []string{"Makefile", "package.json", "node_modules", "README.md", "Dockerfile", "LICENSE", "deploy.sh", "tasks.py"} {
		if _, err := os.Lstat(filepath.Join(f.dir, name)); err == nil {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("The site is the folder itself, with %s: what is not to be published goes into .freshetignore, a name on each line.",
		strings.Join(found, ", "))}
}

// Step is a command to type next.
type Step struct {
	Command string `json:"command"`
	Why     string `json:"why"`
}

// Next are the commands to type next. The flags go to the end of each: those
// that say which project this is.
func (a Answers) Next(flags string) []Step {
	deploy := Step{"freshet deploy", "publishes to the embedded cloud of this machine, to try it"}
	if a.Build != "" {
		deploy = Step{"freshet deploy --build", "builds, and publishes to the embedded cloud of this machine, to try it"}
	}
	steps := []Step{deploy}
	if a.Bucket != "" {
		steps = append(steps,
			Step{"freshet doctor --target " + a.Target, "checks bucket, distribution and rights"},
			Step{"freshet plan --target " + a.Target, "shows what a deploy there would do, and changes nothing"})
	}
	steps = append(steps, Step{"freshet dev", "serves it at http://127.0.0.1:8080/ while you write, and reloads the browser"})
	for i := range steps {
		steps[i].Command += flags
	}
	return steps
}
