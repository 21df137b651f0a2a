package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// telling is a retryer that tells the caller of a request when the service asks
// for fewer, and changes nothing.
type telling struct{ aws.RetryerV2 }

// GetRetryToken is asked by the SDK before a request is repeated.
func (t telling) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if session.Throttled(err) {
		remote.Throttled(ctx)
	}
	return t.RetryerV2.GetRetryToken(ctx, err)
}
