package listen

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// checkEvery is how often a handshake looks whether the files have changed, at most.
const checkEvery = time.Second

// pair is a certificate with its key, from two files.
type pair struct {
	certificate, key string
	now              func() time.Time
	logger           *slog.Logger

	mu      sync.Mutex // guards what follows; held while the files are looked at
	current *tls.Certificate
	seen    [2]stamp
	checked time.Time
}

// stamp tells one state of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

func openPair(certificate, key string, now func() time.Time, logger *slog.Logger) (*pair, error) {
	p := &pair{certificate: certificate, key: key, now: now, logger: logger}
	return p, p.load()
}

// load reads the files. On an error the pair before stays.
func (p *pair) load() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read()
}

func (p *pair) read() error {
	p.checked = p.now()
	p.seen = p.stamps() // before reading: what changes meanwhile is read at the next look
	loaded, err := tls.LoadX509KeyPair(p.certificate, p.key)
	if err != nil {
		return fmt.Errorf("read certificate %s with key %s: %w", p.certificate, p.key, err)
	}
	p.current = &loaded
	return nil
}

// stamps are the files' states; that of a file that is not there is zero. Symbolic links are followed, as container platforms swap those.
func (p *pair) stamps() (out [2]stamp) {
	for i, name := range []string{p.certificate, p.key} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// get is a handshake's certificate. Changed files are read before; while they cannot be, as between the replacement of one and the other,
// the pair before is used.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.checked) >= checkEvery {
		p.checked = now
		if p.stamps() != p.seen {
			if err := p.read(); err != nil {
				p.logger.Warn("certificate not reloaded, the one before stays", "error", err)
			}
		}
	}
	return p.current, nil
}

// expires is when the certificate in use ends.
func (p *pair) expires() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.Leaf == nil {
		return time.Time{}
	}
	return p.current.Leaf.NotAfter
}

// isFor says whether the certificate in use is for a host. RFC 9525, 6: its subject alternative names count, nothing else does.
func (p *pair) isFor(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current != nil && p.current.Leaf != nil && p.current.Leaf.VerifyHostname(host) == nil
}
