package habit

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxQuotes is how deep a command may stand in quotes: sh -c "…".
const maxQuotes = 3

// parse finds the commands in a line of a shell whose variables are expanded.
func parse(text string, depth int) []Command {
	var found []Command
	in := "" // the folder that the line went to
	for _, words := range words(text) {
		switch path.Base(strings.TrimLeft(words[0], "@-+")) {
		case "echo", "printf", "print":
			continue
		case "cd":
			if len(words) > 1 {
				in = path.Join(in, words[1])
			}
		}
		if c, ok := command(words); ok {
			if c.Source != "" && in != "" {
				c.Source = folder(path.Join(in, c.Source))
			}
			found = append(found, c)
			continue
		}
		for _, word := range words {
			if depth < maxQuotes && strings.ContainsAny(word, " \t\n") && word != text {
				found = append(found, parse(word, depth+1)...)
			}
		}
	}
	return found
}

// command reads a simple command, wherever its program stands in it: after
// assignments, sudo, npx, "- run:" or docker's own options.
func command(words []string) (Command, bool) {
	for i, word := range words {
		var read func([]string) (Command, bool)
		switch program(word) {
		case "aws":
			read = aws
		case "s3deploy":
			read = s3deploy
		case "s5cmd", "s3cmd", "rclone":
			read = func(args []string) (Command, bool) { return syncer(program(word), args) }
		default:
			continue
		}
		if c, ok := read(words[i+1:]); ok {
			return c, true
		}
	}
	return Command{}, false
}

// program is the name of a program without folder, make's signs and ending;
// the images and copies of the AWS CLI are all "aws".
func program(word string) string {
	name := strings.ToLower(path.Base(strings.TrimLeft(word, "@-+")))
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimSuffix(name, ".exe")
	switch name {
	case "awsv2", "aws2", "aws-cli", "awscli", "awslocal":
		return "aws"
	}
	return name
}

// arguments are a command's options by name, without dashes, and the rest.
type arguments struct {
	options map[string][]string
	rest    []string
}

func (a arguments) last(names ...string) string {
	for _, name := range names {
		if values := a.options[name]; len(values) > 0 {
			return values[len(values)-1]
		}
	}
	return ""
}

// split reads options "--name value", "--name=value" and flags. An option is a
// flag if it is in the list, or if what follows cannot be its value.
func split(words, flags []string) arguments {
	a := arguments{options: map[string][]string{}}
	for i := 0; i < len(words); i++ {
		name, value, hasValue := strings.Cut(words[i], "=")
		if !strings.HasPrefix(name, "-") || name == "-" {
			a.rest = append(a.rest, words[i])
			continue
		}
		name = strings.TrimLeft(name, "-")
		next := i + 1
		if !hasValue && !slices.Contains(flags, name) && next < len(words) &&
			!strings.HasPrefix(words[next], "--") && !strings.HasPrefix(words[next], "s3://") {
			i, value = next, words[next]
		}
		a.options[name] = append(a.options[name], value)
	}
	return a
}

// awsFlags are the options of the AWS CLI's `s3` and `cloudfront` commands that
// take no value. AWS CLI Command Reference, "s3 sync", "s3 cp" and "aws", read
// 2026-11.
var awsFlags = []string{
	"delete", "dryrun", "quiet", "recursive", "size-only", "exact-timestamps", "follow-symlinks", "no-follow-symlinks",
	"guess-mime-type", "no-guess-mime-type", "only-show-errors", "no-progress", "force-glacier-transfer",
	"ignore-glacier-warnings", "no-overwrite", "debug", "no-verify-ssl", "no-paginate", "no-sign-request",
	"no-cli-pager", "no-cli-auto-prompt", "cli-auto-prompt",
}

func aws(words []string) (Command, bool) {
	a := split(words, awsFlags)
	c := Command{Region: value(a.last("region")), Profile: value(a.last("profile")), Endpoint: value(a.last("endpoint-url"))}
	if len(a.rest) < 2 {
		return c, false
	}
	c.Tool = "aws " + a.rest[0] + " " + a.rest[1]
	switch c.Tool {
	case "aws cloudfront create-invalidation":
		return c, c.invalidates(a.options["distribution-id"])
	case "aws s3 sync":
	case "aws s3 cp", "aws s3 mv":
		if _, ok := a.options["recursive"]; !ok {
			return c, false
		}
	default:
		return c, false
	}
	return c, len(a.rest) > 3 && !isBucket(a.rest[2]) && c.publishes(a.rest[2], a.rest[3])
}

// s3deployFlags take no value. https://github.com/bep/s3deploy, README, read
// 2026-11.
var s3deployFlags = []string{"force", "h", "help", "public-access", "quiet", "skip-local-dirs", "strip-index-html", "try", "v", "V", "verbose"}

func s3deploy(words []string) (Command, bool) {
	return s3deployed(split(words, s3deployFlags))
}

