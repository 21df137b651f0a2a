package sim

import "time"

// The continents: round trips between large data centres, in milliseconds, and how the edges are spread. The figures are
// of the order that clouds publish for their regions (Virginia, São Paulo, Frankfurt, Singapore, Sydney; read 2026-11); they are assumptions of
// this simulation, not measurements.
var (
	regions = [...]string{"North America", "South America", "Europe", "Asia", "Oceania"}
	shares  = [...]int{30, 10, 30, 22, 8} // percent of the edges
	trips   = [len(regions)][len(regions)]float64{
		{0, 115, 90, 215, 200},
		{115, 0, 200, 320, 310},
		{90, 200, 0, 160, 250},
		{215, 320, 160, 0, 92},
		{200, 310, 250, 92, 0},
	}
)

const (
	home   = 0 // where the control nodes are, or the leader of them
	second = 2 // the nearest of the others, where they are spread

	inside = 24 * time.Millisecond // round trip within a continent, from an edge to the data centre of its hub
)

// regionOf deals n edges to the continents by their shares.
func regionOf(i, n int) int {
	place, sum := i*100/max(n, 1), 0
	for r, s := range shares {
		if sum += s; place < sum {
			return r
		}
	}
	return len(shares) - 1
}

// roundTrip is between the data centres of two continents.
func roundTrip(a, b int) time.Duration {
	return time.Duration(trips[a][b] * float64(time.Millisecond))
}

// jitter is d with its random addition.
func (w *world) jitter(d time.Duration) time.Duration {
	return d + time.Duration(w.rand.ExpFloat64()*w.cfg.Jitter*float64(d))
}

// retransmission is what a lost segment costs on a link, beside its second way: Linux' least retransmission time, or the round trip
// and a half. RFC 6298 asks for a second; Linux takes 200 ms (TCP_RTO_MIN, read 2026-11).
func retransmission(trip time.Duration) time.Duration { return max(200*time.Millisecond, trip*3/2) }

// reconnect is how long it takes after a cut until a connection is back.
const reconnect = time.Second

// link is one direction of a connection.
type link struct {
	w       *world
	from    int // continents
	to      int
	trip    time.Duration
	arrived time.Duration // when the last message sent arrives: nothing overtakes it
}

// send delivers do after the link's latency; what is sent into a cut, or arrives in it, is lost.
func (l *link) send(size int, do func()) {
	w := l.w
	if w.cut(l.from, l.to, w.now) {
		return
	}
	took := w.jitter(l.trip / 2)
	if w.rand.Float64() < w.cfg.Loss {
		took += retransmission(l.trip)
	}
	at := max(l.arrived, w.now+took)
	if w.cut(l.from, l.to, at) {
		return
	}
	l.arrived = at
	if l.from != l.to {
		w.out.Ocean.add(size)
	}
	w.at(at, do)
}

// cut says whether nothing goes between two continents at a time.
func (w *world) cut(a, b int, at time.Duration) bool {
	c := w.cfg.Cut
	return a != b && (a == c.Region || b == c.Region) && at >= c.From && at < c.To
}
