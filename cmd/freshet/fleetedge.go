package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/edgenode"
	"github.com/freshet/freshet/internal/cloud/fleet/stream"
)

// memberOptions are what an edge of a fleet is made of.
type memberOptions struct {
	serve standalone.Options
	log   stream.Options
	node  edgenode.Options
}

// fleetEdge runs an edge of a fleet until ctx ends. Its ports are open before it has joined.
func (a *app) fleetEdge(ctx context.Context, opts memberOptions) error {
	m := &member{opts: opts, logger: opts.serve.Logger}
	engine, err := m.connect(ctx, firstTry)
	if err != nil && !errors.Is(err, errUnreachable) {
		return joinFailure(err)
	}
	if err != nil {
		m.sayUnreachable(err)
	}
	opts.serve.Engine = func(hooks standalone.Hooks) (standalone.Engine, error) {
		m.hooks = hooks
		return m, nil
	}
	server, err := standalone.Start(ctx, opts.serve)
	if err != nil {
		if engine != nil {
			err = errors.Join(err, engine.Close())
		}
		return edgeFailure(err)
	}
	if m.opts.node.Address == "" {
		m.opts.node.Address = knownAddress(server.Info().Viewers[0])
	}
	joining, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	work.Go(func() { m.join(joining, engine) })
	if err := a.showMember(server.Info(), m.opts); err != nil {
		stop()
		work.Wait()
		return errors.Join(err, server.Close())
	}
	a.reloadUntil(ctx, server)
	a.tell("stopping")
	stop()
	work.Wait()
	return server.Close()
}

// How long one attempt to reach the control nodes takes: before the ports are open, so that a wrong key is told at once, and after.
const (
	firstTry = 2 * time.Second
	laterTry = 30 * time.Second
)

// errUnreachable: no control node could be reached in time.
var errUnreachable = errors.New("no control node can be reached")

// member is an edge that joins a fleet as soon as it can, and answers 503 until then.
type member struct {
	opts   memberOptions
	hooks  standalone.Hooks
	logger *slog.Logger
	node   atomic.Pointer[edgenode.Node]
}

var _ standalone.Engine = (*member)(nil)

// connect tries for so long. The error wraps errUnreachable, or is one that trying does not mend.
func (m *member) connect(ctx context.Context, patience time.Duration) (fleet.Engine, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	engine, err := stream.Connect(bounded, m.opts.log)
	if err == nil {
		return engine, nil
	}
	if bounded.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return nil, err
}

// join starts the node on the engine, or on one that it connects until ctx ends.
func (m *member) join(ctx context.Context, engine fleet.Engine) {
	for engine == nil {
		var err error
		if engine, err = m.connect(ctx, laterTry); err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		m.sayUnreachable(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second): // what is refused is refused at once
		}
	}
	node, err := edgenode.Start(ctx, engine, m.opts.node, m.hooks)
	if err != nil {
		m.logger.Error("the edge cannot join", "error", errors.Join(err, engine.Close()))
		return
	}
	m.node.Store(node)
}

func (m *member) sayUnreachable(err error) {
	m.logger.Warn("the fleet cannot be joined yet, viewers get 503, will retry", "servers", strings.Join(m.opts.log.Servers, " "), "error", err)
}

// Hit is front.Engine's.
func (m *member) Hit(rq *front.Request, resp *front.Response) bool {
	node := m.node.Load()
	return node != nil && node.Hit(rq, resp)
}

// ServeHTTP answers a viewer.
func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if node := m.node.Load(); node != nil {
		node.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1") // RFC 9110, 15.6.4
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "the edge has not joined its fleet yet", http.StatusServiceUnavailable)
}

// Ready says whether it has joined.
func (m *member) Ready() bool {
	node := m.node.Load()
	return node != nil && node.Ready()
}

// Stats are the node's.
func (m *member) Stats() edge.Stats {
	if node := m.node.Load(); node != nil {
		return node.Stats()
	}
	return edge.Stats{}
}

// Figures are the node's; before there is one, that it has no lease.
func (m *member) Figures() []standalone.Figure {
	if node := m.node.Load(); node != nil {
		return node.Figures()
	}
	return nil
}

// Close ends the node. join has returned by then.
func (m *member) Close() error {
	if node := m.node.Load(); node != nil {
		return node.Close()
	}
	return nil
}

// knownAddress is a listener's URL, if others than this machine's programs could make sense of it: not that of every address.
func knownAddress(listener string) string {
	host, _, err := net.SplitHostPort(listener[strings.LastIndexByte(listener, '/')+1:])
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		return ""
	}
	return listener
}

// joinFailure says what to do about control nodes that refuse.
func joinFailure(err error) error {
	switch {
	case errors.Is(err, stream.ErrKey):
		return &failure{err, exitFailed, "name the file with this edge's secret, as in `freshet edge --seed edge-1.seed`, and start the control nodes with --allow-edge and its public key; `freshet control new-key FILE` makes both"}
	case errors.Is(err, stream.ErrCertificate):
		return &failure{err, exitFailed, "name the file with the authority of the control nodes' certificates, as in `freshet edge --authority log-ca.pem`, and a host name that they are for"}
	}
	return &failure{err, exitUsage, "correct --control, --seed or --authority; `freshet edge --help` says what they take"}
}

// memberJSON is what --json prints once the ports are open.
type memberJSON struct {
	Name      string   `json:"name"`
	Edge      string   `json:"edge"` // the first of Listeners
	Listeners []string `json:"listeners"`
	Admin     string   `json:"admin,omitempty"`
	Control   []string `json:"control"`
}

func (a *app) showMember(info standalone.Info, opts memberOptions) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(memberJSON{opts.node.Name, info.Viewers[0], info.Viewers, info.Admin, opts.log.Servers})
	}
	text := "The edge is running.\n"
	for _, row := range [][2]string{
		{"Name", opts.node.Name}, {"Viewers", strings.Join(info.Viewers, "/ ") + "/"}, {"Control", strings.Join(opts.log.Servers, " ")}, {"Admin", info.Admin},
	} {
		if row[1] != "" {
			text += fmt.Sprintf("\n  %-12s  %s", row[0], row[1])
		}
	}
	_, err := fmt.Fprintln(a.stdout, text+"\n\nStop it with Ctrl-C.")
	return err
}
