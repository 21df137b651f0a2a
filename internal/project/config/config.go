// Package config reads freshet.yaml, the one file in which a user says what
// to publish and where.
//
// It promises that a file is either understood whole or refused: an unknown
// key, a key given twice, a value of the wrong type or with the wrong form is
// an error, and nothing is guessed. Every error carries file, line, column and
// the line itself, and says what to write instead; all errors of one file are
// reported together, in the order of their lines.
//
// It leaves out everything that needs more than the file's own text: whether
// the folders exist (detect, scan), whether a clean path leads through a
// symbolic link (build.Clean), whether bucket and distribution are there
// (doctor). Credentials never belong in the file; they come from the AWS SDK's
// own chain. The key `urls` of the design is not accepted yet.
//
// The format is section 2 of the design ("The config file"), written in
// YAML 1.2 without tags and with one document.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// DefaultBudget is how many invalidation paths a month may be spent over
	// all targets when the file does not say. CloudFront bills nothing for the
	// first 1,000 paths a month of an account; CloudFront Developer Guide,
	// "Pay for file invalidation", read 2026-11.
	DefaultBudget = 1000

	// DefaultRetain is how long the assets of past releases stay reachable
	// when the file does not say.
	DefaultRetain = 30 * 24 * time.Hour

	// LocalTarget is the name of the embedded target when no target is given,
	// and the name that Target always understands unless another target is
	// the embedded one.
	LocalTarget = "local"

	// maxSize is the largest file that is read, in bytes. A larger one is a
	// mistake, and the YAML parser's time grows with the square of the size.
	maxSize = 256 << 10
)

// ErrTarget is in the chain of every error of Config.Target: the name does not
// fit the file, or the file alone does not settle which target is meant.
var ErrTarget = errors.New("which target")

// Policy says how the planner chooses what to invalidate.
type Policy string

// The policies; the default is Balanced.
const (
	Exact    Policy = "exact"    // drop nothing untouched, whatever it costs
	Balanced Policy = "balanced" // one path weighs as much as ten untouched objects
	Frugal   Policy = "frugal"   // send the fewest paths
)

// Config is one freshet.yaml with its defaults filled in.
type Config struct {
	// File is the path that the file was read from, as it was given; "" means
	// that there is no file.
	File string
	// Dir is the project's folder: the one that holds the file. Relative paths
	// in the file start here. It is as absolute or relative as File is.
	Dir string
	// Site is the folder to publish, as written; absolute, or relative to Dir.
	// "" means that the file does not say; see SiteDir.
	Site string
	// Build is the site's own build; its zero value means that there is none.
	Build Build
	// Headers are the rules in the order of the file; the first that matches
	// an object decides. Nil means that every object gets the defaults.
	Headers []HeaderRule
	// Invalidation says how the planner may spend.
	Invalidation Invalidation
	// Retain is how long assets of past releases stay reachable, 0 to 100
	// years; default 30 days. 0 means that they go with the next deploy.
	Retain time.Duration
	// Targets are the places to publish to, by name; never empty. A file that
	// names none has the embedded LocalTarget.
	Targets map[string]Target
	// URLs overrides what cannot be read from a distribution.
	URLs URLs
	// Edge is for `freshet edge` alone; publishing does not look at it.
	Edge Edge
	// Control is for `freshet control` alone.
	Control Control
}

// Words that answer a question of URLs.
const (
	Auto   = "auto" // as far as the distribution tells, and yes where it does not
	Always = "always"
	Never  = "never"
)

// URLs says under which URLs viewers may know an object.
type URLs struct {
	// Folders: /a/ and /a show a/index.html. Default Auto.
	Folders string
	// Query: answers are cached by query string. Default Auto.
	Query string
	// Clean: /x shows x.html. Default false.
	Clean bool
}

// Build is how the site is made from its sources.
type Build struct {
	// Command is a line for the shell, run in Config.Dir; "" means that the
	// site needs no build.
	Command string
	// Clean are the files and folders that the build makes, relative to
	// Config.Dir, inside it and cleaned. They are names, not patterns.
	Clean []string
	// Watch are the files and folders that the build reads, absolute or
	// relative to Config.Dir, as written.
	Watch []string
	// Image is the container image to run Command in; "" means to run it on
	// this machine.
	Image string
}

// HeaderRule gives headers to the objects that match a pattern. An empty
// field, and a rule with nothing but Match, leaves the defaults.
type HeaderRule struct {
	// Match is a doublestar pattern over object keys relative to the site,
	// with slashes and without a leading one: "theme/**", "**/*.css". It is
	// never empty and always valid.
	Match string
	// The header values are printable ASCII.
	CacheControl       string
	ContentType        string
	ContentDisposition string
	ContentLanguage    string
	ContentEncoding    string
	// Line is the line of the file that the rule starts on, from 1, for
	// messages that say why an object has a header.
	Line int
}

