package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/manual"
)

// docsCommand is for those who package freshet and for `make docs`, so help does
// not list it.
func (a *app) docsCommand() *cobra.Command {
	var man bool
	cmd := &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the command reference, or the man pages, into a folder",
		Long:   "Writes commands.md, or with --man one page for each command, from what --help says.",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := reference(cmd.Root())
			if err != nil {
				return err
			}
			pages := map[string][]byte{"commands.md": ref.Markdown()}
			if man {
				pages = ref.Pages()
			}
			return writePages(args[0], pages)
		},
	}
	cmd.Flags().BoolVar(&man, "man", false, "man pages instead of the reference")
	return cmd
}

func writePages(dir string, pages map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the documents: %w", err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("write a document: %w", err)
		}
	}
	return nil
}

// reference is what the program says about itself.
func reference(root *cobra.Command) (manual.Reference, error) {
	exits, err := exitTable(exitCodes)
	if err != nil {
		return manual.Reference{}, err
	}
	ref := manual.Reference{Program: described(root), Global: flagsOf(root.PersistentFlags()), Exits: exits}
	ref.Program.Usage = root.Name() + " COMMAND [flags]"
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			ref.Commands = append(ref.Commands, described(cmd))
		}
	}
	return ref, nil
}

func described(cmd *cobra.Command) manual.Command {
	out := manual.Command{
		Name: cmd.CommandPath(), Usage: cmd.UseLine(), Short: cmd.Short, Flags: flagsOf(cmd.LocalNonPersistentFlags()),
		Long: strings.TrimSpace(strings.TrimSuffix(cmd.Long, exitCodes)),
	}
	if cmd.Example != "" {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			out.Examples = append(out.Examples, strings.TrimPrefix(line, "  "))
		}
	}
	if cmd.HasParent() {
		for _, sub := range cmd.Commands() {
			out.Subs = append(out.Subs, sub.CommandPath())
		}
	}
	return out
}

// flagsOf are the flags of a set that help lists, by name. What --help itself
// is, every reader knows.
func flagsOf(set *pflag.FlagSet) []manual.Flag {
	var out []manual.Flag
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		one := manual.Flag{Name: f.Name, Short: f.Shorthand, Value: value, Usage: usage}
		if !isZero(f.DefValue) {
			one.Default = f.DefValue
		}
		out = append(out, one)
	})
	return out
}

// isZero reports whether a default says nothing.
func isZero(value string) bool {
	switch value {
	case "", "0", "0s", "false", "[]":
		return true
	}
	return false
}

// exitTable reads the table that help shows: lines of a code and what it means.
func exitTable(text string) ([]manual.Exit, error) {
	var out []manual.Exit
	_, rows, _ := strings.Cut(text, "\n")
	for line := range strings.SplitSeq(rows, "\n") {
		code, means, _ := strings.Cut(strings.TrimSpace(line), "  ")
		n, err := strconv.Atoi(code)
		if err != nil || n != len(out) {
			return nil, fmt.Errorf("read the table of exit codes: %q is not its row %d", line, len(out))
		}
		out = append(out, manual.Exit{Code: n, Means: strings.TrimSpace(means)})
	}
	return out, nil
}
