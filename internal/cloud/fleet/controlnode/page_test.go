package controlnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

// reads are the addresses that show something of the fleet; %s is the distribution's id.
var reads = []string{"/api/fleet", "/api/distributions", "/api/distributions/%s/invalidations", "/api/distributions/%s/invalidations/INONE"}

// changes are those that change something, with a body that they take.
var changes = map[string]string{
	"/api/invalidate": `{"distribution":%q,"paths":["/a"]}`,
	"/api/sign-out":   `{}`,
}

func (r *rig) path(pattern string) string { return strings.ReplaceAll(pattern, "%s", r.id) }

func (r *rig) body(path string) string {
	return strings.ReplaceAll(changes[path], "%q", `"`+r.id+`"`)
}

func (r *rig) invalidations() []Invalidation {
	return read200[Invalidations](r, "/api/distributions/"+r.id+"/invalidations").List
}

// On loopback everybody sees the fleet, and nobody changes it without having signed in.
func TestPageIsReadOnly(t *testing.T) {
	for name, keys := range map[string]control.Credentials{"with keys": testKeys, "without keys": {}} {
		t.Run(name, func(t *testing.T) {
			r := start(t, onLoopback(keys))
			if diff := cmp.Diff(read200[Session](r, "/api/session"), Session{Open: true, Possible: keys == testKeys}); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
			if got := read200[Status](r, "/api/fleet"); got.Node != "control-1" {
				t.Errorf("the node is %q", got.Node)
			}
			for _, cookie := range []string{"", "freshet-" + r.base.Port() + "=", "freshet-" + r.base.Port() + "=guess", "session=x"} {
				r.cookie = cookie
				for path := range changes {
					if text := r.want(http.StatusUnauthorized, "POST", path, r.body(path)); !strings.Contains(text, "sign in first") {
						t.Errorf("%s says %s", path, text)
					}
				}
			}
			if got := r.invalidations(); len(got) != 0 {
				t.Errorf("there are %d invalidations", len(got))
			}
		})
	}
}

func TestNobodySignsInWithoutKeys(t *testing.T) {
	r := start(t, onLoopback(control.Credentials{}))
	for _, body := range []string{`{}`, `{"access_key_id":"","secret_access_key":""}`, rightKeys} {
		resp, text := r.send("POST", "/api/sign-in", body)
		if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 || !strings.Contains(text, "without keys") {
			t.Errorf("%s: %d, %d cookies: %s", body, resp.StatusCode, len(resp.Cookies()), text)
		}
	}
}

// Whoever has signed in invalidates by the API's own rules, until they sign out or their time is over.
func TestSignedIn(t *testing.T) {
	r := start(t, onLoopback(testKeys))
	got := r.signIn()
	want := &http.Cookie{Name: "freshet-" + r.base.Port(), Path: "/", MaxAge: 43200, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	want.Value, want.Raw = got.Value, got.Raw
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("the cookie; got, want:\n%s", diff)
	}
	if !read200[Session](r, "/api/session").SignedIn {
		t.Error("nobody is signed in")
	}
	paths := []string{"/1", "/2*", "/3", "/4", "/5", "/6"}
	var made Invalidation
	body, err := json.Marshal(batch{r.id, paths})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(r.want(http.StatusCreated, "POST", "/api/invalidate", string(body))), &made); err != nil {
		t.Fatal(err)
	}
	if made.Count != 6 || !slices.Equal(made.Items, paths) || !strings.HasPrefix(made.Reference, "freshet-page-") {
		t.Errorf("made %+v", made)
	}
	list := r.invalidations()
	if len(list) != 1 || list[0].ID != made.ID || list[0].Count != 6 || !slices.Equal(list[0].Items, paths[:5]) {
		t.Errorf("listed %+v", list)
	}
	if whole := read200[Invalidation](r, "/api/distributions/"+r.id+"/invalidations/"+made.ID); !slices.Equal(whole.Items, paths) {
		t.Errorf("all of it: %+v", whole)
	}
	resp, _ := r.send("POST", "/api/sign-out", "{}")
	if c := resp.Cookies(); resp.StatusCode != http.StatusOK || len(c) != 1 || c[0].MaxAge != -1 || c[0].Value != "" {
		t.Errorf("signing out: %d, %v", resp.StatusCode, c)
	}
	r.want(http.StatusUnauthorized, "POST", "/api/invalidate", r.body("/api/invalidate")) // the cookie is worth nothing any more
	r.signIn()
	r.clock.turn(12*time.Hour - time.Minute)
	r.want(http.StatusCreated, "POST", "/api/invalidate", r.body("/api/invalidate"))
	r.clock.turn(time.Minute)
	r.want(http.StatusUnauthorized, "POST", "/api/invalidate", r.body("/api/invalidate"))
	if log := r.log.String(); !strings.Contains(log, "signed in at the page") || !strings.Contains(log, "invalidation="+made.ID) {
		t.Errorf("the log says nothing of it:\n%s", log)
	}
}

