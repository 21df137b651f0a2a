//go:build unix

package fleetenv

import (
	"testing"
	"time"
)

// With certificates and keys a fleet survives what it survives without; and an edge whose key is taken away is refused and fenced, while the others go on.
func TestSecure(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 4, Secure: true})
	tr.publish(3, pause(5*time.Millisecond))
	tr.alive()
	tr.unsigned()
	killed, cut, refused := tr.Edges[0], tr.Edges[1], tr.Edges[3]

	tr.note("kill -9 of %s, cut %s off", killed.Name, cut.Name)
	killed.Kill()
	cut.Cut()
	time.Sleep(lease)
	cut.Fenced.Store(true)
	tr.alive()
	tr.must(cut.Unfence(tr.within(time.Minute)))
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.alive()
	tr.note("kill -9 of %s", tr.Controls[0].Name)
	tr.Controls[0].Kill()
	tr.alive()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	if *full {
		tr.note("cut %s off from the other nodes", tr.Controls[1].Name)
		tr.Isolate(1)
		tr.alive()
		tr.HealAll()
	}
	tr.note("take %s's key away", refused.Name)
	tr.must(tr.Refuse(tr.within(time.Minute), refused))
	time.Sleep(lease)
	refused.Fenced.Store(true)
	if valid, err := refused.Metric(tr.within(time.Second), "freshet_edge_fleet_lease_valid"); err != nil || valid != 0 {
		t.Errorf("%s is refused, and its lease is valid: %v %v", refused.Name, valid, err)
	}
	before := tr.probe.So()
	tr.alive()
	time.Sleep(500 * time.Millisecond) // for viewers
	if after := tr.probe.So(); after.Fenced == before.Fenced {
		t.Errorf("%s answers nobody", refused.Name)
	}
	for _, e := range tr.Edges[:3] {
		if valid, err := e.Metric(tr.within(time.Second), "freshet_edge_fleet_lease_valid"); err != nil || valid != 1 {
			t.Errorf("%s may connect, and has no lease: %v %v", e.Name, valid, err)
		}
	}
	refused.Kill()
	tr.Edges = tr.Edges[:3]
	tr.check()
}

// unsigned asks for what only those with the API's keys may have.
func (tr *trial) unsigned() {
	tr.t.Helper()
	a := tr.newAPI()
	defer a.close()
	a.signer = signer{}
	for _, url := range []string{tr.Controls[0].API + root, tr.Controls[0].API + "/fleet"} {
		if got, err := a.ask(tr.within(10*time.Second), "GET", url, ""); err != nil || got.status != 403 {
			tr.t.Errorf("%s, unsigned: %d %.100s %v", url, got.status, got.body, err)
		}
	}
}

// A random mixture of everything, with certificates and keys.
func TestRandomSecure(t *testing.T) {
	if *secureFor == 0 {
		t.Skip("TestSecure does for a short run; -secure 10m")
	}
	tr := begin(t, Options{Controls: 3, Edges: 4, Secure: true})
	tr.note("seed %d", *randomSeed)
	tr.publish(3, pause(5*time.Millisecond))
	tr.suffer(dice(97), *secureFor, func() {})
	tr.check()
}
