package memory_test

import (
	"testing"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
)

func TestStoreContract(t *testing.T) {
	remotetest.Store(t, func(*testing.T) remote.Store { return memory.NewStore(memory.StoreOptions{}) })
}

func TestCDNContract(t *testing.T) {
	remotetest.CDN(t, func(*testing.T) (remote.CDN, string) { return newCDN(2), blog.ID })
}

var blog = remote.Distribution{
	ID: "EDFDVBD6EXAMPLE", Domain: "d111111abcdef8.cloudfront.net", Aliases: []string{"www.example.org"},
	Enabled: true, Deployed: true, DefaultRootObject: "index.html",
	Origins: []remote.Origin{{ID: "site", Domain: "site.s3.eu-central-1.amazonaws.com"}},
}

func newCDN(polls int) *memory.CDN {
	return memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{blog}, Polls: polls})
}
