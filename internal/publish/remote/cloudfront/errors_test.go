package cloudfront_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
)

var sentinels = []error{
	remote.ErrNotFound, remote.ErrNoBucket, remote.ErrPrecondition, remote.ErrDenied, remote.ErrCredentials,
	remote.ErrTemporary, remote.ErrReferenceReused, remote.ErrContent, remote.ErrUnsupported,
	remote.ErrExpired, remote.ErrClock, remote.ErrRegion, remote.ErrUnreachable,
}

// implied are the kinds that come along with a more particular one.
var implied = map[error]error{remote.ErrExpired: remote.ErrCredentials, remote.ErrRegion: remote.ErrNoBucket}

// wantOnly checks that err is of the kind want and what it implies, or of none.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, s := range sentinels {
		if got := errors.Is(err, s); got != (s == want || want != nil && s == implied[want]) {
			t.Errorf("errors.Is(%q, %q) = %v", err, s, got)
		}
	}
}

// answer is a CDN whose every request gets one answer.
func answer(t *testing.T, status int, body string) *cloudfront.CDN {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return openAt(t, server.URL)
}

func errorBody(code, message string) string {
	return fmt.Sprintf(`<?xml version="1.0"?>
<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
  <Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>
  <RequestId>REQ42</RequestId>
</ErrorResponse>`, code, message)
}

func TestErrors(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	create := func(ctx context.Context, c *cloudfront.CDN) error {
		_, err := c.Invalidate(ctx, "E1", "ref-7", []string{"/a", "/b", "/c", "/d"})
		return err
	}
	read := func(ctx context.Context, c *cloudfront.CDN) error {
		_, err := c.Invalidation(ctx, "E1", "I1")
		return err
	}
	get := func(ctx context.Context, c *cloudfront.CDN) error { _, err := c.Distribution(ctx, "E1"); return err }
	list := func(ctx context.Context, c *cloudfront.CDN) error { _, err := c.Distributions(ctx); return err }
	since := func(ctx context.Context, c *cloudfront.CDN) error {
		_, err := c.Invalidations(ctx, "E1", time.Time{})
		return err
	}
	rows := []struct {
		call    func(context.Context, *cloudfront.CDN) error
		status  int
		code    string
		message string
		want    error
		text    string // what the error must say besides
	}{
		{create, 404, "NoSuchDistribution", "The specified distribution does not exist.", remote.ErrNotFound, "(request REQ42)"},
		{get, 404, "NoSuchDistribution", "The specified distribution does not exist.", remote.ErrNotFound, "read distribution E1: not found"},
		{read, 404, "NoSuchInvalidation", "The specified invalidation does not exist.", remote.ErrNotFound, "read invalidation I1 of E1"},
		{create, 404, "EntityNotFound", "no", remote.ErrNotFound, ""},
		{create, 403, "AccessDenied", "no", remote.ErrDenied, "needs cloudfront:CreateInvalidation on arn:aws:cloudfront::*:distribution/E1"},
		{read, 403, "AccessDenied", "no", remote.ErrDenied, "needs cloudfront:GetInvalidation on"},
		{get, 403, "AccessDenied", "no", remote.ErrDenied, "needs cloudfront:GetDistribution on"},
		{list, 403, "AccessDenied", "no", remote.ErrDenied, "needs cloudfront:ListDistributions on *"},
		{since, 403, "AccessDenied", "no", remote.ErrDenied, "needs cloudfront:ListInvalidations on arn:aws:cloudfront::*:distribution/E1"},
		{since, 404, "NoSuchDistribution", "no", remote.ErrNotFound, "list invalidations of E1"},
		{since, 400, "Throttling", "Rate exceeded", remote.ErrTemporary, ""},
		{create, 400, "InvalidArgument", "Your request contains one or more invalid invalidation paths.", nil, "invalidate /a /b /c and 1 more with reference ref-7"},
		{create, 400, "InvalidArgument", "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.", remote.ErrReferenceReused, ""},
		{create, 409, "InvalidationBatchAlreadyExists", "no", remote.ErrReferenceReused, ""},
		{create, 400, "InconsistentQuantities", "no", nil, "InconsistentQuantities"},
		{create, 413, "BatchTooLarge", "no", nil, "BatchTooLarge"},
		{create, 400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress invalidations.", remote.ErrTemporary, ""},
		{create, 400, "Throttling", "Rate exceeded", remote.ErrTemporary, ""},
		{create, 400, "ThrottlingException", "Rate exceeded", remote.ErrTemporary, ""},
		{create, 429, "TooManyRequestsException", "no", remote.ErrTemporary, ""},
		{create, 400, "RequestLimitExceeded", "no", remote.ErrTemporary, ""},
		{create, 503, "ServiceUnavailable", "CloudFront encountered an internal error. Please try again.", remote.ErrTemporary, ""},
		{create, 500, "InternalError", "no", remote.ErrTemporary, ""},
		{read, 500, "", "", remote.ErrTemporary, ""},
		{create, 403, "UnrecognizedClientException", "no", remote.ErrCredentials, ""},
		{create, 403, "IncompleteSignature", "no", remote.ErrCredentials, ""},
		{create, 403, "ExpiredTokenException", "no", remote.ErrExpired, "the credentials have expired"},
		{create, 403, "InvalidClientTokenId", "no", remote.ErrCredentials, ""},
		{create, 403, "SignatureDoesNotMatch", "no", remote.ErrCredentials, ""},
		{create, 403, "RequestExpired", "no", remote.ErrClock, "with reference ref-7: the clock of this machine is wrong: set it right"},
		{create, 403, "SignatureDoesNotMatch", "Signature expired: 20261122T100000Z is now earlier than 20261122T101500Z (20261122T103000Z - 15 min.)", remote.ErrClock, "set it right"},
		{get, 403, "InvalidSignatureException", "Signature not yet current: 20261122T100000Z is still later than 20261122T094500Z", remote.ErrClock, "set it right"},
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%d %s", r.status, r.code), func(t *testing.T) {
			err := r.call(t.Context(), answer(t, r.status, errorBody(r.code, r.message)))
			wantOnly(t, err, r.want)
			if !strings.Contains(err.Error(), r.text) {
				t.Errorf("error %q does not say %q", err, r.text)
			}
		})
	}
}

