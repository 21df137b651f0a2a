// Package crash makes errors of panics, so that a mistake in freshet ends a
// command in order: with its journal, its lock and its temporary files as after
// any other failure, and with a sentence instead of a stack on the terminal.
//
// It promises that an Error has the value of the panic and the stack on which it
// happened, and that a Group waits for all of its goroutines and tells of the
// first failure, panic or not. It leaves out telling people, which package main
// does once, and panics of goroutines that nobody guards: those end the process.
//
// It follows the Go specification, "Handling panics", read 2026-11.
package crash

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// Error is a panic that was recovered. Its text is one line.
type Error struct {
	Value any    // what panic was called with; never nil
	Stack []byte // of the goroutine that panicked, as runtime/debug.Stack formats it
}

// Error is the value of the panic.
func (e *Error) Error() string { return fmt.Sprintf("freshet made a mistake: %v", e.Value) }

// Unwrap is the value of the panic, where that is an error.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Caught is the error for a value that recover has returned; nil for nil. It is
// called by the deferred function itself, while the stack still stands. A panic
// with an *Error, which has been passed on from another goroutine, keeps it.
func Caught(value any) error {
	if value == nil {
		return nil
	}
	if e, ok := value.(*Error); ok {
		return e
	}
	return &Error{value, debug.Stack()}
}

// Guard is f with panics returned as errors.
func Guard(f func() error) func() error {
	return func() (err error) {
		defer func() {
			if caught := Caught(recover()); caught != nil {
				err = caught
			}
		}()
		return f()
	}
}

// Group is an errgroup.Group whose goroutines are guarded. WithContext makes one.
type Group struct{ *errgroup.Group }

// WithContext is a Group and the context that its first failure cancels, as Wait
// does.
func WithContext(ctx context.Context) (Group, context.Context) {
	group, ctx := errgroup.WithContext(ctx)
	return Group{group}, ctx
}

// Go runs f as errgroup.Group.Go does; a panic of f is its error.
func (g Group) Go(f func() error) { g.Group.Go(Guard(f)) }
