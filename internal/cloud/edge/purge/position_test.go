package purge

import (
	"errors"
	"testing"
)

func TestAcceptAt(t *testing.T) {
	l := New(0)
	if seq, err := l.AcceptAt(5, "", []string{"/a"}); seq != 1 || err != nil {
		t.Fatalf("AcceptAt = %d, %v", seq, err)
	}
	for _, position := range []uint64{5, 4} {
		if seq, err := l.AcceptAt(position, "", []string{"/b"}); seq != 1 || err != nil {
			t.Errorf("repeated at %d: %d, %v", position, seq, err)
		}
	}
	if covered, _ := l.Covered("/b", nil, 0); covered || l.Position() != 5 {
		t.Errorf("a repeat had an effect; position %d", l.Position())
	}
	l.Advance(9)
	l.Advance(8)
	if l.Position() != 9 || l.Current() != 1 {
		t.Errorf("position %d, sequence %d", l.Position(), l.Current())
	}
	for name, err := range map[string]error{
		"no position": second(l.AcceptAt(0, "", []string{"/b"})),
		"no items":    second(l.AcceptAt(10, "", nil)),
		"no path":     second(l.AcceptAt(10, "", []string{"b"})),
	} {
		if !errors.Is(err, ErrItem) || l.Position() != 9 {
			t.Errorf("%s: %v, position %d", name, err, l.Position())
		}
	}
}

func second(_ Sequence, err error) error { return err }
