package standalone

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/listen"
)

// DefaultGrace is Options.Grace where it is 0.
const DefaultGrace = 10 * time.Second

// Options are what an edge on its own takes. The zero value of what has a default means the default.
type Options struct {
	Listeners   []Listener       // for viewers; one at least
	Origin      Origin           // where objects come from
	Engine      OpenFunc         // what answers viewers in place of an edge of its own; Origin, Cache, Credentials, State and Console are then not used. nil is an edge
	Cache       Cache            // what is kept, and by which rules
	Admin       Listener         // metrics, health and control API; an Address of "" means none
	Credentials Credentials      // who may use the control API; the zero value: anybody on this machine, and nobody beyond
	Console     string           // address of the page that shows the edge, on loopback; "" means none
	State       string           // folder of the control API's history; "" keeps none
	AccessLog   string           // "stdout", "stderr" or a file to append to; "" writes none
	Limits      Limits           // on connections and requests
	Delay       time.Duration    // between the first 503 of /readyz and the end of accepting, in Close; default 0
	Grace       time.Duration    // for requests under way, in Close, after Delay; default 10 s
	Stdout      io.Writer        // for AccessLog; nil discards
	Stderr      io.Writer        // for AccessLog; nil discards
	Now         func() time.Time // nil means time.Now
	Random      io.Reader        // nil means crypto/rand
	Logger      *slog.Logger     // nil discards
}

// Cache is what the edge keeps, and by which rules.
type Cache struct {
	Rules          edge.RuleSet
	MemoryBytes    int           // default edge.DefaultMemoryBytes
	Disk           edge.Disk     // below memory; without a folder there is none
	RootObject     string        // served for "/", without leading slash; "" for none
	Index          bool          // "/docs/" and "/docs" are looked up as "/docs/index.html"
	TagHeader      string        // response header that carries cache tags; "" ignores tags
	ViewerProtocol edge.Protocol // what becomes of plain HTTP
	OriginTimeout  time.Duration // default edge.DefaultOriginTimeout
}

// What listeners are made of.
type (
	Listener    = listen.Listener
	Limits      = listen.Limits
	ListenError = listen.Error
)

// ErrUnguarded: the control API would be open to others than this machine.
var ErrUnguarded = errors.New("the control API listens beyond loopback without credentials to guard it")

// Credentials are the one key pair that may sign requests to the control API.
type Credentials = control.Credentials

// Info says how to reach a running edge. Base URLs have no trailing slash.
type Info struct {
	Viewers      []string // in the order of Options.Listeners
	Admin        string   // "" without one
	Console      string   // "" without one
	Distribution string   // its id in the control API; "" without one
}

// Server is a running edge.
type Server struct {
	opts    Options
	info    Info
	log     *accessLog
	engine  Engine
	edge    *edge.Edge // the engine, where it is this package's own
	idle    func()     // closes unused connections to the origin
	meters  *meters
	viewers *listen.Servers
	admin   *listen.Servers
	console *listen.Servers
	events  *console.Events // nil without a console
	page    *console.Console
	shows   sync.WaitGroup // for page.Run
	control *controlAPI
	ready   atomic.Bool
}

// Start listens and serves. The caller closes the Server.
// The error is a *ListenError, or wraps ErrOrigin, ErrUnguarded, ErrExposed, edge.ErrConfig, or an error of the files that it needs.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{opts: opts.withDefaults(), idle: func() {}}
	l := listen.Options{Limits: s.opts.Limits, Now: s.opts.Now, Logger: s.opts.Logger}
	s.viewers, s.admin, s.console = listen.New(l), listen.New(l), listen.New(l)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.close(0))
	}
	s.ready.Store(true)
	return s, nil
}

func (o Options) withDefaults() Options {
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	o.Limits = o.Limits.WithDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	return o
}

