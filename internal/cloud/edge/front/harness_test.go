package front

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// fakeEngine has an answer for each target that begins with /hit: the target itself, or /hit/N the size of its body.
type fakeEngine struct {
	mu   sync.Mutex // guards sent
	sent []string   // target, bytes, error
}

func (e *fakeEngine) Hit(rq *Request, resp *Response) bool {
	if !strings.HasPrefix(string(rq.Target), "/hit") {
		return false
	}
	body := bodyOf(string(rq.Target))
	resp.Head = fmt.Appendf(resp.Head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nBy: engine\r\n\r\n", len(body))
	resp.Body, resp.Receipt = body, e
	return true
}

func (e *fakeEngine) Sent(rq *Request, _ *Response, body int64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = append(e.sent, fmt.Sprint(string(rq.Target), " ", body, " ", err != nil))
}

func (e *fakeEngine) receipts() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent
}

func bodyOf(target string) []byte {
	size, sized := strings.CutPrefix(target, "/hit/")
	if n, err := strconv.Atoi(size); sized && err == nil {
		return []byte(strings.Repeat(strconv.Itoa(n%10), n))
	}
	return []byte(target)
}

// echo answers with the request's target and body.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	text := r.RequestURI
	if len(body) > 0 {
		text += " with " + string(body)
	}
	w.Header().Set("By", "net/http")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text)
}

// pipes is a listener of connections in memory, which a synctest bubble can hold.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// served is a running server.
type served struct {
	*Server
	t      testing.TB
	engine *fakeEngine
	addr   string
	pipes  *pipes
	done   chan error
}

// serve starts a server on l; nil means a port of the loopback interface.
func serve(t testing.TB, l net.Listener, change ...func(*Options)) *served {
	t.Helper()
	s := &served{t: t, engine: &fakeEngine{}, done: make(chan error, 1)}
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	s.addr = l.Addr().String()
	s.pipes, _ = l.(*pipes)
	opts := Options{Handler: http.HandlerFunc(echo), Engine: s.engine}
	for _, c := range change {
		c(&opts)
	}
	s.Server = New(opts)
	go func() { s.done <- s.Serve(l) }()
	return s
}

// end closes the server at once.
func (s *served) end() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Error(err)
	}
	s.ended()
}

// ended waits for Serve to return.
func (s *served) ended() {
	s.t.Helper()
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		s.t.Errorf("Serve returned %v", err)
	}
}

// client is one connection to a server.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (s *served) dial() *client {
	s.t.Helper()
	if s.pipes != nil {
		ours, theirs := net.Pipe()
		s.pipes.conns <- theirs
		return &client{ours, s.t, bufio.NewReader(ours)}
	}
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return &client{nc, s.t, bufio.NewReader(nc)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send %q: %v", text, err)
	}
}

// answer reads one response: who made it, and its body.
func (c *client) answer(method string) string {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read an answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read an answer's body: %v", err)
	}
	if resp.StatusCode != 200 {
		return resp.Status
	}
	return resp.Header.Get("By") + " " + string(body)
}

// want sends GETs for the targets one after the other, and checks the answers.
func (c *client) want(targets ...string) {
	c.t.Helper()
	for _, target := range targets {
		c.send(get(target))
		if got := c.answer("GET"); got != expected(target) {
			c.t.Errorf("GET %s = %.80q, want %.80q", target, got, expected(target))
		}
	}
}

func get(target string) string { return lines("GET "+target+" HTTP/1.1", "Host: a") }

func expected(target string) string {
	if strings.HasPrefix(target, "/hit") {
		return "engine " + string(bodyOf(target))
	}
	return "net/http " + target
}

// over checks that the server has closed the connection.
func (c *client) over() {
	c.t.Helper()
	if n, err := c.r.Read(make([]byte, 1)); n > 0 || err == nil {
		c.t.Error("the connection is still open")
	}
}
