package fleettest

import (
	"testing"
	"time"
)

func TestClocks(t *testing.T) {
	var c Clocks
	before := c.Now()
	c.Jump(-3600)
	if d := c.Now().Sub(before); d < 0 || d > time.Minute {
		t.Errorf("the monotonic clock jumped by %v", d)
	}
	if d := c.Now().Round(0).Sub(before.Round(0)); d > -time.Hour+time.Minute || d < -time.Hour {
		t.Errorf("the wall clock went by %v, want an hour back", d)
	}
	c.Suspend()
	stood := c.Now()
	time.Sleep(20 * time.Millisecond)
	if d := c.Now().Sub(stood); d != 0 {
		t.Errorf("the monotonic clock went on by %v", d)
	}
	woke := time.Now()
	c.Wake()
	if went, most := c.Now().Sub(stood), time.Since(woke)+time.Millisecond; went < 0 || went > most {
		t.Errorf("the monotonic clock went on by %v after it woke, want at most %v", went, most)
	}
}
