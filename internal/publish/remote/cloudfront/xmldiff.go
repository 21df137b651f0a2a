package cloudfront

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/remote"
)

// setting is one value of a configuration, by the names of the elements that
// lead to it; members of lists are numbered from 1.
type setting struct{ name, value string }

// settingsIn flattens the first element called root. Empty elements and the
// lengths of lists say nothing of their own and are left out.
func settingsIn(doc []byte, root string) ([]setting, error) {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("there is no %s", root)
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == root {
			var out []setting
			err := flatten(dec, "", &out)
			return out, err
		}
	}
}

// flatten reads to the end of the element that name leads to.
func flatten(dec *xml.Decoder, name string, out *[]setting) error {
	var text strings.Builder
	inner := 0
	for {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			inner++
			next := join(name, t.Name.Local)
			if list, ok := strings.CutSuffix(name, "/Items"); ok {
				next = join(list, fmt.Sprint(inner))
			}
			if err := flatten(dec, next, out); err != nil {
				return err
			}
		case xml.EndElement:
			value := strings.TrimSpace(text.String())
			if inner == 0 && value != "" && !strings.HasSuffix(name, "/Quantity") {
				*out = append(*out, setting{name, value})
			}
			return nil
		}
	}
}

func join(name, step string) string { return strings.TrimPrefix(name+"/"+step, "/") }

// differences are what two configurations do not have in common: first what is
// in before, in its order, then what only after has. The order of elements
// counts in lists alone.
func differences(before, after []setting) []remote.SettingChange {
	values := map[string]string{}
	for _, s := range after {
		values[s.name] = s.value
	}
	var out []remote.SettingChange
	for _, s := range before {
		if now := values[s.name]; now != s.value {
			out = append(out, remote.SettingChange{Setting: s.name, Old: s.value, New: now})
		}
	}
	for _, s := range after {
		if !slices.ContainsFunc(before, func(b setting) bool { return b.name == s.name }) {
			out = append(out, remote.SettingChange{Setting: s.name, New: s.value})
		}
	}
	return out
}
