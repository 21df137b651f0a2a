package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

const (
	payload       = fleet.MaxEntry + headroom // largest message, in bytes, headers included
	headroom      = 64 << 10                  // for headers: 64 KiB is the server's own limit for them
	defaultMemory = 64 << 20
	defaultDisk   = 4 << 30
)

// Config is what a Node is made of.
type Config struct {
	Name string // of this node, unique in the cluster, without spaces; default "freshet"
	Dir  string // folder for its data; made where it is missing

	Listen string   // host:port for clients; "" means that only this process can connect; port 0 takes a free one
	TLS    TLSFiles // for clients; needed beyond loopback

	// Controls and Edges are the NKey public keys (U…) of the clients that may connect. With none in either, whoever
	// reaches the listener may do everything, which is refused beyond loopback.
	Controls, Edges []string

	Cluster *Cluster // nil: alone

	MaxMemory int64        // bytes of streams kept in memory; freshet keeps none there; default 64 MiB
	MaxDisk   int64        // bytes of all streams on disk, at least Options.MaxBytes and 1.1 GiB; default 4 GiB
	Log       *slog.Logger // nil: silent
}

// Cluster makes a node one of three.
type Cluster struct {
	Name   string   // the same on all nodes, without spaces
	Listen string   // host:port for the other nodes
	Routes []string // nats://host:port or host:port of the nodes, with or without this one
	TLS    TLSFiles // with CA, on all nodes; needed beyond loopback. The certificate is both a server's and a client's.
}

// TLSFiles name files in PEM format.
type TLSFiles struct {
	Cert, Key string // certificate chain and private key of this end
	CA        string // authorities that the other end's certificate must come from
}

// Node is an embedded JetStream node. It takes no signals and writes nothing but its data folder and the log it was given.
type Node struct {
	server *server.Server
	log    *logger
	own    nkeys.KeyPair // by which this process connects; nil where keys are not asked for
	size   int
	once   sync.Once
}

// Start starts a node and returns at once; Ready waits for it. The caller shuts it down.
func Start(cfg Config) (*Node, error) {
	opts, own, err := options(cfg)
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	n := &Node{server: s, log: newLogger(cfg.Log), own: own, size: 1}
	if cfg.Cluster != nil {
		n.size = len(opts.Routes)
	}
	s.SetLoggerV2(n.log, false, false, false)
	s.Start()
	if err := n.log.fatal(); err != nil {
		n.Shutdown()
		return nil, fmt.Errorf("start the node: %w", err)
	}
	return n, nil
}

