package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// ErrExposed: the console would be open to others than this machine.
var ErrExposed = errors.New("the console has no logins and listens beyond loopback")

// openConsole opens the console's listener, but does not serve yet.
func (s *Server) openConsole(ctx context.Context) error {
	o := &s.opts
	if o.Console == "" {
		return nil
	}
	url, err := s.console.Listen(ctx, Listener{Address: o.Console})
	if err != nil {
		return err
	}
	if !s.console.Loopback() {
		return fmt.Errorf("listen for the console on %s: %w", o.Console, ErrExposed)
	}
	s.info.Console = url
	options := console.Options{
		Name: "edge", Host: hostOf(url), Viewers: reachable(s.info.Viewers[0]), Facts: s.facts(), Cache: s.edge, Events: s.events, Now: o.Now,
	}
	if s.control != nil {
		options.Distribution, options.Invalidations = s.control.id, s.control.server
	}
	s.page = console.New(options)
	return nil
}

// facts are what the console says of the edge.
func (s *Server) facts() []console.Fact {
	var out []console.Fact
	for _, url := range s.info.Viewers {
		out = append(out, console.Fact{Name: "Viewers", Value: reachable(url) + "/", Link: true})
	}
	for _, fact := range []console.Fact{
		{Name: "Origin", Value: redacted(s.opts.Origin.URL)}, {Name: "Rules", Value: s.opts.Cache.Rules.String()},
		{Name: "Admin", Value: s.info.Admin}, {Name: "Distribution", Value: s.info.Distribution}, {Name: "Disk", Value: s.opts.Cache.Disk.Dir},
	} {
		if fact.Value != "" {
			out = append(out, fact)
		}
	}
	return out
}

// reachable is a base URL with this machine's address in place of the one that stands for all of them.
func reachable(base string) string {
	scheme, host, _ := strings.Cut(base, "://")
	if at, err := netip.ParseAddrPort(host); err == nil && at.Addr().IsUnspecified() {
		return scheme + "://" + net.JoinHostPort("127.0.0.1", fmt.Sprint(at.Port()))
	}
	return base
}

func (s *Server) serveConsole() {
	if s.page == nil {
		return
	}
	s.console.Serve(s.page, nil)
	s.shows.Go(func() { s.page.Run(context.Background()) }) // until the events are closed
}

// closeConsole ends the console's streams, which would go on for ever, and then its listener.
func (s *Server) closeConsole(ctx context.Context) error {
	if s.events != nil {
		s.events.Close()
	}
	s.shows.Wait()
	return s.console.Close(ctx)
}

func shown(e edge.Event) console.Request {
	return console.Request{
		Time: e.Time, Duration: e.Duration, Method: e.Method, Path: e.Path, Status: e.Status, Cache: e.Result.String(), Bytes: e.Bytes,
	}
}
