package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Control is how `freshet control` runs: one control node of a fleet. The zero value of each field leaves it to the command's default.
type Control struct {
	// Name is the node's own, unique in the fleet.
	Name string
	// State is the folder of the log and the view, absolute or relative to Dir, as written.
	State string
	// Listen is where the control API is.
	Listen Listen
	// Console is where the page is that shows the fleet; with NoConsole for its address there is none.
	Console Listen
	// Log is where edges and other control nodes' clients reach the log.
	Log Listen
	// AllowControl and AllowEdge are the public keys that may connect to the log.
	AllowControl, AllowEdge []string
	// Cluster makes the node one of three; the zero value is a node alone.
	Cluster Cluster
	// Domain is what distributions have their domain names below, with a port if viewers need one.
	Domain string
	// Distribution is the origin of a distribution to make where there is none for it, as Edge.Origin; "" makes none.
	Distribution string
}

// Cluster is how a control node reaches the other two.
type Cluster struct {
	// Name is the same on all three; "" means that the node is alone.
	Name string
	// Listen is where the other nodes reach this one: host:port.
	Listen string
	// Peers are where the others listen, this one among them or not: host:port.
	Peers []string
	// Certificate, Key and Authority are PEM files, as State is; all or none.
	Certificate, Key, Authority string
}

// NoConsole in place of an address means that there is no page.
const NoConsole = "none"

// EdgeControl makes an edge one of a fleet.
type EdgeControl struct {
	// Servers are the control nodes' logs: tls://host:port, or nats://host:port on this machine. Empty means an edge on its own.
	Servers []string
	// Seed and Authority are files, as Edge.State is: the edge's secret key, and the authority that the control nodes' certificates come from.
	Seed, Authority string
	// Name is the edge's own, as operators know it.
	Name string
	// Address is the base URL at which viewers reach this very edge, without a trailing slash.
	Address string
	// Lease is how long the edge may answer from its cache without hearing of the fleet.
	Lease time.Duration
	// Domain is as in Control.
	Domain string
}

func (d *decoder) control(v value) Control {
	var c Control
	d.section(v, section{
		"name":          func(v value) { c.Name = d.str(v, CheckName) },
		"state":         func(v value) { c.State = d.str(v, checkPath) },
		"listen":        func(v value) { c.Listen = d.listen(v) },
		"console":       func(v value) { c.Console = d.console(v) },
		"log":           func(v value) { c.Log = d.listen(v) },
		"allow-control": func(v value) { c.AllowControl = d.keys(v) },
		"allow-edge":    func(v value) { c.AllowEdge = d.keys(v) },
		"cluster":       func(v value) { c.Cluster = d.cluster(v) },
		"domain":        func(v value) { c.Domain = d.str(v, CheckDomain) },
		"distribution":  func(v value) { c.Distribution = d.str(v, CheckOrigin) },
	})
	return c
}

func (d *decoder) cluster(v value) Cluster {
	var c Cluster
	before := len(d.errs)
	seen := d.section(v, section{
		"name":        func(v value) { c.Name = d.str(v, CheckName) },
		"listen":      func(v value) { c.Listen = d.str(v, CheckAddress) },
		"peers":       func(v value) { c.Peers = d.strs(v, CheckAddress) },
		"certificate": func(v value) { c.Certificate = d.str(v, checkPath) },
		"key":         func(v value) { c.Key = d.str(v, checkPath) },
		"authority":   func(v value) { c.Authority = d.str(v, checkPath) },
	})
	if len(d.errs) > before {
		return c
	}
	for _, need := range []struct{ key, like string }{{"name", "fleet"}, {"listen", "10.0.0.1:4223"}, {"peers", `["10.0.0.2:4223", "10.0.0.3:4223"]`}} {
		if _, ok := seen[need.key]; !ok {
			d.failAt(v.node, `"cluster" needs %q, such as %s`, need.key, need.like)
			return c
		}
	}
	if n := len(c.Peers); n != 2 && n != 3 {
		d.failAt(seen["peers"].node, `"peers" names %d nodes; a cluster has three: name the other two, or all three`, n)
	}
	d.together(seen, "certificate", "key", "authority")
	return c
}

// together wants all of the files or none.
func (d *decoder) together(seen map[string]value, keys ...string) {
	for _, has := range keys {
		for _, lacks := range keys {
			_, one := seen[has]
			if _, other := seen[lacks]; one && !other {
				d.failAt(seen[has].node, "%q needs %q beside it", has, lacks)
				return
			}
		}
	}
}

// keys reads one public key or a list of them.
func (d *decoder) keys(v value) []string {
	if _, isList := d.resolve(v.node).(*ast.SequenceNode); !isList {
		return []string{d.str(v, CheckPublicKey)}
	}
	return d.strs(v, CheckPublicKey)
}

