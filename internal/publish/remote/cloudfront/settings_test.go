package cloudfront_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
)

// shelf answers GetDistribution with one configuration, and whatever else is
// asked for with what parts has under its path, or with a refusal.
type shelf struct {
	config string            // inside of DistributionConfig
	parts  map[string]string // whole documents, by the last two segments of the path
	sent   []string          // bodies of updates
	status int               // of the answer to updates; 0 is 200
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir, id := path.Split(r.URL.Path)
	w.Header().Set("ETag", "E1VERSION")
	switch {
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		s.sent = append(s.sent, r.Header.Get("If-Match")+" "+string(body))
		if s.status != 0 {
			w.WriteHeader(s.status)
			fmt.Fprint(w, errorBody("PreconditionFailed", "no"))
			return
		}
		fmt.Fprint(w, "<Distribution><Id>E1</Id></Distribution>")
	case path.Base(dir) == "distribution":
		fmt.Fprintf(w, "<Distribution><Id>E1</Id><DistributionConfig>%s</DistributionConfig></Distribution>", s.config)
	case s.parts[path.Base(dir)+"/"+id] != "":
		fmt.Fprint(w, s.parts[path.Base(dir)+"/"+id])
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, errorBody("AccessDenied", "no"))
	}
}

func (s *shelf) open(t *testing.T) remote.Configurator {
	t.Helper()
	isolate(t)
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	return openAt(t, front.URL)
}

// TestConfiguratorContract runs on the embedded control API, whose default
// behavior names all that there is to be lost.
func TestConfiguratorContract(t *testing.T) {
	isolate(t)
	remotetest.Configurator(t, func(t *testing.T) (remote.CDN, string) { return serveConfig(t, fullConfig()) })
}

// TestManagedCaching compares the adapter's own table with the embedded
// cloud's, which was read from the guide independently. No request is made.
func TestManagedCaching(t *testing.T) {
	for _, p := range control.ManagedPolicies() {
		s := &shelf{config: "<DefaultCacheBehavior><CachePolicyId>" + p.ID + "</CachePolicyId></DefaultCacheBehavior>"}
		got, err := s.open(t).Settings(t.Context(), "E1")
		if err != nil {
			t.Fatal(err)
		}
		want := &remote.Caching{Name: p.Name, Min: p.MinTTL, Default: p.DefaultTTL, Max: p.MaxTTL, Gzip: p.EnableGzip, Brotli: p.EnableBrotli}
		if diff := cmp.Diff(got.Behaviors[0].Caching, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", p.Name, diff)
		}
	}
}

func TestCaching(t *testing.T) {
	own := func(id string) string {
		return "<DefaultCacheBehavior><Compress>true</Compress><CachePolicyId>" + id + "</CachePolicyId></DefaultCacheBehavior>"
	}
	s := &shelf{parts: map[string]string{
		"cache-policy/whole": `<CachePolicy><Id>whole</Id><CachePolicyConfig><Name>mine</Name><MinTTL>60</MinTTL><DefaultTTL>120</DefaultTTL><MaxTTL>180</MaxTTL>
			<ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip></ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig></CachePolicy>`,
		"cache-policy/short": `<CachePolicy><Id>short</Id><CachePolicyConfig><Name>short</Name><MinTTL>5</MinTTL></CachePolicyConfig></CachePolicy>`,
	}}
	rows := []struct {
		name, config string
		want         *remote.Caching
	}{
		{"a custom policy", own("whole"), &remote.Caching{Name: "mine", Min: time.Minute, Default: 2 * time.Minute, Max: 3 * time.Minute, Gzip: true}},
		{"one that leaves the defaults", own("short"), &remote.Caching{Name: "short", Min: 5 * time.Second, Default: 24 * time.Hour, Max: 365 * 24 * time.Hour}},
		{"one that may not be read", own("other"), nil},
		{"legacy settings", "<DefaultCacheBehavior><Compress>true</Compress><MinTTL>0</MinTTL><DefaultTTL>7</DefaultTTL><ForwardedValues/></DefaultCacheBehavior>",
			&remote.Caching{Default: 7 * time.Second, Max: 365 * 24 * time.Hour, Gzip: true}},
		{"nothing at all", "<DefaultCacheBehavior/>", &remote.Caching{Default: 24 * time.Hour, Max: 365 * 24 * time.Hour}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s.config = r.config
			got, err := s.open(t).Settings(t.Context(), "E1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.Behaviors[0].Caching, r.want); diff != "" {
				t.Errorf("Caching (-got +want):\n%s", diff)
			}
		})
	}
}

func TestSigning(t *testing.T) {
	control := func(behavior string) string {
		return "<OriginAccessControl><Id>x</Id><OriginAccessControlConfig><SigningBehavior>" + behavior + "</SigningBehavior></OriginAccessControlConfig></OriginAccessControl>"
	}
	s := &shelf{parts: map[string]string{
		"origin-access-control/A": control("always"), "origin-access-control/N": control("never"), "origin-access-control/V": control("no-override"),
	}}
	rows := []struct {
		origin string
		want   remote.Signing
	}{
		{"<S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig>", remote.SigningNone},
		{"<S3OriginConfig><OriginAccessIdentity>origin-access-identity/cloudfront/E2</OriginAccessIdentity></S3OriginConfig>", remote.SigningIdentity},
		{"<OriginAccessControlId>A</OriginAccessControlId>", remote.SigningAlways},
		{"<OriginAccessControlId>N</OriginAccessControlId>", remote.SigningOff},
		{"<OriginAccessControlId>V</OriginAccessControlId>", remote.SigningViewer},
		{"<OriginAccessControlId>denied</OriginAccessControlId>", remote.SigningUnread},
	}
	for _, r := range rows {
		s.config = "<Origins><Items><Origin><Id>o</Id>" + r.origin + "</Origin></Items></Origins>"
		got, err := s.open(t).Settings(t.Context(), "E1")
		if err != nil || len(got.Origins) != 1 || got.Origins[0].Signing != r.want {
			t.Errorf("%s: %+v, %v; want %q", r.origin, got.Origins, err, r.want)
		}
	}
}

