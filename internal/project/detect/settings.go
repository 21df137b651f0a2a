package detect

import (
	"path/filepath"
	"regexp"
)

// told is the source with the output folder that its own settings name, if
// they name a plain folder inside the project. The names of the settings are
// those of the generators' documentation: Hugo "publishDir", Zola
// "output_dir", Jekyll "destination", MkDocs "site_dir", Astro "outDir",
// Eleventy "dir.output", Next.js "distDir"; read 2026-11. Pelican is not asked:
// its command says where to write.
func (f folder) told(s Source) Source {
	name := map[string]string{
		"Hugo": "(?i:publishDir)", "Zola": "output_dir", "Jekyll": "destination", "MkDocs": "site_dir", "Astro": "outDir",
		"Eleventy": "output", "Next.js": "distDir",
	}[s.Name]
	if name == "" || s.Marker == "package.json" {
		return s
	}
	written := regexp.MustCompile(`(?m)(?:^|[{,])[ \t]*["']?` + name + `["']?\s*[:=]\s*(?:"([^"\n]+)"|'([^'\n]+)'|([\w./-]+)[ \t]*(?:[#,}].*)?\r?$)`)
	m := written.FindSubmatch(readHead(filepath.Join(f.dir, s.Marker)))
	if m == nil {
		return s
	}
	dir := filepath.Clean(filepath.FromSlash(string(m[1]) + string(m[2]) + string(m[3])))
	// Next.js's "output" is a mode, and what lies outside is not proposed.
	if filepath.IsLocal(dir) && dir != "." {
		s.Output = filepath.ToSlash(dir)
	}
	return s
}
