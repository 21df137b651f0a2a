// Package archtest holds freshet's layers as a test: which package may import
// which, who may use the big libraries, and which packages are pure. A new
// arrow is one reviewed line in the table below.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/freshet/freshet/"

// allowed maps each package, by its path below internal/, to the packages of
// this module that its code (not its tests) may import. Arrows point down; the
// towers publish and cloud never touch.
var allowed = map[string][]string{
	"site":    {},
	"durable": {},
	"nearest": {},
	"crash":   {},

	// presence says whether a process of this machine is gone.
	"presence": {},

	"publish/rules":              {"site"},
	"publish/invalidation":       {"site", "publish/invalidation/cover"},
	"publish/invalidation/cover": {},
	"publish/lint":               {"site", "publish/invalidation"},
	"publish/scan":               {"site", "publish/scan/hashes"},
	"publish/scan/hashes":        {"site"},
	"publish/remote":             {"site"},
	"publish/ledger":             {"crash", "durable", "publish/remote"},
	"publish/release":            {"crash", "site", "publish/remote"},
	"publish/plan":               {"site", "publish/rules", "publish/invalidation", "publish/release"},
	"publish/deploy": {
		"crash", "site", "publish/rules", "publish/scan", "publish/remote", "publish/release", "publish/plan",
		"publish/invalidation",
	},
	"publish/remote/session":    {"publish/remote"},
	"publish/remote/s3":         {"crash", "site", "publish/remote", "publish/remote/session", "publish/remote/s3/listing", "publish/remote/s3/wire"},
	"publish/remote/s3/listing": {},
	"publish/remote/s3/wire":    {},
	"publish/remote/cloudfront": {"site", "publish/remote", "publish/remote/session"},
	"publish/remote/memory":     {"site", "publish/remote"},
	"publish/remote/readonly":   {"site", "publish/remote"},
	"publish/remote/viewer":     {"site", "publish/remote"},
	"publish/remote/remotetest": {"site", "publish/remote"},

	"project/config":          {"nearest"},
	"project/detect":          {"project/habit"},
	"project/habit":           {},
	"project/schema":          {"project/config"},
	"project/schema/generate": {"project/schema"},
	"project/setup":           {"durable", "project/config", "project/detect", "project/habit", "project/schema"},
	"project/build":           {},
	"project/dev":             {},

	"project/revision": {},

	"cloud/objects":    {"durable"},
	"cloud/control":    {"durable", "cloud/fleet"},
	"cloud/edge/purge": {},
	"cloud/edge/disk":  {"durable", "cloud/edge/purge"},
	"cloud/edge":       {"cloud/edge/disk", "cloud/edge/front", "cloud/edge/purge"},
	"cloud/edge/front": {},
	"cloud/console":    {"cloud/console/releases", "cloud/control", "cloud/edge"},

	// cloud/console/releases is the cloud's own reading of the record that publish/release writes: docs/state.md is where they meet.
	"cloud/console/releases": {},

	"cloud/fleet":           {},
	"cloud/fleet/fleettest": {"cloud/fleet"},
	"cloud/fleet/memory":    {"cloud/fleet"},
	"cloud/fleet/stream":    {"cloud/fleet"},

	"cloud/edge/signed":     {},
	"cloud/tenants":         {"cloud/control", "cloud/edge", "cloud/edge/front"},
	"cloud/tenants/buckets": {"cloud/control", "cloud/edge", "cloud/edge/signed", "cloud/tenants"},
	"cloud/fleet/edgenode": {
		"cloud/control", "cloud/edge", "cloud/edge/front", "cloud/edge/purge", "cloud/edge/standalone", "cloud/fleet", "cloud/tenants", "cloud/tenants/buckets",
	},
	"cloud/fleet/controlnode": {"cloud/console", "cloud/control", "cloud/fleet", "cloud/listen", "cloud/tenants", "durable"},

	"cloud/listen":          {"cloud/edge/front"},
	"cloud/edge/standalone": {"cloud/listen", "durable", "cloud/console", "cloud/control", "cloud/edge", "cloud/edge/front", "cloud/edge/signed"},
	"cloud": {
		"durable", "cloud/objects", "cloud/control", "cloud/edge", "cloud/edge/front", "cloud/console", "cloud/console/releases",
		"cloud/tenants",
	},

	"doctor":    {"crash", "site", "publish/ledger", "publish/lint", "publish/release", "publish/remote"},
	"ui":        {"site", "publish/invalidation", "publish/plan", "publish/deploy"},
	"ui/report": {"ui"},
	"manual":    {},

	// testenv/fleetenv runs the program as it is and knows nothing of its inside.
	"testenv/fleetenv": {},
}

