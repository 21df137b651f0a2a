package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet/controlnode"
	"github.com/freshet/freshet/internal/cloud/fleet/stream"
	"github.com/freshet/freshet/internal/cloud/listen"
	"github.com/freshet/freshet/internal/cloud/tenants"
	"github.com/freshet/freshet/internal/project/config"
)

// Where a control node is unless it is told otherwise.
const (
	controlState   = ".freshet/control"
	controlListen  = "127.0.0.1:9001"
	controlConsole = "127.0.0.1:8081"
	controlLog     = "127.0.0.1:4222"
)

// controlOptions are what a control node is made of.
type controlOptions struct {
	node         stream.Config
	api          controlnode.Options
	distribution *control.DistributionConfig // to be made; nil for none
	scheme       string                      // of the log's URL
	waitsFor     []string                    // other nodes, without which it does not start
	engineLog    *slog.LevelVar              // what is told of the engine's own log: nothing while it starts and the others cannot be there yet
}

// controlOptions are the config's control: section with the flags over it.
func (a *app) controlOptions(given controlFlags) (controlOptions, error) {
	p, err := a.project()
	if err != nil {
		return controlOptions{}, err
	}
	cfg := controlAtDir(p.Control, p.Dir)
	if err := given.override(&cfg); err != nil {
		return controlOptions{}, err
	}
	if cfg.Name, err = nodeName(cfg.Name); err != nil {
		return controlOptions{}, err
	}
	if err := checkControl(cfg); err != nil {
		return controlOptions{}, err
	}
	keys := control.Credentials{
		AccessKeyID: a.getenv("FRESHET_CONTROL_ACCESS_KEY_ID"), SecretAccessKey: a.getenv("FRESHET_CONTROL_SECRET_ACCESS_KEY"),
	}
	if (keys.AccessKeyID == "") != (keys.SecretAccessKey == "") {
		return controlOptions{}, usage("set both, or neither", "of FRESHET_CONTROL_ACCESS_KEY_ID and FRESHET_CONTROL_SECRET_ACCESS_KEY only one is set")
	}
	out := controlOptions{scheme: "nats://", node: logNode(cfg), engineLog: new(slog.LevelVar)}
	out.api = controlnode.Options{
		Name: cfg.Name, Version: version(), Dir: cfg.State, Domain: cfg.Domain, API: listen.Listener(cfg.Listen),
		Page: cfg.Console.Address, PageCertificate: cfg.Console.Certificate, PageKey: cfg.Console.Key, Credentials: keys, Now: a.now, Logger: a.logger(),
	}
	out.engineLog.Set(slog.LevelError + 1)
	out.node.Log = a.loggerFrom(out.engineLog)
	if cfg.Console.Address == config.NoConsole {
		out.api.Page = ""
	}
	if cfg.Log.Certificate != "" {
		out.scheme = "tls://"
	}
	if cfg.Cluster.Name != "" {
		out.waitsFor = slices.DeleteFunc(slices.Clone(cfg.Cluster.Peers), func(peer string) bool { return peer == cfg.Cluster.Listen })
	}
	if cfg.Distribution != "" {
		out.distribution, err = siteDistribution(cfg.Distribution)
	}
	return out, err
}

// logNode is the part of the log that this node keeps.
func logNode(cfg config.Control) stream.Config {
	out := stream.Config{
		Name: cfg.Name, Dir: filepath.Join(cfg.State, "log"), Listen: cfg.Log.Address,
		TLS: stream.TLSFiles{Cert: cfg.Log.Certificate, Key: cfg.Log.Key}, Controls: cfg.AllowControl, Edges: cfg.AllowEdge,
	}
	if c := cfg.Cluster; c.Name != "" {
		out.Cluster = &stream.Cluster{
			Name: c.Name, Listen: c.Listen, Routes: c.Peers, TLS: stream.TLSFiles{Cert: c.Certificate, Key: c.Key, CA: c.Authority},
		}
	}
	return out
}

// nodeName is a name that was given, or the host's.
func nodeName(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	host, err := os.Hostname()
	if err == nil {
		host, err = config.CheckName(host)
	}
	if err != nil {
		return "", usage("name it, as in `freshet control --name node-1`", "the host has no name that could be taken: %w", err)
	}
	return host, nil
}

