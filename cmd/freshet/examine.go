package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/doctor"
	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
)

// examined is a target and the project's site, as package doctor looks at them.
func (a *app) examined(ctx context.Context, p project, t *target) (doctor.Target, error) {
	out := doctor.Target{
		Bucket: t.bucket, Store: t.store, Record: t.record, BucketErr: t.failed.bucket, CDNErr: t.failed.cdn,
		Foreign: t.foreign, Embedded: t.embedded, Now: a.now(), Nothing: site.URLPath("/freshet-doctor-asks-for-nothing-" + strings.ToLower(rand.Text())),
	}
	for _, d := range t.distributions {
		one, err := d.examined(ctx, t)
		if err != nil {
			return out, err
		}
		out.Distributions = append(out.Distributions, one)
	}
	if !t.embedded && t.cdn != nil {
		out.Usage = func(ctx context.Context, at time.Time) (ledger.Usage, error) { return a.usageOf(ctx, t, at) }
	}
	files, err := a.scan(ctx, p)
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil {
		out.SiteErr = err
		return out, nil
	}
	out.Site = &doctor.Site{Dir: files.dir, Manifest: files.manifest, Read: readerOf(files.scanned)}
	return out, nil
}

// examined reads the settings of a distribution.
func (d distribution) examined(ctx context.Context, t *target) (doctor.Distribution, error) {
	_, named := originOf(d.Distribution, t.bucket)
	out := doctor.Distribution{
		Distribution: d.Distribution, Viewer: d.viewer, Path: d.view.Own, Asks: d.view.AsksBucket, Clean: d.view.Clean,
		Named: named && slices.ContainsFunc(d.Origins, func(o remote.Origin) bool { return readsBucket(o, t.bucket) }),
		Reads: func(id string) bool {
			return slices.ContainsFunc(d.Origins, func(o remote.Origin) bool { return o.ID == id && asksBucket(d.Distribution, o, t.bucket) })
		},
		URLs: func(k site.Key) (urls []site.URLPath) {
			for _, u := range d.view.URLs(k) {
				urls = append(urls, u.Path)
			}
			return urls
		},
	}
	if d.viewer != nil {
		out.Local = strings.HasPrefix(d.viewer.String(), "http://")
	}
	for _, b := range d.Behaviors {
		out.Clean = out.Clean || b.Rewrites
	}
	if cdn, ok := t.cdn.(remote.Configurator); ok {
		s, err := cdn.Settings(ctx, d.ID)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if out.SettingsErr = err; err == nil {
			out.Settings = &s
		}
	}
	return out, nil
}

// readerOf opens scanned files by their keys.
func readerOf(scanned *scan.Files) func(site.Key) ([]byte, error) {
	return func(key site.Key) (data []byte, err error) {
		found, ok := scanned.Find(key)
		if !ok {
			return nil, fmt.Errorf("read %s: %w", key, os.ErrNotExist)
		}
		file, err := found.Open()
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		return io.ReadAll(file)
	}
}

// usageOf counts the invalidation paths of the month of at. Each month has a
// cache of its own, because the ledger forgets what is older than the month that
// it counts.
func (a *app) usageOf(ctx context.Context, t *target, at time.Time) (ledger.Usage, error) {
	if now := a.now().UTC(); at.Year() == now.Year() && at.Month() == now.Month() {
		return a.usage(ctx, t)
	}
	var ids []string
	for _, d := range t.distributions {
		ids = append(ids, d.ID)
	}
	file := ""
	if dir, err := os.UserCacheDir(); err == nil {
		sum := sha256.Sum256([]byte(t.endpoint))
		file = filepath.Join(dir, "freshet", fmt.Sprintf("ledger-%x-last.json", sum[:8]))
	}
	return ledger.Count(ctx, t.cdn, ids, at.UTC(), file)
}