func TestErrorsWithoutRequest(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		cdn := openAt(t, server.URL)
		server.Close()
		_, err := cdn.Distribution(t.Context(), "E1")
		wantOnly(t, err, remote.ErrTemporary)
	})
	t.Run("no credentials", func(t *testing.T) {
		cdn, err := cloudfront.Open(t.Context(), cloudfront.Options{Endpoint: "http://127.0.0.1:9"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = cdn.Distribution(t.Context(), "E1")
		wantOnly(t, err, remote.ErrCredentials)
	})
	t.Run("no such profile", func(t *testing.T) {
		_, err := cloudfront.Open(t.Context(), cloudfront.Options{Profile: "nobody"})
		wantOnly(t, err, remote.ErrCredentials)
	})
	t.Run("an empty batch", func(t *testing.T) {
		_, err := answer(t, 200, "").Invalidate(t.Context(), "E1", "ref", nil)
		wantOnly(t, err, nil)
	})
}

// TestOddAnswers: an answer that cannot be understood is an error, never a
// success or an endless wait.
func TestOddAnswers(t *testing.T) {
	isolate(t)
	const shouted = `<Invalidation><Id>I1</Id><Status>COMPLETED</Status><CreateTime>2026-10-05T09:13:51.120Z</CreateTime></Invalidation>`
	if got, err := answer(t, 200, shouted).Invalidation(t.Context(), "E1", "I1"); !errors.Is(err, remote.ErrUnsupported) {
		t.Errorf("Invalidation = %+v, %v", got, err)
	}
	if got, err := answer(t, 201, `<Invalidation/>`).Invalidate(t.Context(), "E1", "ref", []string{"/a"}); err == nil {
		t.Errorf("Invalidate = %+v", got)
	}
	if got, err := answer(t, 200, `<Distribution><Id>E1</Id></Distribution>`).Distribution(t.Context(), "E1"); err == nil {
		t.Errorf("Distribution = %+v", got)
	}
	const more = `<DistributionList><IsTruncated>true</IsTruncated><Quantity>0</Quantity></DistributionList>`
	if got, err := answer(t, 200, more).Distributions(t.Context()); err == nil {
		t.Errorf("Distributions = %+v", got)
	}
}

// TestDeniedNamesARN: once the distribution was read, its account is known.
func TestDeniedNamesARN(t *testing.T) {
	isolate(t)
	const arn = "arn:aws:cloudfront::111122223333:distribution/E1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `<Distribution><Id>E1</Id><ARN>%s</ARN><DistributionConfig><Enabled>true</Enabled></DistributionConfig></Distribution>`, arn)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, errorBody("AccessDenied", "no"))
	}))
	t.Cleanup(server.Close)
	cdn := openAt(t, server.URL)
	if _, err := cdn.Distribution(t.Context(), "E1"); err != nil {
		t.Fatal(err)
	}
	_, err := cdn.Invalidate(t.Context(), "E1", "ref", []string{"/a"})
	wantOnly(t, err, remote.ErrDenied)
	if !strings.Contains(err.Error(), "cloudfront:CreateInvalidation on "+arn) {
		t.Errorf("error %q does not name %s", err, arn)
	}
}

// TestRetriesAreTold compares what is told with the pauses between requests, on
// a clock that costs nothing.
func TestRetriesAreTold(t *testing.T) {
	isolate(t)
	synctest.Test(t, func(t *testing.T) {
		var notes, want []string
		var last time.Time
		for range 20 { // pauses are random, and some too short to be told
			last = time.Time{}
			cdn, err := cloudfront.Open(t.Context(), cloudfront.Options{
				Credentials: keys, OnRetry: func(note string) { notes = append(notes, note) },
				HTTPClient: clientFunc(func(r *http.Request) (*http.Response, error) {
					if pause := time.Since(last); !last.IsZero() && pause >= 200*time.Millisecond {
						want = append(want, fmt.Sprintf("CloudFront is throttling (400 Throttling); trying again in %.1fs", pause.Seconds()))
					}
					last = time.Now()
					body := io.NopCloser(strings.NewReader(errorBody("Throttling", "Rate exceeded")))
					return &http.Response{StatusCode: 400, Header: http.Header{}, Request: r, Body: body}, nil
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = cdn.Distribution(t.Context(), "E1")
			wantOnly(t, err, remote.ErrTemporary)
		}
		if diff := cmp.Diff(notes, want); diff != "" || len(notes) == 0 {
			t.Errorf("notes (-got +want):\n%s", diff)
		}
	})
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestRetry: the limits on invalidations are the engine's to wait for.
func TestRetry(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	for code, want := range map[string]int64{"TooManyInvalidationsInProgress": 1, "Throttling": 2, "InvalidArgument": 1} {
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, errorBody(code, ""))
		}))
		t.Cleanup(server.Close)
		if _, err := openAt(t, server.URL).Invalidate(t.Context(), "E1", "ref", []string{"/a"}); err == nil {
			t.Errorf("%s: no error", code)
		}
		if got := requests.Load(); got != want {
			t.Errorf("%s: %d requests, want %d", code, got, want)
		}
	}
}
