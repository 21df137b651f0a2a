//go:build unix

package fleetenv

import (
	"testing"
	"time"
)

// Everything is restarted, one after the other, and no viewer notices.
func TestRollingRestart(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 5, Delay: 200 * time.Millisecond})
	tr.probe.Stop() // it asks edges that are not ready
	tr.publish(3, pause(5*time.Millisecond))
	viewers := tr.Balance(8, pause(time.Millisecond))
	for _, p := range tr.Processes() {
		before := time.Now()
		tr.must(p.Terminate())
		ended := time.Since(before)
		tr.must(p.Start())
		tr.must(p.Await(tr.within(time.Minute)))
		tr.note("%s ended within %v and was ready %v later", p.Name, ended.Round(time.Millisecond), (time.Since(before) - ended).Round(time.Millisecond))
	}
	tr.alive()
	requests, failed := viewers.Stop()
	tr.note("%d requests of viewers, %d failed", requests, len(failed))
	for _, what := range failed[:min(len(failed), 20)] {
		t.Errorf("FAILED: %s", what)
	}
	if requests < 1000 {
		t.Errorf("only %d requests: the test tests little", requests)
	}
	tr.probe = tr.Probe(2, time.Millisecond)
	time.Sleep(2 * time.Second)
	tr.check()
}
