package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/nearest"
	"github.com/freshet/freshet/internal/ui"
)

// app is one run of the program: its surroundings and the flags that every
// command has, or every one that reads the site folder.
type app struct {
	host
	dir        string // -C
	configFile string
	targetName string
	dataDir    string
	json       bool
	stream     *ui.Stream   // for --json=stream, else nil
	progress   *ui.Progress // of what is under way, for people
	quiet      bool
	verbose    bool
	rehash     bool
	reported   bool           // the error has been printed as part of the JSON answer
	running    *cobra.Command // nil until the command line is understood
}

const longHelp = `freshet publishes a static site to S3 behind CloudFront: exactly what changed,
in an order that never breaks a page. It invalidates exactly the URLs whose
answer changed, waits, and proves at the edge that viewers get the new version.

Without an AWS account it publishes to the S3 and CloudFront that it carries
itself (` + "`freshet local`" + `): in a folder with a site, type

    freshet deploy        publish it
    freshet local         and look at it, at http://127.0.0.1:8080/`

// exitCodes is the table that help and docs show.
const exitCodes = `Exit codes:
  0  done
  1  failed
  2  wrong usage or config
  3  published, but the invalidation had not completed when the wait ended
  4  published, but the edge still serves an old answer
  5  a newer version is live, this one was not published
  6  refused by a guard
  7  another deploy was under way: try again when it is done
  8  a mistake in freshet itself: it says where the details are`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "freshet",
		Short:         "Publish a static site to S3 behind CloudFront, exactly",
		Long:          longHelp + "\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { a.running = cmd },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.dir, "directory", "C", ".", "the project's `folder`")
	flags.StringVar(&a.configFile, "config", "", "the config `file` (default freshet.yaml in the project's folder)")
	flags.StringVar(&a.targetName, "target", "", "the target's `name` (default: the embedded one, or the only one)")
	flags.StringVar(&a.dataDir, "data", "", "the `folder` of the embedded cloud (default .freshet/local beside the config)")
	flags.Var(jsonFlag{a}, "json", "print the result as one JSON object; --json=stream prints what goes on as well, one object a line")
	flags.Lookup("json").NoOptDefVal = "true"
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing but errors and what was asked for; plan prints one line, or none where nothing is to do")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "list everything, however long")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &failure{err: err, code: exitUsage, hint: fmt.Sprintf("`%s --help` lists the flags%s", cmd.CommandPath(), suggestFlag(cmd, err))}
	})
	root.AddCommand(a.initCommand(), a.buildCommand(), a.cleanCommand(), a.devCommand(), a.planCommand(), a.deployCommand(), a.invalidateCommand(),
		a.rollbackCommand(), a.sweepCommand(), a.statusCommand(), a.historyCommand(), a.doctorCommand(), a.policyCommand(), a.localCommand(), a.edgeCommand(),
		a.controlCommand(), a.versionCommand())
	root.AddCommand(a.docsCommand())
	for _, command := range a.more {
		root.AddCommand(command())
	}
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand())
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" { // which otherwise answers anything with its help
			cmd.Args, cmd.RunE = unknownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		explainArguments(cmd)
	}
	return root
}

// explainArguments has cmd say in freshet's words that it takes other arguments.
func explainArguments(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var f *failure
		if err == nil || errors.As(err, &f) {
			return err
		}
		return usage("`"+cmd.CommandPath()+" --help` says what it takes", "`%s` was given %s: %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"),
			ui.Count(len(args), "argument"), strings.Join(args, " "))
	}
}

// helpCommand is cobra's, and says so when there is no such command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(found, rest)
			}
			if err != nil {
				return err
			}
			return found.Help()
		},
	}
}

// unknownCommand explains an argument where a command should stand.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if name, ok := nearest.Of(args[0], names); ok {
		return usage("did you mean `"+cmd.CommandPath()+" "+name+"`?", "there is no command %q", args[0])
	}
	return usage("`"+cmd.CommandPath()+" --help` lists the commands", "there is no command %q", args[0])
}

// style writes to standard output, below what is under way.
func (a *app) style() ui.Style {
	a.progress.Clear()
	return ui.NewStyle(a.stdout, a.getenv)
}

// say prints a line of the result for people, unless they asked for JSON or
// silence.
func (a *app) say(format string, args ...any) {
	if a.talks() {
		a.style().Printf(format, args...)
	}
}

// talks reports whether anybody wants to be told what goes on.
func (a *app) talks() bool { return !a.json && !a.quiet }

// tell prints a line beside the result, on standard error.
func (a *app) tell(format string, args ...any) {
	if a.talks() {
		a.progress.Clear()
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// maxRows bounds lists where they are not the command's purpose.
func (a *app) maxRows(most int) int {
	if a.verbose {
		return 0
	}
	return most
}
