package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// awsCLI runs the real AWS CLI against a server.
type awsCLI struct {
	t   *testing.T
	f   *fixture
	dir string
}

// newCLI skips the test where the AWS CLI is missing, and fails it instead where FRESHET_REQUIRE_JUDGES=1.
func newCLI(t *testing.T, f *fixture) *awsCLI {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		if os.Getenv("FRESHET_REQUIRE_JUDGES") == "1" {
			t.Fatal("the AWS CLI (aws) is required and missing")
		}
		t.Skip("the AWS CLI (aws) is missing")
	}
	return &awsCLI{t, f, t.TempDir()}
}

// try runs one `aws cloudfront` command and returns what it printed.
func (c *awsCLI) try(args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(c.t.Context(), "aws", append([]string{"cloudfront"}, args...)...)
	cmd.Dir = c.dir
	// Nothing of the machine's own AWS settings may reach the test.
	own := func(v string) bool { return strings.HasPrefix(v, "AWS_") }
	cmd.Env = append(slices.DeleteFunc(os.Environ(), own),
		"AWS_ACCESS_KEY_ID="+testCredentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+testCredentials.SecretAccessKey,
		"AWS_DEFAULT_REGION=eu-central-1", "AWS_PAGER=",
		"AWS_CONFIG_FILE="+filepath.Join(c.dir, "no-config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(c.dir, "no-credentials"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1")
	cmd.Args = append(cmd.Args, "--endpoint-url", c.f.url, "--output", "json")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// run fails the test when the command fails, and reads its output as JSON into a tree.
func (c *awsCLI) run(args ...string) map[string]any {
	c.t.Helper()
	stdout, stderr, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("aws cloudfront %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	if strings.TrimSpace(stdout) == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		c.t.Fatalf("aws cloudfront %s printed %q: %v", strings.Join(args, " "), stdout, err)
	}
	return v
}

// at walks a tree of JSON objects and arrays.
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			a, _ := v.([]any)
			if s >= len(a) {
				return nil
			}
			v = a[s]
		}
	}
	return v
}

func wantAt(t *testing.T, v any, want any, path ...any) {
	t.Helper()
	if diff := cmp.Diff(at(v, path...), want); diff != "" {
		t.Errorf("%v (-got +want):\n%s", path, diff)
	}
}

// The commands of spec: cloudfront 9, row 1, and their neighbours, by the real AWS CLI.
func TestCLIInvalidations(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	c := newCLI(t, f)
	created := c.run("create-invalidation", "--distribution-id", f.dist.ID, "--paths", "/*")
	wantAt(t, created, "InProgress", "Invalidation", "Status")
	wantAt(t, created, []any{"/*"}, "Invalidation", "InvalidationBatch", "Paths", "Items")
	wantAt(t, created, 1.0, "Invalidation", "InvalidationBatch", "Paths", "Quantity")
	id, _ := at(created, "Invalidation", "Id").(string)
	wantAt(t, created, f.url+"/2020-05-31/distribution/"+f.dist.ID+"/invalidation/"+id, "Location")

	c.run("wait", "invalidation-completed", "--distribution-id", f.dist.ID, "--id", id)
	wantAt(t, c.run("get-invalidation", "--distribution-id", f.dist.ID, "--id", id), "Completed", "Invalidation", "Status")

	several := c.run("create-invalidation", "--distribution-id", f.dist.ID, "--paths", "/index.html", "/a*b", "/x?y=1&z=2", "#tag")
	wantAt(t, several, []any{"/index.html", "/a*b", "/x?y=1&z=2", "#tag"}, "Invalidation", "InvalidationBatch", "Paths", "Items")
	newest, _ := at(several, "Invalidation", "Id").(string)

	listed := c.run("list-invalidations", "--distribution-id", f.dist.ID, "--page-size", "1")
	wantAt(t, listed, newest, "InvalidationList", "Items", 0, "Id")
	wantAt(t, listed, id, "InvalidationList", "Items", 1, "Id")
	page := c.run("list-invalidations", "--distribution-id", f.dist.ID, "--no-paginate", "--max-items", "1")
	wantAt(t, page, true, "InvalidationList", "IsTruncated")
	wantAt(t, page, newest, "InvalidationList", "NextMarker")

	_, stderr, err := c.try("create-invalidation", "--distribution-id", f.dist.ID, "--paths", "index.html")
	// Version 2 puts the number of retries between the two.
	if err == nil || !strings.Contains(stderr, "An error occurred (InvalidArgument) when calling the CreateInvalidation operation") ||
		!strings.Contains(stderr, ": Your request contains one or more invalid invalidation paths.") {
		t.Errorf("a path without a slash: %v %q", err, stderr)
	}
	_, stderr, err = c.try("list-functions")
	if err == nil || !strings.Contains(stderr, "(UnsupportedOperation)") {
		t.Errorf("an operation that is not supported: %v %q", err, stderr)
	}
}

// get-distribution-config, edited as JSON, goes back by update-distribution; spec: cloudfront 5.9.
func TestCLIDistribution(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	c := newCLI(t, f)
	wantAt(t, c.run("get-distribution", "--id", f.dist.ID), "Deployed", "Distribution", "Status")
	wantAt(t, c.run("list-distributions"), f.dist.ID, "DistributionList", "Items", 0, "Id")
	wantAt(t, c.run("get-cache-policy", "--id", "658327ea-f89d-4fab-a63d-7e88639e58f6"), "CachingOptimized", "CachePolicy", "CachePolicyConfig", "Name")

	read := c.run("get-distribution-config", "--id", f.dist.ID)
	config, _ := read["DistributionConfig"].(map[string]any)
	config["Comment"] = "edited & <changed>"
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	etag, _ := read["ETag"].(string)
	updated := c.run("update-distribution", "--id", f.dist.ID, "--if-match", etag, "--distribution-config", "file://config.json")
	wantAt(t, updated, config, "Distribution", "DistributionConfig")
	again := c.run("get-distribution-config", "--id", f.dist.ID)
	wantAt(t, again, config, "DistributionConfig")
	if again["ETag"] == etag {
		t.Error("the version did not change")
	}
	_, stderr, err := c.try("update-distribution", "--id", f.dist.ID, "--if-match", etag, "--distribution-config", "file://config.json")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(stderr, "(PreconditionFailed)") {
		t.Errorf("an old version: %v %q", err, stderr)
	}
}
