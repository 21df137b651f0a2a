package listen

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// SlowBodies gives the viewer a time limit for each piece of a request's body.
func SlowBodies(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			b := &slowBody{r.Body, http.NewResponseController(w), limit}
			_ = b.deadline(time.Now().Add(limit)) // for a body that nobody reads but net/http, to be rid of it; fails only where the viewer is gone
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

type slowBody struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
}

// Read fails when the viewer sends nothing in time. After the last piece the time is no longer limited: net/http then reads on, to notice
// that a viewer has gone, and would take the deadline for that while the origin still thinks. After a failure it stays: net/http
// reads what is left of a body, and would wait for it.
func (b *slowBody) Read(p []byte) (int, error) {
	if err := b.deadline(time.Now().Add(b.limit)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		if failed := b.deadline(time.Time{}); failed != nil {
			return n, failed
		}
	}
	return n, err
}

func (b *slowBody) deadline(at time.Time) error {
	if err := b.control.SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
