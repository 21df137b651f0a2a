package sim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func small() Config {
	cfg := Default()
	cfg.Edges, cfg.Rate, cfg.Length = 40, 10, 40*time.Second
	return cfg
}

func TestSameSeedSameRun(t *testing.T) {
	cfg := small()
	cfg.Churn = 1
	a, b := Run(cfg), Run(cfg)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	cfg.Seed++
	if cmp.Equal(a.Completed, Run(cfg).Completed) {
		t.Error("another seed gives the same run")
	}
}

// Without jitter and loss the times follow by hand from the table.
func TestTimesByHand(t *testing.T) {
	cfg := small()
	cfg.Edges, cfg.Loss, cfg.Jitter, cfg.Drift, cfg.Rate = 100, 0, 0, 0, 1
	r := Run(cfg)
	// The farthest edge is in Asia: 215 ms and 24 ms of its own, there and back.
	want := 239 * time.Millisecond
	for _, s := range r.Completed {
		if s.Took != want {
			t.Fatalf("an invalidation took %v, want %v", s.Took, want)
		}
	}
	if len(r.Completed) < 35 {
		t.Errorf("only %d of %d completed", len(r.Completed), r.Accepted)
	}
}

func TestPromiseHolds(t *testing.T) {
	for _, topology := range []Topology{Direct, Regional} {
		t.Run(topology.String(), func(t *testing.T) {
			cfg := small()
			cfg.Topology, cfg.Churn, cfg.Loss = topology, 0.5, 0.05
			cfg.Cut = Cut{Region: 3, From: 12 * time.Second, To: 25 * time.Second}
			r := Run(cfg)
			if r.Violations > 0 {
				t.Errorf("the promise was broken %d times", r.Violations)
			}
			if r.Fenced == 0 || r.GivenUp == 0 {
				t.Errorf("nobody was fenced (%v) or given up (%d): the cut did nothing", r.Fenced, r.GivenUp)
			}
			if last := r.Completed[len(r.Completed)-1].At; last < 33*time.Second {
				t.Errorf("nothing accepted after %v was completed", last)
			}
			cfg.NoLease = true
			if broken := Run(cfg); broken.Violations == 0 {
				t.Error("without leases the check finds nothing either")
			}
		})
	}
}
