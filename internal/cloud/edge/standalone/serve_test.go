package standalone

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

func TestListeners(t *testing.T) {
	trust, secure := certificate(t, t.TempDir(), 1)
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}, secure}})
	plain, h2 := client(t, nil), client(t, trust)
	h1 := client(t, trust)
	h1.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	h1.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	rows := []struct {
		name        string
		client      *http.Client
		base        string
		proto, want string
	}{
		{"plain", plain, s.Info().Viewers[0], "HTTP/1.1", "Miss from cloudfront"},
		{"TLS", h1, s.Info().Viewers[1], "HTTP/1.1", "Hit from cloudfront"},
		{"HTTP/2", h2, s.Info().Viewers[1], "HTTP/2.0", "Hit from cloudfront"},
	}
	for _, r := range rows {
		a := get(t, r.client, r.base+"/a")
		if a.Status != 200 || a.Body != "page /a" || a.Proto != r.proto || a.Header.Get("X-Cache") != r.want {
			t.Errorf("%s: %+v", r.name, a)
		}
	}
}

func TestRedirectsToHTTPS(t *testing.T) {
	trust, secure := certificate(t, t.TempDir(), 1)
	s := run(t, Options{
		Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}, secure}, Cache: Cache{ViewerProtocol: edge.RedirectToHTTPS},
	})
	c := client(t, nil)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if a := get(t, c, s.Info().Viewers[0]+"/a", "Host", "example.org"); a.Status != 301 || a.Header.Get("Location") != "https://example.org/a" {
		t.Errorf("plain: %+v", a)
	}
	if a := get(t, client(t, trust), s.Info().Viewers[1]+"/a"); a.Status != 200 {
		t.Errorf("TLS: %+v", a)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	_, secure := certificate(t, t.TempDir(), 1)
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{secure}})
	c, err := tls.Dial("tcp", strings.TrimPrefix(s.Info().Viewers[0], "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	if err == nil {
		c.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

// served is the serial number of the certificate that a new connection gets.
func served(t *testing.T, s *Server) int64 {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(s.Info().Viewers[0], "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	_, secure := certificate(t, dir, 1)
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{secure}})
	if got := served(t, s); got != 1 {
		t.Fatalf("serial %d, want 1", got)
	}
	certificate(t, dir, 2)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := served(t, s); got != 2 {
		t.Errorf("after Reload: serial %d, want 2", got)
	}
	if err := os.WriteFile(secure.Key, []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), secure.Key) {
		t.Errorf("Reload of a broken pair: %v", err)
	}
	if got := served(t, s); got != 2 {
		t.Errorf("with a broken pair: serial %d, want 2", got)
	}
	certificate(t, dir, 3)
	eventually(t, "the changed files are seen", func() bool { return served(t, s) == 3 })
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	here := []Listener{{Address: anyPort}}
	var address *ListenError
	rows := []struct {
		name string
		opts Options
		ok   func(error) bool
	}{
		{"an origin that is none", Options{Listeners: here, Origin: Origin{URL: "ftp://a"}}, is(ErrOrigin)},
		{"an origin with a password", Options{Listeners: here, Origin: Origin{URL: "http://me:secret@a"}}, func(err error) bool {
			return errors.Is(err, ErrOrigin) && !strings.Contains(err.Error(), "secret")
		}},
		{"a bucket nowhere", Options{Listeners: here, Origin: Origin{URL: "s3://site"}}, is(ErrRegion)},
		{"a bucket without keys", Options{Listeners: here, Origin: Origin{URL: "s3://site", Region: "eu-west-1"}}, is(ErrCredentials)},
		{"an address that is taken", Options{Listeners: []Listener{{Address: taken.Addr().String()}}}, func(err error) bool { return errors.As(err, &address) }},
		{"a certificate that is not there", Options{Listeners: []Listener{{Address: anyPort, Certificate: "no.pem", Key: "no.key"}}}, is(os.ErrNotExist)},
		{"a log that cannot be", Options{Listeners: here, AccessLog: "no/such/folder/log"}, is(os.ErrNotExist)},
		{"an open control API", Options{Listeners: here, Admin: Listener{Address: "0.0.0.0:0"}}, is(ErrUnguarded)},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.opts.Origin.URL == "" {
				r.opts.Origin.URL = "http://127.0.0.1:1"
			}
			s, err := Start(t.Context(), r.opts)
			if err == nil {
				s.Close()
			}
			if !r.ok(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// A request under way is finished, new connections are not taken, and /readyz said so first.
func TestCloseIsGraceful(t *testing.T) {
	release := make(chan struct{})
	s, err := Start(t.Context(), Options{
		Origin: Origin{URL: origin(t, release)}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: anyPort},
		Delay: 100 * time.Millisecond, Grace: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, nil)
	done := make(chan answer, 1)
	go func() {
		a, _ := try(context.Background(), c, http.MethodGet, s.Info().Viewers[0]+"/slow")
		done <- a
	}()
	eventually(t, "the origin is asked", func() bool { return s.edge.Stats().OriginRequests == 1 })
	idle := dial(t, s.Info().Viewers[0]) // on which nobody asks for anything
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, "/readyz says so", func() bool {
		a, err := try(t.Context(), client(t, nil), http.MethodGet, s.Info().Admin+"/readyz")
		return err == nil && a.Status == http.StatusServiceUnavailable
	})
	eventually(t, "accepting ends", func() bool {
		n, err := net.Dial("tcp", strings.TrimPrefix(s.Info().Viewers[0], "http://"))
		if err == nil {
			n.Close()
		}
		return err != nil
	})
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v, want its end", err)
	}
	close(release)
	if a := <-done; a.Status != 200 || a.Body != "page /slow" {
		t.Errorf("the request under way got %+v", a)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A request that does not end is cut short.
func TestCloseEnds(t *testing.T) {
	s, err := Start(t.Context(), Options{
		Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, Grace: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	c := client(t, nil)
	go func() {
		_, err := try(context.Background(), c, http.MethodGet, s.Info().Viewers[0]+"/slow")
		failed <- err
	}()
	eventually(t, "the origin is asked", func() bool { return s.edge.Stats().OriginRequests == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the endless request was answered")
	}
}