func (d *decoder) edgeControl(v value) EdgeControl {
	var c EdgeControl
	before := len(d.errs)
	seen := d.section(v, section{
		"servers":   func(v value) { c.Servers = d.servers(v) },
		"seed":      func(v value) { c.Seed = d.str(v, checkPath) },
		"authority": func(v value) { c.Authority = d.str(v, checkPath) },
		"name":      func(v value) { c.Name = d.str(v, CheckName) },
		"address":   func(v value) { c.Address = d.str(v, checkURL) },
		"lease":     func(v value) { c.Lease = d.lease(v) },
		"domain":    func(v value) { c.Domain = d.str(v, CheckDomain) },
	})
	if _, ok := seen["servers"]; !ok && len(d.errs) == before {
		d.failAt(v.node, `"control" needs "servers": where the control nodes' logs are, such as "tls://control-1.example.org:4222"`)
	}
	return c
}

func (d *decoder) servers(v value) []string {
	if _, isList := d.resolve(v.node).(*ast.SequenceNode); !isList {
		return []string{d.str(v, CheckServer)}
	}
	all := d.strs(v, CheckServer)
	if len(all) == 0 {
		d.failAt(v.node, `"servers" is empty; name one, such as "tls://control-1.example.org:4222"`)
	}
	return all
}

func (d *decoder) lease(v value) time.Duration {
	before := len(d.errs)
	out := d.wait(v)
	if err := CheckLease(out); err != nil && len(d.errs) == before {
		d.failAt(v.node, "%q %v", v.name, err)
	}
	return out
}

// alone refuses, for an edge of a fleet, what is the control nodes' to say.
func (d *decoder) alone(e Edge, seen map[string]value) {
	if len(e.Control.Servers) == 0 {
		return
	}
	for _, key := range []string{"origin", "rules", "root-object", "folders", "tag-header", "viewer-protocol", "console", "state"} {
		if at, ok := seen[key]; ok {
			d.failAt(at.node, `%q is for an edge on its own; one with "control" has its distributions from the control nodes`, key)
		}
	}
}

// Bounds of a lease.
const (
	minLease = 200 * time.Millisecond
	maxLease = 5 * time.Minute
)

// CheckLease accepts how long an edge may go without hearing of its fleet. The error reads on from a quoted name.
func CheckLease(d time.Duration) error {
	if d < minLease || d > maxLease {
		return fmt.Errorf("is out of range: %s; it must be from %s to %s, and 5s is usual", d, minLease, maxLease)
	}
	return nil
}

// CheckName accepts the name of a node, an edge or a cluster. The error reads on from a quoted name.
func CheckName(s string) (string, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(s) {
		return "", fmt.Errorf("is no name: %q; write up to 64 letters, digits, dots and hyphens, such as \"edge-1\"", s)
	}
	return s, nil
}

// CheckPublicKey accepts the public half of an NKey of a user. The error reads on from a quoted name.
func CheckPublicKey(s string) (string, error) {
	if strings.HasPrefix(s, "SU") {
		return "", errors.New("is a secret seed; give the public key, which begins with U, and keep the seed in its file")
	}
	if !regexp.MustCompile(`^U[A-Z2-7]{55}$`).MatchString(s) {
		return "", errors.New("is no public key; `freshet control new-key FILE` makes one, which begins with U and has 56 letters and digits")
	}
	return s, nil
}

// CheckServer accepts where a control node's log is, and adds the scheme where it is missing: nats on this machine, tls beyond.
// The error reads on from a quoted name.
func CheckServer(s string) (string, error) {
	scheme, host, ok := strings.Cut(s, "://")
	if !ok {
		scheme, host = "", s
	}
	host = strings.TrimSuffix(host, "/")
	if _, err := CheckAddress(host); err != nil {
		return "", errors.New(`is not where a log is; write one such as "tls://control-1.example.org:4222"`)
	}
	name, _, err := net.SplitHostPort(host)
	if u, parsed := url.Parse("tls://" + host); err != nil || parsed != nil || u.Host != host || name == "" {
		return "", errors.New(`is not where a log is; write one such as "tls://control-1.example.org:4222"`)
	}
	switch scheme {
	case "nats", "tls":
	case "":
		if scheme = "tls"; Loopback(host) {
			scheme = "nats"
		}
	case "http", "https":
		return "", fmt.Errorf(`begins with %s://, which is how the control API is reached; name the log, such as "tls://%s:4222"`, scheme, name)
	default:
		return "", fmt.Errorf(`begins with %s://; a log begins with tls://, or nats:// on this machine`, scheme)
	}
	return scheme + "://" + host, nil
}

// CheckDomain accepts a host's name or address, with or without a port. The error reads on from a quoted name.
func CheckDomain(s string) (string, error) {
	host := s
	if name, port, err := net.SplitHostPort(s); err == nil && !strings.Contains(s, "/") {
		if _, err := CheckAddress("x:" + port); err != nil {
			return "", err
		}
		host = name
	}
	if net.ParseIP(strings.Trim(host, "[]")) == nil && !regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`).MatchString(host) {
		return "", errors.New(`is no domain; write one such as "cdn.example.org" or "localhost:8080"`)
	}
	return s, nil
}

// console is listen, or NoConsole.
func (d *decoder) console(v value) Listen {
	if word, ok := d.resolve(v.node).(*ast.StringNode); ok && word.Value == NoConsole {
		return Listen{Address: NoConsole}
	}
	return d.listen(v)
}

// Loopback says whether host:port is on this machine for sure; no name but localhost is looked up.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
