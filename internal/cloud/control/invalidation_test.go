package control

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

// spec: cloudfront 9, row 1: InProgress first, Completed once the edges have applied it.
func TestInvalidationLifecycle(t *testing.T) {
	now := time.Date(2026, 10, 5, 9, 13, 51, 120_400_000, time.UTC)
	f := start(t, Options{Now: func() time.Time { return now }})
	release := f.edges.hold()
	defer release()

	created, err := f.invalidate(t.Context(), "ref-1", "/*")
	if err != nil {
		t.Fatal(err)
	}
	id := *created.Invalidation.Id
	if got, want := *created.Invalidation.Status, "InProgress"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	if got, want := *created.Location, f.url+"/2020-05-31/distribution/"+f.dist.ID+"/invalidation/"+id; got != want {
		t.Errorf("location %q, want %q", got, want)
	}
	if got, want := *created.Invalidation.CreateTime, now.Truncate(time.Millisecond); !got.Equal(want) {
		t.Errorf("created at %v, want %v", got, want)
	}
	if got := f.running(t); got != 1 {
		t.Errorf("%d invalidations in progress, want 1", got)
	}
	release()
	f.await(t, id)
	if got := f.running(t); got != 0 {
		t.Errorf("%d invalidations in progress, want 0", got)
	}
	want := []applied{{f.dist.ID, 1, []string{"/*"}}}
	if diff := cmp.Diff(f.edges.seen(), want); diff != "" {
		t.Errorf("edges saw (-got +want):\n%s", diff)
	}
}

// running is InProgressInvalidationBatches.
func (f *fixture) running(t *testing.T) int32 {
	t.Helper()
	out, err := f.client.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: &f.dist.ID})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Distribution.InProgressInvalidationBatches
}

// spec: cloudfront 9, row 2, and 1.5.
func TestCallerReference(t *testing.T) {
	f := start(t, Options{})
	first, err := f.invalidate(t.Context(), "ref", "/a", "/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, items := range [][]string{{"/a", "/b"}, {"/b", "/a"}} {
		again, err := f.invalidate(t.Context(), "ref", items...)
		if err != nil {
			t.Fatal(err)
		}
		if *again.Invalidation.Id != *first.Invalidation.Id {
			t.Errorf("a repeat with %v made %s, want %s", items, *again.Invalidation.Id, *first.Invalidation.Id)
		}
	}
	for _, items := range [][]string{{"/a"}, {"/a", "/c"}, {"/a", "/b", "/b"}} {
		_, err = f.invalidate(t.Context(), "ref", items...)
		var bad *types.InvalidArgument
		const text = "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."
		if !errors.As(err, &bad) || bad.ErrorMessage() != text {
			t.Errorf("other items %v: error %v, want InvalidArgument with the observed text", items, err)
		}
	}
	if ids, _ := f.list(t, 10); len(ids) != 1 {
		t.Errorf("listed %v, want one invalidation", ids)
	}
}

// Ten clients race on one reference: one invalidation exists afterwards, and edges see it once.
func TestCallerReferenceRace(t *testing.T) {
	f := start(t, Options{})
	ids := make([]string, 10)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			out, err := f.invalidate(t.Context(), "ref", "/a")
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = *out.Invalidation.Id
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids differ: %v", ids)
		}
	}
	f.await(t, ids[0])
	if got := len(f.edges.seen()); got != 1 {
		t.Errorf("edges saw %d invalidations, want 1", got)
	}
}

