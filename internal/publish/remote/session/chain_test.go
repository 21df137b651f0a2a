package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"github.com/freshet/freshet/internal/publish/remote"
)

// failing is what a call reports when the chain fails with err.
func failing(t *testing.T, err error) error {
	t.Helper()
	p := provider{aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err })}
	_, got := p.Retrieve(t.Context())
	return NewError(t.Context(), "put a", Read(fmt.Errorf("get identity: get credentials: %w", got)))
}

func api(code, message string) error { return &smithy.GenericAPIError{Code: code, Message: message} }

func TestChainKinds(t *testing.T) {
	rows := []struct {
		name    string
		err     error
		expired bool
		clock   bool
	}{
		{"nothing found", errors.New("no EC2 IMDS role found"), false, false},
		{"SSO session over", &ssocreds.InvalidTokenError{}, true, false},
		{"never logged in", &ssocreds.InvalidTokenError{Err: os.ErrNotExist}, false, false},
		{"SSO token over, not to be renewed", errors.New("refresh cached SSO token failed, cached SSO token is expired, or not present, and cannot be refreshed"), true, false},
		{"SSO renewal refused", fmt.Errorf("refresh cached SSO token failed, unable to refresh SSO token, %w", api("InvalidGrantException", "")), true, false},
		{"SSO session ended by hand", api("UnauthorizedException", "Session token not found or invalid"), true, false},
		{"SSO renewal cut off", fmt.Errorf("refresh cached SSO token failed, unable to refresh SSO token, %w", context.DeadlineExceeded), false, false},
		{"aws login over", errors.New("create oauth2 token: login session has expired, please reauthenticate"), true, false},
		{"token of a role over", api("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time"), true, false},
		{"role refused", api("AccessDenied", "not authorized to perform: sts:AssumeRole"), false, false},
		{"clock", api("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"), false, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			err := failing(t, r.err)
			want := map[error]bool{remote.ErrExpired: r.expired, remote.ErrCredentials: !r.clock, remote.ErrClock: r.clock, remote.ErrTemporary: false, remote.ErrDenied: false}
			for kind, want := range want {
				if got := errors.Is(err, kind); got != want {
					t.Errorf("errors.Is(%q, %q) = %v", err, kind, got)
				}
			}
		})
	}
}

// TestSSOCacheOver goes through the SDK's own chain with a session of IAM
// Identity Center that is over, in both formats of the configuration.
func TestSSOCacheOver(t *testing.T) {
	const start = "https://example.awsapps.com/start"
	rows := map[string]struct{ config, cacheKey string }{
		"session": {"[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = " + start + "\n", "s"},
		"legacy":  {"[profile p]\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r\nsso_start_url = " + start + "\n", start},
	}
	for name, r := range rows {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			config := filepath.Join(home, "config")
			cache, err := ssocreds.StandardCachedTokenFilepath(r.cacheKey)
			if err != nil {
				t.Fatal(err)
			}
			write(t, config, r.config)
			for _, there := range []bool{false, true} {
				if there {
					write(t, cache, `{"accessToken": "secret-token", "expiresAt": "`+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+`"}`)
				}
				cfg := load(t, Options{Profile: "p"}, "AWS_CONFIG_FILE", config)
				_, err = cfg.Credentials.Retrieve(t.Context())
				if !errors.Is(err, remote.ErrCredentials) || errors.Is(err, remote.ErrExpired) != there {
					t.Errorf("a token in the cache: %v; error %v", there, err)
				}
				if err != nil && strings.Contains(err.Error(), "secret-token") {
					t.Errorf("error %v shows the token", err)
				}
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMessages: each trouble has its own words.
func TestMessages(t *testing.T) {
	rows := map[string]Failure{
		"put a: the credentials have expired: ExpiredToken: over (request R1)": {Code: "ExpiredToken", Message: "over", RequestID: "R1"},
		"put a: no valid credentials: InvalidAccessKeyId: who":                 {Code: "InvalidAccessKeyId", Message: "who"},
		"put a: the clock of this machine is wrong: set it right and try again: RequestTimeTooSkewed": {
			Code: "RequestTimeTooSkewed"},
		"put a: the clock of this machine is wrong: set it right and try again; for the service it is 2026-11-22 18:00:00 UTC: RequestExpired": {
			Code: "RequestExpired", Header: http.Header{"Date": {"Sun, 22 Nov 2026 18:00:00 GMT"}}},
	}
	for want, f := range rows {
		if got := NewError(t.Context(), "put a", f).Error(); got != want {
			t.Errorf("text %q, want %q", got, want)
		}
	}
}

// The chain ends with the role of a machine in EC2, and its error told of that alone.
func TestNoCredentialsAtAll(t *testing.T) {
	err := failing(t, errors.New("failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled"))
	if text := err.Error(); strings.Contains(text, "IMDS") || !strings.Contains(text, "none are in the environment, in ~/.aws or with this machine's role") {
		t.Errorf("it says %q", text)
	}
}