// controlAtDir finds the section's files from the config's folder, and fills in where the node is.
func controlAtDir(c config.Control, dir string) config.Control {
	join := inDir(dir)
	at := func(l config.Listen, otherwise string) config.Listen {
		return config.Listen{Address: cmp.Or(l.Address, otherwise), Certificate: join(l.Certificate), Key: join(l.Key)}
	}
	c.State = join(cmp.Or(c.State, controlState))
	c.Listen, c.Log, c.Console = at(c.Listen, controlListen), at(c.Log, controlLog), at(c.Console, controlConsole)
	c.Cluster.Certificate, c.Cluster.Key, c.Cluster.Authority = join(c.Cluster.Certificate), join(c.Cluster.Key), join(c.Cluster.Authority)
	return c
}

// override puts what the command line says over c.
func (f controlFlags) override(c *config.Control) error {
	for _, text := range []struct {
		flag, name, like string
		to               *string
		check            func(string) (string, error)
	}{
		{f.name, "--name", "control-1", &c.Name, config.CheckName},
		{f.state, "--state", "", &c.State, nil},
		{f.listen, "--listen", controlListen, &c.Listen.Address, config.CheckAddress},
		{f.certificate, "--certificate", "", &c.Listen.Certificate, nil},
		{f.key, "--key", "", &c.Listen.Key, nil},
		{f.console, "--console", controlConsole, &c.Console.Address, checkConsole},
		{f.consoleCertificate, "--console-certificate", "", &c.Console.Certificate, nil},
		{f.consoleKey, "--console-key", "", &c.Console.Key, nil},
		{f.log, "--log", controlLog, &c.Log.Address, config.CheckAddress},
		{f.logCertificate, "--log-certificate", "", &c.Log.Certificate, nil},
		{f.logKey, "--log-key", "", &c.Log.Key, nil},
		{f.cluster, "--cluster", "fleet", &c.Cluster.Name, config.CheckName},
		{f.clusterListen, "--cluster-listen", "10.0.0.1:4223", &c.Cluster.Listen, config.CheckAddress},
		{f.clusterCertificate, "--cluster-certificate", "", &c.Cluster.Certificate, nil},
		{f.clusterKey, "--cluster-key", "", &c.Cluster.Key, nil},
		{f.authority, "--cluster-authority", "", &c.Cluster.Authority, nil},
		{f.domain, "--domain", "cdn.example.org", &c.Domain, config.CheckDomain},
		{f.distribution, "--distribution", "s3://my-site", &c.Distribution, config.CheckOrigin},
	} {
		if err := overrideText(text.flag, text.name, text.like, text.to, text.check); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		flags []string
		name  string
		to    *[]string
		check func(string) (string, error)
		hint  string
	}{
		{f.allowControl, "--allow-control", &c.AllowControl, config.CheckPublicKey, "`freshet control new-key FILE` makes a key and prints its public half"},
		{f.allowEdge, "--allow-edge", &c.AllowEdge, config.CheckPublicKey, "`freshet control new-key FILE` makes a key and prints its public half"},
		{f.peers, "--peer", &c.Cluster.Peers, config.CheckAddress, "name where the other node listens for this one, such as --peer 10.0.0.2:4223"},
	} {
		for _, one := range list.flags {
			if _, err := list.check(one); err != nil {
				return usage(list.hint, "%s %w", list.name, err)
			}
		}
		if len(list.flags) > 0 {
			*list.to = list.flags
		}
	}
	return nil
}

// overrideText puts one flag over what was there. The check may be nil.
func overrideText(given, name, like string, to *string, check func(string) (string, error)) error {
	if given == "" {
		return nil
	}
	if check != nil {
		checked, err := check(given)
		if err != nil {
			return usage("write one such as "+name+" "+like, "%s %w", name, err)
		}
		given = checked
	}
	*to = given
	return nil
}

func checkConsole(s string) (string, error) {
	if s == config.NoConsole {
		return s, nil
	}
	return config.CheckAddress(s)
}

