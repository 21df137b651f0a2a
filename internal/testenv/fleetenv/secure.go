//go:build unix

package fleetenv

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// secrets are what a fleet with Options.Secure runs on: an authority of its own, one certificate for API, log and links, a key for each edge,
// and the keys that sign requests to the API.
type secrets struct {
	dir       string // holds ca.pem, node.pem, node.key, and EDGE.seed
	authority *x509.CertPool
	signer    signer
	public    map[string]string // of each edge, by name
}

// newSecrets makes the certificates for a host's address and for this machine's.
func newSecrets(dir, host string) (*secrets, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &secrets{dir: dir, authority: x509.NewCertPool(), public: map[string]string{}, signer: signer{"AKIDFLEETPROOF", "the proof's own secret"}}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleet authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(host)},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	own, errOwn := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	leaf, errLeaf := x509.CreateCertificate(rand.Reader, node, ca, &key.PublicKey, caKey)
	private, errKey := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(errOwn, errLeaf, errKey); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	s.authority.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own}))
	return s, errors.Join(s.write("ca.pem", "CERTIFICATE", own), s.write("node.pem", "CERTIFICATE", leaf), s.write("node.key", "PRIVATE KEY", private))
}

func (s *secrets) file(name string) string { return filepath.Join(s.dir, name) }

func (s *secrets) write(name, kind string, der []byte) error {
	return os.WriteFile(s.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// key makes an edge's key by the program's own command.
func (s *secrets) key(program, edge string) error {
	var out, said bytes.Buffer
	cmd := exec.Command(program, "control", "new-key", "--quiet", s.file(edge+".seed"))
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make a key for %s: %w: %s", edge, err, said.String())
	}
	s.public[edge] = strings.TrimSpace(out.String())
	return nil
}

// controlArgs are what a control node needs to be secure; edges that may connect come with --allow-edge.
func (s *secrets) controlArgs(cluster bool) []string {
	node, key := s.file("node.pem"), s.file("node.key")
	args := []string{"--certificate", node, "--key", key, "--log-certificate", node, "--log-key", key}
	if cluster {
		args = append(args, "--cluster-certificate", node, "--cluster-key", key, "--cluster-authority", s.file("ca.pem"))
	}
	return args
}

// transport trusts the fleet's authority; s may be nil.
func (s *secrets) transport() *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 100}
	if s != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: s.authority, MinVersion: tls.VersionTLS12}
	}
	return t
}

// scheme is of the control nodes' API, and of their log.
func (s *secrets) scheme() (api, log string) {
	if s == nil {
		return "http://", "nats://"
	}
	return "https://", "tls://"
}

// Refuse takes an edge's key from every control node, which restart for it one after the other, in order. The edge goes on running.
func (f *Fleet) Refuse(ctx context.Context, e *Edge) error {
	if f.secrets == nil {
		return errors.New("refuse an edge: the fleet has no keys")
	}
	delete(f.secrets.public, e.Name)
	for i, c := range f.Controls {
		if err := c.Terminate(); err != nil {
			return err
		}
		f.allow(i)
		if err := c.Start(); err != nil {
			return err
		}
		if err := c.Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// allow names the edges that may connect to a control node, from its next start on.
func (f *Fleet) allow(i int) {
	c := f.Controls[i]
	c.args = c.args[:c.fixed:c.fixed]
	for _, e := range f.Edges {
		if key := f.secrets.public[e.Name]; key != "" {
			c.args = append(c.args, "--allow-edge", key)
		}
	}
}
