package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// entryVersion is the first byte of every entry of the log; another one is refused, not guessed.
const entryVersion = 1

// Kinds of operations. A number once given keeps its meaning; what an operation means changes only with entryVersion.
const (
	kindPutDistribution    = 1
	kindRemoveDistribution = 2
	kindSetTags            = 3
	kindAddInvalidation    = 4
	kindForget             = 5
	kindPutPolicy          = 6
	kindRemovePolicy       = 7
	kindJoin               = 8
	kindEnd                = 9
)

// EncodeJoin makes the entry by which a member joins the fleet; its position in the log is the membership's birth. The id is
// unique to one life of one process, the name is what operators know it by. It can be added after any entry. A member that is
// there already stays as it is.
func EncodeJoin(member, name string) []byte { return encodeEntry([]op{join{member, name}}) }

// EncodeEnd makes the entry by which views forget a member. It can be added after any entry, and more than once.
func EncodeEnd(member string) []byte { return encodeEntry([]op{end{member}}) }

// EncodeNothing makes an entry that changes nothing: who has applied it has applied everything that was acknowledged before it was added.
func EncodeNothing() []byte { return encodeEntry(nil) }

// Content is what counts of an entry of a fleet's log, for Server.Apply, Replica.Apply and Invalidations. Of one that an edge's key added that is members that
// join, and nothing else: not even that another member has ended is an edge's to say. One of those that cannot be read is one without anything, and so is a
// member that no lease could name: a view could not take it, or nobody could end it. One that is longer than any that joins is not even read.
func Content(e fleet.Entry) []byte {
	if !e.FromEdge {
		return e.Data
	}
	var ops []op
	if len(e.Data) <= maxFromEdge {
		ops, _ = decodeEntry(e.Data)
	}
	return encodeEntry(slices.DeleteFunc(ops, func(o op) bool { j, joins := o.(join); return !joins || !validMember(j.member) }))
}

// maxFromEdge is the longest entry of an edge that counts, in bytes: an id and a name. To read a large one of many small things takes many times its size.
const maxFromEdge = 16 << 10

// maxMember is the longest id of a member, in bytes; those that fleet.Member makes have 20, or 41 with a sum.
const maxMember = 64

// validMember says whether an id can be a member's: letters, digits, - and _.
func validMember(id string) bool {
	other := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_')
	}
	return id != "" && len(id) <= maxMember && !strings.ContainsFunc(id, other)
}

// encodeEntry writes operations as an entry: the version, then each operation as its kind and its fields. Numbers are
// varints, strings and lists are their length and then what is in them.
func encodeEntry(ops []op) []byte {
	e := encoder{entryVersion}
	for _, o := range ops {
		e = append(e, o.kind())
		o.encode(&e)
	}
	return e
}

// decodeEntry reads an entry whole, or refuses it.
func decodeEntry(data []byte) ([]op, error) {
	if len(data) == 0 {
		return nil, errors.New("read entry of the log: it is empty")
	}
	if data[0] != entryVersion {
		return nil, fmt.Errorf("read entry of the log: it has version %d, and this freshet knows %d: a newer freshet wrote it", data[0], entryVersion)
	}
	d := &decoder{rest: data[1:]}
	var ops []op
	for len(d.rest) > 0 {
		o := d.op()
		if d.err != nil {
			return nil, fmt.Errorf("read entry of the log: operation %d: %w", len(ops)+1, d.err)
		}
		ops = append(ops, o)
	}
	return ops, nil
}

// op reads one operation.
func (d *decoder) op() op {
	switch kind := d.byte(); kind {
	case kindPutDistribution:
		return putDistribution{distributionRecord{ID: d.text(), ETag: d.text(), Modified: d.time(), Document: d.bytes(), Tags: d.tags()}}
	case kindRemoveDistribution:
		return removeDistribution{d.text()}
	case kindSetTags:
		return setTags{d.text(), d.tags()}
	case kindAddInvalidation:
		return addInvalidation{d.text(), invalidationRecord{ID: d.text(), Sequence: d.number(), Reference: d.text(), Created: d.time(), Items: d.items()}}
	case kindForget:
		return forget{d.text(), d.number()}
	case kindPutPolicy:
		return putPolicy{d.text(), policyRecord{ID: d.text(), ETag: d.text(), Modified: d.time(), Document: d.bytes()}}
	case kindRemovePolicy:
		return removePolicy{d.text(), d.text()}
	case kindJoin:
		return join{d.text(), d.text()}
	case kindEnd:
		return end{d.text()}
	default:
		d.fail(fmt.Errorf("unknown kind %d: a newer freshet wrote it, or it is damaged", kind))
		return nil
	}
}

