package cloudfront_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/publish/remote"
)

func TestFleet(t *testing.T) {
	isolate(t)
	const one = `{"node":"c1","version":"v1","reached":true,"applied":7,"completed":6,"new":1,"edges":[{"member":"x","name":"e1","state":"serving","applied":6,"lag":1,"renewed":0.5,"lease":5,"version":"v1","address":"http://e1","fenced":1,"requests":3,"hits":2}]}`
	rows := []struct {
		name, kind, body string
		status           int
		want             *remote.Fleet
		wrong            bool
	}{
		{"a fleet", "application/json", one, 200, &remote.Fleet{
			Node: "c1", Version: "v1", Reached: true, Applied: 7, Completed: 6, Here: true,
			Edges: []remote.FleetEdge{{
				Name: "e1", State: "serving", Applied: 6, Lag: 1, Renewed: 0.5, Lease: 5, Version: "v1", Address: "http://e1", Fenced: 1, Requests: 3, Hits: 2,
			}},
		}, false},
		{"a fleet without edges", "application/json; charset=utf-8", `{"node":"c1"}`, 200, &remote.Fleet{Node: "c1", Edges: []remote.FleetEdge{}, Here: true}, false},
		{"another service", "text/xml", "<ErrorResponse/>", 404, nil, false},
		{"a page for everything", "text/html", "<p>", 200, nil, false},
		{"no type", "", "", 200, nil, false},
		{"cut short", "application/json", one[:30], 200, nil, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var path string
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				path = q.URL.Path
				w.Header().Set("Content-Type", r.kind)
				w.WriteHeader(r.status)
				fmt.Fprint(w, r.body)
			}))
			t.Cleanup(front.Close)
			got, err := openAt(t, front.URL+"/").Fleet(t.Context())
			if (err != nil) != r.wrong {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, r.want); diff != "" || path != "/fleet" {
				t.Errorf("asked for %s; got, want:\n%s", path, diff)
			}
		})
	}
}

// AWS is not asked: no request is made that the ended context would break off.
func TestAWSIsNoFleet(t *testing.T) {
	isolate(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := openAt(t, "").Fleet(ctx); f != nil || err != nil {
		t.Errorf("got %+v, %v, want neither", f, err)
	}
}

// The embedded control API takes the signature as it takes those of the SDK.
func TestFleetIsSigned(t *testing.T) {
	isolate(t)
	api, err := control.Open(t.TempDir()+"/control.db", edges{}, control.Options{
		Credentials: control.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	var refused error
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		refused = api.Authorize(q)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(front.Close)
	if _, err := openAt(t, front.URL).Fleet(t.Context()); err != nil || refused != nil {
		t.Error(err, refused)
	}
	front.Close()
	if _, err := openAt(t, front.URL).Fleet(t.Context()); err == nil || !strings.Contains(err.Error(), "fleet") {
		t.Errorf("of a service that is gone: %v", err)
	}
}
