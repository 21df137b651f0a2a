package edge

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"
)

// An encoder that was given back in the middle of a body begins anew.
func TestEncoderForgets(t *testing.T) {
	for _, coding := range []string{"br", "gzip"} {
		var es encoders
		var first []byte
		for range 3 {
			c := es.take(coding)
			if c.out.Len() > 0 {
				t.Fatalf("%s: %d bytes of the last body are left", coding, c.out.Len())
			}
			if _, err := c.z.Write([]byte(prose(5000))); err != nil {
				t.Fatal(err)
			}
			if err := c.z.Flush(); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = bytes.Clone(c.out.Bytes())
			}
			if !bytes.Equal(c.out.Bytes(), first) {
				t.Errorf("%s: the same bytes are compressed differently", coding)
			}
			es.give(c)
		}
	}
}

// lent is how many encoders are at work.
func (b *bench) lent() int {
	b.encoders.mu.Lock()
	defer b.encoders.mu.Unlock()
	return b.encoders.busy
}

// Under load responses go uncompressed, and the uncompressed copy stays. spec: cloudfront 4.4
func TestCompressionUnderLoad(t *testing.T) {
	b := newBench(t, always(200, prose(5000)), compressing)
	var lent []*encoder
	for range maxEncoders {
		lent = append(lent, b.encoders.take("gzip"))
	}
	b.get("/a", both)
	for _, c := range lent {
		b.encoders.give(c)
	}
	if got := visible(b.get("/a", both)); got["Content-Encoding"] != "" || got["X-Cache"] != "Hit" {
		t.Errorf("got %v", got)
	}
	if got := visible(b.get("/b", both)); got["Content-Encoding"] != "br" {
		t.Errorf("got %v", got)
	}
}

// slowReply is a response of the given length whose body the test writes.
func slowReply(length int) (*http.Response, *io.PipeWriter) {
	r, w := io.Pipe()
	resp := reply(200, "")
	resp.Body, resp.ContentLength = r, int64(length)
	return resp, w
}

// A body that does not come whole is neither stored nor shown as whole, and nothing stays behind.
func TestCompressedTruncation(t *testing.T) {
	for name, end := range map[string]error{"short": io.EOF, "broken": errDown} {
		t.Run(name, func(t *testing.T) {
			text := prose(50_000)
			b := newBench(t, func(*http.Request) (*http.Response, error) {
				resp, w := slowReply(len(text))
				go func() {
					_, _ = io.WriteString(w, text[:30_000])
					w.CloseWithError(end)
				}()
				return resp, nil
			}, compressing)
			for range 2 {
				func() {
					defer func() {
						if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
							t.Errorf("the answer ended with %v", err)
						}
					}()
					b.get("/a", both)
				}()
			}
			b.asked(2)
			b.flights.running.Wait()
			if n := b.lent(); n != 0 || b.Stats().Objects != 0 {
				t.Errorf("%d encoders lent, %d objects", n, b.Stats().Objects)
			}
		})
	}
}

// Viewers, the first as well as those who join, see what the origin has sent so far while it pauses.
func TestCompressedStreaming(t *testing.T) {
	for _, coding := range []string{"br", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			text := prose(60_000)
			resp, origin := slowReply(len(text))
			b := newBench(t, func(*http.Request) (*http.Response, error) { return resp, nil }, compressing)
			server := httptest.NewServer(b.Edge)
			defer server.Close()
			transport := &http.Transport{DisableCompression: true}
			defer transport.CloseIdleConnections()
			open := func() io.Reader {
				r, _ := http.NewRequest("GET", server.URL+"/a", nil)
				r.Header.Set("Accept-Encoding", coding)
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				if coding == "br" {
					return brotli.NewReader(resp.Body)
				}
				z, err := gzip.NewReader(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return z
			}
			go func() { _, _ = io.WriteString(origin, text[:2000]) }()
			first := open()
			expect := func(viewer io.Reader, want string) {
				t.Helper()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(viewer, got); err != nil || string(got) != want {
					t.Fatalf("a viewer sees %d bytes that are not the origin's (%v)", len(got), err)
				}
			}
			expect(first, text[:2000])
			second := open()
			expect(second, text[:2000])
			go func() {
				_, _ = io.WriteString(origin, text[2000:])
				origin.Close()
			}()
			expect(first, text[2000:])
			expect(second, text[2000:])
			b.asked(1)
		})
	}
}

// A viewer who leaves while the origin pauses ends the fill.
func TestCompressedAbort(t *testing.T) {
	resp, origin := slowReply(50_000)
	b := newBench(t, func(*http.Request) (*http.Response, error) { return resp, nil }, compressing)
	server := httptest.NewServer(b.Edge)
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	go func() { _, _ = io.WriteString(origin, prose(50_000)[:20_000]) }()
	r, _ := http.NewRequest("GET", server.URL+"/a", nil)
	got, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	b.flights.running.Wait()
	if n := b.lent(); n != 0 || b.Stats().Objects != 0 {
		t.Errorf("%d encoders lent, %d objects", n, b.Stats().Objects)
	}
}

// pieces is a body that comes in pieces of the given sizes, over and over.
type pieces struct {
	rest  string
	sizes []int
}

func (p *pieces) Read(to []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(to[:min(len(to), p.sizes[0])], p.rest)
	p.rest, p.sizes = p.rest[n:], append(p.sizes[1:], p.sizes[0])
	return n, nil
}

func (p *pieces) Close() error { return nil }

// Whatever viewers accept, in whatever order they come, what they decode is what the origin sent.
func TestCompressedBytesAreTheOrigins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 40_000), 1, 4).Draw(rt, "pieces")
		n := rapid.IntRange(0, 200_000).Draw(rt, "size")
		text := prose(n)
		if rapid.Bool().Draw(rt, "noise") {
			noise := make([]byte, n)
			r := rand.NewChaCha8([32]byte{byte(n)})
			_, _ = r.Read(noise)
			text = string(noise)
		}
		b := newBench(t, func(*http.Request) (*http.Response, error) {
			resp := reply(200, text, `Etag: "x"`)
			resp.Body = &pieces{text, append([]int{}, sizes...)}
			return resp, nil
		}, compressing)
		defer b.Close()
		for i := range rapid.IntRange(1, 6).Draw(rt, "viewers") {
			accept := rapid.SampledFrom([]string{"", "identity", "gzip", "br", "gzip, br", "br;q=0, gzip", "*", "gzip;q=0"}).Draw(rt, strconv.Itoa(i))
			w := b.get("/a", "Accept-Encoding: "+accept)
			if got := decoded(rt, w); got != text {
				rt.Fatalf("%q gets %d bytes that are not the origin's %d", accept, len(got), len(text))
			}
			if coding := w.Header().Get("Content-Encoding"); coding != "" && !accepts([]string{accept}, coding) {
				rt.Fatalf("%q gets %s", accept, coding)
			}
		}
	})
}