// Ready waits until the node takes connections and, in a cluster, knows a leader. An error ends the wait early where the node cannot start.
func (n *Node) Ready(ctx context.Context) error {
	pause := 200 * time.Microsecond
	for {
		if err := n.log.fatal(); err != nil {
			return fmt.Errorf("wait for the node: %w", err)
		}
		if !n.server.Running() {
			return errors.New("wait for the node: it was shut down")
		}
		if n.server.ReadyForConnections(time.Millisecond) && n.led() {
			return nil
		}
		if err := fleet.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("wait for the node: %w", err)
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// led says whether the cluster, if it is one, has a leader that this node follows.
func (n *Node) led() bool {
	return n.size == 1 || n.server.JetStreamIsCurrent()
}

// Address is where clients connect, as host:port; "" where nothing listens.
func (n *Node) Address() string {
	if a, ok := n.server.Addr().(*net.TCPAddr); ok && a != nil {
		return a.String()
	}
	return ""
}

// Shutdown ends the node and returns when it has ended; leadership is handed over first. It may be called twice.
func (n *Node) Shutdown() {
	n.once.Do(func() {
		n.server.Shutdown()
		n.server.WaitForShutdown()
	})
}

// options are the server's for a config.
func options(cfg Config) (*server.Options, nkeys.KeyPair, error) {
	if cfg.Dir == "" {
		return nil, nil, errors.New("no data folder is named")
	}
	opts := &server.Options{
		ServerName: cmp.Or(cfg.Name, "freshet"), StoreDir: cfg.Dir,
		NoSigs: true, DontListen: cfg.Listen == "", DisableJetStreamBanner: true,
		JetStream: true, SyncAlways: true,
		JetStreamMaxMemory: cmp.Or(cfg.MaxMemory, int64(defaultMemory)), JetStreamMaxStore: cmp.Or(cfg.MaxDisk, int64(defaultDisk)),
		MaxPayload: payload, PingInterval: 2 * time.Second, MaxPingsOut: 2,
	}
	if err := listen(opts, cfg); err != nil {
		return nil, nil, err
	}
	own, err := authorize(opts, cfg)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Cluster != nil {
		if err := cluster(opts, *cfg.Cluster); err != nil {
			return nil, nil, err
		}
	}
	return opts, own, nil
}

// listen sets where clients connect.
func listen(opts *server.Options, cfg Config) error {
	if cfg.Listen == "" {
		return nil
	}
	host, port, err := address(cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	opts.Host, opts.Port = host, cmp.Or(port, server.RANDOM_PORT)
	if !loopback(host) {
		if cfg.TLS.Cert == "" || cfg.TLS.Key == "" {
			return fmt.Errorf("listen for clients on %s: beyond loopback a certificate and its key are needed (TLS.Cert, TLS.Key)", cfg.Listen)
		}
		if len(cfg.Controls)+len(cfg.Edges) == 0 {
			return fmt.Errorf("listen for clients on %s: beyond loopback the public NKeys of control nodes and edges are needed (Controls, Edges)", cfg.Listen)
		}
	}
	if cfg.TLS.Cert == "" {
		return nil
	}
	opts.TLS = true
	opts.TLSTimeout = 5
	opts.TLSConfig, err = serverTLS(cfg.TLS)
	return err
}

// cluster sets how the nodes reach each other.
func cluster(opts *server.Options, c Cluster) error {
	host, port, err := address(c.Listen)
	if err != nil {
		return fmt.Errorf("listen for nodes: %w", err)
	}
	if c.Name == "" || opts.ServerName == "freshet" {
		return errors.New("listen for nodes: the cluster, and each of its nodes, need a name")
	}
	routes, beyond, err := routes(c)
	if err != nil {
		return err
	}
	opts.Routes = routes
	opts.Cluster = server.ClusterOpts{Name: c.Name, Host: host, Port: port, NoAdvertise: true, PingInterval: 2 * time.Second, MaxPingsOut: 2}
	if c.TLS == (TLSFiles{}) {
		if beyond || !loopback(host) {
			return fmt.Errorf("listen for nodes on %s: beyond loopback a certificate, its key and the authority of the other nodes' are needed (Cluster.TLS)", c.Listen)
		}
		return nil
	}
	opts.Cluster.TLSTimeout = 5
	opts.Cluster.TLSConfig, err = mutualTLS(c.TLS)
	return err
}

// routes are the URLs of all nodes, this one included: the server takes their number for the size of the cluster.
// beyond says that one of them is not on this machine.
func routes(c Cluster) (out []*url.URL, beyond bool, err error) {
	hosts := make([]string, 0, len(c.Routes)+1)
	for _, r := range c.Routes {
		u, err := url.Parse(r)
		if err != nil || u.Host == "" {
			u = &url.URL{Host: r}
		}
		host, _, err := address(u.Host)
		if err != nil {
			return nil, false, fmt.Errorf("route to %s: %w", r, err)
		}
		beyond = beyond || !loopback(host)
		hosts = append(hosts, u.Host)
	}
	if len(hosts) == 2 {
		hosts = append(hosts, c.Listen)
	}
	if len(hosts) != 3 {
		return nil, false, fmt.Errorf("a cluster has 3 nodes: name the other two as routes, or all three (there are %d)", len(c.Routes))
	}
	slices.Sort(hosts)
	for _, h := range hosts {
		out = append(out, &url.URL{Scheme: "nats", Host: h})
	}
	return out, beyond, nil
}

// address splits host:port.
func address(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("parse address: %w", err)
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("parse address %s: %q is not a port", s, p)
	}
	return host, port, nil
}

// loopback says whether a host is this machine for sure; no name but localhost is looked up.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
