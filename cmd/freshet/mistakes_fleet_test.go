package main

import (
	"path/filepath"
	"testing"

	"github.com/freshet/freshet/internal/presence"
)

// withKeys is a command of a control node that has keys for its API.
func withKeys(command string) func(*testing.T, string) []string {
	return func(t *testing.T, dir string) []string {
		t.Setenv("FRESHET_CONTROL_ACCESS_KEY_ID", "A")
		t.Setenv("FRESHET_CONTROL_SECRET_ACCESS_KEY", "secret")
		return in(command)(t, dir)
	}
}

var inAFleet = []mistake{
	{"control that anybody may use", in("control --listen 0.0.0.0:0 --console none --log 127.0.0.1:0"), exitUsage, []string{"without credentials"}, "freshet control -C"},
	{"control in the clear", withKeys("control --listen 0.0.0.0:0 --console none --log 127.0.0.1:0"), exitUsage, []string{"without a certificate"}, "freshet control -C"},
	{"half a key pair", func(t *testing.T, dir string) []string {
		t.Setenv("FRESHET_CONTROL_ACCESS_KEY_ID", "A")
		return in("control --log 127.0.0.1:0")(t, dir)
	}, exitUsage, []string{"only one is set"}, "freshet control --help"},
	{"page of a fleet for everybody", in("control --listen 127.0.0.1:0 --console 0.0.0.0:0 --log 127.0.0.1:0"), exitUsage, []string{"the page of the fleet listens beyond loopback without credentials"}, "freshet control -C"},
	{"page of a fleet in the clear", withKeys("control --listen 127.0.0.1:0 --console 0.0.0.0:0 --log 127.0.0.1:0"), exitUsage,
		[]string{"the page of the fleet listens beyond loopback without a certificate"}, "freshet control -C"},
	{"page's certificate without its key", in("control --console-certificate a"), exitUsage, []string{"--console-certificate and --console-key go together"}, "freshet control --help"},
	{"log in the clear", in("control --log 0.0.0.0:4222"), exitUsage, []string{"the log listens beyond loopback, on 0.0.0.0:4222, without a certificate"}, "freshet control -C"},
	{"log for anybody", in("control --log 0.0.0.0:4222 --log-certificate a --log-key b"), exitUsage, []string{"anybody might connect"}, "freshet control -C"},
	{"certificate without its key", in("control --certificate a"), exitUsage, []string{"--certificate and --key go together"}, "freshet control --help"},
	{"secret in place of the public key", in("control --allow-edge SUAAAAAA"), exitUsage, []string{"--allow-edge is a secret seed"}, "freshet control -C"},
	{"no public key", in("control --allow-control zork"), exitUsage, []string{"--allow-control is no public key"}, "freshet control -C"},
	{"peers without a cluster", in("control --peer 127.0.0.1:1"), exitUsage, []string{"go with --cluster"}, "freshet control -C"},
	{"cluster of two", in("control --cluster fleet --cluster-listen 127.0.0.1:0 --peer 127.0.0.1:1"), exitUsage, []string{"a cluster has three nodes, and --peer names 1"}, "freshet control -C"},
	{"cluster that cannot be reached", in("control --cluster fleet --peer 127.0.0.1:1 --peer 127.0.0.1:2"), exitUsage, []string{"--cluster needs --cluster-listen"}, "freshet control -C"},
	{"cluster in the clear", in("control --cluster fleet --cluster-listen 127.0.0.1:0 --peer 10.0.0.2:4223 --peer 10.0.0.3:4223"), exitUsage,
		[]string{"beyond loopback without certificates"}, "freshet control -C"},
	{"some of the cluster's files", in("control --cluster fleet --cluster-listen 127.0.0.1:0 --peer 127.0.0.1:1 --peer 127.0.0.1:2 --cluster-key a"), exitUsage,
		[]string{"go together"}, "freshet control --help"},
	{"no name of a node", in("control --name a/b"), exitUsage, []string{"--name is no name"}, "freshet control --help"},
	{"no domain", in("control --domain https://example.org"), exitUsage, []string{"--domain is no domain"}, "freshet control --help"},
	{"no origin of a distribution", in("control --distribution zork"), exitUsage, []string{"--distribution is no URL"}, "freshet control --help"},
	{"key over a key", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "a.seed"), "x")
		return []string{"control", "new-key", filepath.Join(dir, "a.seed")}
	}, exitRefused, []string{"a.seed: file exists"}, "freshet control new-key"},
	{"key in no folder", typed("control", "new-key", "/nowhere/at/all.seed"), exitUsage, []string{"/nowhere/at/all.seed"}, "freshet control new-key"},
	{"key without a file", typed("control", "new-key"), exitUsage, nil, "freshet control new-key --help"},
	{"fleet's edge with an origin", in("edge --control 127.0.0.1:1 --origin http://127.0.0.1:1"), exitUsage, []string{"--origin is for an edge on its own"}, "freshet control -C"},
	{"fleet's edge with rules", in("edge --control 127.0.0.1:1 --rules rfc9111"), exitUsage, []string{"--rules is for an edge on its own"}, "freshet control -C"},
	{"fleet's edge with a state", in("edge --control 127.0.0.1:1 --state a"), exitUsage, []string{"--state is for an edge on its own"}, "freshet control -C"},
	{"fleet's edge with a console", in("edge --control 127.0.0.1:1 --console 127.0.0.1:0"), exitUsage, []string{"--console is for an edge on its own"}, "freshet control"},
	{"fleet's edge with an endpoint", in("edge --control 127.0.0.1:1 --endpoint http://127.0.0.1:1"), exitUsage, []string{"--endpoint is for an edge on its own"}, "freshet edge"},
	{"seed without a fleet", in("edge --origin http://127.0.0.1:1 --seed a"), exitUsage, []string{"--seed goes with --control"}, "freshet edge -C"},
	{"API in place of the log", in("edge --control https://control-1.example.org:9001"), exitUsage, []string{"begins with https://, which is how the control API is reached"}, "freshet edge -C"},
	{"log beyond this machine in the clear", in("edge --control nats://control-1.example.org:4222"), exitUsage, []string{"beyond this machine, which needs TLS"}, "freshet control --help"},
	{"no seed", in("edge --control tls://control-1.example.org:4222 --seed none.seed"), exitUsage, []string{"--seed: stat none.seed"}, "freshet control -C"},
	{"no lease", in("edge --control 127.0.0.1:1 --lease 1ms"), exitUsage, []string{"--lease is out of range: 1ms"}, "freshet edge --help"},
	{"port of control", func(t *testing.T, dir string) []string {
		return []string{"control", "-C", dir, "--log", "127.0.0.1:0", "--console", "none", "--listen", taken(t)}
	}, exitFailed, []string{"address already in use"}, "freshet control -C"},
	{"port of the log", func(t *testing.T, dir string) []string {
		return []string{"control", "-C", dir, "--log", taken(t), "--console", "none", "--listen", "127.0.0.1:0"}
	}, exitFailed, []string{"address already in use"}, "freshet control -C"},
	{"folder of another control node", func(t *testing.T, dir string) []string {
		release, err := presence.Hold(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = release() })
		return []string{"control", "-C", dir, "--state", dir, "--log", "127.0.0.1:0"}
	}, exitFailed, []string{"in use by another process"}, "freshet control -C"},
}
