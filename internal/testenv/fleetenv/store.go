//go:build unix

package fleetenv

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bucketName is of the bucket that a Store keeps the site in.
const bucketName = "site"

// Store is an S3 store as a process of its own, which nothing is done to: that of `freshet local`.
type Store struct {
	*Process
	URL         string // endpoint
	id, secret  string // keys
	environment string // folder without AWS configuration
}

// layStore lays the store out; its keys are known once it runs.
func (f *Fleet) layStore() error {
	ports, err := f.freePorts(1)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.opts.Dir, "store")
	f.Store = &Store{URL: "http://" + ports[0], environment: dir, Process: &Process{Name: "store", Dir: dir, args: []string{
		f.opts.Program, "local", "--data", filepath.Join(dir, "data"), "--json", "--s3", ports[0], "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--console", "127.0.0.1:0",
	}}}
	return os.MkdirAll(dir, 0o700)
}

// startStore starts it, and tells the edges its keys.
func (f *Fleet) startStore(ctx context.Context) error {
	if err := f.Store.Start(); err != nil {
		return err
	}
	if err := f.Store.await(ctx); err != nil {
		return err
	}
	for _, e := range f.Edges {
		e.env = f.Store.env()
	}
	if f.secrets != nil { // a publisher has one pair of keys
		f.secrets.signer = signer{f.Store.id, f.Store.secret}
		for _, c := range f.Controls {
			c.env = f.secrets.signer.env()
		}
	}
	return nil
}

// await reads the line that says that the store is ready.
func (s *Store) await(ctx context.Context) error {
	for {
		for line := range strings.Lines(s.Output()) {
			var ready struct {
				ID     string `json:"access_key_id"`
				Secret string `json:"secret_access_key"`
			}
			if json.Unmarshal([]byte(line), &ready) == nil && ready.Secret != "" {
				s.id, s.secret = ready.ID, ready.Secret
				return nil
			}
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the store: %w; it said:\n%s", err, s.Output())
		}
	}
}

// env is the environment of a process that uses the store.
func (s *Store) env() []string {
	none := filepath.Join(s.environment, "none")
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.id, "AWS_SECRET_ACCESS_KEY=" + s.secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none,
	}
}
