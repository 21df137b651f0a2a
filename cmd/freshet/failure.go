package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/nearest"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/dev"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/scan"
)

// Exit codes; exitCodes in root.go says the same to people.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPending = 3
	exitStale   = 4
	exitBeaten  = 5
	exitRefused = 6
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
	f := classify(err)
	if a.reported {
		return f.code
	}
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

// hints says for each kind of error what it means and what to type next. The
// first that fits counts.
var hints = []struct {
	is   error
	code int
	hint string
}{
	{context.Canceled, exitFailed, "interrupted; `freshet deploy` finishes what was begun, nothing is lost"},
	{deploy.ErrPending, exitPending, "run `freshet deploy` again: it asks for the same invalidation and goes on waiting, at no cost"},
	{deploy.ErrStale, exitStale, "run `freshet deploy` again in a minute; if it stays, something between viewers and the distribution keeps copies"},
	{deploy.ErrOlder, exitBeaten, "pull and build again; to publish the older build all the same, add --revision none"},
	{release.ErrLocked, exitBeaten, "wait until it is done, or wait longer with --lock-timeout 10m; `freshet status` shows who it is"},
	{release.ErrLost, exitBeaten, "run `freshet deploy` again: it compares with what is live now"},
	{release.ErrMoved, exitBeaten, "run `freshet deploy` again: it compares with what is live now"},
	{release.ErrVersion, exitFailed, "install the newest freshet"},
	{scan.ErrEmpty, exitRefused, "an empty site would remove everything; build it first, or name the right folder as `site:` in freshet.yaml"},
	{config.ErrTarget, exitUsage, "name one with --target"},
	{cloud.ErrInUse, exitFailed, "stop the other freshet that uses this folder, or name another one with --data"},
	{dev.ErrTooMany, exitFailed, "let the system watch more (on Linux `sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024`, elsewhere `ulimit -n 65536`), or name fewer folders under build.watch in freshet.yaml"},
	{remote.ErrExpired, exitFailed, "get new ones (`aws sso login`, or a new CI token) and run the command again: it goes on where this run stopped"},
	{remote.ErrClock, exitFailed, "set this machine's clock right; AWS refuses signatures that are 15 minutes off"},
	{remote.ErrRegion, exitFailed, "correct `region:` in freshet.yaml"},
	{remote.ErrCredentials, exitFailed, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`"},
	{remote.ErrNoBucket, exitFailed, "create the bucket, or correct `bucket:` and `region:` in freshet.yaml"},
	{remote.ErrDenied, exitFailed, "`freshet policy` prints the least policy that the target needs"},
	{release.ErrUnprotected, exitRefused, "if nobody else publishes here at the same time, add --no-lock"},
	{remote.ErrUnsupported, exitFailed, "freshet needs a general-purpose bucket that speaks S3's REST protocol"},
	{remote.ErrTemporary, exitFailed, "run the command again: it goes on where this run stopped"},
}

// classify gives any error its exit code and hint.
func classify(err error) *failure {
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
		return &failure{err, exitUsage, ""}
	}
	for _, h := range hints {
		if errors.Is(err, h.is) {
			return &failure{err, h.code, h.hint}
		}
	}
	if isUsage(err) {
		return &failure{err, exitUsage, "`freshet --help` lists the commands"}
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

// suggestFlag names the flag that was probably meant.
func suggestFlag(cmd *cobra.Command, err error) string {
	_, wrong, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if name, ok := nearest.Of(wrong, known); ok {
		return "; did you mean --" + name + "?"
	}
	return ""
}

// missing explains a file or folder that is not there.
func missing(err error, hint string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &failure{err, exitRefused, hint}
	}
	return err
}
