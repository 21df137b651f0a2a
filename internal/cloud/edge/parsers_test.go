package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDate(t *testing.T) {
	want := time.Date(2050, 8, 18, 2, 1, 18, 0, time.UTC)
	tests := []struct {
		name, value string
		want        time.Time // zero: no date
	}{
		{"IMF-fixdate", "Thu, 18 Aug 2050 02:01:18 GMT", want},
		{"any case", "tHU, 18 AUG 2050 02:01:18 gmt", want},
		{"wrong weekday", "Mon, 18 Aug 2050 02:01:18 GMT", want},
		{"RFC 850", "Thursday, 18-Aug-50 02:01:18 GMT", want},
		{"RFC 850, more than 50 years ahead", "Sunday, 18-Aug-77 02:01:18 GMT", time.Date(1977, 8, 18, 2, 1, 18, 0, time.UTC)},
		{"asctime", "Thu Aug 18 02:01:18 2050", want},
		{"asctime, one digit", "Thu Aug  8 02:01:18 2050", want.AddDate(0, 0, -10)},
		{"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"zero", "0", time.Time{}},
		{"empty", "", time.Time{}},
		{"UTC", "Thu, 18 Aug 2050 02:01:18 UTC", time.Time{}},
		{"AEST", "Thu, 18 Aug 2050 02:01:18 AEST", time.Time{}},
		{"two-digit year", "Thu, 18 Aug 50 02:01:18 GMT", time.Time{}},
		{"no comma", "Thu 18 Aug 2050 02:01:18 GMT", time.Time{}},
		{"two blanks", "Thu, 18  Aug  2050 02:01:18 GMT", time.Time{}},
		{"dashes", "Thu, 18-Aug-2050 02:01:18 GMT", time.Time{}},
		{"periods", "Thu, 18 Aug 2050 02.01.18 GMT", time.Time{}},
		{"one-digit hour", "Thu, 18 Aug 2050 2:01:18 GMT", time.Time{}},
		{"no such day", "Thu, 31 Feb 2050 02:01:18 GMT", time.Time{}},
		{"no such month", "Thu, 18 Aue 2050 02:01:18 GMT", time.Time{}},
		{"letters of two months", "Thu, 18 Anf 2050 02:01:18 GMT", time.Time{}},
		{"no such hour", "Thu, 18 Aug 2050 24:01:18 GMT", time.Time{}},
		{"trailing blank", "Thu, 18 Aug 2050 02:01:18 GMT ", time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := parseDate(test.value, ruleNow)
			if ok == test.want.IsZero() || ok && !got.Equal(test.want) {
				t.Errorf("parseDate(%q) = %v, %v, want %v", test.value, got, ok, test.want)
			}
		})
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{
		"Thu, 18 Aug 2050 02:01:18 GMT", "Thursday, 18-Aug-50 02:01:18 GMT", "Thu Aug  8 02:01:18 2050", "Sat, 31 Dec 2016 23:59:60 GMT", "0", ",", "Sunday,",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		at, ok := parseDate(value, ruleNow)
		if !ok {
			return
		}
		again, ok := parseDate(at.Format(http.TimeFormat), ruleNow)
		if at.Year() <= 9999 && (!ok || !again.Equal(at)) {
			t.Errorf("%q is %v, which reads as %v", value, at, again)
		}
		if _, lenient := http.ParseTime(strings.ReplaceAll(strings.ToUpper(value), ":60", ":59")); lenient != nil && !strings.Contains(value, ",") {
			t.Errorf("%q is no date to net/http", value)
		}
	})
}

func TestVaryNames(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   []string
		star   bool
	}{
		{"none", nil, nil, false},
		{"order, case, twice, blanks", []string{"foo ,Accept", " FOO,, bar"}, []string{"Accept", "Bar", "Foo"}, false},
		{"star", []string{"*"}, nil, true},
		{"star later", []string{"foo", "", "bar, *"}, nil, true},
		{"empty", []string{"", ", ,"}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			names, star := varyNames(test.values)
			if diff := cmp.Diff(names, test.want); diff != "" || star != test.star {
				t.Errorf("star %v, names got, want:\n%s", star, diff)
			}
		})
	}
	many := make([]string, 0, maxVary+1)
	for i := range maxVary + 1 {
		many = append(many, "x-"+strings.Repeat("n", i+1))
	}
	if _, star := varyNames(many); !star {
		t.Errorf("%d names select", len(many))
	}
}

