package controlnode

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// A view asks for what it finds in progress before it is the node's own: until then no edge is known, and nothing may be Completed.
func TestNothingIsCompletedBeforeTheViewIsInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{opts: Options{Now: time.Now}}
		s.controller = fleet.NewController(memory.New().Connect(1), members{s}, fleet.ControllerOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if through, err := s.completed(ctx, &state{ready: make(chan struct{})}, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("completed through %d, %v; want that it waits", through, err)
		}
	})
}
