package config

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// check reads one text: it returns what the text means, or an error that says
// what is wrong with it and what to write instead.
type check func(string) (string, error)

// str reads a value that is text and not empty. It is "" if there is a mistake.
func (d *decoder) str(v value, c check) string {
	s, ok := d.raw(v)
	if !ok {
		return ""
	}
	if s == "" {
		d.failAt(v.node, "%q is empty; give it a value or remove the key", v.name)
		return ""
	}
	return d.checked(v, s, c)
}

// optional reads a value that is text and may be written as "", which means
// the same as no key at all.
func (d *decoder) optional(v value, c check) string {
	s, ok := d.raw(v)
	if !ok || s == "" {
		return ""
	}
	return d.checked(v, s, c)
}

func (d *decoder) checked(v value, s string, c check) string {
	out, err := c(s)
	if err != nil {
		d.failAt(v.node, "%q %v", v.name, err)
		return ""
	}
	return out
}

// raw is the text of a scalar. Numbers and booleans are refused: what 0777,
// 1e3 or yes mean as text is not the same for all who read YAML.
func (d *decoder) raw(v value) (string, bool) {
	n := d.resolve(v.node)
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case nil:
		return "", false
	case *ast.NullNode:
		d.failAt(v.node, "%q has no value; give it one or remove the key", v.name)
	case *ast.SequenceNode, *ast.MappingNode, *ast.MappingValueNode:
		d.failAt(n, "%q takes text, found %s", v.name, kind(n))
	default:
		d.failAt(n, `%q takes text, found %s; put it in quotes: "%s"`, v.name, kind(n), label(n))
	}
	return "", false
}

// whole reads a whole number of at least 0.
func (d *decoder) whole(v value) int {
	n := d.resolve(v.node)
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		if n != nil {
			d.failAt(n, "%q takes a whole number, found %s", v.name, kind(n))
		}
		return 0
	}
	if u, ok := i.Value.(uint64); ok && u <= 1<<31-1 {
		return int(u)
	}
	d.failAt(i, "%q takes a whole number from 0 to 2147483647", v.name)
	return 0
}

// list is the items of a list; no value counts as an empty list.
func (d *decoder) list(v value) []value {
	n := d.resolve(v.node)
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		items := make([]value, len(n.Values))
		for i, item := range n.Values {
			items[i] = value{v.name, item}
		}
		return items
	case *ast.StringNode:
		d.failAt(n, "%q takes a list, found text; write [%s]", v.name, n.Value)
	default:
		d.failAt(n, "%q takes a list, found %s", v.name, kind(n))
	}
	return nil
}

// strs reads a list of texts.
func (d *decoder) strs(v value, c check) []string {
	var out []string
	for _, item := range d.list(v) {
		if s := d.str(item, c); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// advice is what to do about an unknown key: the nearest key of this place, or
// the place where the key belongs.
func advice(key string, here []string) string {
	if guess := didYouMean(key, here); guess != "" {
		return guess
	}
	if isSecret(key) {
		return "; credentials never go into this file, freshet takes them from the AWS environment"
	}
	for _, place := range places() {
		if slices.Contains(place.keys, key) {
			return "; it belongs under " + place.name
		}
	}
	return "; known here: " + strings.Join(here, ", ")
}

func isSecret(key string) bool {
	folded := fold(key)
	for _, part := range []string{"secret", "password", "passwd", "token", "accesskey"} {
		if strings.Contains(folded, part) {
			return true
		}
	}
	return false
}

// place is a mapping of the format and its keys.
type placeKeys struct {
	name string
	keys []string
}

// places are the mappings of the format in the order in which a key that is in
// the wrong one is looked for.
func places() []placeKeys {
	return []placeKeys{
		{"the top of the file", []string{"site", "build", "headers", "invalidation", "retain", "targets", "urls", "edge", "control"}},
		{"build:", []string{"command", "clean", "watch", "image"}},
		{"invalidation:", []string{"policy", "budget", "over", "limits"}},
		{"urls:", []string{"folders", "query", "clean"}},
		{"targets: and the target's name", []string{
			"bucket", "prefix", "region", "endpoint", "distribution",
			"cloudfront-endpoint", "url",
		}},
		{"headers: in a rule with match:", []string{
			"match", "cache-control", "content-type", "content-disposition",
			"content-language", "content-encoding",
		}},
		{"edge:", []string{
			"listen", "origin", "endpoint", "region", "rules", "memory", "disk", "disk-size", "root-object", "folders", "tag-header",
			"viewer-protocol", "admin", "console", "state", "access-log", "origin-timeout", "header-timeout", "idle-timeout",
			"shutdown-delay", "shutdown-grace", "control",
		}},
		{"edge: in an entry of listen:", []string{"address", "certificate", "key"}},
		{"edge: in control:", []string{"servers", "seed", "authority", "name", "address", "lease", "domain"}},
		{"control:", []string{"name", "state", "listen", "console", "log", "allow-control", "allow-edge", "cluster", "domain", "distribution"}},
		{"control: in cluster:", []string{"name", "listen", "peers", "certificate", "key", "authority"}},
	}
}

// ownName is the config file's name without its folder.
func (d *decoder) ownName() string { return filepath.Base(d.file) }
