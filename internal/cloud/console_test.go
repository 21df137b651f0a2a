package cloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud"
)

// ask reads JSON from the console.
func ask(t *testing.T, c *cloud.Cloud, path string, into any) {
	t.Helper()
	res, err := http.Get(c.Info().Console + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(data, into) != nil {
		t.Fatalf("%s answered %d %v: %s", path, res.StatusCode, err, data)
	}
}

// The console sees the default distribution's edge, what its invalidations dropped, and requests to other distributions with their names.
func TestConsoleShowsTheCloud(t *testing.T) {
	c := start(t, options(t.TempDir()))
	defer stop(t, c)
	sdk, id := reach(t, c), c.Info().Distribution
	sdk.must(sdk.put(cloud.Bucket, "index.html", "home"))
	sdk.must(sdk.put(cloud.Bucket, "a.txt", "a"))
	other := sdk.create(config("other", bucket(cloud.Bucket, ""), "other.example"))
	for _, one := range [][2]string{{"", "/"}, {"", "/a.txt"}, {"", "/a.txt"}, {"other.example", "/a.txt"}} {
		sdk.get(one[0], one[1])
	}
	sdk.invalidate(&id, "first", "/a*", "/nothing")
	var state struct {
		Requests []struct{ Path, Distribution string }
	}
	ask(t, c, "/api/state", &state)
	if len(state.Requests) != 4 || state.Requests[0].Distribution != *other.Id || state.Requests[1].Distribution != "" {
		t.Errorf("requests: %+v", state.Requests)
	}
	var list struct {
		List []struct {
			Status  string
			Count   int
			Dropped struct {
				Objects, Bytes int
				Done           bool
			}
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if ask(t, c, "/api/invalidations", &list); len(list.List) == 1 && list.List[0].Dropped.Done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not swept: %+v", list)
		}
	}
	if one := list.List[0]; one.Status != "Completed" || one.Count != 2 || one.Dropped.Objects != 1 || one.Dropped.Bytes != 1 {
		t.Errorf("the invalidation shows as %+v", one)
	}
	var objects struct{ Items []struct{ URI string } }
	ask(t, c, "/api/objects", &objects)
	if len(objects.Items) != 1 || !strings.HasPrefix(objects.Items[0].URI, "/index.html") {
		t.Errorf("cached: %+v", objects)
	}
	var releases struct {
		Live     string
		Releases []any
	}
	ask(t, c, "/api/releases", &releases)
	if releases.Live != "" || len(releases.Releases) != 0 {
		t.Errorf("releases of a bucket without any: %+v", releases)
	}
}
