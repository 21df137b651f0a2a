//go:build unix

package fleetenv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Link is a TCP way to one address that can be cut, or be slow. Cut, it is a network that loses everything: connections stay open and nothing
// passes; healed, it delivers what was under way, late, as TCP does after a partition.
type Link struct {
	listener net.Listener
	to       string
	work     sync.WaitGroup
	ended    context.Context
	end      context.CancelFunc
	pace     atomic.Pointer[Pace]

	// mu guards what follows; held for field access only.
	mu    sync.Mutex
	open  chan struct{} // closed while the link is whole
	cut   bool
	conns map[net.Conn]bool // nil when the link has ended
}

// Pace is how a slow link carries: each piece of what is sent waits at random up to Wait, and a share of Stalls of them at random up to Stall instead,
// as TCP does that has to send a lost packet again and again. What comes after a piece waits with it.
type Pace struct {
	Wait, Stall time.Duration
	Stalls      float64
}

// Slow makes the link slow, or, with the zero Pace, as quick as it was.
func (l *Link) Slow(p Pace) { l.pace.Store(&p) }

// dawdle waits as a piece must that is carried now.
func (l *Link) dawdle() {
	p := l.pace.Load()
	if p == nil || p.Wait+p.Stall == 0 {
		return
	}
	longest := p.Wait
	if rand.Float64() < p.Stalls {
		longest = p.Stall
	}
	_ = sleep(l.ended, rand.N(longest+1)) // cut short where the link ends
}

// NewLink listens on a free port of the loopback address and leads to another.
func NewLink(to string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a link: %w", err)
	}
	l := &Link{listener: listener, to: to, open: make(chan struct{}), conns: map[net.Conn]bool{}}
	l.ended, l.end = context.WithCancel(context.Background())
	close(l.open)
	l.work.Go(l.accept)
	return l, nil
}

// Address is where it begins, as host:port.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Cut lets nothing pass from now on.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.cut, l.open = true, make(chan struct{})
	}
}

// Heal lets everything pass again.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		l.cut = false
		close(l.open)
	}
}

// Reset breaks all connections; what was under way is lost.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // that is the fault
	}
}

// Close ends the link.
func (l *Link) Close() {
	_ = l.listener.Close()
	l.end()
	l.Heal()
	l.Reset()
	l.mu.Lock()
	l.conns = nil
	l.mu.Unlock()
	l.Heal()
	l.work.Wait()
}

// whole is closed while the link is whole.
func (l *Link) whole() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// note remembers a connection, or closes it where the link has ended.
func (l *Link) note(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = c.Close() // nobody needs it
		return false
	}
	l.conns[c] = true
	return true
}

func (l *Link) drop(c net.Conn) {
	_ = c.Close() // it may be closed already
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		if l.note(near) {
			l.work.Go(func() { l.join(near) })
		}
	}
}

// join carries one connection both ways until an end closes it.
func (l *Link) join(near net.Conn) {
	defer l.drop(near)
	<-l.whole()
	far, err := net.Dial("tcp", l.to)
	if err != nil || !l.note(far) {
		return
	}
	defer l.drop(far)
	var both sync.WaitGroup
	both.Go(func() { l.carry(far, near) })
	both.Go(func() { l.carry(near, far) })
	both.Wait()
}

func (l *Link) carry(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		<-l.whole()
		l.dawdle()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
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
