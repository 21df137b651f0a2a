package testenv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/remote/session"
)

// Call is one HTTP request that a Deploy is about to send. The SDK's own
// repeats are calls too.
type Call struct {
	N       int    // 1 for the first of the Deploy
	Service string // "s3" or "cloudfront"
	Method  string
	Path    string // of the URL
}

// Invalidates reports whether the call creates an invalidation.
func (c Call) Invalidates() bool {
	return c.Service == "cloudfront" && c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/invalidation")
}

// Outcome is what happens to a call.
type Outcome int

// The outcomes.
const (
	Pass     Outcome = iota
	Throttle         // the service answers that it is asked too often, without doing anything
	Deny             // the service answers that a right is missing
	Lose             // the service does what it is asked, and the answer is lost
	Kill             // the publisher dies before it sends the request
	KillLate         // the publisher dies before it reads the answer
	dead             // it is dead already
)

var errKilled = errors.New("killed")

// client is the HTTP client of one service. Faults strike only while a Deploy
// runs.
func (e *Env) client(service string) session.HTTPClient {
	return &client{service: service, env: e, http: &http.Client{Timeout: time.Minute, Transport: e.shared.transport}}
}

type client struct {
	service string
	env     *Env
	http    *http.Client
}

// armed is the fault of a Deploy that runs.
type armed struct {
	fault func(Call) Outcome
	kill  func()
	mu    sync.Mutex // guards what follows; held for one decision
	n     int
	dead  bool
}

// arm lets Fault strike until the function that it returns is called.
func (e *Env) arm(kill func()) (restore func()) {
	e.running.Store(&armed{fault: e.Fault, kill: kill})
	return func() { e.running.Store(nil) }
}

// decide says what happens to the next call; whoever is dead sends nothing.
func (a *armed) decide(c Call) Outcome {
	if a == nil || a.fault == nil {
		return Pass
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return dead
	}
	a.n++
	c.N = a.n
	out := a.fault(c)
	a.dead = out == Kill || out == KillLate
	return out
}

// Do implements session.HTTPClient.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	running := c.env.running.Load()
	switch running.decide(Call{Service: c.service, Method: req.Method, Path: req.URL.Path}) {
	case Throttle:
		return refusal(req, http.StatusServiceUnavailable, map[string]string{"s3": "SlowDown", "cloudfront": "Throttling"}[c.service]), nil
	case Deny:
		return refusal(req, http.StatusForbidden, "AccessDenied"), nil
	case Kill:
		running.kill()
		return nil, errKilled
	case KillLate:
		c.sent(req.WithContext(context.WithoutCancel(req.Context())))
		running.kill()
		return nil, errKilled
	case dead: // an answer that nobody repeats the request for
		return refusal(req, http.StatusBadRequest, "Dead"), nil
	case Lose:
		c.sent(req)
		return nil, io.ErrUnexpectedEOF
	}
	return c.http.Do(req)
}

// sent carries a request out and throws the answer away.
func (c *client) sent(req *http.Request) {
	if res, err := c.http.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

// refusal is an error answer in the words of both services; fact sheet 1.6.
func refusal(req *http.Request, status int, code string) *http.Response {
	body := "<Error><Code>" + code + "</Code><Message>on purpose</Message></Error>"
	if strings.HasPrefix(req.URL.Path, "/2020-05-31/") {
		body = "<ErrorResponse>" + body + "</ErrorResponse>"
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: req,
		ContentLength: int64(len(body)),
	}
}
