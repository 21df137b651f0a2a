package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/invalidation"
)

// Exit codes; exitCodes in root.go says the same to people.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPending = 3
	exitStale   = 4
	exitOlder   = 5
	exitRefused = 6
	exitBusy    = 7
	exitMistake = 8
)

// failure is an error with what it means for the exit code and what to type
// next.
type failure struct {
	err  error
	code int
	hint string
}

func (f *failure) Error() string { return f.err.Error() }

// Unwrap is the cause.
func (f *failure) Unwrap() error { return f.err }

// refused is a guard that says no.
func refused(hint, format string, args ...any) error {
	return &failure{fmt.Errorf(format, args...), exitRefused, hint}
}

// usage is a mistake on the command line.
func usage(hint, format string, args ...any) error {
	return &failure{fmt.Errorf(format, args...), exitUsage, hint}
}

// exit prints err, if it is one, and returns the exit code. It is the only
// place that prints errors.
func (a *app) exit(err error) int {
	a.progress.Close()
	if err == nil {
		return exitDone
	}
	if a.reported {
		return classify(err).code
	}
	f := a.explain(err)
	if a.stream != nil {
		_ = a.stream.Result(failedJSON{f.json()}) // nowhere is left to report this failure to
		return f.code
	}
	if a.json {
		_ = json.NewEncoder(a.stdout).Encode(failedJSON{f.json()}) // nowhere is left to report this failure to
		return f.code
	}
	a.showFailure(f)
	return f.code
}

// failedJSON is the answer of a command that has nothing but an error to tell.
type failedJSON struct {
	Error errorJSON `json:"error"`
}

// errorJSON is a failure in every JSON answer.
type errorJSON struct {
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exit_code"`
}

func (f *failure) json() errorJSON { return errorJSON{f.Error(), f.hint, f.code} }

// classify gives any error its exit code, and the hint that its kind has.
func classify(err error) *failure {
	var mistake *crash.Error
	if errors.As(err, &mistake) {
		return &failure{err, exitMistake, ""}
	}
	var f *failure
	if errors.As(err, &f) {
		return &failure{err, f.code, f.hint}
	}
	var path *invalidation.ParseError
	if errors.As(err, &path) {
		return &failure{err, exitUsage, path.Hint}
	}
	var yaml *config.Error
	if errors.As(err, &yaml) {
		return &failure{err, exitUsage, "correct " + yaml.File + ", then type `freshet plan`; `freshet init --print-schema` prints what may stand in it"}
	}
	for _, h := range hints {
		if errors.Is(err, h.is) {
			return &failure{err, h.code, h.hint}
		}
	}
	if isUsage(err) {
		return &failure{err, exitUsage, ""}
	}
	return &failure{err, exitFailed, ""}
}

// isUsage recognises the errors that cobra makes of a wrong command line; it
// gives them no type.
func isUsage(err error) bool {
	for _, text := range []string{"unknown command", "accepts ", "requires at least", "unknown shorthand", "required flag"} {
		if strings.HasPrefix(err.Error(), text) {
			return true
		}
	}
	return false
}
