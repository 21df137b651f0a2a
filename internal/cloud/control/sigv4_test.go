package control

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
)

// The SDK's signatures are accepted for every request shape, in any region, with odd characters in path and query.
func TestSignedRequests(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	if _, err := f.invalidate(t.Context(), "ref", "/a b"); err == nil {
		t.Error("a bad path was accepted")
	} else {
		wantCode(t, err, "InvalidArgument")
	}
	if _, err := f.invalidate(t.Context(), "ref", "/é"); err == nil {
		t.Error("a bad path was accepted")
	}
	if _, err := f.invalidate(t.Context(), "ref", "/a"); err != nil {
		t.Error(err)
	}
	marker := "I~ =&/+%é*"
	_, err := f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID, Marker: &marker})
	wantCode(t, err, "InvalidArgument")
	odd := "E a/b~é%"
	_, err = f.client.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: &odd})
	wantCode(t, err, "NoSuchDistribution")
}

func TestBadSignatures(t *testing.T) {
	now := time.Now()
	f := start(t, Options{Credentials: testCredentials, Now: func() time.Time { return now }})
	list := func(c Credentials) error {
		_, err := newClient(f.url, c).ListDistributions(t.Context(), &cloudfront.ListDistributionsInput{})
		return err
	}
	if err := list(testCredentials); err != nil {
		t.Error(err)
	}
	wantCode(t, list(Credentials{"AKIDTEST", "wrong"}), "SignatureDoesNotMatch")
	wantCode(t, list(Credentials{"AKIDOTHER", testCredentials.SecretAccessKey}), "InvalidClientTokenId")
	if a := f.send(t, http.MethodGet, "/2020-05-31/distribution", ""); a.status != http.StatusForbidden || !strings.Contains(a.body, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("unsigned: answered %d %s", a.status, a.body)
	}
	for _, header := range []string{"Basic eDp5", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)} {
		a := f.send(t, http.MethodGet, "/2020-05-31/distribution", "", "Authorization", header)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "<Code>IncompleteSignature</Code>") {
			t.Errorf("%q: answered %d %s", header, a.status, a.body)
		}
	}
	for _, off := range []time.Duration{-16 * time.Minute, 16 * time.Minute} {
		now = time.Now().Add(off)
		wantCode(t, list(testCredentials), "SignatureDoesNotMatch")
	}
	now = time.Now().Add(14 * time.Minute)
	if err := list(testCredentials); err != nil {
		t.Errorf("14 minutes off: %v", err)
	}
}

// What is signed cannot be changed on the way.
func TestTampering(t *testing.T) {
	f := start(t, Options{Credentials: testCredentials})
	body := `<InvalidationBatch><CallerReference>r</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch>`
	signed := func(path string) []string {
		stamp := time.Now().UTC().Format(timeLayout)
		auth := authorization{accessKey: testCredentials.AccessKeyID, date: stamp[:8], region: "r", signedHeaders: []string{"host", "x-amz-date"}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Date", stamp)
		signature := sign(testCredentials.SecretAccessKey, auth, stamp, canonicalRequest(req, auth.signedHeaders, []byte(body)))
		return []string{"X-Amz-Date", stamp, "Authorization", fmt.Sprintf("%s Credential=%s/%s/r/cloudfront/aws4_request, SignedHeaders=host;x-amz-date, Signature=%x",
			algorithm, auth.accessKey, auth.date, signature)}
	}
	path := f.invalidationPath()
	rows := []struct {
		name, path, body string
		status           int
	}{
		{"another body", path, strings.Replace(body, "/a", "/b", 1), http.StatusForbidden},
		{"another path", strings.Replace(path, f.dist.ID, "EOTHER", 1), body, http.StatusForbidden},
		{"a query string added", path + "?a=b", body, http.StatusForbidden},
		{"as signed", path, body, http.StatusCreated},
	}
	for _, row := range rows {
		if a := f.send(t, http.MethodPost, row.path, row.body, signed(path)...); a.status != row.status {
			t.Errorf("%s: answered %d %s, want %d", row.name, a.status, a.body, row.status)
		}
	}
}

// Pairs are sorted by name, then by value, not as joined strings: "a" comes before "a-b".
func TestCanonicalQuery(t *testing.T) {
	query := map[string][]string{"a": {"2", "1"}, "a-b": {"x"}, "c d": {"é/~"}}
	if got, want := canonicalQuery(query), "a=1&a=2&a-b=x&c%20d=%C3%A9%2F~"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, Options{Credentials: testCredentials}); strings.Contains(got, testCredentials.SecretAccessKey) {
			t.Errorf("%s prints the secret: %s", verb, got)
		}
	}
}
