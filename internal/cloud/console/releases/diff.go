package releases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxUnpacked bounds what a manifest unpacks to, in bytes: ten million objects.
const maxUnpacked = 4 << 30

// What happened to an object.
const (
	Added   = "added"
	Changed = "changed" // other bytes; headers may differ too
	Headers = "headers" // the same bytes under other headers
	Removed = "removed"
	Retired = "retired" // no longer used, and still served for pages that are open
)

// Difference is what a release changed against the one before.
type Difference struct {
	Release   string         // id
	Before    string         // id; "" for the first release
	Counts    map[string]int // by what happened
	Unchanged int
	Changes   []Change // in the order of their keys, the first so many
}

// Change is one object that differs.
type Change struct {
	Key     string
	What    string
	Size    int64 // bytes; 0 once it is gone
	Was     int64 // bytes; 0 for a new object
	Type    string
	Headers []HeaderChange // that differ, by name
}

// HeaderChange is one response header that differs; "" is not sent.
type HeaderChange struct{ Name, Was, Is string }

// Diff compares a release with the one before, and keeps the first limit changes. The error wraps ErrUnknown or ErrGone.
func (r *Reader) Diff(ctx context.Context, id string, limit int) (Difference, error) {
	prefix, err := r.find(ctx)
	if err != nil {
		return Difference{}, err
	}
	h, err := r.List(ctx)
	if err != nil {
		return Difference{}, err
	}
	at := slices.IndexFunc(h.Releases, func(one Release) bool { return one.ID == id })
	if at < 0 {
		return Difference{}, fmt.Errorf("compare release %s: %w", id, ErrUnknown)
	}
	c := comparison{Difference: Difference{Release: id, Counts: map[string]int{}, Changes: []Change{}}, limit: limit}
	var before iter.Seq2[object, error] = func(func(object, error) bool) {}
	if at+1 < len(h.Releases) {
		c.Before = h.Releases[at+1].ID
		before = r.objects(ctx, prefix, h.Releases[at+1], &tail{})
	}
	var end tail
	if err := c.compare(before, r.objects(ctx, prefix, h.Releases[at], &end)); err != nil {
		return Difference{}, fmt.Errorf("compare release %s: %w", id, err)
	}
	c.retire(end.Retired)
	return c.Difference, nil
}

// comparison walks through two manifests in step.
type comparison struct {
	Difference
	limit int
}

func (c *comparison) compare(before, after iter.Seq2[object, error]) error {
	old, stop := iter.Pull2(before)
	defer stop()
	was, err, left := old()
	for is, failed := range after {
		if failed != nil {
			return failed
		}
		for left && err == nil && was.Key < is.Key {
			c.add(Change{Key: was.Key, What: Removed, Was: was.Size, Type: was.kind()})
			was, err, left = old()
		}
		if err != nil {
			return err
		}
		if !left || was.Key != is.Key {
			c.add(Change{Key: is.Key, What: Added, Size: is.Size, Type: is.kind()})
			continue
		}
		c.both(was, is)
		was, err, left = old()
	}
	for ; left && err == nil; was, err, left = old() {
		c.add(Change{Key: was.Key, What: Removed, Was: was.Size, Type: was.kind()})
	}
	return err
}

// both compares an object with itself of before.
func (c *comparison) both(was, is object) {
	one := Change{Key: is.Key, Size: is.Size, Was: was.Size, Type: is.kind()}
	for _, name := range slices.Sorted(maps.Keys(union(was.Headers, is.Headers))) {
		if was.Headers[name] != is.Headers[name] && name != "tags" && name != "tag_header" {
			one.Headers = append(one.Headers, HeaderChange{strings.ReplaceAll(name, "_", "-"), was.Headers[name], is.Headers[name]})
		}
	}
	switch {
	case was.Digest != is.Digest:
		one.What = Changed
	case len(one.Headers) > 0:
		one.What = Headers
	default:
		c.Unchanged++
		return
	}
	c.add(one)
}

