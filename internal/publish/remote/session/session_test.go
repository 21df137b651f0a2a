package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/freshet/freshet/internal/publish/remote"
)

func load(t *testing.T, o Options, env ...string) aws.Config {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for i := 0; i+1 < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
	cfg, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestRegion(t *testing.T) {
	rows := []struct {
		name string
		o    Options
		env  []string
		want string
	}{
		{"nothing", Options{}, nil, DefaultRegion},
		{"environment", Options{}, []string{"AWS_REGION", "eu-west-1"}, "eu-west-1"},
		{"option first", Options{Region: "eu-west-2"}, []string{"AWS_REGION", "eu-west-1"}, "eu-west-2"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got := load(t, r.o, r.env...).Region; got != r.want {
				t.Errorf("region %s, want %s", got, r.want)
			}
		})
	}
}

func TestRetryer(t *testing.T) {
	rows := []struct {
		name     string
		env      []string
		attempts int
		adaptive bool
	}{
		{"nothing", nil, 8, false},
		{"attempts", []string{"AWS_MAX_ATTEMPTS", "3"}, 3, false},
		{"adaptive", []string{"AWS_RETRY_MODE", "adaptive"}, 8, true},
		{"both", []string{"AWS_RETRY_MODE", "adaptive", "AWS_MAX_ATTEMPTS", "2"}, 2, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := load(t, Options{Attempts: 8}, r.env...).Retryer()
			_, adaptive := got.(*retry.AdaptiveMode)
			if got.MaxAttempts() != r.attempts || adaptive != r.adaptive {
				t.Errorf("%T with %d attempts", got, got.MaxAttempts())
			}
			for range 100 {
				if d, err := got.RetryDelay(8, errors.New("x")); err != nil || d > maxBackoff {
					t.Fatalf("a pause of %v, %v", d, err)
				}
			}
		})
	}
}

func TestEffectFree(t *testing.T) {
	r := EffectFree(3, nil, "Conflict")
	failed := func(status int, code string) error {
		answer := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
		return &smithyhttp.ResponseError{Response: answer, Err: &smithy.GenericAPIError{Code: code}}
	}
	rows := []struct {
		name string
		err  error
		want bool
	}{
		{"throttled", failed(503, "SlowDown"), true},
		{"named code", failed(409, "Conflict"), true},
		{"internal error", failed(500, "InternalError"), false},
		{"unavailable", failed(503, "ServiceUnavailable"), false},
		{"cut off", errors.New("connection reset by peer"), false},
	}
	for _, row := range rows {
		if got := r.IsErrorRetryable(row.err); got != row.want {
			t.Errorf("%s: repeated %v, want %v", row.name, got, row.want)
		}
	}
}

func TestTransport(t *testing.T) {
	for conns, want := range map[int]int{0: DefaultConns, 7: 7} {
		client, ok := load(t, Options{MaxConns: conns}).HTTPClient.(*awshttp.BuildableClient)
		if !ok {
			t.Fatalf("the client is another one")
		}
		tr := client.GetTransport()
		if tr.MaxIdleConnsPerHost != want || tr.MaxConnsPerHost != want || !tr.DisableCompression ||
			tr.ResponseHeaderTimeout == 0 || tr.TLSHandshakeTimeout == 0 || client.GetDialer().Timeout == 0 {
			t.Errorf("MaxConns %d: %+v", conns, tr)
		}
	}
}

func TestChainFailure(t *testing.T) {
	// A metadata service that cannot be reached is a timeout, yet waiting does
	// not help.
	p := provider{aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("no role found: %w", context.DeadlineExceeded)
	})}
	_, err := p.Retrieve(t.Context())
	e := NewError(t.Context(), "put a", Read(fmt.Errorf("get identity: %w", err)))
	if !errors.Is(e, remote.ErrCredentials) || errors.Is(e, remote.ErrTemporary) {
		t.Errorf("error %v", e)
	}
	if got, want := e.Error(), "put a: no valid credentials: no role found: context deadline exceeded"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET", SessionToken: "TOKEN"}
	text, err := c.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(text), fmt.Sprintf("%v %+v %#v %s %x %d", c, c, c, &c, c, c), fmt.Sprintf("%+v", Options{Credentials: c})} {
		if strings.Contains(s, "AKID") || strings.Contains(s, "SECRET") || strings.Contains(s, "TOKEN") || !strings.Contains(s, "[redacted]") {
			t.Errorf("prints as %s", s)
		}
	}
}

func TestOwnClient(t *testing.T) {
	own := &http.Client{}
	if got := load(t, Options{HTTPClient: own}).HTTPClient; got != own {
		t.Errorf("the client is %T", got)
	}
}