// checkControl refuses what does not go together, or would let in whom nobody knows.
func checkControl(c config.Control) error {
	for _, pair := range []struct {
		config.Listen
		certificate, key string
	}{{c.Listen, "--certificate", "--key"}, {c.Console, "--console-certificate", "--console-key"}, {c.Log, "--log-certificate", "--log-key"}} {
		if (pair.Certificate == "") != (pair.Key == "") {
			return usage("name both files", "%s and %s go together", pair.certificate, pair.key)
		}
	}
	if !config.Loopback(c.Log.Address) {
		switch {
		case c.Log.Certificate == "":
			return usage("name one, as in `freshet control --log-certificate log.pem --log-key log.key`, or listen on this machine alone",
				"the log listens beyond loopback, on %s, without a certificate", c.Log.Address)
		case len(c.AllowControl)+len(c.AllowEdge) == 0:
			return usage("make a key for each edge with `freshet control new-key FILE`, and name its public half, as in `freshet control --allow-edge U…`",
				"the log listens beyond loopback, on %s, and anybody might connect", c.Log.Address)
		}
	}
	return checkCluster(c.Cluster)
}

// checkCluster refuses three nodes that could not be.
func checkCluster(c config.Cluster) error {
	if c.Name == "" {
		if c.Listen != "" || len(c.Peers) > 0 || c.Certificate+c.Key+c.Authority != "" {
			return usage("name the three nodes together, as in `freshet control --cluster fleet`, or leave the rest out", "--peer and --cluster-… go with --cluster")
		}
		return nil
	}
	beyond := !config.Loopback(c.Listen) || slices.ContainsFunc(c.Peers, func(peer string) bool { return !config.Loopback(peer) })
	files := 0
	for _, file := range []string{c.Certificate, c.Key, c.Authority} {
		if file != "" {
			files++
		}
	}
	switch {
	case c.Listen == "":
		return usage("say where the other nodes reach this one, as in `freshet control --cluster-listen 10.0.0.1:4223`", "--cluster needs --cluster-listen")
	case len(c.Peers) != 2 && len(c.Peers) != 3:
		return usage("name the other two, or all three, as in `freshet control --peer 10.0.0.2:4223 --peer 10.0.0.3:4223`", "a cluster has three nodes, and --peer names %d", len(c.Peers))
	case files != 0 && files != 3:
		return usage("name all three files", "--cluster-certificate, --cluster-key and --cluster-authority go together")
	case beyond && files == 0:
		return usage("name them, as in `freshet control --cluster-certificate node.pem --cluster-key node.key --cluster-authority nodes.pem`",
			"the nodes of the cluster reach each other beyond loopback without certificates")
	}
	return nil
}

// cachingOptimized is a cache policy. CloudFront guide, "Use managed cache policies", read 2026-11
const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"

// siteDistribution is a distribution for an origin, as a careful person would make it: for a bucket with index pages and a page for what is
// missing, as `freshet local` has it. Its caller reference says the origin, so that a second start, or a second node, finds it.
func siteDistribution(origin string) (*control.DistributionConfig, error) {
	o, err := originOfURL(origin)
	if err != nil {
		return nil, err
	}
	cfg := &control.DistributionConfig{
		CallerReference: "freshet-control " + origin, Comment: origin, Enabled: true, Origins: []control.Origin{o},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: o.ID, ViewerProtocolPolicy: "allow-all", AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
			CachePolicyID: cachingOptimized, Compress: true,
		},
	}
	if o.S3Origin != nil {
		cfg.DefaultRootObject = "index.html"
		cfg.DefaultCacheBehavior.FunctionAssociations = []control.FunctionAssociation{{FunctionARN: tenants.IndexFunction, EventType: "viewer-request"}}
		cfg.CustomErrorResponses = []control.CustomErrorResponse{{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 10}}
	}
	return cfg, nil
}

// originOfURL is the base URL of a server, or s3://bucket/prefix, in the API's terms. A bucket has no region there: the edges know it.
func originOfURL(origin string) (control.Origin, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return control.Origin{}, fmt.Errorf("read the origin: %w", err)
	}
	out := control.Origin{ID: "origin", DomainName: u.Hostname(), OriginPath: strings.TrimRight(u.EscapedPath(), "/")}
	if u.Scheme == "s3" {
		out.DomainName, out.S3Origin = u.Host+".s3.amazonaws.com", &control.S3Origin{}
		return out, nil
	}
	out.CustomOrigin = &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: u.Scheme + "-only"}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		if u.Scheme == "https" {
			out.CustomOrigin.HTTPSPort = port
		} else {
			out.CustomOrigin.HTTPPort = port
		}
	}
	return out, nil
}
