package controlnode

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// farName is a name that the tests' certificate is for.
const farName = "control-1.example.org"

// rig is a control node with a page and one distribution, and somebody who looks at the page.
type rig struct {
	t      *testing.T
	node   *Server
	id     string // of the distribution
	base   *url.URL
	client *http.Client
	log    *lockedBuffer
	clock  *clock
	cookie string // that the browser has, as name=value
}

// clock is one that tests turn.
type clock struct {
	mu    sync.Mutex // guards ahead; held for access to it only
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu   sync.Mutex // guards text; held for access to it only
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// onLoopback has a page for everybody on this machine.
func onLoopback(keys control.Credentials) Options {
	return Options{Page: "127.0.0.1:0", Credentials: keys}
}

// beyond has a page that others reach.
func beyond(t *testing.T) Options {
	certificate, key := certificate(t)
	return Options{Page: "0.0.0.0:0", PageCertificate: certificate, PageKey: key, Credentials: testKeys}
}

func start(t *testing.T, opts Options) *rig {
	t.Helper()
	r := &rig{t: t, log: &lockedBuffer{}, clock: &clock{}}
	opts.Name, opts.Version, opts.Dir, opts.API = "control-1", "v0-test", t.TempDir(), listen.Listener{Address: "127.0.0.1:0"}
	opts.Now, opts.Logger = r.clock.now, slog.New(slog.NewTextHandler(r.log, nil))
	opts.Grace = time.Second
	var err error
	if r.node, err = Start(t.Context(), memory.New().Connect(1), opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.node.Close(); err != nil {
			t.Error(err)
		}
	})
	r.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // the certificate is not what is tested
		Timeout:   20 * time.Second,
	}
	d, err := r.node.EnsureDistribution(t.Context(), testDistribution())
	if err != nil {
		t.Fatal(err)
	}
	r.id = d.ID
	if r.base, err = url.Parse(r.node.Info().Page); err != nil {
		t.Fatal(err)
	}
	return r
}

func testDistribution() control.DistributionConfig {
	return control.DistributionConfig{
		CallerReference: "test", Enabled: true, Comment: "a-secret-comment", Aliases: []string{"www.example.org"},
		Origins: []control.Origin{{ID: "o", DomainName: "origin.example.org", CustomOrigin: &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: "http-only"}}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
		},
	}
}

// send asks the page as a browser that is on it does, with headers given as name, value, name, value.
func (r *rig) send(method, path, body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base.Scheme+"://127.0.0.1:"+r.base.Port()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", r.base.Scheme+"://"+req.Host)
	}
	if r.cookie != "" {
		req.Header.Set("Cookie", r.cookie)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

// want sends and compares the status, and returns the body.
func (r *rig) want(status int, method, path, body string, header ...string) string {
	r.t.Helper()
	resp, text := r.send(method, path, body, header...)
	if resp.StatusCode != status {
		r.t.Errorf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, text)
	}
	return text
}

const rightKeys = `{"access_key_id":"AKIDTEST","secret_access_key":"test/secret"}`

// signIn signs in, and keeps the cookie.
func (r *rig) signIn() *http.Cookie {
	r.t.Helper()
	resp, text := r.send("POST", "/api/sign-in", rightKeys)
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusOK || len(cookies) != 1 {
		r.t.Fatalf("sign in: %d, %d cookies: %s", resp.StatusCode, len(cookies), text)
	}
	r.cookie = cookies[0].Name + "=" + cookies[0].Value
	return cookies[0]
}

// read asks for JSON.
func read200[T any](r *rig, path string) (v T) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.want(http.StatusOK, "GET", path, "")), &v); err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
	return v
}

// certificate makes one for farName, and its key.
func certificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{farName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(t.TempDir(), "page.pem"), filepath.Join(t.TempDir(), "page.key")
	err = errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
