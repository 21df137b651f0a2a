package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote/s3"
)

// mistake is one that people make. make puts it into the folder dir, which is
// empty, and returns the command line.
type mistake struct {
	name string
	make func(t *testing.T, dir string) []string
	code int
	says []string // what and where, all on standard error
	next string   // the command that the hint begins to type
}

// Every mistake that people make is made, and each has its exit code, says what
// is wrong and where, and has one hint, whose commands exist.
func TestMistakesLeadToTheNextStep(t *testing.T) {
	bare(t)
	for _, rows := range [][]mistake{onTheCommandLine, inTheProject, inTheBucket, onThisMachine, inAFleet} {
		for _, m := range rows {
			t.Run(m.name, func(t *testing.T) {
				dir := t.TempDir()
				args := m.make(t, dir)
				code, _, stderr := commandLine(t, nil, args...)
				m.check(t, code, stderr)
			})
		}
	}
}

func (m mistake) check(t *testing.T, code int, stderr string) {
	t.Helper()
	if code != m.code {
		t.Errorf("exit code %d, want %d", code, m.code)
	}
	for _, text := range m.says {
		if !strings.Contains(stderr, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	hint := theHint(t, stderr)
	commands := checkCommands(t, hint)
	if len(commands) == 0 || !strings.Contains(hint, "`"+m.next) {
		t.Errorf("the hint does not say to type %s", m.next)
	}
	if t.Failed() {
		t.Logf("standard error:\n%s", stderr)
	}
}

// theHint is the one hint of the one error.
func theHint(t *testing.T, stderr string) string {
	t.Helper()
	errors, hints := 0, []string{}
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "freshet: error: ") {
			errors++
		}
		if hint, ok := strings.CutPrefix(line, "freshet: hint: "); ok {
			hints = append(hints, hint)
		}
	}
	if errors != 1 || len(hints) != 1 {
		t.Fatalf("%d errors with %d hints:\n%s", errors, len(hints), stderr)
	}
	return hints[0]
}

// bare is a machine that knows nothing of AWS.
func bare(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CACHE_HOME": filepath.Join(home, "cache"), "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": filepath.Join(home, "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "none"),
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"FRESHET_EDGE_ACCESS_KEY_ID": "", "FRESHET_EDGE_SECRET_ACCESS_KEY": "",
		"FRESHET_CONTROL_ACCESS_KEY_ID": "", "FRESHET_CONTROL_SECRET_ACCESS_KEY": "",
	} {
		t.Setenv(name, value)
	}
}

// typed are arguments that need nothing in the folder.
func typed(args ...string) func(*testing.T, string) []string {
	return func(*testing.T, string) []string { return args }
}

