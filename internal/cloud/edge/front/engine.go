package front

import (
	"net"
	"time"
)

// Engine answers plain hits. It knows no server.
type Engine interface {
	// Hit says whether it has the answer to rq in memory, and if so fills resp. It must not wait.
	// Where it returns false, net/http serves the request, so false is always safe. It is called from the connection's goroutine;
	// rq and what it points to are valid during the call only.
	Hit(rq *Request, resp *Response) bool
}

// Request is a plain request: GET or HEAD, HTTP/1.1, origin form, one Host, no body, and a connection that stays open.
// The byte slices point into the connection's buffer.
type Request struct {
	Head   bool     // HEAD; otherwise GET
	Target []byte   // path and query as sent, starting with "/"; visible ASCII without "#", percent signs in the path followed by two hex digits
	Host   []byte   // not empty
	Fields []Field  // the header in its order, without Host and Connection
	Remote net.Addr // the viewer
}

// Field is one line of a header. Name is a token in the sender's spelling, Value visible ASCII, spaces and tabs, without any around it.
type Field struct{ Name, Value []byte }

// Is says whether the field has the name, whatever the case of its letters; lower is the name in lower case.
func (f Field) Is(lower string) bool {
	return isFold(f.Name, lower)
}

// Response is the answer to a Request.
type Response struct {
	Head    []byte  // the engine appends status line, header lines and the empty line
	Body    []byte  // shared, nobody writes to it; not sent after HEAD
	Receipt Receipt // told once the response is sent; nil for none

	Start  time.Time // for the Receipt's own use, as is
	Status int       // this
}

// Receipt is told what became of a response.
type Receipt interface {
	// Sent is called from the connection's goroutine, with the bytes of body that went out, and the error that cut them short or nil.
	Sent(rq *Request, resp *Response, body int64, err error)
}
