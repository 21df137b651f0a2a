package edge

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	ruleDate   = "Date: Sun, 22 Nov 2026 12:00:00 GMT" // ruleNow
	ruleMinute = "Sun, 22 Nov 2026 12:01:00 GMT"
)

// How long a response stays fresh from its arrival; section numbers are RFC 9111's.
func TestFreshness(t *testing.T) {
	tests := []struct {
		spec    string
		status  int
		headers []string
		asked   time.Duration // before arrival
		want    time.Duration
	}{
		{"4.2.1 max-age", 200, []string{"Cache-Control: max-age=60"}, 0, time.Minute},
		{"4.2.1 s-maxage before max-age", 200, []string{"Cache-Control: max-age=9, s-maxage=60"}, 0, time.Minute},
		{"4.2.1 max-age before Expires", 200, []string{"Cache-Control: max-age=60", "Expires: 0"}, 0, time.Minute},
		{"4.2.1 Expires less Date", 200, []string{"Expires: " + ruleMinute, ruleDate}, 0, time.Minute},
		{"4.2.1 Expires less Date, both fast", 200, []string{"Expires: " + ruleMinute, "Date: " + "Sun, 22 Nov 2026 12:00:50 GMT"}, 0, 10 * time.Second},
		{"4.2.1 Expires before Date", 200, []string{"Expires: " + ruleMinute, "Date: Sun, 22 Nov 2026 12:02:00 GMT"}, 0, 0},
		{"4.2.1 Expires without Date", 200, []string{"Expires: " + ruleMinute}, 0, time.Minute},
		{"4.2.1 Expires with a bad Date", 200, []string{"Expires: " + ruleMinute, "Date: now"}, 0, time.Minute},
		{"5.3 Expires 0", 200, []string{"Expires: 0", ruleDate}, 0, 0},
		{"5.3 Expires with another zone", 200, []string{"Expires: Sun, 22 Nov 2026 12:01:00 UTC", ruleDate}, 0, 0},
		{"4.2.1 the first of two max-age", 200, []string{"Cache-Control: max-age=60, max-age=9"}, 0, time.Minute},
		{"4.2.1 no number", 200, []string{"Cache-Control: max-age='60'", "Expires: " + ruleMinute}, 0, 0},
		{"5.2.2.4 no-cache", 200, []string{"Cache-Control: no-cache, max-age=60"}, 0, 0},
		{"5.2.2.4 no-cache of a field", 200, []string{`Cache-Control: no-cache="a", max-age=60`}, 0, time.Minute},
		{"5.1 Age", 200, []string{"Cache-Control: max-age=60", "Age: 20"}, 0, 40 * time.Second},
		{"5.1 Age beyond the lifetime", 200, []string{"Cache-Control: max-age=60", "Age: 80"}, 0, -20 * time.Second},
		{"5.1 the first Age counts", 200, []string{"Cache-Control: max-age=60", "Age: 0, 80"}, 0, time.Minute},
		{"5.1 the first Age line counts", 200, []string{"Cache-Control: max-age=60", "Age: 20", "Age: 0"}, 0, 40 * time.Second},
		{"5.1 an Age that is no number is ignored", 200, []string{"Cache-Control: max-age=60", "Age: 80.0"}, 0, time.Minute},
		{"4.2.3 apparent age", 200, []string{"Cache-Control: max-age=60", "Date: Sun, 22 Nov 2026 11:59:30 GMT"}, 0, 30 * time.Second},
		{"4.2.3 Date ahead", 200, []string{"Cache-Control: max-age=60", "Date: " + ruleMinute}, 0, time.Minute},
		{"4.2.3 delay of the response", 200, []string{"Cache-Control: max-age=60", "Age: 20"}, 5 * time.Second, 35 * time.Second},
		{"4.2.3 the greater of both", 200, []string{"Cache-Control: max-age=60", "Age: 20", "Date: Sun, 22 Nov 2026 11:59:30 GMT"}, 0, 30 * time.Second},
		{"4.2.2 heuristic", 200, []string{"Last-Modified: Sun, 22 Nov 2026 11:50:00 GMT", ruleDate}, 0, time.Minute},
		{"4.2.2 heuristic, a day at most", 200, []string{"Last-Modified: Sun, 22 Nov 2020 11:50:00 GMT", ruleDate}, 0, day},
		{"4.2.2 not for every status", 503, []string{"Last-Modified: Sun, 22 Nov 2026 11:50:00 GMT", ruleDate}, 0, 0},
		{"4.2.2 unless it is public", 599, []string{"Last-Modified: Sun, 22 Nov 2026 11:50:00 GMT", ruleDate, "Cache-Control: public"}, 0, time.Minute},
		{"RFC 9213 2.2 Expires has no say", 200, []string{"CDN-Cache-Control: must-revalidate", "Expires: " + ruleMinute, ruleDate}, 0, 0},
		{"RFC 9213 2.2 with Age", 200, []string{"CDN-Cache-Control: max-age=60", "Age: 20"}, 0, 40 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeRFC9111(response{test.status, header(test.headers...), ruleNow}, terms{asked: ruleNow.Add(-test.asked)})
			if got := v.lifetime - v.age; got != test.want {
				t.Errorf("fresh for %v (lifetime %v, age %v), want %v", got, v.lifetime, v.age, test.want)
			}
		})
	}
}

