package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// aKey is a public key, as `freshet control new-key` prints one.
const aKey = "UAQJZPF2RHB6Q2DXYV6XWJ4XK2Z3SCH5QOYUO4WMTEUIW5QM2BZHRGXG"

func TestControl(t *testing.T) {
	rows := []struct {
		name, text string
		want       Control
	}{
		{"nothing", "control:\n", Control{}},
		{"one on this machine", "control: {distribution: \"s3://my-site/\", console: none, domain: \"localhost:8080\"}", Control{
			Distribution: "s3://my-site", Console: Listen{Address: NoConsole}, Domain: "localhost:8080",
		}},
		{"a page on this machine", "control: {console: \"127.0.0.1:8081\"}", Control{Console: Listen{Address: "127.0.0.1:8081"}}},
		{"everything", `
control:
  name: control-1
  state: /var/lib/freshet
  listen: {address: "0.0.0.0:9001", certificate: api.pem, key: api.key}
  console: {address: "0.0.0.0:8081", certificate: page.pem, key: page.key}
  log: {address: "0.0.0.0:4222", certificate: log.pem, key: log.key}
  allow-control: []
  allow-edge: ` + aKey + `
  cluster:
    name: fleet
    listen: 10.0.0.1:4223
    peers: ["10.0.0.2:4223", "10.0.0.3:4223"]
    certificate: node.pem
    key: node.key
    authority: nodes.pem
  domain: cdn.example.org
`, Control{
			Name: "control-1", State: "/var/lib/freshet", Listen: Listen{"0.0.0.0:9001", "api.pem", "api.key"}, Console: Listen{"0.0.0.0:8081", "page.pem", "page.key"},
			Log: Listen{"0.0.0.0:4222", "log.pem", "log.key"}, AllowEdge: []string{aKey}, Domain: "cdn.example.org",
			Cluster: Cluster{"fleet", "10.0.0.1:4223", []string{"10.0.0.2:4223", "10.0.0.3:4223"}, "node.pem", "node.key", "nodes.pem"},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			c, err := Parse("freshet.yaml", []byte(r.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Control.AllowControl) == 0 {
				c.Control.AllowControl = nil
			}
			if diff := cmp.Diff(c.Control, r.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestEdgeControl(t *testing.T) {
	c, err := Parse("freshet.yaml", []byte(`
edge:
  endpoint: https://minio.example:9000
  region: eu-central-1
  control:
    servers: [control-1.example.org:4222, "tls://control-2.example.org:4222/", "localhost:4222"]
    seed: edge-1.seed
    authority: log-ca.pem
    name: edge-1
    address: https://edge-1.example.org/
    lease: 10s
    domain: cdn.example.org
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Edge{Endpoint: "https://minio.example:9000", Region: "eu-central-1", Control: EdgeControl{
		Servers: []string{"tls://control-1.example.org:4222", "tls://control-2.example.org:4222", "nats://localhost:4222"},
		Seed:    "edge-1.seed", Authority: "log-ca.pem", Name: "edge-1", Address: "https://edge-1.example.org", Lease: 10 * time.Second, Domain: "cdn.example.org",
	}}
	if diff := cmp.Diff(c.Edge, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestFleetMistakes(t *testing.T) {
	rows := []struct {
		name, text   string
		line, column int
		msg          string
	}{
		{"key of nobody", "control:\n  allow-edge: zork\n", 2, 15, `"allow-edge" is no public key; ` + "`freshet control new-key FILE`" + ` makes one, which begins with U and has 56 letters and digits`},
		{"secret in the file", "control: {allow-edge: [SUAAA]}", 1, 24, `"allow-edge" is a secret seed; give the public key, which begins with U, and keep the seed in its file`},
		{"log without its key", "control: {log: {address: \":1\", certificate: a}}", 1, 45, `"certificate" needs "key" beside it: the file with its private key`},
		{"page without its key", "control: {console: {address: \":1\", certificate: a}}", 1, 49, `"certificate" needs "key" beside it: the file with its private key`},
		{"no page with a certificate", "control: {console: {address: none}}", 1, 30, `"address" is not an address; write host and port, such as "127.0.0.1:8080" or "[::]:443"`},
		{"page nowhere", "control: {console: off}", 1, 20, `"console" is not an address; write host and port, such as "127.0.0.1:8080" or "[::]:443"`},
		{"cluster of one", "control: {cluster: {name: a, listen: \":1\", peers: [\":2\"]}}", 1, 51, `"peers" names 1 nodes; a cluster has three: name the other two, or all three`},
		{"cluster without peers", "control: {cluster: {name: a, listen: \":1\"}}", 1, 20, `"cluster" needs "peers", such as ["10.0.0.2:4223", "10.0.0.3:4223"]`},
		{"no authority", "control: {cluster: {name: a, listen: \":1\", peers: [\":2\", \":3\"], certificate: a, key: b}}", 1, 78, `"certificate" needs "authority" beside it`},
		{"no name", "control: {name: \"a b\"}", 1, 17, `"name" is no name: "a b"; write up to 64 letters, digits, dots and hyphens, such as "edge-1"`},
		{"no domain", "control: {domain: \"https://a.example\"}", 1, 19, `"domain" is no domain; write one such as "cdn.example.org" or "localhost:8080"`},
		{"no server", "edge: {control: {name: a}}", 1, 17, `"control" needs "servers": where the control nodes' logs are, such as "tls://control-1.example.org:4222"`},
		{"empty servers", "edge: {control: {servers: []}}", 1, 27, `"servers" is empty; name one, such as "tls://control-1.example.org:4222"`},
		{"API for the log", "edge: {control: {servers: \"https://a.example:9001\"}}", 1, 27, `"servers" begins with https://, which is how the control API is reached; name the log, such as "tls://a.example:4222"`},
		{"log without a port", "edge: {control: {servers: a.example}}", 1, 27, `"servers" is not where a log is; write one such as "tls://control-1.example.org:4222"`},
		{"long lease", "edge: {control: {servers: \"a:1\", lease: 1h}}", 1, 41, `"lease" is out of range: 1h0m0s; it must be from 200ms to 5m0s, and 5s is usual`},
		{"lease without a unit", "edge: {control: {servers: \"a:1\", lease: 5}}", 1, 41, `"lease" needs a unit; write "5s" for seconds`},
		{"origin in a fleet", "edge:\n  origin: http://a\n  control: {servers: \"a:1\"}\n", 2, 11, `"origin" is for an edge on its own; one with "control" has its distributions from the control nodes`},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			refuses(t, r.text, r.line, r.column, r.msg)
		})
	}
}

// FuzzServer holds what CheckServer takes to what it promises: a URL that it takes again.
func FuzzServer(f *testing.F) {
	for _, s := range []string{"a:1", "tls://a:4222/", "nats://[::1]:4222", "http://a:1", "a", "tls://a", "tls://u:p@a:1", "[fe80::1%25a]:1", ":4222"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		url, err := CheckServer(s)
		if err != nil {
			return
		}
		if again, err := CheckServer(url); err != nil || again != url {
			t.Errorf("%q is %q, which is %q, %v", s, url, again, err)
		}
		if scheme, host, ok := strings.Cut(url, "://"); !ok || scheme != "tls" && scheme != "nats" || strings.ContainsAny(host, "/@ ") {
			t.Errorf("%q is %q", s, url)
		}
	})
}
