package control

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// namespace is the XML namespace of the API; spec: cloudfront 1.7.
const namespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/"

// maxDepth is how deeply elements of a request may nest. The deepest documented path has 9 levels.
const maxDepth = 32

// maxElements is how many elements a request may have. The largest that mean something are batches of some thousand
// paths and distributions of some thousand settings.
const maxElements = 50_000

// node is one XML element: either text or children. Requests are read into it and answers written from it, so
// that elements which the package has no type for are kept. The methods work on a nil node, which has nothing.
type node struct {
	name string
	text string // without children: the text as sent, entities resolved
	kids []*node
}

// el makes an element with children; nil children are left out.
func el(name string, kids ...*node) *node {
	n := &node{name: name}
	for _, k := range kids {
		if k != nil {
			n.kids = append(n.kids, k)
		}
	}
	return n
}

// leaf makes an element with text.
func leaf(name, text string) *node { return &node{name: name, text: text} }

// number makes an element with a decimal integer.
func number(name string, v int64) *node { return leaf(name, strconv.FormatInt(v, 10)) }

// boolean makes an element with true or false, in lower case; spec: cloudfront 5.9.
func boolean(name string, v bool) *node { return leaf(name, strconv.FormatBool(v)) }

// timestamp makes an element with an ISO 8601 time in UTC with milliseconds; spec: cloudfront 1.7.
func timestamp(name string, t time.Time) *node {
	return leaf(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// list makes Quantity and Items; Items is absent when there are none; spec: cloudfront 1.7 and 5.9.
func list(name string, items ...*node) *node {
	n := el(name, number("Quantity", int64(len(items))))
	if len(items) > 0 {
		n.kids = append(n.kids, el("Items", items...))
	}
	return n
}

// leaves makes a list whose items are texts.
func leaves(name, item string, values []string) *node {
	var items []*node
	for _, v := range values {
		items = append(items, leaf(item, v))
	}
	return list(name, items...)
}

// child returns the first child with the name, or nil.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// value returns the text of the first child with the name, "" without one.
func (n *node) value(name string) string {
	if c := n.child(name); c != nil {
		return c.text
	}
	return ""
}

// children returns the children of the element, none for a nil node.
func (n *node) children() []*node {
	if n == nil {
		return nil
	}
	return n.kids
}

// errTextBetween refuses mixed content, which the API does not have and the tree could not keep.
var errTextBetween = errors.New("text between elements")

// parseXML reads one document of at most maxDepth levels and maxElements elements, in time and memory that grow
// with its length only. It needs neither an XML declaration nor an order of elements; spec: cloudfront 1.7. The
// root's namespace must be the API's or absent. White space between elements, comments, attributes and prefixes are
// dropped. Document type declarations are refused.
func parseXML(data []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	top := &node{}
	b := builder{stack: []*node{top}}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = b.add(tok)
		}
		if err != nil {
			return nil, fmt.Errorf("parse XML: %w", err)
		}
	}
	if len(top.kids) != 1 {
		return nil, errors.New("parse XML: not exactly one root element")
	}
	return top.kids[0], nil
}

// builder makes a tree of tokens.
type builder struct {
	stack    []*node // the open elements; the first is above the root
	elements int
	text     strings.Builder // of the innermost open element, which has no children yet
}

// add takes one token.
func (b *builder) add(tok xml.Token) error {
	open := b.stack[len(b.stack)-1]
	switch t := tok.(type) {
	case xml.StartElement:
		return b.start(open, t)
	case xml.EndElement:
		if len(open.kids) == 0 {
			open.text = b.text.String()
		}
		b.text.Reset()
		b.stack = b.stack[:len(b.stack)-1]
	case xml.CharData:
		if len(b.stack) > 1 && len(open.kids) == 0 {
			b.text.Write(t)
		} else if len(bytes.TrimSpace(t)) > 0 {
			return errTextBetween
		}
	case xml.Directive:
		return errors.New("document type declarations are not accepted")
	}
	return nil
}

func (b *builder) start(open *node, t xml.StartElement) error {
	if len(b.stack) > maxDepth {
		return fmt.Errorf("more than %d levels of elements", maxDepth)
	}
	if b.elements++; b.elements > maxElements {
		return fmt.Errorf("more than %d elements", maxElements)
	}
	if ns := t.Name.Space; len(b.stack) == 1 && ns != "" && ns != namespace {
		return fmt.Errorf("unknown namespace %q", ns)
	}
	if strings.TrimSpace(b.text.String()) != "" {
		return errTextBetween
	}
	b.text.Reset()
	n := &node{name: t.Name.Local}
	open.kids = append(open.kids, n)
	b.stack = append(b.stack, n)
	return nil
}

// render writes the document with declaration and namespace, as the API answers.
func (n *node) render() []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n")
	n.write(&b, ` xmlns="`+namespace+`"`)
	return b.Bytes()
}

// write appends the element, its tag followed by attributes as given.
func (n *node) write(b *bytes.Buffer, attributes string) {
	b.WriteString("<" + n.name + attributes + ">")
	if len(n.kids) == 0 {
		// A bytes.Buffer does not fail.
		_ = xml.EscapeText(b, []byte(n.text))
	}
	for _, k := range n.kids {
		k.write(b, "")
	}
	b.WriteString("</" + n.name + ">")
}

// checkQuantities compares every Quantity below n with the number of its Items, as CloudFront does, and names
// the first list that disagrees; spec: cloudfront 1.6, InconsistentQuantities.
func (n *node) checkQuantities() error {
	if q := n.child("Quantity"); q != nil {
		want, err := strconv.Atoi(strings.TrimSpace(q.text))
		if err != nil {
			return errMalformed(fmt.Errorf("quantity of %s is not a number", n.name))
		}
		if have := len(n.child("Items").children()); want != have {
			return errQuantities(n.name, want, have)
		}
	}
	for _, k := range n.kids {
		if err := k.checkQuantities(); err != nil {
			return err
		}
	}
	return nil
}
