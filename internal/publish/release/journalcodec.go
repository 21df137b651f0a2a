package release

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/freshet/freshet/internal/site"
)

// Where the long lists of a journal begin. Quotes within strings are escaped,
// so that nothing else in it reads like this.
const (
	touchedList = `"touched":[`
	pendingList = `"pending":[`
)

// encodeJournal is the file of a journal: what json.Marshal makes of it, and a
// newline. That of a large site's first deploy names every key and every URL;
// json.Marshal has it in memory three times while it makes it.
func encodeJournal(j Journal) ([]byte, error) {
	touched, pending := j.Touched, j.Pending
	j.Touched, j.Pending = touched[:min(1, len(touched))], pending[:min(1, len(pending))]
	frame, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", journalFile, err)
	}
	size := len(frame) + 1
	for _, k := range touched {
		size += len(k) + len(`"",`)
	}
	for _, u := range pending {
		size += len(u.Distribution) + len(u.Path) + len(u.Key) + len(`{"distribution":"","path":"","key":"","variants":true},`)
	}
	out := make([]byte, 0, size)
	out, frame = appendList(out, frame, touchedList, touched, func(line []byte, k site.Key) []byte { return appendText(line, string(k)) })
	out, frame = appendList(out, frame, pendingList, pending, appendPending)
	return append(append(out, frame...), '\n'), nil
}

// appendList appends the frame up to the list and all of the list, of which the
// frame has the first alone, and returns what is left of the frame.
func appendList[T any](out, frame []byte, begin string, list []T, add func([]byte, T) []byte) (more, rest []byte) {
	if len(list) == 0 {
		return out, frame
	}
	head, rest, _ := bytes.Cut(frame, []byte(begin))
	out = append(append(out, head...), begin...)
	before := len(out)
	for i, one := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = add(out, one)
		if i == 0 {
			rest = rest[len(out)-before:]
		}
	}
	return out, rest
}

// appendPending appends what json.Marshal makes of u.
func appendPending(line []byte, u PendingURL) []byte {
	line = appendText(append(line, `{"distribution":`...), u.Distribution)
	line = appendText(append(line, `,"path":`...), string(u.Path))
	line = appendText(append(line, `,"key":`...), string(u.Key))
	if u.Variants {
		line = append(line, `,"variants":true`...)
	}
	return append(line, '}')
}
