package cloud

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
)

// Limits says which of CloudFront's limits on invalidations are enforced.
type Limits string

// Values of Limits.
const (
	LimitsNone    Limits = "none"    // the same as ""
	LimitsCurrent Limits = "current" // 150 paths or tags and one wildcard a second
	LimitsLegacy  Limits = "legacy"  // 3,000 paths and 15 wildcards in progress
)

// ParseLimits reads the name of limits.
func ParseLimits(name string) (Limits, error) {
	all := []Limits{LimitsNone, LimitsCurrent, LimitsLegacy}
	if !slices.Contains(all, Limits(name)) {
		return "", fmt.Errorf("there are no limits %q: current, legacy or none", name)
	}
	return Limits(name), nil
}

func (l Limits) control() control.Limits {
	switch l {
	case LimitsCurrent:
		return control.CurrentLimits()
	case LimitsLegacy:
		return control.LegacyLimits()
	}
	return control.Limits{}
}

// Faults are failures that a Cloud shows on purpose, so that what publishes to
// it can be tried. The counts are of the next requests after Start; 0 is none.
// Where several apply to one request, the first of these does.
type Faults struct {
	Throttle    int  // calls of CreateInvalidation answered 400 Throttling
	TooMany     int  // … answered 400 TooManyInvalidationsInProgress
	Unavailable int  // … answered 503 ServiceUnavailable
	Lost        int  // … carried out, and the connection closed without an answer
	Documented  bool // a caller reference used again is answered as the guide says, not as observed
	// Slow is how long an invalidation stays InProgress, and viewers see what they saw before.
	Slow time.Duration

	PollUnavailable int // calls of GetInvalidation answered 503 ServiceUnavailable
	ReadUnavailable int // calls of GetDistribution answered 503 ServiceUnavailable

	S3SlowDown int // S3 requests answered 503 SlowDown
	S3Reset    int // S3 requests whose connection is closed before anything is done
	S3Lost     int // S3 writes that are carried out, and the connection closed without an answer
}

// counts are the faults that are counted, by their names in a fault list.
func (f *Faults) counts() map[string]*int {
	return map[string]*int{
		"throttle": &f.Throttle, "too-many": &f.TooMany, "unavailable": &f.Unavailable, "lost": &f.Lost,
		"poll-unavailable": &f.PollUnavailable, "read-unavailable": &f.ReadUnavailable,
		"s3-slowdown": &f.S3SlowDown, "s3-reset": &f.S3Reset, "s3-lost": &f.S3Lost,
	}
}

// FaultHelp explains the fault list that ParseFaults reads.
const FaultHelp = `  throttle=N          the first N invalidations are answered 400 Throttling
  too-many=N          … 400 TooManyInvalidationsInProgress
  unavailable=N       … 503 ServiceUnavailable
  lost=N              … carried out, and the connection closed without an answer
  slow=DURATION       an invalidation completes, and works, so long after it was
                      accepted (20s, 2m)
  already-exists      a caller reference used again with other paths is answered
                      409 InvalidationBatchAlreadyExists, as the guide says, not
                      400 InvalidArgument, as CloudFront was seen to do
  poll-unavailable=N  the first N questions for an invalidation's state are
                      answered 503
  read-unavailable=N  … for a distribution
  s3-slowdown=N       the first N S3 requests are answered 503 SlowDown
  s3-reset=N          … have their connection closed before anything is done
  s3-lost=N           the first N S3 writes are carried out, and the connection
                      closed without an answer`

// ParseFaults reads a list such as "throttle=3,slow=20s,s3-reset=2"; "" is no
// faults. The error names the part that is wrong.
func ParseFaults(list string) (Faults, error) {
	var f Faults
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := f.set(part); err != nil {
			return Faults{}, fmt.Errorf("read fault %q: %w", part, err)
		}
	}
	return f, nil
}

func (f *Faults) set(part string) error {
	name, value, given := strings.Cut(part, "=")
	switch name {
	case "already-exists":
		f.Documented = true
		if given {
			return errors.New("it takes no value")
		}
		return nil
	case "slow":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return errors.New("it takes a duration, such as slow=20s")
		}
		f.Slow = d
		return nil
	}
	count := f.counts()[name]
	if count == nil {
		return errors.New("there is no such fault")
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("it takes a number, such as %s=3", name)
	}
	*count = n
	return nil
}

// countdown lets a number of calls through, one at a time.
type countdown struct{ left atomic.Int64 }

func newCountdown(n int) *countdown {
	c := &countdown{}
	c.left.Store(int64(n))
	return c
}

// next reports whether this call is one of those counted.
func (c *countdown) next() bool {
	for {
		n := c.left.Load()
		if n <= 0 {
			return false
		}
		if c.left.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// control is the hook that fails calls of the control API.
func (f Faults) control() func(operation string) *control.Fault {
	kinds := []struct {
		operation string
		left      *countdown
		fault     control.Fault
	}{
		{"CreateInvalidation", newCountdown(f.Throttle), control.Fault{Status: http.StatusBadRequest, Code: "Throttling", Message: "Rate exceeded"}},
		{"CreateInvalidation", newCountdown(f.TooMany), control.Fault{Status: http.StatusBadRequest, Code: "TooManyInvalidationsInProgress",
			Message: "Processing your request will cause you to exceed the maximum number of in-progress invalidations."}},
		{"CreateInvalidation", newCountdown(f.Unavailable), unavailable()},
		{"CreateInvalidation", newCountdown(f.Lost), control.Fault{AfterEffect: true, Drop: true}},
		{"GetInvalidation", newCountdown(f.PollUnavailable), unavailable()},
		{"GetDistribution", newCountdown(f.ReadUnavailable), unavailable()},
	}
	return func(operation string) *control.Fault {
		for _, k := range kinds {
			if k.operation == operation && k.left.next() {
				fault := k.fault
				return &fault
			}
		}
		return nil
	}
}

func unavailable() control.Fault {
	return control.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "CloudFront encountered an internal error. Please try again."}
}

// s3 makes the S3 API fail as f says.
func (f Faults) s3(next http.Handler) http.Handler {
	slow, reset, lost := newCountdown(f.S3SlowDown), newCountdown(f.S3Reset), newCountdown(f.S3Lost)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write := r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodDelete
		switch {
		case slow.next():
			answerSlowDown(w, r)
		case reset.next():
			panic(http.ErrAbortHandler) // net/http closes the connection
		case write && lost.next():
			next.ServeHTTP(unheard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// answerSlowDown answers as S3 does above its request rate. spec: S3 7.7
func answerSlowDown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
	}
}

// unheard is an answer that nobody gets.
type unheard struct{ header http.Header }

var _ http.ResponseWriter = unheard{}

// Header is kept and sent nowhere.
func (u unheard) Header() http.Header { return u.header }

// Write takes everything.
func (u unheard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (u unheard) WriteHeader(int) {}
