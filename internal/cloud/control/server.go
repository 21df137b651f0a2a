package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// defaultHistory is how many invalidations of a distribution are kept. CloudFront's own retention is not
// published; spec: cloudfront 1.5.
const defaultHistory = 10_000

// defaultCloseWait is how long Close waits for invalidations in progress.
const defaultCloseWait = 10 * time.Second

// Edges is what the control API acts on: all edges of a distribution together. Calls for one distribution come
// one at a time, calls for different distributions may overlap. Both may be repeated with the same arguments,
// after an error or a restart, and must then have the same result. The context ends when the Server gives up.
type Edges interface {
	// Invalidate returns nil once every edge of the distribution has applied the items: paths, paths with a
	// trailing star, and tags after a #, as the API accepted them. The sequence number starts at 1, grows by at
	// least 1 from call to call within a distribution, and stays with the invalidation when the call is repeated.
	Invalidate(ctx context.Context, distribution string, sequence uint64, items []string) error
	// Configure returns nil once every edge of the distribution uses the configuration. It comes before the first
	// Invalidate after each Open, unless it fails: then both are retried on their own.
	Configure(ctx context.Context, distribution string, cfg DistributionConfig) error
}

// Credentials are the one key pair that may sign requests.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
}

// String hides the secret.
func (c Credentials) String() string { return "[redacted]" }

// GoString hides the secret.
func (c Credentials) GoString() string { return "[redacted]" }

// LogValue hides the secret.
func (c Credentials) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Options are what a Server takes besides its file and edges; the zero value works.
type Options struct {
	// Credentials sign every request (Signature Version 4, service cloudfront, any region). The zero value: no
	// signature is asked for or checked.
	Credentials Credentials
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand makes ids and versions; nil is crypto/rand. It need not be safe for concurrent use. With a Log it differs from node to node.
	Rand io.Reader
	// Logger receives what goes wrong inside; nil discards it.
	Logger *slog.Logger
	// Domain gives a distribution's DomainName, a host with an optional port, whenever it is shown; nil makes
	// <id>.cloudfront.localhost.
	Domain func(id string) string
	// CheckConfig may refuse a configuration that the edges cannot carry out; its text reaches the client with
	// the code InvalidArgument. nil refuses nothing.
	CheckConfig func(DistributionConfig) error
	// RefuseTags answers 400 for a batch with a tag on a distribution without CacheTagConfig. Off: accepted, no effect.
	RefuseTags bool
	// DocumentedReuse answers a caller reference that is used again with other items as the guide says, with 409
	// InvalidationBatchAlreadyExists. Off: 400 InvalidArgument, as CloudFront was observed to.
	DocumentedReuse bool
	// Limits are how many invalidations are taken; the zero value is no limit.
	Limits Limits
	// Delay is how long after its acceptance an invalidation reaches Edges, at the least, and so how long it is
	// InProgress; 0 is not at all. Close does not wait for it.
	Delay time.Duration
	// Removed is called after a distribution was deleted and nothing of it is under way at Edges any more. It may be
	// called twice. nil is nobody.
	Removed func(distribution string)
	// Volatile says that nobody opens the file again after this process: then nothing waits for the disk.
	Volatile bool
	// History is how many invalidations of a distribution are kept; 0 is 10,000.
	History int
	// CloseWait bounds how long Close waits for invalidations in progress; 0 is 10 seconds.
	CloseWait time.Duration
	// Log makes this Server one view of many of the same state: every change is an entry of the log before it is
	// in the file and answered, and the entries of other nodes come through Apply. nil: the file alone is the state. A file is of
	// one kind or the other for good.
	Log Log
	// CommitWait bounds how long a change waits for the log; then it is answered 503, and may have been made. 0 is 10 seconds.
	CommitWait time.Duration
	// Sync waits until this Server has applied what the log had when Sync was called, or fails. Before a request is refused because of
	// what is stored, before a list, and before a status Deployed, the Server so makes sure that it has not merely missed something.
	// nil: what is applied is taken for all there is.
	Sync func(ctx context.Context) error
	// Confirm is Sync where it must not be mistaken: it costs an entry of the log, and fails where that cannot be added. A refusal that newer entries might lift
	// is given only after it. A node that was stopped or cut off may take itself for up to date. nil: Sync.
	Confirm func(ctx context.Context) error
	// Completed waits until every edge that may answer from its cache has applied the log through sequence, and returns how far all have come: sequence at least. With
	// it edges follow the log by themselves: the Server asks it before an invalidation is Completed and a configuration
	// Deployed, never calls its Edges, which may be nil, and Close waits for nothing. It is called once Applied is at sequence, from
	// one goroutine for each distribution. nil: Edges are called.
	Completed func(ctx context.Context, sequence uint64) (uint64, error)
	// Changed is called after each entry that was applied, this Server's own included, and perhaps twice; it returns quickly, and makes no change.
	// nil is nobody.
	Changed func()
	// Fault is asked before each known operation, by its name as in "CreateInvalidation", and may return how the
	// operation fails; for tests. nil is no faults.
	Fault func(operation string) *Fault
}

