package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/project/build"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/ui"
)

func (a *app) buildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Run the site's own build command",
		Long: `Runs the command under build: in freshet.yaml, in the project's folder. With
build.image it runs in that container image, by docker or podman.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.project()
			if err != nil {
				return err
			}
			if err := a.build(cmd.Context(), p); err != nil {
				return err
			}
			if a.json {
				return a.answer(struct {
					Command string `json:"command"`
				}{p.Build.Command})
			}
			return nil
		},
	}
}

// build runs the build command; its output goes to standard error, since it is
// not freshet's result.
func (a *app) build(ctx context.Context, p project) error {
	if p.Build.Command == "" {
		return usage("write it as `build: {command: …}` in freshet.yaml; `freshet deploy` alone publishes a site that is built already",
			"there is no build command")
	}
	end := a.group(a.stderr, "build", "$ "+p.Build.Command)
	if a.ci() == "" { // else it is the group's title
		a.tell("$ %s", p.Build.Command)
	}
	began := a.now()
	if a.stream != nil { // people have the command's own output instead
		a.event(deploy.Event{Stage: ui.StageBuild})
	}
	output := a.buildOutput()
	err := build.Run(ctx, build.Options{Dir: p.root, Command: p.Build.Command, Image: p.Build.Image, Stdout: output, Stderr: output})
	end()
	if err != nil {
		return a.buildFailed(err, output)
	}
	if a.stream != nil {
		a.event(deploy.Event{Stage: ui.StageBuild, Finished: true})
	}
	a.tell("built in %s", ui.Duration(a.now().Sub(began)))
	return nil
}

// buildOutput is where the output of the build command goes: to standard error,
// and with --quiet only where it fails.
func (a *app) buildOutput() io.Writer {
	if a.quiet && !a.verbose {
		return &tail{}
	}
	return a.stderr
}

// buildFailed explains err, below what --quiet has held back.
func (a *app) buildFailed(err error, output io.Writer) error {
	if held, ok := output.(*tail); ok {
		_, _ = a.stderr.Write(held.kept) // nowhere is left to report this failure to
	}
	var failed *build.Error
	if errors.As(err, &failed) {
		return &failure{err, exitFailed, failed.Hint()}
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

// tailBytes is how much of it: some hundred lines.
const tailBytes = 64 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (a *app) cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove exactly what the build made",
		Long: `Removes the files and folders under build.clean in freshet.yaml and nothing
else. A symbolic link is removed itself, never what it leads to; a path that
leaves the project is refused.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := a.project()
			if err != nil {
				return err
			}
			if len(p.Build.Clean) == 0 {
				return usage("write it as `build: {clean: [output]}` in freshet.yaml", "nothing is named to be cleaned")
			}
			removed, err := build.Clean(p.root, p.Build.Clean)
			if err != nil {
				return refused("", "%w", err)
			}
			if a.json {
				return a.answer(struct {
					Removed []string `json:"removed"`
				}{append([]string{}, removed...)})
			}
			for _, path := range removed {
				a.say("removed %s", path)
			}
			if len(removed) == 0 {
				a.say("nothing to remove")
			}
			return nil
		},
	}
}
