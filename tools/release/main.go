// Command release makes what a version of freshet is published as, into one
// folder: an archive for each system with the program, its licence and its man
// pages, a list of what is linked into it (CycloneDX), and their checksums.
//
//	go run ./tools/release -out dist
//
// It promises that the same commit, built by the same version of Go, gives the
// same bytes on every machine and every day: programs are static, without paths of
// the machine, and every time in the archives is that of the commit. It takes
// nothing but the go command and what it has downloaded already. It leaves out
// signing and uploading.
package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// targets are the systems that a version is built for.
const targets = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"

func main() {
	out := flag.String("out", "dist", "the `folder` for what is made; what it holds is replaced")
	list := flag.String("targets", targets, "the systems, separated by spaces")
	goCommand := flag.String("go", "go", "the go `command`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := release{*out, *goCommand}.make(ctx, strings.Fields(*list))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one run.
type release struct {
	out     string // the folder for what is made
	command string // the go command
}

// program is one system's program, built.
type program struct {
	system string // "linux_amd64"
	path   string
	info   *buildinfo.BuildInfo
}

// make makes everything. The sums come last: a folder without them is not whole.
// It works inside out, which git ignores: another new folder in the work tree
// would be a change to what is built.
func (r release) make(ctx context.Context, systems []string) (err error) {
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755)); err != nil {
		return fmt.Errorf("empty the folder for what is made: %w", err)
	}
	work, err := os.MkdirTemp(r.out, ".work-")
	if err != nil {
		return fmt.Errorf("make a folder to work in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := r.run(ctx, nil, "run", "./cmd/freshet", "docs", "--man", filepath.Join(work, "man")); err != nil {
		return err
	}
	for _, system := range systems {
		p, err := r.build(ctx, work, system)
		if err != nil {
			return err
		}
		if err := pack(r.out, work, p); err != nil {
			return err
		}
	}
	return writeSums(r.out)
}

// build builds the program for a system such as "linux/amd64".
func (r release) build(ctx context.Context, work, system string) (program, error) {
	goos, arch, ok := strings.Cut(system, "/")
	if !ok {
		return program{}, fmt.Errorf("a system is written as linux/amd64, not %q", system)
	}
	p := program{system: goos + "_" + arch, path: filepath.Join(work, goos+"_"+arch, "freshet")}
	if goos == "windows" {
		p.path += ".exe"
	}
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT="}
	err := r.run(ctx, env, "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", p.path, "./cmd/freshet")
	if err != nil {
		return program{}, err
	}
	if p.info, err = buildinfo.ReadFile(p.path); err != nil {
		return program{}, fmt.Errorf("read what %s was built from: %w", p.system, err)
	}
	fmt.Printf("%s  %s\n", p.version(), system)
	return p, nil
}

func (r release) run(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, r.command, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s for %s: %w", args[0], strings.Join(env, " "), err)
	}
	return nil
}

// version is the tag that was built, or what Go calls a commit without one.
func (p program) version() string { return cmp.Or(p.info.Main.Version, "devel") }

// name begins the names of what is made of a program.
func (p program) name() string {
	return "freshet_" + strings.TrimPrefix(p.version(), "v") + "_" + p.system
}

// time is that of the commit, the only time that is in what is made; the
// beginning of 1980, where zip's begin, without one.
func (p program) time() time.Time {
	for _, s := range p.info.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return t.UTC()
		}
	}
	return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
}

// pack makes a program's archive and its list of parts.
func pack(made, work string, p program) error {
	data, err := os.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	files := []file{{filepath.Base(p.path), data, 0o755}}
	extra, err := filepath.Glob(filepath.Join(work, "man", "*.1"))
	if err != nil || len(extra) == 0 {
		return fmt.Errorf("found no man pages: %w", cmp.Or(err, os.ErrNotExist))
	}
	for _, name := range append([]string{"CHANGELOG.md", "LICENSE", "README.md"}, extra...) {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read what goes into the archive: %w", err)
		}
		to := filepath.Base(name)
		if strings.HasSuffix(name, ".1") {
			to = "man/man1/" + to
		}
		files = append(files, file{to, text, 0o644})
	}
	archive := targz
	suffix := ".tar.gz"
	if strings.HasPrefix(p.system, "windows") {
		archive, suffix = zipped, ".zip"
	}
	packed, err := archive(p.name(), files, p.time())
	if err != nil {
		return fmt.Errorf("pack %s: %w", p.name(), err)
	}
	parts, err := bom(p.info, data, p.time())
	if err != nil {
		return fmt.Errorf("list the parts of %s: %w", p.name(), err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(made, p.name()+suffix), packed, 0o644),
		os.WriteFile(filepath.Join(made, p.name()+".cdx.json"), parts, 0o644))
}
