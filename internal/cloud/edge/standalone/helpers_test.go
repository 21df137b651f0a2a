package standalone

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const anyPort = "127.0.0.1:0"

// origin serves "page PATH", cacheable for an hour; /slow waits for release or the request's end.
func origin(t *testing.T, release <-chan struct{}) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/slow" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Etag", `"1"`)
		fmt.Fprintf(w, "page %s%s", r.URL.Path, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// run starts an edge that ends with the test.
func run(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return s
}

// client keeps no connections beyond the test.
func client(t *testing.T, trust *x509.Certificate) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	if trust != nil {
		pool := x509.NewCertPool()
		pool.AddCert(trust)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "localhost"}
		transport.ForceAttemptHTTP2 = true
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// answer is a response read whole.
type answer struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
}

func get(t *testing.T, c *http.Client, url string, headers ...string) answer {
	t.Helper()
	return send(t, c, http.MethodGet, url, headers...)
}

func send(t *testing.T, c *http.Client, method, url string, headers ...string) answer {
	t.Helper()
	a, err := try(t.Context(), c, method, url, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(ctx context.Context, c *http.Client, method, url string, headers ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Proto, resp.Header, string(body)}, err
}

// certificate writes a pair of files for localhost with the serial number.
func certificate(t *testing.T, dir string, serial int64) (*x509.Certificate, Listener) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	l := Listener{Address: anyPort, Certificate: filepath.Join(dir, "site.pem"), Key: filepath.Join(dir, "site.key")}
	for name, block := range map[string]*pem.Block{l.Certificate: {Type: "CERTIFICATE", Bytes: der}, l.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, l
}

// eventually waits until ok, or fails.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

// dial opens a raw connection to a base URL's address.
func dial(t *testing.T, base string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
