package lint

import (
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// doubtful are what makes a reference look like the work of a template that was
// not filled in, or that a script will; and a backslash, which browsers and
// servers read in different ways.
var doubtful = []string{"{{", "{%", "<%", "${", "[[", "\\", "<", ">", "\"", "`"}

// resolve is the decoded path that a reference leads to, for references into the
// site itself. base is the decoded path of the page, or what <base href> makes of
// it; "" where that is another site.
func (s *Site) resolve(base, ref string) (path string, ok bool) {
	ref, ok = cleaned(ref)
	if !ok || base == "" {
		return "", false
	}
	ref, _, _ = strings.Cut(ref, "#")
	ref, _, _ = strings.Cut(ref, "?")
	rest, ours := s.local(ref)
	if !ours || rest == "" {
		return "", false
	}
	if path, ok = decoded(rest); !ok {
		return "", false
	}
	if !strings.HasPrefix(path, "/") {
		path = base[:strings.LastIndexByte(base, '/')+1] + path
	}
	return withoutDots(path), true
}

// cleaned is a reference as browsers see it: entities read, spaces around it and
// line breaks in it taken away.
func cleaned(ref string) (string, bool) {
	if strings.IndexByte(ref, '&') >= 0 {
		ref = html.UnescapeString(ref)
	}
	ref = strings.Trim(ref, " \t\n\f\r")
	if strings.ContainsAny(ref, "\t\n\r") {
		ref = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(ref)
	}
	isDoubtful := slices.ContainsFunc(doubtful, func(mark string) bool { return strings.Contains(ref, mark) })
	return ref, ref != "" && !isDoubtful
}

// local takes the scheme and host of the site itself away. It is false for
// references to anywhere else, of which there are mailto: and data: too.
func (s *Site) local(ref string) (rest string, ours bool) {
	after, isURL := ref, strings.HasPrefix(ref, "//")
	if scheme, tail, ok := strings.Cut(ref, ":"); ok && isScheme(scheme) {
		switch strings.ToLower(scheme) {
		case "http", "https":
		default:
			return "", false
		}
		if !strings.HasPrefix(tail, "//") {
			return "", false // relative to a scheme: nobody writes that on purpose
		}
		after, isURL = tail, true
	}
	if !isURL {
		return ref, true
	}
	host, path := after[2:], "/"
	if i := strings.IndexByte(host, '/'); i >= 0 {
		host, path = host[:i], host[i:]
	}
	return path, slices.Contains(s.options.Hosts, strings.ToLower(host))
}

func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func decoded(path string) (string, bool) {
	if strings.IndexByte(path, '%') < 0 {
		return path, true
	}
	out, err := url.PathUnescape(path)
	return out, err == nil
}

// encoded is the opposite of decoded, as site.Key encodes.
func encoded(path string) site.URLPath {
	return site.Key(strings.TrimPrefix(path, "/")).URLPath()
}

// withoutDots takes the segments "." and ".." away (URL standard, path state).
func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, seg := range segments {
		last := i == len(segments)-1
		switch seg {
		case ".", "..":
			if seg == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}
