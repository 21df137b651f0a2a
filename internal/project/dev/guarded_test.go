package dev

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A panic while a page is answered is told with its stack, once, and the next page
// is answered; a connection that is closed on purpose is no panic.
func TestPanicsOfRequestsAreTold(t *testing.T) {
	told := make(chan string, 4)
	server := httptest.NewServer(guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mistake":
			panic("what now?")
		case "/cut":
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "page")
	}), func(value any, stack []byte) {
		told <- value.(string) + string(stack)
	}))
	defer server.Close()
	for _, path := range []string{"/mistake", "/cut"} {
		if res, err := server.Client().Get(server.URL + path); err == nil {
			t.Errorf("%s was answered with %s", path, res.Status)
		}
	}
	res, err := server.Client().Get(server.URL + "/page")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text := <-told; !strings.HasPrefix(text, "what now?") || !strings.Contains(text, "TestPanicsOfRequestsAreTold") {
		t.Errorf("told: %s", text)
	}
	if len(told) != 0 {
		t.Errorf("told also: %s", <-told)
	}
}
