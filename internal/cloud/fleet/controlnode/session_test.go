package controlnode

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
)

var testKeys = control.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "test/secret"}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(time.Now, rand.Reader)
		token := begun(t, s)
		if len(token) != 43 { // 256 bits
			t.Errorf("the token has %d characters", len(token))
		}
		other := begun(t, s)
		time.Sleep(sessionTime - time.Second)
		for text, want := range map[string]bool{token: true, other: true, "": false, token + "x": false, token[:42]: false} {
			if got := s.holds(text); got != want {
				t.Errorf("%q is a session: %v, want %v", text, got, want)
			}
		}
		s.end(other)
		s.end("none")
		if s.holds(other) || !s.holds(token) {
			t.Error("the wrong session was ended")
		}
		time.Sleep(time.Second)
		if s.holds(token) {
			t.Error("a session lives for more than 12 h")
		}
		if begun(t, s); len(s.ends) != 1 {
			t.Errorf("%d sessions are kept, want 1", len(s.ends))
		}
	})
}

func begun(t *testing.T, s *sessions) string {
	t.Helper()
	token, err := s.begin()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Of too many sessions the oldest ends.
func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(time.Now, rand.Reader)
		var tokens []string
		for range maxSessions + 2 {
			tokens = append(tokens, begun(t, s))
			time.Sleep(time.Second)
		}
		for i, token := range tokens {
			if got, want := s.holds(token), i >= 2; got != want {
				t.Errorf("session %d is there: %v, want %v", i, got, want)
			}
		}
	})
}

func TestNoSessionWithoutRandomness(t *testing.T) {
	s := newSessions(time.Now, bytes.NewReader(make([]byte, 31)))
	if token, err := s.begin(); err == nil || len(s.ends) != 0 {
		t.Errorf("a session %q was made of 31 bytes", token)
	}
}

func TestKeys(t *testing.T) {
	for _, row := range []struct {
		name, id, secret string
		keys             control.Credentials
		want             bool
	}{
		{"right", "AKIDTEST", "test/secret", testKeys, true},
		{"wrong secret", "AKIDTEST", "test/secrets", testKeys, false},
		{"beginning of the secret", "AKIDTEST", "test", testKeys, false},
		{"no secret", "AKIDTEST", "", testKeys, false},
		{"wrong key", "AKID", "test/secret", testKeys, false},
		{"exchanged", "test/secret", "AKIDTEST", testKeys, false},
		{"nothing", "", "", testKeys, false},
		{"nothing where nobody can", "", "", control.Credentials{}, false},
		{"something where nobody can", "AKIDTEST", "test/secret", control.Credentials{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := newDoor(row.keys, time.Now).try(t.Context(), row.id, row.secret)
			if err != nil || got != row.want {
				t.Errorf("let in: %v, %v, want %v", got, err, row.want)
			}
		})
	}
}

// Wrong secrets cost a second each, however many try at once; right ones cost nothing.
func TestWrongSecretsAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(testKeys, time.Now)
		began := time.Now()
		var tries sync.WaitGroup
		for range 10 {
			tries.Go(func() {
				if right, err := d.try(t.Context(), "AKIDTEST", "guess"); right || err != nil {
					t.Errorf("let in: %v, %v", right, err)
				}
			})
		}
		tries.Wait()
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("10 wrong secrets took %s, want 9 s", took)
		}
		began = time.Now()
		for i := range 3 {
			if right, err := d.try(t.Context(), "AKIDTEST", "test/secret"); !right || err != nil {
				t.Errorf("right keys %d: %v, %v", i, right, err)
			}
		}
		if took := time.Since(began); took != time.Second { // the pause after the last wrong one
			t.Errorf("right secrets took %s, want 1 s", took)
		}
	})
}

// Who hangs up leaves the pause to the next one.
func TestHangingUpSparesNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(testKeys, time.Now)
		if right, err := d.try(t.Context(), "", "guess"); right || err != nil {
			t.Fatal(right, err)
		}
		began := time.Now()
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := d.try(ctx, "", "guess"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("an attempt that was given up says %v", err)
			}
			cancel()
		}
		if right, err := d.try(t.Context(), "AKIDTEST", "test/secret"); !right || err != nil || time.Since(began) != time.Second {
			t.Errorf("let in: %v, %v, after %s, want 1 s", right, err, time.Since(began))
		}
	})
}

func TestCrowdIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(testKeys, time.Now)
		var tries sync.WaitGroup
		var mu sync.Mutex // guards refused; held for access to it only
		refused := 0
		for range maxWaiting + 5 {
			tries.Go(func() {
				_, err := d.try(t.Context(), "", "guess")
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, errCrowd) {
					refused++
				}
			})
			synctest.Wait()
		}
		tries.Wait()
		if refused != 4 { // the first was answered at once
			t.Errorf("%d attempts were refused, want 4", refused)
		}
	})
}
