package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: no file makes it panic, and what it accepts is sensible.
func FuzzParse(f *testing.F) {
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f.Add([]byte(`{"version":1,"distributions":{"E1":{"I1":{"created":"2026-11-22T00:00:00Z","paths":5}}}}`))
	f.Add([]byte(`{"version":1,"distributions":{"E1":{"I1":{"created":"2026-10-22T00:00:00+14:00","paths":1}},"":{}}}`))
	f.Add([]byte(`{"version":1,"distributions":null}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, data []byte) {
		known, err := parse(data, month)
		if err != nil && known != nil {
			t.Errorf("%v with %v", known, err)
		}
		for b, e := range known {
			if b.distribution == "" || b.id == "" || e.Paths < 1 || e.Paths > maxPaths || e.Created.Before(month) {
				t.Errorf("%+v: %+v", b, e)
			}
		}
	})
}

func TestNames(t *testing.T) {
	ids := []string{"E1", "E2", "E3", "E4", "E5"}
	want := []string{"", "E1", "E1 and E2", "E1, E2 and E3", "E1, E2, E3 and 1 more", "E1, E2, E3 and 2 more"}
	for n := range want {
		if diff := cmp.Diff(names(ids[:n]), want[n]); diff != "" {
			t.Errorf("names of %d (-got +want):\n%s", n, diff)
		}
	}
}
