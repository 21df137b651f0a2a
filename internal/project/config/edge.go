package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Edge is how `freshet edge` runs: one cache on its own, in front of any
// origin. The zero value of each field leaves it to the edge's own default.
type Edge struct {
	// Listen are the addresses for viewers.
	Listen []Listen
	// Origin is where objects come from: the base URL of an HTTP server, or
	// "s3://bucket/prefix"; without a trailing slash. "" means that the file
	// does not say.
	Origin string
	// Endpoint and Region are those of an s3 origin; "" leaves them to the AWS
	// SDK's chain. Endpoint is a base URL without a trailing slash.
	Endpoint, Region string
	// Rules are "cloudfront" or "rfc9111".
	Rules string
	// Memory is what cached objects may take, in bytes.
	Memory int
	// Disk is the folder of what memory does not hold, as State is; DiskSize is
	// what it may take, in bytes.
	Disk     string
	DiskSize int
	// RootObject answers "/"; it has no leading slash.
	RootObject string
	// Folders: /a/ and /a show a/index.html.
	Folders bool
	// TagHeader is the origin's response header that carries cache tags.
	TagHeader string
	// ViewerProtocol is what becomes of plain HTTP: "allow-all", "https-only"
	// or "redirect-to-https".
	ViewerProtocol string
	// Admin is where metrics, health and the control API are; an empty Address
	// means nowhere.
	Admin Listen
	// Console is the address of the page that shows the edge; "" means nowhere.
	Console string
	// State is the folder of the control API's history, absolute or relative to
	// Dir, as written.
	State string
	// AccessLog is "stdout", "stderr", or a file as State is.
	AccessLog string
	// OriginTimeout, HeaderTimeout and IdleTimeout bound how long origin and
	// viewers may take; ShutdownDelay and ShutdownGrace are the steps of
	// stopping.
	OriginTimeout, HeaderTimeout, IdleTimeout, ShutdownDelay, ShutdownGrace time.Duration
	// Control makes the edge one of a fleet; Endpoint and Region are then those
	// of every origin that is a bucket.
	Control EdgeControl
}

// Listen is one address to listen on.
type Listen struct {
	Address string // host:port; the host may be missing, and then is every address
	// Certificate and Key are PEM files, as Edge.State is; both or none.
	Certificate, Key string
}

func (d *decoder) edge(v value) Edge {
	var e Edge
	seen := d.section(v, section{
		"listen":          func(v value) { e.Listen = d.listens(v) },
		"origin":          func(v value) { e.Origin = d.str(v, CheckOrigin) },
		"endpoint":        func(v value) { e.Endpoint = d.str(v, checkURL) },
		"region":          func(v value) { e.Region = d.str(v, checkRegion) },
		"rules":           func(v value) { e.Rules = d.str(v, oneOf("cloudfront", "rfc9111")) },
		"memory":          func(v value) { e.Memory = d.size(v) },
		"disk":            func(v value) { e.Disk = d.str(v, checkPath) },
		"disk-size":       func(v value) { e.DiskSize = d.size(v) },
		"root-object":     func(v value) { e.RootObject = d.str(v, checkRootObject) },
		"folders":         func(v value) { e.Folders = d.str(v, oneOf(Always, Never)) == Always },
		"tag-header":      func(v value) { e.TagHeader = d.str(v, checkHeaderName) },
		"viewer-protocol": func(v value) { e.ViewerProtocol = d.str(v, oneOf("allow-all", "https-only", "redirect-to-https")) },
		"admin":           func(v value) { e.Admin = d.listen(v) },
		"console":         func(v value) { e.Console = d.str(v, CheckAddress) },
		"state":           func(v value) { e.State = d.str(v, checkPath) },
		"access-log":      func(v value) { e.AccessLog = d.str(v, checkPath) },
		"origin-timeout":  func(v value) { e.OriginTimeout = d.wait(v) },
		"header-timeout":  func(v value) { e.HeaderTimeout = d.wait(v) },
		"idle-timeout":    func(v value) { e.IdleTimeout = d.wait(v) },
		"shutdown-delay":  func(v value) { e.ShutdownDelay = d.pause(v) },
		"shutdown-grace":  func(v value) { e.ShutdownGrace = d.wait(v) },
		"control":         func(v value) { e.Control = d.edgeControl(v) },
	})
	d.alone(e, seen)
	for _, key := range []string{"endpoint", "region"} {
		if at, ok := seen[key]; ok && e.Origin != "" && !strings.HasPrefix(e.Origin, "s3://") {
			d.failAt(at.node, `%q goes with an origin such as "s3://my-site"`, key)
		}
	}
	return e
}

