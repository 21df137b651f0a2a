package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

func TestStream(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Date(2026, 11, 22, 13, 0, 0, 0, time.FixedZone("CET", 3600))}
	s := NewStream(&b, c.Now)
	step := plan.Step{Op: plan.OpAdd, Object: site.Object{Key: `a "b".html`, Size: 12}}
	for _, e := range []deploy.Event{
		{Stage: StageScan},
		{Stage: deploy.StageList, Done: 3},
		{Stage: StageScan, Done: 2, Total: 2, DoneBytes: 24, TotalBytes: 24, Finished: true},
		{Stage: deploy.StageList, Done: 3, Finished: true},
		{Stage: deploy.StageLock, Note: "waiting for ann@desk"},
		{Stage: deploy.StageUpload, Total: 2, TotalBytes: 24, Note: "new pages"},
		{Stage: deploy.StageUpload, Done: 1, Total: 2, DoneBytes: 12, TotalBytes: 24, Note: "new pages", Step: &step},
		{Stage: deploy.StageUpload, Note: "put a.html: reset; trying again in 1.5s"},
		{Stage: deploy.StageUpload, Done: 2, Total: 2, DoneBytes: 24, TotalBytes: 24, Finished: true},
	} {
		s.Event(e)
		c.now = c.now.Add(time.Second)
	}
	s.Note("S3 asks to slow down; trying again in 800ms")
	s.Warn("beware")
	s.Event(deploy.Event{Stage: deploy.StageWait, Note: "I1 InProgress"})
	if err := s.Result(map[string]int{"exit": 0}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"event":"phase","time":"2026-11-22T12:00:00Z","phase":"scan","state":"started"}`,
		`{"event":"phase","time":"2026-11-22T12:00:01Z","phase":"list","state":"started"}`,
		`{"event":"progress","time":"2026-11-22T12:00:01Z","phase":"list","done":3,"total":0,"done_bytes":0,"total_bytes":0}`,
		`{"event":"phase","time":"2026-11-22T12:00:02Z","phase":"scan","state":"finished","duration_ms":2000,"done":2,"total":2,"done_bytes":24,"total_bytes":24}`,
		`{"event":"phase","time":"2026-11-22T12:00:03Z","phase":"list","state":"finished","duration_ms":2000,"done":3,"total":0,"done_bytes":0,"total_bytes":0}`,
		`{"event":"phase","time":"2026-11-22T12:00:04Z","phase":"lock","state":"started"}`,
		`{"event":"note","time":"2026-11-22T12:00:04Z","phase":"lock","message":"waiting for ann@desk"}`,
		`{"event":"phase","time":"2026-11-22T12:00:05Z","phase":"lock","state":"finished","duration_ms":1000}`,
		`{"event":"phase","time":"2026-11-22T12:00:05Z","phase":"upload","state":"started"}`,
		`{"event":"note","time":"2026-11-22T12:00:05Z","phase":"upload","message":"new pages"}`,
		`{"event":"progress","time":"2026-11-22T12:00:05Z","phase":"upload","done":0,"total":2,"done_bytes":0,"total_bytes":24}`,
		`{"event":"step","time":"2026-11-22T12:00:06Z","phase":"upload","op":"add","key":"a \"b\".html","size":12}`,
		`{"event":"progress","time":"2026-11-22T12:00:06Z","phase":"upload","done":1,"total":2,"done_bytes":12,"total_bytes":24}`,
		`{"event":"retry","time":"2026-11-22T12:00:07Z","phase":"upload","message":"put a.html: reset","wait_ms":1500}`,
		`{"event":"phase","time":"2026-11-22T12:00:08Z","phase":"upload","state":"finished","duration_ms":3000,"done":2,"total":2,"done_bytes":24,"total_bytes":24}`,
		`{"event":"retry","time":"2026-11-22T12:00:09Z","message":"S3 asks to slow down","wait_ms":800}`,
		`{"event":"warning","time":"2026-11-22T12:00:09Z","message":"beware"}`,
		`{"event":"phase","time":"2026-11-22T12:00:09Z","phase":"wait","state":"started"}`,
		`{"event":"note","time":"2026-11-22T12:00:09Z","phase":"wait","message":"I1 InProgress"}`,
		`{"event":"phase","time":"2026-11-22T12:00:09Z","phase":"wait","state":"stopped","duration_ms":0}`,
		`{"event":"result","time":"2026-11-22T12:00:09Z","result":{"exit":0}}`, "",
	}
	if diff := cmp.Diff(strings.Split(b.String(), "\n"), want); diff != "" {
		t.Errorf("lines (-got +want):\n%s", diff)
	}
}

func TestStreamBoundsProgress(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	s := NewStream(&b, c.Now)
	for i := range 1000 {
		s.Event(deploy.Event{Stage: deploy.StageVerify, Done: i, Total: 1000})
		c.now = c.now.Add(time.Millisecond)
	}
	if n := strings.Count(b.String(), `"progress"`); n != 5 {
		t.Errorf("told %d times in a second, want 5", n)
	}
	for line := range strings.Lines(b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// full takes one line.
type full struct{ lines int }

func (f *full) Write(p []byte) (int, error) {
	if f.lines++; f.lines > 1 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestStreamSaysThatItCannotWrite(t *testing.T) {
	f := &full{}
	s := NewStream(f, time.Now)
	s.Warn("one")
	s.Warn("two")
	s.Warn("three")
	if err := s.Result(nil); err == nil || f.lines != 2 {
		t.Errorf("Result: %v after %d writes, want an error after 2", err, f.lines)
	}
}
