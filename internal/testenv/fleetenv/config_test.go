//go:build unix

package fleetenv

import (
	"testing"
	"time"
)

// Clients go on to change the configuration while control nodes and edges die.
func TestConfiguration(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 3})
	c := tr.configure()
	tr.probe.Stop() // for its viewers a distribution that is disabled, or another one, is a failure
	tr.alive()
	tr.note("kill -9 of %s, cut %s off", tr.Edges[0].Name, tr.Edges[1].Name)
	tr.Edges[0].Kill()
	tr.Edges[1].Cut()
	tr.alive()
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.note("kill -9 of %s", tr.Controls[1].Name)
	tr.Controls[1].Kill()
	tr.alive()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	if *full {
		for n, node := range tr.Controls {
			tr.note("cut %s off from the other nodes, until it knows of no leader", node.Name)
			tr.Isolate(n)
			time.Sleep(15 * time.Second)
			tr.HealAll()
			tr.alive()
		}
	}
	tr.checkConfiguration(c)
}

// A random mixture of everything, while the configuration changes and pages too.
func TestRandomConfiguration(t *testing.T) {
	if *configFor == 0 {
		t.Skip("TestConfiguration does for a short run; -config 10m")
	}
	tr := begin(t, Options{Controls: 3, Edges: 4})
	tr.note("seed %d", *randomSeed)
	tr.publish(2, 20*time.Millisecond)
	c := tr.configure()
	tr.suffer(dice(95), *configFor, func() {})
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	c.Stop()
	tr.must(c.Update(tr.within(time.Minute), enabledIn))
	tr.check()
	tr.checkConfiguration(c)
}

// configure begins to change the configuration without end.
func (tr *trial) configure() *Configurer {
	c := tr.NewConfigurer()
	c.Keep(3, 50*time.Millisecond, *randomSeed)
	tr.t.Cleanup(func() { c.Stop() })
	tr.done = c.Newest
	return c
}

func (tr *trial) checkConfiguration(c *Configurer) {
	t := tr.t
	t.Helper()
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	counts, _ := c.Stop()
	number, err := c.Check(tr.within(time.Minute))
	if err != nil {
		t.Error(err)
	}
	tr.note("configuration %d was the last", number)
	for _, like := range []func(int) bool{
		func(n int) bool { return n > number && n%7 == 0 },
		func(n int) bool { return n > number && n%7 == 1 },
	} {
		tr.must(c.Update(tr.within(time.Minute), like))
		if _, err := c.Check(tr.within(time.Minute)); err != nil {
			t.Error(err)
		}
	}
	if err := c.CheckAlias(tr.within(time.Minute), c.Newest()); err != nil {
		t.Error(err)
	}
	tr.explain(counts)
	for _, what := range []string{"acknowledged", "seen", "update: status 412", "update: status 412, of a version that was replaced"} {
		if counts[what] == 0 {
			t.Errorf("nothing was %q: the test tests little", what)
		}
	}
	_, faults := c.Stop()
	for _, what := range faults[:min(len(faults), 20)] {
		t.Errorf("VIOLATION: %s", what)
	}
	if t.Failed() {
		t.Log(tr.said())
	}
}