// in is a command for the folder, after files have been written into it: a name
// and a text each.
func in(command string, files ...string) func(*testing.T, string) []string {
	return func(t *testing.T, dir string) []string {
		for i := 0; i < len(files); i += 2 {
			put(t, filepath.Join(dir, files[i]), files[i+1])
		}
		return append(strings.Fields(command), "-C", dir)
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const aPage = "<!doctype html>page"

var onTheCommandLine = []mistake{
	{"unknown command", typed("depoly"), exitUsage, []string{`there is no command "depoly"`}, "freshet deploy`"},
	{"no such command at all", typed("zork"), exitUsage, []string{`there is no command "zork"`}, "freshet --help"},
	{"unknown help topic", typed("help", "polisy"), exitUsage, []string{`there is no command "polisy"`}, "freshet policy"},
	{"unknown shell", typed("completion", "csh"), exitUsage, []string{`there is no command "csh"`}, "freshet completion"},
	{"unknown flag", typed("deploy", "--yess"), exitUsage, []string{"--yess"}, "freshet deploy --help` lists the flags; did you mean --yes?"},
	{"unknown letter", typed("deploy", "-x"), exitUsage, []string{"-x"}, "freshet deploy --help"},
	{"flag without its value", typed("plan", "--out"), exitUsage, []string{"--out"}, "freshet plan --help"},
	{"no duration", typed("deploy", "--wait-timeout", "ten"), exitUsage, []string{`"ten" for "--wait-timeout"`}, "freshet deploy --help"},
	{"no time to wait", typed("rollback", "--wait-timeout", "0s"), exitUsage, []string{"--wait-timeout 0s"}, "freshet rollback --wait-timeout"},
	{"argument too many", typed("deploy", "production"), exitUsage, []string{"`freshet deploy` was given 1 argument: production"}, "freshet deploy --help"},
	{"two releases", typed("rollback", "r1", "r2"), exitUsage, []string{"`freshet rollback [RELEASE]` was given 2 arguments: r1 r2"}, "freshet rollback --help"},
	{"no such folder", typed("plan", "-C", "nowhere"), exitUsage, []string{"there is no folder nowhere"}, "freshet plan -C FOLDER"},
	{"no such config", in("plan --config none.yaml"), exitUsage, []string{"none.yaml"}, "freshet plan -C"},
	{"config that is a folder", in("plan --config ."), exitUsage, []string{"read config"}, "freshet plan -C"},
	{"flags that exclude each other", in("deploy --resume --build"), exitUsage, []string{"--resume was given with --build"}, "freshet deploy"},
	{"fix", in("doctor --yes"), exitUsage, []string{"--yes is for --fix alone"}, "freshet doctor -C"},
	{"no revision", in("deploy --revision v1@noon", "index.html", aPage), exitUsage, []string{"--revision", "v1@noon"}, "freshet deploy"},
	{"no path", in("invalidate"), exitUsage, []string{"no path was given"}, "freshet invalidate"},
	{"path without slash", in("invalidate about/"), exitUsage, []string{"a path begins with a slash"}, "freshet invalidate --help"},
	{"quotes in quotes", in(`invalidate "/*"`), exitRefused, []string{"the quotes are inside the argument"}, "freshet invalidate --help"},
	{"path that is not live", in("invalidate /abuot/", "index.html", aPage), exitRefused, []string{"/abuot/ matches nothing that is live"}, "freshet status -C"},
	{"plan into no folder", in("plan --out /nowhere/at/all.json", "index.html", aPage), exitUsage, []string{"/nowhere/at/all.json"}, "freshet plan -C"},
	{"no plan", in("deploy --plan none.json", "index.html", aPage), exitUsage, []string{"none.json"}, "freshet plan -C"},
	{"fault that is none", typed("local", "--fault", "zork"), exitUsage, []string{`"zork"`}, "freshet local --help"},
	{"edge without origin", in("edge"), exitUsage, []string{"the edge has no origin"}, "freshet edge -C"},
	{"rules that are none", in("edge --origin http://127.0.0.1:1 --rules zork"), exitUsage, []string{"zork"}, "freshet edge --help"},
	{"unguarded edge", in("edge --origin http://127.0.0.1:1 --listen 127.0.0.1:0 --admin 0.0.0.0:0"), exitUsage, []string{"without credentials"}, "freshet edge -C"},
	{"dev elsewhere", in("dev --target production"), exitUsage, []string{"dev publishes to this machine only"}, "freshet deploy -C"},
	{"no address", in("dev --listen zork", "index.html", aPage), exitUsage, []string{"zork"}, "freshet dev -C"},
	{"policy of the embedded cloud", in("policy"), exitUsage, []string{"needs no policy"}, "freshet policy -C"},
	{"the shell's /*", func(t *testing.T, dir string) []string {
		names, err := filepath.Glob("/*")
		if err != nil || len(names) < 2 {
			t.Skipf("the root of this machine has %d names: %v", len(names), err)
		}
		return append([]string{"invalidate", "-C", dir}, names...)
	}, exitRefused, []string{"the shell has expanded /* into the names of", "nothing was sent"}, "freshet invalidate -C"},
}

var inTheProject = []mistake{
	{"no YAML", in("plan", "freshet.yaml", "site: [\n"), exitUsage, []string{"freshet.yaml:1:7", "1 | site: ["}, "freshet plan -C"},
	{"unknown key", in("deploy", "freshet.yaml", "site: out\nbild: x\n"), exitUsage, []string{"freshet.yaml:2:1", `did you mean "build"?`}, "freshet plan -C"},
	{"unknown target", in("deploy --target production", "freshet.yaml", "site: .\n", "index.html", aPage), exitUsage, []string{`no target "production"`}, "freshet deploy -C"},
	{"which target", in("deploy", "freshet.yaml", "site: .\ntargets:\n  a: {bucket: 's3://one-bucket'}\n  b: {bucket: 's3://two-bucket'}\n", "index.html", aPage),
		exitUsage, []string{"a, b"}, "freshet deploy -C"},
	{"empty folder", in("deploy"), exitRefused, []string{"holds no file to publish"}, "freshet deploy -C FOLDER"},
	{"empty folder, to write in", in("dev --listen 127.0.0.1:0"), exitRefused, []string{"holds no file to publish"}, "freshet dev -C FOLDER"},
	{"empty output", in("deploy", "freshet.yaml", "site: out\n", "out/.DS_Store", "x"), exitRefused, []string{"nothing to publish"}, "freshet build -C"},
	{"no output yet", in("deploy", "freshet.yaml", "site: out\nbuild: {command: make}\n"), exitRefused, []string{"out: no such file or directory"}, "freshet build -C"},
	{"init in an empty folder", in("init --yes"), exitUsage, []string{"site"}, "freshet init -C"},
	{"init again", in("init", "freshet.yaml", "site: .\n"), exitRefused, []string{"freshet.yaml is there already"}, "freshet plan -C"},
	{"nothing to build", in("build", "index.html", aPage), exitUsage, []string{"there is no build command"}, "freshet init -C"},
	{"nothing to clean", in("clean", "index.html", aPage), exitUsage, []string{"nothing is named to be cleaned"}, "freshet clean -C"},
	{"build that fails", in("deploy --build", "freshet.yaml", "site: out\nbuild: {command: 'echo broken template; exit 3'}\n"), exitFailed,
		[]string{"broken template", "exit status 3"}, "freshet build -C"},
	{"generator that is not there", in("build", "freshet.yaml", "site: out\nbuild: {command: no-such-generator}\n"), exitFailed,
		[]string{"no-such-generator", "not installed or not on PATH"}, "freshet build -C"},
	{"nothing to go back to", in("rollback", "index.html", aPage), exitRefused, []string{"nothing has been published here"}, "freshet deploy -C"},
	{"link out of the site", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "index.html"), aPage)
		if err := os.Symlink(filepath.Join(t.TempDir()), filepath.Join(dir, "out")); err != nil {
			t.Skip(err)
		}
		return []string{"deploy", "-C", dir}
	}, exitFailed, []string{"out: the symbolic link leaves the site folder"}, "freshet plan -C"},
	{"link to nothing", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "index.html"), aPage)
		if err := os.Symlink("nothing", filepath.Join(dir, "old.html")); err != nil {
			t.Skip(err)
		}
		return []string{"deploy", "-C", dir}
	}, exitFailed, []string{"old.html: the symbolic link leads nowhere"}, "freshet plan -C"},
	{"older build", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "index.html"), aPage)
		if code, _, stderr := commandLine(t, nil, "deploy", "-C", dir, "--revision", "v2@2000"); code != exitDone {
			t.Fatal(stderr)
		}
		put(t, filepath.Join(dir, "index.html"), aPage+" of yesterday")
		return []string{"deploy", "-C", dir, "--revision", "v1@1000"}
	}, exitOlder, []string{"a newer revision is live"}, "freshet deploy -C"},
}

