package rules

import (
	"path"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// ContentType is the type of the object named key, by the extension of its
// name: text types with charset=utf-8, and the generic binary type for what
// the table does not know. It is the same on every machine.
func ContentType(key site.Key) string {
	base := strings.ToLower(key.Base())
	if t, ok := typesByName[base]; ok {
		return t
	}
	if t, ok := typesByExt[path.Ext(base)]; ok {
		return t
	}
	return "application/octet-stream"
}

const utf8 = "; charset=utf-8"

// Files that have a meaning but no extension.
var typesByName = map[string]string{
	"cname":                      "text/plain" + utf8,
	"_headers":                   "text/plain" + utf8,
	"_redirects":                 "text/plain" + utf8,
	"apple-app-site-association": "application/json",
}

// The IANA media type registry, read 2026-11; text/javascript by RFC 9239,
// fonts by RFC 8081, text/calendar by RFC 5545, .map by the source map
// specification (JSON), .webmanifest by the W3C application manifest.
var typesByExt = map[string]string{
	".html": "text/html" + utf8, ".htm": "text/html" + utf8, ".xhtml": "application/xhtml+xml",
	".css": "text/css" + utf8, ".js": "text/javascript" + utf8, ".mjs": "text/javascript" + utf8,
	".cjs": "text/javascript" + utf8, ".txt": "text/plain" + utf8, ".text": "text/plain" + utf8,
	".md": "text/markdown" + utf8, ".markdown": "text/markdown" + utf8, ".csv": "text/csv" + utf8,
	".tsv": "text/tab-separated-values" + utf8, ".vtt": "text/vtt" + utf8, ".ics": "text/calendar" + utf8,
	".vcf": "text/vcard" + utf8, ".xml": "application/xml", ".xsl": "application/xslt+xml",
	".xslt": "application/xslt+xml", ".atom": "application/atom+xml", ".rss": "application/rss+xml",
	".json": "application/json", ".jsonld": "application/ld+json", ".geojson": "application/geo+json",
	".map": "application/json", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
	".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",

	".svg": "image/svg+xml", ".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg",
	".jpeg": "image/jpeg", ".jfif": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".jxl": "image/jxl", ".heic": "image/heic", ".heif": "image/heif",
	".bmp": "image/bmp", ".ico": "image/vnd.microsoft.icon", ".tif": "image/tiff", ".tiff": "image/tiff",

	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".ttc": "font/collection", ".eot": "application/vnd.ms-fontobject",

	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".ogg": "audio/ogg",
	".oga": "audio/ogg", ".opus": "audio/ogg", ".flac": "audio/flac", ".wav": "audio/wav",
	".mid": "audio/midi", ".weba": "audio/webm", ".mp4": "video/mp4", ".m4v": "video/mp4",
	".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".avi": "video/x-msvideo",
	".mkv": "video/matroska", ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t",
	".mpd": "application/dash+xml",

	".pdf": "application/pdf", ".epub": "application/epub+zip", ".zip": "application/zip",
	".gz": "application/gzip", ".tgz": "application/gzip", ".bz2": "application/x-bzip2",
	".xz": "application/x-xz", ".zst": "application/zstd", ".7z": "application/x-7z-compressed",
	".tar": "application/x-tar", ".rar": "application/vnd.rar", ".br": "application/octet-stream",
	".doc": "application/msword", ".rtf": "application/rtf", ".odt": "application/vnd.oasis.opendocument.text",
	".ods":  "application/vnd.oasis.opendocument.spreadsheet",
	".odp":  "application/vnd.oasis.opendocument.presentation",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls":  "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt":  "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".asc":  "application/pgp-keys", ".sig": "application/pgp-signature", ".p7c": "application/pkcs7-mime",
	".glb": "model/gltf-binary", ".gltf": "model/gltf+json", ".stl": "model/stl",
	".gpx": "application/gpx+xml", ".kml": "application/vnd.google-earth.kml+xml",
	".ps": "application/postscript", ".swf": "application/vnd.adobe.flash.movie",
	".apk": "application/vnd.android.package-archive", ".dmg": "application/x-apple-diskimage",
	".exe": "application/vnd.microsoft.portable-executable", ".deb": "application/vnd.debian.binary-package",
	".webapp": "application/x-web-app-manifest+json", ".ipynb": "application/x-ipynb+json",
	".pbf": "application/vnd.mapbox-vector-tile", ".mvt": "application/vnd.mapbox-vector-tile",
	".parquet": "application/vnd.apache.parquet", ".sql": "application/sql",
	".sh": "text/x-shellscript" + utf8, ".py": "text/x-python" + utf8, ".go": "text/x-go" + utf8,
	".rs": "text/x-rust" + utf8, ".c": "text/x-c" + utf8, ".h": "text/x-c" + utf8, ".log": "text/plain" + utf8,
	".srt": "application/x-subrip", ".bib": "text/x-bibtex" + utf8, ".tex": "text/x-tex" + utf8,
	".diff": "text/x-diff" + utf8, ".patch": "text/x-diff" + utf8, ".torrent": "application/x-bittorrent",
	".swift": "text/x-swift" + utf8, ".java": "text/x-java" + utf8,
}
