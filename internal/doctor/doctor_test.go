package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/doctor"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// viewer answers every path likewise.
type viewer struct {
	answer remote.Answer
	err    error
}

func (v viewer) Ask(context.Context, site.URLPath) (remote.Answer, error) { return v.answer, v.err }
func (v viewer) String() string                                           { return "http://edge" }

// bucket is a store with a record, in the state that change leaves it in.
func bucket(t *testing.T, change func(context.Context, *release.Record, release.State) error) *memory.Store {
	t.Helper()
	ctx := t.Context()
	store := memory.NewStore(memory.StoreOptions{})
	record, err := release.Open(ctx, store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := release.Manifest{Release: "r1-a", Number: 1, Created: time.Unix(1e9, 0)}
	state, err := record.Begin(ctx, release.State{}, release.Journal{Release: "r1-a", Number: 1})
	if err == nil {
		state, err = record.Commit(ctx, state, m, 0)
	}
	if err == nil {
		state, err = record.Close(ctx, state)
	}
	if err == nil && change != nil {
		err = change(ctx, record, state)
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestExamine(t *testing.T) {
	up := remote.Distribution{ID: "E1", Domain: "d1.cloudfront.net", Enabled: true, Deployed: true}
	with := func(change func(*remote.Distribution)) remote.Distribution {
		d := up
		change(&d)
		return d
	}
	interrupted := func(ctx context.Context, r *release.Record, s release.State) error {
		_, err := r.Begin(ctx, s, release.Journal{Release: "r2-b", Number: 2, Base: "r1-a", Writer: "ben@laptop", Pending: []release.PendingURL{{Path: "/"}}})
		return err
	}
	held := func(ctx context.Context, r *release.Record, _ release.State) error {
		h, err := r.Lock(ctx, release.LockOptions{Writer: "ben@laptop"})
		t.Cleanup(func() { _ = h.Release(context.WithoutCancel(ctx)) })
		return err
	}
	denied := bucket(t, nil)
	denied.SetHook(func(op, _ string) memory.Fault {
		if op == memory.OpPut {
			return memory.FailBefore(remote.ErrDenied)
		}
		return memory.Fault{}
	})
	refused := viewer{answer: remote.Answer{Status: 403}}
	rows := []struct {
		name   string
		store  remote.Store
		dist   *remote.Distribution
		viewer remote.Viewer
		want   []string // findings that are not ok: "level check: part of what"
	}{
		{"nothing published", memory.NewStore(memory.StoreOptions{}), nil, nil, nil},
		{"all is well", bucket(t, nil), &up, refused, nil},
		{"no right to write", denied, nil, nil, []string{"problem writing: cannot be written to"}},
		{"no conditions", memory.NewStore(memory.StoreOptions{Conditions: memory.IgnoreConditions}), nil, nil, []string{"problem conditional writes: does not honour"}},
		{"conditions refused", memory.NewStore(memory.StoreOptions{Conditions: memory.RefuseConditions}), nil, nil, []string{"problem conditional writes: does not honour"}},
		{"an interrupted run", bucket(t, interrupted), nil, nil, []string{"warning journal: release r2-b of ben@laptop was interrupted; 1 URLs"}},
		{"a run under way", bucket(t, held), nil, nil, []string{"warning lock: ben@laptop has held it"}},
		{"disabled", bucket(t, nil), ptr(with(func(d *remote.Distribution) { d.Enabled = false })), nil, []string{"problem distribution E1: disabled"}},
		{"spreading", bucket(t, nil), ptr(with(func(d *remote.Distribution) { d.Deployed = false })), nil, []string{"warning distribution E1: still spreading"}},
		{"the record is shown", bucket(t, nil), &up, viewer{answer: remote.Answer{Status: 200, ContentType: "text/plain; charset=utf-8"}},
			[]string{"warning record, as viewers see it: shows it"}},
		{"a fallback page is not the record", bucket(t, nil), &up, viewer{answer: remote.Answer{Status: 200, ContentType: "text/html"}}, nil},
		{"the bucket is listed", bucket(t, nil), &up, viewer{answer: remote.Answer{Status: 200, ContentType: "application/xml"}},
			[]string{"problem listing, as viewers see it: a listing of the bucket"}},
		{"nobody answers", bucket(t, nil), &up, viewer{err: errors.New("no route")}, []string{"warning record, as viewers see it: could not be asked: no route"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			record, err := release.Open(t.Context(), row.store, release.Options{})
			if err != nil {
				t.Fatal(err)
			}
			target := doctor.Target{Record: record}
			if row.dist != nil {
				own := func(k site.Key) (site.URLPath, bool) { return site.URLPath("/" + string(k)), true }
				target.Distributions = []doctor.Distribution{{Distribution: *row.dist, Viewer: row.viewer, Path: own}}
			}
			compare(t, doctor.Examine(t.Context(), target), row.want)
		})
	}
}

// compare holds the findings that are not ok against "level check: part".
func compare(t *testing.T, got []doctor.Finding, want []string) {
	t.Helper()
	var bad []string
	for _, f := range got {
		if f.Level == doctor.Good {
			continue
		}
		text := fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.What)
		bad = append(bad, text)
		if f.Why == "" || f.Next == "" && f.Err == nil {
			t.Errorf("%s: says neither why nor what to do", text)
		}
	}
	ok := len(bad) == len(want)
	for i := 0; ok && i < len(want); i++ {
		check, part, _ := strings.Cut(want[i], ": ")
		ok = strings.HasPrefix(bad[i], check+": ") && strings.Contains(bad[i], part)
	}
	if !ok {
		t.Errorf("found (-got +want):\n%s", cmp.Diff(bad, want))
	}
}

func TestProbeLeavesNothing(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	record, err := release.Open(t.Context(), store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	doctor.Examine(t.Context(), doctor.Target{Record: record})
	if left := store.Objects(); len(left) != 0 {
		t.Errorf("the bucket now has %v", left)
	}
}

func ptr[T any](v T) *T { return &v }
