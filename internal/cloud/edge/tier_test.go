package edge

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
)

// onDisk gives an edge a disk tier in dir and little memory.
func onDisk(dir string, memory int) func(*Config, *Options) {
	return func(c *Config, o *Options) {
		c.TagHeader = "Tags"
		o.MemoryBytes, o.Disk = memory, Disk{Dir: dir, Bytes: 8 << 20}
	}
}

// again closes b and starts another edge on the same folder and origin.
func (b *bench) again(dir string, memory int) *bench {
	b.t.Helper()
	b.Close()
	return b.successor(dir, memory)
}

// killed starts another edge on a copy of b's folder, as after kill -9.
func (b *bench) killed(dir string, memory int) (next *bench, to string) {
	b.t.Helper()
	to = b.t.TempDir()
	for os.CopyFS(to, os.DirFS(dir)) != nil { // a file went meanwhile
		to = b.t.TempDir()
	}
	b.Close()
	return b.successor(to, memory), to
}

func (b *bench) successor(dir string, memory int) *bench {
	b.t.Helper()
	next := newBench(b.t, b.origin.answer, onDisk(dir, memory))
	next.origin.asked, next.now = b.origin.asked, b.now
	return next
}

// big is an object of a repeated pattern that no offset shares.
func big(size int) string {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return string(b)
}

// A restart finds memory's objects and the disk's, with headers, age, lifetime and tags.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, always(200, "text", `Etag: "1"`, "Cache-Control: max-age=100", "Tags: red", "X-Own: yes"), onDisk(dir, 1<<20))
	b.want("/a", 200, "Miss", "text")
	b.want("/b", 200, "Miss", "text")
	b.invalidate("/b")
	b.advance(30 * time.Second)
	b = b.again(dir, 1<<20)
	w := b.get("/a")
	if w.Header().Get("X-Cache") != "Hit from cloudfront" || w.Header().Get("Age") != "30" || w.Header().Get("X-Own") != "yes" {
		t.Errorf("after a restart: %v", w.Header())
	}
	b.asked(2)
	b.want("/b", 200, "Miss", "text")
	b, dir = b.killed(dir, 1<<20) // what memory had is gone; /a is on the disk since the restart
	b.want("/a", 200, "Hit", "text")
	b.advance(71 * time.Second)
	b.origin.answer = func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("If-None-Match") != `"1"` {
			t.Errorf("unconditional request %v", r.Header)
		}
		return reply(304, ""), nil
	}
	b.want("/a", 200, "RefreshHit", "text")
	b.invalidate("#red")
	b.origin.answer = always(200, "new")
	b, _ = b.killed(dir, 1<<20)
	b.want("/a", 200, "Miss", "new")
}

// What memory evicts is found on the disk, also while it is on its way there; and goes back into memory.
func TestEvictedObjectsAreHits(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("x", 3000)
	b := newBench(t, always(200, text, "Cache-Control: max-age=100"), onDisk(dir, 64<<10))
	for round := range 3 {
		for i := range 100 {
			b.want(fmt.Sprintf("/%d", i), 200, map[bool]string{true: "Miss", false: "Hit"}[round == 0], text)
		}
	}
	b.asked(100)
	if s := b.Stats(); s.Evicted == 0 || s.Disk.Objects < 70 || s.Disk.Dropped+s.Disk.Failed > 0 {
		t.Errorf("stats %+v", s)
	}
	b = b.again(dir, 64<<10)
	for i := range 100 {
		b.want(fmt.Sprintf("/%d", i), 200, "Hit", text)
	}
	b.asked(100)
}

// An object that is too large for memory passes through to the disk, and is served from there: whole, in part, its head, and after a restart.
func TestLargeObjects(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("length known %v", known), func(t *testing.T) {
			dir, text := t.TempDir(), big(500_000)
			b := newBench(t, func(*http.Request) (*http.Response, error) {
				resp := reply(200, text, `Etag: "1"`, "Cache-Control: max-age=100")
				if !known {
					resp.ContentLength = -1
				}
				return resp, nil
			}, onDisk(dir, 256<<10))
			b.want("/l", 200, "Miss", text)
			for range 2 {
				b.want("/l", 200, "Hit", text)
				for _, r := range [][2]int{{0, 0}, {0, 70_000}, {65_535, 65_536}, {400_001, 499_999}} {
					w := b.get("/l", fmt.Sprintf("Range: bytes=%d-%d", r[0], r[1]))
					if w.Code != 206 || w.Body.String() != text[r[0]:r[1]+1] || w.Header().Get("X-Cache") != "Hit from cloudfront" {
						t.Errorf("range %v: %d, %d bytes, %v", r, w.Code, w.Body.Len(), w.Header())
					}
				}
				if w := b.do("HEAD", "/l"); w.Code != 200 || w.Header().Get("Content-Length") != "500000" || w.Body.Len() > 0 {
					t.Errorf("HEAD: %d %v", w.Code, w.Header())
				}
				if w := b.get("/l", `If-None-Match: "1"`); w.Code != 304 {
					t.Errorf("conditional: %d", w.Code)
				}
				b, dir = b.killed(dir, 256<<10)
			}
			b.asked(1)
			b.confirmLarge(dir, text)
		})
	}
}

