package s3_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/freshet/freshet/internal/publish/remote"
)

// TestThrottlingIsTold: also where the repeat succeeds, for both kinds of write,
// and for nothing but throttling.
func TestThrottlingIsTold(t *testing.T) {
	isolate(t)
	absent := page("a")
	absent.If.Absent = true
	rows := []struct {
		name   string
		put    remote.Put
		status int
		code   string
		want   int64
	}{
		{"slow down", page("a"), 503, "SlowDown", 1},
		{"slow down, conditional", absent, 503, "SlowDown", 1},
		{"without a code", page("a"), 503, "", 1},
		{"a failure", page("a"), 500, "InternalError", 0},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var requests, told atomic.Int64
			store := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if requests.Add(1) == 1 {
					refuse(r.status, r.code, "")(w, req)
				}
			}), "")
			if _, err := store.Put(remote.WithThrottled(t.Context(), func() { told.Add(1) }), r.put); err != nil {
				t.Fatal(err)
			}
			if got := told.Load(); got != r.want {
				t.Errorf("told %d times, want %d", got, r.want)
			}
		})
	}
}
