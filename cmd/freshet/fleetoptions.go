package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/edgenode"
	"github.com/freshet/freshet/internal/cloud/fleet/stream"
	"github.com/freshet/freshet/internal/cloud/tenants/buckets"
	"github.com/freshet/freshet/internal/project/config"
)

// fleetFlags are the flags of freshet edge that make it one of a fleet.
type fleetFlags struct {
	control          []string
	name             string
	seed, authority  string
	address, domain  string
	lease            time.Duration
	endpoint, region string
}

func (f *fleetFlags) define(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.control, "control", nil, "the `URL` of a control node's log, such as tls://control-1:4222; given for each node")
	flags.StringVar(&f.name, "name", "", "with --control: the edge's own `name` (default the host's name)")
	flags.StringVar(&f.seed, "seed", "", "with --control: the `file` with the edge's secret key, which freshet control new-key makes")
	flags.StringVar(&f.authority, "authority", "", "with --control: the PEM `file` with the authority of the logs' certificates (default the system's)")
	flags.StringVar(&f.address, "address", "", "with --control: the base `URL` at which publishers reach this edge, to prove deploys there, and to be shown (default the first listener, if it has an address of its own)")
	flags.DurationVar(&f.lease, "lease", 0, "with --control: how long it answers from its cache without hearing of the fleet (default 5s)")
	flags.StringVar(&f.domain, "domain", "", "with --control: the `domain` that distributions are found below, as on the control nodes (default cloudfront.localhost)")
	flags.StringVar(&f.endpoint, "origin-endpoint", "", "with --control: the `URL` of the S3-compatible store of all buckets (default AWS)")
	flags.StringVar(&f.region, "origin-region", "", "with --control: the `region` of all buckets (default that of the origin's name)")
}

// given is the name of one that is there, "" for none.
func (f *fleetFlags) given() string {
	for _, flag := range []struct{ name, value string }{
		{"--name", f.name}, {"--seed", f.seed}, {"--authority", f.authority}, {"--address", f.address}, {"--domain", f.domain},
		{"--origin-endpoint", f.endpoint}, {"--origin-region", f.region},
	} {
		if flag.value != "" {
			return flag.name
		}
	}
	if f.lease != 0 {
		return "--lease"
	}
	return ""
}

// overrideFleet puts what the command line says of a fleet over e.
func (f edgeFlags) overrideFleet(e *config.Edge) error {
	if len(f.fleet.control) > 0 { // the file's may be for another fleet, or for an edge on its own
		e.Control.Servers = nil
	}
	for _, server := range f.fleet.control {
		url, err := config.CheckServer(server)
		if err != nil {
			return usage("name each control node's log, as in `freshet edge --control tls://control-1.example.org:4222`", "--control %w", err)
		}
		e.Control.Servers = append(e.Control.Servers, url)
	}
	if len(e.Control.Servers) == 0 {
		if name := f.fleet.given(); name != "" {
			return usage("name the control nodes, as in `freshet edge --control tls://control-1.example.org:4222`", "%s goes with --control", name)
		}
		return nil
	}
	if err := f.refuseAlone(); err != nil {
		return err
	}
	return f.fleet.override(e)
}

// refuseAlone refuses flags of an edge on its own.
func (f edgeFlags) refuseAlone() error {
	for _, flag := range []struct{ name, value, hint string }{
		{"--origin", f.origin, "leave it out: a fleet's edge has its origins from the control nodes, where `freshet control --distribution ORIGIN` makes one"},
		{"--rules", f.rules, "leave it out: a fleet's edge keeps CloudFront's rules, by the distributions of `freshet control`"},
		{"--state", f.state, "leave it out: the history is the control nodes' (`freshet control --state FOLDER`)"},
		{"--console", f.console, "leave it out: `freshet control` has the page that shows the fleet"},
		{"--endpoint", f.endpoint, "for the buckets of a fleet it is called --origin-endpoint, as in `freshet edge --control URL --origin-endpoint URL`"},
		{"--region", f.region, "for the buckets of a fleet it is called --origin-region, as in `freshet edge --control URL --origin-region eu-central-1`"},
	} {
		if flag.value != "" {
			return usage(flag.hint, "%s is for an edge on its own, and does not go with --control", flag.name)
		}
	}
	return nil
}

func (f *fleetFlags) override(e *config.Edge) error {
	for _, text := range []struct {
		flag, name, like string
		to               *string
		check            func(string) (string, error)
	}{
		{f.name, "--name", "edge-1", &e.Control.Name, config.CheckName},
		{f.seed, "--seed", "", &e.Control.Seed, nil},
		{f.authority, "--authority", "", &e.Control.Authority, nil},
		{f.address, "--address", "https://edge-1.example.org", &e.Control.Address, checkWeb},
		{f.domain, "--domain", "cdn.example.org", &e.Control.Domain, config.CheckDomain},
		{f.endpoint, "--origin-endpoint", "https://s3.example.org", &e.Endpoint, checkWeb},
		{f.region, "--origin-region", "eu-central-1", &e.Region, nil},
	} {
		if err := overrideText(text.flag, text.name, text.like, text.to, text.check); err != nil {
			return err
		}
	}
	if f.lease == 0 {
		return nil
	}
	if err := config.CheckLease(f.lease); err != nil {
		return usage("leave it out for 5s", "--lease %w", err)
	}
	e.Control.Lease = f.lease
	return nil
}

// checkWeb accepts the base URL of an HTTP server. The error reads on from a quoted name.
func checkWeb(s string) (string, error) {
	if strings.HasPrefix(s, "s3://") {
		return "", errors.New(`must start with "https://" or "http://"`)
	}
	return config.CheckOrigin(s)
}

// memberOptions are those of an edge of a fleet.
func (a *app) memberOptions(cfg config.Edge) (memberOptions, error) {
	c := cfg.Control
	name, err := nodeName(c.Name)
	if err != nil {
		return memberOptions{}, err
	}
	for _, server := range c.Servers {
		scheme, address, _ := strings.Cut(server, "://")
		if scheme != "tls" && c.Authority == "" && !config.Loopback(address) {
			return memberOptions{}, usage("write tls://"+address+", and name your own authority with --authority; `freshet control --help` says how", "the log at %s is beyond this machine, which needs TLS", server)
		}
	}
	for _, file := range []struct{ flag, name string }{{"--seed", c.Seed}, {"--authority", c.Authority}} {
		if file.name == "" {
			continue
		}
		if _, err := os.Stat(file.name); err != nil {
			return memberOptions{}, usage("`freshet control new-key FILE` makes a seed; the authority is the one that signed the control nodes' certificates", "%s: %w", file.flag, err)
		}
	}
	out := memberOptions{serve: a.servingOptions(cfg)}
	out.log = stream.Options{Servers: c.Servers, Seed: c.Seed, CA: c.Authority, Edge: true, Name: name, Log: out.serve.Logger}
	out.node = edgenode.Options{
		Name: name, Address: c.Address, Version: version(), Domain: withoutPort(c.Domain), Terms: fleet.Terms{Lease: c.Lease},
		Buckets: buckets.Options{Endpoint: cfg.Endpoint, Region: cfg.Region}, MemoryBytes: cfg.Memory, Dir: cfg.Disk, DiskBytes: int64(cfg.DiskSize),
		Timeout: cfg.OriginTimeout, Now: a.now, Logger: out.serve.Logger,
	}
	return out, nil
}

// withoutPort is a domain as a Host header is compared with it.
func withoutPort(domain string) string {
	if host, _, err := net.SplitHostPort(domain); err == nil {
		return host
	}
	return domain
}
