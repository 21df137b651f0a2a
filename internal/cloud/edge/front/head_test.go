package front

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// first reads the first request of p as the loop does when p arrives at once.
func first(p []byte) (int, verdict, *Request) {
	var h headReader
	n, v := h.end(p)
	rq := &Request{}
	if v == whole {
		v = parse(p[:n], rq)
	}
	return n, v, rq
}

// A request line and fields, CRLF put between and after them.
func lines(l ...string) string {
	return strings.Join(l, "\r\n") + "\r\n\r\n"
}

var heads = []struct {
	name string
	head string
	want verdict
}{
	{"GET", lines("GET / HTTP/1.1", "Host: a"), plain},
	{"HEAD", lines("HEAD /x?y=%zz HTTP/1.1", "host:a"), plain},
	{"space around the value", lines("GET / HTTP/1.1", "Host: \ta \t", "X:\t b c \t"), plain},
	{"empty value", lines("GET / HTTP/1.1", "Host: a", "Accept:"), plain},
	{"keep-alive", lines("GET / HTTP/1.1", "Host: a", "Connection: Keep-Alive"), plain},
	{"port", lines("GET / HTTP/1.1", "Host: [::1]:8080"), plain},
	{"two slashes", lines("GET //a//b HTTP/1.1", "Host: a"), plain},

	{"OPTIONS", lines("OPTIONS /x HTTP/1.1", "Host: a"), whole},
	{"escape cut short", lines("GET /%2 HTTP/1.1", "Host: a"), whole},
	{"escape that is none", lines("GET /%zz HTTP/1.1", "Host: a"), whole},

	{"unfinished line", "GET / HTT", more},
	{"unfinished head", "GET / HTTP/1.1\r\nHost: a\r\n", more},
	{"unfinished end", "GET / HTTP/1.1\r\nHost: a\r\n\r", more},
	{"nothing", "", more},

	{"no Host", lines("GET / HTTP/1.1"), odd},
	{"no Host but another field", lines("GET / HTTP/1.1", "Accept: a"), odd},
	{"two Hosts", lines("GET / HTTP/1.1", "Host: a", "Host: b"), odd},
	{"two Hosts alike", lines("GET / HTTP/1.1", "Host: a", "hOST: a"), odd},
	{"empty Host", lines("GET / HTTP/1.1", "Host:"), odd},
	{"empty Host and one", lines("GET / HTTP/1.1", "Host:", "Host: a"), odd},
	{"one Host and empty", lines("GET / HTTP/1.1", "Host: a", "Host:"), odd},
	{"Host with a path", lines("GET / HTTP/1.1", "Host: a/b"), odd},
	{"Host with user", lines("GET / HTTP/1.1", "Host: u@a"), odd},
	{"absolute form", lines("GET http://a/ HTTP/1.1", "Host: a"), odd},
	{"authority form", lines("CONNECT a:80 HTTP/1.1", "Host: a"), odd},
	{"asterisk form", lines("OPTIONS * HTTP/1.1", "Host: a"), odd},
	{"fragment", lines("GET /#a HTTP/1.1", "Host: a"), odd},
	{"space in the target", lines("GET /a b HTTP/1.1", "Host: a"), odd},
	{"two spaces", lines("GET  / HTTP/1.1", "Host: a"), odd},
	{"trailing space", lines("GET / HTTP/1.1 ", "Host: a"), odd},
	{"tab for space", lines("GET\t/ HTTP/1.1", "Host: a"), odd},
	{"leading space", lines(" GET / HTTP/1.1", "Host: a"), odd},
	{"leading empty line", "\r\n" + lines("GET / HTTP/1.1", "Host: a"), odd},
	{"byte beyond ASCII in the target", lines("GET /\xff HTTP/1.1", "Host: a"), odd},
	{"NUL in the target", lines("GET /\x00 HTTP/1.1", "Host: a"), odd},
	{"lower-case method", lines("get / HTTP/1.1", "Host: a"), odd},
	{"other method", lines("PUT / HTTP/1.1", "Host: a"), odd},
	{"HTTP/1.0", lines("GET / HTTP/1.0", "Host: a"), odd},
	{"HTTP/1.2", lines("GET / HTTP/1.2", "Host: a"), odd},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", odd},
	{"no version", lines("GET /", "Host: a"), odd},
	{"version in lower case", lines("GET / http/1.1", "Host: a"), odd},

	{"Content-Length", lines("GET / HTTP/1.1", "Host: a", "Content-Length: 5"), odd},
	{"Content-Length 0", lines("GET / HTTP/1.1", "Host: a", "content-length: 0"), odd},
	{"CL.TE", lines("GET / HTTP/1.1", "Host: a", "Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG", odd},
	{"TE.CL", lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 3") + "8\r\nSMUGGLED\r\n0\r\n\r\n", odd},
	{"chunked GET", lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\n\r\n", odd},
	{"TE.TE, one hidden", lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: x"), odd},
	{"TE with a space before the colon", lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked"), odd},
	{"TE with a tab before the name", lines("GET / HTTP/1.1", "Host: a", "\tTransfer-Encoding: chunked"), odd},
	{"TE behind a bare LF", "GET / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n", odd},
	{"TE behind a bare CR", "GET / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n", odd},
	{"TE behind NUL", lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding\x00: chunked"), odd},
	{"TE behind a vertical tab", lines("GET / HTTP/1.1", "Host: a", "\x0bTransfer-Encoding: chunked"), odd},
	{"folding", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", odd},
	{"folding of the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", odd},
	{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", odd},
	{"bare LF after the line", "GET / HTTP/1.1\nHost: a\r\n\r\n", odd},
	{"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", odd},
	{"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", odd},
	{"CR in a value", lines("GET / HTTP/1.1", "Host: a", "X: \r y"), odd},
	{"NUL in a value", lines("GET / HTTP/1.1", "Host: a", "X: \x00"), odd},
	{"byte beyond ASCII in a value", lines("GET / HTTP/1.1", "Host: a", "X: \xe9"), odd},
	{"no colon", lines("GET / HTTP/1.1", "Host: a", "X"), odd},
	{"no name", lines("GET / HTTP/1.1", "Host: a", ": x"), odd},
	{"space in a name", lines("GET / HTTP/1.1", "Host: a", "X Y: x"), odd},
	{"Upgrade", lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"), odd},
	{"Expect", lines("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"), odd},
	{"TE", lines("GET / HTTP/1.1", "Host: a", "TE: trailers"), odd},
	{"Trailer", lines("GET / HTTP/1.1", "Host: a", "Trailer: x"), odd},
	{"HTTP2-Settings", lines("GET / HTTP/1.1", "Host: a", "HTTP2-Settings: x"), odd},
	{"Connection: close", lines("GET / HTTP/1.1", "Host: a", "Connection: close"), odd},
	{"Connection with a list", lines("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, x"), odd},
	{"too many fields", lines("GET / HTTP/1.1", "Host: a", strings.Repeat("X: y\r\n", maxFields+1)+"Z: z"), odd},
	{"a whole one with a body behind it", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 26") + lines("GET / HTTP/1.1", "Host: b"), odd},
}

func TestParse(t *testing.T) {
	for _, test := range heads {
		t.Run(test.name, func(t *testing.T) {
			if _, got, _ := first([]byte(test.head)); got != test.want {
				t.Errorf("%q is %d, want %d", test.head, got, test.want)
			}
		})
	}
}

// In pieces a head means what it means at once, but for what is refused before its end has come.
func TestHeadInPieces(t *testing.T) {
	for _, test := range heads {
		wantEnd, want, _ := first([]byte(test.head))
		var h headReader
		got := more
		for i := range len(test.head) + 1 {
			n, v := h.end([]byte(test.head[:i]))
			if v == more {
				continue
			}
			if v == whole {
				v = parse([]byte(test.head[:n]), &Request{})
			}
			got = v
			if v != want || v != odd && n != wantEnd {
				t.Errorf("%s: after %d bytes %d (%d bytes), want %d (%d bytes)", test.name, i, v, n, want, wantEnd)
			}
			break
		}
		if got != want {
			t.Errorf("%s: %d in the end, want %d", test.name, got, want)
		}
	}
}

func TestRequest(t *testing.T) {
	head := lines("HEAD /a?b HTTP/1.1", "Accept: x", "HOST: h", "Connection: keep-alive", "Cookie:  a=b; c=d ")
	n, v, rq := first([]byte(head + "GET"))
	if v != plain || n != len(head) {
		t.Fatalf("verdict %d, %d bytes", v, n)
	}
	want := &Request{Head: true, Target: []byte("/a?b"), Host: []byte("h"), Fields: []Field{
		{[]byte("Accept"), []byte("x")}, {[]byte("Cookie"), []byte("a=b; c=d")},
	}}
	if diff := cmp.Diff(rq, want); diff != "" {
		t.Errorf("request got, want:\n%s", diff)
	}
	if !rq.Fields[0].Is("accept") || rq.Fields[0].Is("cookie") {
		t.Error("Is mistakes the name")
	}
}

// What is plain or whole here, net/http reads as the same request, of the same length and without a body.
func FuzzParse(f *testing.F) {
	for _, h := range heads {
		f.Add([]byte(h.head))
		f.Add([]byte(h.head + lines("GET /next HTTP/1.1", "Host: a")))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		n, v, rq := first(p)
		if v == more || v == odd {
			return
		}
		left := bytes.NewReader(p)
		b := bufio.NewReaderSize(left, 1<<20)
		r, err := http.ReadRequest(b)
		if v == whole {
			if err != nil {
				return // net/http answers with an error and closes
			}
		} else if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if used := len(p) - left.Len() - b.Buffered(); used != n {
			t.Fatalf("%d bytes, net/http read %d", n, used)
		}
		if body, err := io.ReadAll(r.Body); len(body) > 0 || err != nil || r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			t.Fatalf("body %q, %v, length %d, coding %q", body, err, r.ContentLength, r.TransferEncoding)
		}
		if r.Close || !r.ProtoAtLeast(1, 1) || r.ProtoAtLeast(1, 2) {
			t.Fatalf("close %v, %s", r.Close, r.Proto)
		}
		if v == plain {
			samePlain(t, rq, r)
		}
	})
}

func samePlain(t *testing.T, rq *Request, r *http.Request) {
	t.Helper()
	method := http.MethodGet
	if rq.Head {
		method = http.MethodHead
	}
	if r.Method != method || r.RequestURI != string(rq.Target) || r.Host != string(rq.Host) {
		t.Fatalf("%s %q of %q, net/http reads %s %q of %q", method, rq.Target, rq.Host, r.Method, r.RequestURI, r.Host)
	}
	header := http.Header{}
	for _, f := range rq.Fields {
		header.Add(string(f.Name), string(f.Value))
	}
	r.Header.Del("Connection")
	delete(r.Header, "Host")
	if header["Pragma"] != nil && header["Pragma"][0] == "no-cache" && header["Cache-Control"] == nil {
		header["Cache-Control"] = r.Header["Cache-Control"] // net/http adds one
	}
	if diff := cmp.Diff(header, r.Header); diff != "" {
		t.Fatalf("header here, in net/http:\n%s", diff)
	}
}