func FuzzVary(f *testing.F) {
	f.Add("Accept-Language, foo", "en, de;q=0.5")
	f.Add("*,", "")
	f.Add("a\x00b,é", `"a, b", c`)
	f.Fuzz(func(t *testing.T, value, header string) {
		names, star := varyNames([]string{value})
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || slices.Contains(names, "*") || star && strings.Count(value, ",") < maxVary && !strings.Contains(value, "*") {
			t.Fatalf("varyNames(%q) = %q, %v", value, names, star)
		}
		rq := &request{header: http.Header{"Accept-Language": {header}, "Foo": {header}}}
		for _, name := range []string{"Accept-Language", "Foo"} {
			once := normalValue(name, rq.header[name])
			if twice := normalValue(name, []string{once}); twice != once {
				t.Errorf("%s: %q becomes %q, which becomes %q", name, header, once, twice)
			}
		}
		if key := secondary(names, rq); strings.Count(key, "\n") < len(names) || (key == "") != (len(names) == 0) {
			t.Errorf("%q select by %q", names, key)
		}
	})
}

// RFC 9111 4.1: what means the same selects the same.
func TestNormalValue(t *testing.T) {
	tests := []struct {
		header, a, b string
		same         bool
	}{
		{"Foo", "1, 2", "1,2", true},
		{"Foo", "1,2", "2,1", false},
		{"Foo", "a", "A", false},
		{"Foo", `"a, b"`, `"a,b"`, false},
		{"Accept-Language", "en, de", "de,  en", true},
		{"Accept-Language", "en, de", "eN, De", true},
		{"Accept-Language", "en;q=0.5, de", "de, en; q=0.5", true},
		{"Accept-Language", "en;q=0.5, de", "en, de;q=0.5", false},
	}
	for _, test := range tests {
		a, b := normalValue(test.header, []string{test.a}), normalValue(test.header, []string{test.b})
		if (a == b) != test.same {
			t.Errorf("%s: %q and %q become %q and %q", test.header, test.a, test.b, a, b)
		}
	}
	lines := &request{header: http.Header{"Foo": {"1", "2"}}}
	if one := (&request{header: http.Header{"Foo": {"1, 2"}}}); secondary([]string{"Foo"}, one) != secondary([]string{"Foo"}, lines) {
		t.Error("two lines differ from one")
	}
	empty, absent := &request{header: http.Header{"Foo": {""}}}, &request{header: http.Header{}}
	if secondary([]string{"Foo"}, empty) == secondary([]string{"Foo"}, absent) {
		t.Error("an empty header is the same as none")
	}
}

