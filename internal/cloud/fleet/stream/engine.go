package stream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// Options say how Connect reaches the log.
type Options struct {
	Node    *Node    // connect in process; or
	Servers []string // nats://host:port or tls://host:port; all of the nodes: no others are learned

	Seed string // file with the NKey seed of this client; "" where the servers ask for none (and with Node)
	CA   string // file with the authorities that the servers' certificates come from; "" for the system's
	Edge bool   // this is an edge: it reads the log, and adds entries and leases as an edge
	Name string // shown in the nodes' own lists of connections

	// MaxEntries and MaxBytes bound the log: older entries are dropped. Defaults 100,000 and 1 GiB. They count on control nodes.
	MaxEntries, MaxBytes int64
	// Poll is how long a follower hears nothing before it asks; default 1 s.
	Poll time.Duration
	Log  *slog.Logger // nil: silent
}

// Engine is a fleet.Engine over one connection.
type Engine struct {
	nc    *nats.Conn
	opts  Options
	owner string // what names this client in the subjects of leases: its public key, or controlOwner
	log   *slog.Logger

	joins  *joins       // nil but on control nodes
	owners sync.Map     // member → owner, of the leases that have not ended, as Watch saw them
	denied atomic.Int64 // how often the server refused a subject
	why    atomic.Value // its words, the last time (string)

	mu    sync.Mutex // guards again; held for an exchange
	again chan struct{}
}

var (
	_ fleet.Engine = (*Engine)(nil)
	_ fleet.Namer  = (*Engine)(nil)
)

// ErrKey: the nodes do not know the key, or ask for one.
var ErrKey = errors.New("the control node does not know this key")

// ErrCertificate: a node's certificate is not of a known authority, or not for the name that was called.
var ErrCertificate = errors.New("the control node's certificate cannot be trusted")

// Connect connects, and on a Node makes the streams that are missing. It keeps trying until ctx ends, but for what a
// further try cannot mend: ErrKey, ErrCertificate. From then on the engine reconnects by
// itself, for ever. The caller closes it.
func Connect(ctx context.Context, opts Options) (*Engine, error) {
	opts.Poll = cmp.Or(opts.Poll, time.Second)
	opts.MaxEntries, opts.MaxBytes = cmp.Or(opts.MaxEntries, defaultEntries), cmp.Or(opts.MaxBytes, defaultBytes)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{opts: opts, log: opts.Log, owner: controlOwner, again: make(chan struct{})}
	dial, err := e.dialing()
	if err != nil {
		return nil, fmt.Errorf("connect to the log: %w", err)
	}
	if err := e.dial(ctx, dial); err != nil {
		return nil, err
	}
	if err := e.prepare(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// dialing are the connection's options.
func (e *Engine) dialing() ([]nats.Option, error) {
	out := []nats.Option{
		nats.Name(cmp.Or(e.opts.Name, "freshet")),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.IgnoreDiscoveredServers(),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 400*time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now is tried again by who sends it, not sent by surprise later
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(3 * time.Second),
		nats.ErrorHandler(e.failed), nats.ReconnectHandler(func(*nats.Conn) { e.reconnected() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				e.log.Warn("connection to the log lost", "error", err)
			}
		}),
	}
	if e.opts.Node != nil {
		return append(out, e.within()...), nil
	}
	if err := e.secure(); err != nil {
		return nil, err
	}
	if e.opts.CA != "" {
		pool, err := authorities(e.opts.CA)
		if err != nil {
			return nil, err
		}
		out = append(out, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}))
	}
	if e.opts.Seed == "" {
		return append(out, e.as("")...), nil
	}
	pair, err := seed(e.opts.Seed)
	if err != nil {
		return nil, err
	}
	key, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read the seed %s: %w", e.opts.Seed, err)
	}
	return append(append(out, nats.Nkey(key, pair.Sign)), e.as(key)...), nil
}

// within are the options of a connection to a node of this process.
func (e *Engine) within() []nats.Option {
	out := []nats.Option{nats.InProcessServer(e.opts.Node.server)}
	if own := e.opts.Node.own; own != nil {
		if key, err := own.PublicKey(); err == nil {
			out = append(out, nats.Nkey(key, own.Sign))
		}
	}
	return append(out, e.as("")...)
}

// as sets the names that belong to a key; "" where there is none.
func (e *Engine) as(key string) []nats.Option {
	if e.opts.Edge {
		e.owner = cmp.Or(key, edgeOwner)
	}
	if key == "" {
		return nil
	}
	return []nats.Option{nats.CustomInboxPrefix(inbox(key))}
}

// secure refuses servers beyond this machine without TLS: what the log says decides what viewers get.
func (e *Engine) secure() error {
	if len(e.opts.Servers) == 0 {
		return errors.New("no server is named")
	}
	for _, s := range e.opts.Servers {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return fmt.Errorf("%q is no URL like tls://host:4222", s)
		}
		if u.Scheme != "tls" && e.opts.CA == "" && !loopback(u.Hostname()) {
			return fmt.Errorf("%s: beyond loopback TLS is needed: write tls://%s, and name the authority of its certificate if it is your own", s, u.Host)
		}
	}
	return nil
}

// seed reads a file with an NKey seed.
func seed(file string) (nkeys.KeyPair, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the seed: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(data)
	clear(data)
	if err != nil {
		return nil, fmt.Errorf("read the seed %s: %w", file, err)
	}
	return pair, nil
}

// dial connects for the first time.
func (e *Engine) dial(ctx context.Context, opts []nats.Option) error {
	for {
		nc, err := nats.Connect(strings.Join(e.opts.Servers, ","), opts...)
		if err == nil {
			e.nc = nc
			return nil
		}
		var cert *tls.CertificateVerificationError
		switch {
		case errors.Is(err, nats.ErrAuthorization):
			return fmt.Errorf("connect to the log: %w: %w", ErrKey, err)
		case errors.As(err, &cert):
			return fmt.Errorf("connect to the log: %w: %w", ErrCertificate, err)
		}
		if fleet.Sleep(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("connect to the log: %w (last attempt: %w)", context.Cause(ctx), err)
		}
	}
}

// prepare makes or changes the streams, on a node, and waits until the log answers.
func (e *Engine) prepare(ctx context.Context) error {
	if e.opts.Node != nil && !e.opts.Edge {
		js, err := jetstream.New(e.nc)
		if err != nil {
			return fmt.Errorf("connect to the log: %w", err)
		}
		for _, cfg := range streams(e.opts, e.opts.Node.size) {
			err := e.try(ctx, "make the stream "+cfg.Name, func(ctx context.Context) error {
				_, err := js.CreateOrUpdateStream(ctx, cfg)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if _, _, err := e.Bounds(ctx); err != nil {
		return err
	}
	if e.opts.Node == nil || e.opts.Edge {
		return nil
	}
	return e.answerJoins()
}

// failed is told of what goes wrong with nobody waiting for it.
func (e *Engine) failed(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		e.why.Store(err.Error())
		e.denied.Add(1)
	}
	e.log.Warn("log engine refused or dropped something", "error", err)
}

// reconnected wakes who follows.
func (e *Engine) reconnected() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.again)
	e.again = make(chan struct{})
}

// reconnection is closed by the next reconnection.
func (e *Engine) reconnection() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.again
}

// Close ends the connection; what waits on it fails. It may be called twice.
func (e *Engine) Close() error {
	if e.joins != nil {
		e.joins.close()
	}
	e.nc.Close()
	return nil
}