// confirmLarge lets /l expire, be confirmed, and stand in for a failing origin.
func (b *bench) confirmLarge(dir, text string) {
	b.t.Helper()
	b.advance(101 * time.Second)
	b.origin.answer = always(304, "")
	b.want("/l", 200, "RefreshHit", text)
	b.want("/l", 200, "Hit", text)
	b, dir = b.killed(dir, 256<<10)
	b.want("/l", 200, "Hit", text)
	b.advance(101 * time.Second)
	b.origin.answer = always(503, "")
	b.want("/l", 200, "RefreshHit", text)
	b.origin.answer = always(200, "new", "Cache-Control: max-age=100")
	b.invalidate("/l*")
	b.want("/l", 200, "Miss", "new")
	b, _ = b.killed(dir, 256<<10)
	b.want("/l", 200, "Miss", "new") // the new one was in memory only, and the old one is covered
}

// A large body that is cut short is not stored, and neither is one whose viewer has gone.
func TestLargeBodyCutShort(t *testing.T) {
	dir, text := t.TempDir(), big(500_000)
	b := newBench(t, func(*http.Request) (*http.Response, error) {
		resp := reply(200, text, "Cache-Control: max-age=100")
		resp.ContentLength++
		return resp, nil
	}, onDisk(dir, 256<<10))
	for range 2 {
		func() {
			defer func() { _ = recover() }()
			b.get("/l")
		}()
	}
	b.asked(2)
	if s := b.Stats().Disk; s.Objects != 0 || s.Bytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Reclaiming covers the disk: nothing of what is invalidated stays, and the purge log is empty again, in memory and on disk.
func TestSweepReachesTheDisk(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, always(200, strings.Repeat("x", 3000)), onDisk(dir, 64<<10))
	for i := range 100 {
		b.get(fmt.Sprintf("/old/%d", i))
	}
	b.invalidate("/old/*")
	b.get("/new") // later than the invalidation: what moves between the tiers during the sweep counts as covered if it is older
	for b.Stats().Disk.Waiting > 0 {
		time.Sleep(time.Millisecond) // the writer's; no deadline hangs on it
	}
	if !b.sweep() {
		t.Error("the log is not empty")
	}
	if s := b.Stats(); s.Disk.Objects+s.Objects > 1 || s.Purge.Items != 0 {
		t.Errorf("stats %+v", s)
	}
	b = b.again(dir, 64<<10)
	b.want("/new", 200, "Hit", strings.Repeat("x", 3000))
}

func TestDiskOptions(t *testing.T) {
	if _, err := New(basicConfig(&fakeOrigin{}), Options{Disk: Disk{Dir: t.TempDir(), Bytes: 1}}); err == nil {
		t.Error("a budget of one byte is taken")
	}
}

// drawVerdict sets every field, whatever there is.
func drawVerdict(t *rapid.T) verdict {
	v := verdict{
		store: rapid.Bool().Draw(t, "store"), validate: rapid.Bool().Draw(t, "validate"), share: rapid.Bool().Draw(t, "share"),
		spare: rapid.Bool().Draw(t, "spare"), lifetime: time.Duration(rapid.Int64().Draw(t, "lifetime")), age: time.Duration(rapid.Int64().Draw(t, "age")),
		vary: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "vary"), withhold: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "withhold"),
	}
	v.stale = staleness{
		forbidden: rapid.Bool().Draw(t, "forbidden"), unreachable: rapid.Bool().Draw(t, "unreachable"), failing: rapid.Bool().Draw(t, "failing"),
		revalidate: time.Duration(rapid.Int64().Draw(t, "revalidate")), afterExpiry: time.Duration(rapid.Int64().Draw(t, "after")),
		maxAge: time.Duration(rapid.Int64().Draw(t, "max")),
	}
	return v
}

func TestMetaRoundTrip(t *testing.T) {
	if n, m, k := reflect.TypeFor[verdict]().NumField(), reflect.TypeFor[staleness]().NumField(), reflect.TypeFor[object]().NumField(); n != 9 || m != 6 || k != 19 {
		t.Fatalf("verdict, staleness and object have %d, %d and %d fields: teach meta.go the new ones, raise metaVersion, and correct the numbers here", n, m, k)
	}
	rapid.Check(t, func(t *rapid.T) {
		o := &object{
			key: cacheKey{rapid.String().Draw(t, "uri"), rapid.String().Draw(t, "variant")}, fill: rapid.Uint64().Draw(t, "fill"),
			original: http.Header{"Etag": {rapid.String().Draw(t, "etag")}},
			status:   rapid.IntRange(100, 599).Draw(t, "status"), header: http.Header{"A": {"1", "2"}, "B": {rapid.String().Draw(t, "value")}},
			tags: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "tags"), selecting: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "selecting"),
			born: time.Unix(0, rapid.Int64().Draw(t, "born")), expires: time.Unix(0, rapid.Int64().Draw(t, "expires")), verdict: drawVerdict(t),
		}
		o.checked.Store(7)
		o.retry.Store(8)
		o.hits.Store(9)
		r := o.record()
		got, ok := decodeObject(&r)
		if !ok {
			t.Fatal("not decoded")
		}
		if d := cmp.Diff(fields(got), fields(o)); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(got.verdict, o.verdict, cmp.AllowUnexported(verdict{}, staleness{})); d != "" {
			t.Fatal(d)
		}
	})
}

