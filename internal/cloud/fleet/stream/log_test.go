package stream

import (
	"encoding/json"
	"testing"
)

// A leader that was stopped or is cut off from the others does not know that it has been replaced.
func TestLeaderWithoutContact(t *testing.T) {
	for _, row := range []struct {
		name, info string
		want       bool
	}{
		{"alone", `{"state":{"last_seq":7}}`, true},
		{"both heard", `{"cluster":{"replicas":[{"active":900000000},{"active":12000}]}}`, true},
		{"one dead", `{"cluster":{"replicas":[{"active":900000000},{"active":60000000000}]}}`, true},
		{"just elected", `{"cluster":{"replicas":[{"active":0},{"active":0}]}}`, true},
		{"cut off", `{"cluster":{"replicas":[{"active":2600000000},{"active":2700000000}]}}`, false},
	} {
		var info streamInfo
		if err := json.Unmarshal([]byte(row.info), &info); err != nil {
			t.Fatal(err)
		}
		if got := info.led(); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
