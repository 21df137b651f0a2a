package main

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
	"github.com/freshet/freshet/internal/project/config"
)

// edgeConfig is the config's edge: section with the flags over it.
func (a *app) edgeConfig(given edgeFlags) (config.Edge, error) {
	p, err := a.project()
	if err != nil {
		return config.Edge{}, err
	}
	cfg := atDir(p.Edge, p.Dir)
	if err := given.override(&cfg); err != nil {
		return config.Edge{}, err
	}
	return cfg, given.overrideFleet(&cfg)
}

// edgeOptions are those of an edge on its own.
func (a *app) edgeOptions(cfg config.Edge) (standalone.Options, error) {
	if cfg.Origin == "" {
		return standalone.Options{}, usage("name it, as in `freshet edge --origin http://127.0.0.1:8000`, or as `origin:` under `edge:` in freshet.yaml", "the edge has no origin")
	}
	keys := standalone.Credentials{
		AccessKeyID: a.getenv("FRESHET_EDGE_ACCESS_KEY_ID"), SecretAccessKey: a.getenv("FRESHET_EDGE_SECRET_ACCESS_KEY"),
	}
	if (keys.AccessKeyID == "") != (keys.SecretAccessKey == "") {
		return standalone.Options{}, usage("set both, or neither", "of FRESHET_EDGE_ACCESS_KEY_ID and FRESHET_EDGE_SECRET_ACCESS_KEY only one is set")
	}
	rules, err := edge.ParseRuleSet(cmp.Or(cfg.Rules, edge.CloudFront.String()))
	if err != nil {
		return standalone.Options{}, &failure{err, exitUsage, "--rules takes cloudfront or rfc9111"}
	}
	out := a.servingOptions(cfg)
	out.Credentials, out.Console, out.State = keys, cfg.Console, cfg.State
	out.Origin = standalone.Origin{URL: cfg.Origin, Endpoint: cfg.Endpoint, Region: cfg.Region}
	out.Cache = standalone.Cache{
		Rules: rules, MemoryBytes: cfg.Memory, Disk: edge.Disk{Dir: cfg.Disk, Bytes: int64(cfg.DiskSize)}, RootObject: cfg.RootObject, Index: cfg.Folders, TagHeader: cfg.TagHeader,
		ViewerProtocol: viewerProtocols[cfg.ViewerProtocol], OriginTimeout: cfg.OriginTimeout,
	}
	return out, nil
}

// servingOptions are how any edge serves.
func (a *app) servingOptions(cfg config.Edge) standalone.Options {
	return standalone.Options{
		Listeners: listeners(cfg.Listen), Admin: standalone.Listener(cfg.Admin), AccessLog: cfg.AccessLog,
		Limits: standalone.Limits{HeaderTimeout: cfg.HeaderTimeout, IdleTimeout: cfg.IdleTimeout},
		Delay:  cfg.ShutdownDelay, Grace: cfg.ShutdownGrace,
		Stdout: a.stdout, Stderr: a.stderr, Now: a.now, Logger: a.logger(),
	}
}

var viewerProtocols = map[string]edge.Protocol{"https-only": edge.HTTPSOnly, "redirect-to-https": edge.RedirectToHTTPS}

func listeners(in []config.Listen) []standalone.Listener {
	if len(in) == 0 {
		return []standalone.Listener{{Address: localEdge}}
	}
	out := make([]standalone.Listener, len(in))
	for i, l := range in {
		out[i] = standalone.Listener(l)
	}
	return out
}

// inDir finds files from a folder.
func inDir(dir string) func(name string) string {
	return func(name string) string {
		if name = filepath.FromSlash(name); name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
}

// atDir finds the section's files from the config's folder.
func atDir(e config.Edge, dir string) config.Edge {
	join := inDir(dir)
	at := func(l config.Listen) config.Listen {
		return config.Listen{Address: l.Address, Certificate: join(l.Certificate), Key: join(l.Key)}
	}
	all := make([]config.Listen, len(e.Listen))
	for i, l := range e.Listen {
		all[i] = at(l)
	}
	e.Listen, e.Admin, e.State, e.Disk = all, at(e.Admin), join(e.State), join(e.Disk)
	e.Control.Seed, e.Control.Authority = join(e.Control.Seed), join(e.Control.Authority)
	if e.AccessLog != "stdout" && e.AccessLog != "stderr" {
		e.AccessLog = join(e.AccessLog)
	}
	return e
}

// override puts what the command line says over e.
func (f edgeFlags) override(e *config.Edge) error {
	if err := f.overrideListen(e); err != nil {
		return err
	}
	if f.origin != "" {
		origin, err := config.CheckOrigin(f.origin)
		if err != nil {
			return usage("name the origin by its base URL, such as --origin http://127.0.0.1:8000 or s3://bucket/prefix", "--origin %w", err)
		}
		e.Origin, e.Endpoint, e.Region = origin, "", "" // those of the file are for the file's origin
	}
	if err := f.overrideSizes(e); err != nil {
		return err
	}
	for _, text := range []struct {
		flag string
		to   *string
	}{
		{f.endpoint, &e.Endpoint}, {f.region, &e.Region}, {f.rules, &e.Rules}, {f.console, &e.Console}, {f.state, &e.State}, {f.disk, &e.Disk}, {f.accessLog, &e.AccessLog},
	} {
		*text.to = cmp.Or(text.flag, *text.to)
	}
	if f.endpoint+f.region != "" && !strings.HasPrefix(e.Origin, "s3://") && len(f.fleet.control)+len(e.Control.Servers) == 0 {
		return usage("leave them out, or name a bucket with --origin s3://bucket", "--endpoint and --region go with an s3 origin")
	}
	return nil
}

func (f edgeFlags) overrideSizes(e *config.Edge) error {
	for _, size := range []struct {
		name, text, otherwise string
		to                    *int
	}{{"--memory", f.memory, "256 MiB", &e.Memory}, {"--disk-size", f.diskSize, "1 GiB", &e.DiskSize}} {
		if size.text == "" {
			continue
		}
		n, err := config.ParseSize(size.text)
		if err != nil {
			return usage("leave it out for "+size.otherwise, size.name+" %w", err)
		}
		*size.to = n
	}
	if e.DiskSize > 0 && cmp.Or(f.disk, e.Disk) == "" {
		return usage("name a folder with --disk", "--disk-size goes with a folder")
	}
	return nil
}

// overrideListen replaces the file's listeners by those of the command line, if it has any.
func (f edgeFlags) overrideListen(e *config.Edge) error {
	if len(f.tls) > 0 && (f.certificate == "" || f.key == "") {
		return usage("name its files with --certificate and --key", "--tls needs a certificate")
	}
	if len(f.tls) == 0 && f.certificate+f.key != "" {
		return usage("add --tls with an address to listen on", "--certificate and --key go with --tls")
	}
	if len(f.listen)+len(f.tls) > 0 {
		e.Listen = nil
	}
	for _, address := range f.listen {
		e.Listen = append(e.Listen, config.Listen{Address: address})
	}
	for _, address := range f.tls {
		e.Listen = append(e.Listen, config.Listen{Address: address, Certificate: f.certificate, Key: f.key})
	}
	if f.admin != "" {
		e.Admin.Address = f.admin // with the file's certificate, if it has one
	}
	for _, l := range append(e.Listen, e.Admin, config.Listen{Address: f.console}) {
		if l.Address == "" {
			continue
		}
		if _, err := config.CheckAddress(l.Address); err != nil {
			return usage("choose one such as 127.0.0.1:8080", "the address %q %w", l.Address, err)
		}
	}
	return nil
}
