//go:build unix

package fleetenv

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// missing is the key of the page for what is not there.
const missing = "404.html"

// content is what a page says: which change of it this is, and the asset that it names.
type content struct {
	revision int
	asset    string // URL path
}

// Site is a folder of some 40 pages that changes, and what it held at each deploy. It is safe for concurrent use, but for one who changes it at a time.
type Site struct {
	dir string

	// mu guards what follows; held for field access only.
	mu        sync.Mutex
	now       map[string]content   // the folder, by key; the asset is not among them
	states    []map[string]content // what each deploy was given, by its number; deploy 0 is the empty bucket
	done      int                  // number of the newest deploy that exited 0
	revisions int
	assets    int
	asset     string
	keys      []string // of every page that there ever was
}

// NewSite makes the folder's first pages.
func NewSite(dir string) (*Site, error) {
	s := &Site{dir: dir, now: map[string]content{}, states: []map[string]content{{}}}
	if err := s.renewAsset(); err != nil {
		return nil, err
	}
	for _, key := range []string{"index.html", missing, "data.json"} {
		if err := s.write(key); err != nil {
			return nil, err
		}
	}
	for folder := range 6 {
		for n := range 6 {
			if err := s.write(pageKey(folder, n)); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// pageKey is a page's key: each folder's first is its index page.
func pageKey(folder, n int) string {
	if n == 0 {
		return fmt.Sprintf("d%d/index.html", folder)
	}
	return fmt.Sprintf("d%d/p%d.html", folder, n)
}

// write makes a page new.
func (s *Site) write(key string) error {
	s.mu.Lock()
	s.revisions++
	c := content{s.revisions, s.asset}
	s.mu.Unlock()
	return s.put(key, c)
}

func (s *Site) put(key string, c content) error {
	file := filepath.Join(s.dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	filling := strings.Repeat("freshet ", 10+c.revision%300)
	text := fmt.Sprintf("<!doctype html><link rel=\"stylesheet\" href=%q><!--%s %d %s-->%s\n", c.asset, key, c.revision, c.asset, filling)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[key] = c
	if !slices.Contains(s.keys, key) {
		s.keys = append(s.keys, key)
	}
	return nil
}

// renewAsset replaces the asset by one with another name.
func (s *Site) renewAsset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asset != "" {
		if err := os.Remove(filepath.Join(s.dir, filepath.FromSlash(s.asset))); err != nil {
			return err
		}
	}
	s.assets++
	text := "/* asset " + strconv.Itoa(s.assets) + " */ " + strings.Repeat("body {} ", 100)
	s.asset = "/assets/app." + digest(text)[:8] + ".css"
	file := filepath.Join(s.dir, filepath.FromSlash(s.asset))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// Change does to the folder what authors and generators do between two deploys.
func (s *Site) Change(rng *rand.Rand) error {
	for range 1 + rng.IntN(3) {
		if err := s.changeOne(rng); err != nil {
			return err
		}
	}
	if rng.IntN(8) == 0 { // the asset changes, and with it every page
		if err := s.renewAsset(); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(s.now)) {
			if err := s.write(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeOne changes, adds or removes one page. Those of the root are only changed.
func (s *Site) changeOne(rng *rand.Rand) error {
	if rng.IntN(6) == 0 {
		return s.write([]string{"index.html", missing, "data.json"}[rng.IntN(3)])
	}
	key := pageKey(rng.IntN(7), rng.IntN(7))
	if _, there := s.now[key]; !there || rng.IntN(3) > 0 {
		return s.write(key)
	}
	s.mu.Lock()
	delete(s.now, key)
	s.mu.Unlock()
	return os.Remove(filepath.Join(s.dir, filepath.FromSlash(key)))
}

// begin says that a deploy of the folder as it is begins, and returns its number.
func (s *Site) begin() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, maps.Clone(s.now))
	return len(s.states) - 1
}

// published says that a deploy has exited 0.
func (s *Site) published(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = max(s.done, n)
}

// newest is the number of the newest deploy that has exited 0.
func (s *Site) newest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// any is some page that there is, or was.
func (s *Site) any(rng *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[rng.IntN(len(s.keys))]
}

// all is every page that there is, or was.
func (s *Site) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// forms are the URL paths of a page.
func forms(key string) []string {
	out := []string{"/" + key}
	if folder, isIndex := strings.CutSuffix(key, "index.html"); isIndex {
		out = append(out, "/"+folder)
		if folder != "" {
			out = append(out, "/"+strings.TrimSuffix(folder, "/"))
		}
	}
	return out
}

// told is what an answer says.
type told struct {
	status int
	key    string // of the page whose words these are
	content
	etag, cache, age string
}

// words are what put writes.
var words = regexp.MustCompile(`<!--(\S+) (\d+) (\S+)-->`)

// read reads what a page says.
func (t *told) read(body []byte) error {
	found := words.FindSubmatch(body)
	if found == nil {
		return fmt.Errorf("answer %d with words that no page has: %.60q", t.status, body)
	}
	t.key, t.asset = string(found[1]), string(found[3])
	var err error
	t.revision, err = strconv.Atoi(string(found[2]))
	return err
}

// judge returns what is wrong about an answer for a page, "" for nothing: it must be what one of the deploys had, of those from a number on.
func (s *Site) judge(key string, got told, from int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.states[from:] {
		want, there := state[key]
		switch {
		case there && got.status == 200 && got.key == key && got.content == want:
			return ""
		case !there && got.status == 404 && got.key == missing && (got.content == state[missing]):
			return ""
		}
	}
	var want []string
	for i, state := range s.states[from:] {
		if c, there := state[key]; there {
			want = append(want, fmt.Sprintf("%d: revision %d", from+i, c.revision))
		} else {
			want = append(want, fmt.Sprintf("%d: 404 with revision %d of the page for it", from+i, state[missing].revision))
		}
	}
	return fmt.Sprintf("answered %d with revision %d of %s, naming %s (%s, Age %s); since deploy %s", got.status, got.revision, got.key, got.asset, got.cache, got.age, strings.Join(want, ", "))
}
