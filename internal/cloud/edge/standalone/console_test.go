package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	s := run(t, Options{
		Listeners: []Listener{{Address: anyPort}}, Origin: Origin{URL: origin(t, nil)}, Admin: Listener{Address: anyPort}, Console: anyPort,
	})
	c := client(t, nil)
	get(t, c, s.Info().Viewers[0]+"/a")
	get(t, c, s.Info().Viewers[0]+"/a")
	if page := get(t, c, s.Info().Console+"/"); page.Status != 200 || !strings.Contains(page.Body, "<title>freshet edge</title>") {
		t.Errorf("the page: %d %.100s", page.Status, page.Body)
	}
	var state struct {
		Viewers  string
		Facts    []struct{ Name, Value string }
		Figures  struct{ Requests, Hits int }
		Requests []struct{ Path string }
	}
	eventually(t, "both requests show", func() bool {
		answer := get(t, c, s.Info().Console+"/api/state")
		if err := json.Unmarshal([]byte(answer.Body), &state); err != nil {
			t.Fatalf("%v in %s", err, answer.Body)
		}
		return len(state.Requests) == 2 && state.Figures.Hits == 1
	})
	if state.Viewers != s.Info().Viewers[0] || state.Requests[0].Path != "/a" || len(state.Facts) != 5 {
		t.Errorf("shows %+v", state)
	}
	if got := get(t, c, s.Info().Console+"/api/objects").Body; !strings.Contains(got, `"uri":"/a"`) {
		t.Errorf("cached: %s", got)
	}
	if got := get(t, c, s.Info().Console+"/api/dry?item=/*").Body; !strings.Contains(got, `"objects":1,`) {
		t.Errorf("a trial: %s", got)
	}
	if got := get(t, c, s.Info().Console+"/", "Host", "evil.example").Status; got != 421 {
		t.Errorf("under another name: %d", got)
	}
	events := dial(t, s.Info().Console) // a stream that nobody reads does not hold up Close
	if _, err := events.Write([]byte("GET /events HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.Info().Console, "http://") + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
}

func TestConsoleWithoutAdmin(t *testing.T) {
	s := run(t, Options{Listeners: []Listener{{Address: anyPort}}, Origin: Origin{URL: origin(t, nil)}, Console: anyPort})
	if got := get(t, client(t, nil), s.Info().Console+"/api/state").Body; !strings.Contains(got, `"invalidations":null`) {
		t.Errorf("the state: %s", got)
	}
}

// Nobody can log in, so nobody beyond this machine is let in, whatever credentials there are.
func TestConsoleStaysOnLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		_, err := Start(context.Background(), Options{
			Listeners: []Listener{{Address: anyPort}}, Origin: Origin{URL: origin(t, nil)}, Console: address,
			Credentials: Credentials{AccessKeyID: "a", SecretAccessKey: "b"},
		})
		if !errors.Is(err, ErrExposed) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestReachable(t *testing.T) {
	for base, want := range map[string]string{
		"http://0.0.0.0:80": "http://127.0.0.1:80", "https://[::]:443": "https://127.0.0.1:443", "http://10.0.0.7:80": "http://10.0.0.7:80",
		"http://127.0.0.1:8080": "http://127.0.0.1:8080",
	} {
		if got := reachable(base); got != want {
			t.Errorf("%s is %s, want %s", base, got, want)
		}
	}
}
