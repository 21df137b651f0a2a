package controlnode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/listen"
	"github.com/freshet/freshet/internal/cloud/tenants"
	"github.com/freshet/freshet/internal/durable"
)

// ErrUnguarded: the control API would be open to others than this machine.
var ErrUnguarded = errors.New("the control API listens beyond loopback without credentials to guard it")

// ErrOpen: the control API would be read by others on its way.
var ErrOpen = errors.New("the control API listens beyond loopback without a certificate")

// ErrExposed: nobody could sign in at the page, which others than this machine reach.
var ErrExposed = errors.New("the page of the fleet listens beyond loopback without credentials to sign in with")

// ErrPageOpen: what is signed in with would be read by others on its way.
var ErrPageOpen = errors.New("the page of the fleet listens beyond loopback without a certificate")

// snapshotPause is how often a node looks whether a snapshot is due.
const snapshotPause = 10 * time.Second

// Options are what a Server takes.
type Options struct {
	Name    string          // of this node
	Version string          // of the program, to be shown
	Dir     string          // of the view, made if missing
	API     listen.Listener // of the control API
	Page    string          // address of the page that shows the fleet; "" is none
	// Credentials sign requests to the API, and are what is signed in with at the page; the zero value: the API is for anybody on this machine, and nobody signs in.
	Credentials control.Credentials
	// PageCertificate and PageKey are PEM files for the page, as those of a listen.Listener; "" serves it in the clear, which it is on loopback alone.
	PageCertificate, PageKey string

	Domain string // below which distributions have their domain names (fleet.DomainOf); default fleet.DefaultDomain
	Terms  fleet.Terms
	Limits control.Limits
	Grace  time.Duration    // for requests under way, in Close; default 10 s
	Random io.Reader        // nil is crypto/rand
	Now    func() time.Time // a clock with a monotonic part, whose wall clock may jump; nil is time.Now
	Logger *slog.Logger     // nil discards
}

// Info says how to reach a running node. Base URLs have no trailing slash.
type Info struct {
	API  string
	Page string // "" without one
}

// Server is a running control node.
type Server struct {
	opts   Options
	info   Info
	engine fleet.Engine
	api    *listen.Servers
	page   *listen.Servers
	began  time.Time

	state      atomic.Pointer[state]
	controller *fleet.Controller

	confirm *confirmation
	stop    context.CancelFunc
	work    sync.WaitGroup
	reached atomic.Bool // the log could be reached when it was last asked
	took    *histogram  // from acceptance to completion
}

// Start opens the view, listens and serves. It closes the engine in the end. The error is a *listen.Error, or wraps ErrUnguarded, ErrOpen, ErrExposed,
// ErrPageOpen, fleet.ErrOtherLog, or one of the files.
func Start(ctx context.Context, engine fleet.Engine, opts Options) (*Server, error) {
	opts.Domain, opts.Grace = cmp.Or(opts.Domain, fleet.DefaultDomain), cmp.Or(opts.Grace, 10*time.Second)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	l := listen.Options{Now: opts.Now, Logger: opts.Logger}
	s := &Server{opts: opts, engine: engine, api: listen.New(l), page: listen.New(l), began: opts.Now(), stop: func() {}, took: newHistogram()}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := durable.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	s.controller = fleet.NewController(s.engine, members{s}, fleet.ControllerOptions{
		Terms: s.opts.Terms, Now: s.opts.Now, Logger: s.opts.Logger, End: control.EncodeEnd,
	})
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.confirm = newConfirmation(background, &s.work, s.addNothing)
	if err := s.open(ctx); err != nil {
		return err
	}
	ctx = background
	s.work.Go(func() { s.follow(ctx) })
	s.work.Go(func() { s.watch(ctx) })
	s.work.Go(func() { s.control(ctx) })
	s.work.Go(func() { _ = fleet.KeepSnapshots(ctx, s.engine, snapshots{s}, snapshotPause, s.opts.Logger) })
	s.api.Serve(s.handler(), nil)
	if s.info.Page == "" {
		return nil
	}
	page, err := s.pageHandler()
	if err == nil {
		s.page.Serve(page, nil)
	}
	return err
}

