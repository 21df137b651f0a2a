package memory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/site"
)

var (
	errFault = errors.New("injected")
	html     = site.Headers{ContentType: "text/html; charset=utf-8"}
)

// on makes a hook that strikes one operation on one key.
func on(op, key string, f memory.Fault) memory.Hook {
	return func(o, k string) memory.Fault {
		if o == op && k == key {
			return f
		}
		return memory.Fault{}
	}
}

func newStore(t *testing.T, keys ...site.Key) *memory.Store {
	t.Helper()
	s := memory.NewStore(memory.StoreOptions{PageSize: 2})
	for _, key := range keys {
		s.Set(key, []byte(key), html)
	}
	return s
}

// TestFaults runs every changing call with a fault before and after its effect.
func TestFaults(t *testing.T) {
	rows := []struct {
		op, key string
		call    func(context.Context, *memory.Store) error
		done    func(map[site.Key]memory.Object) bool // whether it took effect
	}{
		{memory.OpPut, "n", func(ctx context.Context, s *memory.Store) error {
			_, err := s.Put(ctx, remotetest.NewPut("n", []byte("new"), html))
			return err
		}, func(o map[site.Key]memory.Object) bool { return string(o["n"].Data) == "new" }},
		{memory.OpCopy, "c", func(ctx context.Context, s *memory.Store) error {
			_, err := s.Copy(ctx, remote.Copy{From: "a", To: "c", Headers: html})
			return err
		}, func(o map[site.Key]memory.Object) bool { return string(o["c"].Data) == "a" }},
		{memory.OpDelete, "", func(ctx context.Context, s *memory.Store) error {
			return s.Delete(ctx, []site.Key{"a"})
		}, func(o map[site.Key]memory.Object) bool { _, there := o["a"]; return !there }},
		{memory.OpDeleteKey, "a", func(ctx context.Context, s *memory.Store) error {
			return s.Delete(ctx, []site.Key{"a"})
		}, func(o map[site.Key]memory.Object) bool { _, there := o["a"]; return !there }},
	}
	for _, r := range rows {
		for name, f := range map[string]memory.Fault{"none": {}, "before": memory.FailBefore(errFault), "after": memory.FailAfter(errFault)} {
			t.Run(r.op+" "+name, func(t *testing.T) {
				s := newStore(t, "a", "b")
				s.SetHook(on(r.op, r.key, f))
				err := r.call(t.Context(), s)
				if got, want := errors.Is(err, errFault), name != "none"; got != want {
					t.Errorf("error %v", err)
				}
				if got, want := r.done(s.Objects()), name != "before"; got != want {
					t.Errorf("took effect: %v, want %v", got, want)
				}
			})
		}
	}
}

func TestDeleteFailsByKey(t *testing.T) {
	s := newStore(t, "a", "b", "c")
	s.SetHook(on(memory.OpDeleteKey, "b", memory.FailBefore(remote.ErrDenied)))
	err := s.Delete(t.Context(), []site.Key{"c", "b", "a"})
	var item *remote.KeyError
	if !errors.As(err, &item) || item.Key != "b" || !errors.Is(err, remote.ErrDenied) {
		t.Errorf("error %v", err)
	}
	if got := len(s.Objects()); got != 1 {
		t.Errorf("%d objects are left, want 1", got)
	}
}

