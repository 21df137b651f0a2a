package viewer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// asked is what a server was asked.
type asked struct{ Host, Path, Name string }

// A server of several is asked as it would be if the site's name led to it.
func TestAt(t *testing.T) {
	rows := []struct {
		name, base string
		tls        bool
		path       site.URLPath
		want       asked
		plain      bool
	}{
		{"http", "http://www.example.com", false, "/a%2Bb|", asked{"www.example.com", "/a%2Bb|", ""}, false},
		{"a port of the site's own", "http://www.example.com:8080", false, "/", asked{"www.example.com:8080", "/", ""}, false},
		{"https", "https://www.example.com", true, "/a", asked{"www.example.com", "/a", "www.example.com"}, false},
		{"TLS ends before the server", "https://www.example.com", false, "/a", asked{"www.example.com", "/a", ""}, true},
		{"only the server has TLS", "http://www.example.com", true, "/a", asked{"www.example.com", "/a", "www.example.com"}, false},
		{"the path is somebody else's", "http://www.example.com/blog/", false, "/a", asked{"www.example.com", "/a", ""}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var got asked
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got = (asked{Host: r.Host, Path: r.RequestURI}); r.TLS != nil {
					got.Name = r.TLS.ServerName
				}
				w.Header().Set("X-Cache", "Hit from cloudfront")
			}))
			if row.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			answer, err := at(t, row.base, server).Ask(t.Context(), row.path)
			if err != nil || answer.Status != 200 || answer.Plain != row.plain || answer.Cache == "" {
				t.Errorf("answer %+v, %v", answer, err)
			}
			if diff := cmp.Diff(got, row.want); diff != "" {
				t.Errorf("asked for (-got +want):\n%s", diff)
			}
		})
	}
}

// at is a client for the server among those of base; it trusts the server's
// authority, whose certificate is for example.com and what is below it.
func at(t *testing.T, base string, server *httptest.Server) *Server {
	t.Helper()
	c, err := New(base, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.At(server.URL, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	transport := s.http.Transport.(*http.Transport)
	if transport.Proxy != nil {
		t.Error("a proxy would be asked")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	if server.Certificate() != nil {
		transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	}
	return s
}

// A certificate for another name, and a dead server, say nothing of what viewers
// get; a connection that is cut may be another matter.
func TestServersThatSayNothing(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	if _, err := at(t, "https://www.example.org", server).Ask(t.Context(), "/"); !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), "not www.example.org") {
		t.Errorf("a certificate for another name: %v, want ErrUnreachable", err)
	}
	dead := httptest.NewServer(http.NotFoundHandler())
	s := at(t, "http://www.example.com", dead)
	dead.Close()
	if _, err := s.Ask(t.Context(), "/"); !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a closed port: %v, want ErrUnreachable", err)
	}
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(cut.Close)
	if _, err := at(t, "http://www.example.com", cut).Ask(t.Context(), "/"); err == nil || errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a connection that is cut: %v, want another error", err)
	}
}

func TestAddressesOfServers(t *testing.T) {
	c, err := New("https://www.example.com", 1)
	if err != nil {
		t.Fatal(err)
	}
	for address, good := range map[string]bool{
		"http://10.0.0.1": true, "https://edge-1.example.org:8443/": true, "http://[2001:db8::1]:80": true, "http://[2001:db8::1]": true,
		"": false, "edge-1": false, "edge-1:80": false, "ftp://edge-1": false, "http://:80": false, "http://edge-1/a": false, "http://edge-1?a": false,
		"http://edge-1#a": false, "http://[::1": false,
	} {
		if _, err := c.At(address, 1); (err == nil) != good {
			t.Errorf("At(%q): %v, want it to be good: %v", address, err, good)
		}
	}
}
