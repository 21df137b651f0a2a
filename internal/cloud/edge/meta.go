package edge

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
)

// metaVersion is the form of an object's metadata on disk. Another one is not read: the object is fetched anew.
const metaVersion = 1

// record is what the disk tier keeps of o beside its body. Times are absolute.
func (o *object) record() disk.Record {
	return disk.Record{
		Key: o.key.disk(), Tags: o.tags, Fill: o.fill, Checked: o.seen(), Meta: o.encodeMeta(),
	}
}

func (k cacheKey) disk() disk.Key { return disk.Key{URI: k.uri, Variant: k.variant} }

func (o *object) encodeMeta() []byte {
	e := &disk.Encoder{}
	e.Uint(metaVersion)
	e.Uint(uint64(o.status))
	encodeHeader(e, o.header)
	encodeHeader(e, o.original)
	e.Int(o.born.UnixNano())
	e.Int(o.expires.UnixNano())
	e.Strings(o.selecting)
	e.Int(o.retry.Load())
	e.Int(o.hits.Load())
	o.verdict.encode(e)
	return e.B
}

// decodeObject makes an object without body of a record from the disk; false if its metadata are none of this version.
func decodeObject(r *disk.Record) (*object, bool) {
	d := disk.NewDecoder(r.Meta)
	if d.Uint() != metaVersion {
		return nil, false
	}
	o := &object{
		key: cacheKey{r.Key.URI, r.Key.Variant}, fill: r.Fill, stamp: r.Checked, tags: r.Tags, status: int(d.Uint()), header: http.Header{},
	}
	o.checked.Store(uint64(r.Checked))
	decodeHeader(d, o.header)
	if original := (http.Header{}); decodeHeader(d, original) {
		o.original = original
	}
	o.born, o.expires = time.Unix(0, d.Int()), time.Unix(0, d.Int())
	o.selecting = d.Strings()
	o.retry.Store(d.Int())
	o.hits.Store(d.Int())
	o.verdict = decodeVerdict(d)
	return o, d.Done() && o.status >= 0 && o.status < 1000
}

func encodeHeader(e *disk.Encoder, h http.Header) {
	e.Uint(uint64(len(h)))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		e.String(name)
		e.Strings(h[name])
	}
}

// decodeHeader fills h and says whether there was anything to fill it with.
func decodeHeader(d *disk.Decoder, h http.Header) bool {
	for n := d.Uint(); n > 0 && d.OK(); n-- {
		name := d.String()
		h[name] = d.Strings()
	}
	return len(h) > 0
}

func (v *verdict) encode(e *disk.Encoder) {
	e.Bool(v.store)
	e.Bool(v.validate)
	e.Bool(v.share)
	e.Bool(v.spare)
	e.Int(int64(v.lifetime))
	e.Int(int64(v.age))
	e.Strings(v.vary)
	e.Strings(v.withhold)
	s := &v.stale
	e.Bool(s.forbidden)
	e.Bool(s.unreachable)
	e.Bool(s.failing)
	e.Int(int64(s.revalidate))
	e.Int(int64(s.afterExpiry))
	e.Int(int64(s.maxAge))
}

func decodeVerdict(d *disk.Decoder) verdict {
	v := verdict{store: d.Bool(), validate: d.Bool(), share: d.Bool(), spare: d.Bool()}
	v.lifetime, v.age = time.Duration(d.Int()), time.Duration(d.Int())
	v.vary, v.withhold = d.Strings(), d.Strings()
	v.stale = staleness{forbidden: d.Bool(), unreachable: d.Bool(), failing: d.Bool()}
	v.stale.revalidate, v.stale.afterExpiry, v.stale.maxAge = time.Duration(d.Int()), time.Duration(d.Int()), time.Duration(d.Int())
	return v
}