// Fault is a failure that a test asks for.
type Fault struct {
	Status      int    // HTTP status, as in 400; 0 is 503
	Code        string // as in Throttling
	Message     string
	AfterEffect bool // the operation is carried out, and its answer replaced by the error
	Drop        bool // the connection is closed without an answer; Status, Code and Message are not used
}

// Server holds the state behind the control API. It is safe for concurrent use.
type Server struct {
	db    *bbolt.DB
	edges Edges
	opts  Options

	ctx    context.Context // of the workers; ends when Close gives up waiting
	cancel context.CancelFunc
	// closing is closed first by Close: nobody waits for edges any more. drain is closed once the calls under way
	// are over: workers end when nothing is pending.
	closing, drain chan struct{}

	work  sync.WaitGroup
	calls sync.WaitGroup // requests and EnsureDistribution calls under way

	// mu guards what follows; held for map and flag access only.
	mu      sync.Mutex
	closed  bool
	workers map[string]*worker
	own     map[string]bool // distributions that the API does not delete

	pace pace // of invalidations; used in write transactions only, with a log by the committer only

	commits *committer // nil without a log
	view    view
	glances glances

	// randMu guards opts.Rand; held while reading from it.
	randMu sync.Mutex
}

// errClosed is what a closed Server answers.
var errClosed = errors.New("control server is closed")

// Open opens or makes the state in the bbolt file at path and starts to hand to the edges what they may not have:
// every distribution's configuration, then the invalidations that were accepted and not completed. It fails when
// another process holds the file, or the file is of an unknown version. The caller closes the Server.
func Open(path string, edges Edges, opts Options) (*Server, error) {
	db, err := openDB(path, opts.Volatile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		db: db, edges: edges, opts: opts.withDefaults(),
		ctx: ctx, cancel: cancel, closing: make(chan struct{}), drain: make(chan struct{}),
		workers: map[string]*worker{}, own: map[string]bool{}, view: view{changed: make(chan struct{})},
	}
	all, err := s.takeFile()
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("open control state %s: %w", path, err), db.Close())
	}
	if s.opts.Log != nil {
		s.commits = startCommitter(s)
	}
	for _, rec := range all {
		s.worker(rec.ID)
	}
	return s, nil
}

// takeFile reads what the file has when it is opened.
func (s *Server) takeFile() ([]distributionRecord, error) {
	if err := claim(s.db, s.opts.Log != nil); err != nil {
		return nil, err
	}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return s.records()
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Domain == nil {
		o.Domain = func(id string) string { return strings.ToLower(id) + ".cloudfront.localhost" }
	}
	if o.CheckConfig == nil {
		o.CheckConfig = func(DistributionConfig) error { return nil }
	}
	if o.Removed == nil {
		o.Removed = func(string) {}
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.CommitWait <= 0 {
		o.CommitWait = defaultCommitWait
	}
	if o.History <= 0 {
		o.History = defaultHistory
	}
	if o.CloseWait <= 0 {
		o.CloseWait = defaultCloseWait
	}
	if o.Fault == nil {
		o.Fault = func(string) *Fault { return nil }
	}
	return o
}

// Close answers further requests with 503, waits until the requests under way are answered and the invalidations in
// progress applied, for at most Options.CloseWait, and closes the file. What could not be applied is applied after
// the next Open; Close then returns an error that counts it. A second Close does nothing.
func (s *Server) Close() error {
	if !s.shut() {
		return nil
	}
	s.calls.Wait()
	close(s.drain)
	s.finish()
	if s.commits != nil {
		s.commits.close()
	}
	if s.opts.Completed != nil {
		return s.db.Close() // other nodes find out what is completed, and this one after its next start
	}
	return errors.Join(s.leftBehind(), s.db.Close())
}

// finish ends the workers, once they have nothing left to do or have taken too long.
func (s *Server) finish() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.work.Wait()
	}()
	if s.opts.Completed == nil {
		timer := time.NewTimer(s.opts.CloseWait)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	}
	s.cancel()
	<-done
}

// shut marks the server closed and reports whether it was open.
func (s *Server) shut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	close(s.closing)
	return true
}

// begin registers a call that needs the file; false once the server is closed. The caller ends it with
// s.calls.Done.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.calls.Add(1)
	return true
}

// leftBehind is an error if invalidations are still in progress.
func (s *Server) leftBehind() error {
	left := 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(invalidationsBucket).ForEachBucket(func(id []byte) error {
			h, err := historyOf(tx, string(id))
			if err == nil {
				left += h.pendingCount()
			}
			return err
		})
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("close control server: %d invalidations are not applied yet; they will be after the next start", left)
	}
	return err
}

// randomBytes fills b.
func (s *Server) randomBytes(b []byte) error {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	if _, err := io.ReadFull(s.opts.Rand, b); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	return nil
}

// newID makes an opaque id: the letter, then 13 upper-case letters and digits (65 bits).
func (s *Server) newID(letter string) (string, error) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var b [13]byte
	if err := s.randomBytes(b[:]); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return letter + string(b[:]), nil
}
