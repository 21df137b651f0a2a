package release

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/freshet/freshet/internal/site"
)

// manifestFile is a manifest as it is stored, zstd-compressed JSON.
type manifestFile struct {
	Version int           `json:"version"`
	Release ID            `json:"release"`
	Number  int           `json:"number"`
	Created time.Time     `json:"created"`
	Objects []site.Object `json:"objects"`
	Retired []Retired     `json:"retired,omitempty"`
}

// maxManifest bounds what decodeManifest unpacks: a record of ten million
// objects stays below it.
const maxManifest = 4 << 30

func encodeManifest(m Manifest) ([]byte, error) {
	data, err := json.Marshal(manifestFile{Version, m.Release, m.Number, m.Created, m.Site.Objects(), m.Retired})
	if err != nil {
		return nil, fmt.Errorf("encode the manifest of release %s: %w", m.Release, err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("compress the manifest of release %s: %w", m.Release, err)
	}
	defer enc.Close()
	return enc.EncodeAll(data, nil), nil
}

func decodeManifest(data []byte) (Manifest, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxManifest))
	if err != nil {
		return Manifest{}, err
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(data, nil)
	if err != nil {
		return Manifest{}, fmt.Errorf("unpack: %w", err)
	}
	if err := checkVersion(plain); err != nil {
		return Manifest{}, err
	}
	var f manifestFile
	if err := json.Unmarshal(plain, &f); err != nil {
		return Manifest{}, err
	}
	objects, err := site.NewManifest(f.Objects)
	if err != nil {
		return Manifest{}, err
	}
	return Manifest{Release: f.Release, Number: f.Number, Created: f.Created, Site: objects, Retired: f.Retired}, nil
}