func TestResponseHeaders(t *testing.T) {
	policy := func(header, override string) string {
		return "<ResponseHeadersPolicy><Id>x</Id><ResponseHeadersPolicyConfig><CustomHeadersConfig><Items><ResponseHeadersPolicyCustomHeader><Header>" + header +
			"</Header><Value>no-store</Value><Override>" + override + "</Override></ResponseHeadersPolicyCustomHeader></Items></CustomHeadersConfig></ResponseHeadersPolicyConfig></ResponseHeadersPolicy>"
	}
	s := &shelf{parts: map[string]string{
		"response-headers-policy/takes": policy("cache-control", "true"), "response-headers-policy/adds": policy("Cache-Control", "false"),
		"response-headers-policy/other": policy("X-Other", "true"),
	}}
	rows := []struct {
		id, cacheControl string
		unread           bool
	}{
		{"takes", "no-store", false}, {"adds", "", false}, {"other", "", false}, {"denied", "", true},
		{"67f7725c-6f97-4210-82d7-5512b31e9d03", "", false}, {"", "", false},
	}
	for _, r := range rows {
		s.config = "<DefaultCacheBehavior><ResponseHeadersPolicyId>" + r.id + "</ResponseHeadersPolicyId></DefaultCacheBehavior>"
		got, err := s.open(t).Settings(t.Context(), "E1")
		if err != nil || got.Behaviors[0].CacheControl != r.cacheControl || got.Behaviors[0].HeadersUnread != r.unread {
			t.Errorf("%s: %+v, %v", r.id, got.Behaviors, err)
		}
	}
}

// wholeConfig has what UpdateDistribution requires.
const wholeConfig = `<CallerReference>c</CallerReference><Comment></Comment><Enabled>true</Enabled>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>d</DomainName></Origin></Items></Origins>
<CacheBehaviors><Quantity>1</Quantity><Items><CacheBehavior><PathPattern>docs/*</PathPattern><TargetOriginId>o</TargetOriginId>
<ViewerProtocolPolicy>https-only</ViewerProtocolPolicy><Compress>false</Compress></CacheBehavior></Items></CacheBehaviors>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>https-only</ViewerProtocolPolicy></DefaultCacheBehavior>`

// TestUnknownSettingsAreNotLost: what this program's SDK does not know would be
// dropped by an update, so that none is made.
func TestUnknownSettingsAreNotLost(t *testing.T) {
	s := &shelf{config: wholeConfig + "<NewIn2031><Mode>fast</Mode></NewIn2031>"}
	cdn := s.open(t)
	change := remote.Change{RootObject: "index.html"}
	_, err := cdn.Propose(t.Context(), "E1", change)
	if !errors.Is(err, remote.ErrUnsupported) || !strings.Contains(err.Error(), "NewIn2031/Mode") {
		t.Errorf("Propose: %v", err)
	}
	err = cdn.Apply(t.Context(), remote.Proposal{Distribution: "E1", Version: "E1VERSION", Change: change})
	if !errors.Is(err, remote.ErrUnsupported) || len(s.sent) != 0 {
		t.Errorf("Apply: %v; %d updates were sent", err, len(s.sent))
	}
}

func TestProposalLines(t *testing.T) {
	s := &shelf{config: wholeConfig}
	cdn := s.open(t)
	p, err := cdn.Propose(t.Context(), "E1", remote.Change{
		RootObject: "index.html", Compress: []string{"/docs/*"}, Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}},
	})
	want := []remote.SettingChange{
		{Setting: "CacheBehaviors/1/Compress", Old: "false", New: "true"},
		{Setting: "CustomErrorResponses/1/ErrorCachingMinTTL", New: "10"},
		{Setting: "CustomErrorResponses/1/ErrorCode", New: "403"},
		{Setting: "CustomErrorResponses/1/ResponseCode", New: "404"},
		{Setting: "CustomErrorResponses/1/ResponsePagePath", New: "/404.html"},
		{Setting: "DefaultRootObject", New: "index.html"},
	}
	if diff := cmp.Diff(p.Lines, want); diff != "" || err != nil {
		t.Errorf("error %v; lines (-got +want):\n%s", err, diff)
	}
	if len(s.sent) != 0 {
		t.Errorf("Propose sent %q", s.sent)
	}
	if err := cdn.Apply(t.Context(), p); err != nil || len(s.sent) != 1 || !strings.HasPrefix(s.sent[0], "E1VERSION <DistributionConfig") {
		t.Errorf("Apply: %v; sent %q", err, s.sent)
	}
}

// TestOvertaken: the configuration changed between the last look and the update.
func TestOvertaken(t *testing.T) {
	s := &shelf{config: wholeConfig, status: http.StatusPreconditionFailed}
	err := s.open(t).Apply(t.Context(), remote.Proposal{Distribution: "E1", Version: "E1VERSION", Change: remote.Change{RootObject: "x"}})
	if !errors.Is(err, remote.ErrPrecondition) {
		t.Errorf("Apply: %v", err)
	}
}
