package cloudfront_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
)

// actionOf are the actions of all requests; CloudFront API Reference, read
// 2026-11.
var actionOf = []struct {
	method, action string
	path           *regexp.Regexp
}{
	{"GET", "cloudfront:ListDistributions", regexp.MustCompile(`^/2020-05-31/distribution$`)},
	{"GET", "cloudfront:GetDistribution", regexp.MustCompile(`^/2020-05-31/distribution/[^/]+$`)},
	{"POST", "cloudfront:CreateInvalidation", regexp.MustCompile(`^/2020-05-31/distribution/[^/]+/invalidation$`)},
	{"GET", "cloudfront:ListInvalidations", regexp.MustCompile(`^/2020-05-31/distribution/[^/]+/invalidation$`)},
	{"GET", "cloudfront:GetInvalidation", regexp.MustCompile(`^/2020-05-31/distribution/[^/]+/invalidation/[^/]+$`)},
	{"GET", "cloudfront:GetCachePolicy", regexp.MustCompile(`^/2020-05-31/cache-policy/[^/]+$`)},
}

// watch notes the action of each request on its way to next.
type watch struct {
	t    *testing.T
	next http.Handler
	mu   sync.Mutex      // held for one note
	used map[string]bool // by action; guarded by mu
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	known := false
	for _, a := range actionOf {
		if a.method == r.Method && a.path.MatchString(r.URL.Path) {
			w.used[a.action], known = true, true
		}
	}
	w.mu.Unlock()
	if !known {
		w.t.Errorf("nobody knows which right %s %s needs", r.Method, r.URL)
	}
	w.next.ServeHTTP(rw, r)
}

// TestContract also checks that the policy has the actions that the contract
// takes, and a distribution with a cache policy of its own, and no other.
func TestContract(t *testing.T) {
	isolate(t)
	used := map[string]bool{}
	remotetest.CDN(t, func(t *testing.T) (remote.CDN, string) {
		handler, id := handle(t, config(0))
		front := httptest.NewServer(&watch{t: t, next: handler, used: used})
		t.Cleanup(front.Close)
		return openAt(t, front.URL), id
	})
	own := &account{config: "<DefaultCacheBehavior><CachePolicyId>p-own</CachePolicyId></DefaultCacheBehavior>"}
	front := httptest.NewServer(&watch{t: t, next: own, used: used})
	t.Cleanup(front.Close)
	if _, err := openAt(t, front.URL).Distribution(t.Context(), "E1"); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range cloudfront.Rights([]string{"E1"}, true, "") {
		want = append(want, r.Actions...)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("actions (-in the policy +used):\n%s", diff)
	}
}

func TestRightsResources(t *testing.T) {
	rows := []struct {
		name   string
		ids    []string
		find   bool
		region string
		want   map[string][]string // resources by Sid
	}{
		{"no distribution", nil, false, "", map[string][]string{}},
		{"two", []string{"E1", "E2"}, false, "eu-central-1", map[string][]string{
			"Invalidate":        {"arn:aws:cloudfront::*:distribution/E1", "arn:aws:cloudfront::*:distribution/E2"},
			"ReadCachePolicies": {"arn:aws:cloudfront::*:cache-policy/*"},
		}},
		{"one to be found", nil, true, "us-gov-west-1", map[string][]string{
			"Invalidate":        {"arn:aws:cloudfront::*:distribution/*"},
			"ReadCachePolicies": {"arn:aws:cloudfront::*:cache-policy/*"},
			"FindDistribution":  {"*"},
		}},
		{"one that was found, in China", []string{"E1"}, true, "cn-north-1", map[string][]string{
			"Invalidate":        {"arn:aws-cn:cloudfront::*:distribution/E1"},
			"ReadCachePolicies": {"arn:aws-cn:cloudfront::*:cache-policy/*"},
			"FindDistribution":  {"*"},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := map[string][]string{}
			for _, right := range cloudfront.Rights(r.ids, r.find, r.region) {
				got[right.Sid] = right.Resources
			}
			if diff := cmp.Diff(got, r.want); diff != "" {
				t.Errorf("resources (-got +want):\n%s", diff)
			}
		})
	}
}

// TestDoctorRights: what doctor asks beyond publishing, and what mends.
func TestDoctorRights(t *testing.T) {
	rows := []struct {
		name       string
		ids        []string
		find, mend bool
		want       map[string][]string // resources by action
	}{
		{"looking", []string{"E1"}, false, false, map[string][]string{
			"cloudfront:GetOriginAccessControl":   {"arn:aws:cloudfront::*:origin-access-control/*", "arn:aws:cloudfront::*:response-headers-policy/*"},
			"cloudfront:GetResponseHeadersPolicy": {"arn:aws:cloudfront::*:origin-access-control/*", "arn:aws:cloudfront::*:response-headers-policy/*"},
		}},
		{"mending what has to be found", nil, true, true, map[string][]string{
			"cloudfront:GetOriginAccessControl":   {"arn:aws:cloudfront::*:origin-access-control/*", "arn:aws:cloudfront::*:response-headers-policy/*"},
			"cloudfront:GetResponseHeadersPolicy": {"arn:aws:cloudfront::*:origin-access-control/*", "arn:aws:cloudfront::*:response-headers-policy/*"},
			"cloudfront:UpdateDistribution":       {"arn:aws:cloudfront::*:distribution/*"},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := map[string][]string{}
			rights := cloudfront.DoctorRights(r.ids, r.find, r.mend, "")
			for _, right := range rights {
				for _, action := range right.Actions {
					got[action] = right.Resources
				}
			}
			if diff := cmp.Diff(got, r.want); diff != "" {
				t.Errorf("rights (-got +want):\n%s", diff)
			}
			if _, err := remote.Policy(append(cloudfront.Rights(r.ids, r.find, ""), rights...)); err != nil {
				t.Errorf("beside the rights to publish: %v", err)
			}
		})
	}
}
