package objects

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestChecksumsAreStored(t *testing.T) {
	ts := newTestServer(t)
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256} {
		t.Run(string(algorithm), func(t *testing.T) {
			for _, size := range []int{5, inlineMax + 1} {
				body := noise(1, size)
				_, err := ts.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("page"), Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm})
				if err != nil {
					t.Fatal(err)
				}
				h := newHash(string(algorithm))
				h.Write(body)
				want := base64.StdEncoding.EncodeToString(h.Sum(nil))
				resp, _ := ts.send(t, "HEAD", "/site/page", emptySHA256, http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}, nil)
				if got := resp.Header.Get(checksumPrefix + string(algorithm)); got != want {
					t.Errorf("%d bytes: got %q, want %q", size, got, want)
				}
				resp, _ = ts.send(t, "HEAD", "/site/page", emptySHA256, nil, nil)
				if got := resp.Header.Get(checksumPrefix + string(algorithm)); got != "" {
					t.Errorf("not asked for, but got %q", got)
				}
				ts.get(t, "page") // the SDK compares by itself
			}
		})
	}
}

// The value of the catalogue of CRCs: CRC-64/NVME of "123456789".
func TestCRC64NVME(t *testing.T) {
	h := newHash("CRC64NVME")
	h.Write([]byte("123456789"))
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != "ae8b14860a799888" {
		t.Errorf("got %s", got)
	}
}

func TestWrongDigests(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "old")
	body := []byte("new")
	sum := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	md := md5.Sum(body)
	tests := map[string]struct {
		header http.Header
		status int
		code   string
	}{
		"crc32":              {http.Header{"X-Amz-Checksum-Crc32": {sum(make([]byte, 4))}}, 400, "BadDigest"},
		"crc64":              {http.Header{"X-Amz-Checksum-Crc64nvme": {sum(make([]byte, 8))}}, 400, "BadDigest"},
		"sha256":             {http.Header{"X-Amz-Checksum-Sha256": {sum(make([]byte, 32))}}, 400, "BadDigest"},
		"wrong length":       {http.Header{"X-Amz-Checksum-Sha256": {sum(make([]byte, 4))}}, 400, "InvalidRequest"},
		"two":                {http.Header{"X-Amz-Checksum-Sha256": {sum(make([]byte, 32))}, "X-Amz-Checksum-Crc32": {sum(make([]byte, 4))}}, 400, "InvalidRequest"},
		"unknown":            {http.Header{"X-Amz-Checksum-Xxhash64": {sum(make([]byte, 8))}}, 400, "InvalidRequest"},
		"content-md5":        {http.Header{"Content-Md5": {sum(make([]byte, 16))}}, 400, "BadDigest"},
		"content-md5 broken": {http.Header{"Content-Md5": {"x"}}, 400, "InvalidDigest"},
		"content-md5 right":  {http.Header{"Content-Md5": {sum(md[:])}}, 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key := "page"
			if tt.status == 200 {
				key = "other"
			}
			resp, got := ts.send(t, "PUT", "/site/"+key, sumHex(body), tt.header, body)
			if resp.StatusCode != tt.status || !strings.Contains(got, tt.code) {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, got, tt.status, tt.code)
			}
			if got := ts.get(t, "page"); got != "old" {
				t.Errorf("the object changed to %q", got)
			}
		})
	}
	wantFiles(t, ts.store, "tmp", 0)
}

// Over https the SDK sends aws-chunked with the checksum behind the body.
func TestTrailerFormOfTheSDK(t *testing.T) {
	s := newStore(t, t.TempDir())
	if err := s.CreateBucket(t.Context(), testBucket); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	api := s.Handler(HandlerOptions{Credentials: []Credentials{testKeys()}})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			seen <- r.Header.Get("X-Amz-Content-Sha256")
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	ts := &testServer{store: s, url: srv.URL, client: newClient(srv.URL, testKeys(), srv.Client())}
	for _, size := range []int{0, 1, 100_000} {
		body := noise(1, size)
		_, err := ts.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("page"), Body: bytes.NewReader(body), ContentEncoding: aws.String("br")})
		if err != nil {
			t.Fatal(err)
		}
		if form := <-seen; size > 0 && form != chunksUnsignedTrailer {
			t.Errorf("the SDK sent %s: this test tests nothing", form)
		}
		got, head := headOf(t, ts, "page")
		if got.ContentEncoding != "br" || aws.ToInt64(head.ContentLength) != int64(size) || ts.get(t, "page") != string(body) {
			t.Errorf("%d bytes: %+v", size, got)
		}
	}
}

// chunkedBody encodes a body as signed chunks, as the Java SDK sends it.
func chunkedBody(r *http.Request, c Credentials, chunks ...string) []byte {
	_, claimed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	day := r.Header.Get("X-Amz-Date")[:8]
	scope := day + "/us-east-1/s3/aws4_request"
	var out bytes.Buffer
	for _, chunk := range append(chunks, "") {
		sum := sha256.Sum256([]byte(chunk))
		mac := hmac.New(sha256.New, signingKey(c, scope))
		fmt.Fprintf(mac, "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n%s\n%s\n%x", r.Header.Get("X-Amz-Date"), scope, claimed, emptySHA256, sum)
		claimed = hexSum(mac)
		fmt.Fprintf(&out, "%x;chunk-signature=%s\r\n%s\r\n", len(chunk), claimed, chunk)
	}
	return out.Bytes()
}

