package objects

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// oddKeys live side by side. spec: S3 7.4
func oddKeys() []string {
	return []string{
		"a", "a/b", "a/b/c", "dir/", "dir/index.html", "a b", "a+b", "a%b", "a%20b", "a#b", "a~b", "a'b", "a&b", "a;b", "a,b", "a=b", "a?b", "a:b@c$d!e*f(g)",
		`a"b`, `a\b`, "a\tb", "a\nb", "a<b>", "a{b}[c]^`|", "日本/語.html", "emoji-\U0001F30A", "e\u0301-combining", "\u00e9-composed",
		"./dot", "a/../b", "../up", "a//b", "//double", "/lead", "trail//", ".", "..", "...", strings.Repeat("k", 1024), strings.Repeat("é", 512),
		"path/" + strings.Repeat("s", 300) + "/x", "\u00a0nbsp", "+", "%", "a/b+c/d e",
	}
}

func TestOddKeys(t *testing.T) {
	ts := newTestServer(t)
	keys := oddKeys()
	for i, k := range keys {
		ts.put(t, k, fmt.Sprint(i))
	}
	for i, k := range keys {
		if got := ts.get(t, k); got != fmt.Sprint(i) {
			t.Errorf("%q: got %q, want %d", k, got, i)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(listAll(t, ts, &s3.ListObjectsV2Input{}), keys); diff != "" {
		t.Errorf("listing (-got +want):\n%s", diff)
	}
	encoded := listAll(t, ts, &s3.ListObjectsV2Input{EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(3)})
	for i, k := range encoded {
		if got, err := url.PathUnescape(k); err != nil || got != keys[i] {
			t.Errorf("url listing: %q is %q, want %q", k, got, keys[i])
		}
	}
	for _, k := range keys {
		_, err := ts.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(testBucket), Key: &k})
		if err != nil {
			t.Errorf("delete %q: %v", k, err)
		}
	}
	if st, err := ts.store.Stats(t.Context(), testBucket); err != nil || st != (Stats{}) {
		t.Errorf("left: %+v, %v", st, err)
	}
}

func TestKeyTooLong(t *testing.T) {
	ts := newTestServer(t)
	_, err := ts.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String(strings.Repeat("k", 1025))})
	wantCode(t, err, 400, "KeyTooLongError")
}

// listAll follows the pages to the end.
func listAll(t *testing.T, ts *testServer, in *s3.ListObjectsV2Input) []string {
	t.Helper()
	in.Bucket = aws.String(testBucket)
	var out []string
	p := s3.NewListObjectsV2Paginator(ts.client, in)
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Contents {
			out = append(out, aws.ToString(c.Key))
		}
		for _, c := range page.CommonPrefixes {
			out = append(out, aws.ToString(c.Prefix))
		}
	}
	return out
}

