package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// bufferBytes is the size of each buffer on a connection.
const bufferBytes = 64 << 10

// Proxy passes requests on. Each connection has one goroutine and, on the other side, a connection of its own to each service that it asks for.
type Proxy struct {
	listener net.Listener
	services [2]string // addresses of S3 and of CloudFront's API
	counter  counter
	serving  sync.WaitGroup

	// mu guards open, the connections that Close has to end.
	mu   sync.Mutex
	open map[net.Conn]bool
}

// Listen starts a proxy on a free port of 127.0.0.1, in front of an S3 server and a CloudFront API (host and port each). The caller closes it.
func Listen(s3, control string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, services: [2]string{s3, control}, open: map[net.Conn]bool{}}
	p.Reset(0)
	p.serving.Go(p.accept)
	return p, nil
}

// URL is where the proxy listens.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Reset forgets what was counted; from now on every request waits for latency before it is passed on.
func (p *Proxy) Reset(latency time.Duration) { p.counter.reset(latency) }

// Counts is what has passed since the last Reset.
func (p *Proxy) Counts() Counts { return p.counter.read() }

// Close ends all connections and waits until they have ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close() // it ends the goroutine that reads from it
	}
	p.mu.Unlock()
	p.serving.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // that viewer's connection only
		}
		p.serving.Go(func() { p.serve(c) })
	}
}

// keep remembers a connection until its end is called.
func (p *Proxy) keep(c net.Conn) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
		_ = c.Close() // whoever is at its other end has been answered, or is gone
	}
}

// serve passes the requests of one connection on, one after the other, until either side ends it.
func (p *Proxy) serve(client net.Conn) {
	defer p.keep(client)()
	in, out := bufio.NewReaderSize(client, bufferBytes), bufio.NewWriterSize(client, bufferBytes)
	var ends [2]*end
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		which := 0
		if isControl(req.URL.Path) {
			which = 1
		}
		if ends[which] == nil {
			c, err := net.Dial("tcp", p.services[which])
			if err != nil {
				return
			}
			defer p.keep(c)()
			ends[which] = &end{in: bufio.NewReaderSize(c, bufferBytes), out: bufio.NewWriterSize(c, bufferBytes)}
		}
		if !p.pass(req, out, ends[which]) {
			return
		}
	}
}

// end is the connection to a service.
type end struct {
	in  *bufio.Reader
	out *bufio.Writer
}

// pass passes one request on and its answer back. It says whether another can follow.
func (p *Proxy) pass(req *http.Request, client *bufio.Writer, service *end) bool {
	kind := Kind(req.Method, req.URL.Path, req.URL.Query(), req.Header.Get("X-Amz-Copy-Source") != "")
	place, wait := p.counter.begin(kind)
	sent, received, status := counted{ReadCloser: req.Body}, counted{}, 0
	defer func() { p.counter.end(kind, place, status, sent.n, received.n) }()
	time.Sleep(wait)
	if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		if _, err := client.WriteString("HTTP/1.1 100 Continue\r\n\r\n"); err != nil || client.Flush() != nil {
			return false
		}
	}
	path, query, _ := strings.Cut(req.RequestURI, "?")
	req.URL = &url.URL{Opaque: path, RawQuery: query, ForceQuery: strings.HasSuffix(req.RequestURI, "?")} // as it came: it is signed
	if req.Body != http.NoBody {
		req.Body = &sent
	}
	asked := errors.Join(req.Write(service.out), service.out.Flush())
	resp, err := answer(service.in, req)
	if err != nil {
		return false
	}
	status = resp.StatusCode
	if resp.Body != http.NoBody {
		received.ReadCloser = resp.Body
		resp.Body = &received
	}
	err = errors.Join(resp.Write(client), client.Flush())
	return asked == nil && err == nil && !resp.Close && !req.Close
}

// answer reads the final answer; an interim one was given to the client already.
func answer(in *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(in, req)
		if err != nil || resp.StatusCode >= http.StatusOK {
			return resp, err
		}
	}
}

// counted is a body that counts what is read from it.
type counted struct {
	io.ReadCloser
	n int64
}

// Read reads and counts.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// WaitFor waits until something listens on an address (host and port).
func WaitFor(ctx context.Context, address string) error {
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
