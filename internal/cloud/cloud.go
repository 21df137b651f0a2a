// Package cloud joins the embedded parts into one running thing: an S3 server,
// the CloudFront control API, an edge cache in front of the bucket, and a
// console. It is what `freshet local` runs and what a deploy to the local
// target starts for as long as it needs.
//
// It promises that everything listens on the addresses that it was given and
// nowhere else, that credentials are random for each data folder and readable
// by the owner only, that one process at a time has a folder, and that a
// restart finds buckets, distributions and invalidations again. What the parts
// do is theirs: objects, control, edge and console never see each other.
//
// Every distribution that the control API makes has an edge of its own behind
// the same port. Viewers reach it by its domain name or an alias in the Host
// header, and the default distribution by any other name.
package cloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/objects"
	"github.com/freshet/freshet/internal/cloud/tenants"
	"github.com/freshet/freshet/internal/durable"
)

// ErrInUse: another process has the data folder.
var ErrInUse = errors.New("the embedded cloud's data folder is in use by another process")

// Bucket is the name of the embedded cloud's bucket.
const Bucket = "site"

// Region is what the embedded cloud says where a region is asked for; any is
// accepted.
const Region = "us-east-1"

// Addresses are where the parts listen, as host:port. Port 0 takes any free
// one. "" for the console means that there is none; the others must be given.
type Addresses struct{ S3, Control, Edge, Console string }

// Options are what a Cloud takes.
type Options struct {
	Dir       string // data folder, made if missing
	Addresses Addresses
	// Announce lets other processes find this one with Find.
	Announce bool
	Limits   Limits           // on invalidations; "" means none
	Faults   Faults           // shown on purpose; the zero value has none
	Random   io.Reader        // nil means crypto/rand
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger     // nil discards
}

