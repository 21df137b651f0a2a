package ledger_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/publish/ledger"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
)

// edges accepts everything at once.
type edges struct{}

func (edges) Invalidate(context.Context, string, uint64, []string) error { return nil }
func (edges) Configure(context.Context, string, control.DistributionConfig) error {
	return nil
}

// TestThroughTheAPI counts what the embedded control API lists, over two pages,
// through the adapter.
func TestThroughTheAPI(t *testing.T) {
	keys := cloudfront.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "test/secret+key"}
	server, err := control.Open(filepath.Join(t.TempDir(), "control.db"), edges{}, control.Options{
		Now: func() time.Time { return november }, // and no credentials: signatures go by the real clock
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	made, err := server.EnsureDistribution(t.Context(), control.DistributionConfig{
		CallerReference: "site", Enabled: true,
		Origins: []control.Origin{{ID: "bucket", DomainName: "site.s3.eu-central-1.amazonaws.com", S3Origin: &control.S3Origin{}}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "bucket", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(server.Handler())
	defer front.Close()
	cdn, err := cloudfront.Open(t.Context(), cloudfront.Options{Endpoint: front.URL, Credentials: keys, Isolated: true, HTTPClient: front.Client()})
	if err != nil {
		t.Fatal(err)
	}
	const batches = 130
	for i := range batches {
		if _, err := cdn.Invalidate(t.Context(), made.ID, fmt.Sprint("r", i), []string{"/a", "/b*", "#tag"}); err != nil {
			t.Fatal(err)
		}
	}
	cache := filepath.Join(t.TempDir(), "ledger.json")
	for range 2 {
		got, err := ledger.Count(t.Context(), cdn, nil, november, cache)
		if err != nil || !got.Whole || got.Used != 3*batches {
			t.Errorf("Count = %+v, %v; want %d", got, err, 3*batches)
		}
	}
}
