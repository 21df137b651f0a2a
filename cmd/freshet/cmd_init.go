package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/schema"
	"github.com/freshet/freshet/internal/project/setup"
	"github.com/freshet/freshet/internal/ui"
)

// initFlags are the flags of init that are no answers.
type initFlags struct {
	yes, dryRun, printSchema bool
	schema                   string
}

func (a *app) initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write freshet.yaml for this folder",
		Long: `Recognises the generator (Pelican, Hugo, Jekyll, Eleventy, Astro, Next.js, Zola,
MkDocs, Docusaurus, any npm build, or none) and writes freshet.yaml with its
site folder and build command. Where a Makefile, package.json, script or CI file
already publishes the site (aws s3 sync, create-invalidation, s3deploy, hugo
deploy, s3cmd, s5cmd, rclone), bucket and distribution come from there.

On a terminal it asks, and Enter takes what it proposes; elsewhere, and with
--yes, it takes the proposals. "none" as an answer means that there is none. The
target with the bucket is called production, or what --target says. A
freshet.yaml that is there is never replaced.

The schema that editors complete freshet.yaml with is written beside it, since
its first line can only name a file that is really there: commit both. A newer
freshet writes a newer schema with ` + "`freshet init --print-schema`" + `.`,
		Example: "  freshet init\n  freshet init --yes --bucket s3://www.example.org --distribution auto\n  freshet init --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.init(cmd.Context(), f, givenAnswers(cmd.Flags()))
		},
	}
	flags := cmd.Flags()
	flags.String("site", "", "the `folder` to publish, relative to the config")
	flags.String("build", "", "the `command` that builds the site")
	flags.String("bucket", "", "the bucket, as `s3://name` or s3://name/folder")
	flags.String("distribution", "", "the CloudFront distribution's `id`, several with commas, or auto")
	flags.String("region", "", "the bucket's AWS `region`")
	flags.String("endpoint", "", "the `URL` of an S3-compatible store that is not AWS")
	flags.BoolVarP(&f.yes, "yes", "y", false, "take every proposal and ask nothing")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the config and write nothing")
	flags.StringVar(&f.schema, "schema", setup.SchemaFile, "write the schema for editors into this `file`, relative to the config; none leaves it out")
	flags.BoolVar(&f.printSchema, "print-schema", false, "print the schema for editors and do nothing else")
	return cmd
}

// givenAnswers are the answers among the flags.
func givenAnswers(flags *pflag.FlagSet) setup.Given {
	given := setup.Given{}
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "site", "build", "bucket", "distribution", "region", "endpoint", "target":
			given[f.Name] = f.Value.String()
		}
	})
	return given
}

func (a *app) init(ctx context.Context, f initFlags, given setup.Given) error {
	if f.printSchema {
		text, err := schema.JSON()
		if err == nil {
			_, err = a.stdout.Write(text)
		}
		return err
	}
	file, there, err := a.configPlace()
	if err != nil {
		return err
	}
	if there && !f.dryRun {
		return configExists(file)
	}
	facts, err := setup.Look(filepath.Dir(file))
	if err != nil {
		return err
	}
	ask := a.asker(ctx, f)
	answers, from, err := facts.Decide(given, ask)
	if err != nil {
		return a.explainInit(err)
	}
	if ask != nil {
		fmt.Fprintln(a.stderr)
	}
	schemaFile := f.schema
	switch {
	case schemaFile == "" || schemaFile == setup.None:
		schemaFile = ""
	case !filepath.IsAbs(schemaFile):
		schemaFile = filepath.Join(filepath.Dir(file), schemaFile)
	}
	done := initDone{facts: facts, answers: answers, from: from, file: file, schema: schemaFile}
	return a.writeInit(done, f.dryRun)
}

// initDone is what init has decided.
type initDone struct {
	facts        setup.Facts
	answers      setup.Answers
	from         setup.Origins
	file, schema string
}

func (a *app) writeInit(d initDone, dryRun bool) error {
	reference := ""
	if d.schema != "" {
		reference = setup.Reference(d.file, d.schema)
	}
	text, err := d.facts.Text(d.answers, d.from, reference)
	if err != nil {
		return err
	}
	if dryRun {
		if a.json {
			return a.answer(a.initJSON(d, false))
		}
		_, err := a.stdout.Write(text)
		return err
	}
	if d.schema != "" {
		if err := setup.WriteSchema(d.schema); err != nil {
			return a.explainInit(err)
		}
	}
	if err := setup.Create(d.file, text); err != nil {
		return a.explainInit(err)
	}
	if a.json {
		return a.answer(a.initJSON(d, true))
	}
	a.showInit(d)
	return nil
}

// configPlace is where the config is or will be, and whether one is there.
func (a *app) configPlace() (file string, there bool, err error) {
	root, err := filepath.Abs(a.dir)
	if err != nil {
		return "", false, fmt.Errorf("find the project's folder: %w", err)
	}
	if a.configFile != "" {
		if file, err = filepath.Abs(a.configFile); err != nil {
			return "", false, fmt.Errorf("find the config: %w", err)
		}
		_, err := os.Lstat(file)
		return file, err == nil, nil
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return "", false, noFolder(a.dir)
	}
	if file, there = config.Find(root); there {
		return file, true, nil
	}
	return filepath.Join(root, "freshet.yaml"), false, nil
}

func configExists(file string) error {
	return refused("change it by hand (`freshet plan` shows what it does), or move it away first; `freshet init --dry-run` prints what init would write",
		"%s is there already; it was left as it is", shown(file))
}

