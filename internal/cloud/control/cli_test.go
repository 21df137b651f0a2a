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

// file writes JSON for a command's argument and returns it as file://….
func (c *awsCLI) file(name string, v any) string {
	c.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return "file://" + name
}

type object = map[string]any

// The life of a distribution: made by the short form, which has legacy settings (spec: cloudfront 1.8), changed, tagged,
// disabled, deleted.
func TestCLIDistributionLife(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	c := newCLI(t, f)
	made := c.run("create-distribution", "--origin-domain-name", "docs.s3.amazonaws.com", "--default-root-object", "index.html")
	id, _ := at(made, "Distribution", "Id").(string)
	wantAt(t, made, "InProgress", "Distribution", "Status")
	wantAt(t, made, f.url+"/2020-05-31/distribution/"+id, "Location")
	wantAt(t, made, "docs.s3.amazonaws.com", "Distribution", "DistributionConfig", "Origins", "Items", 0, "DomainName")
	if at(made, "Distribution", "DistributionConfig", "DefaultCacheBehavior", "ForwardedValues") == nil {
		t.Error("the legacy settings are gone")
	}
	f.deployed(t, id)
	off := c.run("update-distribution", "--id", id, "--if-match", made["ETag"].(string), "--distribution-config", c.file("off.json", func() any {
		cfg := at(made, "Distribution", "DistributionConfig").(object)
		cfg["Enabled"] = false
		return cfg
	}()))
	f.deployed(t, id)
	_, stderr, err := c.try("delete-distribution", "--id", id, "--if-match", "E1")
	if err == nil || !strings.Contains(stderr, "(PreconditionFailed)") {
		t.Errorf("delete an old version: %v %q", err, stderr)
	}
	c.run("delete-distribution", "--id", id, "--if-match", off["ETag"].(string))

	cfg := at(made, "Distribution", "DistributionConfig").(object)
	cfg["CallerReference"] = "with tags"
	tagged := c.run("create-distribution-with-tags", "--distribution-config-with-tags", c.file("tags.json", object{
		"DistributionConfig": cfg, "Tags": object{"Items": []object{{"Key": "team", "Value": "web"}}},
	}))
	arn := at(tagged, "Distribution", "ARN").(string)
	c.run("tag-resource", "--resource", arn, "--tags", "Items=[{Key=env,Value=test}]")
	c.run("untag-resource", "--resource", arn, "--tag-keys", "Items=[team]")
	wantAt(t, c.run("list-tags-for-resource", "--resource", arn), []any{object{"Key": "env", "Value": "test"}}, "Tags", "Items")
	_, stderr, err = c.try("create-distribution-with-tags", "--distribution-config-with-tags", "file://tags.json")
	if err == nil || !strings.Contains(stderr, "(DistributionAlreadyExists)") {
		t.Errorf("the same reference: %v %q", err, stderr)
	}
}

// The life of the three kinds of policies; what comes back is what was sent.
func TestCLIPolicies(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	c := newCLI(t, f)
	for _, row := range []struct {
		kind, element, plural string
		config                object
	}{
		{"cache-policy", "CachePolicy", "cache-policies", object{
			"Name": "mine", "Comment": "", "MinTTL": 1.0, "DefaultTTL": 2.0, "MaxTTL": 3.0, "ParametersInCacheKeyAndForwardedToOrigin": object{
				"EnableAcceptEncodingGzip": true, "EnableAcceptEncodingBrotli": false,
				"HeadersConfig":      object{"HeaderBehavior": "whitelist", "Headers": object{"Quantity": 1.0, "Items": []any{"Origin"}}},
				"CookiesConfig":      object{"CookieBehavior": "all"},
				"QueryStringsConfig": object{"QueryStringBehavior": "allExcept", "QueryStrings": object{"Quantity": 1.0, "Items": []any{"a&b"}}},
			},
		}},
		{"origin-request-policy", "OriginRequestPolicy", "origin-request-policies", object{
			"Name": "mine", "HeadersConfig": object{"HeaderBehavior": "allViewer"}, "CookiesConfig": object{"CookieBehavior": "none"},
			"QueryStringsConfig": object{"QueryStringBehavior": "all"},
		}},
		{"response-headers-policy", "ResponseHeadersPolicy", "response-headers-policies", object{
			"Name": "mine", "SecurityHeadersConfig": object{"FrameOptions": object{"FrameOption": "DENY", "Override": true}},
			"CustomHeadersConfig": object{"Quantity": 1.0, "Items": []any{object{"Header": "X-A", "Value": "<&>", "Override": true}}},
			"CorsConfig": object{
				"AccessControlAllowOrigins": object{"Quantity": 1.0, "Items": []any{"*"}}, "AccessControlAllowHeaders": object{"Quantity": 1.0, "Items": []any{"*"}},
				"AccessControlAllowMethods": object{"Quantity": 1.0, "Items": []any{"ALL"}}, "AccessControlAllowCredentials": false, "OriginOverride": true,
			},
			"ServerTimingHeadersConfig": object{"Enabled": true, "SamplingRate": 12.5},
		}},
	} {
		file := c.file(row.kind+".json", row.config)
		made := c.run("create-"+row.kind, "--"+row.kind+"-config", file)
		id, _ := at(made, row.element, "Id").(string)
		wantAt(t, made, row.config, row.element, row.element+"Config")
		wantAt(t, c.run("get-"+row.kind, "--id", id), row.config, row.element, row.element+"Config")
		wantAt(t, c.run("get-"+row.kind+"-config", "--id", id), row.config, row.element+"Config")
		put := c.run("update-"+row.kind, "--id", id, "--if-match", made["ETag"].(string), "--"+row.kind+"-config", file)
		wantAt(t, c.run("list-"+row.plural, "--type", "custom"), id, row.element+"List", "Items", 0, row.element, "Id")
		wantAt(t, c.run("list-distributions-by-"+row.kind+"-id", "--"+row.kind+"-id", id), 0.0, "DistributionIdList", "Quantity")
		c.run("delete-"+row.kind, "--id", id, "--if-match", put["ETag"].(string))
		_, stderr, err := c.try("get-"+row.kind, "--id", id)
		if err == nil || !strings.Contains(stderr, "(NoSuch"+row.element+")") {
			t.Errorf("get what was deleted: %v %q", err, stderr)
		}
	}
}