func TestParseDemands(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   *demands
	}{
		{"none", nil, nil},
		{"unknown", []string{"nothing-to-see-here, max-ages=1"}, nil},
		{"no-cache", []string{"No-Cache"}, &demands{noCache: true, maxAge: never}},
		{"several lines", []string{"no-store", "only-if-cached"}, &demands{noStore: true, onlyIfCached: true, maxAge: never}},
		{"numbers", []string{`max-age=5, min-fresh="7", max-stale=9`}, &demands{maxAge: 5 * time.Second, minFresh: 7 * time.Second, maxStale: 9 * time.Second}},
		{"strictest of two", []string{"max-age=5, max-age=3, min-fresh=1, min-fresh=2"}, &demands{maxAge: 3 * time.Second, minFresh: 2 * time.Second}},
		{"no number", []string{"max-age=soon"}, &demands{maxAge: 0}},
		{"any staleness", []string{"max-stale"}, &demands{maxAge: never, maxStale: maxSeconds * time.Second}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(parseDemands(http.Header{"Cache-Control": test.values}), test.want, cmp.AllowUnexported(demands{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func FuzzParseDemands(f *testing.F) {
	for _, seed := range []string{"max-age=0", "max-stale", `min-fresh="1", no-cache`, "=,", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := parseDemands(http.Header{"Cache-Control": {value}})
		if d == nil {
			return
		}
		for _, n := range []time.Duration{d.maxAge, d.minFresh, d.maxStale} {
			if n != never && (n < 0 || n > maxSeconds*time.Second) {
				t.Errorf("%q gives %v", value, n)
			}
		}
	})
}

// RFC 9213 2.1 and 2.2; W3C Note "Edge Architecture Specification" 1.0
func TestResponsePolicy(t *testing.T) {
	tests := []struct {
		name     string
		headers  []string
		targeted bool
		maxAge   time.Duration
		noStore  bool
	}{
		{"Cache-Control alone", []string{"Cache-Control: max-age=5"}, false, 5 * time.Second, false},
		{"CDN-Cache-Control before it", []string{"Cache-Control: no-store", "CDN-Cache-Control: max-age=60"}, true, time.Minute, false},
		{"two lines", []string{"CDN-Cache-Control: max-age=60", "CDN-Cache-Control: no-store"}, true, time.Minute, true},
		{"parameters are ignored", []string{"CDN-Cache-Control: max-age=60;x=1, foo=(a b);y"}, true, time.Minute, false},
		{"the last of two counts, as in every dictionary", []string{"CDN-Cache-Control: max-age=60, max-age=5"}, true, 5 * time.Second, false},
		{"empty is absent", []string{"Cache-Control: max-age=5", "CDN-Cache-Control: "}, false, 5 * time.Second, false},
		{"no dictionary", []string{"Cache-Control: max-age=5", "CDN-Cache-Control: max-age=60, foo=&"}, false, 5 * time.Second, false},
		{"blank before =", []string{"Cache-Control: max-age=5", "CDN-Cache-Control: max-age =60"}, false, 5 * time.Second, false},
		{"capitals", []string{"Cache-Control: max-age=5", "CDN-Cache-Control: Max-Age=60"}, false, 5 * time.Second, false},
		{"no integer", []string{"Cache-Control: max-age=5", `CDN-Cache-Control: max-age="60"`}, false, 5 * time.Second, false},
		{"decimal", []string{"Cache-Control: max-age=5", "CDN-Cache-Control: max-age=60.0"}, false, 5 * time.Second, false},
		{"negative", []string{"CDN-Cache-Control: max-age=-1"}, true, 0, false},
		{"Surrogate-Control", []string{"Cache-Control: no-store", "Surrogate-Control: max-age=60+10, content=\"ESI/1.0\""}, true, time.Minute, false},
		{"after CDN-Cache-Control", []string{"Surrogate-Control: max-age=60", "CDN-Cache-Control: no-store"}, true, never, true},
		{"for this edge", []string{"Surrogate-Control: no-store, max-age=60;freshet"}, true, time.Minute, false},
		{"for another edge", []string{"Cache-Control: max-age=5", "Surrogate-Control: max-age=60;abc"}, false, 5 * time.Second, false},
		{"nothing that is known", []string{"Cache-Control: max-age=5", "Surrogate-Control: foo"}, false, 5 * time.Second, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cc, targeted := responsePolicy(header(test.headers...))
			if targeted != test.targeted || cc.maxAge != test.maxAge || cc.noStore != test.noStore {
				t.Errorf("targeted %v, %+v", targeted, cc)
			}
		})
	}
}

func FuzzTargeted(f *testing.F) {
	for _, seed := range []string{"max-age=60, no-store", `private="a, b";x`, "a=(1 2), max-age=@1", "max-age=1;freshet", "=", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"Cdn-Cache-Control", "Surrogate-Control"} {
			cc, targeted := responsePolicy(http.Header{name: {value}})
			for _, d := range []time.Duration{cc.maxAge, cc.sMaxAge, cc.staleIfError, cc.staleWhileRevalidate} {
				if d != never && (d < 0 || d > maxSeconds*time.Second) {
					t.Errorf("%s: %q gives %v", name, value, d)
				}
			}
			if targeted && strings.TrimSpace(value) == "" {
				t.Errorf("%s: empty is valid", name)
			}
		}
	})
}

func FuzzParseAge(f *testing.F) {
	for _, seed := range []string{"7200", "0, 7200", "7200.0", "-1", "99999999999999999999", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if age, ok := parseAge(value); age < 0 || age > maxSeconds*time.Second || !ok && age != 0 {
			t.Errorf("%q gives %v, %v", value, age, ok)
		}
	})
}
