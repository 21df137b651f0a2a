//go:build unix

package fleetenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Deployer publishes a Site by `freshet deploy`, again and again, as one publisher does.
type Deployer struct {
	fleet *Fleet
	site  *Site
	dir   string
	env   []string

	// mu guards what follows; held for field access only.
	mu    sync.Mutex
	exits map[int]int // by exit code; -1: killed
	last  time.Duration
	said  []string           // by those that did not exit 0
	kill  context.CancelFunc // of the deploy under way
	doom  time.Duration      // after which the next one is killed; 0: not at all
}

// NewDeployer writes the config, for a bucket, an address of the API and one of viewers, and makes the site's folder.
func (f *Fleet) NewDeployer(dir, api, viewers string) (*Deployer, error) {
	d := &Deployer{fleet: f, dir: dir, exits: map[int]int{}, kill: func() {}}
	if err := os.MkdirAll(filepath.Join(dir, "out"), 0o755); err != nil {
		return nil, err
	}
	scheme, _ := f.secrets.scheme()
	config := fmt.Sprintf("site: out\ntargets:\n  fleet:\n    bucket: s3://%s\n    endpoint: %s\n    distribution: auto\n    cloudfront-endpoint: %s\n    url: http://%s\n",
		bucketName, f.Store.URL, scheme+api, viewers)
	d.env = append(os.Environ(), f.Store.env()...)
	d.env = append(d.env, "NO_COLOR=1", "HOME="+dir)
	if f.secrets != nil {
		d.env = append(d.env, "AWS_CA_BUNDLE="+f.secrets.file("ca.pem"))
	}
	var err error
	if d.site, err = NewSite(filepath.Join(dir, "out")); err != nil {
		return nil, err
	}
	return d, os.WriteFile(filepath.Join(dir, "freshet.yaml"), []byte(config), 0o600)
}

// Deploy publishes the folder as it is, and returns the exit code; -1 where it was killed. wait is its --wait-timeout.
func (d *Deployer) Deploy(ctx context.Context, wait time.Duration) (code int, said string) {
	n := d.site.begin()
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	d.mu.Lock()
	d.kill = kill
	if d.doom > 0 {
		doomed := time.AfterFunc(d.doom, kill)
		defer doomed.Stop()
		d.doom = 0
	}
	d.mu.Unlock()
	cmd := exec.CommandContext(ctx, d.fleet.opts.Program, "-C", d.dir, "deploy", "--yes", "--wait-timeout", wait.String())
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, &out, &out
	dieWithParent(cmd)
	began := time.Now()
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		code = -1
	}
	if code == 0 {
		d.site.published(n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exits[code]++
	d.last = time.Since(began)
	if code != 0 {
		d.said = append(d.said, fmt.Sprintf("%s deploy %d, begun %v before, exits %d: %s", time.Now().Format("15:04:05.000"), n, d.last.Round(time.Millisecond), code, tail(out.String())))
	}
	return code, out.String()
}

// tail is the end of what a program said, in one line.
func tail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[max(0, len(s)-500):]
}

// Kill kills the deploy that is under way, if there is one.
func (d *Deployer) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
}

// Doom has the next deploy killed, so long after its start.
func (d *Deployer) Doom(after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doom = after
}

// Exits is how many deploys there were by exit code, and what those said that did not exit 0.
func (d *Deployer) Exits() (exits map[int]int, said []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	exits = map[int]int{}
	for code, n := range d.exits {
		exits[code] = n
	}
	return exits, append([]string(nil), d.said...)
}

// Done is how many deploys have exited 0.
func (d *Deployer) Done() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.exits[0]
}
