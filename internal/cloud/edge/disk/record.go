package disk

import "github.com/freshet/freshet/internal/cloud/edge/purge"

// Key names an object: the URI that invalidations are compared with, and what else selects it.
type Key struct{ URI, Variant string }

// Record is what is kept of an object beside its body.
type Record struct {
	Key     Key
	Tags    []string       // in the purge log's form
	Fill    uint64         // of two objects with one key the greater is the newer; never 0
	Checked purge.Sequence // up to here no invalidation covers it
	Meta    []byte         // the edge's own; may be empty
}

// head is a record as it stands in a slab's index file, with the place of its body.
type head struct {
	Record
	at     int64  // of the body in the data file
	size   int64  // of the body itself, without checksums
	serial uint64 // salt of the body's checksums; no two bodies of a folder share one
}

// A head in the index file is a frame with one byte before it: whether it still counts. A dead one has no checksum any more.
const (
	live      = 'L'
	dead      = 'D'
	stateSize = 1
)

func (h *head) encode() []byte {
	var e Encoder
	e.Uint(h.Fill)
	e.Uint(uint64(h.Checked))
	e.Uint(uint64(h.at))
	e.Uint(uint64(h.size))
	e.Uint(h.serial)
	e.String(h.Key.URI)
	e.String(h.Key.Variant)
	e.Strings(h.Tags)
	e.String(string(h.Meta))
	return e.B
}

// decodeHead reads an encoded head. The error is errDamaged if payload is none.
func decodeHead(payload []byte) (head, error) {
	d := NewDecoder(payload)
	h := head{}
	h.Fill, h.Checked = d.Uint(), purge.Sequence(d.Uint())
	h.at, h.size, h.serial = int64(d.Uint()), int64(d.Uint()), d.Uint()
	h.Key = Key{d.String(), d.String()}
	h.Tags = d.Strings()
	if meta := d.String(); meta != "" {
		h.Meta = []byte(meta)
	}
	if !d.Done() || h.at < 0 || h.size < 0 || h.size > maxBody || h.at > maxBody {
		return head{}, errDamaged
	}
	return h, nil
}

// Bodies are stored in blocks, each behind its checksum.
const (
	blockSize = 64 << 10 // bytes of body; the last block may be shorter
	sumSize   = 4
	maxBody   = 1 << 50 // bytes; far beyond any disk, and no sum of two overflows
)

// stored is the room that a body of size bytes takes in a data file.
func stored(size int64) int64 {
	return size + (size+blockSize-1)/blockSize*sumSize
}

// blockSalt is the salt of a body's n-th block.
func blockSalt(serial uint64, n int64) uint64 {
	return serial<<24 ^ uint64(n) // 2^24 blocks are a terabyte; beyond, salts repeat within one body only
}
