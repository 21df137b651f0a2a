package habit

import (
	"regexp"
	"slices"
	"strings"
)

// Place is somewhere that a site has been published to.
type Place struct {
	// Bucket, Prefix, Source, Region, Profile and Endpoint are those of
	// Command; what one command of the place leaves out another may say.
	Bucket, Prefix, Source, Region, Profile, Endpoint string
	// Distributions are the ids that belong to it; none if that is not clear.
	Distributions []string
	// From are the commands that publish there; the first gives the bucket.
	From []Command
	// Invalidated is the command that gives the distributions.
	Invalidated Command
}

// ids are what CloudFront makes: an E and more capitals and digits.
var ids = regexp.MustCompile(`^E[A-Z0-9]{6,}$`)

// bucketNames are what S3 allows, and no example such as my_s3_bucket. Amazon
// S3 User Guide, "General purpose bucket naming rules", read 2026-11.
var bucketNames = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Places puts the commands of all files together: one place for each bucket
// and folder in it, in the order of the commands. A command that sends a part
// of the same folder to the same part of the bucket is no place of its own.
//
// Distributions belong to a place if its own command names them, or a command
// of the same file and group, or if there is one place only. Anything else
// would be a guess about what to purge, and gives none.
func Places(commands []Command) []Place {
	var places []Place
	for _, c := range commands {
		if !bucketNames.MatchString(c.Bucket) {
			continue
		}
		at := slices.IndexFunc(places, func(p Place) bool { return p.Bucket == c.Bucket && p.Prefix == c.Prefix })
		if at < 0 {
			places = append(places, Place{Bucket: c.Bucket, Prefix: c.Prefix})
			at = len(places) - 1
		}
		places[at].add(c)
	}
	places = slices.DeleteFunc(places, func(p Place) bool { return partOf(p, places) })
	for i := range places {
		places[i].distributions(commands, len(places) == 1)
	}
	return places
}

func (p *Place) add(c Command) {
	p.From = append(p.From, c)
	for _, f := range []struct {
		to   *string
		from string
	}{{&p.Source, c.Source}, {&p.Region, c.Region}, {&p.Profile, c.Profile}, {&p.Endpoint, c.Endpoint}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// partOf reports whether p is filled from a part of what fills another place,
// at the same place within the bucket.
func partOf(p Place, all []Place) bool {
	return slices.ContainsFunc(all, func(whole Place) bool {
		below, ok := strings.CutPrefix(p.Prefix, whole.Prefix)
		if p.Bucket != whole.Bucket || !ok || below == "" || whole.Source == "" {
			return false
		}
		return p.Source == folder(whole.Source+"/"+below)
	})
}

// distributions finds those of the place.
func (p *Place) distributions(commands []Command, only bool) {
	near := func(c Command) bool {
		return slices.ContainsFunc(p.From, func(own Command) bool { return own.File == c.File && own.Line == c.Line })
	}
	group := func(c Command) bool {
		return slices.ContainsFunc(p.From, func(own Command) bool {
			return own.File == c.File && own.Group == c.Group && c.Group != ""
		})
	}
	file := func(c Command) bool {
		return only && slices.ContainsFunc(p.From, func(own Command) bool { return own.File == c.File })
	}
	for _, fits := range []func(Command) bool{near, group, file, func(Command) bool { return only }} {
		for _, c := range commands {
			if fits(c) {
				p.take(c)
			}
		}
		if len(p.Distributions) > 0 {
			return
		}
	}
}

func (p *Place) take(c Command) {
	for _, id := range c.Distributions {
		if !ids.MatchString(id) || c.Guess || slices.Contains(p.Distributions, id) {
			continue
		}
		if len(p.Distributions) == 0 {
			p.Invalidated = c
		}
		p.Distributions = append(p.Distributions, id)
	}
}
