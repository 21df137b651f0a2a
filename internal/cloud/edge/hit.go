package edge

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

var _ front.Engine = (*Edge)(nil)

// Hit answers rq if, by CloudFront's rules, a fresh object that nothing covers is the whole answer; ServeHTTP answers the rest.
// The answer is the one that ServeHTTP would give: the decisions are made by the same code, and the header lines
// are those that net/http would write, made once per object and configuration.
func (e *Edge) Hit(rq *front.Request, resp *front.Response) bool {
	return e.hit(e.dist.Load(), rq, resp)
}

func (e *Edge) hit(d *distribution, rq *front.Request, resp *front.Response) bool {
	if d.Rules != CloudFront {
		return false // there requests have a say, and each answer tells how it came about
	}
	s := e.scratches.Get().(*scratch)
	defer e.scratches.Put(s)
	if len(rq.Target) > maxURL || !s.read(rq, e.opts.Now()) {
		return false
	}
	if !e.leased(s.start) || s.target.aim(d, &s.request) != nil || !s.plain() {
		return false
	}
	o := e.store.get(s.target.key)
	if o == nil || o.use(nil, s.start) != serve {
		return false
	}
	p := e.prepare(&s.target, o)
	if p == nil {
		return false
	}
	lines, status := &p.full, o.status
	if status == http.StatusOK && s.conditional && notModified(s.header, d.rules.validators(o.header)) {
		lines, status = &p.unmodified, http.StatusNotModified
	} else {
		resp.Body = o.body
	}
	o.hits.Add(1)
	resp.Head = lines.append(resp.Head, o.age(s.start), s)
	resp.Receipt, resp.Start, resp.Status = p, s.start, status
	return true
}

// scratch is what one look-up needs beside the request, kept for the next one, so that a hit allocates nothing.
type scratch struct {
	request
	target      target
	text        []byte // what path and query are views of
	conditional bool   // If-None-Match or If-Modified-Since is there
	foreign     bool   // Origin is there
	ids         *rand.ChaCha8
	encoding    []string // an earlier request's only Accept-Encoding: most requests have one of few
}

// plain says whether an object alone can be the answer: nothing but path, query and coding is in the key,
// and the behaviour's policy looks at nothing of the request.
func (s *scratch) plain() bool {
	b := s.target.b
	if !b.cached || b.cookies || len(b.headers) > 0 {
		return false
	}
	p := b.ResponseHeaders
	return p == nil || p.ServerTiming == nil && (p.CORS == nil || !s.foreign)
}

// newScratch seeds the ids from the edge's own source of randomness.
func (e *Edge) newScratch() *scratch {
	var seed [32]byte
	_, _ = io.ReadFull(e.opts.Rand, seed[:]) // without it ids are alike; nothing else hangs on them
	return &scratch{request: request{header: http.Header{}, borrowed: true}, ids: rand.NewChaCha8(seed)}
}

// read takes over what a hit can depend on; false if that is more than Hit looks at.
func (s *scratch) read(rq *front.Request, now time.Time) bool {
	clear(s.header)
	s.conditional, s.foreign = false, false
	s.method, s.start = http.MethodGet, now
	if rq.Head {
		s.method = http.MethodHead
	}
	s.text = append(s.text[:0], rq.Target...)
	s.path, s.query, _ = strings.Cut(unsafe.String(unsafe.SliceData(s.text), len(s.text)), "?")
	for _, f := range rq.Fields {
		switch name := matters(f); name {
		case "":
		case "Accept-Encoding":
			s.accept(name, f.Value)
		case "If-None-Match", "If-Modified-Since":
			s.conditional = true
			s.header[name] = append(s.header[name], string(f.Value))
		case "Origin":
			s.foreign = true
		default:
			return false
		}
	}
	return true
}

func (s *scratch) accept(name string, value []byte) {
	switch {
	case len(s.header[name]) > 0:
		s.header[name] = append(s.header[name], string(value)) // not in place: there is room for one
	case len(s.encoding) == 1 && s.encoding[0] == string(value):
		s.header[name] = s.encoding
	default:
		s.encoding = []string{string(value)}
		s.header[name] = s.encoding
	}
}

