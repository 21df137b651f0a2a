package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

// answered is a failure as the SDK reports it; "" for an answer without a code.
func answered(status int, code string) error {
	var err error = &smithy.GenericAPIError{Code: code}
	if code == "" {
		err = errors.New("no body")
	}
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}}, Err: err,
	}}
}

func sent(err error) error { return &smithyhttp.RequestSendError{Err: err} }

// slow is a time-out of the network.
type slow struct{ error }

func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

func TestNotes(t *testing.T) {
	rows := []struct {
		name string
		err  error
		want string
	}{
		{"slow down", answered(503, "SlowDown"), "S3 asks to slow down (503 SlowDown)"},
		{"throttled", answered(400, "Throttling"), "S3 is throttling (400 Throttling)"},
		{"too many requests", answered(429, ""), "S3 is throttling (429)"},
		{"unavailable", answered(503, "ServiceUnavailable"), "S3 is unavailable (503 ServiceUnavailable)"},
		{"bare 503", answered(503, ""), "S3 is unavailable (503)"},
		{"internal error", answered(500, "InternalError"), "S3 failed (500 InternalError)"},
		{"gateway", answered(502, ""), "S3 failed (502)"},
		{"clock", answered(403, "RequestTimeTooSkewed"), "the clock of this machine differs from that of S3 (403 RequestTimeTooSkewed)"},
		{"conflict", answered(409, "ConditionalRequestConflict"), "S3 refused (409 ConditionalRequestConflict)"},
		{"inside of a 200", answered(200, "InternalError"), "S3 failed (200 InternalError)"},
		{"reset", sent(fmt.Errorf("read: %w", syscall.ECONNRESET)), "the connection to S3 was reset"},
		{"broken pipe", sent(fmt.Errorf("write: %w", syscall.EPIPE)), "the connection to S3 was reset"},
		{"refused", sent(fmt.Errorf("dial: %w", syscall.ECONNREFUSED)), "S3 refused the connection"},
		{"cut off", sent(io.EOF), "the connection to S3 broke off"},
		{"half an answer", io.ErrUnexpectedEOF, "the connection to S3 broke off"},
		{"name", sent(&net.DNSError{Err: "server misbehaving", IsTemporary: true}), "the name of S3 could not be looked up"},
		{"timeout", sent(slow{errors.New("i/o timeout")}), "S3 did not answer in time"},
		{"deadline", context.DeadlineExceeded, "S3 did not answer in time"},
		{"another", sent(errors.New("http2: gone away")), "S3 could not be reached (http2: gone away)"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var got []string
			tell := Notes("S3", func(note string) { got = append(got, note) })
			for _, pause := range []time.Duration{0, noticed - 1, noticed, 1240 * time.Millisecond} {
				tell(r.err, 1, pause)
			}
			want := []string{r.want + "; trying again in 0.2s", r.want + "; trying again in 1.2s"}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("notes (-got +want):\n%s", diff)
			}
		})
	}
	if Notes("S3", nil) != nil {
		t.Error("nobody is told of retries")
	}
}

// fixed is a retryer that notes what it is asked.
type fixed struct {
	aws.RetryerV2
	asked []string
	err   error
}

func (f *fixed) RetryDelay(attempt int, err error) (time.Duration, error) {
	f.asked = append(f.asked, fmt.Sprint(attempt, " ", err))
	return time.Duration(attempt) * time.Second, f.err
}

func (f *fixed) GetAttemptToken(context.Context) (func(error) error, error) {
	f.asked = append(f.asked, "token")
	return nil, f.err
}

// TestWatchedChangesNothing: the SDK must still find the second kind of retryer,
// which the adaptive mode needs.
func TestWatchedChangesNothing(t *testing.T) {
	var told []string
	tell := OnRetry(func(err error, attempt int, pause time.Duration) {
		told = append(told, fmt.Sprint(err, " ", attempt, " ", pause))
	})
	inner := &fixed{}
	w, ok := tell.wrap(inner).(aws.RetryerV2)
	if !ok {
		t.Fatal("the retryer has lost its second kind")
	}
	w.GetAttemptToken(t.Context())
	if d, err := w.RetryDelay(3, io.EOF); d != 3*time.Second || err != nil {
		t.Errorf("RetryDelay = %v, %v", d, err)
	}
	inner.err = errors.New("no more")
	if _, err := w.RetryDelay(4, io.EOF); err != inner.err {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(inner.asked, []string{"token", "3 EOF", "4 EOF"}); diff != "" {
		t.Errorf("asked (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(told, []string{"EOF 3 3s"}); diff != "" {
		t.Errorf("told (-got +want):\n%s", diff)
	}
	if got := OnRetry(nil).wrap(inner); got != inner {
		t.Errorf("nobody is told, yet the retryer is %T", got)
	}
	for _, mode := range []string{"standard", "adaptive"} {
		got := load(t, Options{Attempts: 8, OnRetry: tell}, "AWS_RETRY_MODE", mode).Retryer()
		if w, ok := got.(watched); !ok || w.MaxAttempts() != 8 {
			t.Errorf("%s: %T with %d attempts", mode, got, got.MaxAttempts())
		}
	}
}

// corrected is a refusal after which the SDK has set its clock.
type corrected struct{ error }

func (corrected) RetryableError() bool { return true }
func (c corrected) Unwrap() error      { return c.error }

func TestEffectFreeCorrectsItsClock(t *testing.T) {
	r := EffectFree(3, nil)
	rows := []struct {
		name string
		err  error
		want bool
	}{
		{"a corrected clock", corrected{answered(403, "RequestTimeTooSkewed")}, true},
		{"a corrected clock under another name", corrected{answered(403, "SignatureDoesNotMatch")}, true},
		{"a clock that is not corrected", answered(403, "RequestTimeTooSkewed"), false},
		{"a failure that may have taken effect", corrected{answered(500, "InternalError")}, false},
		{"a lost answer", corrected{sent(io.EOF)}, false},
	}
	for _, row := range rows {
		if got := r.IsErrorRetryable(row.err); got != row.want {
			t.Errorf("%s: repeated %v, want %v", row.name, got, row.want)
		}
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{
		"": "aws", "eu-central-1": "aws", "auto": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov",
		"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eusc-de-east-1": "aws-eusc",
	} {
		if got := Partition(region); got != want {
			t.Errorf("Partition(%q) = %s, want %s", region, got, want)
		}
	}
}
