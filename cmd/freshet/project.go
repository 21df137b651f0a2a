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

	"github.com/freshet/freshet/internal/crash"
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
		return project{}, noFolder(a.dir)
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
	var mistake *config.Error
	if err != nil && !errors.As(err, &mistake) && !errors.Is(err, fs.ErrPermission) {
		return project{}, usage("name the config that is there, as in `freshet * --config FILE`; `freshet init` writes one", "%w", err)
	}
	if err != nil {
		return project{}, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return project{}, fmt.Errorf("find the project's folder: %w", err)
	}
	return project{cfg, cfg.Dir}, nil
}

func noFolder(dir string) error {
	return usage("name the project's folder, as in `freshet * -C FOLDER`", "there is no folder %s", dir)
}

// files is a scanned site.
type files struct {
	dir      string
	why      string // "its output folder public/"; "" where the config names it
	scanned  *scan.Files
	manifest site.Manifest
}

// scanning is a scan of the site folder under way.
type scanning struct {
	dir, why string // as in files
	first    string // what to type where there is no site
	stop     context.CancelFunc
	done     chan struct{} // closed when what follows is set
	files    files
	err      error
}

// startScan begins to read the site folder; found is as in scan.Options. Whoever
// starts it calls end.
func (a *app) startScan(ctx context.Context, p project, found func(files int)) (*scanning, error) {
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
	opts := scan.Options{Ignore: ignore, Cache: scanCache(p, dir), Rehash: a.rehash, Now: a.now, Found: found}
	ctx, stop := context.WithCancel(ctx)
	s := &scanning{dir: dir, why: why, first: "build the site first", stop: stop, done: make(chan struct{})}
	if p.Build.Command != "" {
		s.first += ": `freshet build`, or `freshet deploy --build`"
	}
	a.event(deploy.Event{Stage: ui.StageScan})
	go func() {
		defer close(s.done)
		s.err = crash.Guard(func() (err error) { s.files, err = s.read(ctx, opts, set); return err })()
		if s.err == nil {
			n, bytes := s.files.manifest.Len(), s.files.manifest.Bytes()
			a.event(deploy.Event{Stage: ui.StageScan, Done: n, Total: n, DoneBytes: bytes, TotalBytes: bytes, Finished: true})
		}
	}()
	return s, nil
}

// read scans the folder and says how each file is published.
func (s *scanning) read(ctx context.Context, opts scan.Options, set rules.Set) (files, error) {
	scanned, err := scan.Folder(ctx, s.dir, opts)
	if err != nil {
		return files{}, s.explain(ctx, err)
	}
	return files{s.dir, s.why, scanned, scanned.Manifest(set.Describe)}, nil
}

// explain says what to do about a folder that cannot be read whole.
func (s *scanning) explain(ctx context.Context, err error) error {
	if _, gone := os.Stat(s.dir); errors.Is(gone, fs.ErrNotExist) {
		return refused(s.first+"; or correct `site:` in freshet.yaml", "%w", err)
	}
	if ctx.Err() != nil || errors.Is(err, scan.ErrEmpty) {
		return err
	}
	const hint = "mend that, or name what is not to be published in .freshetignore; `freshet plan` shows what is left"
	return &failure{err, exitFailed, hint}
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
	s, err := a.startScan(ctx, p, nil)
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
		return "", "", refused(siteHint(p, err), "%w", err)
	}
	return found.Dir, found.Why, nil
}

// siteHint says what to do where no folder is the site for sure.
func siteHint(p project, err error) string {
	switch {
	case p.File != "":
		return "name its folder as `site:` in " + p.File + ", then type `freshet *` again"
	case errors.Is(err, detect.ErrSource):
		return "`freshet init` writes its build command down, then `freshet deploy --build` builds and publishes"
	case errors.Is(err, detect.ErrAmbiguous):
		return "`freshet init --site FOLDER` writes down which"
	}
	return "put the site there, or name its folder, as in `freshet * -C FOLDER`; `freshet init` writes it down"
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
			return ignore, usage("correct the pattern; `freshet plan` shows what is left of the site", "%w", err)
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
