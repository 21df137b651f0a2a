package memory

import (
	"testing"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
)

func TestContract(t *testing.T) {
	fleettest.Test(t, func(*testing.T) func() fleet.Engine {
		s, seed := New(), uint64(0)
		return func() fleet.Engine {
			seed++
			return s.Connect(seed)
		}
	})
}
