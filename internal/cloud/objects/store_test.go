package objects

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// countTemp counts the bodies that are still arriving.
func countTemp(t *testing.T, s *Store) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.bodies.dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestEverythingSurvivesReopening(t *testing.T) {
	for _, syncWrites := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync %v", syncWrites), func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir, Options{Sync: syncWrites})
			if err != nil {
				t.Fatal(err)
			}
			ts := serveStore(t, s, true)
			want := map[string]string{}
			for i, k := range oddKeys() {
				want[k] = strings.Repeat(fmt.Sprint(i), 1+i*500)
				ts.put(t, k, want[k])
			}
			before, err := s.Stats(t.Context(), testBucket)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = newStore(t, dir)
			ts = serveStore(t, s, false)
			for k, v := range want {
				if got := ts.get(t, k); got != v {
					t.Errorf("%q: %d bytes, want %d", k, len(got), len(v))
				}
			}
			after, err := s.Stats(t.Context(), testBucket)
			if err != nil || after != before || after.Objects != int64(len(want)) {
				t.Errorf("stats %+v, before %+v, %v", after, before, err)
			}
		})
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	if other, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, %v", other, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnknownFormat(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.commit(t.Context(), noCheck, func(b *batch) error {
		return b.tx.Bucket(tableFormat).Put([]byte("version"), []byte("99"))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), `"99"`) {
		t.Errorf("got %v", err)
	}
}

func TestClosedStore(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateBucket(t.Context(), "bucket"); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Buckets(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), testBucket); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTwoStores(t *testing.T) {
	a, b := newTestServer(t), newTestServer(t)
	a.put(t, "page", "a")
	b.put(t, "page", "b")
	if a.get(t, "page") != "a" || b.get(t, "page") != "b" {
		t.Error("the stores share something")
	}
}

func TestBodiesAreSharedAndReclaimed(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	body := string(noise(1, 20_000))
	ts.put(t, "a", body)
	ts.put(t, "b", body)
	wantFiles(t, ts.store, "bodies", 1)
	del := func(key string) {
		if _, err := ts.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	del("a")
	if ts.get(t, "b") != body {
		t.Error("the body went with the other key")
	}
	ts.put(t, "b", body) // onto itself
	wantFiles(t, ts.store, "bodies", 1)
	if ts.get(t, "b") != body {
		t.Error("the body went with its own replacement")
	}
	ts.put(t, "b", "small")
	wantFiles(t, ts.store, "bodies", 0)
	wantFiles(t, ts.store, "tmp", 0)
	del("b")
}

// The same content put, overwritten, copied and deleted at once under a few
// keys: no object ever loses its body, and no body is left in the end.
func TestSharedBodyChurn(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	bodies := []string{string(noise(1, 20_000)), string(noise(2, 20_000))}
	keys := []string{"a", "b", "c"}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 60 {
				key := &keys[(w+i)%len(keys)]
				switch i % 4 {
				case 0, 1:
					_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(bodies[(w+i/2)%2])})
					if err != nil {
						t.Error(err)
					}
				case 2:
					if _, err := ts.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
						t.Error(err)
					}
				case 3:
					readWhole(t, ts, *key, bodies)
				}
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		readWhole(t, ts, key, bodies)
		if _, err := ts.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			t.Error(err)
		}
	}
	wantFiles(t, ts.store, "bodies", 0)
	wantFiles(t, ts.store, "tmp", 0)
	if st, err := ts.store.Stats(ctx, testBucket); err != nil || st != (Stats{}) {
		t.Errorf("stats %+v, %v", st, err)
	}
}

// A body that the index names can be opened, however fast it is replaced.
func TestReadsWhileReplaced(t *testing.T) {
	s := newStore(t, t.TempDir())
	if err := s.CreateBucket(t.Context(), testBucket); err != nil {
		t.Fatal(err)
	}
	put := func(i int) {
		body, err := s.bodies.stage(bytes.NewReader(bytes.Repeat([]byte(fmt.Sprintf("%08d", i)), 2000)), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if err := s.put(t.Context(), testBucket, "page", body, newRecord(body, nil, nil, s.opts.Now()), writeCondition{}); err != nil {
			t.Error(err)
		}
	}
	put(0)
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					o, err := s.open(t.Context(), testBucket, "page")
					if err != nil {
						t.Error(err)
						return
					}
					_ = o.close()
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range 200 {
				put(w*1000 + i)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	wantFiles(t, s, "bodies", 1)
}

// readWhole fails unless the key is absent or holds one of the bodies.
func readWhole(t *testing.T, ts *testServer, key string, bodies []string) {
	o, err := ts.store.read(t.Context(), reading{bucket: testBucket, key: key})
	if errors.Is(err, errNoSuchKey) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	var got bytes.Buffer
	stream := o.body()
	_, err = got.ReadFrom(stream)
	if err = errors.Join(err, stream.Close()); err != nil {
		t.Error(err)
	}
	if got.String() != bodies[0] && got.String() != bodies[1] {
		t.Errorf("%s holds %d bytes of neither body", key, got.Len())
	}
}

// Files that the index does not name are removed when the store opens; those
// that it names stay.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ts := serveStore(t, s, true)
	body := string(noise(1, 20_000))
	ts.put(t, "page", body)
	begin(t, ts, &s3.CreateMultipartUploadInput{Key: aws.String("big")}, noise(2, 100))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tmp/body-1", "bodies/ab/cdef", "bodies/zz", "parts/GONE/1-X", "parts/loose"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s = newStore(t, dir)
	wantFiles(t, s, "tmp", 0)
	wantFiles(t, s, "bodies", 1)
	wantFiles(t, s, "parts", 1)
	if got := serveStore(t, s, false).get(t, "page"); got != body {
		t.Error("the body was swept")
	}
}

// A change that cannot be written fails alone with its batch and leaves what was.
func TestFailedCommit(t *testing.T) {
	s := newStore(t, t.TempDir())
	if err := s.CreateBucket(t.Context(), testBucket); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("disk full")
	body, err := s.bodies.stage(bytes.NewReader(noise(1, 20_000)), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.commit(t.Context(), noCheck, func(b *batch) error {
		return errors.Join(b.adopt(body), b.store(testBucket, "page", newRecord(body, nil, nil, s.opts.Now())), boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	wantFiles(t, s, "bodies", 0)
	wantFiles(t, s, "tmp", 0)
	if _, err := s.head(t.Context(), testBucket, "page"); !errors.Is(err, errNoSuchKey) {
		t.Errorf("head: %v", err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := &record{
		Size: 3, ETag: "e-2", MD5: "m", Modified: 5, Headers: map[string]string{"A": "b"}, Body: "sum",
		Checksum: &checksum{"CRC32", "v", checksumFull}, Parts: []int64{1, 2}, inline: []byte("abc"),
	}
	v, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(v)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(record{})); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	for n := range v[:4] {
		if _, err := decodeRecord(v[:n]); err == nil {
			t.Errorf("%d bytes were enough", n)
		}
	}
}
