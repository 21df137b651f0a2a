package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// NewKey makes a key for one client: the seed is its secret (the content of the file that Options.Seed names), the public
// key is what the nodes list.
func NewKey() (seed, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	secret, err := pair.Seed()
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	public, err = pair.PublicKey()
	return string(secret), public, err
}

// authorize sets who may connect, and what each may do. It returns the key by which this very process connects, made for
// this one life; nil where no keys are asked for.
func authorize(opts *server.Options, cfg Config) (nkeys.KeyPair, error) {
	if len(cfg.Controls)+len(cfg.Edges) == 0 {
		return nil, nil
	}
	own, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	public, err := own.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	opts.Nkeys = []*server.NkeyUser{{Nkey: public}}
	seen := map[string]bool{}
	add := func(key string, may *server.Permissions) error {
		if !nkeys.IsValidPublicUserKey(key) {
			return fmt.Errorf("%q is no public NKey of a user (they begin with U)", key)
		}
		if seen[key] {
			return fmt.Errorf("the key %s is listed twice", key)
		}
		seen[key] = true
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: key, Permissions: may})
		return nil
	}
	var errs []error
	for _, key := range cfg.Controls {
		errs = append(errs, add(key, nil))
	}
	for _, key := range cfg.Edges {
		errs = append(errs, add(key, edgeMay(key)))
	}
	return own, errors.Join(errs...)
}

// edgeMay is what the server lets an edge's key do. Answers come to a subject of its own, so that no edge reads another's.
//
// The server does not test where an answer is to go: an edge can have one sent to a subject that it may not publish to
// itself. That is why no edge publishes to the log. An answer that ends up there is known for what it is: see fromControl.
func edgeMay(key string) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			joinSubject + key,
			leaseSubject + key + ".*",
			appliedSubject + key + ".*",
			apiDirectGet + logStream,
			apiInfo + logStream,
			apiGet + leaseStream,
			apiDirectGet + snapshotStream,
			apiGet + snapshotStream,
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{
			tailSubject + logSubject + ">",
			inbox(key) + ".>",
		}},
	}
}

// inbox is the prefix of the subjects at which a key gets its answers.
func inbox(key string) string { return "_INBOX_" + key }

// serverTLS is what a listener for clients needs.
func serverTLS(files TLSFiles) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil
}

// mutualTLS is what two nodes need for each other.
func mutualTLS(files TLSFiles) (*tls.Config, error) {
	if files.CA == "" {
		return nil, errors.New("load the certificate: the authority of the other nodes' certificates is needed too (Cluster.TLS.CA)")
	}
	cfg, err := serverTLS(files)
	if err != nil {
		return nil, err
	}
	pool, err := authorities(files.CA)
	if err != nil {
		return nil, err
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	cfg.ClientCAs, cfg.RootCAs = pool, pool
	return cfg, nil
}

// authorities reads certificates in PEM format.
func authorities(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load the authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("load the authorities: no certificate in %s", file)
	}
	return pool, nil
}
