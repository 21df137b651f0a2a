package controlnode

import (
	"context"
	"errors"
	"testing"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

// begin starts a node whose view is in a folder.
func begin(t *testing.T, store *memory.Store, dir string) (*Server, error) {
	t.Helper()
	s, err := Start(t.Context(), store.Connect(1), Options{Dir: dir, API: listen.Listener{Address: "127.0.0.1:0"}})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() }) // a second time, where the test has
	}
	return s, err
}

// add enters something and waits until the node has applied it.
func add(t *testing.T, s *Server, id string, data []byte) {
	t.Helper()
	at, err := s.engine.Add(t.Context(), id, data)
	if err == nil {
		err = s.server().AwaitApplied(t.Context(), at)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A view is of one log. Over one that ends earlier it would answer what that log never had, and call new entries old.
func TestViewOfAnotherLog(t *testing.T) {
	dir := t.TempDir()
	s, err := begin(t, memory.New(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		add(t, s, id, control.EncodeNothing())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := memory.New()
	if _, err := other.Connect(2).Add(context.Background(), "c", control.EncodeNothing()); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, other, dir); !errors.Is(err, fleet.ErrOtherLog) {
		t.Errorf("started with %v, want %v", err, fleet.ErrOtherLog)
	}
	if _, err := other.Connect(2).Add(context.Background(), "d", control.EncodeNothing()); err != nil {
		t.Fatal(err)
	}
	if s, err := begin(t, other, dir); err != nil {
		t.Errorf("a log that reaches as far: %v", err)
	} else if got := s.server().Applied(); got != 2 {
		t.Errorf("at %d, want 2", got)
	}
}

// members are who has joined, as the node's view knows it.
func joinedAt(s *Server) (ids []string) {
	for _, m := range s.server().Members() {
		ids = append(ids, m.ID)
	}
	return ids
}

// fromEdge is an engine whose entries were added with an edge's key.
type fromEdge struct{ fleet.Engine }

func (f fromEdge) Read(ctx context.Context, sequence uint64) (fleet.Entry, error) {
	e, err := f.Engine.Read(ctx, sequence)
	e.FromEdge = true
	return e, err
}

func (f fromEdge) Follow(ctx context.Context, from uint64, next func(fleet.Entry) error) error {
	return f.Engine.Follow(ctx, from, func(e fleet.Entry) error {
		e.FromEdge = true
		return next(e)
	})
}

// An edge may say that it joins, and nothing of others.
func TestEntryOfAnEdge(t *testing.T) {
	for _, row := range []struct {
		name   string
		engine func(fleet.Engine) fleet.Engine
		want   int
	}{
		{"of a control node", func(e fleet.Engine) fleet.Engine { return e }, 0},
		{"of an edge", func(e fleet.Engine) fleet.Engine { return fromEdge{e} }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := Start(t.Context(), row.engine(memory.New().Connect(1)), Options{Dir: t.TempDir(), API: listen.Listener{Address: "127.0.0.1:0"}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			add(t, s, "join", control.EncodeJoin("m1", "edge-1"))
			if got := joinedAt(s); len(got) != 1 {
				t.Fatalf("members %v after one has joined", got)
			}
			add(t, s, "end", control.EncodeEnd("m1"))
			if got := joinedAt(s); len(got) != row.want {
				t.Errorf("members %v after an entry that one has ended, want %d", got, row.want)
			}
		})
	}
}
