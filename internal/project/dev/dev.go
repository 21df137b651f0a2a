// Package dev is the loop of somebody who writes a site: it watches the
// project, builds, publishes, and reloads the browser.
//
// It promises that a change is seen however an editor writes it, that a burst
// of changes leads to one build, that a change during a build leads to one more
// when that build is done, and that what a build writes itself never makes it
// run for ever. A build or a publication that fails is shown in the page and
// reported, and what was published last stays. The script that reloads is added
// to pages on their way to the browser: it is never stored, and never part of
// what is published. Nothing runs any more when Run has returned.
//
// It leaves out how the site is built and published, which its caller says, and
// the edge, of which it knows the address only. Changes on file systems that do
// not report them (some network and virtual machine mounts) are not seen, nor
// are changes behind a symbolic link to a single file. A page that forbids
// scripts of its own origin by a Content-Security-Policy is not reloaded.
//
// It follows the section "What people see" of the design, command `dev`, and
// for server-sent events the HTML Living Standard, 9.2.
package dev

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Project is what is watched and how it is built.
type Project struct {
	// Root is the project's folder, absolute; reports name files relative to it.
	Root string
	// Watch are the files and folders whose changes count, absolute; folders
	// with all that is in them. One that is not there is awaited as long as the
	// folder that it would lie in is there.
	Watch []string
	// Ignore are files and folders whose changes never count, absolute: what the
	// build makes. It goes before Watch. Version control, caches of tools and
	// editors' leftovers need not be named.
	Ignore []string
	// Build builds the site and writes what it has to say to output; nil where
	// nothing is to be built. It returns soon after ctx ends, and leaves nothing
	// running then.
	Build func(ctx context.Context, output io.Writer) error
}

// Published is what one publication did.
type Published struct {
	Changed  bool // false where the site was live already
	Uploaded int  // objects sent, or whose headers were changed
	Removed  int  // objects deleted
	URLs     int  // URLs invalidated
}

// Step says how far a round has come.
type Step int

// The steps of a round, in their order.
const (
	StepLoad Step = iota
	StepBuild
	StepPublish
)

// Round is one turn of the loop: what changed, and what came of it.
type Round struct {
	Time time.Time // when it ended
	// Changed are the files that made it necessary, relative to the project
	// where they lie in it, sorted; none for the first round.
	Changed []string
	Step    Step          // the step that failed, or StepPublish
	Built   time.Duration // 0 where nothing was built
	// Publishing is how long the publication took.
	Publishing time.Duration
	Published  Published
	Output     []string // the last lines of the build's output, without control characters
	Err        error    // nil if all went well
	// Own, where it is not empty, is all that there is to report: files that
	// changed with each of the last builds, which nothing else had started. From
	// now on they start none if they change during one.
	Own []string
}

// Options are what Run takes.
type Options struct {
	// Load reads the project. It is called before each round and after the first
	// build; what a failed call returns is not used.
	Load func() (Project, error)
	// Publish publishes what is built.
	Publish func(context.Context) (Published, error)
	// Hint says what to do about an error, "" where nobody knows; may be nil.
	Hint func(error) string
	// Report is told of each round; calls do not overlap. May be nil.
	Report func(Round)
	// Listener is where browsers come in; Run closes it.
	Listener net.Listener
	// Edge is the base URL that pages come from, "http://127.0.0.1:40123".
	Edge string
	// Hosts are further names in the Host header that mean this server. Addresses,
	// localhost and the names below it always do.
	Hosts []string
	// Quiet is how long nothing may change before a round begins; 0 means
	// DefaultQuiet.
	Quiet time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Panicked is told of a panic while a request was answered, with its stack,
	// and may be called by several goroutines at once. nil means nobody.
	Panicked func(value any, stack []byte)
}

// DefaultQuiet is long enough for an editor that writes a file in several
// steps, and short enough not to be felt.
const DefaultQuiet = 50 * time.Millisecond

// closeWait bounds how long answers under way may take when Run ends.
const closeWait = 500 * time.Millisecond

// Run serves, watches, builds and publishes until ctx ends, and returns nil
// then. It fails where the project cannot be loaded at first or be watched;
// ErrTooMany is in the chain where the system allows no more to be watched.
func Run(ctx context.Context, o Options) error {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w, err := newWatcher(o.Now)
	if err != nil {
		return errors.Join(err, o.Listener.Close())
	}
	defer w.close()
	hub := newHub()
	stop := serve(o, hub)
	defer stop()
	return (&loop{opts: o, watcher: w, hub: hub, own: map[string]int{}, told: map[string]bool{}}).run(ctx)
}

// guarded answers as h does, and tells of its panics. The connection is closed
// then, as package net/http would do, so that half an answer is seen to be one.
func guarded(h http.Handler, panicked func(any, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			value := recover()
			if value == nil {
				return
			}
			if err, ok := value.(error); (!ok || !errors.Is(err, http.ErrAbortHandler)) && panicked != nil {
				panicked(value, debug.Stack())
			}
			panic(http.ErrAbortHandler)
		}()
		h.ServeHTTP(w, r)
	})
}

// serve answers browsers until the function that it returns has returned.
func serve(o Options, hub *hub) (stop func()) {
	h, idle := handler(o, hub)
	server := &http.Server{
		Handler: guarded(h, o.Panicked), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // browsers that leave are no news
	}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(o.Listener) }) // ends by Shutdown alone
	return func() {
		hub.close()
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // what is cut off is a page that nobody waits for any more
		}
		done.Wait()
		idle()
	}
}
