package cloudfront_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/publish/remote"
)

// account answers GetDistribution with one configuration and GetCachePolicy
// with what policies say of the query string; it counts the policies read.
type account struct {
	config   string            // inside of DistributionConfig
	policies map[string]string // by id: query string behavior, or an error code
	read     []string          // ids, in order; the SDK sends one request after the other
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/cache-policy/") {
		fmt.Fprintf(w, "<Distribution><Id>E1</Id><DistributionConfig>%s</DistributionConfig></Distribution>", a.config)
		return
	}
	id := path.Base(r.URL.Path)
	a.read = append(a.read, id)
	switch behavior := a.policies[id]; behavior {
	case "none", "whitelist", "allExcept", "all":
		fmt.Fprintf(w, `<CachePolicy><Id>%s</Id><CachePolicyConfig><ParametersInCacheKeyAndForwardedToOrigin>
			<QueryStringsConfig><QueryStringBehavior>%s</QueryStringBehavior></QueryStringsConfig>
			</ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig></CachePolicy>`, id, behavior)
	case "empty":
		fmt.Fprintf(w, `<CachePolicy><Id>%s</Id><CachePolicyConfig/></CachePolicy>`, id)
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, errorBody(behavior, "no"))
	}
}

// read is the distribution that the account shows.
func read(t *testing.T, a *account) remote.Distribution {
	t.Helper()
	front := httptest.NewServer(a)
	t.Cleanup(front.Close)
	d, err := openAt(t, front.URL).Distribution(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestQueryInKey(t *testing.T) {
	isolate(t)
	policy := func(id string) string { return "<CachePolicyId>" + id + "</CachePolicyId>" }
	policies := map[string]string{"p-none": "none", "p-list": "whitelist", "p-except": "allExcept", "p-all": "all",
		"p-denied": "AccessDenied", "p-gone": "NoSuchCachePolicy", "p-empty": "empty"}
	rows := []struct {
		name, settings string
		want           bool
		read           []string
	}{
		{"a custom policy without", policy("p-none"), false, []string{"p-none"}},
		{"a custom policy with some", policy("p-list"), true, []string{"p-list"}},
		{"a custom policy with most", policy("p-except"), true, []string{"p-except"}},
		{"a custom policy with all", policy("p-all"), true, []string{"p-all"}},
		{"no right to read the policy", policy("p-denied"), true, []string{"p-denied"}},
		{"a policy that is gone", policy("p-gone"), true, []string{"p-gone"}},
		{"a policy that says nothing", policy("p-empty"), true, []string{"p-empty"}},
		{"legacy settings with", "<ForwardedValues><QueryString>true</QueryString></ForwardedValues>", true, nil},
		{"legacy settings without", "<ForwardedValues><QueryString>false</QueryString></ForwardedValues>", false, nil},
		{"neither", "", false, nil},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			a := &account{policies: policies, config: "<DefaultCacheBehavior>" + r.settings + "</DefaultCacheBehavior>"}
			d := read(t, a)
			if diff := cmp.Diff(d.Behaviors, []remote.Behavior{{Pattern: "*", QueryInKey: r.want}}); diff != "" {
				t.Errorf("Behaviors (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(a.read, r.read); diff != "" {
				t.Errorf("policies read (-got +want):\n%s", diff)
			}
		})
	}
}

// TestManagedPolicies compares the adapter's own table with the embedded
// cloud's, which was read from the guide independently. No request is made.
func TestManagedPolicies(t *testing.T) {
	isolate(t)
	for _, p := range control.ManagedPolicies() {
		a := &account{config: "<DefaultCacheBehavior><CachePolicyId>" + p.ID + "</CachePolicyId></DefaultCacheBehavior>"}
		d := read(t, a)
		if want := p.QueryStrings.Behavior != "none"; len(d.Behaviors) != 1 || d.Behaviors[0].QueryInKey != want {
			t.Errorf("%s: %+v, want QueryInKey %v", p.Name, d.Behaviors, want)
		}
		if len(a.read) != 0 {
			t.Errorf("%s was asked for", p.Name)
		}
	}
}

// TestPolicyIsReadOnce: several behaviors share one request, denied or not.
func TestPolicyIsReadOnce(t *testing.T) {
	isolate(t)
	one := func(pattern, policy string) string {
		return fmt.Sprintf("<CacheBehavior><PathPattern>%s</PathPattern><CachePolicyId>%s</CachePolicyId></CacheBehavior>", pattern, policy)
	}
	a := &account{
		policies: map[string]string{"p-none": "none", "p-denied": "AccessDenied"},
		config: "<CacheBehaviors><Items>" + one("a/*", "p-none") + one("*.jpg", "p-denied") + one("/b/*", "p-none") + one("*", "p-denied") +
			"</Items></CacheBehaviors><DefaultCacheBehavior><CachePolicyId>p-none</CachePolicyId></DefaultCacheBehavior>",
	}
	want := []remote.Behavior{
		{Pattern: "/a/*"}, {Pattern: "/*.jpg", QueryInKey: true}, {Pattern: "/b/*"}, {Pattern: "/*", QueryInKey: true}, {Pattern: "*"},
	}
	if diff := cmp.Diff(read(t, a).Behaviors, want); diff != "" {
		t.Errorf("Behaviors (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(a.read, []string{"p-none", "p-denied"}); diff != "" {
		t.Errorf("policies read (-got +want):\n%s", diff)
	}
}

// TestCanceledWhileReadingPolicies: giving up is no policy that cannot be read.
func TestCanceledWhileReadingPolicies(t *testing.T) {
	isolate(t)
	ctx, cancel := context.WithCancel(t.Context())
	a := &account{config: "<DefaultCacheBehavior><CachePolicyId>p</CachePolicyId></DefaultCacheBehavior>"}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/cache-policy/") {
			cancel()
			<-r.Context().Done()
			return
		}
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	if d, err := openAt(t, front.URL).Distribution(ctx, "E1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Distribution = %+v, %v", d, err)
	}
}

