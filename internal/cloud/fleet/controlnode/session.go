package controlnode

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet"
)

// How long a browser stays signed in, and how many are at a time.
const (
	sessionTime = 12 * time.Hour
	maxSessions = 100
)

// sessions are those who are signed in at this node's page. They end with the process.
type sessions struct {
	now    func() time.Time
	random io.Reader

	// mu guards ends; held for access to it only.
	mu sync.Mutex
	// ends is when each one is over, by the digest of its token: how long a look-up takes says nothing of a token, and memory holds none.
	ends map[[sha256.Size]byte]time.Time
}

func newSessions(now func() time.Time, random io.Reader) *sessions {
	return &sessions{now: now, random: random, ends: map[[sha256.Size]byte]time.Time{}}
}

// begin makes a session and returns its token, 256 random bits. Of too many the oldest ends: whoever knows the keys gets in.
func (s *sessions) begin() (string, error) {
	var raw [32]byte
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return "", fmt.Errorf("make a session: %w", err)
	}
	now := s.now()
	var oldest [sha256.Size]byte
	first := now.Add(2 * sessionTime)
	for digest, end := range s.ends {
		if !now.Before(end) {
			delete(s.ends, digest)
		} else if end.Before(first) {
			oldest, first = digest, end
		}
	}
	if len(s.ends) >= maxSessions {
		delete(s.ends, oldest)
	}
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	s.ends[sha256.Sum256([]byte(token))] = now.Add(sessionTime)
	return token, nil
}

// holds says whether the token is that of a session.
func (s *sessions) holds(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.ends[sha256.Sum256([]byte(token))]
	return ok && s.now().Before(end)
}

// end ends a session, if there is one.
func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, sha256.Sum256([]byte(token)))
}

// How attempts to sign in are slowed down.
const (
	wrongPause = time.Second // after a wrong secret
	maxWaiting = 32          // attempts at a time; further ones are refused at once
)

// errCrowd: too many attempts wait already.
var errCrowd = errors.New("many others are trying to sign in; try again in a moment")

// door lets in who knows the keys. Attempts come one at a time, and none for a second after a wrong one: nobody tries more than one secret a
// second, from however many machines. The price is that somebody who goes on trying makes others wait.
type door struct {
	keys    control.Credentials // the zero value lets in nobody
	now     func() time.Time
	turn    chan struct{} // capacity 1
	waiting chan struct{} // capacity maxWaiting
	next    time.Time     // no attempt is looked at before; whoever has the turn uses it
}

func newDoor(keys control.Credentials, now func() time.Time) *door {
	return &door{keys: keys, now: now, turn: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting)}
}

// try says whether the keys are right, when it is its turn. The error is errCrowd, or that ctx ended.
func (d *door) try(ctx context.Context, id, secret string) (bool, error) {
	select {
	case d.waiting <- struct{}{}:
		defer func() { <-d.waiting }()
	default:
		return false, errCrowd
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return false, fmt.Errorf("wait to sign in: %w", ctx.Err())
	}
	// Whoever gives up now leaves the pause to the next one. A clock that went back makes it no longer.
	if err := fleet.Sleep(ctx, min(d.next.Sub(d.now()), wrongPause)); err != nil {
		return false, fmt.Errorf("wait to sign in: %w", err)
	}
	if d.right(id, secret) {
		return true, nil
	}
	d.next = d.now().Add(wrongPause)
	return false, nil
}

// right compares both keys in a time that says nothing of either, their lengths included.
func (d *door) right(id, secret string) bool {
	same := 1
	for _, pair := range [][2]string{{id, d.keys.AccessKeyID}, {secret, d.keys.SecretAccessKey}} {
		given, want := sha256.Sum256([]byte(pair[0])), sha256.Sum256([]byte(pair[1]))
		same &= subtle.ConstantTimeCompare(given[:], want[:])
	}
	return same == 1 && d.possible()
}

// possible says whether anybody can get in.
func (d *door) possible() bool { return d.keys != (control.Credentials{}) }
