package control

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

const ns = `xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"`

func (f *fixture) invalidationPath() string {
	return "/2020-05-31/distribution/" + f.dist.ID + "/invalidation"
}

// Bodies as clients send them, and as they should not; spec: cloudfront 1.6, 1.7 and 1.8.
func TestCreateBodies(t *testing.T) {
	f := start(t, Options{})
	paths := func(inner string) string {
		return "<InvalidationBatch " + ns + "><CallerReference>" + t.Name() + "</CallerReference><Paths>" + inner + "</Paths></InvalidationBatch>"
	}
	rows := []struct{ name, body, code string }{
		{"the AWS CLI", `<InvalidationBatch ` + ns + `><CallerReference>cli-1795352520-383781</CallerReference><Paths><Quantity>2</Quantity><Items><Path>/index.html</Path><Path>/blog/*</Path></Items></Paths></InvalidationBatch>`, ""},
		{"the Go SDK: items first", `<InvalidationBatch ` + ns + `><CallerReference>go</CallerReference><Paths><Items><Path>/a</Path></Items><Quantity>1</Quantity></Paths></InvalidationBatch>`, ""},
		{"paths before the reference", `<InvalidationBatch ` + ns + `><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths><CallerReference>r</CallerReference></InvalidationBatch>`, ""},
		{"no namespace", `<InvalidationBatch><CallerReference>n</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch>`, ""},
		{"a declaration and a prefix", `<?xml version="1.0" encoding="UTF-8"?><c:InvalidationBatch xmlns:c="http://cloudfront.amazonaws.com/doc/2020-05-31/"><c:CallerReference>p</c:CallerReference><c:Paths><c:Quantity> 1 </c:Quantity><c:Items><c:Path>/a&amp;b</c:Path></c:Items></c:Paths></c:InvalidationBatch>`, ""},
		{"both kinds of items", paths(`<Quantity>3</Quantity><Items><Path>/index.html</Path><Path>/assets/*</Path><Path>#post:42</Path></Items>`), ""},
		{"another namespace", `<InvalidationBatch xmlns="http://example.org/"/>`, "MalformedXML"},
		{"empty", "", "MissingBody"},
		{"not XML", "hello", "MalformedXML"},
		{"cut short", `<InvalidationBatch><CallerReference>x`, "MalformedXML"},
		{"two documents", `<InvalidationBatch/><InvalidationBatch/>`, "MalformedXML"},
		{"a document type", `<!DOCTYPE a [<!ENTITY b "c">]><InvalidationBatch/>`, "MalformedXML"},
		{"too deep", strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40), "MalformedXML"},
		{"text between elements", `<InvalidationBatch>x<Paths/></InvalidationBatch>`, "MalformedXML"},
		{"another root", `<Invalidation/>`, "MalformedXML"},
		{"other items", paths(`<Quantity>1</Quantity><Items><Tag>/a</Tag></Items>`), "MalformedXML"},
		{"no quantity", paths(`<Items><Path>/a</Path></Items>`), "MalformedXML"},
		{"no reference", `<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch>`, "InvalidArgument"},
		{"no paths element", `<InvalidationBatch><CallerReference>x</CallerReference></InvalidationBatch>`, "InvalidArgument"},
		{"no paths", paths(`<Quantity>0</Quantity>`), "InvalidArgument"},
		{"fewer than stated", paths(`<Quantity>2</Quantity><Items><Path>/a</Path></Items>`), "InconsistentQuantities"},
		{"none of those stated", paths(`<Quantity>1</Quantity>`), "InconsistentQuantities"},
		{"too large", strings.Repeat(" ", maxBody+1), "BatchTooLarge"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := f.send(t, http.MethodPost, f.invalidationPath(), row.body)
			if got := between(a.body, "<Code>", "</Code>"); got != row.code {
				t.Errorf("answered %d %s, want the code %q", a.status, a.body, row.code)
			}
			if row.code == "" && a.status != http.StatusCreated {
				t.Errorf("answered %d, want 201", a.status)
			}
		})
	}
}

