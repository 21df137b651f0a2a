package cloudfront_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// minute is when the n-th invalidation of invalidationPage was made.
func minute(n int) time.Time { return time.Date(2026, 11, 1, 0, n, 0, 0, time.UTC) }

// invalidationPage is a page of I250 to I1, newest first, in the form of fact
// 1.7. The marker is the last of the page before, "" for the first page.
func invalidationPage(marker string) string {
	from := 250
	if n, err := strconv.Atoi(strings.TrimPrefix(marker, "I")); err == nil {
		from = n - 1
	}
	to := max(from-99, 1)
	var b strings.Builder
	b.WriteString(`<InvalidationList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker></Marker>`)
	if to > 1 {
		fmt.Fprintf(&b, "<NextMarker>I%d</NextMarker>", to)
	}
	fmt.Fprintf(&b, "<MaxItems>100</MaxItems><IsTruncated>%v</IsTruncated><Quantity>%d</Quantity><Items>", to > 1, from-to+1)
	for n := from; n >= to; n-- {
		fmt.Fprintf(&b, "<InvalidationSummary><Id>I%d</Id><CreateTime>%s</CreateTime><Status>Completed</Status></InvalidationSummary>",
			n, minute(n).Format("2006-01-02T15:04:05.000Z"))
	}
	b.WriteString("</Items></InvalidationList>")
	return b.String()
}

// TestInvalidationsPages: a list goes over pages and stops at the first
// invalidation that is older.
func TestInvalidationsPages(t *testing.T) {
	isolate(t)
	var asked []string // the SDK sends one request after the other
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("MaxItems")+" after "+q.Get("Marker"))
		fmt.Fprint(w, invalidationPage(q.Get("Marker")))
	}))
	t.Cleanup(front.Close)
	cdn := openAt(t, front.URL)
	all := []string{"100 after ", "100 after I151", "100 after I51"}
	rows := []struct {
		name     string
		since    time.Time
		listed   int
		requests []string
	}{
		{"all", time.Time{}, 250, all},
		{"the oldest is just in", minute(1), 250, all},
		{"the oldest is just out", minute(1).Add(time.Millisecond), 249, all},
		{"a whole page, which only the next one can tell", minute(151), 100, all[:2]},
		{"a part of the first page", minute(152), 99, all[:1]},
		{"one", minute(250), 1, all[:1]},
		{"none", minute(251), 0, all[:1]},
	}
	for _, r := range rows {
		asked = nil
		got, err := cdn.Invalidations(t.Context(), "E1", r.since)
		if err != nil || len(got) != r.listed {
			t.Errorf("%s: %d listed, %v; want %d", r.name, len(got), err, r.listed)
		}
		for i, inv := range got {
			if want := fmt.Sprintf("I%d", 250-i); inv.ID != want || !inv.Created.Equal(minute(250-i)) || inv.Items != nil {
				t.Fatalf("%s: number %d is %+v, want %s", r.name, i, inv, want)
			}
		}
		if diff := cmp.Diff(asked, r.requests); diff != "" {
			t.Errorf("%s: requests (-got +want):\n%s", r.name, diff)
		}
	}
}

// TestOddLists: a list that cannot be understood whole is an error.
func TestOddLists(t *testing.T) {
	isolate(t)
	const good = `<InvalidationSummary><Id>I2</Id><CreateTime>2026-11-05T09:13:51.120Z</CreateTime><Status>Completed</Status></InvalidationSummary>`
	page := func(head, items string) string {
		return "<InvalidationList>" + head + "<Items>" + items + "</Items></InvalidationList>"
	}
	const end = "<IsTruncated>false</IsTruncated>"
	rows := []struct{ name, body string }{
		{"no id", page(end, strings.Replace(good, "<Id>I2</Id>", "", 1))},
		{"no time", page(end, strings.Replace(good, "<CreateTime>2026-11-05T09:13:51.120Z</CreateTime>", "", 1))},
		{"a third status", page(end, strings.Replace(good, "Completed", "COMPLETED", 1))},
		{"more, but not where", page("<IsTruncated>true</IsTruncated>", good)},
		{"more, but always there", page("<IsTruncated>true</IsTruncated><NextMarker>I2</NextMarker>", good)},
		{"no list", ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got, err := answer(t, 200, r.body).Invalidations(t.Context(), "E1", time.Time{}); err == nil || got != nil {
				t.Errorf("Invalidations = %+v, %v", got, err)
			}
		})
	}
	if got, err := answer(t, 200, page(end, good)).Invalidations(t.Context(), "E1", time.Time{}); err != nil || len(got) != 1 {
		t.Errorf("the good row: %+v, %v", got, err)
	}
}
