package s3_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/site"
)

// TestListReadsAnyForm: a page that package listing does not take is read by the
// SDK, to the same effect.
func TestListReadsAnyForm(t *testing.T) {
	isolate(t)
	body := `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>` +
		`<Contents><Key>p/a+b</Key><Size>7</Size><ETag>&quot;e&quot;</ETag><LastModified>2026-11-22T20:00:00.000Z</LastModified></Contents></ListBucketResult>`
	forms := map[string]string{
		"usual":             body,
		"with a comment":    strings.Replace(body, "<Contents>", "<!-- one --><Contents>", 1),
		"with CDATA":        strings.Replace(body, "p/a+b", "<![CDATA[p/a+b]]>", 1),
		"with attributes":   strings.Replace(body, "<Contents>", `<Contents x="y">`, 1),
		"in other letters":  strings.NewReplacer("<Key>", "<key>", "</Key>", "</key>").Replace(body),
		"with a long date":  strings.Replace(body, "20:00:00.000Z", "20:00:00.000000000Z", 1),
		"another namespace": strings.Replace(body, "<ListBucketResult>", `<ListBucketResult xmlns="https://example.org/">`, 1),
	}
	var want []remote.Info
	for i, name := range []string{"usual", "with a comment", "with CDATA", "with attributes", "in other letters", "with a long date", "another namespace"} {
		store := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, forms[name]) }), "p/")
		var got []remote.Info
		err := store.List(t.Context(), "", "", func(page []remote.Info) error { got = append(got, page...); return nil })
		if err != nil || len(got) != 1 || got[0].Key != "a b" {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if i == 0 {
			want = got
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
}

// TestListEndsEarly: who has seen enough costs no further page and no connection.
func TestListEndsEarly(t *testing.T) {
	isolate(t)
	var connections, requests atomic.Int64
	inner := serve(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		inner.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	const objects = 1005 // two pages
	store := openAt(t, server, "")
	for i := range objects {
		if _, err := store.Put(t.Context(), remotetest.NewPut(site.Key(fmt.Sprintf("%04d", i)), nil, site.Headers{})); err != nil {
			t.Fatal(err)
		}
	}
	before, enough := requests.Load(), errors.New("enough")
	for range 5 {
		if err := store.List(t.Context(), "", "", func([]remote.Info) error { return enough }); !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	if got := requests.Load() - before; got != 5 {
		t.Errorf("%d requests for 5 first pages", got)
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
}
