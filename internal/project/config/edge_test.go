package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEdge(t *testing.T) {
	rows := []struct {
		name, text string
		want       Edge
	}{
		{"nothing", "edge:\n", Edge{}},
		{"one plain listener", "edge: {listen: \":80\", origin: \"http://127.0.0.1:8000/\"}", Edge{
			Listen: []Listen{{Address: ":80"}}, Origin: "http://127.0.0.1:8000",
		}},
		{"everything", `
edge:
  listen:
    - 127.0.0.1:8080
    - {address: "[::]:443", certificate: tls/site.pem, key: tls/site.key}
  origin: s3://my-site/blog/
  endpoint: https://minio.example:9000
  region: eu-central-1
  rules: rfc9111
  memory: 2GiB
  disk: cache
  disk-size: 20GiB
  root-object: index.html
  folders: always
  tag-header: x-amz-meta-cache-tag
  viewer-protocol: redirect-to-https
  admin: {address: "0.0.0.0:9902", certificate: a.pem, key: a.key}
  state: /var/lib/freshet
  access-log: stdout
  origin-timeout: 5s
  header-timeout: 10s
  idle-timeout: 1m
  shutdown-delay: 0
  shutdown-grace: 30s
`, Edge{
			Listen: []Listen{{Address: "127.0.0.1:8080"}, {Address: "[::]:443", Certificate: "tls/site.pem", Key: "tls/site.key"}},
			Origin: "s3://my-site/blog", Endpoint: "https://minio.example:9000", Region: "eu-central-1",
			Rules: "rfc9111", Memory: 2 << 30, Disk: "cache", DiskSize: 20 << 30, RootObject: "index.html", Folders: true, TagHeader: "x-amz-meta-cache-tag",
			ViewerProtocol: "redirect-to-https",
			Admin:          Listen{Address: "0.0.0.0:9902", Certificate: "a.pem", Key: "a.key"},
			State:          "/var/lib/freshet", AccessLog: "stdout",
			OriginTimeout: 5 * time.Second, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ShutdownGrace: 30 * time.Second,
		}},
		{"a bare number of bytes", "edge: {memory: 1000000}", Edge{Memory: 1000000}},
		{"a bucket without a prefix", "edge: {origin: \"s3://my-site\"}", Edge{Origin: "s3://my-site"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			c, err := Parse("freshet.yaml", []byte(r.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Edge, r.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestEdgeMistakes(t *testing.T) {
	rows := []struct {
		name, text   string
		line, column int
		msg          string
	}{
		{"no port", "edge:\n  listen: 127.0.0.1\n", 2, 11, `"listen" is not an address; write host and port, such as "127.0.0.1:8080" or "[::]:443"`},
		{"port out of range", "edge:\n  admin: 127.0.0.1:99999\n", 2, 10, `"admin" has the port "99999"; ports are numbers from 0 to 65535`},
		{"no listener", "edge: {listen: []}", 1, 16, `"listen" is empty; give an address, such as "127.0.0.1:8080"`},
		{"no address", "edge:\n  listen:\n    - certificate: a\n      key: b\n", 3, 7, `an entry of listen needs "address", such as "0.0.0.0:443"`},
		{"no key", "edge:\n  listen:\n    - address: \":443\"\n      certificate: a\n", 4, 20, `"certificate" needs "key" beside it: the file with its private key`},
		{"no certificate", "edge:\n  admin: {address: \":1\", key: b}\n", 2, 31, `"key" needs "certificate" beside it`},
		{"origin without a scheme", "edge: {origin: example.com}", 1, 16, `"origin" is no URL; write one such as "http://127.0.0.1:8000" or "s3://my-site"`},
		{"origin with a password", "edge: {origin: \"http://me:pw@example.com\"}", 1, 16, `"origin" holds a user or password; credentials never go into this file`},
		{"origin of another kind", "edge: {origin: \"ftp://example.com\"}", 1, 16, `"origin" must start with "https://" or "http://"`},
		{"region for a server", "edge:\n  origin: http://a\n  region: eu-west-1\n", 3, 11, `"region" goes with an origin such as "s3://my-site"`},
		{"size without a number", "edge: {memory: much}", 1, 16, `"memory" is not a size: "much"; write a number and a unit, such as "512MiB" or "2GB"`},
		{"size of nothing", "edge: {memory: 0}", 1, 16, `"memory" is out of range: 0; it must be from 1 byte to 1024 GiB`},
		{"size beyond everything", "edge: {memory: 9999999999GB}", 1, 16, `"memory" is out of range: 9999999999GB; it must be from 1 byte to 1024 GiB`},
		{"no time at all", "edge: {idle-timeout: \"0\"}", 1, 22, `"idle-timeout" must be longer than 0; write one such as "30s"`},
		{"no unit", "edge: {idle-timeout: 5}", 1, 22, `"idle-timeout" needs a unit; write "5s" for seconds`},
		{"rules", "edge: {rules: rfc9112}", 1, 15, `"rules" must be one of cloudfront, rfc9111, found "rfc9112" (did you mean "rfc9111"?)`},
		{"root object", "edge: {root-object: /index.html}", 1, 21, `"root-object" starts with a slash; write "index.html"`},
		{"tag header", "edge: {tag-header: a b}", 1, 20, `"tag-header" is no header's name; write one such as "x-amz-meta-cache-tag"`},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			refuses(t, r.text, r.line, r.column, r.msg)
		})
	}
}

// refuses wants one mistake in a config, at a place.
func refuses(t *testing.T, text string, line, column int, msg string) {
	t.Helper()
	_, err := Parse("freshet.yaml", []byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	got := mistakes(err)
	if len(got) != 1 || got[0].Line != line || got[0].Column != column || got[0].Msg != msg {
		t.Errorf("want %d:%d %s, got:\n%v", line, column, msg, err)
	}
}

// FuzzSize holds what ParseSize takes to what it promises.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"1", "512MiB", "2 GB", "1024GiB", "0", "1.5GB", "9999999999999GiB", "-1", "1KiB "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSize(s); err == nil && (n < 1 || n > maxMemory) {
			t.Errorf("%q is %d", s, n)
		}
	})
}
