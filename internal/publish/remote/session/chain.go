package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"github.com/freshet/freshet/internal/publish/remote"
)

// provider marks the chain's failures, which the SDK does not type.
type provider struct{ aws.CredentialsProvider }

// Retrieve asks the chain. remote.ErrCredentials, with remote.ErrExpired where
// there were some; remote.ErrClock.
func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return c, &chainError{err: err, kinds: chainKinds(err)}
	}
	return c, err
}

// chainError says that the chain found no usable credentials. It hides the
// network errors below it, so that a laptop outside EC2 does not look like a
// passing fault.
type chainError struct {
	err   error
	kinds []error // sentinels of package remote
}

// Error is the chain's own text, unless that tells of its last link only: the
// role of a machine in EC2, which most machines are not.
func (e *chainError) Error() string {
	if text := e.err.Error(); !strings.Contains(text, "no EC2 IMDS role found") {
		return text
	}
	return "none are in the environment, in ~/.aws or with this machine's role"
}

func (e *chainError) Is(t error) bool { return slices.Contains(e.kinds, t) }

func chainKinds(err error) []error {
	f := Read(err) // of STS or IAM Identity Center, where they were asked
	switch {
	case f.ClockOff():
		return []error{remote.ErrClock}
	case slices.Contains(expiredCodes, f.Code), loginExpired(err):
		return []error{remote.ErrExpired, remote.ErrCredentials}
	}
	return []error{remote.ErrCredentials}
}

// loginCodes are how IAM Identity Center refuses a session that is over: to
// renew its token, and to use it.
var loginCodes = []string{"InvalidGrantException", "UnauthorizedClientException", "UnauthorizedException"}

// loginExpired reports a session of IAM Identity Center or of "aws login" that
// is over: refused by the service, or found to be over in the cache. Only one of
// these errors has a type, which also stands for a cache that cannot be read and
// then has a cause; the texts are those of the SDK's packages ssocreds and
// logincreds, read 2026-11.
func loginExpired(err error) bool {
	var sso *ssocreds.InvalidTokenError
	if errors.As(err, &sso) {
		return sso.Err == nil
	}
	text := err.Error()
	return slices.Contains(loginCodes, Read(err).Code) ||
		strings.Contains(text, "cached SSO token is expired") || strings.Contains(text, "login session has expired")
}

func loadError(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return fmt.Errorf("read the AWS configuration: %w: %w", remote.ErrCredentials, err)
	}
	return fmt.Errorf("read the AWS configuration: %w", err)
}
