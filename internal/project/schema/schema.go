// Package schema describes freshet.yaml as a JSON Schema, from which editors
// complete keys, show what they mean, and mark mistakes.
//
// The schema is made from the types of package config by reflection: every
// exported field is a key, and what a type cannot say (meaning, words to choose
// from, form of a text) stands in a table beside it. Tests hold it against the
// parser: every key that the parser takes is in the schema and no other, and
// no file that the parser takes is marked as wrong. The other direction is left
// to the parser, which knows more than a schema can say.
//
// It follows JSON Schema draft-07, the newest that yaml-language-server reads
// in full (https://github.com/redhat-developer/yaml-language-server, README,
// read 2026-11). It leaves out YAML's merge key "<<".
package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/freshet/freshet/internal/project/config"
)

//go:generate go run ./generate ../../../docs/freshet.schema.json

// title begins every schema that freshet has written, of any version.
const title = "freshet.yaml: what freshet publishes, and where"

// Node is a schema or a part of one, with the keywords in use.
type Node struct {
	Schema      string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	// Type are the types that it may have; nil for any.
	Type     types    `json:"type,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
	Minimum  *int     `json:"minimum,omitempty"`
	Default  any      `json:"default,omitempty"`
	Examples []string `json:"examples,omitempty"`
	AnyOf    []*Node  `json:"anyOf,omitempty"`
	Items    *Node    `json:"items,omitempty"`
	// Properties are the keys of an object, and Closed says that it has no
	// others; Each is for all keys of an object whose keys are names.
	Properties    map[string]*Node    `json:"properties,omitempty"`
	Closed        *bool               `json:"-"`
	Each          *Node               `json:"-"`
	PropertyNames *Node               `json:"propertyNames,omitempty"`
	Required      []string            `json:"required,omitempty"`
	Dependencies  map[string][]string `json:"dependencies,omitempty"`
}

// types are the names of types: one is written alone.
type types []string

// MarshalJSON implements json.Marshaler.
func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// MarshalJSON writes Closed and Each as the one keyword that they are.
func (n *Node) MarshalJSON() ([]byte, error) {
	type plain Node
	out := struct {
		*plain
		Additional any `json:"additionalProperties,omitempty"`
	}{plain: (*plain)(n)}
	switch {
	case n.Each != nil:
		out.Additional = n.Each
	case n.Closed != nil:
		out.Additional = !*n.Closed
	}
	return json.Marshal(out)
}

// JSON is the schema as text, indented, with a newline at its end.
func JSON() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(Root()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Ours reports whether a text is a schema of freshet.yaml that some version of
// freshet wrote, and that a newer one may therefore replace.
func Ours(text []byte) bool {
	var head struct {
		Title string `json:"title"`
	}
	return json.Unmarshal(text, &head) == nil && head.Title == title
}

// Root is the schema of the whole file.
func Root() *Node {
	root := object(reflect.ValueOf(*config.Default("")), "")
	root.Schema, root.Title = "http://json-schema.org/draft-07/schema#", title
	return root
}

// object is the schema of a struct; v holds the defaults of its fields.
func object(v reflect.Value, path string) *Node {
	closed := true
	n := &Node{Type: types{"object", "null"}, Properties: map[string]*Node{}, Closed: &closed}
	for i := range v.NumField() {
		if key := keyOf(path, v.Type().Field(i).Name); key != "" {
			at := strings.TrimPrefix(path+"."+key, ".")
			n.Properties[key] = described(v.Field(i), at)
		}
	}
	n.Dependencies, n.Required = dependencies(path), required(path)
	if len(n.Required) > 0 {
		n.Type = types{"object"} // nothing would lack what is required
	}
	return n
}

// described is the schema of a key's value with what the table says about it.
func described(v reflect.Value, path string) *Node {
	about := notes()[path]
	n := about.form(valueOf(v, path))
	n.Description = about.text
	if n.Default == nil {
		n.Default = defaultOf(v)
	}
	return n
}

// valueOf is the schema of a Go type.
func valueOf(v reflect.Value, path string) *Node {
	zero := 0
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return &Node{Type: types{"string"}, Pattern: durationPattern}
	case v.Kind() == reflect.Bool:
		return &Node{Type: types{"string"}, Enum: []string{config.Always, config.Never}}
	case v.Kind() == reflect.Int:
		return &Node{Type: types{"integer"}, Minimum: &zero}
	case v.Kind() == reflect.Struct:
		return object(v, path)
	case v.Kind() == reflect.Slice:
		return &Node{Type: types{"array", "null"}, Items: valueOf(reflect.Zero(v.Type().Elem()), path+"[]")}
	case v.Kind() == reflect.Map:
		return &Node{Type: types{"object", "null"}, PropertyNames: &Node{Pattern: namePattern}, Each: valueOf(reflect.Zero(v.Type().Elem()), path+".*")}
	}
	return &Node{Type: types{"string"}}
}

// defaultOf is what counts where a key is not given; nil for nothing.
func defaultOf(v reflect.Value) any {
	switch {
	case v.IsZero():
		return nil
	case v.Type() == reflect.TypeFor[time.Duration]():
		return days(time.Duration(v.Int()))
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Int:
		return v.Int()
	}
	return nil
}

// keyOf is the key of a field; "" for one that is not in the file.
func keyOf(path, field string) string {
	switch path + "." + field {
	case ".File", ".Dir", "headers[].Line", "targets.*.Name":
		return ""
	case "targets.*.Distributions":
		return "distribution"
	}
	field = strings.ReplaceAll(field, "CloudFront", "Cloudfront")
	var key strings.Builder
	last := 'A'
	for _, r := range field {
		if unicode.IsUpper(r) && !unicode.IsUpper(last) {
			key.WriteByte('-')
		}
		key.WriteRune(unicode.ToLower(r))
		last = r
	}
	return key.String()
}
