package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	day   = time.Date(2026, 11, 22, 18, 30, 0, 0, time.UTC)
	files = []file{{"freshet", []byte("program"), 0o755}, {"man/man1/freshet.1", []byte(".TH"), 0o644}}
)

func TestArchivesAreTheSameEveryDay(t *testing.T) {
	for name, pack := range map[string]func(string, []file, time.Time) ([]byte, error){"tar.gz": targz, "zip": zipped} {
		first, err := pack("freshet_1", files, day)
		if err != nil {
			t.Fatal(err)
		}
		second, err := pack("freshet_1", files, day.In(time.FixedZone("", 3600)).UTC())
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: two runs differ (%v)", name, err)
		}
	}
}

func TestTarGz(t *testing.T) {
	packed, err := targz("freshet_1", files, day)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for archive := tar.NewReader(plain); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, head.Name+" "+head.FileInfo().Mode().String()+" "+head.ModTime.UTC().Format(time.RFC3339)+" "+string(text))
	}
	want := []string{
		"freshet_1/freshet -rwxr-xr-x 2026-11-22T18:30:00Z program",
		"freshet_1/man/man1/freshet.1 -rw-r--r-- 2026-11-22T18:30:00Z .TH",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestZip(t *testing.T) {
	packed, err := zipped("freshet_1", files, day)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.File) != 2 || archive.File[0].Name != "freshet_1/freshet" || archive.File[0].Mode() != 0o755 || !archive.File[0].Modified.Equal(day) {
		t.Errorf("got %d files, the first %+v", len(archive.File), archive.File[0].FileHeader)
	}
}

// The list of parts of a real program, this test itself, names every module in
// it with a version and a sum.
func TestBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bom(info, []byte("program"), day)
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "CycloneDX" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.SerialNumber) {
		t.Errorf("format %q, serial number %q", got.Format, got.SerialNumber)
	}
	if len(got.Components) != len(info.Deps)+1 || len(got.Dependencies[0].DependsOn) != len(got.Components) {
		t.Errorf("%d components, %d dependencies, the program has %d modules", len(got.Components), len(got.Dependencies[0].DependsOn), len(info.Deps))
	}
	for _, c := range got.Components {
		if !strings.HasPrefix(c.PURL, "pkg:golang/") || !strings.HasSuffix(c.PURL, "@"+c.Version) || c.Ref != c.PURL {
			t.Errorf("component %+v", c)
		}
		if c.Name != "stdlib" && (len(c.Properties) == 0 || !strings.HasPrefix(c.Properties[0].Value, "h1:")) {
			t.Errorf("%s has no sum", c.Name)
		}
	}
	if m := got.Metadata; m.Timestamp != "2026-11-22T18:30:00Z" || m.Component.Hashes[0].Content != "1310ca2c8932dbd118668bd97442558a3e1f546b5e15c69699dfbd6024f548d8" {
		t.Errorf("metadata %+v", m)
	}
}

func TestSumsAreReadBySha256sum(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(dir); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("sha256sum is not installed")
	}
	cmd := exec.Command(program, "--check", "--strict", "SHA256SUMS")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "a: OK\nb: OK\n" {
		t.Errorf("%v: %s", err, out)
	}
}
