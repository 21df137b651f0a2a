//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is the user that root becomes, who may do everything.
const nobody = 65534

// notRoot runs freshet as somebody who may not do everything, in a folder that is
// that user's.
func notRoot(t *testing.T) (dir string, freshet func(args ...string) (int, string)) {
	t.Helper()
	program, err := exec.LookPath("freshet") // TestMain has put it there
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		as = &syscall.Credential{Uid: nobody, Gid: nobody}
		dir = public(t)
		program = copied(t, program, filepath.Join(public(t), "freshet"))
	}
	home := filepath.Join(dir, "home")
	for _, d := range []string{home, filepath.Join(dir, "site")} {
		own(t, d, func(name string) error { return os.Mkdir(name, 0o755) })
	}
	return dir, func(args ...string) (int, string) {
		cmd := exec.Command(program, args...)
		var stderr bytes.Buffer
		cmd.Dir, cmd.Stderr, cmd.SysProcAttr = dir, &stderr, &syscall.SysProcAttr{Credential: as}
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), stderr.String()
	}
}

// public is a folder that everybody can reach; t.TempDir's parent is not.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "freshet-mistakes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// own makes name and gives it to nobody, where this is root.
func own(t *testing.T, name string, make func(string) error) {
	t.Helper()
	if err := make(name); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(name, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

func copied(t *testing.T, from, to string) string {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}

// What may not be read or written is named, with the way round it.
func TestMistakesOfPermission(t *testing.T) {
	dir, freshet := notRoot(t)
	write := func(name string, mode os.FileMode) {
		own(t, filepath.Join(dir, name), func(path string) error { return os.WriteFile(path, []byte(aPage), mode) })
	}
	write("site/index.html", 0o644)
	own(t, filepath.Join(dir, "shut"), func(name string) error { return os.Mkdir(name, 0o755) })
	write("shut/index.html", 0o644)
	if err := os.Chmod(filepath.Join(dir, "shut"), 0o555); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		mistake
		args []string
		file string // that cannot be read, "" for none
	}{
		{mistake{name: "read-only folder", code: exitFailed, says: []string{"shut/.freshet", "permission denied"}, next: "freshet deploy -C shut --data FOLDER"},
			[]string{"deploy", "-C", "shut"}, ""},
		{mistake{name: "init in a read-only folder", code: exitFailed, says: []string{"shut/", "permission denied"}, next: "freshet init -C shut --dry-run"},
			[]string{"init", "--yes", "-C", "shut"}, ""},
		{mistake{name: "unreadable file", code: exitFailed, says: []string{"secret.html", "permission denied"}, next: "freshet plan -C site"},
			[]string{"deploy", "-C", "site"}, "site/secret.html"},
		{mistake{name: "unreadable config", code: exitFailed, says: []string{"freshet.yaml", "permission denied"}, next: "ls -ld"},
			[]string{"plan", "-C", "."}, "freshet.yaml"},
		{mistake{name: "a port for root", code: exitFailed, says: []string{":1"}, next: "freshet dev -C site --listen"},
			[]string{"dev", "-C", "site", "--listen", "127.0.0.1:1"}, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.file != "" {
				write(r.file, 0)
				defer os.Remove(filepath.Join(dir, r.file))
			}
			if r.name == "a port for root" && openPorts() {
				t.Skip("this machine lets everybody listen on port 1")
			}
			code, stderr := freshet(r.args...)
			r.check(t, code, stderr)
		})
	}
}

// openPorts reports a machine where low ports are for everybody, as in some
// containers. ip(7), ip_unprivileged_port_start, read 2026-11
func openPorts() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	return err == nil && strings.TrimSpace(string(text)) == "0"
}

// onFullDisk runs a line of the shell in a folder on a disk of its own of 64 KB, in
// namespaces of its own; it skips where the system does not let us.
func onFullDisk(t *testing.T, line string) (code int, stderr string) {
	t.Helper()
	if err := exec.Command("unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt").Run(); err != nil {
		t.Skipf("no disk can be made here: %v", err)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "site", "index.html"), aPage)
	put(t, filepath.Join(dir, "site", "film.bin"), strings.Repeat("0123456789abcdef", 20<<10))
	if err := os.Mkdir(filepath.Join(dir, "disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs disk && { "+line+"; }")
	var out bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestMistakesOfFullDisks(t *testing.T) {
	bare(t)
	rows := []struct {
		mistake
		line string
	}{
		{mistake{name: "under the embedded bucket", code: exitFailed, says: []string{"disk"}, next: "df -h"}, "freshet deploy -C site --data disk/data"},
		{mistake{name: "under a plan", code: exitFailed, says: []string{"disk/plan.json", "no space left on device"}, next: "df -h"},
			"head -c 100000 /dev/zero > disk/full 2> /dev/null; freshet plan -C site --out disk/plan.json"},
		{mistake{name: "under a config", code: exitFailed, says: []string{"no space left on device"}, next: "df -h"},
			"cp site/index.html disk; head -c 100000 /dev/zero > disk/full 2> /dev/null; freshet init --yes -C disk"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			code, stderr := onFullDisk(t, r.line)
			r.check(t, code, stderr)
		})
	}
}
