package edge

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Sizes of bodies that are compressed, in bytes.
const (
	minCompress = 1_000      // CloudFront Developer Guide, "Serve compressed files", read 2026-11
	maxCompress = 10_000_000 // as above
)

// compressedTypes are the media types that are compressed, all others are not.
// CloudFront Developer Guide, "File types that CloudFront compresses", read 2026-11
var compressedTypes = []string{
	"application/dash+xml", "application/eot", "application/font", "application/font-sfnt", "application/javascript", "application/json",
	"application/opentype", "application/otf", "application/pdf", "application/pkcs7-mime", "application/protobuf", "application/rss+xml",
	"application/truetype", "application/ttf", "application/vnd.apple.mpegurl", "application/vnd.mapbox-vector-tile",
	"application/vnd.ms-fontobject", "application/wasm", "application/xhtml+xml", "application/xml", "application/x-font-opentype",
	"application/x-font-truetype", "application/x-font-ttf", "application/x-httpd-cgi", "application/x-javascript", "application/x-mpegurl",
	"application/x-opentype", "application/x-otf", "application/x-perl", "application/x-ttf",
	"font/eot", "font/opentype", "font/otf", "font/ttf", "image/svg+xml",
	"text/css", "text/csv", "text/html", "text/javascript", "text/js", "text/plain", "text/richtext", "text/tab-separated-values", "text/xml",
	"text/x-component", "text/x-java-source", "text/x-script", "vnd.apple.mpegurl",
}

// compressible says whether an origin's response is one that is compressed for the viewers who accept it.
// spec: cloudfront 4.4. Parameters and case of the media type do not count; any Content-Encoding does, also "identity".
func compressible(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusForbidden, http.StatusNotFound:
	default:
		return false
	}
	if resp.ContentLength < minCompress || resp.ContentLength > maxCompress || resp.Header["Content-Encoding"] != nil {
		return false
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return contains(compressedTypes, strings.ToLower(trimBlanks(mediaType)))
}

// preferred is the coding to use for a normalised Accept-Encoding; "" for none.
// spec: cloudfront 4.4, br before gzip
func preferred(accepted string) string {
	first, _, _ := strings.Cut(accepted, ",")
	return first
}

// weakened is an entity tag as it becomes when the body is compressed; "" where the header goes.
// spec: cloudfront 4.4
func weakened(etag string) string {
	switch {
	case strings.HasPrefix(etag, "W/"):
		return etag
	case strings.HasPrefix(etag, `"`):
		return "W/" + etag
	}
	return ""
}

// compress decides whether the body of f's response is compressed, changes the head accordingly, and returns where to read the body from.
// The head comes from judge and nobody else has it yet.
func (e *Edge) compress(ctx context.Context, f *flight, resp *http.Response) io.ReadCloser {
	b := f.target.b
	if !b.Compress || !b.Policy.EnableGzip && !b.Policy.EnableBrotli || !compressible(resp) || f.target.d.rules.keeps(resp.Header) {
		return resp.Body
	}
	f.head.addVary(f.target.d.rules)
	coding := preferred(acceptEncoding(f.viewer, b.Policy))
	if coding == "" {
		return resp.Body
	}
	w := e.encoders.take(coding)
	if w == nil { // spec: cloudfront 4.4, best effort: the uncompressed copy stays
		return resp.Body
	}
	f.head.original = http.Header{"Content-Length": {strconv.FormatInt(resp.ContentLength, 10)}}
	copyHeader(f.head.original, "Etag", f.head.header["Etag"])
	markCompressed(f.head.header, coding)
	f.head.length = -1
	return newCompressor(ctx, &e.encoders, w, resp)
}

// keeps says whether the rules forbid the edge to change the coding of a response.
// RFC 9111 5.2.2.6; CloudFront's guide names no such condition
func (r *rules) keeps(h http.Header) bool {
	return r.noRecoding && parseCacheControl(h["Cache-Control"]).noTransform
}

// markCompressed makes h the header of the compressed body, whose length is not known yet.
func markCompressed(h http.Header, coding string) {
	h["Content-Encoding"] = []string{coding}
	delete(h, "Content-Length")
	weaken(h)
}

// weaken turns the entity tag into that of a compressed body.
func weaken(h http.Header) {
	if len(h["Etag"]) == 0 {
		return
	}
	if etag := weakened(h.Get("Etag")); etag != "" {
		h["Etag"] = []string{etag}
	} else {
		delete(h, "Etag")
	}
}