// References are scoped by distribution; spec: cloudfront 1.5.
func TestCallerReferenceScope(t *testing.T) {
	f := start(t, Options{})
	other := siteConfig()
	other.CallerReference = "other"
	second, err := f.EnsureDistribution(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.invalidate(t.Context(), "ref", "/a"); err != nil {
		t.Fatal(err)
	}
	f.dist = second
	if _, err := f.invalidate(t.Context(), "ref", "/b"); err != nil {
		t.Errorf("the same reference on another distribution: %v", err)
	}
}

// spec: cloudfront 9, rows 3 and 6, 1.1 and 2.
func TestItems(t *testing.T) {
	f := start(t, Options{})
	long := "/" + strings.Repeat("a", 3999)
	rows := []struct {
		name, item string
		ok         bool
	}{
		{"everything", "/*", true},
		{"a star in the middle is literal", "/a*b", true},
		{"an encoded star is accepted", "/a%2A", true},
		{"an encoded tilde is accepted", "/a%7Eb", true},
		{"query string", "/a?b=c&d=e", true},
		{"safe punctuation", "/$!*(),:@=&;+'", true},
		{"encoded UTF-8", "/%E6%97%A5", true},
		{"4,000 characters", long, true},
		{"double slash", "//", true},
		{"a tag", "#post:42", true},
		{"a star in a tag", "#a*", true},
		{"a tag of 256 characters", "#" + strings.Repeat("t", 256), true},
		{"no leading slash", "index.html", false},
		{"scheme and host", "https://example.org/a", false},
		{"empty", "", false},
		{"raw tilde", "/a~b", false},
		{"non-ASCII", "/é", false},
		{"space", "/a b", false},
		{"leading space", " /a", false},
		{"quotes of a shell", `"/*"`, false},
		{"number sign inside", "/a#b", false},
		{"brackets", "/a[1]", false},
		{"pipe", "/a|b", false},
		{"lone percent sign", "/100%", false},
		{"percent sign before other letters", "/a%zz", false},
		{"control character", "/a\tb", false},
		{"4,001 characters", long + "a", false},
		{"an empty tag", "#", false},
		{"a comma in a tag", "#a,b", false},
		{"a space in a tag", "#a b", false},
		{"a tag of 257 characters", "#" + strings.Repeat("t", 257), false},
		{"non-ASCII in a tag", "#é", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := f.invalidate(t.Context(), row.name, "/good", row.item)
			if row.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var bad *types.InvalidArgument
			if !errors.As(err, &bad) || bad.ErrorMessage() != "Your request contains one or more invalid invalidation paths." {
				t.Errorf("error %v, want InvalidArgument with the observed text", err)
			}
		})
	}
}

// A batch that is refused leaves nothing behind.
func TestRefusedWhole(t *testing.T) {
	f := start(t, Options{})
	if _, err := f.invalidate(t.Context(), "ref", "/a", "/a~"); err == nil {
		t.Fatal("a raw tilde was accepted")
	}
	if ids, _ := f.list(t, 10); len(ids) != 0 {
		t.Errorf("listed %v, want nothing", ids)
	}
	if _, err := f.invalidate(t.Context(), "ref", "/a"); err != nil {
		t.Errorf("the reference of a refused batch is taken: %v", err)
	}
}

// An encoded tilde is recorded and has no effect; spec: cloudfront 1.1.
func TestEncodedTilde(t *testing.T) {
	f := start(t, Options{})
	for i, items := range [][]string{{"/a%7Eb", "/c"}, {"/a%7eb"}} {
		out, err := f.invalidate(t.Context(), fmt.Sprint(i), items...)
		if err != nil {
			t.Fatal(err)
		}
		f.await(t, *out.Invalidation.Id)
		if diff := cmp.Diff(out.Invalidation.InvalidationBatch.Paths.Items, items); diff != "" {
			t.Errorf("recorded items (-got +want):\n%s", diff)
		}
	}
	if diff := cmp.Diff(f.edges.seen(), []applied{{f.dist.ID, 1, []string{"/c"}}}); diff != "" {
		t.Errorf("edges saw (-got +want):\n%s", diff)
	}
}

// spec: cloudfront 9, row 6: a tag without CacheTagConfig has a defined outcome.
func TestRefuseTags(t *testing.T) {
	f := start(t, Options{RefuseTags: true})
	_, err := f.invalidate(t.Context(), "ref", "/a", "#tag")
	wantCode(t, err, "InvalidArgument")
	if _, err := f.invalidate(t.Context(), "ref", "/a"); err != nil {
		t.Errorf("a batch without a tag: %v", err)
	}
}

// What a shell makes of an unquoted /* is accepted, and reaches the edges as it is; spec: cloudfront 1.8.
func TestShellExpansion(t *testing.T) {
	f := start(t, Options{})
	roots := strings.Fields("/bin /boot /dev /etc /home /initrd.img /initrd.img.old /lib /lib32 /lib64 /libx32 /lost+found /media /mnt /opt /proc /root /run /sbin /snap /srv /swapfile /sys /tmp /usr /var /vmlinuz")
	out, err := f.invalidate(t.Context(), "cli-1", roots...)
	if err != nil {
		t.Fatal(err)
	}
	f.await(t, *out.Invalidation.Id)
	if diff := cmp.Diff(f.edges.seen()[0].Items, roots); diff != "" {
		t.Errorf("edges saw (-got +want):\n%s", diff)
	}
}