func union(a, b map[string]string) map[string]string {
	if maps.Equal(a, b) {
		return nil
	}
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

func (c *comparison) add(one Change) {
	c.Counts[one.What]++
	if len(c.Changes) < c.limit {
		c.Changes = append(c.Changes, one)
	}
}

// retire tells those that were removed from those that are still served. The count is of those that are shown.
func (c *comparison) retire(keys []struct {
	Key     string `json:"key"`
	Release string `json:"release"`
}) {
	stays := map[string]bool{}
	for _, one := range keys {
		if one.Release == c.Release {
			stays[one.Key] = true
		}
	}
	if len(stays) == 0 {
		return
	}
	c.Counts[Retired] = min(len(stays), c.Counts[Removed])
	if c.Counts[Removed] -= c.Counts[Retired]; c.Counts[Removed] == 0 {
		delete(c.Counts, Removed)
	}
	for i := range c.Changes {
		if one := &c.Changes[i]; one.What == Removed && stays[one.Key] {
			one.What = Retired
		}
	}
}

// object is one entry of a manifest.
type object struct {
	Key     string            `json:"key"`
	Size    int64             `json:"size"`
	Digest  string            `json:"sha256"`
	Headers map[string]string `json:"headers"`
}

// kind is the media type without its parameters.
func (o object) kind() string {
	media, _, _ := strings.Cut(o.Headers["content_type"], ";")
	return media
}

// tail is what stands in a manifest after its objects.
type tail struct {
	Retired []struct {
		Key     string `json:"key"`
		Release string `json:"release"`
	} `json:"retired"`
	About   Release   `json:"about"`
	History []Release `json:"history"`
}

// objects yields a manifest's objects, in the order of their keys, and fills tail after the last. An error comes alone, as the last pair.
func (r *Reader) objects(ctx context.Context, prefix string, of Release, end *tail) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		last, going := "", true
		err := r.manifest(ctx, prefix, of, func(raw *json.Decoder) error {
			var one object
			if err := raw.Decode(&one); err != nil {
				return err
			}
			if one.Key < last {
				return errors.New("its objects are not in order")
			}
			last = one.Key
			if going = yield(one, nil); !going {
				return errStop
			}
			return nil
		}, end)
		if err != nil && going {
			yield(object{}, err)
		}
	}
}

// errStop ends a reading that nobody wants to go on with.
var errStop = errors.New("stop")

var (
	releaseID = regexp.MustCompile(`^r[0-9]{1,9}-[0-9a-f]{8}$`)
	digest    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// manifest reads a release's manifest: each object by visit, or over it where that is nil; then tail.
func (r *Reader) manifest(ctx context.Context, prefix string, of Release, visit func(*json.Decoder) error, end *tail) error {
	if !releaseID.MatchString(of.ID) || !digest.MatchString(of.Manifest) {
		return fmt.Errorf("read the manifest of release %q: %w", of.ID, ErrGone)
	}
	body, err := r.bucket.Read(ctx, prefix+"releases/"+of.ID+"/manifest-"+of.Manifest[:16]+".json.zst")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the manifest of release %s: %w", of.ID, ErrGone)
	}
	if err != nil {
		return fmt.Errorf("read the manifest of release %s: %w", of.ID, withoutPrefix(err))
	}
	unpacked, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
	if err == nil {
		err = read(ctx, io.LimitReader(unpacked, maxUnpacked), visit, end)
		unpacked.Close()
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read the manifest of release %s: %w", of.ID, err)
	}
	return nil
}

// read goes through the JSON of a manifest, one object at a time.
func read(ctx context.Context, from io.Reader, visit func(*json.Decoder) error, end *tail) error {
	d := json.NewDecoder(from)
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := field(ctx, d, fmt.Sprint(name), visit, end); err != nil {
			return err
		}
	}
	return nil
}

func field(ctx context.Context, d *json.Decoder, name string, visit func(*json.Decoder) error, end *tail) error {
	var over json.RawMessage
	switch name {
	case "version":
		var version int
		if err := d.Decode(&version); err != nil {
			return err
		}
		if version != format {
			return fmt.Errorf("its version is %d, and this program knows %d", version, format)
		}
		return nil
	case "objects":
		return list(ctx, d, visit)
	case "retired":
		return d.Decode(&end.Retired)
	case "about":
		return d.Decode(&end.About)
	case "history":
		return d.Decode(&end.History)
	}
	return d.Decode(&over)
}

// list goes through the array of objects.
func list(ctx context.Context, d *json.Decoder, visit func(*json.Decoder) error) error {
	if visit == nil {
		visit = func(d *json.Decoder) error {
			var over json.RawMessage
			return d.Decode(&over)
		}
	}
	if _, err := d.Token(); err != nil { // [
		return err
	}
	for d.More() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(d); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
