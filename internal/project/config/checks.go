package config

import (
	"errors"
	"fmt"
	"mime"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
)

// The checks below return errors that read on from the quoted name of the key:
// `"endpoint" must start with …`. They never repeat a value that can hold a
// password.

func anything(s string) (string, error) { return s, nil }

func checkPath(s string) (string, error) {
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("holds a line break or another control character; write the path on one line")
	case s == "~" || strings.HasPrefix(s, "~/"):
		return "", errors.New(`starts with "~", which only a shell expands; write the whole path`)
	}
	return s, nil
}

// checkClean accepts what build.Clean may remove: a name inside the project
// that is neither the project, nor holds the config file or the repository.
func checkClean(configName string) check {
	return func(s string) (string, error) {
		if _, err := checkPath(s); err != nil {
			return "", err
		}
		p := filepath.Clean(filepath.FromSlash(s))
		first, _, _ := strings.Cut(filepath.ToSlash(p), "/")
		switch {
		case filepath.IsAbs(p):
			return "", fmt.Errorf("names %q, an absolute path; write it relative to the folder of %s", s, configName)
		case p == ".":
			return "", fmt.Errorf("names %q, the project itself with its %s; name the folder that the build makes", s, configName)
		case !filepath.IsLocal(p):
			return "", fmt.Errorf("names %q, which is outside the project; only what lies beside or below %s can be cleaned", s, configName)
		case strings.EqualFold(p, configName):
			return "", fmt.Errorf("names %q, this config file itself; name the folder that the build makes", s)
		case strings.EqualFold(first, ".git"):
			return "", fmt.Errorf("names %q, the project's history; name the folder that the build makes", s)
		case strings.ContainsAny(s, "*?["):
			return "", fmt.Errorf("names %q; patterns are not expanded here, name each file or folder", s)
		}
		return p, nil
	}
}

// checkImage keeps the name from being read as an option of docker.
func checkImage(s string) (string, error) {
	if strings.HasPrefix(s, "-") || strings.ContainsFunc(s, notWord) {
		return "", errors.New(`must be the name of a container image, such as "python:3.13"`)
	}
	return s, nil
}

func notWord(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }

func checkGlob(s string) (string, error) {
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("holds a line break or another control character")
	case !doublestar.ValidatePattern(s):
		return "", errors.New(`is not a valid pattern; close every "[" and "{"`)
	case strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("starts with a slash, and object keys do not; write %q", strings.TrimLeft(s, "/"))
	case strings.HasSuffix(s, "/"):
		return "", fmt.Errorf("ends with a slash and would match nothing; write %q", s+"**")
	case strings.Contains(s, "{"):
		return s, nil // the segments below are not those of a path
	}
	for segment := range strings.SplitSeq(s, "/") {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return "", fmt.Errorf("would match nothing, because no object key has the part %q; write it relative to the site", segment)
		case strings.Contains(segment, "**") && segment != "**":
			return "", fmt.Errorf("holds %q, where ** counts as one *; it must stand alone between slashes, as in %q",
				segment, strings.ReplaceAll(segment, "**", "**/*"))
		}
	}
	return s, nil
}

// checkHeader accepts what can travel in a header without being changed.
// Amazon S3 User Guide, "Working with object metadata": over REST, values are
// US-ASCII; read 2026-11.
func checkHeader(s string) (string, error) {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return "", fmt.Errorf("holds %q; a header value is plain ASCII on one line", r)
		}
	}
	if s != strings.TrimSpace(s) {
		return "", errors.New("starts or ends with a space; remove it")
	}
	return s, nil
}

func checkContentType(s string) (string, error) {
	if _, err := checkHeader(s); err != nil {
		return "", err
	}
	media, _, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(media, "/") {
		return "", errors.New(`is not a media type; write one such as "text/html; charset=utf-8"`)
	}
	return s, nil
}

func checkPolicy(s string) (string, error) {
	return oneOf(string(Exact), string(Balanced), string(Frugal))(s)
}

