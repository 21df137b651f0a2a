package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNesting is how deep brackets may nest. The format needs 4; the YAML
// parser's time and stack grow with the depth.
const maxNesting = 50

// Parse reads the text of a config file. The name is used in messages, and its
// folder becomes Config.Dir; no file is opened. A byte order mark and CRLF are
// accepted, an empty text gives the defaults. The error holds one *Error for
// each mistake, in the order of lines: errors.As finds the first, and Error()
// prints all. A text that is not YAML has one mistake, its first.
func Parse(name string, src []byte) (*Config, error) {
	c := Default(filepath.Dir(name))
	c.File = name
	d := &decoder{file: name}
	text := d.text(src)
	if len(d.errs) > 0 {
		return nil, join(d.errs)
	}
	if root := d.parse(text); root != nil {
		d.config(root, c)
	}
	if len(d.errs) > 0 {
		return nil, join(d.errs)
	}
	return c, nil
}

// text is the source as the parser wants it, UTF-8 with plain newlines, and
// fills d.lines.
func (d *decoder) text(src []byte) string {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	text := string(bytes.ReplaceAll(src, []byte("\r"), []byte("\n")))
	d.lines = strings.Split(text, "\n")
	if len(src) > maxSize {
		d.fail(position{1, 1}, "the file is larger than %d KiB, which is surely not meant", maxSize>>10)
		return ""
	}
	for i, line := range d.lines {
		if at, msg := badCharacter(line); msg != "" {
			d.fail(position{i + 1, at}, "%s", msg)
			return ""
		}
	}
	return text
}

// badCharacter finds the first character of a line that YAML forbids, and its
// column. The parser lets some of them pass, and none belongs in a file that
// is shown on terminals. YAML 1.2.2, 5.1 "Character Set".
func badCharacter(line string) (column int, msg string) {
	for i := 0; i < len(line); {
		column++
		r, size := utf8.DecodeRuneInString(line[i:])
		if r == utf8.RuneError && size == 1 {
			return column, "this is not UTF-8 text; save the file as UTF-8"
		}
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfeff {
			return column, fmt.Sprintf("an invisible character (U+%04X) is here; remove it", r)
		}
		i += size
	}
	return 0, ""
}

// parse is the root of the one document, or nil if the text holds nothing or
// is not YAML; the latter is reported.
func (d *decoder) parse(text string) (root ast.Node) {
	defer d.survive()
	tokens := lexer.Tokenize(text)
	if !d.shallow(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode:
		case *ast.DirectiveNode:
			d.failAt(body, "directives are not used here; remove this line")
		default:
			if root != nil {
				d.failAt(body, `a second document starts here; the file holds one, so remove the "---" above`)
				return nil
			}
			root = body
		}
	}
	d.anchor(root)
	return root
}

// survive turns a panic of the YAML library into a mistake of the file.
// Fuzzing has found none, but no malformed file is a reason for a stack trace.
func (d *decoder) survive() {
	if r := recover(); r != nil {
		d.fail(position{1, 1}, "this is not YAML that freshet can read (%v)", r)
	}
}

func (d *decoder) shallow(tokens token.Tokens) bool {
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if depth > maxNesting {
			d.fail(at(t), "brackets nest deeper than %d here, which is surely not meant", maxNesting)
			return false
		}
	}
	return true
}

// syntax reports what the YAML library found wrong with the text.
func (d *decoder) syntax(err error) {
	var y yaml.Error
	if !errors.As(err, &y) {
		d.fail(position{1, 1}, "this is not YAML: %v", err)
		return
	}
	d.fail(at(y.GetToken()), "this is not YAML: %s", plain(y.GetMessage()))
}

// plain adds to the library's commonest messages what to do about them.
func plain(msg string) string {
	for _, known := range []struct{ part, advice string }{
		{"tab character", "; indent with spaces"},
		{"'\t'", "; indent with spaces"},
		{"mapping value is not allowed", `; quote a value that holds ": ", and indent the keys of one mapping alike`},
		{"value is not allowed", "; quote a value that begins with [ or {, and indent the keys of one mapping alike"},
		{"unexpected scalar value", "; quote a value that begins with * or &"},
		{"unexpected directive value", "; quote a value that begins with %"},
		{"reserved character", "; quote the value"},
		{"non-map value", "; write key: value, with a space after the colon"},
		{"could not find end character", "; close the quotes"},
		{"cannot start any token", "; quote the value"},
		{"not found", "; close the bracket"},
	} {
		if strings.Contains(msg, known.part) {
			return msg + known.advice
		}
	}
	return msg
}
