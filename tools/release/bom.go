package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"
)

// The members of a CycloneDX 1.6 document that say what a Go program is made
// of; cyclonedx.org, "CycloneDX v1.6 JSON Reference", read 2026-11.
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// bom lists the modules that a program is linked from, and Go's own library, as
// the program itself records them. Which of them needs which the program does
// not record. The serial number is made from the program's bytes.
func bom(info *buildinfo.BuildInfo, program []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(program)
	self := module(info.Main)
	self.Type, self.Hashes = "application", []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.modified", "-trimpath", "-ldflags":
			self.Properties = append(self.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	out := document{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		SerialNumber: uuid(sum), Metadata: metadata{at.Format(time.RFC3339), self},
	}
	std := component{Ref: "pkg:golang/stdlib@" + info.GoVersion, Type: "library", Name: "stdlib", Version: info.GoVersion, PURL: "pkg:golang/stdlib@" + info.GoVersion}
	needs := dependency{Ref: self.Ref, DependsOn: []string{}}
	for _, c := range append([]component{std}, modules(info.Deps)...) {
		out.Components = append(out.Components, c)
		needs.DependsOn = append(needs.DependsOn, c.Ref)
	}
	out.Dependencies = []dependency{needs}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(out)
	return text.Bytes(), err
}

func modules(deps []*debug.Module) []component {
	var out []component
	for _, m := range deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, module(*m))
	}
	return out
}

// module is a module as a component. Its sum is Go's own, over names and sums
// of all of its files, and so no hash of any one file.
func module(m debug.Module) component {
	version := cmp.Or(m.Version, "(devel)")
	purl := "pkg:golang/" + m.Path + "@" + version
	out := component{Ref: purl, Type: "library", Name: m.Path, Version: version, PURL: purl}
	if m.Sum != "" {
		out.Properties = []property{{"go:sum", m.Sum}}
	}
	return out
}

// uuid is a random-looking UUID (RFC 9562, version 8) of a sum.
func uuid(sum [sha256.Size]byte) string {
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
