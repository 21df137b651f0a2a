package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder turns YAML nodes into a Config by hand. The library's own decoder
// stops at the first mistake and forgets where a value stood; this one goes on
// and knows the position of everything.
type decoder struct {
	file    string
	lines   []string
	anchors map[string]*ast.AnchorNode
	merges  int
	errs    []*Error
}

// maxMerges is how many "<<" one file may use, each use of an alias counted
// anew; nested ones could otherwise double without end.
const maxMerges = 1000

// position is a place in the file, line and column from 1.
type position struct{ line, column int }

// value is a node and the name that messages give it.
type value struct {
	name string
	node ast.Node
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	at    ast.Node // the key's node
	value ast.Node
}

// section maps the keys that a mapping may have to what reads their values.
type section map[string]func(value)

func at(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// fail records a mistake. A position outside the file, which the YAML library
// gives for some broken texts, is moved to the nearest inside.
func (d *decoder) fail(p position, format string, args ...any) {
	line := min(max(p.line, 1), len(d.lines))
	source := d.lines[line-1]
	runes := []rune(source)
	column := min(max(p.column, 1), len(runes)+1)
	// The library counts a tab before a value as part of it.
	for column < len(runes) && runes[column-1] == '\t' {
		column++
	}
	d.errs = append(d.errs, &Error{
		File: d.file, Line: line, Column: column,
		Msg: fmt.Sprintf(format, args...), Source: redact(source),
	})
}

func (d *decoder) failAt(n ast.Node, format string, args ...any) {
	d.fail(place(n), format, args...)
}

// place is where a node begins. The library's token of a block mapping is its
// first colon; its first key is what a reader would point at.
func place(n ast.Node) position {
	switch n := n.(type) {
	case nil:
		return position{1, 1}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return place(n.Values[0])
		}
	case *ast.MappingValueNode:
		if n.Key != nil {
			return at(n.Key.GetToken())
		}
	}
	return at(n.GetToken())
}

// anchor finds every anchor of the document. YAML lets a name be defined
// again, with the later one hiding the earlier; here that is a mistake.
func (d *decoder) anchor(root ast.Node) {
	d.anchors = map[string]*ast.AnchorNode{}
	if root != nil {
		ast.Walk(anchorVisitor{d}, root)
	}
}

type anchorVisitor struct{ d *decoder }

// Visit implements ast.Visitor.
func (v anchorVisitor) Visit(n ast.Node) ast.Visitor {
	a, ok := n.(*ast.AnchorNode)
	if !ok {
		return v
	}
	name := label(a.Name)
	if _, twice := v.d.anchors[name]; twice {
		v.d.failAt(a, "the anchor &%s is defined twice; give this one another name", name)
	}
	v.d.anchors[name] = a
	return v
}

func label(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// resolve follows anchors and aliases to the node that they stand for. Nil
// means that there is none; what is wrong has then been reported.
func (d *decoder) resolve(n ast.Node) ast.Node {
	start := n
	for range maxNesting {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			anchor, ok := d.anchors[label(node.Value)]
			if !ok {
				d.failAt(node, "there is no anchor &%s; put a value that begins with * in quotes", label(node.Value))
				return nil
			}
			n = anchor.Value
		case *ast.TagNode:
			d.failAt(node, "YAML tags are not used here; remove %q", label(node))
			return nil
		case *ast.NullNode, nil:
			return n
		default:
			return node
		}
	}
	d.failAt(start, "this alias refers to itself")
	return nil
}

// section reads a mapping whose keys are fixed, and returns the values that it
// had, by key. A missing value counts as an empty mapping.
func (d *decoder) section(v value, s section) map[string]value {
	seen := map[string]value{}
	for _, p := range d.mapping(v) {
		read, ok := s[p.key]
		if !ok {
			d.failAt(p.at, "unknown key %q%s", p.key, advice(p.key, slices.Sorted(maps.Keys(s))))
			continue
		}
		seen[p.key] = value{p.key, p.value}
		read(seen[p.key])
	}
	return seen
}

// mapping is the entries of a mapping in the order of the file, with merges
// carried out and duplicates reported.
func (d *decoder) mapping(v value) []pair {
	n := d.resolve(v.node)
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.MappingNode:
		return d.pairs(n.Values)
	case *ast.MappingValueNode:
		return d.pairs([]*ast.MappingValueNode{n})
	}
	d.failAt(n, "%s takes keys with values (key: value), found %s", v.name, kind(n))
	return nil
}

func (d *decoder) pairs(values []*ast.MappingValueNode) []pair {
	var own, merged []pair
	first := map[string]int{}
	for _, mv := range values {
		if mv.Key != nil && mv.Key.IsMergeKey() {
			merged = append(merged, d.merge(mv.Value)...)
			continue
		}
		key, ok := d.key(mv)
		if !ok {
			continue
		}
		if line, twice := first[key]; twice {
			d.failAt(mv, "the key %q is given twice (first on line %d); remove one", key, line)
			continue
		}
		first[key] = place(mv).line
		own = append(own, pair{key, mv, mv.Value})
	}
	for _, p := range merged {
		if _, overridden := first[p.key]; !overridden {
			first[p.key] = place(p.at).line
			own = append(own, p)
		}
	}
	return own
}

// merge is the entries that "<<" brings in: those of one mapping, or of each
// in a list, where the earlier wins.
func (d *decoder) merge(n ast.Node) []pair {
	if d.merges++; d.merges > maxMerges {
		if d.merges == maxMerges+1 {
			d.failAt(n, `"<<" is used more than %d times, or refers to itself`, maxMerges)
		}
		return nil
	}
	seq, ok := d.resolve(n).(*ast.SequenceNode)
	if !ok {
		return d.mapping(value{`"<<"`, n})
	}
	var all []pair
	for _, item := range seq.Values {
		all = append(all, d.merge(item)...)
	}
	return all
}

// key is the text of an entry's key.
func (d *decoder) key(mv *ast.MappingValueNode) (string, bool) {
	var n ast.Node = mv.Key
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	if s, ok := n.(*ast.StringNode); ok && s.Value != "" {
		return s.Value, true
	}
	d.failAt(mv, "a key must be plain text; put it in quotes if it is meant as text")
	return "", false
}

// kind is what a node is, in words.
func kind(n ast.Node) string {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	default:
		return strings.ToLower(n.Type().YAMLName())
	}
}