// What a shared cache stores; section numbers are RFC 9111's.
func TestStorable(t *testing.T) {
	tests := []struct {
		spec       string
		status     int
		headers    []string
		authorized bool
		want       bool
	}{
		{"3 lifetime", 200, []string{"Cache-Control: max-age=9"}, false, true},
		{"3 lifetime, unknown status", 299, []string{"Cache-Control: max-age=9"}, false, true},
		{"3 validator", 200, []string{`Etag: "1"`}, false, true},
		{"3 validator alone, status that is not cacheable by default", 201, []string{`Etag: "1"`}, false, false},
		{"3 neither", 200, nil, false, false},
		{"3 zero lifetime", 200, []string{"Cache-Control: max-age=0"}, false, false},
		{"3.3 206", 206, []string{"Cache-Control: max-age=9"}, false, false},
		{"5.2.2.5 no-store", 200, []string{"Cache-Control: No-Store, max-age=9"}, false, false},
		{"5.2.2.7 private", 200, []string{"Cache-Control: private, max-age=9"}, false, false},
		{"5.2.2.3 must-understand, understood", 200, []string{"Cache-Control: must-understand, no-store, max-age=9"}, false, true},
		{"5.2.2.3 must-understand, unknown", 599, []string{"Cache-Control: must-understand, max-age=9"}, false, false},
		{"3.5 Authorization", 200, []string{"Cache-Control: max-age=9"}, true, false},
		{"3.5 public", 200, []string{"Cache-Control: max-age=9, public"}, true, true},
		{"3.5 s-maxage", 200, []string{"Cache-Control: s-maxage=9"}, true, true},
		{"3.5 must-revalidate", 200, []string{"Cache-Control: max-age=9, must-revalidate"}, true, true},
		{"4.1 Vary: *", 200, []string{"Cache-Control: max-age=9", "Vary: a", "Vary: b, *"}, false, false},
		{"5.2.2.4 no-cache with a validator", 200, []string{"Cache-Control: no-cache", `Etag: "1"`}, false, true},
		{"RFC 9213 no-store", 200, []string{"Cache-Control: max-age=9", "CDN-Cache-Control: no-store"}, false, false},
		{"RFC 9213 private", 200, []string{"Cache-Control: max-age=9", "CDN-Cache-Control: private"}, false, false},
		{"RFC 9213 max-age against no-store", 200, []string{"Cache-Control: no-store", "CDN-Cache-Control: max-age=9"}, false, true},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			v := judgeRFC9111(response{test.status, header(test.headers...), ruleNow}, terms{authorized: test.authorized, asked: ruleNow})
			if v.store != test.want || v.share && !v.store {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestUse(t *testing.T) {
	const sec = time.Second
	renewing := staleness{revalidate: 10 * sec, maxAge: maxSeconds * sec}
	tests := []struct {
		spec  string
		stale staleness
		age   time.Duration // of an object that lives 60 s
		wants *demands
		want  use
	}{
		{"4.2 fresh", staleness{}, 59 * sec, nil, serve},
		{"4.2 lifetime must exceed age", staleness{}, 60 * sec, nil, ask},
		{"RFC 5861 3 within the window", renewing, 69 * sec, nil, serveRenewed},
		{"RFC 5861 3 after it", renewing, 70 * sec, nil, ask},
		{"5.2.1.1 max-age", staleness{}, 30 * sec, &demands{maxAge: 29 * sec}, ask},
		{"5.2.1.1 max-age, young enough", staleness{}, 30 * sec, &demands{maxAge: 30 * sec}, serve},
		{"5.2.1.2 max-stale", staleness{}, 65 * sec, &demands{maxAge: never, maxStale: 5 * sec}, serveExpired},
		{"5.2.1.2 max-stale, too stale", staleness{}, 66 * sec, &demands{maxAge: never, maxStale: 5 * sec}, ask},
		{"5.2.2.2 max-stale against must-revalidate", staleness{forbidden: true}, 61 * sec, &demands{maxAge: never, maxStale: 5 * sec}, ask},
		{"5.2.1.3 min-fresh", staleness{}, 51 * sec, &demands{maxAge: never, minFresh: 10 * sec}, ask},
		{"5.2.1.3 min-fresh, fresh enough", staleness{}, 50 * sec, &demands{maxAge: never, minFresh: 10 * sec}, serve},
		{"5.2.1.4 no-cache", renewing, 1 * sec, &demands{maxAge: never, noCache: true}, ask},
		{"5.2.1.7 only-if-cached", staleness{}, 1 * sec, &demands{maxAge: never, onlyIfCached: true}, serve},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			o := &object{born: ruleNow, expires: ruleNow.Add(50 * sec), verdict: verdict{age: 10 * sec, stale: test.stale}}
			if got := o.use(test.wants, ruleNow.Add(test.age-10*sec)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// RFC 9111 3.2 and 4.3.4
func TestMergeHeaders(t *testing.T) {
	stored := header(`Etag: W/"1"`, "Content-Length: 5", "Content-Type: a/b", "Kept: 1", "Changed: 1")
	tests := []struct {
		name      string
		confirmed []string
		want      http.Header
		sure      bool
	}{
		{"values replace, nothing goes", []string{"Changed: 2", "Changed: 3", "New: 4", "Content-Length: 9", "Content-Type: c/d"},
			header(`Etag: W/"1"`, "Content-Length: 5", "Content-Type: c/d", "Kept: 1", "Changed: 2", "Changed: 3", "New: 4"), true},
		{"the same version", []string{`Etag: "1"`}, header(`Etag: "1"`, "Content-Length: 5", "Content-Type: a/b", "Kept: 1", "Changed: 1"), true},
		{"another version", []string{`Etag: "2"`, "Changed: 2"}, stored, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			merged, sure := mergeHeaders(stored, header(test.confirmed...))
			if diff := cmp.Diff(merged, test.want); diff != "" || sure != test.sure {
				t.Errorf("sure %v; got, want:\n%s", sure, diff)
			}
		})
	}
}

func TestParseRuleSet(t *testing.T) {
	for _, want := range []RuleSet{CloudFront, RFC9111} {
		if got, err := ParseRuleSet(want.String()); err != nil || got != want {
			t.Errorf("%v reads as %v, %v", want, got, err)
		}
	}
	if _, err := ParseRuleSet("RFC"); err == nil {
		t.Error("RFC is a rule set")
	}
}