var inTheBucket = []mistake{
	{"no credentials", aws("deploy", ""), exitFailed, []string{"s3://www.example.org", "no valid credentials: none are in the environment"}, "aws sso login"},
	{"no such profile", func(t *testing.T, dir string) []string {
		t.Setenv("AWS_PROFILE", "nobody")
		return aws("plan", "")(t, dir)
	}, exitFailed, []string{"nobody"}, "aws sso login"},
	{"wrong bucket", answering(404, "NoSuchBucket"), exitFailed, []string{"s3://www.example.org", "no such bucket"}, "freshet doctor -C"},
	{"wrong region", answering(301, "PermanentRedirect", "X-Amz-Bucket-Region", "eu-west-3"), exitFailed, []string{"set region: eu-west-3"}, "freshet doctor -C"},
	{"missing right", answering(403, "AccessDenied"), exitFailed, []string{"access denied", "s3:ListBucket on arn:aws:s3:::www.example.org"}, "freshet policy -C"},
	{"expired token", answering(400, "ExpiredToken"), exitFailed, []string{"the credentials have expired"}, "aws sso login"},
	{"wrong key", answering(403, "InvalidAccessKeyId"), exitFailed, []string{"no valid credentials"}, "aws sso login"},
	{"wrong clock", answering(403, "RequestTimeTooSkewed"), exitFailed, []string{"the clock of this machine is wrong"}, "timedatectl"},
	{"full store", answering(507, "InsufficientStorage"), exitFailed, []string{"the store is full"}, "df -h"},
	{"no store of this kind", answering(501, "NotImplemented"), exitFailed, []string{"not supported by this service"}, "freshet doctor -C"},
	{"two at once", twoAtOnce, exitBusy, []string{"another deploy holds the lock", "ada@fjord"}, "freshet status -C"},
	{"gone distribution", func(t *testing.T, dir string) []string {
		c := embeddedCloud(t)
		return elsewhere(t, dir, c.Info(), "ENOTTHERE")
	}, exitUsage, []string{"ENOTTHERE"}, "freshet doctor -C"},
	{"invalidation that is not waited for", func(t *testing.T, dir string) []string {
		c := embeddedCloud(t)
		return append(elsewhere(t, dir, c.Info(), c.Info().Distribution), "--no-wait")
	}, exitPending, nil, "freshet deploy -C"},
}