func TestListFailsMidway(t *testing.T) {
	s := newStore(t, "a", "b", "c", "d", "e")
	for pages, want := range map[int]int{0: 0, 1: 2, 2: 4, 9: 5} {
		s.SetHook(on(memory.OpList, "", memory.FailMidway(pages, errFault)))
		shown := 0
		err := s.List(t.Context(), "", "", func(page []remote.Info) error { shown += len(page); return nil })
		if !errors.Is(err, errFault) || shown != want {
			t.Errorf("FailMidway(%d): %d shown, want %d; %v", pages, shown, want, err)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.NewStore(memory.StoreOptions{Now: time.Now})
		s.SetHook(on(memory.OpPut, "a", memory.Delay(time.Minute).And(memory.FailAfter(errFault))))
		began := time.Now()
		if _, err := s.Put(t.Context(), remotetest.NewPut("a", nil, html)); !errors.Is(err, errFault) {
			t.Errorf("error %v", err)
		}
		if got := s.Objects()["a"].LastModified.Sub(began); got != time.Minute {
			t.Errorf("the object is %v old, want a minute", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Put(ctx, remotetest.NewPut("a", nil, html)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCalls(t *testing.T) {
	s := newStore(t, "a")
	ctx := t.Context()
	s.Get(ctx, "a")
	s.Copy(ctx, remote.Copy{From: "a", To: "b", Headers: html})
	s.Delete(ctx, []site.Key{"a", "b"})
	s.List(ctx, "p/", "p/x", func([]remote.Info) error { return nil })
	want := []memory.Call{
		{Op: memory.OpGet, Key: "a"},
		{Op: memory.OpCopy, Key: "b", Source: "a"},
		{Op: memory.OpDelete, Keys: []site.Key{"a", "b"}},
		{Op: memory.OpList, Key: "p/", After: "p/x"},
	}
	if diff := cmp.Diff(s.Calls(), want); diff != "" {
		t.Errorf("Calls (-got +want):\n%s", diff)
	}
	if s.Count(memory.OpGet) != 1 {
		t.Errorf("Count = %d", s.Count(memory.OpGet))
	}
	s.ResetCalls()
	if got := s.Calls(); len(got) != 0 {
		t.Errorf("after ResetCalls: %v", got)
	}
}

func TestStoredBytesAreItsOwn(t *testing.T) {
	s := newStore(t)
	data := []byte("one")
	s.Set("a", data, html)
	data[0] = 'X'
	got, _, _ := s.Get(t.Context(), "a")
	got[1] = 'X'
	if again, _, _ := s.Get(t.Context(), "a"); string(again) != "one" {
		t.Errorf("the object became %q", again)
	}
}

func TestStatus(t *testing.T) {
	statuses := func(cdn *memory.CDN, n int) (out []string) {
		inv, err := cdn.Invalidate(t.Context(), blog.ID, "r", []string{"/a"})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, inv.Status)
		for range n {
			got, err := cdn.Invalidation(t.Context(), blog.ID, inv.ID)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, got.Status)
		}
		return out
	}
	const p, c = remote.InProgress, remote.Completed
	for polls, want := range map[int][]string{0: {p, c, c, c}, 2: {p, p, p, c}, -1: {p, p, p, p}} {
		if diff := cmp.Diff(statuses(newCDN(polls), 3), want); diff != "" {
			t.Errorf("%d polls (-got +want):\n%s", polls, diff)
		}
	}
	cdn := newCDN(-1)
	statuses(cdn, 1)
	cdn.Complete(cdn.Accepted(blog.ID)[0].ID)
	if got := cdn.Accepted(blog.ID)[0].Status; got != c {
		t.Errorf("after Complete: %s", got)
	}
}

func TestCDNFaults(t *testing.T) {
	for name, f := range map[string]memory.Fault{"before": memory.FailBefore(errFault), "after": memory.FailAfter(errFault)} {
		cdn := newCDN(0)
		cdn.SetHook(on(memory.OpInvalidate, "r", f))
		if _, err := cdn.Invalidate(t.Context(), blog.ID, "r", []string{"/a"}); !errors.Is(err, errFault) {
			t.Errorf("%s: error %v", name, err)
		}
		if got, want := len(cdn.Accepted(blog.ID)) == 1, name == "after"; got != want {
			t.Errorf("%s: accepted %v, want %v", name, got, want)
		}
		want := []memory.Call{{Op: memory.OpInvalidate, Key: "r", Items: []string{"/a"}}}
		if diff := cmp.Diff(cdn.Calls(), want); diff != "" {
			t.Errorf("Calls (-got +want):\n%s", diff)
		}
	}
}

func TestItems(t *testing.T) {
	rows := []struct {
		item string
		ok   bool
	}{
		{"/", true}, {"/*", true}, {"/a*", true}, {"/a*b", true}, {"/a-_.$!*(),:@=&;+", true}, {"/a?b=c", true},
		{"/%20%22%E6%97%A5%25%3F%23%2B", true}, {"#tag", true}, {"#brand:acme~'", true},
		{"", false}, {"a", false}, {"*", false}, {"https://x/", false}, {"/a b", false}, {"/é", false}, {"/a~b", false},
		{"/%7E", false}, {"/a'b", false}, {"/%2A", false}, {"/%61", false}, {"/%c3", false}, {"/%", false}, {"/%4", false}, {"/%zz", false},
		{"/a#b", false}, {"/a|b", false}, {"/a[b]", false}, {"/a\\b", false}, {"/a\x00", false}, {"/a\x7f", false},
		{"#", false}, {"#a b", false}, {"#a,b", false}, {"#é", false},
	}
	for _, r := range rows {
		_, err := newCDN(0).Invalidate(t.Context(), blog.ID, "r", []string{"/good", r.item})
		if (err == nil) != r.ok {
			t.Errorf("Invalidate(%q): error %v", r.item, err)
		}
	}
	for n, ok := range map[int]bool{4000: true, 4001: false} {
		item := "/" + strings.Repeat("a", n-1)
		if _, err := newCDN(0).Invalidate(t.Context(), blog.ID, "r", []string{item}); (err == nil) != ok {
			t.Errorf("a path of %d: error %v", n, err)
		}
	}
}
