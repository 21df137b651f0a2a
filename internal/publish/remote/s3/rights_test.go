package s3_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

// use is one action on one resource; prefix is that of a listing.
type use struct {
	action, resource string
	prefix           *string
}

// uses is what a request needs to be allowed; S3 API Reference, "Required
// permissions" of each operation, read 2026-11.
func uses(t *testing.T, r *http.Request, body []byte) []use {
	t.Helper()
	name, key, hasKey := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	arn := "arn:aws:s3:::" + name
	q := r.URL.Query()
	op := r.Method
	for _, part := range []string{"uploads", "uploadId", "partNumber", "delete", "list-type"} {
		if q.Has(part) {
			op += " " + part
		}
	}
	object := func(actions ...string) (out []use) {
		for _, a := range actions {
			out = append(out, use{action: a, resource: arn + "/" + key})
		}
		return out
	}
	if !hasKey || key == "" {
		switch op {
		case "GET list-type":
			prefix := q.Get("prefix")
			return []use{{"s3:ListBucket", arn, &prefix}}
		case "POST delete":
			return deletes(t, arn, body)
		}
	}
	switch op {
	case "GET", "HEAD":
		return object("s3:GetObject")
	case "PUT", "PUT uploadId partNumber", "POST uploadId":
		out := object("s3:PutObject")
		if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
			from, err := url.PathUnescape(source)
			if err != nil {
				t.Errorf("copy source %q: %v", source, err)
			}
			out = append(out, use{action: "s3:GetObject", resource: "arn:aws:s3:::" + from})
		}
		if r.Header.Get("If-Match") != "" {
			out = append(out, object("s3:GetObject")...)
		}
		return out
	case "POST uploads":
		return object("s3:PutObject")
	case "DELETE uploadId":
		return object("s3:AbortMultipartUpload")
	}
	t.Errorf("nobody knows which right %s %s needs", op, r.URL)
	return nil
}

func deletes(t *testing.T, arn string, body []byte) (out []use) {
	var keys struct {
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(body, &keys); err != nil || len(keys.Object) == 0 {
		t.Errorf("delete %q: %v", body, err)
	}
	for _, o := range keys.Object {
		out = append(out, use{action: "s3:DeleteObject", resource: arn + "/" + o.Key})
	}
	return out
}

// allows evaluates a policy document as IAM does, as far as Policy goes.
func allows(t *testing.T, doc []byte, u use) bool {
	t.Helper()
	var p struct {
		Statement []struct {
			Effect           string
			Action, Resource []string
			Condition        map[string]map[string][]string
		}
	}
	if err := json.Unmarshal(doc, &p); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Statement {
		ok := s.Effect == "Allow" && slices.Contains(s.Action, u.action) && like(s.Resource, u.resource)
		for kind, keys := range s.Condition {
			ok = ok && kind == "StringLike" && len(keys) == 1 && u.prefix != nil && like(keys["s3:prefix"], *u.prefix)
		}
		if ok {
			return true
		}
	}
	return false
}

func like(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wild(p, value) })
}

// wild matches "*" and "?", and "${*}", "${?}" and "${$}" as the characters.
func wild(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '*' {
		return wild(p[1:], s) || s != "" && wild(p, s[1:])
	}
	c, rest := p[:1], p[1:]
	if strings.HasPrefix(p, "${") {
		c, rest = p[2:3], p[4:]
	} else if c == "?" && s != "" {
		return wild(rest, s[1:])
	}
	return strings.HasPrefix(s, c) && wild(rest, s[1:])
}

// TestContract also checks that the policy allows each request that the contract
// takes, no action more, and nothing elsewhere.
func TestContract(t *testing.T) {
	isolate(t)
	for _, prefix := range []string{"", "s*t? $+%/日本/"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			doc, err := remote.Policy(s3.Rights(bucket, prefix, "eu-central-1"))
			if err != nil {
				t.Fatal(err)
			}
			w := &watch{doc: doc, used: map[string]bool{}}
			remotetest.Store(t, func(t *testing.T) remote.Store {
				inner := serve(t)
				if prefix != "" {
					putNeighbours(t, inner)
				}
				return open(t, w.over(t, inner), prefix)
			})
			var want []string
			for _, r := range s3.Rights(bucket, prefix, "") {
				want = append(want, r.Actions...)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(w.used))); diff != "" {
				t.Errorf("actions (-in the policy +used):\n%s", diff)
			}
		})
	}
}

// putNeighbours writes what no listing below the prefix may show, and no delete
// may hit.
func putNeighbours(t *testing.T, h http.Handler) {
	t.Helper()
	whole := open(t, h, "")
	for _, key := range []site.Key{"s", "s*t? $+%", "s*t? $+%-staging/a", "s*t? $+%0", "sit? $+%/日本/a", "a"} {
		if _, err := whole.Put(t.Context(), remotetest.NewPut(key, []byte("x"), site.Headers{})); err != nil {
			t.Fatal(err)
		}
	}
}

// watch holds requests against a policy.
type watch struct {
	doc  []byte
	mu   sync.Mutex      // held for one note
	used map[string]bool // actions; guarded by mu
}

func (w *watch) over(t *testing.T, next http.Handler) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the suite cancels calls
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, u := range uses(t, r, body) {
			if !allows(t, w.doc, u) {
				t.Errorf("%s %s: the policy does not allow %s on %s", r.Method, r.URL, u.action, u.resource)
			}
			w.mu.Lock()
			w.used[u.action] = true
			w.mu.Unlock()
		}
		next.ServeHTTP(rw, r)
	}
}

// TestRightsElsewhere: what lies beside the prefix stays out of reach.
func TestRightsElsewhere(t *testing.T) {
	doc, err := remote.Policy(s3.Rights("site", "p*/", "cn-north-1"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) *string { return &s }
	rows := []struct {
		name string
		use  use
		want bool
	}{
		{"an object below", use{"s3:PutObject", "arn:aws-cn:s3:::site/p*/a", nil}, true},
		{"a listing below", use{"s3:ListBucket", "arn:aws-cn:s3:::site", at("p*/.freshet-")}, true},
		{"whether an object below is missing", use{"s3:ListBucket", "arn:aws-cn:s3:::site", at("p*/a")}, true},
		{"an object beside", use{"s3:PutObject", "arn:aws-cn:s3:::site/page/a", nil}, false},
		{"an object of a bucket with a longer name", use{"s3:PutObject", "arn:aws-cn:s3:::site2/p*/a", nil}, false},
		{"a listing beside", use{"s3:ListBucket", "arn:aws-cn:s3:::site", at("page/")}, false},
		{"a listing of everything", use{"s3:ListBucket", "arn:aws-cn:s3:::site", nil}, false},
		{"another part of AWS", use{"s3:PutObject", "arn:aws:s3:::site/p*/a", nil}, false},
	}
	for _, r := range rows {
		if got := allows(t, doc, r.use); got != r.want {
			t.Errorf("%s: allowed %v, want %v", r.name, got, r.want)
		}
	}
}
