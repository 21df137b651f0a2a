package standalone

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// slowBodies gives the viewer a time limit for each piece of a request's body.
func slowBodies(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			r.Body = &slowBody{r.Body, http.NewResponseController(w), limit}
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
// that a viewer has gone, and would take the deadline for that while the origin still thinks.
func (b *slowBody) Read(p []byte) (int, error) {
	if err := b.deadline(time.Now().Add(b.limit)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if failed := b.deadline(time.Time{}); failed != nil {
			err = errors.Join(err, failed)
		}
		return n, err // io.EOF itself, for whoever compares
	}
	return n, nil
}

func (b *slowBody) deadline(at time.Time) error {
	if err := b.control.SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