func (putDistribution) kind() byte    { return kindPutDistribution }
func (removeDistribution) kind() byte { return kindRemoveDistribution }
func (setTags) kind() byte            { return kindSetTags }
func (addInvalidation) kind() byte    { return kindAddInvalidation }
func (forget) kind() byte             { return kindForget }
func (putPolicy) kind() byte          { return kindPutPolicy }
func (removePolicy) kind() byte       { return kindRemovePolicy }
func (join) kind() byte               { return kindJoin }
func (end) kind() byte                { return kindEnd }

func (o putDistribution) encode(e *encoder) {
	e.text(o.rec.ID, o.rec.ETag)
	e.time(o.rec.Modified)
	e.text(string(o.rec.Document))
	e.tags(o.rec.Tags)
}

func (o removeDistribution) encode(e *encoder) { e.text(o.id) }

func (o setTags) encode(e *encoder) {
	e.text(o.id)
	e.tags(o.tags)
}

func (o addInvalidation) encode(e *encoder) {
	e.text(o.distribution, o.rec.ID)
	e.number(o.rec.Sequence)
	e.text(o.rec.Reference)
	e.time(o.rec.Created)
	e.number(uint64(len(o.rec.Items)))
	e.text(o.rec.Items...)
}

func (o forget) encode(e *encoder) {
	e.text(o.distribution)
	e.number(o.through)
}

func (o putPolicy) encode(e *encoder) {
	e.text(o.path, o.rec.ID, o.rec.ETag)
	e.time(o.rec.Modified)
	e.text(string(o.rec.Document))
}

func (o removePolicy) encode(e *encoder) { e.text(o.path, o.id) }
func (o join) encode(e *encoder)         { e.text(o.member, o.name) }
func (o end) encode(e *encoder)          { e.text(o.member) }

// encoder is an entry that grows.
type encoder []byte

func (e *encoder) number(n uint64) { *e = binary.AppendUvarint(*e, n) }

func (e *encoder) text(all ...string) {
	for _, s := range all {
		e.number(uint64(len(s)))
		*e = append(*e, s...)
	}
}

// time keeps nanoseconds, and no zone.
func (e *encoder) time(t time.Time) {
	*e = binary.AppendVarint(*e, t.Unix())
	e.number(uint64(t.Nanosecond()))
}

func (e *encoder) tags(tags []tag) {
	e.number(uint64(len(tags)))
	for _, t := range tags {
		e.text(t.Key, t.Value)
	}
}

// decoder reads an entry; after the first error everything reads as nothing.
type decoder struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too soon")

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.rest = err, nil
	}
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail(errShort)
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail(errShort)
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// length is a number of things that take at least a byte each.
func (d *decoder) length() int {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.fail(errShort)
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.length()
	b := slices.Clone(d.rest[:n])
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes()) }

func (d *decoder) items() []string {
	items := make([]string, d.length())
	for i := range items {
		if items[i] = d.text(); items[i] == "" {
			d.fail(errors.New("it has an empty item"))
			return nil
		}
	}
	return items
}

func (d *decoder) tags() []tag {
	var tags []tag
	for n := d.length(); n > 0 && d.err == nil; n-- {
		tags = append(tags, tag{d.text(), d.text()})
	}
	return tags
}

// time reads a time in UTC that JSON can write: of the years 0 to 9999.
func (d *decoder) time() time.Time {
	s, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail(errShort)
		return time.Time{}
	}
	d.rest = d.rest[size:]
	nanos := d.number()
	t := time.Unix(s, int64(min(nanos, 1e9))).UTC()
	if nanos >= 1e9 || s < -62167219200 || s > 253402300799 {
		d.fail(errors.New("it has a time that is none"))
	}
	return t
}
