// Package setup makes a freshet.yaml for a project that has none: it looks at
// the folder (Look), decides or asks what to write (Facts.Decide), writes it
// as a file with comments (Text, Create), and knows what to type next.
//
// It promises that a file that it makes loads and says what was answered,
// whatever the answers are: Text reads its own text back with package config
// before it returns it. It never replaces a config file. Where two answers are
// equally likely (two buckets in a Makefile) it asks, and where nobody can be
// asked it refuses and says what to type.
//
// It leaves out reaching AWS (doctor does), creating anything there, and
// removing the old commands.
package setup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/detect"
	"github.com/freshet/freshet/internal/project/habit"
)

// DefaultTarget is the name of the target with a bucket, if nobody gives one.
const DefaultTarget = "production"

// None answers that there is none: no build, no bucket, no distribution.
const None = "none"

// Answers are what the file says.
type Answers struct {
	// Site is the folder to publish, absolute or relative to the file.
	Site string
	// Build is the build command; "" means none.
	Build string
	// Clean are the folders that the build makes.
	Clean []string
	// Target is the name of the target with a bucket.
	Target string
	// Bucket is "s3://bucket/prefix"; "" means that the file has the embedded
	// target alone, and then what follows is empty.
	Bucket           string
	Region, Endpoint string
	// Distributions are ids, or "auto" alone, or none.
	Distributions []string
}

// Origins say in a few words where an answer comes from: "Makefile:20",
// "Hugo's output folder", or "" for a flag or an answer of the user.
type Origins struct {
	Site, Build, Bucket, Distribution, Region string
}

// Facts are what a look at the folder found out.
type Facts struct {
	// Generator is the generator of the site, if Generated.
	Generator detect.Source
	Generated bool
	// Commands are those by which the site has been published until now, and
	// Places where to.
	Commands []habit.Command
	Places   []habit.Place

	dir     string
	site    string // proposed; "" means that there is no proposal
	siteWhy string
	siteErr error // why there is none
}

// Look finds out what can be known about the project in dir. Only a folder
// that cannot be read is an error.
func Look(dir string) (Facts, error) {
	f := Facts{dir: dir}
	var err error
	if f.Commands, err = detect.Habits(dir); err != nil {
		return f, err
	}
	f.Generator, f.Generated = detect.Generator(dir)
	f.Places = habit.Places(f.Commands)
	f.site, f.siteWhy, f.siteErr = f.findSite()
	return f, nil
}

// findSite proposes the folder to publish. The folder that a generator's own
// command fills comes before the one that an old command sent, because build
// and site must fit together; what a script of the user's own fills, only the
// old command knows.
func (f Facts) findSite() (site, why string, err error) {
	sent, from := f.sent()
	ownScript := f.Generator.Name == "npm" || strings.HasSuffix(f.Generator.Command, " run build")
	if sent != "" && (!f.Generated || ownScript) {
		return sent, "what " + from + " publishes", nil
	}
	if f.Generated && f.Generator.Output != "" {
		return f.Generator.Output, f.Generator.Name + "'s output folder", nil
	}
	found, err := detect.Site(f.dir)
	if err != nil {
		return "", "", err
	}
	rel, err := filepath.Rel(f.dir, found.Dir)
	return filepath.ToSlash(rel), found.Why, err
}

// sent is the folder that old commands published and where it stands, if all
// of them agree. Commands whose bucket is not known count if there are no
// others.
func (f Facts) sent() (folder, from string) {
	var commands []habit.Command
	for _, p := range f.Places {
		first := p.From[0]
		first.Source = p.Source
		commands = append(commands, first)
	}
	if len(commands) == 0 {
		commands = f.Commands
	}
	for _, c := range commands {
		if c.Source == "" || c.Source == folder {
			continue
		}
		if folder != "" {
			return "", ""
		}
		folder, from = c.Source, c.Place()
	}
	info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(folder)))
	if err != nil && !f.Generated || err == nil && !info.IsDir() {
		return "", ""
	}
	return folder, from
}

// Given are the answers that flags gave, by the name of the flag: "site",
// "build", "bucket", "distribution", "region", "endpoint", "target".
type Given map[string]string

// Question is one thing to ask for.
type Question struct {
	// Flag is the name of the flag that would have answered it.
	Flag string
	// Text asks, without a question mark's space.
	Text string
	// Proposal is the answer of who types nothing; "" means none, and then
	// Empty says what nothing means. If Empty is "", too, an answer is needed.
	Proposal, Why, Empty string
	// Choices are proposals of equal right, to be chosen by number.
	Choices []string
	// Check says what is wrong with an answer, and returns it in its form.
	Check func(string) (string, error)
}

// Ask asks a question and returns the checked answer.
type Ask func(Question) (string, error)

// ErrUndecided is in the chain of an error that a flag would avoid.
var ErrUndecided = errors.New("cannot tell")

// Undecided says which flag would answer a question.
type Undecided struct {
	Flag string // without dashes
	Like string // what could stand behind it
	Why  error
}

// Error implements error.
func (u *Undecided) Error() string { return u.Why.Error() }

// Unwrap gives ErrUndecided and the cause.
func (u *Undecided) Unwrap() []error { return []error{ErrUndecided, u.Why} }

