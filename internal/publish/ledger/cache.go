package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/freshet/freshet/internal/durable"
)

// cacheVersion is the version of the cache file; another one is as good as no
// file.
const cacheVersion = 1

// maxPaths is more than any invalidation holds. CloudFront's own limit on one
// request is not published; the older limit was 3,000 paths in progress (fact
// 1.3).
const maxPaths = 1_000_000

// entry is what is remembered of an invalidation.
type entry struct {
	Created time.Time `json:"created"`
	Paths   int       `json:"paths"` // 1 to maxPaths
}

// entries are what is remembered, by invalidation.
type entries map[batch]entry

// cacheDocument is the file: entries by distribution, then by invalidation.
type cacheDocument struct {
	Version       int                         `json:"version"`
	Distributions map[string]map[string]entry `json:"distributions"`
}

// load reads what the file remembers of the month and later, and the bytes that
// say so; nothing where there is no file, or none that can be used.
func load(file string, month time.Time) (known entries, data []byte) {
	if file == "" {
		return entries{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return entries{}, nil
	}
	if known, err = parse(data, month); err != nil {
		return entries{}, data
	}
	return known, data
}

// parse reads a cache file whole or not at all: where one entry is damaged, the
// others are not to be believed either.
func parse(data []byte, month time.Time) (entries, error) {
	var doc cacheDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	if doc.Version != cacheVersion {
		return nil, fmt.Errorf("read cache: unknown version %d", doc.Version)
	}
	known := entries{}
	for distribution, ids := range doc.Distributions {
		for id, e := range ids {
			if distribution == "" || id == "" || e.Paths < 1 || e.Paths > maxPaths {
				return nil, errors.New("read cache: it has an entry without an id or a sensible number")
			}
			if !e.Created.Before(month) {
				known[batch{distribution, id}] = e
			}
		}
	}
	return known, nil
}

// save writes known together with what another process has written meanwhile,
// without past months. Two that save at once do not mix: the later one wins,
// and what it did not know is asked for again. A file that cannot be written
// costs the same, so no error is told.
func save(file string, month time.Time, known entries) {
	if file == "" {
		return
	}
	all, before := load(file, month)
	maps.Copy(all, known)
	data, err := json.MarshalIndent(document(all), "", "  ")
	if err != nil {
		return // cannot be: strings, numbers and times of this era
	}
	if data = append(data, '\n'); bytes.Equal(data, before) || len(all) == 0 && before == nil {
		return
	}
	if durable.MkdirAll(filepath.Dir(file), 0o700) == nil {
		_ = durable.WriteFile(file, data, 0o600)
	}
}

func document(all entries) cacheDocument {
	doc := cacheDocument{Version: cacheVersion, Distributions: map[string]map[string]entry{}}
	for b, e := range all {
		if doc.Distributions[b.distribution] == nil {
			doc.Distributions[b.distribution] = map[string]entry{}
		}
		doc.Distributions[b.distribution][b.id] = e
	}
	return doc
}
