package objects

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
)

// benchConnections is how many clients ask at once.
const benchConnections = 16

// benchServer serves a store and gives a client that keeps its connections.
func benchServer(b *testing.B) (*testServer, *http.Client) {
	ts := newTestServer(b)
	transport := &http.Transport{MaxIdleConnsPerHost: benchConnections, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return ts, &http.Client{Transport: transport}
}

// each runs b.N requests over the connections.
// Each answer must be 200 with want bytes.
func each(b *testing.B, client *http.Client, want int64, request func(i int64) *http.Request) {
	var next atomic.Int64
	b.SetParallelism(max(1, benchConnections/2)) // times GOMAXPROCS, 2 on the machine of the figures
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Do(request(next.Add(1)))
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || n != want {
				b.Errorf("status %d, %d bytes, %v", resp.StatusCode, n, err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func benchmarkPut(b *testing.B, size int, key func(i int64) string) {
	ts, client := benchServer(b)
	b.SetBytes(int64(size))
	each(b, client, 0, func(i int64) *http.Request {
		body := bytes.Repeat([]byte{'x'}, size)
		copy(body, strconv.FormatInt(i, 10)) // no two alike
		return signed(b.Context(), testKeys(), "PUT", ts.url, key(i), sumHex(body), nil, body)
	})
}

func newKey(i int64) string { return "/site/posts/" + strconv.FormatInt(i, 10) + "/index.html" }
func oldKey(i int64) string { return "/site/posts/" + strconv.FormatInt(i%1000, 10) + "/index.html" }

func BenchmarkPut4K(b *testing.B)          { benchmarkPut(b, 4<<10, newKey) }
func BenchmarkPut4KOverwrite(b *testing.B) { benchmarkPut(b, 4<<10, oldKey) }
func BenchmarkPut64K(b *testing.B)         { benchmarkPut(b, 64<<10, newKey) }

func benchmarkGet(b *testing.B, size int) {
	ts, client := benchServer(b)
	for i := range int64(1000) {
		body := bytes.Repeat([]byte{'x'}, size)
		resp, _ := ts.do(b, signed(b.Context(), testKeys(), "PUT", ts.url, oldKey(i), sumHex(body), nil, body))
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
	}
	b.SetBytes(int64(size))
	each(b, client, int64(size), func(i int64) *http.Request {
		return signed(b.Context(), testKeys(), "GET", ts.url, oldKey(i), emptySHA256, nil, nil)
	})
}

func BenchmarkGet4K(b *testing.B)  { benchmarkGet(b, 4<<10) }
func BenchmarkGet64K(b *testing.B) { benchmarkGet(b, 64<<10) }

// BenchmarkOriginGet4K is the way in which the embedded edge reads.
func BenchmarkOriginGet4K(b *testing.B) {
	ts := newTestServer(b)
	ts.put(b, "index.html", string(bytes.Repeat([]byte{'x'}, 4<<10)))
	origin := ts.store.Origin(testBucket, OriginOptions{})
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), "GET", "http://origin/index.html", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := origin.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 4<<10 {
			b.Fatal(n, err)
		}
		_ = resp.Body.Close()
	}
}
