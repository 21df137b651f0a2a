package memory

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxPath = 4000 // characters of one path; CloudFront Developer Guide, "Specify the files to invalidate", read 2026-11
	maxTag  = 256  // characters of one tag; CloudFront Developer Guide, "Invalidate files by cache tag", read 2026-11
)

// checkItems refuses what CloudFront refuses, and what it accepts without any
// effect, so that a test notices both; spec: cloudfront 1.1 and 2. Unlike
// CloudFront it says which item it was.
func checkItems(reference string, items []string) error {
	if reference == "" {
		return errors.New("the caller reference is empty")
	}
	if len(items) == 0 {
		return errors.New("the batch is empty")
	}
	for _, item := range items {
		if err := checkItem(item); err != nil {
			return fmt.Errorf("the item %q %w", item, err)
		}
	}
	return nil
}

func checkItem(item string) error {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return checkTag(tag)
	}
	if !strings.HasPrefix(item, "/") {
		return errors.New("does not begin with a slash")
	}
	if len(item) > maxPath {
		return fmt.Errorf("has more than %d characters", maxPath)
	}
	for i := 0; i < len(item); i++ {
		if err := checkByte(item, i); err != nil {
			return err
		}
	}
	return nil
}

// checkByte follows the table "Encoding table for a Go publisher" of fact 1.1.
func checkByte(item string, i int) error {
	switch c := item[i]; {
	case c == '~' || c == '\'':
		return fmt.Errorf("has a %q, which no invalidation can express", c)
	case c <= 0x20 || c >= 0x7f || strings.IndexByte("<>\"#{}|\\^[]`", c) >= 0:
		return fmt.Errorf("has a raw %q", c)
	case c == '%':
		return checkEscape(item[i:])
	}
	return nil
}

// checkEscape accepts "%" and two upper-case hexadecimal digits. Escapes of
// what must stay raw are accepted by CloudFront and hit nothing.
func checkEscape(rest string) error {
	if len(rest) < 3 {
		return errors.New("ends inside an escape")
	}
	high, low := strings.IndexByte(upperHex, rest[1]), strings.IndexByte(upperHex, rest[2])
	if high < 0 || low < 0 {
		return fmt.Errorf("has the escape %q, which is not upper-case hexadecimal", rest[:3])
	}
	c := byte(high<<4 | low)
	if c == '~' || c == '*' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
		return fmt.Errorf("has the escape %q, which hits nothing", rest[:3])
	}
	return nil
}

const upperHex = "0123456789ABCDEF"

func checkTag(tag string) error {
	if tag == "" || len(tag) > maxTag {
		return fmt.Errorf("is no tag of 1 to %d characters", maxTag)
	}
	for i := 0; i < len(tag); i++ {
		if c := tag[i]; c < 33 || c > 126 || c == ',' {
			return fmt.Errorf("has a %q, which a tag cannot hold", c)
		}
	}
	return nil
}