// shown is a path as people would type it here.
func shown(file string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return file
}

// asker asks on a terminal; nil takes the proposals.
func (a *app) asker(ctx context.Context, f initFlags) setup.Ask {
	if f.yes || f.dryRun || !a.talks() || !isTerminal(a.stdin) || !isTerminal(a.stderr) {
		return nil
	}
	fmt.Fprintf(a.stderr, "Enter takes what stands in brackets; %q means that there is none.\n\n", setup.None)
	terminal := setup.NewTerminal(ctx, a.stdin, a.stderr)
	return func(q setup.Question) (string, error) { return terminal.Ask(ctx, q) }
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// explainInit gives the errors of init their hints.
func (a *app) explainInit(err error) error {
	const again = "nothing was written; `freshet init` starts again, `freshet init --yes` asks nothing"
	var undecided *setup.Undecided
	var mistake *setup.Mistake
	switch {
	case errors.As(err, &undecided):
		like, _, _ := strings.Cut(undecided.Like, " ")
		return usage(fmt.Sprintf("say which: `freshet init --%s %s`", undecided.Flag, word(like)), "%w", err)
	case errors.As(err, &mistake):
		return usage("`freshet init --help` shows what each flag takes; nothing was written", "%w", err)
	case errors.Is(err, setup.ErrNoAnswer), errors.Is(err, context.Canceled):
		return &failure{errors.New("init was broken off"), exitFailed, again}
	case errors.Is(err, setup.ErrExists):
		return refused("name another file: `freshet init --config FILE --schema FILE`", "%w", err)
	case errors.Is(err, fs.ErrPermission):
		return &failure{err, exitFailed, "make the folder writable, or let `freshet init --dry-run` print the config and put it where you can write"}
	case errors.Is(err, fs.ErrNotExist):
		return usage("make the folder first, then type `freshet init` again", "%w", err)
	}
	return err
}

// showInit says what was found, what was written and what to type next.
func (a *app) showInit(d initDone) {
	style := a.style()
	if d.facts.Generated && d.facts.Generator.Name != "npm" {
		a.say("%s, by its %s", d.facts.Generator.Name, d.facts.Generator.Marker)
	}
	x := d.answers
	a.inColumns([][]string{
		{"site", x.Site, d.from.Site}, {"build", x.Build, d.from.Build}, {"bucket", x.Bucket, d.from.Bucket}, {"region", x.Region, d.from.Region},
		{"endpoint", x.Endpoint, ""}, {"distribution", strings.Join(x.Distributions, ", "), d.from.Distribution},
	})
	if notes := d.facts.Notes(d.answers, exec.LookPath); len(notes) > 0 {
		a.say("")
		for _, note := range notes {
			if a.talks() {
				style.Finding(ui.Finding{Level: "warning", Check: "note", What: note})
			}
		}
	}
	written := "Wrote " + shown(d.file)
	if d.schema != "" {
		written += ", and " + shown(d.schema) + " so that editors know its keys"
	}
	a.say("\n%s.\n\nNext, type", written)
	var next [][]string
	for _, step := range x.Next(a.whichProject()) {
		next = append(next, []string{step.Command, step.Why})
	}
	a.inColumns(next)
}

// inColumns prints rows whose second cell is not empty, each cell below those
// of its column.
func (a *app) inColumns(rows [][]string) {
	rows = slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], ui.Columns(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += "  " + cell + strings.Repeat(" ", widths[i]-ui.Columns(cell))
		}
		a.say("%s", strings.TrimRight(line, " "))
	}
}

// whichProject are the flags that later commands need to find this project.
func (a *app) whichProject() string {
	flags := ""
	if a.dir != "." {
		flags += " -C " + a.dir
	}
	if a.configFile != "" {
		flags += " --config " + a.configFile
	}
	return flags
}

// initAnswer is the JSON answer of init; docs/json.md describes it.
type initAnswer struct {
	Config        string       `json:"config"`
	Created       bool         `json:"created"`
	Schema        string       `json:"schema"`
	Generator     string       `json:"generator"`
	Site          string       `json:"site"`
	Build         string       `json:"build"`
	Clean         []string     `json:"clean"`
	Target        string       `json:"target"`
	Bucket        string       `json:"bucket"`
	Region        string       `json:"region"`
	Endpoint      string       `json:"endpoint"`
	Distributions []string     `json:"distributions"`
	From          initFrom     `json:"from"`
	Notes         []string     `json:"notes"`
	Next          []setup.Step `json:"next"`
}

type initFrom struct {
	Site         string `json:"site"`
	Build        string `json:"build"`
	Bucket       string `json:"bucket"`
	Region       string `json:"region"`
	Distribution string `json:"distribution"`
}

func (a *app) initJSON(d initDone, created bool) initAnswer {
	x := d.answers
	return initAnswer{
		Config: d.file, Created: created, Schema: d.schema, Generator: d.facts.Generator.Name, Site: x.Site, Build: x.Build,
		Clean: append([]string{}, x.Clean...), Target: x.Target, Bucket: x.Bucket, Region: x.Region, Endpoint: x.Endpoint,
		Distributions: append([]string{}, x.Distributions...),
		From:          initFrom{d.from.Site, d.from.Build, d.from.Bucket, d.from.Region, d.from.Distribution},
		Notes:         append([]string{}, d.facts.Notes(x, exec.LookPath)...), Next: x.Next(a.whichProject()),
	}
}
