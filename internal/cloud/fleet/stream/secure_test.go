package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// certify makes an authority, and a certificate of it for this machine.
func certify(t *testing.T) TLSFiles {
	t.Helper()
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	end := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	caKey, endKey := newECDSA(t), newECDSA(t)
	sign(t, files.CA, ca, ca, &caKey.PublicKey, caKey)
	sign(t, files.Cert, end, ca, &endKey.PublicKey, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(endKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, files.Key, "PRIVATE KEY", der)
	return files
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, file string, cert, by *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, by, public, key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, file, "CERTIFICATE", der)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// key makes a client's key and the file with its seed.
func key(t *testing.T) (file, public string) {
	t.Helper()
	seed, public, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "client.nk")
	if err := os.WriteFile(file, []byte(seed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, public
}

func TestNothingListensBeyondLoopbackUnprotected(t *testing.T) {
	_, public := key(t)
	files := certify(t)
	three := func(listen string, routes ...string) *Cluster {
		return &Cluster{Name: "c", Listen: listen, Routes: routes}
	}
	for name, row := range map[string]struct {
		cfg  Config
		want string
	}{
		"clients without TLS":      {Config{Listen: "0.0.0.0:0", Controls: []string{public}}, "certificate"},
		"clients without keys":     {Config{Listen: "192.0.2.1:0", TLS: files}, "NKeys"},
		"every address by default": {Config{Listen: ":0"}, "certificate"},
		"a name":                   {Config{Listen: "edge.example:4222"}, "certificate"},
		"a private key as public":  {Config{Listen: "127.0.0.1:0", Edges: []string{"SUAXYZ"}}, "public NKey"},
		"a key listed twice":       {Config{Controls: []string{public}, Edges: []string{public}}, "twice"},
		"nodes without TLS":        {Config{Name: "a", Cluster: three("0.0.0.0:6222", "127.0.0.1:1", "127.0.0.1:2")}, "authority"},
		"a route without TLS":      {Config{Name: "a", Cluster: three("127.0.0.1:6222", "192.0.2.1:1", "127.0.0.1:2")}, "authority"},
		"two nodes":                {Config{Name: "a", Cluster: three("127.0.0.1:6222", "127.0.0.1:1")}, "3 nodes"},
		"no name":                  {Config{Cluster: three("127.0.0.1:6222", "127.0.0.1:1", "127.0.0.1:2")}, "name"},
		"no certificate there":     {Config{Listen: "127.0.0.1:0", TLS: TLSFiles{Cert: "none.pem", Key: "none.pem"}}, "certificate"},
		"no port":                  {Config{Listen: "127.0.0.1"}, "port"},
	} {
		t.Run(name, func(t *testing.T) {
			row.cfg.Dir = t.TempDir()
			n, err := Start(row.cfg)
			if err == nil {
				n.Shutdown()
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("start: %v, want an error with %q", err, row.want)
			}
		})
	}
	for _, server := range []string{"nats://192.0.2.1:4222", "192.0.2.1:4222", ""} {
		if _, err := Connect(within(t, time.Second), Options{Servers: []string{server}}); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("connect to %q: %v", server, err)
		}
	}
}

// guarded is a node with TLS and keys, and what its clients need.
type guarded struct {
	node            *Node
	control, edge   Options
	edgeKey         string
	stranger, plain Options
}

func startGuarded(t *testing.T) guarded {
	t.Helper()
	files := certify(t)
	controlSeed, control := key(t)
	edgeSeed, edge := key(t)
	strangerSeed, _ := key(t)
	n := alone(t, Config{Listen: "127.0.0.1:0", TLS: files, Controls: []string{control}, Edges: []string{edge}})
	at := []string{"tls://" + n.Address()}
	return guarded{
		node: n, edgeKey: edge,
		control:  Options{Servers: at, CA: files.CA, Seed: controlSeed},
		edge:     Options{Servers: at, CA: files.CA, Seed: edgeSeed, Edge: true},
		stranger: Options{Servers: at, CA: files.CA, Seed: strangerSeed},
		plain:    Options{Servers: []string{"nats://" + n.Address()}, Seed: controlSeed},
	}
}

func TestStrangersAreRefused(t *testing.T) {
	g := startGuarded(t)
	connect(t, Options{Node: g.node})
	connect(t, g.control)
	noKey, otherAuthority := g.control, g.control
	noKey.Seed, otherAuthority.CA = "", certify(t).CA
	for name, opts := range map[string]Options{"stranger": g.stranger, "no key": noKey, "server of another authority": otherAuthority, "no TLS": g.plain} {
		e, err := Connect(within(t, 3*time.Second), opts)
		if err == nil {
			e.Close()
			t.Errorf("%s: connected", name)
		}
		if errors.Is(err, context.DeadlineExceeded) && name != "no TLS" {
			t.Errorf("%s: tried again and again: %v", name, err)
		}
	}
}

func TestEdgeDoesWhatAnEdgeNeeds(t *testing.T) {
	g := startGuarded(t)
	c := connect(t, Options{Node: g.node})
	mustAppend(t, c, 0, "invalidate")
	ctx := within(t, time.Minute)
	if err := c.Put(ctx, 1, strings.NewReader("state")); err != nil {
		t.Fatal(err)
	}
	e := connect(t, g.edge)
	got := followed(t, e, 1)
	at, err := e.Add(ctx, "join", []byte("join"))
	if err != nil || at != 2 {
		t.Fatalf("join: %d, %v", at, err)
	}
	wantEntries(t, got, 1, 2)
	for n, fromEdge := range []bool{false, true} {
		if entry, err := e.Read(ctx, uint64(n+1)); err != nil || entry.FromEdge != fromEdge {
			t.Errorf("entry %d: from an edge: %v, %v", n+1, entry.FromEdge, err)
		}
	}
	_, state, err := e.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(state); err != nil || string(data) != "state" {
		t.Errorf("snapshot %q, %v", data, err)
	}
	m := e.Member([]byte("random"))
	revision, err := e.Write(ctx, fleet.Lease{Member: m}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := e.Lease(ctx, m); err != nil || l.Revision != revision {
		t.Errorf("own lease: %+v, %v", l, err)
	}
	if err := e.Report(m, 2); err != nil {
		t.Error(err)
	}
	if _, err := c.Write(ctx, fleet.Lease{Member: m, Ended: true}, revision); err != nil {
		t.Errorf("end an edge's lease: %v", err)
	}
	if _, err := e.Write(ctx, fleet.Lease{Member: m}, revision); !errors.Is(err, fleet.ErrTaken) {
		t.Errorf("renew a lease that was ended: %v", err)
	}
}

// TestEdgeMayNoMore takes an edge's key and does with it what an edge's program would not.
func TestEdgeMayNoMore(t *testing.T) {
	t.Parallel() // most of its time it waits for answers that do not come
	g := startGuarded(t)
	c := connect(t, Options{Node: g.node})
	mustAppend(t, c, 0, "first")
	e := connect(t, g.edge)
	for _, subject := range []string{
		entrySubject, joinSubject + "another", leaseSubject + "another.m", appliedSubject + "another.m",
		snapshotHead, tailSubject + entrySubject, apiPurge + logStream, "$JS.API.STREAM.DELETE." + logStream,
		"$JS.API.STREAM.UPDATE." + logStream, "$JS.API.CONSUMER.CREATE." + logStream, "$JS.API.STREAM.MSG.DELETE." + logStream,
		"$SYS.REQ.SERVER.PING", "_INBOX.x",
	} {
		if _, err := e.request(within(t, 200*time.Millisecond), message(subject, []byte("{}"))); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	e.opts.Edge = false
	if at, err := e.Append(within(t, time.Minute), 1, "forged", []byte("invalidate")); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("an edge's invalidation: %d, %v", at, err)
	}
	wantBounds(t, c, 1, 1)
}

// TestEdgeCannotForgeByAnswers has answers sent to the log: the server lets an edge name any subject for them.
func TestEdgeCannotForgeByAnswers(t *testing.T) {
	g := startGuarded(t)
	c := connect(t, Options{Node: g.node})
	ctx := within(t, time.Minute)
	mustAppend(t, c, 0, "invalidate")
	e := connect(t, g.edge)
	if at, err := e.Add(ctx, "join", []byte("join, or rather invalidate")); err != nil || at != 2 {
		t.Fatalf("join: %d, %v", at, err)
	}
	for _, ask := range []struct{ subject, body string }{
		{apiDirectGet + logStream, `{"seq":1}`}, {apiDirectGet + logStream, `{"seq":2}`},
		{apiDirectGet + logStream, `{"seq":1,"batch":2}`}, {apiDirectGet + logStream, `{"seq":99}`},
		{apiInfo + logStream, `{}`}, {joinSubject + g.edgeKey, "another join"}, {leaseSubject + g.edgeKey + ".m", `{}`},
	} {
		if err := e.nc.PublishRequest(ask.subject, entrySubject, []byte(ask.body)); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := e.Add(ctx, "last", nil); err != nil || at < 3 {
		t.Fatalf("add: %d, %v", at, err)
	}
	_, last, err := c.Bounds(ctx)
	if err != nil || last < 4 {
		t.Fatalf("the log ends at %d (%v); some answers were to come through", last, err)
	}
	for at := uint64(2); at <= last; at++ {
		entry, err := c.Read(ctx, at)
		if err != nil || !entry.FromEdge {
			t.Errorf("entry %d %q is not known as an edge's: %v", at, entry.Data, err)
		}
	}
}