// matters is the canonical name of a field that a hit under a behaviour without headers and cookies in its key can depend on;
// "" for all others.
func matters(f front.Field) string {
	switch len(f.Name) {
	case len("Range"):
		if f.Is("range") {
			return "Range"
		}
	case len("Origin"):
		if f.Is("origin") {
			return "Origin"
		}
	case len("If-Range"): // and If-Match
		if f.Is("if-range") || f.Is("if-match") {
			return "If-Range"
		}
	case len("If-None-Match"):
		if f.Is("if-none-match") {
			return "If-None-Match"
		}
	case len("Accept-Encoding"):
		if f.Is("accept-encoding") {
			return "Accept-Encoding"
		}
	case len("If-Modified-Since"):
		if f.Is("if-modified-since") {
			return "If-Modified-Since"
		}
	case len("If-Unmodified-Since"):
		if f.Is("if-unmodified-since") {
			return "If-Unmodified-Since"
		}
	}
	return ""
}

// prepared is an object made ready for the wire under one configuration. It is its own receipt.
type prepared struct {
	e          *Edge
	d          *distribution
	policy     *ResponseHeaders
	o          *object
	result     Result
	full       lines
	unmodified lines // of the 304
}

var _ front.Receipt = (*prepared)(nil)

// prepare returns o ready for the wire as t asks for it; nil if o is not for Hit.
func (e *Edge) prepare(t *target, o *object) *prepared {
	d, policy := t.d, t.b.ResponseHeaders
	if p := o.prepared.Load(); p != nil && p.d == d && p.policy == policy {
		return p
	}
	if page, ok := d.errors[o.status]; ok && page.PagePath != "" {
		return nil
	}
	length := o.header["Content-Length"]
	if http.StatusText(o.status) == "" || len(length) != 1 || length[0] != strconv.Itoa(len(o.body)) {
		return nil // among others a 204, which has no length
	}
	a := objectAnswer(o, Hit, ageMark)
	a.policy = policy
	p := &prepared{e: e, d: d, policy: policy, o: o, result: a.result}
	h := http.Header{}
	e.setHeaders(h, &request{id: idMark, dist: d}, a)
	full, ok := newLines(o.status, h)
	delete(h, "Content-Length")
	delete(h, "Content-Type")
	unmodified, ok2 := newLines(http.StatusNotModified, h)
	if !ok || !ok2 {
		return nil
	}
	p.full, p.unmodified = full, unmodified
	o.prepared.Store(p)
	return p
}

// Sent counts the request and passes it on to OnRequest.
func (p *prepared) Sent(rq *front.Request, resp *front.Response, body int64, err error) {
	p.e.stats.count(p.result, body)
	if p.e.opts.OnRequest == nil {
		return
	}
	path, query, _ := bytes.Cut(rq.Target, []byte("?"))
	method := http.MethodGet
	if rq.Head {
		method = http.MethodHead
	}
	p.e.opts.OnRequest(Event{
		Time: resp.Start, Duration: p.e.opts.Now().Sub(resp.Start), Method: method, Path: string(path), URI: p.o.key.uri,
		Status: resp.Status, Result: p.result, Bytes: body, Aborted: err != nil,
		Viewer: frontViewer(rq, string(query)),
	})
}

// lines are the status line and header lines of an answer, cut where the age and the request's id go.
type lines struct{ beforeAge, beforeID, rest []byte }

// What stands for age and id where lines are made.
const (
	ageMark = 1234567890 * time.Second
	idMark  = "request-id-of-fifty-six-characters-that-no-origin-send=="
)

// newLines makes the lines as net/http would write them, names sorted. Not ok if they have no age or no id to cut at.
func newLines(status int, h http.Header) (lines, bool) {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	before, after, ok := bytes.Cut(b.Bytes(), []byte("\r\nAge: 1234567890\r\n"))
	middle, rest, ok2 := bytes.Cut(after, []byte("\r\nX-Amz-Cf-Id: "+idMark+"\r\n"))
	return lines{
		beforeAge: append(before[:len(before):len(before)], "\r\nAge: "...),
		beforeID:  append([]byte("\r\n"), append(middle[:len(middle):len(middle)], "\r\nX-Amz-Cf-Id: "...)...),
		rest:      append([]byte("\r\n"), rest...),
	}, ok && ok2
}

func (l *lines) append(to []byte, age time.Duration, s *scratch) []byte {
	to = append(to, l.beforeAge...)
	to = strconv.AppendInt(to, int64(age/time.Second), 10)
	to = append(to, l.beforeID...)
	var raw [40]byte
	_, _ = s.ids.Read(raw[:]) // never fails
	to = base64.URLEncoding.AppendEncode(to, raw[:])
	return append(to, l.rest...)
}