func (s *Server) start(ctx context.Context) error {
	o := &s.opts
	var err error
	s.meters = newMeters()
	if s.log, err = openAccessLog(o.AccessLog, o.Stdout, o.Stderr, o.Logger); err != nil {
		return err
	}
	from, err := s.openEngine(ctx)
	if err != nil {
		return err
	}
	for _, l := range o.Listeners {
		url, err := s.viewers.Listen(ctx, l)
		if err != nil {
			return err
		}
		s.info.Viewers = append(s.info.Viewers, url)
	}
	if err := s.openAdmin(ctx, from); err != nil {
		return err
	}
	if from != nil {
		if err := s.openConsole(ctx); err != nil {
			return err
		}
	}
	s.viewers.Serve(listen.SlowBodies(s.engine, o.Limits.Transfer), s.engine)
	s.admin.Serve(s.adminHandler(), nil)
	s.serveConsole()
	return nil
}

// openEngine makes what answers viewers; the source is nil where that is not this package's own.
func (s *Server) openEngine(ctx context.Context) (*source, error) {
	o := &s.opts
	if o.Engine != nil {
		hooks := Hooks{Measured: s.meters.measured}
		if s.log != nil || o.Admin.Address != "" {
			hooks.OnRequest = s.request
		}
		var err error
		s.engine, err = o.Engine(hooks)
		return nil, err
	}
	from, err := openOrigin(ctx, o)
	if err != nil {
		return nil, err
	}
	s.idle = from.idle
	if err := s.openEdge(from); err != nil {
		return nil, err
	}
	s.engine = single{s.edge}
	return from, nil
}

// openEdge makes the cache. Requests are told to nobody if nobody asked: that is the fastest.
func (s *Server) openEdge(from *source) (err error) {
	o := &s.opts
	options := edge.Options{
		MemoryBytes: o.Cache.MemoryBytes, Disk: o.Cache.Disk, OriginTimeout: o.Cache.OriginTimeout, Now: o.Now, Rand: o.Random, Logger: o.Logger,
	}
	if o.Console != "" {
		s.events, options.Drops = console.NewEvents(), console.KeptDrops
	}
	if s.log != nil || s.events != nil || o.Admin.Address != "" {
		options.OnRequest = s.request
	}
	s.edge, err = edge.New(edgeConfig(o, from, s.meters), options)
	return err
}

func (s *Server) request(e edge.Event) {
	s.meters.request(e)
	if s.log != nil {
		s.log.add(e)
	}
	if s.events != nil {
		s.events.Add(shown(e))
	}
}

// openAdmin opens the admin listener and the control API, but serves neither yet.
func (s *Server) openAdmin(ctx context.Context, from *source) error {
	o := &s.opts
	if o.Admin.Address == "" {
		return nil
	}
	url, err := s.admin.Listen(ctx, o.Admin)
	if err != nil {
		return err
	}
	if from == nil {
		s.info.Admin = url
		return nil
	}
	if o.Credentials == (Credentials{}) && !s.admin.Loopback() {
		return fmt.Errorf("listen for the control API on %s: %w", o.Admin.Address, ErrUnguarded)
	}
	s.info.Admin = url
	if s.control, err = openControl(ctx, o, s.edge, from, s.info.Viewers[0]); err != nil {
		return err
	}
	s.info.Distribution = s.control.id
	return nil
}

// Info says how to reach s.
func (s *Server) Info() Info { return s.info }

// Reload opens the access log's file anew, for rotation, and reads the certificates again.
func (s *Server) Reload() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.reopen())
	}
	return errors.Join(append(errs, s.viewers.Reload(), s.admin.Reload())...)
}

// Close ends the edge: it says so to /readyz, waits for Options.Delay, stops accepting, lets requests under way finish for Options.Grace,
// cuts the rest short, and closes everything. The admin listener goes last.
func (s *Server) Close() error {
	s.ready.Store(false)
	if s.opts.Delay > 0 {
		time.Sleep(s.opts.Delay)
	}
	return s.close(s.opts.Grace)
}

func (s *Server) close(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	errs := []error{s.viewers.Close(ctx)}
	if s.control != nil {
		errs = append(errs, s.control.close())
	}
	errs = append(errs, s.admin.Close(ctx), s.closeConsole(ctx))
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	s.idle()
	if s.log != nil {
		errs = append(errs, s.log.close())
	}
	return errors.Join(errs...)
}
