package crash_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/crash"
)

func blunder() { panic(fmt.Errorf("read the map: %w", fs.ErrClosed)) }

func TestGuard(t *testing.T) {
	rows := []struct {
		name string
		f    func() error
		want string // of the error, "" for none
		is   error
	}{
		{"nothing happens", func() error { return nil }, "", nil},
		{"an error", func() error { return fs.ErrExist }, "file already exists", fs.ErrExist},
		{"a panic with an error", func() error { blunder(); return nil }, "freshet made a mistake: read the map: file already closed", fs.ErrClosed},
		{"a panic with words", func() error { panic("of what?") }, "freshet made a mistake: of what?", nil},
		{"a panic of the runtime", func() error { list := make([]error, 1); return list[len(list)] }, "index out of range [1] with length 1", nil},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			err := crash.Guard(r.f)()
			if r.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Fatalf("error %v, want %q", err, r.want)
			}
			if r.is != nil && !errors.Is(err, r.is) {
				t.Errorf("%v is not %v", err, r.is)
			}
		})
	}
}

// The stack is the one on which the panic happened, also when the panic is passed
// on to another goroutine.
func TestStackIsThatOfTheMistake(t *testing.T) {
	first := crash.Guard(func() error { blunder(); return nil })()
	var c *crash.Error
	if !errors.As(first, &c) || !strings.Contains(string(c.Stack), "crash_test.blunder") {
		t.Fatalf("%v has the stack\n%s", first, c.Stack)
	}
	if second := crash.Guard(func() error { panic(c) })(); second != error(c) {
		t.Errorf("passed on it became %v", second)
	}
}

// A goroutine that panics fails its group, and the others are told to stop.
func TestGroup(t *testing.T) {
	g, ctx := crash.WithContext(t.Context())
	g.SetLimit(2)
	g.Go(func() error { <-ctx.Done(); return context.Cause(ctx) })
	g.Go(func() error { blunder(); return nil })
	var c *crash.Error
	if err := g.Wait(); !errors.As(err, &c) || !strings.Contains(string(c.Stack), "crash_test.blunder") {
		t.Errorf("the group ended with %v", err)
	}
	if !errors.As(context.Cause(ctx), &c) {
		t.Errorf("the context ended for %v", context.Cause(ctx))
	}
}
