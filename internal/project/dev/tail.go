package dev

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Bounds of what is kept of a build's output.
const (
	tailBytes = 64 << 10
	tailLines = 200
)

// tail keeps the end of what is written to it. Standard output and standard
// error may be written at once.
type tail struct {
	mu   sync.Mutex // guards what follows, for the length of a copy
	kept []byte
	cut  bool // the beginning of kept is not the beginning of a line
}

// Write always succeeds.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept, t.cut = append([]byte(nil), t.kept[over:]...), true
	}
	return len(p), nil
}

// control matches escape sequences: those that begin with CSI and OSC, and the
// short ones. ECMA-48, 5.4 and 8.3.89
var control = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]`)

// lines are the last lines as a terminal would show them, without colours.
func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept
	if i := bytes.IndexByte(kept, '\n'); t.cut && i >= 0 {
		kept = kept[i+1:]
	}
	text := strings.TrimRight(control.ReplaceAllString(strings.ToValidUTF8(string(kept), "\ufffd"), ""), " \t\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return lines
}

// plain is what is left of a line when what it writes over itself is gone.
func plain(line string) string {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, line)
}
