package memory

import (
	"fmt"

	"github.com/freshet/freshet/internal/publish/remote"
)

// Conditions is what a store makes of the condition of a Put and of the ETag
// that a Copy asks for.
type Conditions int

// The zero value is what the contract asks for.
const (
	HonorConditions  Conditions = iota
	IgnoreConditions            // every write succeeds, whatever is there
	RefuseConditions            // a write with a condition is remote.ErrUnsupported and has no effect
)

// SetConditions changes what the store makes of conditions from the next write
// on, as when a service is replaced by another.
func (s *Store) SetConditions(c Conditions) {
	s.state.Lock()
	defer s.state.Unlock()
	s.conditions = c
}

// check holds a condition against the object that is there, if any.
func (c Conditions) check(want remote.Condition, old Object, there bool) error {
	switch {
	case want == remote.Condition{}, c == IgnoreConditions:
		return nil
	case c == RefuseConditions:
		return fmt.Errorf("%w: conditional writes", remote.ErrUnsupported)
	case want.Absent && there, want.ETag != "" && want.ETag != old.ETag:
		return remote.ErrPrecondition
	}
	return nil
}