// spec: cloudfront 1.7: newest first, pages that neither lose nor repeat.
func TestListInvalidations(t *testing.T) {
	f := start(t, Options{})
	var want []string
	for i := range 5 {
		out, err := f.invalidate(t.Context(), fmt.Sprint(i), "/a")
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{*out.Invalidation.Id}, want...)
	}
	for size, pages := range map[int32]int{1: 5, 2: 3, 5: 1, 100: 1} {
		got, n := f.list(t, size)
		if diff := cmp.Diff(got, want); diff != "" || n != pages {
			t.Errorf("page size %d: %d pages, want %d; ids (-got +want):\n%s", size, n, pages, diff)
		}
	}
	_, err := f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID, Marker: aws.String("INONE")})
	wantCode(t, err, "InvalidArgument")
	_, err = f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID, MaxItems: aws.Int32(0)})
	wantCode(t, err, "InvalidArgument")
}

// The newest are kept; forgotten ones free their references; running ones stay.
func TestHistoryIsBounded(t *testing.T) {
	f := start(t, Options{History: 3})
	for i := range 5 {
		out, err := f.invalidate(t.Context(), fmt.Sprint(i), "/a")
		if err != nil {
			t.Fatal(err)
		}
		f.await(t, *out.Invalidation.Id)
	}
	if ids, _ := f.list(t, 10); len(ids) != 3 {
		t.Errorf("%d invalidations are listed, want 3", len(ids))
	}
	if _, err := f.invalidate(t.Context(), "0", "/other"); err != nil {
		t.Errorf("a forgotten reference is still taken: %v", err)
	}
	release := f.edges.hold()
	defer release()
	for i := range 5 {
		if _, err := f.invalidate(t.Context(), fmt.Sprint("held", i), "/a"); err != nil {
			t.Fatal(err)
		}
	}
	if ids, _ := f.list(t, 10); len(ids) < 5 {
		t.Errorf("%d invalidations are listed, want all 5 in progress", len(ids))
	}
}

func TestUnknownIDs(t *testing.T) {
	f := start(t, Options{})
	_, err := f.client.GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: &f.dist.ID, Id: aws.String("INONE")})
	var noInvalidation *types.NoSuchInvalidation
	if !errors.As(err, &noInvalidation) {
		t.Errorf("error %v, want NoSuchInvalidation", err)
	}
	var noDistribution *types.NoSuchDistribution
	f.dist.ID = "ENONE"
	_, err = f.invalidate(t.Context(), "ref", "/a")
	if !errors.As(err, &noDistribution) {
		t.Errorf("create: error %v, want NoSuchDistribution", err)
	}
	_, err = f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID})
	if !errors.As(err, &noDistribution) {
		t.Errorf("list: error %v, want NoSuchDistribution", err)
	}
	_, err = f.client.GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: &f.dist.ID, Id: aws.String("INONE")})
	if !errors.As(err, &noDistribution) {
		t.Errorf("get: error %v, want NoSuchDistribution", err)
	}
}

// An invalidation that was accepted is applied after a restart, with its number, and then Completed.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.db")
	broken := &fakeEdges{failing: errors.New("edge is away")}
	f := startAt(t, path, broken, Options{CloseWait: time.Millisecond})
	out, err := f.invalidate(t.Context(), "ref", "/a")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err == nil || !strings.Contains(err.Error(), "1 invalidations are not applied") {
		t.Errorf("close said %v, want the number that is left", err)
	}
	if a := f.send(t, http.MethodGet, "/2020-05-31/distribution", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("a closed server answered %d", a.status)
	}

	again := startAt(t, path, &fakeEdges{}, Options{})
	if again.dist.ID != f.dist.ID || again.dist.ETag != f.dist.ETag {
		t.Errorf("distribution %s %s after the restart, want %s %s", again.dist.ID, again.dist.ETag, f.dist.ID, f.dist.ETag)
	}
	again.await(t, *out.Invalidation.Id)
	if diff := cmp.Diff(again.edges.seen(), []applied{{f.dist.ID, 1, []string{"/a"}}}); diff != "" {
		t.Errorf("edges saw (-got +want):\n%s", diff)
	}
	repeat, err := again.invalidate(t.Context(), "ref", "/a")
	if err != nil {
		t.Fatal(err)
	}
	if *repeat.Invalidation.Id != *out.Invalidation.Id || *repeat.Invalidation.Status != "Completed" {
		t.Errorf("repeat after the restart: %s %s, want %s Completed", *repeat.Invalidation.Id, *repeat.Invalidation.Status, *out.Invalidation.Id)
	}
}