// Info says how to reach a running cloud. Base URLs have no trailing slash.
type Info struct {
	S3              string `json:"s3"`
	Control         string `json:"control"`
	Edge            string `json:"edge"`
	Console         string `json:"console"`
	Bucket          string `json:"bucket"`
	Distribution    string `json:"distribution"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// String hides the secret.
func (i Info) String() string { return "embedded cloud with its edge at " + i.Edge + " [redacted]" }

// Cloud is a running embedded cloud.
type Cloud struct {
	opts    Options
	info    Info
	store   *objects.Store
	control *control.Server
	edges   *edges
	servers servers
	stop    context.CancelFunc // ends requests that do not end by themselves
}

// Start opens the data folder and listens. The caller closes the Cloud.
// ErrInUse when another process has the folder.
func Start(ctx context.Context, opts Options) (*Cloud, error) {
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Cloud{opts: opts, stop: stop, servers: servers{base: base, log: opts.Logger}}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cloud) start(ctx context.Context) error {
	if err := prepare(c.opts.Dir); err != nil {
		return err
	}
	var err error
	if c.store, err = objects.Open(filepath.Join(c.opts.Dir, "objects"), objects.Options{Now: c.opts.Now}); err != nil {
		if errors.Is(err, objects.ErrInUse) {
			return fmt.Errorf("%w: %s", ErrInUse, c.opts.Dir)
		}
		return err
	}
	if err := c.store.CreateBucket(ctx, Bucket); err != nil && !errors.Is(err, objects.ErrBucketExists) {
		return err
	}
	keys, err := credentials(c.opts.Dir, c.opts.Random)
	if err != nil {
		return err
	}
	c.info = Info{Bucket: Bucket, AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}
	listeners, err := c.listen()
	if err != nil {
		return err
	}
	if err := c.openControl(ctx); err != nil {
		listeners.close()
		return err
	}
	c.serve(listeners)
	if c.opts.Announce {
		return announce(c.opts.Dir, c.info)
	}
	return nil
}

// prepare makes the data folder, which keeps itself out of git.
func prepare(dir string) error {
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	if err := durable.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// listeners are the open ports of a cloud that does not serve yet.
type listeners struct{ s3, control, edge, console net.Listener }

func (l listeners) close() {
	for _, one := range []net.Listener{l.s3, l.control, l.edge, l.console} {
		if one != nil {
			_ = one.Close() // nothing was served
		}
	}
}

func (c *Cloud) listen() (l listeners, err error) {
	for _, one := range []struct {
		name, flag, address string
		to                  *net.Listener
		url                 *string
	}{
		{"the S3 API", "s3", c.opts.Addresses.S3, &l.s3, &c.info.S3},
		{"the control API", "control", c.opts.Addresses.Control, &l.control, &c.info.Control},
		{"the edge", "edge", c.opts.Addresses.Edge, &l.edge, &c.info.Edge},
		{"the console", "console", c.opts.Addresses.Console, &l.console, &c.info.Console},
	} {
		if one.address == "" && one.flag == "console" {
			continue
		}
		if *one.to, err = net.Listen("tcp", one.address); err != nil {
			l.close()
			return listeners{}, &ListenError{Part: one.name, Flag: one.flag, Err: err}
		}
		*one.url = "http://" + (*one.to).Addr().String()
	}
	return l, nil
}

// ListenError is an address that could not be listened on.
type ListenError struct {
	Part string // "the edge"
	Flag string // how `freshet local` names the address
	Err  error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen for %s: %v", e.Part, e.Err) }

// Unwrap is the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// openControl opens the control API and makes sure that the distribution is
// there; the edge is configured when it returns.
func (c *Cloud) openControl(ctx context.Context) error {
	c.edges = newEdges(c.store, c.opts)
	edgeHost := hostOf(c.info.Edge)
	server, err := control.Open(filepath.Join(c.opts.Dir, "control.db"), c.edges, control.Options{
		Credentials: control.Credentials{AccessKeyID: c.info.AccessKeyID, SecretAccessKey: c.info.SecretAccessKey},
		Now:         c.opts.Now, Rand: c.opts.Random, Logger: c.opts.Logger,
		// The default distribution is shown with the address that works everywhere.
		Domain: func(id string) string {
			if id == c.info.Distribution {
				return edgeHost
			}
			return withPort(domainOf(id), edgeHost)
		},
		CheckConfig: tenants.Check, Removed: c.edges.remove,
		Limits: c.opts.Limits.control(), Delay: c.opts.Faults.Slow, DocumentedReuse: c.opts.Faults.Documented, Fault: c.opts.Faults.control(),
	})
	if err != nil {
		return err
	}
	c.control = server
	d, err := server.EnsureDistribution(ctx, defaultDistribution())
	if err != nil {
		return err
	}
	c.info.Distribution = d.ID
	return nil
}

// serve starts the HTTP servers.
func (c *Cloud) serve(l listeners) {
	c.servers.start(l.s3, c.opts.Faults.s3(c.store.Handler(objects.HandlerOptions{
		Credentials: []objects.Credentials{{AccessKeyID: c.info.AccessKeyID, SecretAccessKey: c.info.SecretAccessKey}},
		Region:      Region, Logger: c.opts.Logger,
	})))
	c.servers.start(l.control, c.control.Handler())
	c.servers.startEdge(l.edge, c.edges, c.edges)
	if l.console != nil {
		c.serveConsole(l.console)
	}
}

// Info says how to reach c.
func (c *Cloud) Info() Info { return c.info }

// closeWait bounds how long requests under way may take once Close is called.
const closeWait = 5 * time.Second

// Close stops listening, lets requests under way finish for a moment, and
// closes the data folder. It is safe on a Cloud that did not start.
func (c *Cloud) Close() error {
	var errs []error
	if c.opts.Announce && c.info.Distribution != "" {
		errs = append(errs, withdraw(c.opts.Dir))
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if c.edges != nil {
		c.edges.events.Close() // streams of the console would go on for ever
	}
	errs = append(errs, c.servers.close(ctx))
	c.stop()
	if c.control != nil {
		errs = append(errs, c.control.Close())
	}
	if c.edges != nil {
		c.edges.Close()
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}
