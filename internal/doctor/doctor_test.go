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
)

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

func TestExamineBucket(t *testing.T) {
	interrupted := func(ctx context.Context, r *release.Record, s release.State) error {
		_, err := r.Begin(ctx, s, release.Journal{Release: "r2-b", Number: 2, Base: "r1-a", Writer: "ben@laptop", Pending: []release.PendingURL{{Path: "/"}}})
		return err
	}
	held := func(ctx context.Context, r *release.Record, _ release.State) error {
		h, err := r.Lock(ctx, release.LockOptions{Writer: "ben@laptop"})
		t.Cleanup(func() { _ = h.Release(context.WithoutCancel(ctx)) })
		return err
	}
	faulty := func(op string, err error) *memory.Store {
		s := bucket(t, nil)
		s.SetHook(func(is, _ string) memory.Fault {
			if is == op {
				return memory.FailBefore(err)
			}
			return memory.Fault{}
		})
		return s
	}
	with := func(b remote.Bucket) *memory.Store {
		s := bucket(t, nil)
		s.SetBucket(b)
		return s
	}
	rows := []struct {
		name  string
		store *memory.Store
		want  []string // findings that are not ok: "level check: part of what"
	}{
		{"nothing published", memory.NewStore(memory.StoreOptions{}), nil},
		{"all is well", bucket(t, nil), nil},
		{"no right to write", faulty(memory.OpPut, remote.ErrDenied), []string{"problem writing: cannot be written to"}},
		{"no conditions", memory.NewStore(memory.StoreOptions{Conditions: memory.IgnoreConditions}), []string{"problem conditional writes: does not honour"}},
		{"conditions refused", memory.NewStore(memory.StoreOptions{Conditions: memory.RefuseConditions}), []string{"problem conditional writes: does not honour"}},
		{"an interrupted run", bucket(t, interrupted), []string{"warning journal: release r2-b of ben@laptop was interrupted; 1 URLs"}},
		{"a run under way", bucket(t, held), []string{"warning lock: ben@laptop has held it"}},
		{"listed by anybody", with(remote.Bucket{Listable: remote.Yes, Readable: remote.No}), []string{"problem public listing: anybody can list"}},
		{"read by anybody", with(remote.Bucket{Listable: remote.No, Readable: remote.Yes}), []string{"warning public access: anybody can read"}},
		{"nothing is known", with(remote.Bucket{}), []string{"unknown public listing: could not be found out", "unknown public access: could not be found out"}},
		{"the bucket does not answer", faulty(memory.OpBucket, remote.ErrTemporary), []string{"problem bucket: cannot be looked at"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			record, err := release.Open(t.Context(), row.store, release.Options{})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, doctor.Examine(t.Context(), doctor.Target{Bucket: "memory", Store: row.store, Record: record}), row.want)
		})
	}
}

// TestExamineWithoutBucket: a cause that is known is told as such, once.
func TestExamineWithoutBucket(t *testing.T) {
	rows := []struct {
		err  error
		want []string
	}{
		{remote.ErrCredentials, []string{"problem credentials: refused", "problem bucket: could not be asked"}},
		{errors.Join(remote.ErrRegion, remote.ErrNoBucket), []string{"problem region: another one"}},
		{remote.ErrNoBucket, []string{"problem bucket: not there"}},
		{remote.ErrTemporary, []string{"problem record: cannot be read"}},
	}
	for _, row := range rows {
		compare(t, doctor.Examine(t.Context(), doctor.Target{Store: memory.NewStore(memory.StoreOptions{}), BucketErr: row.err}), row.want)
	}
	compare(t, doctor.Examine(t.Context(), doctor.Target{Store: memory.NewStore(memory.StoreOptions{}), BucketErr: remote.ErrNoBucket, CDNErr: remote.ErrDenied}),
		[]string{"problem bucket: not there", "problem configuration: cannot be read"})
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
		if f.Level != doctor.Unknown && (f.Why == "" || f.Next == "" && f.Err == nil) || f.About == "" {
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
	doctor.Examine(t.Context(), doctor.Target{Store: store, Record: record})
	if left := store.Objects(); len(left) != 0 {
		t.Errorf("the bucket now has %v", left)
	}
}
