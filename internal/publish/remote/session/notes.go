package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// noticed is the shortest pause that is worth a word. What passes faster than
// that is over before anybody has read of it.
const noticed = 200 * time.Millisecond

// Notes turns retries of a service ("S3") into sentences for people. nil for a
// nil tell.
func Notes(service string, tell func(note string)) OnRetry {
	if tell == nil {
		return nil
	}
	return func(err error, _ int, pause time.Duration) {
		if pause >= noticed {
			tell(fmt.Sprintf("%s; trying again in %.1fs", reason(service, err), pause.Seconds()))
		}
	}
}

// throttleCodes ask for fewer requests; the SDK's own list, and S3's SlowDown.
var throttleCodes = []string{
	"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
	"TooManyRequestsException", "RequestLimitExceeded",
}

// Throttled reports whether a service asks for fewer requests.
func Throttled(err error) bool {
	f := Read(err)
	return slices.Contains(throttleCodes, f.Code) || f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable
}

// reason is why a request is repeated: "S3 asks to slow down (503 SlowDown)".
func reason(service string, err error) string {
	f := Read(err)
	switch {
	case f.Code == "SlowDown":
		return service + " asks to slow down" + f.brief()
	case slices.Contains(throttleCodes, f.Code), f.Status == http.StatusTooManyRequests:
		return service + " is throttling" + f.brief()
	case f.ClockOff():
		return "the clock of this machine differs from that of " + service + f.brief()
	case f.Status == http.StatusServiceUnavailable:
		return service + " is unavailable" + f.brief()
	case f.Status >= http.StatusInternalServerError, slices.Contains(temporaryCodes, f.Code):
		return service + " failed" + f.brief()
	case f.Status >= http.StatusMultipleChoices, f.Code != "":
		return service + " refused" + f.brief()
	}
	return lost(service, err)
}

// brief is " (503 SlowDown)", without the parts that are not known.
func (f Failure) brief() string {
	var parts []string
	if f.Status != 0 {
		parts = append(parts, fmt.Sprint(f.Status))
	}
	if f.Code != "" && f.Code != http.StatusText(f.Status) {
		parts = append(parts, f.Code)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, " ") + ")"
}

// lost is why no whole answer arrived.
func lost(service string, err error) string {
	var dns *net.DNSError
	var slow net.Error
	switch {
	case errors.As(err, &dns):
		return "the name of " + service + " could not be looked up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return service + " refused the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection to " + service + " was reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection to " + service + " broke off"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return service + " did not answer in time"
	}
	return service + " could not be reached (" + innermost(err) + ")"
}