// listen opens the ports, and refuses what would let in whom nobody knows.
func (s *Server) listen(ctx context.Context) (err error) {
	if s.info.API, err = s.api.Listen(ctx, s.opts.API); err != nil {
		return err
	}
	if !s.api.Loopback() {
		switch {
		case s.opts.Credentials == (control.Credentials{}):
			return fmt.Errorf("listen for the control API on %s: %w", s.opts.API.Address, ErrUnguarded)
		case s.opts.API.Certificate == "":
			return fmt.Errorf("listen for the control API on %s: %w", s.opts.API.Address, ErrOpen)
		}
	}
	return s.listenPage(ctx)
}

// listenPage is listen for the page.
func (s *Server) listenPage(ctx context.Context) (err error) {
	if s.opts.Page == "" {
		return nil
	}
	at := listen.Listener{Address: s.opts.Page, Certificate: s.opts.PageCertificate, Key: s.opts.PageKey}
	if s.info.Page, err = s.page.Listen(ctx, at); err != nil || s.page.Loopback() {
		return err
	}
	switch {
	case s.opts.Credentials == (control.Credentials{}):
		err = ErrExposed
	case at.Certificate == "":
		err = ErrPageOpen
	default:
		return nil
	}
	return fmt.Errorf("listen for the page on %s: %w", s.opts.Page, err)
}

// state is one view and what follows the log for it; both are replaced where the log no longer has what the view lacks.
type state struct {
	server   *control.Server
	follower *fleet.Follower
}

// open opens the view, from the newest snapshot where there is none, and catches up with the log as far as that can be done now.
func (s *Server) open(ctx context.Context) error {
	path := filepath.Join(s.opts.Dir, "control.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := s.restore(ctx, path); err != nil {
			return err
		}
	}
	one, known := &state{}, make(chan struct{})
	var err error
	one.server, err = control.Open(path, nil, control.Options{
		Credentials: s.opts.Credentials, Now: s.opts.Now, Rand: s.opts.Random, Logger: s.opts.Logger, Limits: s.opts.Limits,
		Domain:      func(id string) string { return fleet.DomainOf(id, s.opts.Domain) },
		CheckConfig: tenants.Check,
		Log:         s.engine, Sync: func(ctx context.Context) error { return one.follower.Sync(ctx) },
		Confirm: s.confirm.wait,
		Completed: func(ctx context.Context, sequence uint64) (uint64, error) {
			select { // the view asks as soon as it is open; until it is known here, its members are not
			case <-known:
				return s.completed(ctx, sequence)
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		},
		Changed: s.controller.Changed,
	})
	if err != nil {
		return err
	}
	one.follower = fleet.NewFollower(s.engine, one.server.Applied(), func(_ context.Context, e fleet.Entry) error {
		return one.server.Apply(e.Sequence, control.Content(e))
	})
	s.state.Store(one)
	close(known)
	s.controller.Changed()
	return s.sameLog(ctx, path, one.server.Applied())
}

// sameLog fails if the log ends before what the view has applied of it. A log that cannot be reached is asked for by who follows it.
func (s *Server) sameLog(ctx context.Context, path string, applied uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, last, err := s.engine.Bounds(ctx); err == nil && last < applied {
		return fmt.Errorf("open %s, of entry %d, over a log that ends at %d: %w", path, applied, last, fleet.ErrOtherLog)
	}
	return nil
}

// restore makes the view of the newest snapshot, if there is one.
func (s *Server) restore(ctx context.Context, path string) error {
	sequence, data, err := s.engine.Get(ctx)
	if err != nil {
		return fmt.Errorf("read the newest snapshot: %w", err)
	}
	if sequence > 0 {
		err = control.Restore(path, data)
	}
	if err = errors.Join(err, data.Close()); err != nil {
		return fmt.Errorf("restore the newest snapshot: %w", err)
	}
	return nil
}

