package scan

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/freshet/freshet/internal/publish/scan/hashes"
)

// quick makes a Quick of up to pieceBytes.
type quick struct{ aead cipher.AEAD }

func newQuick(seed hashes.Seed) quick {
	block, err := aes.NewCipher(seed[:])
	if err != nil {
		return quick{}
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return quick{} // GODEBUG=fips140=only
	}
	return quick{aead}
}

func (q quick) known() bool { return q.aead != nil }

func (q quick) of(piece []byte) (sum hashes.Quick) {
	if q.aead != nil {
		var nonce [12]byte
		q.aead.Seal(sum[:0], nonce[:], nil, piece)
	}
	return sum
}
