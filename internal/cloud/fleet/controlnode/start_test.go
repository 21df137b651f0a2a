package controlnode_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/controlnode"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

func distribution(n int) control.DistributionConfig {
	return control.DistributionConfig{
		CallerReference: fmt.Sprint(n), Enabled: true,
		Origins: []control.Origin{{ID: "o", DomainName: "o.example", CustomOrigin: &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: "http-only"}}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
		},
	}
}

// A node whose file has distributions asks who the members are as soon as it opens it. Nothing counts as applied by everybody before it knows who they are.
func TestNothingIsCompleteWhileANodeStarts(t *testing.T) {
	store, dir := memory.New(), t.TempDir()
	start := func() *controlnode.Server {
		s, err := controlnode.Start(t.Context(), store.Connect(1), controlnode.Options{Name: "a", Dir: dir, API: listen.Listener{Address: "127.0.0.1:0"}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	for n := range 100 {
		if _, err := s.EnsureDistribution(t.Context(), distribution(n)); err != nil {
			t.Fatal(err)
		}
	}
	// A member that applies nothing, and renews: nothing that comes after it is deployed.
	other := store.Connect(2)
	l := fleet.Lease{Member: "m", Term: time.Hour.Milliseconds()}
	if _, err := other.Write(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Add(t.Context(), "join", control.EncodeJoin("m", "m")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.EnsureDistribution(ctx, distribution(1000)); err == nil {
		t.Fatal("it is deployed although a member has not applied it: the test tests nothing")
	}
	for range 20 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = start()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := s.EnsureDistribution(ctx, distribution(1000)); err == nil {
			t.Error("it is deployed although a member has not applied it")
		}
		cancel()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
