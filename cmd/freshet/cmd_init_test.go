package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/freshet/freshet/internal/project/setup"
)

// Every way in which init can fail says what to type next.
func TestEveryFailureOfInitHasItsHint(t *testing.T) {
	rows := []struct {
		name string
		err  error
		code int
	}{
		{"nothing to propose", &setup.Undecided{Flag: "site", Like: "FOLDER", Why: errors.New("nothing")}, exitUsage},
		{"a bad answer", &setup.Mistake{Flag: "bucket", Msg: "is bad"}, exitUsage},
		{"the end of the input", setup.ErrNoAnswer, exitFailed},
		{"interrupted", context.Canceled, exitFailed},
		{"a file in the way", setup.ErrExists, exitRefused},
		{"a folder that cannot be written to", fs.ErrPermission, exitFailed},
		{"a folder that is missing", fs.ErrNotExist, exitUsage},
	}
	for _, row := range rows {
		f := classify((&app{dir: "."}).explainInit(fmt.Errorf("write: %w", row.err)))
		if f.code != row.code || f.hint == "" {
			t.Errorf("%s: exit code %d with the hint %q, want %d and a hint", row.name, f.code, f.hint, row.code)
		}
	}
}
