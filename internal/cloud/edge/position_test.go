package edge

import (
	"testing"
	"time"
)

// A restart goes on at the position of the last items, and takes no items twice.
func TestPosition(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, counter("Cache-Control: max-age=600"), onDisk(dir, 1<<20))
	b.get("/a")
	b.get("/b")
	if err := b.InvalidateAt(3, []string{"/a"}); err != nil || b.Position() != 3 {
		t.Fatalf("%v, position %d", err, b.Position())
	}
	b.Advance(5)
	next, to := b.killed(dir, 1<<20)
	if got := next.Position(); got != 3 && got != 5 { // a sweep may have brought it to the disk
		t.Errorf("position %d after a kill", next.Position())
	}
	next.want("/a", 200, "Miss", "3")
	if err := next.InvalidateAt(3, []string{"/a"}); err != nil || next.Stats().Invalidations != 0 {
		t.Errorf("%v, %d invalidations", err, next.Stats().Invalidations)
	}
	next.want("/a", 200, "Hit", "3")
	next.Advance(8)
	last := next.again(to, 1<<20)
	if last.Position() != 8 {
		t.Errorf("position %d after a close", last.Position())
	}
	last.want("/a", 200, "Hit", "3")
	if err := last.RevalidateAll(); err != nil {
		t.Fatal(err)
	}
	last.want("/a", 200, "Miss", "4")
}

// Everything is asked for again, and bytes that can be proved stay.
func TestRevalidateAll(t *testing.T) {
	b, p := newPage(t)
	b.get("/a")
	b.advance(time.Second)
	if err := b.RevalidateAll(); err != nil {
		t.Fatal(err)
	}
	p.requests()
	b.want("/a", 200, "RefreshHit", "one")
	p.wantAsked("GET if")
	b.want("/a", 200, "Hit", "one")
	if b.Position() != 0 {
		t.Errorf("position %d", b.Position())
	}
}
