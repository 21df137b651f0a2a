package stream

import (
	"testing"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
)

func TestContractAlone(t *testing.T) {
	fleettest.Test(t, func(t *testing.T) func() fleet.Engine {
		n := alone(t, Config{})
		return func() fleet.Engine { return connect(t, Options{Node: n}) }
	})
}
