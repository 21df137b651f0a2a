package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/freshet/freshet/bench/publish/cdn"
	"github.com/freshet/freshet/bench/publish/wire"
)

// bench is one run.
type bench struct {
	opts    options
	self    string // this program
	dir     string // the scratch folder
	freshet string // the program that was built
	tools   []tool
	log     *os.File // of -json, or nil
	results []result
	machine machine
}

// open makes the scratch folder, builds freshet and finds the tools. The caller closes the bench.
func open(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{opts: o, machine: thisMachine()}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp(o.scratch, "freshet-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.freshet, err = buildFreshet(ctx, b.dir, o.programs[ours]); err != nil {
		return nil, err
	}
	fmt.Println(b.machine)
	if b.tools, err = b.installed(); err != nil {
		return nil, err
	}
	for _, t := range b.tools {
		b.machine.Tools = append(b.machine.Tools, toolNote{t.name, t.said, t.says})
	}
	if o.json != "" {
		if b.log, err = os.OpenFile(o.json, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			return nil, err
		}
		return b, json.NewEncoder(b.log).Encode(b.machine)
	}
	return b, nil
}

// buildFreshet builds the tree that the working directory lies in, if no other program is named.
func buildFreshet(ctx context.Context, dir, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	path := filepath.Join(dir, ours)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/freshet/freshet/cmd/freshet")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build freshet (run this inside of its tree): %w: %s", err, out)
	}
	return path, nil
}

// close removes the scratch folder.
func (b *bench) close() {
	if b.log != nil {
		if err := b.log.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "publish: close the file of -json:", err)
		}
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "publish: remove the scratch folder:", err)
	}
}

// keep remembers a result, and stores it where it was asked for.
func (b *bench) keep(r result) error {
	b.results = append(b.results, r)
	fmt.Println(r)
	if b.log == nil {
		return nil
	}
	return json.NewEncoder(b.log).Encode(r)
}

// stage is everything that one tool needs for one round: a bucket on a server of its own, so that no server's cache, index or
// deduplication works for the next tool, with the proxy and CloudFront's stand-in in front.
type stage struct {
	tool
	place
	server  *s3
	proxy   *wire.Proxy
	control cdn.Control
	front   *http.Server
	store   *bucket
}

// stage starts a stage. The caller closes it.
func (b *bench) stage(ctx context.Context, t tool, site string) (s *stage, err error) {
	dir := filepath.Join(b.dir, "stage-"+t.name)
	s = &stage{tool: t, place: place{site: site, home: filepath.Join(dir, "home"), bucket: "bench-" + t.name, program: t.program, version: t.said}}
	if b.opts.endpoint != "" {
		s.bucket += time.Now().UTC().Format("-20060102-150405")
	}
	s.distribution = s.control.Add(s.bucket)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.server, err = b.startS3(ctx, filepath.Join(dir, "s3")); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.front = &http.Server{Handler: &s.control}
	go func() { _ = s.front.Serve(l) }() // until Close
	if s.proxy, err = wire.Listen(s.server.address, l.Addr().String()); err != nil {
		return nil, err
	}
	s.endpoint = s.proxy.URL()
	access, secret := b.keys()
	s.store = newBucket("http://"+s.server.address, s.bucket, access, secret)
	if err := s.store.create(ctx); err != nil {
		return nil, err
	}
	return s, s.prepare(s.place)
}

// close stops what stage started, and removes the folder.
func (s *stage) close() {
	var err error
	if s.proxy != nil {
		err = s.proxy.Close()
	}
	if s.front != nil {
		err = errors.Join(err, s.front.Close())
	}
	if s.server != nil {
		s.server.stop()
	}
	if err = errors.Join(err, os.RemoveAll(filepath.Dir(s.home))); err != nil {
		fmt.Fprintln(os.Stderr, "publish: clear up:", err)
	}
}

// keys are the credentials of the S3 server: those of the environment for one that is not started here.
func (b *bench) keys() (access, secret string) {
	if b.opts.endpoint != "" {
		return os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	}
	return accessKey, secretKey
}

// environment is what a tool gets of the environment: nothing of the user's but PATH.
func (s *stage) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + s.home, "LANG=C.UTF-8",
		"AWS_ACCESS_KEY_ID=" + s.store.access, "AWS_SECRET_ACCESS_KEY=" + s.store.secret, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_CLOUDFRONT=" + s.endpoint,
	}
	if s.env != nil {
		env = append(env, s.env(s.place)...)
	}
	return env
}

// turn lets the tool deploy once, and looks at what it has done.
func (b *bench) turn(ctx context.Context, s *stage, latency time.Duration, now *tree) (result, error) {
	s.control.Take(s.distribution)
	s.proxy.Reset(latency)
	took, said, err := perform(ctx, b.self, work{Commands: s.commands(s.place), Dir: s.home}, s.environment())
	if err != nil {
		return result{}, err
	}
	r := result{
		Tool: s.name, Latency: latency.Milliseconds(), usage: took, Counts: s.proxy.Counts(), Files: len(now.files),
		Changed: now.changed, Ours: s.ours, Said: strings.TrimSpace(said),
	}
	items := s.control.Take(s.distribution)
	r.Items, r.Invalidated = len(items), cdn.Covered(now.cacheable(), items)
	left, err := s.store.list(ctx)
	if err != nil {
		return result{}, err
	}
	r.Missing, r.Different, r.Left = now.compare(left)
	return r, nil
}