// oneOf accepts the options and nothing else.
func oneOf(options ...string) check {
	return func(s string) (string, error) {
		if slices.Contains(options, s) {
			return s, nil
		}
		return "", fmt.Errorf("must be one of %s, found %q%s", strings.Join(options, ", "), s, didYouMean(s, options))
	}
}

func checkTargetName(s string) error {
	if len(s) > 64 || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(s) {
		return errors.New("must be 1 to 64 letters, digits and . _ -, and start with a letter or digit")
	}
	return nil
}

func checkRegion(s string) (string, error) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`).MatchString(s) {
		return "", errors.New(`is not a region; write one such as "eu-central-1"`)
	}
	return s, nil
}

func checkDistribution(s string) (string, error) {
	switch {
	case strings.EqualFold(s, AutoDistribution):
		if s != AutoDistribution {
			return "", errors.New(`must be in lower case; write "auto"`)
		}
	case strings.Contains(s, "."):
		return "", errors.New(`takes the distribution's id, not its domain name; write the id, such as "EDFDVBD6EXAMPLE", or "auto"`)
	case !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s):
		return "", errors.New(`takes the distribution's id, letters and digits such as "EDFDVBD6EXAMPLE", or "auto"`)
	}
	return s, nil
}

// checkURL accepts the base URL of a server and takes its last slash away.
func checkURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil:
		return "", errors.New("holds a user or password; credentials never go into this file")
	case err != nil || strings.ContainsFunc(s, notWord):
		return "", errors.New(`is not a URL; write one such as "https://example.com"`)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New(`must start with "https://" or "http://"`)
	case u.Hostname() == "":
		return "", errors.New(`has no host; write one such as "https://example.com"`)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("must end before ? and #")
	}
	return strings.TrimRight(s, "/"), nil
}

// parseLocation splits "s3://name/prefix".
func parseLocation(s string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(s, "s3://")
	if !ok {
		if strings.Contains(s, ":") {
			return "", "", errors.New(`must start with "s3://", as in "s3://my-site"`)
		}
		return "", "", fmt.Errorf(`must start with "s3://"; write %q`, "s3://"+strings.TrimLeft(s, "/"))
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if err := checkBucketName(bucket); err != nil {
		return "", "", err
	}
	if prefix == "" {
		return bucket, "", nil
	}
	prefix, err = checkPrefix(prefix)
	return bucket, prefix, err
}

// checkBucketName applies the rules for general purpose buckets that a typing
// mistake can break. Reserved beginnings and endings are left to the store:
// "-s3alias" names an access point, which works in a bucket's place. Amazon S3
// User Guide, "General purpose bucket naming rules", read 2026-11.
func checkBucketName(name string) error {
	switch {
	case name == "":
		return errors.New(`names no bucket; write "s3://" and the bucket's name`)
	case strings.ToLower(name) != name:
		return fmt.Errorf("names the bucket %q; bucket names are lower case: %q", name, strings.ToLower(name))
	case len(name) < 3 || len(name) > 63:
		return fmt.Errorf("names the bucket %q with %d characters; bucket names have 3 to 63", name, len(name))
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`).MatchString(name):
		return fmt.Errorf("names the bucket %q; bucket names hold lower-case letters, digits, - and ., and start and end with a letter or digit", name)
	case strings.Contains(name, ".."):
		return fmt.Errorf("names the bucket %q; bucket names hold no two dots in a row", name)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("names the bucket %q; a bucket name must not look like an IP address", name)
	}
	return nil
}

// checkPrefix accepts folders inside a bucket and ends them with a slash, so
// that the prefix "blog" never covers the keys of "blog-old/".
func checkPrefix(s string) (string, error) {
	trimmed := strings.TrimSuffix(s, "/")
	switch {
	case strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("has a prefix that starts with a slash; object keys do not, write %q", strings.Trim(s, "/"))
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("has a prefix with a control character")
	case path.Clean(trimmed) != trimmed || trimmed == "." || trimmed == ".." || strings.HasPrefix(trimmed, "../"):
		return "", errors.New(`has a prefix with an empty part, "." or ".."; write plain folder names with one slash between them`)
	}
	return trimmed + "/", nil
}