// The observed text names both numbers; spec: cloudfront 1.6.
func TestInconsistentQuantitiesText(t *testing.T) {
	f := start(t, Options{})
	a := f.send(t, http.MethodPost, f.invalidationPath(), `<InvalidationBatch><CallerReference>x</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/a</Path><Path>/b</Path></Items></Paths></InvalidationBatch>`)
	const want = "The specified quantity of Paths (1) does not match the actual quantity supplied (2)."
	if got := between(a.body, "<Message>", "</Message>"); got != want || a.status != http.StatusBadRequest {
		t.Errorf("answered %d %q, want 400 %q", a.status, got, want)
	}
}

// The bytes of answers: envelope, absent Items, headers; spec: cloudfront 1.6 and 1.7.
func TestAnswers(t *testing.T) {
	f := start(t, Options{})
	a := f.send(t, http.MethodGet, "/2020-05-31/distribution/ENONE", "")
	id := a.header.Get("x-amzn-RequestId")
	want := "<?xml version=\"1.0\"?>\n<ErrorResponse " + ns + "><Error><Type>Sender</Type><Code>NoSuchDistribution</Code>" +
		"<Message>The specified distribution does not exist.</Message></Error><RequestId>" + id + "</RequestId></ErrorResponse>"
	if a.body != want || a.status != http.StatusNotFound || len(id) != 36 || a.header.Get("Content-Type") != "text/xml" {
		t.Errorf("error: %d %v\n%s", a.status, a.header, cmp.Diff(a.body, want))
	}
	a = f.send(t, http.MethodGet, f.invalidationPath(), "")
	want = "<?xml version=\"1.0\"?>\n<InvalidationList " + ns + "><Marker></Marker><MaxItems>100</MaxItems>" +
		"<IsTruncated>false</IsTruncated><Quantity>0</Quantity></InvalidationList>"
	if a.body != want {
		t.Errorf("empty list: %s", cmp.Diff(a.body, want))
	}
	a = f.send(t, http.MethodGet, f.configPath(), "")
	if got := a.header.Get("ETag"); got != f.dist.ETag || !etagToken.MatchString(got) {
		t.Errorf("ETag %q, want the bare token %s", got, f.dist.ETag)
	}
}

// What is not served says so, by name.
func TestUnsupported(t *testing.T) {
	f := start(t, Options{})
	rows := []struct {
		method, path, code, says string
		status                   int
	}{
		{"POST", "/2020-05-31/distribution/E1/copy", "UnsupportedOperation", "CopyDistribution is not supported", 400},
		{"POST", "/2020-05-31/function", "UnsupportedOperation", "CreateFunction", 400},
		{"GET", "/2020-05-31/key-group", "UnsupportedOperation", "GET /2020-05-31/key-group", 400},
		{"GET", "/2020-05-31/distribution/", "UnsupportedOperation", "GET /2020-05-31/distribution/", 400},
		{"GET", "/2019-03-26/distribution", "NotFound", "/2020-05-31/", 404},
		{"GET", "/", "NotFound", "/2020-05-31/", 404},
		{"GET", "//2020-05-31/../x", "NotFound", "/2020-05-31/", 404},
	}
	for _, row := range rows {
		a := f.send(t, row.method, row.path, "")
		if a.status != row.status || between(a.body, "<Code>", "</Code>") != row.code || !strings.Contains(a.body, row.says) {
			t.Errorf("%s %s: answered %d %s", row.method, row.path, a.status, a.body)
		}
	}
}

// Faults fail before the effect or after it.
func TestFaults(t *testing.T) {
	var fault *Fault
	f := start(t, Options{Fault: func(operation string) *Fault {
		if operation != "CreateInvalidation" {
			return nil
		}
		return fault
	}})
	fault = &Fault{Status: 400, Code: "TooManyInvalidationsInProgress", Message: "slow down"}
	_, err := f.invalidate(t.Context(), "a", "/a")
	var busy *types.TooManyInvalidationsInProgress
	if !errors.As(err, &busy) || busy.ErrorMessage() != "slow down" {
		t.Errorf("error %v, want TooManyInvalidationsInProgress", err)
	}
	if ids, _ := f.list(t, 10); len(ids) != 0 {
		t.Errorf("listed %v after a fault before the effect", ids)
	}
	fault = &Fault{Code: "ServiceUnavailable", AfterEffect: true}
	_, err = f.invalidate(t.Context(), "a", "/a")
	wantCode(t, err, "ServiceUnavailable")
	if ids, _ := f.list(t, 10); len(ids) != 1 {
		t.Errorf("listed %v after a fault after the effect, want one", ids)
	}
}

