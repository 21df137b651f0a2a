package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/cloud"
)

// net/http waits half a second before it closes a connection that it has
// refused.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const anyPort = "127.0.0.1:0"

func options(dir string) cloud.Options {
	return cloud.Options{Dir: dir, Addresses: cloud.Addresses{S3: anyPort, Control: anyPort, Edge: anyPort, Console: anyPort}}
}

func start(t *testing.T, opts cloud.Options) *cloud.Cloud {
	t.Helper()
	c, err := cloud.Start(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stop(t *testing.T, c *cloud.Cloud) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestartFindsEverythingAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first := start(t, options(dir))
	before := first.Info()
	stop(t, first)
	second := start(t, options(dir))
	defer stop(t, second)
	after := second.Info()
	if before.Distribution != after.Distribution || before.AccessKeyID != after.AccessKeyID || before.SecretAccessKey != after.SecretAccessKey {
		t.Errorf("after a restart %+v, before it %+v", after.Distribution, before.Distribution)
	}
	other := start(t, options(t.TempDir()))
	defer stop(t, other)
	if other.Info().SecretAccessKey == after.SecretAccessKey || other.Info().Distribution == after.Distribution {
		t.Error("two folders share their secret or their distribution")
	}
}

func TestSecretsAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	opts := options(dir)
	opts.Announce = true
	c := start(t, opts)
	defer stop(t, c)
	for _, name := range []string{"credentials.json", "running.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if perm := info.Mode().Perm(); perm != 0o600 {
			t.Errorf("%s has the mode %o, want 600", name, perm)
		}
	}
	if text := fmt.Sprint(c.Info()); strings.Contains(text, c.Info().SecretAccessKey) {
		t.Errorf("Info prints its secret: %q", text)
	}
}

func TestEverythingListensOnThisMachine(t *testing.T) {
	c := start(t, options(t.TempDir()))
	defer stop(t, c)
	for _, base := range []string{c.Info().S3, c.Info().Control, c.Info().Edge, c.Info().Console} {
		host, _, err := net.SplitHostPort(base[len("http://"):])
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s is not on the loopback: %v", base, err)
		}
		res, err := http.Get(base + "/")
		if err != nil {
			t.Errorf("%s does not answer: %v", base, err)
			continue
		}
		_ = res.Body.Close()
	}
}

func TestOneProcessAFolder(t *testing.T) {
	dir := t.TempDir()
	c := start(t, options(dir))
	defer stop(t, c)
	if _, err := cloud.Start(context.Background(), options(dir)); !errors.Is(err, cloud.ErrInUse) {
		t.Errorf("a second start: %v, want ErrInUse", err)
	}
}

func TestAddressInUse(t *testing.T) {
	c := start(t, options(t.TempDir()))
	defer stop(t, c)
	opts := options(t.TempDir())
	opts.Addresses.Edge = c.Info().Edge[len("http://"):]
	_, err := cloud.Start(context.Background(), opts)
	var taken *cloud.ListenError
	if !errors.As(err, &taken) || taken.Flag != "edge" {
		t.Errorf("start on a taken port: %v", err)
	}
}

func TestFind(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	if _, running, err := cloud.Find(ctx, dir); running || err != nil {
		t.Fatalf("nothing runs yet: %v, %v", running, err)
	}
	opts := options(dir)
	opts.Announce = true
	c := start(t, opts)
	if info, running, err := cloud.Find(ctx, dir); !running || err != nil || info != c.Info() {
		t.Errorf("Find = %v, %v, %v", info, running, err)
	}
	left, err := os.ReadFile(filepath.Join(dir, "running.json"))
	if err != nil {
		t.Fatal(err)
	}
	stop(t, c)
	if _, running, err := cloud.Find(ctx, dir); running || err != nil {
		t.Errorf("after the end: %v, %v", running, err)
	}
	// What a killed process leaves behind does not count.
	if err := os.WriteFile(filepath.Join(dir, "running.json"), left, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, running, err := cloud.Find(ctx, dir); running || err != nil {
		t.Errorf("after a kill: %v, %v", running, err)
	}
}

// TestCloseDoesNotWaitForIdleConnections: clients dial ahead, and nobody waits
// five seconds for a connection on which nothing was asked.
func TestCloseDoesNotWaitForIdleConnections(t *testing.T) {
	c := start(t, options(t.TempDir()))
	conn, err := net.Dial("tcp", c.Info().Edge[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	time.Sleep(50 * time.Millisecond) // until the server has accepted it; later is no failure
	began := time.Now()
	stop(t, c)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("Close took %s", took)
	}
}