func s3deployed(a arguments) (Command, bool) {
	c := Command{Tool: "s3deploy", Region: value(a.last("region")), Endpoint: value(a.last("endpoint-url"))}
	bucket := a.last("bucket")
	if bucket == "" || !c.publishes(a.last("source"), "s3://"+bucket+"/"+strings.Trim(a.last("path"), "/")) {
		return c, false
	}
	var ids []string
	for _, id := range a.options["distribution-id"] {
		ids = append(ids, strings.Split(id, ",")...)
	}
	c.invalidates(ids)
	return c, true
}

// syncer reads the commands of s5cmd, s3cmd and rclone, which name what they
// send first and the bucket last.
func syncer(tool string, words []string) (Command, bool) {
	a := split(words, []string{
		"delete", "size-only", "delete-removed", "acl-public", "acl-private", "recursive", "r", "P", "M", "v", "vv", "progress",
		"guess-mime-type", "no-mime-magic", "no-preserve", "dry-run", "n", "i", "interactive", "checksum", "c", "stats", "fast-list",
		"cf-invalidate", "cf-invalidate-default-index", "no-check-md5", "verbose", "rr", "reduced-redundancy", "f", "force",
	})
	subcommands := map[string][]string{
		"s5cmd": {"sync", "cp"}, "s3cmd": {"sync", "put"}, "rclone": {"sync", "copy"},
	}[tool]
	at := slices.IndexFunc(a.rest, func(word string) bool { return slices.Contains(subcommands, word) })
	if at < 0 || len(a.rest) < at+3 {
		return Command{}, false
	}
	c := Command{
		Tool: tool + " " + a.rest[at], Region: value(a.last("region", "s3-region")), Profile: value(a.last("profile")),
		Endpoint: value(a.last("endpoint-url", "s3-endpoint")),
	}
	from, to := a.rest[at+1], a.rest[len(a.rest)-1]
	if tool == "rclone" {
		to = rcloneBucket(to)
	}
	return c, !isBucket(from) && c.publishes(strings.TrimSuffix(from, "*"), to)
}

// rcloneRemote is a remote whose name or type says that it is S3. What other
// names mean stands in rclone's own settings.
var rcloneRemote = regexp.MustCompile(`(?i)^(?::s3(?:,[^:]*)?|[\w-]*(?:s3|aws)[\w-]*):/?(.+)$`)

func rcloneBucket(to string) string {
	if m := rcloneRemote.FindStringSubmatch(to); m != nil && !isBucket(to) {
		return "s3://" + m[1]
	}
	return ""
}

func isBucket(word string) bool { return strings.HasPrefix(word, "s3://") }

// value is the text if it is known.
func value(text string) string {
	if !known(text) {
		return ""
	}
	return text
}

// publishes takes the folder and the address of the bucket, and reports
// whether the address is one.
func (c *Command) publishes(from, to string) bool {
	rest, ok := strings.CutPrefix(to, "s3://")
	if !ok || strings.HasPrefix(rest+"/", "/") {
		return false
	}
	c.Source = folder(from)
	if c.note(rest) {
		return true
	}
	c.Bucket, c.Prefix, _ = strings.Cut(rest, "/")
	if c.Prefix = strings.Trim(path.Clean("/"+c.Prefix), "/"); c.Prefix != "" {
		c.Prefix += "/"
	}
	return true
}

// invalidates takes the distributions, and reports whether there are any.
func (c *Command) invalidates(ids []string) bool {
	any := false
	for _, id := range ids {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		any = true
		if !c.note(id) && !slices.Contains(c.Distributions, id) {
			c.Distributions = append(c.Distributions, id)
		}
	}
	return any
}

// note keeps the names of the variables in the text that have no value, and
// reports whether there are any.
func (c *Command) note(text string) bool {
	names := regexp.MustCompile(`\$\{([^}]*)\}`).FindAllStringSubmatch(text, -1)
	for _, m := range names {
		if !slices.Contains(c.Unknown, m[1]) {
			c.Unknown = append(c.Unknown, m[1])
		}
	}
	return !known(text)
}

// folder is a path relative to where the command runs, or "" for one outside
// or unknown.
func folder(from string) string {
	if from == "" || !known(from) || strings.ContainsAny(from, "*?`~") || strings.Contains(from, "\\") {
		return ""
	}
	from = path.Clean(from)
	if path.IsAbs(from) || from == ".." || strings.HasPrefix(from, "../") {
		return ""
	}
	return from
}

// bucketURL reads the URL of Hugo's deployment targets, such as
// "s3://bucket?region=us-east-1&prefix=blog/". Go CDK, "How to: Blob", "S3",
// read 2026-11.
func (c *Command) bucketURL(text string) bool {
	address, query, _ := strings.Cut(text, "?")
	if !isBucket(address) {
		return false
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	c.Region, c.Endpoint, c.Profile = values.Get("region"), values.Get("endpoint"), values.Get("profile")
	return c.publishes("", strings.TrimRight(address, "/")+"/"+values.Get("prefix"))
}
