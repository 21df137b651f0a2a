//go:build unix

package fleetenv

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Spread is a load balancer for connections: each goes to the next process that is ready, and is broken when that is not ready any more.
type Spread struct {
	listener net.Listener
	end      context.CancelFunc
	ctx      context.Context
	work     sync.WaitGroup
	backs    []*back

	// mu guards next; held for access to it only.
	mu   sync.Mutex
	next int
}

// back is one process that connections go to.
type back struct {
	process *Process
	address string

	// mu guards what follows; held for field access only.
	mu    sync.Mutex
	ready bool
	conns map[net.Conn]bool
}

// SpreadControls is one address for the API of all control nodes, SpreadEdges one for all edges.
func (f *Fleet) SpreadControls() (*Spread, error) {
	s := &Spread{}
	for _, c := range f.Controls {
		_, address, _ := strings.Cut(c.API, "://")
		s.backs = append(s.backs, &back{process: c.Process, address: address, conns: map[net.Conn]bool{}})
	}
	return s, s.start()
}

// SpreadEdges is one address for viewers of all edges.
func (f *Fleet) SpreadEdges() (*Spread, error) {
	s := &Spread{}
	for _, e := range f.Edges {
		s.backs = append(s.backs, &back{process: e.Process, address: strings.TrimPrefix(e.Viewers, "http://"), conns: map[net.Conn]bool{}})
	}
	return s, s.start()
}

func (s *Spread) start() (err error) {
	s.ctx, s.end = context.WithCancel(context.Background())
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("spread connections: %w", err)
	}
	for _, b := range s.backs {
		s.work.Go(func() { b.watch(s.ctx) })
	}
	s.work.Go(s.accept)
	return nil
}

// Address is where clients connect, as host:port.
func (s *Spread) Address() string { return s.listener.Addr().String() }

// Close ends it, and every connection.
func (s *Spread) Close() {
	s.end()
	_ = s.listener.Close() // nobody needs it
	for _, b := range s.backs {
		b.set(false)
	}
	s.work.Wait()
}

// watch asks whether the process is ready, as balancers do.
func (b *back) watch(ctx context.Context) {
	client := b.process.asker()
	client.Timeout = 500 * time.Millisecond
	for sleep(ctx, readyLook) == nil {
		b.set(ask(ctx, client, b.process.Ready) == nil)
	}
	b.set(false)
}

// set notes whether the process is ready; connections to one that is not are broken.
func (b *back) set(ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ready = ready; !ready {
		for c := range b.conns {
			_ = c.Close() // that is meant
		}
	}
}

// dial connects to the process, if it is ready.
func (b *back) dial() (net.Conn, error) {
	far, err := net.DialTimeout("tcp", b.address, time.Second)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		_ = far.Close() // nobody needs it
		return nil, http.ErrServerClosed
	}
	b.conns[far] = true
	return far, nil
}

func (b *back) drop(c net.Conn) {
	_ = c.Close() // it may be closed already
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
}

func (s *Spread) accept() {
	for {
		near, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.work.Go(func() { s.join(near) })
	}
}

// join carries one connection, to the first of the processes in turn that takes it.
func (s *Spread) join(near net.Conn) {
	defer near.Close()
	s.mu.Lock()
	s.next++
	from := s.next
	s.mu.Unlock()
	for i := range s.backs {
		b := s.backs[(from+i)%len(s.backs)]
		b.mu.Lock()
		ready := b.ready
		b.mu.Unlock()
		if !ready {
			continue
		}
		far, err := b.dial()
		if err != nil {
			continue
		}
		defer b.drop(far)
		stop := context.AfterFunc(s.ctx, func() { _ = near.Close() }) // ends both directions
		defer stop()
		var both sync.WaitGroup
		both.Go(func() { pour(far, near) })
		both.Go(func() { pour(near, far) })
		both.Wait()
		return
	}
}

// pour carries one direction; its end ends the other.
func pour(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()   // the other direction ends with this one
	_ = from.Close() // likewise
}
