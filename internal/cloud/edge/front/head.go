package front

import "bytes"

// verdict is what a reader of heads says about the bytes so far.
type verdict int

const (
	more  verdict = iota // not a whole head yet
	plain                // a Request
	whole                // a request without body, whose end is certain, but nothing for the Engine
	odd                  // anything else: net/http's from here on
)

// maxFields is how many header lines a plain head may have; those of browsers have some twenty.
const maxFields = 64

// Classes of bytes.
const (
	tokenByte  = 1 << iota // RFC 9110 5.6.2, token
	valueByte              // RFC 9110 5.5, field-vchar, space, tab; without obs-text
	targetByte             // visible ASCII without "#"
	hostByte               // RFC 3986 3.2.2, reg-name without percent-encoding, IP-literal, port
	hexByte
)

// classes says for each byte to which classes it belongs.
var classes = byteClasses()

func byteClasses() (table [256]uint8) {
	for c := range 256 {
		b := byte(c)
		alnum := '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
		if alnum || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0 {
			table[c] |= tokenByte
		}
		if b == '\t' || ' ' <= b && b <= '~' {
			table[c] |= valueByte
		}
		if '!' <= b && b <= '~' && b != '#' {
			table[c] |= targetByte
		}
		if alnum || bytes.IndexByte([]byte("-._~:[]"), b) >= 0 {
			table[c] |= hostByte
		}
		if '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F' {
			table[c] |= hexByte
		}
	}
	return table
}

// all says whether every byte of p is of the class.
func all(p []byte, class uint8) bool {
	for _, c := range p {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

// isFold says whether p is lower, a name in lower case, whatever the case of p's letters.
func isFold(p []byte, lower string) bool {
	if len(p) != len(lower) {
		return false
	}
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

var (
	lineEnd = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// headReader finds the end of a head whose bytes come in pieces, looking at each byte once.
type headReader struct {
	seen     int  // bytes that were looked at
	lineRead bool // the request line among them was in order
}

// end returns the length of the head at the beginning of p, with its empty line; 0 with more, or with odd.
// Odd is said as early as net/http would say no: a client that waits for that answer must get it.
func (h *headReader) end(p []byte) (int, verdict) {
	from := max(0, h.seen-len(headEnd)+1)
	if i := bytes.Index(p[from:], headEnd); i >= 0 {
		*h = headReader{}
		return from + i + len(headEnd), whole
	}
	// RFC 9112 2.2: a lone LF may count as a line's end, so that a head may end where no CRLF stands.
	for at := h.seen; at < len(p); {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		if at += i; at == 0 || p[at-1] != '\r' {
			return 0, odd
		}
		at++
	}
	h.seen = len(p)
	if !h.lineRead {
		line, _, ok := bytes.Cut(p, lineEnd)
		if !ok {
			return 0, more
		}
		if h.lineRead = requestLine(line, &Request{}) != odd; !h.lineRead {
			return 0, odd
		}
	}
	return 0, more
}

// requestLine reads method, target and version.
// RFC 9112 3: single spaces, nothing before or after.
func requestLine(line []byte, rq *Request) verdict {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || string(version) != "HTTP/1.1" || len(target) == 0 || target[0] != '/' || !all(target, targetByte) {
		return odd
	}
	rq.Target = target
	switch string(method) {
	case "GET":
		rq.Head = false
	case "HEAD":
		rq.Head = true
	case "OPTIONS":
		return whole
	default:
		return odd
	}
	if !escapesWhole(target) {
		return whole
	}
	return plain
}

// escapesWhole says whether each percent sign of the target's path has its two digits; net/http refuses others.
func escapesWhole(target []byte) bool {
	for i, c := range target {
		switch c {
		case '?':
			return true
		case '%':
			if len(target) < i+3 || classes[target[i+1]]&classes[target[i+2]]&hexByte == 0 {
				return false
			}
		}
	}
	return true
}

// parse reads head, which ends with an empty line and has no other, into rq.
func parse(head []byte, rq *Request) verdict {
	line, rest, _ := bytes.Cut(head, lineEnd)
	v := requestLine(line, rq)
	if v == odd {
		return odd
	}
	rq.Host, rq.Fields = nil, rq.Fields[:0]
	for len(rest) > len(lineEnd) {
		end := bytes.IndexByte(rest, '\r')
		if rest[end+1] != '\n' { // the head ends with CRLF, so that there is a byte after each CR
			return odd
		}
		fieldVerdict := rq.field(rest[:end])
		if fieldVerdict == odd || len(rq.Fields) > maxFields {
			return odd
		}
		v = max(v, fieldVerdict)
		rest = rest[end+len(lineEnd):]
	}
	if len(rq.Host) == 0 { // RFC 9112 3.2: exactly one
		return odd
	}
	return v
}

// field reads one header line.
// RFC 9112 5.1: no space before the colon; 5.2: a line that begins with a space would be folding, and is no token.
func (rq *Request) field(line []byte) verdict {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !all(line[:colon], tokenByte) {
		return odd
	}
	f := Field{Name: line[:colon], Value: bytes.Trim(line[colon+1:], " \t")}
	if !all(f.Value, valueByte) {
		return odd
	}
	switch {
	case f.Is("host"):
		if rq.Host != nil || len(f.Value) == 0 || !all(f.Value, hostByte) {
			return odd
		}
		rq.Host = f.Value
		return plain
	case f.Is("connection"):
		if !isFold(f.Value, "keep-alive") {
			return odd
		}
		return plain
	case framing(f):
		return odd
	}
	rq.Fields = append(rq.Fields, f)
	return plain
}

// framing says whether the field can change where a request ends or what its connection is for.
// RFC 9112 6, RFC 9110 7.6, 7.8, 10.1.1.
func framing(f Field) bool {
	switch len(f.Name) {
	case 2:
		return f.Is("te")
	case 6:
		return f.Is("expect")
	case 7:
		return f.Is("upgrade") || f.Is("trailer")
	case 14:
		return f.Is("content-length") || f.Is("http2-settings")
	case 17:
		return f.Is("transfer-encoding")
	}
	return false
}