// Invalidation says how the planner may spend.
type Invalidation struct {
	// Policy is one of Exact, Balanced (the default) and Frugal.
	Policy Policy
	// Budget is how many paths a month may be spent over all targets; default
	// 1,000; 0 means no limit.
	Budget int
	// Over says what happens to a deploy that does not fit the budget:
	// OverFrugal (the default) or OverRefuse.
	Over string
	// Limits names the pace of submitting: LimitsAuto (the default, cloudfront
	// for AWS and none for other control APIs), cloudfront, cloudfront-legacy
	// or none.
	Limits string
}

// What a deploy does that does not fit the budget.
const (
	OverFrugal = "frugal" // send the fewest items
	OverRefuse = "refuse" // send nothing
)

// LimitsAuto takes the limits that fit the target.
const LimitsAuto = "auto"

// Load reads and parses the file at path. A missing file is an error that
// errors.Is finds to be fs.ErrNotExist; the other errors are those of reading,
// and those of Parse.
func Load(path string) (*Config, error) {
	src, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

func read(path string) (src []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close() // read only: nothing can be lost
	// One byte more than is accepted, so that Parse sees that it is too large.
	src, err = io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return src, nil
}

// Default is the config of a project in dir that has no file: the embedded
// target, no build, default headers, and no word on which folder is the site.
func Default(dir string) *Config {
	return &Config{
		Dir:          dir,
		Invalidation: Invalidation{Policy: Balanced, Budget: DefaultBudget, Over: OverFrugal, Limits: LimitsAuto},
		URLs:         URLs{Folders: Auto, Query: Auto},
		Retain:       DefaultRetain,
		Targets:      localOnly(),
	}
}

func localOnly() map[string]Target {
	return map[string]Target{LocalTarget: {Name: LocalTarget}}
}

// Find looks for freshet.yaml, then freshet.yml, in dir, and says whether one
// is there. It also says so of one that cannot be read, because Load then
// reports why; publishing with defaults past a broken file would be worse.
//
// Folders above are not searched: a file found by accident, in a home folder
// or an enclosing project, would publish something else to somewhere else.
// Whoever means a file elsewhere says -C or --config.
func Find(dir string) (path string, ok bool) {
	for _, name := range []string{"freshet.yaml", "freshet.yml"} {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, true
		}
	}
	return "", false
}

// SiteDir is the folder to publish, joined to Dir, and whether the file names
// one. If it does not, detect.Site(c.Dir) decides.
func (c *Config) SiteDir() (dir string, ok bool) {
	switch site := filepath.FromSlash(c.Site); {
	case site == "":
		return "", false
	case filepath.IsAbs(site):
		return filepath.Clean(site), true
	default:
		return filepath.Join(c.Dir, site), true
	}
}

// TargetNames are the names of the targets, sorted.
func (c *Config) TargetNames() []string {
	names := make([]string, 0, len(c.Targets))
	for name := range c.Targets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Target is the target of that name. The name "" means the default: the
// embedded target if the file has one or names no target at all, so that a
// plain deploy never reaches production by surprise; else the only target, for
// then the file can mean no other; else an error that lists the names. The
// name "local" is understood although the file does not give it, so that a
// site can be tried before it goes out, unless another target is the embedded
// one. Every error has ErrTarget in its chain.
func (c *Config) Target(name string) (Target, error) {
	if name == "" {
		return c.defaultTarget()
	}
	if t, ok := c.Targets[name]; ok {
		return t, nil
	}
	if _, ok := c.embedded(); name == LocalTarget && !ok {
		return Target{Name: LocalTarget}, nil
	}
	names := c.TargetNames()
	return Target{}, fmt.Errorf("%w: no target %q in %s%s; it has %s",
		ErrTarget, name, c.source(), didYouMean(name, names), strings.Join(names, ", "))
}

func (c *Config) defaultTarget() (Target, error) {
	if t, ok := c.embedded(); ok {
		return t, nil
	}
	names := c.TargetNames()
	switch len(names) {
	case 0: // a Config that neither Parse nor Default made
		return Target{Name: LocalTarget}, nil
	case 1:
		return c.Targets[names[0]], nil
	}
	return Target{}, fmt.Errorf("%w: %s has several; say --target with one of %s",
		ErrTarget, c.source(), strings.Join(names, ", "))
}

func (c *Config) embedded() (Target, bool) {
	for _, t := range c.Targets {
		if t.Embedded() {
			return t, true
		}
	}
	return Target{}, false
}

func (c *Config) source() string {
	if c.File == "" {
		return "the defaults (there is no freshet.yaml)"
	}
	return c.File
}
