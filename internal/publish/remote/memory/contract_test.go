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

func TestStoreContractShortPages(t *testing.T) {
	remotetest.Store(t, func(*testing.T) remote.Store { return memory.NewStore(memory.StoreOptions{ShortPages: true}) })
}

func TestCDNContract(t *testing.T) {
	remotetest.CDN(t, func(*testing.T) (remote.CDN, string) { return newCDN(2), blog.ID })
}

func TestConfiguratorContract(t *testing.T) {
	remotetest.Configurator(t, func(*testing.T) (remote.CDN, string) { return newCDN(2), blog.ID })
}

var blog = remote.Distribution{
	ID: "EDFDVBD6EXAMPLE", Domain: "d111111abcdef8.cloudfront.net", Aliases: []string{"www.example.org"},
	Enabled: true, Deployed: true, DefaultRootObject: "index.html",
	Origins:    []remote.Origin{{ID: "site", Domain: "site.s3.eu-central-1.amazonaws.com"}},
	TagHeader:  "x-amz-meta-cache-tag",
	Behaviors:  []remote.Behavior{{Pattern: "*", OriginID: "site", FailoverIDs: []string{"site"}}},
	ErrorPages: []remote.ErrorPage{{Status: 404, Page: "/404.html", Response: 404, MinTTL: remote.DefaultErrorTTL}},
}

func newCDN(polls int) *memory.CDN {
	return memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{blog}, Polls: polls})
}
