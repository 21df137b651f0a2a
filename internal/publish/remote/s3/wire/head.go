package wire

import (
	"net/http"
	"strconv"
)

// Valid reports whether a header value can be sent as it is: RFC 9110, 5.5,
// allows no control characters.
func Valid(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendHead appends the request line and all headers: Host and Content-Length
// first, the others as they come.
func appendHead(b []byte, req *http.Request, size int64) []byte {
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, req.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, req.URL.Host...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, size, 10)
	b = append(b, "\r\n"...)
	for name, values := range req.Header {
		if name == "Content-Length" || name == "Host" {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}