func TestInvalidateRefuses(t *testing.T) {
	r := start(t, onLoopback(testKeys))
	r.signIn()
	for _, row := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"no path", `{"distribution":"%s","paths":["a"]}`, 400, "invalid invalidation paths"},
		{"no paths", `{"distribution":"%s","paths":[]}`, 400, "at least one path"},
		{"nothing", `{}`, 404, "The specified distribution does not exist."},
		{"no such distribution", `{"distribution":"ENONE","paths":["/a"]}`, 404, "The specified distribution does not exist."},
		{"no JSON", `distribution=%s`, 400, "not the JSON"},
		{"other JSON", `{"paths":"/a"}`, 400, "not the JSON"},
		{"large", `{"distribution":"%s","paths":["/` + strings.Repeat("x", maxBatch) + `"]}`, 413, "1048576 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if text := r.want(row.status, "POST", "/api/invalidate", r.path(row.body)); !strings.Contains(text, row.says) {
				t.Errorf("it says %s", text)
			}
		})
	}
	if got := r.invalidations(); len(got) != 0 {
		t.Errorf("there are %d invalidations", len(got))
	}
}

// What was typed is neither believed nor logged.
func TestWrongSecret(t *testing.T) {
	r := start(t, onLoopback(testKeys))
	for _, body := range []string{
		`{"access_key_id":"AKIDTEST","secret_access_key":"guess-1"}`, `{"access_key_id":"test/secret","secret_access_key":"guess-2"}`,
		`{"access_key_id":"AKIDTEST"}`,
	} {
		resp, text := r.send("POST", "/api/sign-in", body)
		if resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 || !strings.Contains(text, "is wrong") {
			t.Errorf("%s: %d, %d cookies: %s", body, resp.StatusCode, len(resp.Cookies()), text)
		}
	}
	r.want(http.StatusBadRequest, "POST", "/api/sign-in", `{"secret_access_key":guess-3}`)
	r.want(http.StatusRequestEntityTooLarge, "POST", "/api/sign-in", `{"secret_access_key":"`+strings.Repeat("x", maxKeys)+`"}`)
	log := r.log.String()
	if strings.Count(log, "signing in at the page was refused") != 3 || !strings.Contains(log, "from=127.0.0.1") {
		t.Errorf("the log says:\n%s", log)
	}
	for _, secret := range []string{"guess", "test/secret", "AKIDTEST"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

// A page elsewhere changes nothing, even if the browser sent the cookie along.
func TestPageElsewhereChangesNothing(t *testing.T) {
	for name, opts := range map[string]Options{"loopback": onLoopback(testKeys), "beyond": beyond(t)} {
		t.Run(name, func(t *testing.T) {
			r := start(t, opts)
			r.signIn()
			for _, row := range []struct {
				name   string
				header []string
				status int
			}{
				{"another origin", []string{"Origin", "https://evil.example"}, 403},
				{"another port", []string{"Origin", r.base.Scheme + "://127.0.0.1:1"}, 403},
				{"no origin that has a name", []string{"Origin", "null"}, 403},
				{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
				{"another port of this site", []string{"Sec-Fetch-Site", "same-site"}, 403},
				{"a form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
				{"a form's text", []string{"Content-Type", "text/plain"}, 415},
				{"another name", []string{"Host", "evil.example:" + r.base.Port(), "Origin", r.base.Scheme + "://evil.example:" + r.base.Port()}, 421},
			} {
				for _, path := range []string{"/api/invalidate", "/api/sign-out", "/api/sign-in"} {
					t.Run(row.name+path, func(t *testing.T) {
						body := r.body(path)
						if path == "/api/sign-in" {
							body = rightKeys
						}
						if resp, text := r.send("POST", path, body, row.header...); resp.StatusCode != row.status || len(resp.Cookies()) != 0 {
							t.Errorf("status %d, want %d: %s", resp.StatusCode, row.status, text)
						}
					})
				}
			}
			if got := r.invalidations(); len(got) != 0 || !read200[Session](r, "/api/session").SignedIn {
				t.Errorf("%d invalidations, or signed out", len(got))
			}
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				for path := range changes {
					if resp, _ := r.send(method, path, r.body(path)); resp.StatusCode != http.StatusMethodNotAllowed {
						t.Errorf("%s %s: status %d", method, path, resp.StatusCode)
					}
				}
			}
		})
	}
}

// Beyond loopback nothing is shown before somebody has signed in.
func TestNothingIsShownBeyondLoopback(t *testing.T) {
	r := start(t, beyond(t))
	known := []string{"control-1", "v0-test", r.id, "example.org", "a-secret-comment", r.base.Port()}
	nothing := func(path, text string) {
		t.Helper()
		for _, name := range known {
			if strings.Contains(text, name) {
				t.Errorf("%s tells %q:\n%s", path, name, text)
			}
		}
	}
	for _, path := range reads {
		nothing(path, r.want(http.StatusUnauthorized, "GET", r.path(path), ""))
	}
	for path := range changes {
		nothing(path, r.want(http.StatusUnauthorized, "POST", path, r.body(path)))
	}
	for _, path := range []string{"/", "/assets/fleet.js", "/assets/distributions.js", "/assets/entrance.js", "/assets/fleet.css", "/assets/page.css", "/assets/dom.js"} {
		nothing(path, r.want(http.StatusOK, "GET", path, ""))
	}
	nothing("another name", r.want(http.StatusMisdirectedRequest, "GET", "/", "", "Host", "10.0.0.9"))
	if diff := cmp.Diff(read200[Session](r, "/api/session"), Session{Possible: true}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	r.want(http.StatusOK, "GET", "/", "", "Host", farName) // as behind an address translation
	c := r.signIn()
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Name != "__Host-freshet-"+r.base.Port() {
		t.Errorf("the cookie is %+v", c)
	}
	r.want(http.StatusOK, "GET", "/api/fleet", "", "Host", farName+":"+r.base.Port())
	for _, path := range reads[:3] {
		r.want(http.StatusOK, "GET", r.path(path), "")
	}
	r.want(http.StatusNotFound, "GET", r.path(reads[3]), "")
	r.want(http.StatusCreated, "POST", "/api/invalidate", r.body("/api/invalidate"), "Host", farName, "Origin", "https://"+farName)
	r.want(http.StatusOK, "POST", "/api/sign-out", "{}")
	for _, path := range reads {
		nothing(path, r.want(http.StatusUnauthorized, "GET", r.path(path), ""))
	}
}

// The page does not listen where it would let in whom nobody knows.
func TestPageRefusesToListen(t *testing.T) {
	open, closed := beyond(t), beyond(t)
	open.PageCertificate, open.PageKey = "", ""
	closed.Credentials = control.Credentials{}
	for _, row := range []struct {
		name string
		opts Options
		want error
	}{
		{"in the clear", open, ErrPageOpen},
		{"without keys", closed, ErrExposed},
		{"without either", Options{Page: "0.0.0.0:0"}, ErrExposed},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.opts.Dir, row.opts.API = t.TempDir(), listen.Listener{Address: "127.0.0.1:0"}
			node, err := Start(t.Context(), memory.New().Connect(1), row.opts)
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if err == nil {
				t.Error(node.Close())
			}
		})
	}
}

// The page has what is there, the newest first and no more than fits.
func TestDistributions(t *testing.T) {
	r := start(t, onLoopback(testKeys))
	r.signIn()
	before := read200[Distributions](r, "/api/distributions")
	want := Distributions{List: []Distribution{{
		ID: r.id, Domain: before.List[0].Domain, Aliases: []string{"www.example.org"}, Comment: "a-secret-comment", Enabled: true, Deployed: true, Mark: "0-0",
	}}}
	if diff := cmp.Diff(before, want); diff != "" || !strings.HasSuffix(before.List[0].Domain, ".cloudfront.localhost") {
		t.Errorf("%s; got, want:\n%s", before.List[0].Domain, diff)
	}
	for i := range maxInvalidations + 2 {
		r.want(http.StatusCreated, "POST", "/api/invalidate", fmt.Sprintf(`{"distribution":%q,"paths":["/%d"]}`, r.id, i))
	}
	list := r.invalidations()
	if len(list) != maxInvalidations || list[0].Items[0] != fmt.Sprintf("/%d", maxInvalidations+1) {
		t.Errorf("%d invalidations, the first of %v", len(list), list[0].Items)
	}
	if after := read200[Distributions](r, "/api/distributions"); after.List[0].Mark == "0-0" {
		t.Error("the mark has not changed")
	}
	if text := r.want(http.StatusNotFound, "GET", "/api/distributions/ENONE/invalidations", ""); !strings.Contains(text, "does not exist") {
		t.Errorf("an unknown distribution says %s", text)
	}
}
