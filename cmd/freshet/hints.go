package main

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/nearest"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/dev"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/scan"
)

// hints says for each kind of error what it means and what to type next. The
// first that fits counts. `freshet *` stands for the command that was running.
var hints = []struct {
	is   error
	code int
	hint string
}{
	{context.Canceled, exitFailed, "`freshet deploy` finishes what was begun; nothing is lost"},
	{deploy.ErrPending, exitPending, "type `freshet deploy` again: it asks for the same invalidation and goes on waiting, at no cost"},
	{deploy.ErrStale, exitStale, "type `freshet deploy` again in a minute; if it stays, something between viewers and the distribution keeps copies, which `freshet doctor` looks for"},
	{deploy.ErrOlder, exitOlder, "pull and build again; to publish the older build all the same, type `freshet deploy --revision none`"},
	{release.ErrLocked, exitBusy, "`freshet status` shows who it is; type the same again when it is done, or wait longer: `freshet * --lock-timeout 10m`"},
	{release.ErrLost, exitBusy, "type `freshet *` again: it compares with what is live now"},
	{release.ErrMoved, exitBusy, "type `freshet *` again: it compares with what is live now"},
	{release.ErrVersion, exitFailed, "install the newest freshet; `freshet version` says which one this is"},
	{scan.ErrEmpty, exitRefused, "an empty site would remove everything; build it first (`freshet build`), or name the right folder as `site:` in freshet.yaml"},
	{config.ErrTarget, exitUsage, "name it, as in `freshet * --target NAME`; targets stand in freshet.yaml, which `freshet init` writes"},
	{cloud.ErrInUse, exitFailed, "stop the other freshet that uses this folder, or name another one, as in `freshet * --data FOLDER`"},
	{dev.ErrTooMany, exitFailed, "let the system watch more (on Linux `sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024`, elsewhere `ulimit -n 65536`), or name fewer folders under build.watch in freshet.yaml; then type `freshet dev` again"},
	{remote.ErrExpired, exitFailed, "get new ones (`aws sso login`, or a new CI token) and type `freshet *` again: it goes on where this run stopped"},
	{remote.ErrClock, exitFailed, "set this machine's clock right (`timedatectl` shows it); AWS refuses signatures that are 15 minutes off"},
	{remote.ErrRegion, exitFailed, "correct `region:` in freshet.yaml, then let `freshet doctor` check the target"},
	{remote.ErrCredentials, exitFailed, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or type `aws sso login`; `freshet doctor` checks them"},
	{remote.ErrNoBucket, exitFailed, "create the bucket, or correct `bucket:` and `region:` in freshet.yaml; `freshet doctor` checks the target"},
	{remote.ErrDenied, exitFailed, "`freshet policy` prints the least policy that the target needs"},
	{remote.ErrFull, exitFailed, "make room there (on this machine `df -h` shows where), then type `freshet *` again: nothing is lost"},
	{release.ErrUnprotected, exitRefused, "if nobody else publishes here at the same time, type `freshet * --no-lock`"},
	{remote.ErrUnsupported, exitFailed, "freshet needs a general-purpose bucket that speaks S3's REST protocol; `freshet doctor` checks it"},
	{remote.ErrTemporary, exitFailed, "type `freshet *` again: it goes on where this run stopped; `freshet doctor` checks the target"},
	{errNoRoom, exitFailed, "make room (`df -h` shows where), then type `freshet *` again: nothing is lost"},
	{syscall.EROFS, exitFailed, writable},
	{fs.ErrPermission, exitFailed, writable},
	{errEmbedded, exitFailed, "name a folder that it can make or use, as in `freshet * --data FOLDER`"},
}

// writable is the hint for files and folders that may not be read or written.
const writable = "give yourself the right to it (`ls -ld` shows whose it is); what freshet itself writes goes elsewhere with `freshet * --data FOLDER`"

// errInterrupted is what people are told of context.Canceled.
var errInterrupted = errors.New("interrupted")

// explain is classify for people: every hint names a command that can be typed
// as it stands, for the project and the target that this run was for.
func (a *app) explain(err error) *failure {
	var mistake *crash.Error
	if errors.As(err, &mistake) {
		return a.mistake(err, mistake)
	}
	f := classify(err)
	if err.Error() == context.Canceled.Error() { // Ctrl-C, with nothing to add
		f.err = errInterrupted
	}
	if !strings.Contains(f.hint, "`") {
		f.hint = strings.TrimPrefix(f.hint+"; "+a.fallback(f.code), "; ")
	}
	f.hint = a.addressed(strings.ReplaceAll(f.hint, "`freshet *", "`"+a.command()))
	return f
}

// fallback names a command for an error that nobody has a better one for.
func (a *app) fallback(code int) string {
	if code == exitUsage || a.running == nil || !publishes[a.running.Name()] {
		return "`" + a.command() + " --help` says what it takes"
	}
	return "`freshet doctor` checks target and site"
}

// command is the command that is running, "freshet deploy".
func (a *app) command() string {
	if a.running == nil {
		return "freshet"
	}
	return a.running.CommandPath()
}

// publishes are the commands that use a target, which doctor can check.
var publishes = map[string]bool{
	"plan": true, "deploy": true, "rollback": true, "sweep": true, "invalidate": true, "status": true, "history": true,
}

// errEmbedded: the embedded cloud cannot be started or found where it keeps its
// data.
var errEmbedded = errors.New("start the embedded cloud")

// ownCommand is a command of freshet's in a hint.
var ownCommand = regexp.MustCompile("`freshet ([a-z]+)[^`]*`")

// addressed adds the flags that say which project and target to freshet's own
// commands in a hint, where they were given to this run.
func (a *app) addressed(hint string) string {
	return ownCommand.ReplaceAllStringFunc(hint, func(text string) string {
		name := ownCommand.FindStringSubmatch(text)[1]
		flags := ""
		for _, f := range a.address(name) {
			if !strings.Contains(text, " "+f.name+" ") {
				flags += " " + f.name + " " + word(f.value)
			}
		}
		if strings.Contains(text, " --help") || strings.Contains(text, " --print-schema") {
			return text
		}
		command := "`freshet " + name
		return command + flags + strings.TrimPrefix(text, command)
	})
}

type givenFlag struct{ name, value string }

// address are the flags of this run that another command needs to mean the same.
func (a *app) address(command string) []givenFlag {
	var out []givenFlag
	add := func(name, value string) {
		if value != "" {
			out = append(out, givenFlag{name, value})
		}
	}
	switch command {
	case "version", "help", "completion":
		return nil
	}
	if a.dir != "." {
		add("-C", a.dir)
	}
	add("--config", a.configFile)
	add("--data", a.dataDir)
	switch command {
	case "dev", "local", "edge", "control", "build", "clean", "init":
	default:
		add("--target", a.targetName)
	}
	return out
}

// word is text as a shell takes it for one word.
func word(text string) string {
	if !strings.ContainsAny(text, " '\"\\$&;()<>|*?[]#~!{}\t\n") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
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

// noPlace explains a file that was to be written into a folder that is not there.
func noPlace(err error, like string) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &failure{err, exitUsage, "name a file in a folder that is there, as in " + like}
	}
	return err
}
