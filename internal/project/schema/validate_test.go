package schema

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keywords are those that the validator below knows; a schema with another
// would be checked by halves.
var keywords = []string{
	"$schema", "title", "description", "default", "examples", // say nothing about validity
	"type", "enum", "pattern", "minimum", "anyOf", "items", "properties", "additionalProperties", "propertyNames", "required", "dependencies",
}

// validate is what is wrong with a value by a schema of JSON Schema draft-07,
// or "". It reads the schema as text, as an editor does.
func validate(schema any, value any, at string) string {
	s, ok := schema.(map[string]any)
	if !ok {
		return fmt.Sprintf("%s: not a schema: %v", at, schema)
	}
	for key := range s {
		if !slices.Contains(keywords, key) {
			return fmt.Sprintf("%s: the validator does not know %q", at, key)
		}
	}
	for _, check := range []func(map[string]any, any, string) string{checkType, checkWord, checkAny} {
		if wrong := check(s, value, at); wrong != "" {
			return wrong
		}
	}
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			if items, ok := s["items"]; ok {
				if wrong := validate(items, item, fmt.Sprintf("%s[%d]", at, i)); wrong != "" {
					return wrong
				}
			}
		}
	case map[string]any:
		return checkObject(s, value, at)
	}
	return ""
}

func checkType(s map[string]any, value any, at string) string {
	want, ok := s["type"]
	if !ok {
		return ""
	}
	list, many := want.([]any)
	if !many {
		list = []any{want}
	}
	if !slices.Contains(list, any(typeOf(value))) {
		return fmt.Sprintf("%s: %s instead of %v", at, typeOf(value), want)
	}
	return ""
}

func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case int64, uint64, int:
		return "integer"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", value)
}

func checkWord(s map[string]any, value any, at string) string {
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, value) {
		return fmt.Sprintf("%s: %v is none of %v", at, value, words)
	}
	text, isText := value.(string)
	if pattern, ok := s["pattern"].(string); ok && isText && !regexp.MustCompile(pattern).MatchString(text) {
		return fmt.Sprintf("%s: %q does not match %s", at, text, pattern)
	}
	if least, ok := s["minimum"].(float64); ok {
		if n, ok := value.(int64); ok && float64(n) < least {
			return fmt.Sprintf("%s: %d is less than %v", at, n, least)
		}
	}
	return ""
}

func checkAny(s map[string]any, value any, at string) string {
	options, ok := s["anyOf"].([]any)
	if !ok {
		return ""
	}
	var wrong []string
	for _, option := range options {
		one := validate(option, value, at)
		if one == "" {
			return ""
		}
		wrong = append(wrong, one)
	}
	return strings.Join(wrong, "; and ")
}

func checkObject(s, value map[string]any, at string) string {
	for _, key := range asList(s["required"]) {
		if _, ok := value[key]; !ok {
			return fmt.Sprintf("%s: %q is missing", at, key)
		}
	}
	needs, _ := s["dependencies"].(map[string]any)
	properties, _ := s["properties"].(map[string]any)
	for key, inner := range value {
		for _, other := range asList(needs[key]) {
			if _, ok := value[other]; !ok {
				return fmt.Sprintf("%s: %q without %q", at, key, other)
			}
		}
		if names, ok := s["propertyNames"]; ok {
			if wrong := validate(names, key, at+" name"); wrong != "" {
				return wrong
			}
		}
		of, known := properties[key]
		if !known {
			switch more := s["additionalProperties"].(type) {
			case bool:
				if !more {
					return fmt.Sprintf("%s: unknown key %q", at, key)
				}
				continue
			case nil:
				continue
			default:
				of = more
			}
		}
		if wrong := validate(of, inner, at+"."+key); wrong != "" {
			return wrong
		}
	}
	return ""
}

func asList(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, item := range list {
		out = append(out, item.(string))
	}
	return out
}

// loaded is the schema as an editor reads it.
func loaded(t testing.TB) any {
	t.Helper()
	text, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	var s any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