func TestRewrites(t *testing.T) {
	isolate(t)
	function := "<FunctionAssociations><Items><FunctionAssociation><FunctionARN>arn</FunctionARN><EventType>%s</EventType></FunctionAssociation></Items></FunctionAssociations>"
	lambda := "<LambdaFunctionAssociations><Items><LambdaFunctionAssociation><LambdaFunctionARN>arn</LambdaFunctionARN><EventType>%s</EventType></LambdaFunctionAssociation></Items></LambdaFunctionAssociations>"
	rows := []struct {
		kind, event string
		want        bool
	}{
		{function, "viewer-request", true}, {function, "viewer-response", false},
		{lambda, "viewer-request", true}, {lambda, "origin-request", true},
		{lambda, "origin-response", false}, {lambda, "viewer-response", false},
	}
	for _, r := range rows {
		settings := fmt.Sprintf(r.kind, r.event) + "<CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>"
		got := read(t, &account{config: "<CacheBehaviors><Items><CacheBehavior><PathPattern>/x</PathPattern>" + settings +
			"</CacheBehavior></Items></CacheBehaviors><DefaultCacheBehavior>" + settings + "</DefaultCacheBehavior>"})
		want := []remote.Behavior{{Pattern: "/x", Rewrites: r.want}, {Pattern: "*", Rewrites: r.want}}
		if diff := cmp.Diff(got.Behaviors, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", settings, diff)
		}
	}
}

// TestOriginGroup: a behavior's target may be a group of origins.
func TestOriginGroup(t *testing.T) {
	isolate(t)
	member := func(id string) string {
		return "<OriginGroupMember><OriginId>" + id + "</OriginId></OriginGroupMember>"
	}
	d := read(t, &account{config: "<OriginGroups><Items>" +
		"<OriginGroup><Id>other</Id><Members><Items>" + member("x") + "</Items></Members></OriginGroup>" +
		"<OriginGroup><Id>group</Id><Members><Items>" + member("app") + member("bucket") + "</Items></Members></OriginGroup>" +
		"</Items></OriginGroups><DefaultCacheBehavior><TargetOriginId>group</TargetOriginId></DefaultCacheBehavior>"})
	want := []remote.Behavior{{Pattern: "*", OriginID: "app", FailoverIDs: []string{"bucket"}}}
	if diff := cmp.Diff(d.Behaviors, want); diff != "" {
		t.Errorf("Behaviors (-got +want):\n%s", diff)
	}
}

func TestWebsite(t *testing.T) {
	isolate(t)
	const s3, custom = "<S3OriginConfig/>", "<CustomOriginConfig><HTTPPort>80</HTTPPort></CustomOriginConfig>"
	rows := []struct {
		domain, kind string
		want         bool
	}{
		{"site.s3.eu-central-1.amazonaws.com", s3, false},
		{"site.s3.eu-central-1.amazonaws.com", custom, false},
		{"a.b.s3.dualstack.us-gov-west-1.amazonaws.com", custom, false},
		{"site.s3-eu-west-1.amazonaws.com", custom, false},
		{"site.s3.amazonaws.com", custom, false},
		{"site.s3.cn-north-1.amazonaws.com.cn", custom, false},
		{"site.s3-website.eu-central-1.amazonaws.com", custom, true},
		{"site.s3-website-us-east-1.amazonaws.com", custom, true},
		{"app.example.org", custom, true},
		{"site.s3.eu-central-1.amazonaws.com.example.org", custom, true},
		{"app.internal", "<VpcOriginConfig><VpcOriginId>v</VpcOriginId></VpcOriginConfig>", true},
		{"127.0.0.1:9000", s3, false},
	}
	for _, r := range rows {
		d := read(t, &account{config: "<Origins><Items><Origin><Id>o</Id><DomainName>" + r.domain + "</DomainName>" + r.kind + "</Origin></Items></Origins>"})
		want := []remote.Origin{{ID: "o", Domain: r.domain, Website: r.want}}
		if diff := cmp.Diff(d.Origins, want); diff != "" {
			t.Errorf("Origins (-got +want):\n%s", diff)
		}
	}
}

// TestErrorPages: the time has a default, a page may be missing.
func TestErrorPages(t *testing.T) {
	isolate(t)
	one := func(inner string) string { return "<CustomErrorResponse>" + inner + "</CustomErrorResponse>" }
	d := read(t, &account{config: "<CustomErrorResponses><Items>" +
		one("<ErrorCode>403</ErrorCode><ResponsePagePath>/index.html</ResponsePagePath><ResponseCode>200</ResponseCode><ErrorCachingMinTTL>0</ErrorCachingMinTTL>") +
		one("<ErrorCode>404</ErrorCode><ResponsePagePath></ResponsePagePath><ResponseCode></ResponseCode>") +
		one("<ErrorCode>500</ErrorCode><ErrorCachingMinTTL>86400</ErrorCachingMinTTL>") + "</Items></CustomErrorResponses>"})
	want := []remote.ErrorPage{
		{Status: 403, Page: "/index.html", Response: 200}, {Status: 404, MinTTL: 10 * time.Second}, {Status: 500, MinTTL: 24 * time.Hour},
	}
	if diff := cmp.Diff(d.ErrorPages, want); diff != "" {
		t.Errorf("ErrorPages (-got +want):\n%s", diff)
	}
}