func TestSignedChunks(t *testing.T) {
	ts := newTestServer(t)
	send := func(tamper func([]byte) []byte) (*http.Response, string) {
		h := http.Header{"X-Amz-Decoded-Content-Length": {"10"}}
		r := signed(t.Context(), testKeys(), "PUT", ts.url, "/site/page", chunksSigned, h, nil)
		body := tamper(chunkedBody(r, testKeys(), "01234", "56789"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return ts.do(t, r)
	}
	if resp, body := send(func(b []byte) []byte { return b }); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if got := ts.get(t, "page"); got != "0123456789" {
		t.Errorf("got %q", got)
	}
	tests := map[string]struct {
		tamper func([]byte) []byte
		code   string
	}{
		"a byte of the body": {func(b []byte) []byte { return bytes.Replace(b, []byte("56789"), []byte("56780"), 1) }, "SignatureDoesNotMatch"},
		"contents swapped": {func(b []byte) []byte {
			b = bytes.Replace(b, []byte("01234"), []byte("xxxxx"), 1)
			b = bytes.Replace(b, []byte("56789"), []byte("01234"), 1)
			return bytes.Replace(b, []byte("xxxxx"), []byte("56789"), 1)
		}, "SignatureDoesNotMatch"},
		"cut off": {func(b []byte) []byte { return b[:len(b)-95] }, "IncompleteBody"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp, body := send(tt.tamper)
			if resp.StatusCode/100 != 4 || !strings.Contains(body, tt.code) {
				t.Errorf("%d %s, want %s", resp.StatusCode, body, tt.code)
			}
			if got := ts.get(t, "page"); got != "0123456789" {
				t.Errorf("the object changed to %q", got)
			}
		})
	}
}

func TestUnsignedTrailer(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "old")
	h := crc32.NewIEEE()
	h.Write([]byte("hello"))
	right := base64.StdEncoding.EncodeToString(h.Sum(nil))
	tests := map[string]struct {
		body string
		code string // "" for success
	}{
		"wrong checksum":   {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"},
		"no checksum":      {"5\r\nhello\r\n0\r\n\r\n", "InvalidRequest"},
		"too long":         {"6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:" + right + "\r\n\r\n", "InvalidRequest"},
		"too short":        {"4\r\nhell\r\n0\r\nx-amz-checksum-crc32:" + right + "\r\n\r\n", "IncompleteBody"},
		"no size":          {"zz\r\nhello\r\n0\r\n\r\n", "InvalidRequest"},
		"negative size":    {"-5\r\nhello\r\n0\r\n\r\n", "InvalidRequest"},
		"chunk of a lie":   {"3\r\nhello\r\n0\r\n\r\n", "InvalidRequest"},
		"nothing":          {"", "IncompleteBody"},
		"right":            {"2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:" + right + "\r\n\r\n", ""},
		"right, no CR":     {"5\nhello\n0\nx-amz-checksum-crc32:" + right + "\n\n", ""},
		"right, no ending": {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + right + "\r\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key := "page"
			if tt.code == "" {
				key = "other"
			}
			head := http.Header{"X-Amz-Decoded-Content-Length": {"5"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}}
			resp, body := ts.send(t, "PUT", "/site/"+key, chunksUnsignedTrailer, head, []byte(tt.body))
			if tt.code == "" && resp.StatusCode != 200 || !strings.Contains(body, tt.code) {
				t.Errorf("%d %s, want %s", resp.StatusCode, body, tt.code)
			}
			if got := ts.get(t, "page"); got != "old" {
				t.Errorf("the object changed to %q", got)
			}
		})
	}
}

// An encoded body comes out as it went in, however it is cut, and any input ends.
func FuzzChunkedReader(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("0\r\na:b\r\n\r\n"))
	f.Add([]byte("ffffffffffffffff\r\n"))
	f.Add([]byte("1;chunk-signature=x\r\na\r\n0\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &http.Request{Header: http.Header{"X-Amz-Content-Sha256": {chunksUnsignedTrailer}}, Body: io.NopCloser(bytes.NewReader(raw))}
		c, err := newChunkedReader(r, newAuthority(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); len(got) > len(raw) {
			t.Errorf("%d bytes out of %d, %v", len(got), len(raw), err)
		}
		var encoded bytes.Buffer
		for chunk := range bytes.Lines(raw) {
			fmt.Fprintf(&encoded, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		encoded.WriteString("0\r\n\r\n")
		r.Body = io.NopCloser(&encoded)
		if c, err = newChunkedReader(r, newAuthority(nil)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if diff := cmp.Diff(got, raw); diff != "" && len(raw) > 0 || err != nil {
			t.Errorf("%v, (-got +want):\n%s", err, diff)
		}
	})
}

// A client that goes away in the middle of a PUT leaves the old object.
func TestConnectionCut(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "old")
	body := noise(1, 1<<20)
	pr, pw := io.Pipe()
	r := signed(t.Context(), testKeys(), "PUT", ts.url, "/site/page", sumHex(body), nil, nil)
	r.Body, r.ContentLength = pr, int64(len(body))
	go func() {
		_, _ = pw.Write(body[:len(body)/2])
		_ = pw.CloseWithError(errors.New("cut"))
	}()
	if resp, err := http.DefaultClient.Do(r); err == nil {
		t.Errorf("answered %s", resp.Status)
		_ = resp.Body.Close()
	}
	deadline := time.Now().Add(20 * time.Second)
	for countTemp(t, ts.store) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // the server notices in its own time
	}
	if n := countTemp(t, ts.store); n > 0 {
		t.Errorf("%d temporary files are left", n)
	}
	if got := ts.get(t, "page"); got != "old" {
		t.Errorf("the object changed to %q", got[:min(20, len(got))])
	}
}