// Decide settles every answer: by a flag, by asking, or, where ask is nil, by
// taking the proposal. The error is a *Mistake for a bad flag, an *Undecided
// where there is no proposal, or that of ask.
func (f Facts) Decide(given Given, ask Ask) (Answers, Origins, error) {
	d := decision{facts: f, given: given, ask: ask}
	a, from := Answers{Target: cmp.Or(given["target"], DefaultTarget)}, Origins{}
	if err := checkTarget(a.Target); err != nil {
		return a, from, err
	}
	a.Site, from.Site = d.settle(f.siteQuestion())
	a.Build, from.Build = d.settle(f.buildQuestion())
	a.Clean = f.clean(a)
	a.Bucket, from.Bucket = d.settle(f.bucketQuestion())
	if a.Bucket == "" {
		return a, from, errors.Join(d.err, d.withoutBucket())
	}
	place := f.place(a.Bucket)
	ids := ""
	ids, from.Distribution = d.settle(distributionQuestion(place))
	a.Distributions = splitIDs(ids)
	a.Region, from.Region = d.settle(regionQuestion(place))
	d.ask = nil // where the store is not AWS, the old command or a flag says so
	a.Endpoint, _ = d.settle(endpointQuestion(place))
	return a, from, d.err
}

// decision settles one question after the other and keeps the first error.
type decision struct {
	facts Facts
	given Given
	ask   Ask
	err   error
}

func (d *decision) settle(q Question) (answer, origin string) {
	if d.err != nil {
		return "", ""
	}
	if text, ok := d.given[q.Flag]; ok {
		answer, d.err = q.Check(text)
		return answer, ""
	}
	if d.ask != nil {
		if answer, d.err = d.ask(q); d.err == nil && answer == q.Proposal {
			origin = q.Why
		}
		return answer, origin
	}
	switch {
	case len(q.Choices) > 0:
		d.err = &Undecided{q.Flag, q.Choices[0], fmt.Errorf("%s: %s", q.Why, strings.Join(q.Choices, ", "))}
	case q.Proposal != "":
		answer, d.err = q.Check(q.Proposal)
		origin = q.Why
	case q.Empty == "":
		why := d.facts.siteErr
		if why == nil {
			why = errors.New("there is no proposal for " + q.Flag)
		}
		d.err = &Undecided{q.Flag, "FOLDER", why}
	}
	return answer, origin
}

// withoutBucket refuses flags that go with a bucket.
func (d *decision) withoutBucket() error {
	for _, flag := range []string{"distribution", "region", "endpoint"} {
		if text := d.given[flag]; text != "" && text != None {
			return &Mistake{flag, "goes with a bucket: add --bucket s3://NAME"}
		}
	}
	return nil
}

func (f Facts) siteQuestion() Question {
	return Question{
		Flag: "site", Text: "Which folder is the site?", Proposal: f.site, Why: f.siteWhy,
		Check: func(s string) (string, error) {
			s = strings.TrimSpace(s)
			if s == "" {
				return "", &Mistake{"site", "needs the name of a folder"}
			}
			if strings.Contains(s, `\`) && filepath.Separator == '\\' {
				s = filepath.ToSlash(s)
			}
			if !strings.HasPrefix(s, "/") {
				s = path.Clean(s)
			}
			return checker("site")(s)
		},
	}
}

func (f Facts) buildQuestion() Question {
	q := Question{Flag: "build", Text: "Which command builds it?", Empty: "none", Check: checker("build")}
	if f.Generated {
		q.Proposal, q.Why = f.Generator.Command, f.Generator.Name+", by "+f.Generator.Marker
	}
	return q
}

func (f Facts) bucketQuestion() Question {
	q := Question{Flag: "bucket", Text: "Which bucket?", Empty: "none: this machine alone, for now", Check: checker("bucket")}
	switch len(f.Places) {
	case 0:
	case 1:
		q.Proposal, q.Why = address(f.Places[0]), f.Places[0].From[0].Place()
	default:
		q.Why = "old commands publish to several buckets"
		for _, p := range f.Places {
			q.Choices = append(q.Choices, fmt.Sprintf("%s (%s)", address(p), p.From[0].Place()))
		}
	}
	return q
}

func distributionQuestion(p habit.Place) Question {
	q := Question{
		Flag: "distribution", Text: "Which CloudFront distribution?", Proposal: config.AutoDistribution, Why: "found by the bucket behind it",
		Check: checker("distribution"),
	}
	if len(p.Distributions) > 0 {
		q.Proposal, q.Why = strings.Join(p.Distributions, ","), p.Invalidated.Place()
	}
	return q
}

func regionQuestion(p habit.Place) Question {
	q := Question{Flag: "region", Text: "In which region is the bucket?", Empty: "the AWS environment says", Check: checker("region")}
	return q.propose(p.Region, p)
}

func endpointQuestion(p habit.Place) Question {
	q := Question{Flag: "endpoint", Empty: "AWS", Check: checker("endpoint")}
	return q.propose(p.Endpoint, p)
}

// propose proposes what an old command says, if the config can say it.
func (q Question) propose(text string, p habit.Place) Question {
	if _, err := q.Check(text); err == nil && text != "" {
		q.Proposal, q.Why = text, p.From[0].Place()
	}
	return q
}

// place is the one with that address, or an empty one.
func (f Facts) place(bucket string) habit.Place {
	at := slices.IndexFunc(f.Places, func(p habit.Place) bool { return address(p) == bucket })
	if at < 0 {
		return habit.Place{}
	}
	return f.Places[at]
}

func address(p habit.Place) string {
	return strings.TrimSuffix("s3://"+p.Bucket+"/"+p.Prefix, "/")
}

// clean is the folder to be cleaned: the site, if a generator is known to fill
// it. The name of a folder alone could be that of sources.
func (f Facts) clean(a Answers) []string {
	made := a.Site == f.Generator.Output || slices.Contains([]string{"_site", "dist", "out", "output", "site"}, a.Site)
	if a.Build == "" || !made || a.Site == "." {
		return nil
	}
	return []string{a.Site}
}