// addVary says that the coding of the response depends on the request, to viewers' caches and to the rules that go by it.
// A response that is not compressed this time says so too: RFC 9110 12.5.5.
func (h *head) addVary(r *rules) {
	varyByEncoding(h.header)
	if r.vary {
		h.verdict.vary, _ = varyNames(h.header["Vary"])
	}
}

func varyByEncoding(h http.Header) {
	names, star := varyNames(h["Vary"])
	if star || contains(names, "Accept-Encoding") {
		return
	}
	h["Vary"] = []string{strings.Join(append(append([]string{}, h["Vary"]...), "Accept-Encoding"), ", ")}
}

// received is the header of o with what the origin said of the uncompressed body, to compare with what the origin says now.
func (o *object) received() http.Header {
	if o.original == nil {
		return o.header
	}
	h := o.header.Clone()
	delete(h, "Content-Encoding")
	for _, name := range []string{"Etag", "Content-Length"} {
		delete(h, name)
		copyHeader(h, name, o.original[name])
	}
	return h
}

// redress keeps header, that of a compressed object, true after a confirmation has changed it.
func (o *object) redress(header http.Header) {
	if o.original != nil {
		weaken(header)
		varyByEncoding(header)
	}
}

// otherCoding is a fresh object that is stored for viewers who accept one coding only, and serves one who accepts both; nil for none.
// CloudFront Developer Guide, "Serve compressed files", read 2026-11: where only one format is in the cache it is returned, also gzip
// to viewers who accept br; where both are, br. spec: cloudfront 4.3
func (e *Edge) otherCoding(rq *request, t *target) *object {
	rest, both := strings.CutSuffix(t.key.variant, acceptLine("br,gzip"))
	if !both || t.d.rules.vary || rq.fenced {
		return nil
	}
	for _, coding := range []string{"br", "gzip"} {
		o := e.store.get(cacheKey{uri: t.key.uri, variant: rest + acceptLine(coding)})
		if o != nil && o.header.Get("Content-Encoding") == coding && o.use(rq.wants, e.opts.Now()) == serve {
			return o
		}
	}
	return nil
}

// compressor is the body of a response in compressed form. A goroutine reads the origin's body ahead, so that what has come
// is passed on whenever the origin makes a pause: viewers never wait for more than the origin has sent.
type compressor struct {
	ctx     context.Context
	resp    *http.Response
	from    *bodyReader // of the uncompressed bytes
	feeding sync.WaitGroup
	pool    *encoders
	w       *encoder
	pending bool  // the encoder may hold bytes back
	err     error // once everything that came before it has been read
}

var _ io.ReadCloser = (*compressor)(nil)

// newCompressor starts to read resp's body. Close it.
func newCompressor(ctx context.Context, pool *encoders, w *encoder, resp *http.Response) *compressor {
	raw := newBody()
	raw.reserve(min(resp.ContentLength+bytesForEOF, passWindow))
	raw.pass()
	c := &compressor{ctx: ctx, resp: resp, from: raw.attach(), pool: pool, w: w}
	c.feeding.Go(func() { feed(ctx, raw, resp.Body) })
	return c
}

// bytesForEOF is the room beyond a body of known length that keeps the read of its end from growing the buffer.
const bytesForEOF = 512

// feed moves an origin's body into raw until either ends.
func feed(ctx context.Context, raw *body, from io.Reader) {
	for {
		room, err := raw.room(ctx)
		if err == nil {
			var n int
			n, err = from.Read(room)
			raw.commit(n)
		}
		if err != nil {
			raw.finish(ignoreEOF(err))
			return
		}
	}
}

// Read returns compressed bytes. Its error is that of the origin's body.
func (c *compressor) Read(p []byte) (int, error) {
	for c.w.out.Len() == 0 && c.err == nil {
		c.err = c.step()
	}
	if c.w.out.Len() > 0 {
		return c.w.out.Read(p)
	}
	return 0, c.err
}

// Close ends the reading of the origin's body and gives the encoder back.
func (c *compressor) Close() error {
	c.from.close()
	err := c.resp.Body.Close()
	c.feeding.Wait()
	if c.w != nil {
		c.pool.give(c.w)
		c.w = nil
	}
	return err
}
