package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// object is a file, or what the bucket says of an object.
type object struct {
	size int64
	sum  string // MD5 in hexadecimal, or what S3 says of an object that came in parts, with a dash in it
}

// tree is what the site's folder holds.
type tree struct {
	files   map[string]object // by key
	gone    []string          // keys of the step before that no file has any more
	changed int               // how many files differ from those of the step before, those that are gone among them
}

// readTree reads the folder; what was before the caller knows.
func readTree(ctx context.Context, dir string) (*tree, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]object, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(makeRange(len(paths)), 256) {
		group.Go(func() error {
			for _, i := range part {
				var err error
				if found[i], err = readObject(paths[i]); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	t := &tree{files: make(map[string]object, len(paths))}
	for i, path := range paths {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return nil, err
		}
		t.files[filepath.ToSlash(rel)] = found[i]
	}
	return t, nil
}

func makeRange(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func readObject(path string) (object, error) {
	f, err := os.Open(path)
	if err != nil {
		return object{}, err
	}
	defer f.Close() // it was only read
	sum := md5.New()
	n, err := io.Copy(sum, f)
	return object{n, hex.EncodeToString(sum.Sum(nil))}, err
}

// cacheable are the keys of everything that an edge may hold: what there is, and what there was before.
func (t *tree) cacheable() []string {
	out := slices.Clone(t.gone)
	for key := range t.files {
		out = append(out, key)
	}
	return out
}

// compare says how many files the bucket lacks, how many of its objects have other bytes, and how many it has that no file stands for. Of an
// object that came in parts only the size is compared. freshet's own record is none of them.
func (t *tree) compare(bucket map[string]object) (missing, different, left int) {
	for key, want := range t.files {
		got, there := bucket[key]
		switch {
		case !there:
			missing++
		case got.size != want.size || got.sum != want.sum && !strings.Contains(got.sum, "-"):
			different++
		}
	}
	for key := range bucket {
		if _, there := t.files[key]; !there && !strings.HasPrefix(key, ".freshet-") {
			left++
		}
	}
	return missing, different, left
}

// bucket is a bucket as the bench sees it, past the proxy.
type bucket struct {
	client         *awss3.Client
	name           string
	access, secret string
}

func newBucket(endpoint, name, access, secret string) *bucket {
	return &bucket{name: name, access: access, secret: secret, client: awss3.New(awss3.Options{
		Region: region, BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})}
}

func (b *bucket) create(ctx context.Context) error {
	if _, err := b.client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &b.name}); err != nil {
		return fmt.Errorf("create bucket %s: %w", b.name, err)
	}
	return nil
}

// list is every object of the bucket.
func (b *bucket) list(ctx context.Context) (map[string]object, error) {
	out := map[string]object{}
	pages := awss3.NewListObjectsV2Paginator(b.client, &awss3.ListObjectsV2Input{Bucket: &b.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", b.name, err)
		}
		for _, o := range page.Contents {
			out[aws.ToString(o.Key)] = object{aws.ToInt64(o.Size), strings.Trim(aws.ToString(o.ETag), `"`)}
		}
	}
	return out, nil
}
