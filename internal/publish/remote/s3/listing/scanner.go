package listing

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// space is the white space of XML but for the carriage return, which XML would
// have turned into something else.
const space = " \t\n"

// deepest is how deep the elements that are skipped may lie in each other.
const deepest = 8

// scanner walks through a document. Every method leaves it behind what it read.
type scanner struct {
	b  []byte
	at int
}

// Ways to begin a document. What is declared in another way may be encoded in
// another way.
var (
	declarations = [][]byte{[]byte(`<?xml version="1.0" encoding="UTF-8"?>`), []byte(`<?xml version="1.0" encoding="utf-8"?>`), []byte(`<?xml version='1.0' encoding='utf-8'?>`)}
	root         = []byte("<ListBucketResult")
	namespace    = []byte(` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`)
)

// prolog reads up to the root element's first child.
func (s *scanner) prolog() error {
	for _, d := range declarations {
		if bytes.HasPrefix(s.b, d) {
			s.at = len(d)
			break
		}
	}
	s.space()
	if !s.take(root) {
		return ErrUnusual
	}
	s.take(namespace)
	if !s.take([]byte(">")) {
		return ErrUnusual
	}
	return nil
}

func (s *scanner) take(text []byte) bool {
	if !bytes.HasPrefix(s.b[s.at:], text) {
		return false
	}
	s.at += len(text)
	return true
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\n' || s.b[s.at] == '\t') {
		s.at++
	}
}

// children calls child behind the start tag of each element with one of the
// names, up to the end tag of the element that they are in, and reads over the
// others. child reads on to behind the end tag. One that a more lenient reader may
// take for one of names, written in other letters, is unusual.
func (s *scanner) children(names []string, child func(name []byte) error) error {
	parent := s.opened()
	for {
		name, kind, err := s.tag()
		if err != nil {
			return err
		}
		wanted := slices.ContainsFunc(names, func(n string) bool { return bytes.EqualFold(name, []byte(n)) })
		switch {
		case kind == end && bytes.Equal(name, parent):
			return nil
		case kind == end, kind == empty && wanted:
			return ErrUnusual
		case kind == empty:
		case wanted:
			err = child(name)
		default:
			err = s.skip(name)
		}
		if err != nil {
			return err
		}
	}
}

// opened is the name of the element whose start tag ends here.
func (s *scanner) opened() []byte {
	begin := bytes.LastIndexByte(s.b[:s.at], '<') + 1
	name, _, _ := bytes.Cut(s.b[begin:s.at-1], []byte(" "))
	return name
}

// Kinds of tags.
const (
	start = iota
	end
	empty
)

// tag reads the next tag and the white space before it.
func (s *scanner) tag() (name []byte, kind int, err error) {
	s.space()
	switch {
	case s.take([]byte("</")):
		kind = end
	case s.take([]byte("<")):
	default:
		return nil, 0, ErrUnusual
	}
	from := s.at
	for s.at < len(s.b) && letter(s.b[s.at]) {
		s.at++
	}
	name = s.b[from:s.at]
	if kind == start && s.take([]byte("/")) {
		kind = empty
	}
	if len(name) == 0 || !letter(name[0]) || !s.take([]byte(">")) {
		return nil, 0, ErrUnusual
	}
	return name, kind, nil
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// value reads the text of an element without children, behind its start tag, up
// to behind its end tag. Entities are left as they are.
func (s *scanner) value() ([]byte, error) {
	name := s.opened()
	n := bytes.IndexByte(s.b[s.at:], '<')
	if n < 0 {
		return nil, ErrUnusual
	}
	value := s.b[s.at : s.at+n]
	s.at += n
	if !plain(value) {
		return nil, ErrUnusual
	}
	got, kind, err := s.tag()
	if err != nil || kind != end || !bytes.Equal(got, name) {
		return nil, ErrUnusual
	}
	return value, nil
}

// plain reports whether XML would leave the text as it is, but for entities.
func plain(text []byte) bool {
	ascii := true
	for i, c := range text {
		switch {
		case c < ' ' && c != '\t' && c != '\n', c == ']' && bytes.HasPrefix(text[i:], []byte("]]>")):
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.Valid(text) && !bytes.ContainsAny(text, "\ufffe\uffff")
}

// boolean is "true" or "false".
func (s *scanner) boolean() (bool, error) {
	value, err := s.value()
	switch string(value) {
	case "true":
		return true, err
	case "false":
		return false, err
	}
	return false, ErrUnusual
}

// number is a decimal of at most 18 digits.
func (s *scanner) number() (n int64, err error) {
	value, err := s.value()
	if err != nil || len(value) == 0 || len(value) > 18 {
		return 0, ErrUnusual
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, ErrUnusual
		}
		n = 10*n + int64(c-'0')
	}
	return n, nil
}

// skip reads over an element, behind its start tag.
func (s *scanner) skip(name []byte) error {
	open := make([][]byte, 1, deepest)
	open[0] = name
	for len(open) > 0 {
		n := bytes.IndexByte(s.b[s.at:], '<')
		if n < 0 || !plain(s.b[s.at:s.at+n]) || bytes.IndexByte(s.b[s.at:s.at+n], '&') >= 0 {
			return ErrUnusual
		}
		s.at += n
		name, kind, err := s.tag()
		switch {
		case err != nil:
			return err
		case kind == start && len(open) == deepest:
			return ErrUnusual
		case kind == start:
			open = append(open, name)
		case kind == end && !bytes.Equal(name, open[len(open)-1]):
			return ErrUnusual
		case kind == end:
			open = open[:len(open)-1]
		}
	}
	return nil
}

// entities are those that XML has without declaring them.
var entities = []struct {
	name string
	char byte
}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#34;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}}

// appendUnescaped appends text with its entities replaced.
func appendUnescaped(to, text []byte) ([]byte, error) {
	for {
		n := bytes.IndexByte(text, '&')
		if n < 0 {
			return append(to, text...), nil
		}
		to = append(to, text[:n]...)
		text = text[n:]
		found := false
		for _, e := range entities {
			if bytes.HasPrefix(text, []byte(e.name)) {
				to, text, found = append(to, e.char), text[len(e.name):], true
				break
			}
		}
		if !found {
			return to, ErrUnusual
		}
	}
}