// listens reads one listener or a list of them.
func (d *decoder) listens(v value) []Listen {
	if _, isList := d.resolve(v.node).(*ast.SequenceNode); !isList {
		return []Listen{d.listen(v)}
	}
	var out []Listen
	for _, item := range d.list(v) {
		item.name = "an entry of listen"
		out = append(out, d.listen(item))
	}
	if len(out) == 0 {
		d.failAt(v.node, `"listen" is empty; give an address, such as "127.0.0.1:8080"`)
	}
	return out
}

// listen reads an address, or an address with its certificate.
func (d *decoder) listen(v value) Listen {
	var l Listen
	switch d.resolve(v.node).(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		l.Address = d.str(v, CheckAddress)
		return l
	}
	before := len(d.errs)
	seen := d.section(v, section{
		"address":     func(v value) { l.Address = d.str(v, CheckAddress) },
		"certificate": func(v value) { l.Certificate = d.str(v, checkPath) },
		"key":         func(v value) { l.Key = d.str(v, checkPath) },
	})
	_, certificate := seen["certificate"]
	_, key := seen["key"]
	_, address := seen["address"]
	switch {
	case len(d.errs) > before:
	case !address:
		d.failAt(v.node, `%s needs "address", such as "0.0.0.0:443"`, v.name)
	case certificate && !key:
		d.failAt(seen["certificate"].node, `"certificate" needs "key" beside it: the file with its private key`)
	case key && !certificate:
		d.failAt(seen["key"].node, `"key" needs "certificate" beside it`)
	}
	return l
}

// pause reads a duration of seconds rather than days; 0 is one.
func (d *decoder) pause(v value) time.Duration {
	if n, ok := d.resolve(v.node).(*ast.IntegerNode); ok && label(n) != "0" {
		d.failAt(n, `%q needs a unit; write "%ss" for seconds`, v.name, label(n))
		return 0
	} else if ok {
		return 0
	}
	return d.duration(v)
}

// wait reads a duration of more than nothing.
func (d *decoder) wait(v value) time.Duration {
	before := len(d.errs)
	out := d.pause(v)
	if out == 0 && len(d.errs) == before {
		d.failAt(v.node, `%q must be longer than 0; write one such as "30s"`, v.name)
	}
	return out
}

// size reads a number of bytes, bare or with a unit.
func (d *decoder) size(v value) int {
	if n, ok := d.resolve(v.node).(*ast.IntegerNode); ok {
		v = value{v.name, n}
		size, err := ParseSize(label(n))
		if err != nil {
			d.failAt(n, "%q %v", v.name, err)
		}
		return size
	}
	var out int
	d.str(v, func(s string) (string, error) {
		var err error
		out, err = ParseSize(s)
		return s, err
	})
	return out
}

// maxMemory is the largest size that ParseSize takes: 1 TiB.
const maxMemory = 1 << 40

// ParseSize reads a size of at least 1 byte: "1000000", "512MiB", "2 GB". The
// error reads on from the quoted name of what was read.
func ParseSize(s string) (int, error) {
	wrong := fmt.Errorf(`is not a size: %q; write a number and a unit, such as "512MiB" or "2GB"`, s)
	m := regexp.MustCompile(`^([0-9]{1,13}) ?([A-Za-z]*)$`).FindStringSubmatch(s)
	if m == nil {
		return 0, wrong
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit, ok := map[string]int64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30,
	}[strings.ToUpper(m[2])]
	if err != nil || !ok {
		return 0, wrong
	}
	if n < 1 || n > min(maxMemory, math.MaxInt)/unit {
		return 0, fmt.Errorf("is out of range: %s; it must be from 1 byte to 1024 GiB", s)
	}
	return int(n * unit), nil
}

// CheckAddress accepts host:port. The error reads on from a quoted name.
func CheckAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsFunc(host, notWord) {
		return "", errors.New(`is not an address; write host and port, such as "127.0.0.1:8080" or "[::]:443"`)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("has the port %q; ports are numbers from 0 to 65535", port)
	}
	return s, nil
}

// CheckOrigin accepts the base URL of an HTTP server or of a bucket, and takes
// its last slash away. The error reads on from a quoted name.
func CheckOrigin(s string) (string, error) {
	if strings.HasPrefix(s, "s3://") {
		bucket, prefix, err := parseLocation(s)
		return "s3://" + bucket + strings.TrimSuffix(cmp.Or("/"+prefix, "/"), "/"), err
	}
	if !strings.Contains(s, "://") {
		return "", errors.New(`is no URL; write one such as "http://127.0.0.1:8000" or "s3://my-site"`)
	}
	return checkURL(s)
}

func checkRootObject(s string) (string, error) {
	if strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("starts with a slash; write %q", strings.TrimLeft(s, "/"))
	}
	return checkPath(s)
}

// checkHeaderName accepts a field name: RFC 9110, 5.1.
func checkHeaderName(s string) (string, error) {
	if !regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$").MatchString(s) {
		return "", errors.New(`is no header's name; write one such as "x-amz-meta-cache-tag"`)
	}
	return s, nil
}
