package setup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/project/config"
)

// Mistake is an answer that freshet.yaml cannot say.
type Mistake struct {
	Flag string // without dashes
	Msg  string // reads on from the flag
}

// Error implements error.
func (m *Mistake) Error() string { return "--" + m.Flag + " " + m.Msg }

// frames are the smallest files that hold an answer.
func frame(flag string) string {
	switch flag {
	case "site":
		return "site: %s"
	case "build":
		return "build: {command: %s}"
	case "bucket":
		return "targets: {t: {bucket: %s}}"
	}
	return "targets: {t: {bucket: s3://bbb, " + flag + ": %s}}"
}

// checker checks the answer to a question as package config will: it puts it
// into a file and reads that. "none" and nothing are the same.
func checker(flag string) func(string) (string, error) {
	return func(text string) (string, error) {
		text = tidy(flag, strings.TrimSpace(text))
		if flag != "site" && (text == None || text == "") {
			return "", nil
		}
		values := []string{text}
		if flag == "distribution" {
			values = splitIDs(text)
		}
		for _, value := range values {
			if err := parses(flag, value); err != nil {
				return "", err
			}
		}
		return text, nil
	}
}

func parses(flag, value string) error {
	_, err := config.Parse("freshet.yaml", fmt.Appendf(nil, frame(flag), quoted(value)))
	var mistake *config.Error
	if errors.As(err, &mistake) {
		return &Mistake{flag, strings.TrimPrefix(mistake.Msg, fmt.Sprintf("%q ", flag))}
	}
	return err
}

// tidy takes the forms in which people have an answer at hand.
func tidy(flag, text string) string {
	switch {
	case text == None:
	case flag == "bucket" && text != "":
		text = strings.TrimPrefix(text, "arn:aws:s3:::")
		if !strings.Contains(text, "://") {
			text = "s3://" + text
		}
		return strings.TrimRight(text, "/")
	case flag == "distribution":
		return strings.Join(splitIDs(text), ",")
	}
	return text
}

// splitIDs reads ids with commas or blanks between them, each once.
func splitIDs(text string) []string {
	var ids []string
	seen := map[string]bool{}
	for id := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if !seen[id] && id != None {
			ids = append(ids, id)
		}
		seen[id] = true
	}
	return ids
}

func checkTarget(name string) error {
	if name == config.LocalTarget {
		return &Mistake{"target", `names the embedded cloud; give the target with the bucket another name, such as "production"`}
	}
	_, err := config.Parse("freshet.yaml", fmt.Appendf(nil, "targets: {%s: {bucket: s3://bbb}}", quoted(name)))
	var mistake *config.Error
	if errors.As(err, &mistake) {
		return &Mistake{"target", strings.TrimPrefix(mistake.Msg, "the target name ")}
	}
	return err
}