// follow applies the log. A view that the log has run away from is made anew.
func (s *Server) follow(ctx context.Context) {
	for pause := 10 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, time.Second) {
		one := s.state.Load()
		err := one.follower.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		s.opts.Logger.Error("the log could not be applied, will retry", "applied", one.server.Applied(), "error", err)
		if errors.Is(err, fleet.ErrDropped) {
			if err := s.renew(ctx); err != nil {
				s.opts.Logger.Error("the view could not be made anew", "error", err)
			}
		}
		_ = fleet.Sleep(ctx, pause)
	}
}

// control keeps the controller at work: without it nothing is Completed any more.
func (s *Server) control(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.controller.Run(ctx); ctx.Err() == nil {
			s.opts.Logger.Error("the edges could not be watched, will retry", "error", err)
		}
		_ = fleet.Sleep(ctx, time.Second) // it ends with ctx
	}
}

// renew replaces the view by the newest snapshot.
func (s *Server) renew(ctx context.Context) error {
	if err := s.state.Load().server.Close(); err != nil {
		s.opts.Logger.Warn("the view before was not closed well", "error", err)
	}
	path := filepath.Join(s.opts.Dir, "control.db")
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("put the view aside: %w", err)
	}
	return s.open(ctx)
}

// completed waits until every edge has applied the log through sequence, and says how far they are.
func (s *Server) completed(ctx context.Context, sequence uint64) (uint64, error) {
	began := s.opts.Now()
	through, err := s.controller.Completed(ctx, sequence, func() uint64 { return s.server().Applied() })
	if err == nil {
		s.took.observe(s.opts.Now().Sub(began).Seconds())
	}
	return through, err
}

func (s *Server) server() *control.Server { return s.state.Load().server }

// watch notes whether the log can be reached.
func (s *Server) watch(ctx context.Context) {
	for {
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, _, err := s.engine.Bounds(bounded)
		cancel()
		if before := s.reached.Swap(err == nil); before && err != nil && ctx.Err() == nil {
			s.opts.Logger.Warn("the log cannot be reached", "error", err)
		}
		if err := fleet.Sleep(ctx, 2*time.Second); err != nil {
			return
		}
	}
}

// members are the view's, for the controller.
type members struct{ s *Server }

// Members is fleet.View's.
func (m members) Members() ([]fleet.Membership, error) {
	one := m.s.state.Load()
	if one == nil {
		return nil, nil
	}
	all := one.server.Members()
	out := make([]fleet.Membership, len(all))
	for i, one := range all {
		out[i] = fleet.Membership{Member: one.ID, Joined: one.Joined}
	}
	return out, nil
}

// snapshots are the view's, for fleet.KeepSnapshots.
type snapshots struct{ s *Server }

// Applied is fleet.State's.
func (n snapshots) Applied() uint64 { return n.s.server().Applied() }

// Snapshot is fleet.State's.
func (n snapshots) Snapshot(w io.Writer) error {
	_, err := n.s.server().Snapshot(w)
	return err
}

// Info says how to reach s.
func (s *Server) Info() Info { return s.info }

// EnsureDistribution makes sure that there is a distribution with cfg's caller reference, and returns it.
func (s *Server) EnsureDistribution(ctx context.Context, cfg control.DistributionConfig) (control.Distribution, error) {
	return s.server().EnsureDistribution(ctx, cfg)
}

// Close finishes the requests under way, ends the node's part in the fleet, and closes view and engine.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Grace)
	defer cancel()
	errs := []error{s.api.Close(ctx), s.page.Close(ctx)}
	s.stop()
	if one := s.state.Load(); one != nil {
		errs = append(errs, one.server.Close())
	}
	s.work.Wait()
	return errors.Join(append(errs, s.engine.Close())...)
}
