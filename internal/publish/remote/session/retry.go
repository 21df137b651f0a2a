package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// maxBackoff is the longest pause between two attempts of one request. The
// SDK's own 20 s would hide an outage from the engine.
const maxBackoff = 5 * time.Second

// OnRetry is told of the failure of a request before the pause after which it
// is repeated. attempt counts the pauses of that request as the SDK does. It is
// called from several goroutines at once.
type OnRetry func(err error, attempt int, pause time.Duration)

func retryer(mode aws.RetryMode, attempts int) func() aws.RetryerV2 {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = maxBackoff
	}
	if mode == aws.RetryModeAdaptive {
		return func() aws.RetryerV2 {
			return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
				o.StandardOptions = append(o.StandardOptions, standard)
			})
		}
	}
	return func() aws.RetryerV2 { return retry.NewStandard(standard) }
}

// EffectFree is a retryer for writes that must not be repeated once they may
// have taken effect: it repeats only what the service has certainly refused,
// which is throttling, a clock that the SDK has corrected since, and the codes
// given.
func EffectFree(attempts int, onRetry OnRetry, codes ...string) aws.Retryer {
	set := map[string]struct{}{}
	for _, c := range codes {
		set[c] = struct{}{}
	}
	return onRetry.wrap(retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = maxBackoff
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.IsErrorRetryableFunc(clockCorrected),
			retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes},
			retry.RetryableErrorCode{Codes: set},
		}
	}))
}

// clockCorrected reports a refused signature whose time the SDK has found to be
// wrong by the Date of the answer: it signs the next attempt for the right time.
func clockCorrected(err error) aws.Ternary {
	var sure interface{ RetryableError() bool }
	f := Read(err)
	refused := f.Status == http.StatusForbidden || f.Status == http.StatusUnauthorized || f.Status == http.StatusBadRequest
	if refused && errors.As(err, &sure) && sure.RetryableError() {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// watch makes the retryers of fn tell about their pauses.
func (f OnRetry) watch(fn func() aws.RetryerV2) func() aws.Retryer {
	return func() aws.Retryer { return f.wrap(fn()) }
}

func (f OnRetry) wrap(r aws.RetryerV2) aws.Retryer {
	if f == nil {
		return r
	}
	return watched{r, f}
}

// watched is a retryer that tells about its pauses and changes nothing.
type watched struct {
	aws.RetryerV2
	tell OnRetry
}

// RetryDelay is asked by the SDK once it has decided to repeat a request.
func (w watched) RetryDelay(attempt int, err error) (time.Duration, error) {
	pause, failed := w.RetryerV2.RetryDelay(attempt, err)
	if failed == nil {
		w.tell(err, attempt, pause)
	}
	return pause, failed
}
