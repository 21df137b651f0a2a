package remote

import "context"

type throttledKey struct{}

// WithThrottled returns a context for calls of a Store that tell when the service
// asks for fewer requests, also where the call repeats its request by itself and
// succeeds in the end. told is called from several goroutines at once.
func WithThrottled(ctx context.Context, told func()) context.Context {
	return context.WithValue(ctx, throttledKey{}, told)
}

// Throttled is called by a Store where the service asks for fewer requests.
func Throttled(ctx context.Context) {
	if told, ok := ctx.Value(throttledKey{}).(func()); ok {
		told()
	}
}
