package control

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// What an edge's key adds to the log is applied everywhere, whatever it is: an entry that a view cannot take would stop every control node for ever, and a member
// whom no lease can name would hold up completion for ever.
func TestAnEdgesEntryStopsNobody(t *testing.T) {
	for name, id := range map[string]string{
		"empty": "", "longer than a key": strings.Repeat("m", 40_000), "a subject of two tokens": "a.b", "a wildcard": "*", "a space": "a b", "a line": "a\nb",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "view.db"), nil, Options{Log: newLog(), Completed: never})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			data := Content(fleet.Entry{Sequence: 1, Data: EncodeJoin(id, "edge"), FromEdge: true})
			if err := s.Apply(1, data); err != nil || s.Applied() != 1 {
				t.Fatalf("applied %d: %.100v", s.Applied(), err)
			}
			if members := s.Members(); len(members) != 0 {
				t.Errorf("members %v", members)
			}
		})
	}
}

// An edge's entry of many small things takes no memory of everybody who follows the log.
func TestAnEdgesEntryTakesNoMemory(t *testing.T) {
	for name, begin := range map[string]func(e *encoder){
		"members": func(*encoder) {},
		"tags":    func(e *encoder) { *e = append(*e, kindSetTags); e.text("E1"); e.number(fleet.MaxEntry / 2) },
	} {
		t.Run(name, func(t *testing.T) {
			e := encoder{entryVersion}
			begin(&e)
			for len(e) < fleet.MaxEntry-3 {
				e = append(e, kindJoin, 0, 0)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := Content(fleet.Entry{Sequence: 1, Data: e, FromEdge: true})
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 || len(got) != 1 {
				t.Errorf("it took %d bytes to make %d of %d", took, len(got), len(e))
			}
		})
	}
}
