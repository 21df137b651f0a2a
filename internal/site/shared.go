package site

import (
	"encoding/json"
	"unique"
)

// Shared is Headers in the size of a pointer: the objects of a site have few
// different ones. Two are equal exactly when their Headers are. The zero Shared
// is the zero Headers.
type Shared struct{ h unique.Handle[Headers] }

// Share makes h shared.
func Share(h Headers) Shared {
	if h == (Headers{}) {
		return Shared{}
	}
	return Shared{unique.Make(h)}
}

// Get is the headers.
func (s Shared) Get() Headers {
	if s == (Shared{}) {
		return Headers{}
	}
	return s.h.Value()
}

// Equal is ==, for what compares deeply.
func (s Shared) Equal(t Shared) bool { return s == t }

// MarshalJSON writes the headers.
func (s Shared) MarshalJSON() ([]byte, error) { return json.Marshal(s.Get()) }

// UnmarshalJSON reads headers; what text leaves out is empty.
func (s *Shared) UnmarshalJSON(text []byte) error {
	var h Headers
	err := json.Unmarshal(text, &h)
	*s = Share(h)
	return err
}