var onThisMachine = []mistake{
	{"port of local", func(t *testing.T, dir string) []string {
		return []string{"local", "-C", dir, "--s3", "127.0.0.1:0", "--control", "127.0.0.1:0", "--console", "127.0.0.1:0", "--edge", taken(t)}
	}, exitFailed, []string{"address already in use"}, "freshet local -C"},
	{"port of dev", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "index.html"), aPage)
		return []string{"dev", "-C", dir, "--listen", taken(t)}
	}, exitFailed, []string{"address already in use"}, "freshet dev -C"},
	{"port of edge", func(t *testing.T, dir string) []string {
		return []string{"edge", "-C", dir, "--origin", "http://127.0.0.1:1", "--listen", taken(t)}
	}, exitFailed, []string{"address already in use"}, "freshet edge -C"},
	{"data in a file", func(t *testing.T, dir string) []string {
		put(t, filepath.Join(dir, "index.html"), aPage)
		return []string{"deploy", "-C", dir, "--data", filepath.Join(dir, "index.html")}
	}, exitFailed, []string{"index.html"}, "freshet deploy -C"},
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// aws is a command for a target as people write it, at endpoint or at AWS.
func aws(command, endpoint string) func(*testing.T, string) []string {
	config := "site: site\ntargets:\n  production:\n    bucket: s3://www.example.org\n    region: eu-central-1\n"
	if endpoint != "" {
		config += "    endpoint: " + endpoint + "\n"
	}
	return in(command, "freshet.yaml", config, "site/index.html", aPage)
}

// answering is a deploy to a store that answers everything with one error.
func answering(status int, code string, headers ...string) func(*testing.T, string) []string {
	return func(t *testing.T, dir string) []string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>said the store</Message></Error>")
			}
		}))
		t.Cleanup(server.Close)
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		return aws("deploy", server.URL)(t, dir)
	}
}

// embeddedCloud runs until the test ends.
func embeddedCloud(t *testing.T) *cloud.Cloud {
	t.Helper()
	c, err := cloud.Start(t.Context(), cloud.Options{
		Dir: t.TempDir(), Addresses: cloud.Addresses{S3: anyPort, Control: anyPort, Edge: anyPort}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// elsewhere is a deploy of dir to c as if it were AWS.
func elsewhere(t *testing.T, dir string, c cloud.Info, distribution string) []string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretAccessKey)
	put(t, filepath.Join(dir, "site", "index.html"), aPage)
	put(t, filepath.Join(dir, "freshet.yaml"), fmt.Sprintf(
		"site: site\ntargets:\n  production:\n    bucket: s3://%s\n    region: %s\n    endpoint: %s\n    cloudfront-endpoint: %s\n    distribution: %s\n",
		c.Bucket, cloud.Region, c.S3, c.Control, distribution))
	return []string{"deploy", "-C", dir}
}

// twoAtOnce is a deploy to a bucket whose lock somebody holds.
func twoAtOnce(t *testing.T, dir string) []string {
	c := embeddedCloud(t).Info()
	args := elsewhere(t, dir, c, c.Distribution)
	store, err := s3.Open(t.Context(), s3.Options{
		Bucket: c.Bucket, Region: cloud.Region, Endpoint: c.S3, Isolated: true,
		Credentials: s3.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	record, err := release.Open(t.Context(), store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hold, err := record.Lock(t.Context(), release.LockOptions{Writer: "ada@fjord"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Release(t.Context()) }) // the cloud goes with it
	return append(args, "--lock-timeout", "1ms")
}
