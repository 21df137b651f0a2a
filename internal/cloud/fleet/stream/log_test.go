package stream

import (
	"encoding/json"
	"testing"
)

// A leader that was stopped or is cut off from the others does not know that it has been replaced, and a node without a leader answers by itself.
func TestLeaderWithoutContact(t *testing.T) {
	for _, row := range []struct {
		name, info string
		want       bool
	}{
		{"alone", `{"state":{"last_seq":7}}`, true},
		{"both heard", `{"cluster":{"leader":"a","replicas":[{"name":"b","active":900000000},{"name":"c","active":12000}]}}`, true},
		{"one dead", `{"cluster":{"leader":"a","replicas":[{"name":"b","active":900000000},{"name":"c","active":60000000000}]}}`, true},
		{"just elected", `{"cluster":{"leader":"a","replicas":[{"name":"b","active":0},{"name":"c","active":9000}]}}`, true},
		{"cut off", `{"cluster":{"leader":"a","replicas":[{"name":"b","active":2600000000},{"name":"c","active":2700000000}]}}`, false},
		{"has heard of nobody", `{"cluster":{"leader":"a","replicas":[{"name":"b","active":0},{"name":"c","active":0}]}}`, false},
		{"cut off, and does not lead", `{"cluster":{"replicas":[{"name":"a","active":0},{"name":"b","active":0},{"name":"c","active":0}]}}`, false},
		{"has begun to follow, and still answers", `{"cluster":{"leader":"b","replicas":[{"name":"b","active":12000},{"name":"c","active":12000}]}}`, false},
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