func TestListing(t *testing.T) {
	ts := newTestServer(t)
	for _, k := range []string{"a", "a/1", "a/2", "a/b/3", "b", "b-", "c/1", "c/2", "d"} {
		ts.put(t, k, "x")
	}
	tests := map[string]struct {
		in   s3.ListObjectsV2Input
		want []string
	}{
		"all":                         {s3.ListObjectsV2Input{}, []string{"a", "a/1", "a/2", "a/b/3", "b", "b-", "c/1", "c/2", "d"}},
		"prefix":                      {s3.ListObjectsV2Input{Prefix: aws.String("a/")}, []string{"a/1", "a/2", "a/b/3"}},
		"prefix of none":              {s3.ListObjectsV2Input{Prefix: aws.String("zz")}, nil},
		"delimiter":                   {s3.ListObjectsV2Input{Delimiter: aws.String("/")}, []string{"a", "b", "b-", "d", "a/", "c/"}},
		"prefix and delimiter":        {s3.ListObjectsV2Input{Prefix: aws.String("a/"), Delimiter: aws.String("/")}, []string{"a/1", "a/2", "a/b/"}},
		"another delimiter":           {s3.ListObjectsV2Input{Delimiter: aws.String("-")}, []string{"a", "a/1", "a/2", "a/b/3", "b", "c/1", "c/2", "d", "b-"}},
		"start after a key":           {s3.ListObjectsV2Input{StartAfter: aws.String("b")}, []string{"b-", "c/1", "c/2", "d"}},
		"start after no key":          {s3.ListObjectsV2Input{StartAfter: aws.String("a/15")}, []string{"a/2", "a/b/3", "b", "b-", "c/1", "c/2", "d"}},
		"start after, with prefix":    {s3.ListObjectsV2Input{StartAfter: aws.String("a/1"), Prefix: aws.String("a/")}, []string{"a/2", "a/b/3"}},
		"start after, before prefix":  {s3.ListObjectsV2Input{StartAfter: aws.String("a"), Prefix: aws.String("c/")}, []string{"c/1", "c/2"}},
		"start after, behind prefix":  {s3.ListObjectsV2Input{StartAfter: aws.String("d"), Prefix: aws.String("c/")}, nil},
		"one at a time, with delim":   {s3.ListObjectsV2Input{MaxKeys: aws.Int32(1), Delimiter: aws.String("/")}, []string{"a", "a/", "b", "b-", "c/", "d"}},
		"two at a time":               {s3.ListObjectsV2Input{MaxKeys: aws.Int32(2)}, []string{"a", "a/1", "a/2", "a/b/3", "b", "b-", "c/1", "c/2", "d"}},
		"exactly as many as there is": {s3.ListObjectsV2Input{MaxKeys: aws.Int32(9)}, []string{"a", "a/1", "a/2", "a/b/3", "b", "b-", "c/1", "c/2", "d"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(listAll(t, ts, &tt.in), tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestListV1(t *testing.T) {
	ts := newTestServer(t)
	for _, k := range []string{"a", "b/1", "b/2", "c"} {
		ts.put(t, k, "x")
	}
	out, err := ts.client.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String(testBucket), Marker: aws.String("a"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.CommonPrefixes) != 1 || aws.ToString(out.NextMarker) != "b/" || !aws.ToBool(out.IsTruncated) {
		t.Fatalf("first page: %+v", out)
	}
	out, err = ts.client.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String(testBucket), Marker: out.NextMarker, Delimiter: aws.String("/")})
	if err != nil || len(out.Contents) != 1 || aws.ToString(out.Contents[0].Key) != "c" || aws.ToBool(out.IsTruncated) {
		t.Errorf("second page: %+v, %v", out, err)
	}
}

func TestListFiveThousand(t *testing.T) {
	ts := newTestServer(t)
	want := fillBucket(t, ts.store, 5000)
	pages := 0
	p := s3.NewListObjectsV2Paginator(ts.client, &s3.ListObjectsV2Input{Bucket: aws.String(testBucket)})
	var got []string
	for ; p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Contents {
			got = append(got, aws.ToString(c.Key))
		}
	}
	if pages != 5 {
		t.Errorf("%d pages, want 5", pages)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// fillBucket stores n objects without HTTP and returns their keys in order.
func fillBucket(t testing.TB, s *Store, n int) []string {
	t.Helper()
	keys := make([]string, 0, n)
	var putErr error
	done := make(chan error, n)
	for i := range n {
		key := fmt.Sprintf("posts/%06d/index.html", i)
		keys = append(keys, key)
		body, err := s.bodies.stage(bytes.NewReader([]byte("x")), nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			done <- s.put(t.Context(), testBucket, key, body, newRecord(body, nil, nil, s.opts.Now()), writeCondition{})
		}()
	}
	for range n {
		if err := <-done; err != nil {
			putErr = err
		}
	}
	if putErr != nil {
		t.Fatal(putErr)
	}
	return keys
}

// oracle lists by brute force.
func oracle(keys []string, q listQuery) (names []string, more bool) {
	slices.Sort(keys)
	skipped := ""
	if p, ok := q.rollUp(q.after); ok && p == q.after {
		skipped = p
	}
	for _, k := range keys {
		if !strings.HasPrefix(k, q.prefix) || k <= q.after || skipped != "" && strings.HasPrefix(k, skipped) {
			continue
		}
		name := k
		if p, ok := q.rollUp(k); ok {
			name = p
		}
		if len(names) > 0 && names[len(names)-1] == name {
			continue
		}
		if len(names) == q.limit {
			return names, true
		}
		names = append(names, name)
	}
	return names, false
}

// Any page of any bucket is what brute force finds.
func TestListProperty(t *testing.T) {
	s := newStore(t, t.TempDir())
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		bucket := fmt.Sprintf("bucket-%d", n)
		if err := s.CreateBucket(t.Context(), bucket); err != nil {
			rt.Fatal(err)
		}
		word := rapid.StringMatching(`[ab/\x{ff}\x{10ffff}]{1,5}`)
		keys := rapid.SliceOfNDistinct(word, 0, 20, rapid.ID[string]).Draw(rt, "keys")
		for _, k := range keys {
			body, err := s.bodies.stage(strings.NewReader(k), nil)
			if err != nil {
				rt.Fatal(err)
			}
			if err := s.put(t.Context(), bucket, k, body, newRecord(body, nil, nil, s.opts.Now()), writeCondition{}); err != nil {
				rt.Fatal(err)
			}
		}
		optional := rapid.OneOf(rapid.Just(""), word)
		q := listQuery{
			prefix: optional.Draw(rt, "prefix"), after: optional.Draw(rt, "after"),
			delimiter: rapid.SampledFrom([]string{"", "/", "a", "//"}).Draw(rt, "delimiter"), limit: rapid.IntRange(1, 8).Draw(rt, "limit"),
		}
		items, more, err := s.list(t.Context(), bucket, q)
		if err != nil {
			rt.Fatal(err)
		}
		var got []string
		for _, item := range items {
			got = append(got, item.name)
		}
		want, wantMore := oracle(keys, q)
		if diff := cmp.Diff(got, want); diff != "" || more != wantMore {
			rt.Errorf("more %v, want %v; (-got +want):\n%s", more, wantMore, diff)
		}
	})
}

// A page costs what it holds: the last of many keys is as near as the first.
func BenchmarkListPage(b *testing.B) {
	s := newStore(b, b.TempDir())
	if err := s.CreateBucket(b.Context(), testBucket); err != nil {
		b.Fatal(err)
	}
	keys := fillBucket(b, s, 20_000)
	for name, after := range map[string]string{"first": "", "last": keys[len(keys)-101]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				items, _, err := s.list(b.Context(), testBucket, listQuery{after: after, limit: 100})
				if err != nil || len(items) != 100 {
					b.Fatal(len(items), err)
				}
			}
		})
	}
	b.Run("delimiter", func(b *testing.B) {
		for b.Loop() {
			items, _, err := s.list(b.Context(), testBucket, listQuery{delimiter: "/", limit: 100})
			if err != nil || len(items) != 1 {
				b.Fatal(len(items), err)
			}
		}
	})
}

func TestListAnswersXML(t *testing.T) {
	ts := newTestServer(t)
	r := signed(t.Context(), testKeys(), "GET", ts.url, "/site", emptySHA256, http.Header{}, nil)
	resp, body := ts.do(t, r)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/xml" {
		t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
}