// fields are what a restart brings back of an object, but for the verdict.
func fields(o *object) []any {
	return []any{
		o.key.uri, o.key.variant, o.fill, o.status, o.header, o.original, o.tags, o.selecting, o.born.UnixNano(), o.expires.UnixNano(),
		o.checked.Load(), o.retry.Load(), o.hits.Load(),
	}
}

func FuzzDecodeObject(f *testing.F) {
	o := &object{status: 200, header: http.Header{"A": {"b"}}, born: time.Unix(1, 0), expires: time.Unix(2, 0)}
	f.Add(o.encodeMeta())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, meta []byte) {
		o, ok := decodeObject(&disk.Record{Meta: meta})
		if !ok {
			return
		}
		if again, ok := decodeObject(&disk.Record{Meta: o.encodeMeta()}); !ok || !cmp.Equal(fields(again), fields(o)) {
			t.Errorf("%v became %v", fields(o), fields(again))
		}
	})
}

// Random requests, invalidations, sweeps, restarts and kills, over an origin whose bodies are numbered: no answer is older than
// an invalidation that covers it and that completed before; after graceful restarts alone, nothing is fetched that nothing covers.
func TestModelWithDisk(t *testing.T) {
	for range 15 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if failure := runDiskModel(t, rand.New(rand.NewPCG(seed, 1))); failure != "" {
					t.Error(failure)
				}
			})
		})
	}
}

func runDiskModel(t *testing.T, draw *rand.Rand) string {
	const memory = 48 << 10
	sizes := map[string]int{"/a": 10, "/a/b": 7000, "/b": 11_000, "/b?q=1": 90_000, "/c": 300_000}
	uris := []string{"/a", "/a/b", "/b", "/b?q=1", "/c"}
	dir, serial := t.TempDir(), 0
	now, confirmed := map[string]int{}, map[int]int{} // what a URI has; when the origin last said so of a serial
	answer := func(r *http.Request) (*http.Response, error) {
		serial++
		uri := r.URL.RequestURI()
		if has, fresh := now[uri]; fresh && r.Header.Get("If-None-Match") == fmt.Sprintf(`"%d"`, has) && draw.IntN(4) > 0 {
			confirmed[has] = serial
			return reply(304, "", fmt.Sprintf(`Etag: "%d"`, has), "Last-Modified: "+written, "Date: Sun, 22 Nov 2026 12:00:00 GMT", "Cache-Control: max-age=1000"), nil
		}
		now[uri] = serial
		return reply(200, strconv.Itoa(serial)+" "+strings.Repeat("y", sizes[uri]), fmt.Sprintf(`Etag: "%d"`, serial),
			"Last-Modified: "+written, "Date: Sun, 22 Nov 2026 12:00:00 GMT", "Cache-Control: max-age=1000"), nil
	}
	open := func(dir string) *bench {
		return newBench(t, answer, inBucket, onDisk(dir, memory), func(c *Config, _ *Options) { c.Default.Policy.Query = Selection{Mode: SelectAll} })
	}
	b := open(dir)
	least, cached := map[string]int{}, map[string]bool{}
	for range 60 {
		uri := uris[draw.IntN(len(uris))]
		switch kind := draw.IntN(12); kind {
		case 0:
			item := []string{"/a", "/a*", "/b*", "/*", "/c"}[draw.IntN(5)]
			b.invalidate(item)
			for u := range sizes {
				if p, isPrefix := strings.CutSuffix(item, "*"); u == item || isPrefix && strings.HasPrefix(u, p) {
					least[u], cached[u] = serial+1, false
				}
			}
		case 1:
			b.sweep()
		case 2:
			b.Close()
			b = open(dir)
		case 3:
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				return err.Error()
			}
			b.Close()
			dir = to
			b = open(dir)
			clear(cached)
		default:
			before := serial
			w := b.get(uri)
			text, pad, _ := strings.Cut(w.Body.String(), " ")
			got, err := strconv.Atoi(text)
			if err != nil || w.Code != 200 || pad != strings.Repeat("y", sizes[uri]) {
				return fmt.Sprintf("%s: status %d, %d bytes, %v", uri, w.Code, len(pad), err)
			}
			got = max(got, confirmed[got])
			if got < least[uri] {
				return fmt.Sprintf("%s: stale: body %d, want at least %d", uri, got, least[uri])
			}
			if cached[uri] && serial != before {
				return fmt.Sprintf("%s: fetched although nothing covers it", uri)
			}
			least[uri], cached[uri] = got, true
		}
		synctest.Wait()
	}
	b.Close()
	return ""
}
