package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// errDamaged is the cause of errors about bytes that no writer of this package wrote.
var errDamaged = errors.New("damaged record")

// castagnoli is the table of CRC-32C, which processors compute. RFC 3720, 12.1
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encoder appends numbers and strings to B; Decoder reads them back in the same order.
type Encoder struct{ B []byte }

// Uint appends an unsigned number.
func (e *Encoder) Uint(n uint64) { e.B = binary.AppendUvarint(e.B, n) }

// Int appends a signed number.
func (e *Encoder) Int(n int64) { e.B = binary.AppendVarint(e.B, n) }

// Bool appends a truth value.
func (e *Encoder) Bool(b bool) {
	if b {
		e.B = append(e.B, 1)
		return
	}
	e.B = append(e.B, 0)
}

// String appends a string of any bytes.
func (e *Encoder) String(s string) {
	e.Uint(uint64(len(s)))
	e.B = append(e.B, s...)
}

// Strings appends a list of strings. Nil and empty are one.
func (e *Encoder) Strings(list []string) {
	e.Uint(uint64(len(list)))
	for _, s := range list {
		e.String(s)
	}
}

// Decoder reads what an Encoder wrote. After the first thing that does not fit, every method returns zero values and OK is false.
type Decoder struct {
	b      []byte
	broken bool
}

// NewDecoder returns a decoder of b, which must stay unchanged while it is used. Strings that it returns are copies.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// OK says whether everything was there so far.
func (d *Decoder) OK() bool { return !d.broken }

// Done says whether everything was there and nothing is left.
func (d *Decoder) Done() bool { return !d.broken && len(d.b) == 0 }

func (d *Decoder) fail() {
	d.b, d.broken = nil, true
}

// Uint reads an unsigned number.
func (d *Decoder) Uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// Bool reads a truth value.
func (d *Decoder) Bool() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	b := d.b[0] == 1
	d.b = d.b[1:]
	return b
}

// String reads a string.
func (d *Decoder) String() string {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// Strings reads a list; nil for an empty one.
func (d *Decoder) Strings() []string {
	n := d.Uint()
	if n > uint64(len(d.b)) { // each takes a byte at least
		d.fail()
		return nil
	}
	var list []string
	for range n {
		list = append(list, d.String())
	}
	if d.broken {
		return nil
	}
	return list
}

// frameHead is what stands before each framed payload: its length and a checksum, four bytes each, little-endian.
const frameHead = 8

// maxFrame bounds a payload, so that a damaged length cannot ask for all memory.
const maxFrame = 64 << 20

// checksum of data that belongs to one place only: the salt keeps bytes of another place from passing for it.
func checksum(salt uint64, data []byte) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, data)
}

// appendFrame appends a payload with its length and checksum.
func appendFrame(to []byte, salt uint64, payload []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload)))
	to = binary.LittleEndian.AppendUint32(to, checksum(salt, payload))
	return append(to, payload...)
}

// cutFrame takes the first frame off b. The error is errDamaged if there is no whole and sound one.
func cutFrame(b []byte, salt uint64) (payload, rest []byte, err error) {
	if len(b) < frameHead {
		return nil, nil, errDamaged
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxFrame || int(n) > len(b)-frameHead {
		return nil, nil, errDamaged
	}
	payload = b[frameHead : frameHead+n]
	if checksum(salt, payload) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, nil, errDamaged
	}
	return payload, b[frameHead+n:], nil
}

// sum is the four-byte number, a checksum or a length, that b begins with.
func sum(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
