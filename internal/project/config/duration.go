package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDuration keeps sums far from the end of time.Duration, which is 292 years.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration reads Go's durations and, beside their units, "d" for 24 hours
// and "w" for 7 days: "30d", "1w2d", "36h", "1.5d", "0".
func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	part := regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zµμ]+)`)
	if strings.HasPrefix(s, "-") {
		return 0, errors.New(`must not be negative; write one such as "30d", or "0"`)
	}
	var total time.Duration
	for rest := s; rest != ""; {
		m := part.FindStringSubmatch(rest)
		if m == nil {
			return 0, notDuration(s)
		}
		one, err := parsePart(m[1], m[2])
		if err != nil {
			return 0, notDuration(s)
		}
		if total += one; one > maxDuration || total > maxDuration {
			return 0, errors.New("is longer than 100 years")
		}
		rest = rest[len(m[0]):]
	}
	return total, nil
}

func parsePart(number, unit string) (time.Duration, error) {
	days := map[string]float64{"d": 1, "w": 7}[unit]
	if days == 0 {
		return parseGo(number, unit)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, err
	}
	hours := n * days * 24
	if hours > maxDuration.Hours() {
		return maxDuration + 1, nil
	}
	return time.Duration(hours * float64(time.Hour)), nil
}

// parseGo reads a part in one of Go's units; what does not fit into a
// time.Duration is too long.
func parseGo(number, unit string) (time.Duration, error) {
	if _, err := time.ParseDuration("1" + unit); err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(number + unit)
	if err != nil {
		return maxDuration + 1, nil
	}
	return d, nil
}

func notDuration(s string) error {
	return fmt.Errorf(`is not a duration: %q; write a number and a unit, such as "30d", "2w" or "36h"`, s)
}
