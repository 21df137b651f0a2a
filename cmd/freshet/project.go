package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/detect"
	"github.com/freshet/freshet/internal/project/setup"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

// project is the user's folder with its config.
type project struct {
	*config.Config
	root string // the project's folder, absolute
}

// project reads the config, or takes the defaults where there is none.
func (a *app) project() (project, error) {
	root, err := filepath.Abs(a.dir)
	if err != nil {
		return project{}, fmt.Errorf("find the project's folder: %w", err)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return project{}, usage("give the project's folder with -C", "there is no folder %s", a.dir)
	}
	path := a.configFile
	if path == "" {
		found, ok := config.Find(root)
		if !ok {
			return project{config.Default(root), root}, nil
		}
		path = found
	}
	cfg, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return project{}, usage("give the config file with --config", "%w", err)
	}
	if err != nil {
		return project{}, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return project{}, fmt.Errorf("find the project's folder: %w", err)
	}
	return project{cfg, cfg.Dir}, nil
}

// files is a scanned site.
type files struct {
	dir      string
	why      string // "its output folder public/"; "" where the config names it
	scanned  []scan.File
	manifest site.Manifest
}

// scanning is a scan of the site folder under way.
type scanning struct {
	dir, why string // as in files
	stop     context.CancelFunc
	done     chan struct{} // closed when what follows is set
	files    files
	err      error
}

// startScan begins to read the site folder. Whoever starts it calls end.
func (a *app) startScan(ctx context.Context, p project) (*scanning, error) {
	dir, why, err := siteFolder(p)
	if err != nil {
		return nil, err
	}
	ignore, err := readIgnore(p, dir)
	if err != nil {
		return nil, err
	}
	set, err := rules.NewSet(headerRules(p.Headers))
	if err != nil {
		return nil, err
	}
	opts := scan.Options{Ignore: ignore, Cache: scanCache(p, dir), Rehash: a.rehash, Now: a.now}
	ctx, stop := context.WithCancel(ctx)
	s := &scanning{dir: dir, why: why, stop: stop, done: make(chan struct{})}
	a.event(deploy.Event{Stage: ui.StageScan})
	go func() {
		defer close(s.done)
		if s.files, s.err = s.read(ctx, opts, set); s.err == nil {
			n, bytes := len(s.files.scanned), s.files.manifest.Bytes()
			a.event(deploy.Event{Stage: ui.StageScan, Done: n, Total: n, DoneBytes: bytes, TotalBytes: bytes, Finished: true})
		}
	}()
	return s, nil
}

// read scans the folder and says how each file is published.
func (s *scanning) read(ctx context.Context, opts scan.Options, set rules.Set) (files, error) {
	scanned, err := scan.Folder(ctx, s.dir, opts)
	if err != nil {
		return files{}, missing(err, "build the site first, or correct `site:` in freshet.yaml; nothing was sent")
	}
	objects := make([]site.Object, len(scanned))
	for i, f := range scanned {
		kind, headers := set.Describe(f.Key)
		objects[i] = site.Object{Key: f.Key, Size: f.Size, Digest: f.Digest, Kind: kind, Headers: site.Share(headers)}
	}
	manifest, err := site.NewManifest(objects)
	return files{s.dir, s.why, scanned, manifest}, err
}

// wait is the scanned site.
func (s *scanning) wait() (files, error) {
	<-s.done
	return s.files, s.err
}

// end breaks the scan off, if it still runs.
func (s *scanning) end() {
	s.stop()
	<-s.done
}

// scan reads the site folder.
func (a *app) scan(ctx context.Context, p project) (files, error) {
	s, err := a.startScan(ctx, p)
	if err != nil {
		return files{}, err
	}
	defer s.end()
	return s.wait()
}

// scanCache is the file in which the digests of the site's files are
// remembered, one for each folder that the project publishes. It lies in the
// project's own .freshet, or in the user's cache folder where that would be in
// the site's own folder, in which freshet writes nothing; "" where there is
// neither.
func scanCache(p project, dir string) string {
	name := func(path string) string {
		sum := sha256.Sum256([]byte(path))
		return fmt.Sprintf("hashes-%x", sum[:8])
	}
	if inside, err := filepath.Rel(dir, p.root); err == nil && filepath.IsLocal(inside) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return filepath.Join(cache, "freshet", "hashes", name(dir))
	}
	rel, err := filepath.Rel(p.root, dir)
	if err != nil {
		rel = dir // on another drive
	}
	return filepath.Join(p.root, ".freshet", name(filepath.ToSlash(rel)))
}

// siteFolder is the folder to publish and, where nobody named it, why it is
// this one.
func siteFolder(p project) (dir, why string, err error) {
	if dir, ok := p.SiteDir(); ok {
		return dir, "", nil
	}
	found, err := detect.Site(p.root)
	if err != nil {
		return "", "", refused("nothing was sent", "%w", err)
	}
	return found.Dir, found.Why, nil
}

// readIgnore reads .freshetignore from the site folder or else from the
// project's. A config file that lies in the site folder is not published.
func readIgnore(p project, dir string) (scan.Ignore, error) {
	ignore := scan.Ignore{}
	if dir == p.root {
		ignore = ignore.With("freshet.yaml", "freshet.yml", setup.SchemaFile)
	}
	for _, folder := range []string{dir, p.root} {
		src, err := os.ReadFile(filepath.Join(folder, ".freshetignore"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ignore, fmt.Errorf("read .freshetignore: %w", err)
		}
		ignore, err = ignore.Parse(strings.NewReader(string(src)))
		if err != nil {
			return ignore, usage("correct the pattern", "%w", err)
		}
		break
	}
	return ignore, nil
}

// headerRules translates the config's rules: an empty header keeps its
// default.
func headerRules(in []config.HeaderRule) []rules.Rule {
	out := make([]rules.Rule, len(in))
	for i, r := range in {
		out[i] = rules.Rule{
			Match: r.Match, ContentType: set(r.ContentType), CacheControl: set(r.CacheControl),
			ContentEncoding: set(r.ContentEncoding), ContentDisposition: set(r.ContentDisposition),
			ContentLanguage: set(r.ContentLanguage),
		}
	}
	return out
}

func set(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}