// exclusive maps a library to the only packages that may use it.
var exclusive = map[string][]string{
	// cloud/edge/signed takes the signer and the chain of credentials. The embedded cloud is its own reading of
	// CloudFront and S3, but there is one way to sign, and one chain that a user's credentials come from.
	"github.com/aws/":               {"publish/remote/session", "publish/remote/s3", "publish/remote/cloudfront", "cloud/edge/signed"},
	"github.com/nats-io/":           {"cloud/fleet/stream"},
	"github.com/prometheus/":        {"cloud/edge/standalone"},
	"github.com/rclone/gofakes3":    {"cloud/objects"},
	"go.etcd.io/bbolt":              {"cloud/objects", "cloud/control"},
	"github.com/maypok86/otter":     {"cloud/edge"},
	"github.com/dunglas/httpsfv":    {"cloud/edge"},
	"github.com/goccy/go-yaml":      {"project/config"},
	"github.com/spf13/cobra":        {"cmd/freshet"},
	"github.com/spf13/pflag":        {"cmd/freshet"},
	"github.com/klauspost/compress": {"publish/release", "cloud/edge", "cloud/console/releases"},
	"github.com/andybalholm/brotli": {"cloud/edge"},
	"github.com/gofrs/flock":        {"presence"},
	"github.com/fsnotify/fsnotify":  {"project/dev"},
}

// pure packages decide and do nothing: no context, no files, no network.
var pure = []string{"site", "publish/rules", "publish/invalidation", "publish/invalidation/cover", "publish/plan", "publish/lint", "project/habit"}

var impure = []string{"context", "os", "io/fs", "net", "net/http", "os/exec", "math/rand", "math/rand/v2", "crypto/rand"}

// source is one Go file that is not a test.
type source struct {
	pkg  string // below internal/, or cmd/freshet
	file string
	ast  *ast.File
}

func TestImportsRunDownward(t *testing.T) {
	for _, src := range sources(t) {
		for _, imp := range imports(src) {
			inner, ours := strings.CutPrefix(imp, module+"internal/")
			if !ours || src.pkg == "cmd/freshet" || src.pkg == "testenv" {
				continue
			}
			list, listed := allowed[src.pkg]
			if !listed {
				t.Fatalf("package internal/%s is not in the table of archtest", src.pkg)
			}
			if !slices.Contains(list, inner) {
				t.Errorf("%s: internal/%s must not import internal/%s", src.file, src.pkg, inner)
			}
		}
	}
}

func TestLibrariesStayBehindTheirPackages(t *testing.T) {
	for _, src := range sources(t) {
		for _, imp := range imports(src) {
			for library, users := range exclusive {
				if strings.HasPrefix(imp, library) && !slices.Contains(users, src.pkg) {
					t.Errorf("%s: %s is for %v only", src.file, imp, users)
				}
			}
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	for _, src := range sources(t) {
		if !slices.Contains(pure, src.pkg) {
			continue
		}
		for _, imp := range imports(src) {
			if slices.Contains(impure, imp) {
				t.Errorf("%s: the pure package %s imports %s", src.file, src.pkg, imp)
			}
		}
		for _, pos := range clockReads(src) {
			t.Errorf("%s: the pure package %s reads the clock (%s)", src.file, src.pkg, pos)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, src := range sources(t) {
		documented[src.pkg] = documented[src.pkg] || src.ast.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func TestNoInitAndNoLongFiles(t *testing.T) {
	for _, src := range sources(t) {
		for _, d := range src.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: has an init function", src.file)
			}
		}
		data, err := os.ReadFile(src.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(data), "\n"); n > 500 {
			t.Errorf("%s: %d lines, more than 500", src.file, n)
		}
	}
}

// sources parses every Go file of the module that is no test. It fails on an
// empty tree, so that a moved folder cannot switch these tests off.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []source
	for _, top := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return fmt.Errorf("parse %s: %w", path, err)
			}
			rel, err := filepath.Rel(root, filepath.Dir(path))
			pkg := strings.TrimPrefix(filepath.ToSlash(rel), "internal/")
			out = append(out, source{pkg, path, file})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 20 {
		t.Fatalf("found only %d Go files below internal/ and cmd/", len(out))
	}
	return out
}

func imports(src source) []string {
	var out []string
	for _, imp := range src.ast.Imports {
		out = append(out, strings.Trim(imp.Path.Value, `"`))
	}
	return out
}

// clockReads finds calls of time.Now and its like.
func clockReads(src source) []string {
	var out []string
	ast.Inspect(src.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" &&
			slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer"}, sel.Sel.Name) {
			out = append(out, "time."+sel.Sel.Name)
		}
		return true
	})
	return out
}