// spec: cloudfront 4.2.
func TestCachePolicies(t *testing.T) {
	f := start(t, Options{})
	for _, want := range ManagedPolicies() {
		out, err := f.client.GetCachePolicy(t.Context(), &cloudfront.GetCachePolicyInput{Id: &want.ID})
		if err != nil {
			t.Fatal(err)
		}
		c := out.CachePolicy.CachePolicyConfig
		key := c.ParametersInCacheKeyAndForwardedToOrigin
		got := CachePolicy{
			ID: *out.CachePolicy.Id, Name: *c.Name, MinTTL: seconds(*c.MinTTL), DefaultTTL: seconds(*c.DefaultTTL),
			MaxTTL: seconds(*c.MaxTTL), EnableGzip: *key.EnableAcceptEncodingGzip, EnableBrotli: *key.EnableAcceptEncodingBrotli,
			Headers:      KeyPart{Behavior: string(key.HeadersConfig.HeaderBehavior)},
			Cookies:      KeyPart{Behavior: string(key.CookiesConfig.CookieBehavior)},
			QueryStrings: KeyPart{Behavior: string(key.QueryStringsConfig.QueryStringBehavior)},
		}
		if h := key.HeadersConfig.Headers; h != nil {
			got.Headers.Names = h.Items
		}
		if q := key.QueryStringsConfig.QueryStrings; q != nil {
			got.QueryStrings.Names = q.Items
		}
		if diff := cmp.Diff(got, want); diff != "" || *out.ETag == "" {
			t.Errorf("%s (-got +want):\n%s", want.Name, diff)
		}
	}
	none := "no-such-policy"
	_, err := f.client.GetCachePolicy(t.Context(), &cloudfront.GetCachePolicyInput{Id: &none})
	var missing *types.NoSuchCachePolicy
	if !errors.As(err, &missing) {
		t.Errorf("error %v, want NoSuchCachePolicy", err)
	}
	for kind, want := range map[types.CachePolicyType]int{"": 7, types.CachePolicyTypeManaged: 7, types.CachePolicyTypeCustom: 0} {
		out, err := f.client.ListCachePolicies(t.Context(), &cloudfront.ListCachePoliciesInput{Type: kind})
		if err != nil || len(out.CachePolicyList.Items) != want {
			t.Errorf("type %q: %v, %v; want %d policies", kind, out, err, want)
		}
	}
}

// Legacy settings have an equivalent policy; spec: cloudfront 5.3.
func TestLegacyPolicy(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	rows := []struct {
		name string
		b    CacheBehavior
		want CachePolicy
	}{
		{"nothing set", CacheBehavior{ForwardedValues: &ForwardedValues{CookiesForward: "none"}},
			CachePolicy{DefaultTTL: seconds(86400), MaxTTL: seconds(31536000), Headers: keyNone(), Cookies: keyNone(), QueryStrings: keyNone()}},
		{"a maximum below the usual default", CacheBehavior{MaxTTL: n(60), Compress: true},
			CachePolicy{DefaultTTL: seconds(60), MaxTTL: seconds(60), Headers: keyNone(), Cookies: keyNone(), QueryStrings: keyNone(), EnableGzip: true}},
		{"every kind of key", CacheBehavior{MinTTL: n(1), DefaultTTL: n(2), MaxTTL: n(3), ForwardedValues: &ForwardedValues{
			QueryString: true, QueryStringCacheKeys: []string{"q"}, CookiesForward: "whitelist", CookieNames: []string{"c"}, Headers: []string{"Origin"}}},
			CachePolicy{MinTTL: seconds(1), DefaultTTL: seconds(2), MaxTTL: seconds(3), Headers: keyOnly("Origin"), Cookies: keyOnly("c"), QueryStrings: keyOnly("q")}},
		{"all headers: nothing is cached", CacheBehavior{ForwardedValues: &ForwardedValues{QueryString: true, CookiesForward: "all", Headers: []string{"*"}}},
			CachePolicy{Headers: keyNone(), Cookies: keyAll(), QueryStrings: keyAll()}},
	}
	for _, row := range rows {
		if diff := cmp.Diff(row.b.legacyPolicy(), row.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", row.name, diff)
		}
	}
}
