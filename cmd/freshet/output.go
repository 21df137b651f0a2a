package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/ui"
)

// jsonFlag is --json: alone one object, with =stream events as lines.
type jsonFlag struct{ app *app }

// Set reads what stands behind the equals sign; "true" is what the flag alone
// means.
func (j jsonFlag) Set(value string) error {
	switch value {
	case "true", "object":
		j.app.json, j.app.stream = true, nil
	case "stream":
		j.app.json, j.app.stream = true, ui.NewStream(j.app.stdout, j.app.now)
	case "false":
		j.app.json, j.app.stream = false, nil
	default:
		return errors.New("write --json or --json=stream")
	}
	return nil
}

// String is what was given.
func (j jsonFlag) String() string {
	switch {
	case j.app == nil || !j.app.json:
		return "false"
	case j.app.stream != nil:
		return "stream"
	}
	return "true"
}

// Type makes help show the flag as one that needs no value.
func (jsonFlag) Type() string { return "bool" }

// events is who is told what goes on; nil for nobody.
func (a *app) events() func(deploy.Event) {
	switch {
	case a.stream != nil:
		return a.stream.Event
	case a.talks():
		return a.progress.Event
	}
	return nil
}

// event tells what goes on outside of the engine.
func (a *app) event(e deploy.Event) {
	if tell := a.events(); tell != nil {
		tell(e)
	}
}

// warn prints a warning beside the result.
func (a *app) warn(text string) {
	switch {
	case a.stream != nil:
		a.stream.Warn(text)
	case a.talks():
		a.tell("warning: %s", text)
		a.annotateWarning(text)
	}
}

// annotateWarning shows a warning that is printed elsewhere beside the CI job.
func (a *app) annotateWarning(text string) {
	if a.talks() {
		a.ci().Annotate(a.stderr, ui.Annotation{Level: "warning", Title: "freshet", Message: text})
	}
}

// annotate shows a failure beside the CI job, and beside the line of the config
// that it is about.
func (a *app) annotate(f *failure) {
	one := ui.Annotation{Level: "error", Title: "freshet: exit code " + fmt.Sprint(f.code), Message: f.Error()}
	var wrong *config.Error
	if errors.As(f.err, &wrong) {
		one.Title, one.Message = "freshet", wrong.Msg
		one.File, one.Line, one.Column = a.inRepository(wrong.File), wrong.Line, wrong.Column
	}
	if f.hint != "" {
		one.Message += "\n" + f.hint
	}
	a.ci().Annotate(a.stderr, one)
}

// inRepository is a file as CI names it: from the top of the repository.
func (a *app) inRepository(file string) string {
	abs, err := filepath.Abs(file)
	top := a.getenv("GITHUB_WORKSPACE")
	if err != nil || top == "" {
		return file
	}
	if rel, err := filepath.Rel(top, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}

// ci is the CI system that this runs in.
func (a *app) ci() ui.CI { return ui.FindCI(a.getenv) }

// group begins a part of the log that CI folds; w is where that part goes.
func (a *app) group(w io.Writer, name, title string) (end func()) {
	if !a.talks() {
		return func() {}
	}
	return a.ci().Group(w, name, title, a.now)
}

// showFailure prints an error for people.
func (a *app) showFailure(f *failure) {
	s := ui.NewStyle(a.stderr, a.getenv)
	s.Error("freshet: error:", strings.ReplaceAll(f.Error(), "\n", "\n    "))
	if f.hint != "" {
		s.Printf("freshet: hint: %s", f.hint)
	}
	a.annotate(f)
}
