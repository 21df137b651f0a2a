package edge

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A mistake in a fill gives its viewer an error, and everybody else goes on being
// served: it happens on a goroutine of the edge's own, where it would otherwise end
// the process.
func TestMistakeInAFillIsSurvived(t *testing.T) {
	rows := []struct {
		name string
		fail func() (*http.Response, error)
	}{
		{"before the head", func() (*http.Response, error) { panic("no head") }},
		{"within the body", func() (*http.Response, error) {
			r := reply(200, "half", "Content-Length: 8")
			r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{})), 8
			return r, nil
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log bytes.Buffer
			b := newBench(t, func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/bad" {
					return row.fail()
				}
				return reply(200, "good"), nil
			}, func(_ *Config, o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			done := make(chan int, 1)
			go func() {
				defer func() { done <- 0; _ = recover() }() // half an answer ends with http.ErrAbortHandler
				done <- b.get("/bad").Code
			}()
			select {
			case code := <-done:
				if code == http.StatusOK {
					t.Error("the mistake was served as a whole answer")
				}
			case <-time.After(30 * time.Second):
				t.Fatal("the viewer waits for ever")
			}
			b.want("/good", 200, "Miss", "good")
			b.want("/good", 200, "Hit", "good")
			b.Close() // waits for the flight
			if text := log.String(); !strings.Contains(text, "msg=panic") || !strings.Contains(text, "stack=") {
				t.Errorf("the log does not tell of it: %s", text)
			}
		})
	}
}

// broken panics when it is read.
type broken struct{}

func (broken) Read([]byte) (int, error) { panic("no more") }
