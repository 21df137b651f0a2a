package release

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// The journal's file is what encoding/json makes of it, byte by byte.
func TestEncodeJournal(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[a-z/.]{0,6}`), rapid.SampledFrom([]string{
		touchedList, `"],` + pendingList, `}],"touched":["`, "日<&>\u2028", "\\\"", "\x01\x7f\xff", `["`,
	}))
	pending := rapid.Custom(func(t *rapid.T) PendingURL {
		return PendingURL{text.Draw(t, "distribution"), site.URLPath(text.Draw(t, "path")), site.Key(text.Draw(t, "key")), rapid.Bool().Draw(t, "variants")}
	})
	rapid.Check(t, func(t *rapid.T) {
		j := Journal{
			Version: Version, Release: ID(text.Draw(t, "release")), Writer: text.Draw(t, "writer"), Started: time.Unix(1, 0).UTC(),
			Touched: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) site.Key { return site.Key(text.Draw(t, "key")) }), 0, 4).Draw(t, "touched"),
			Pending: rapid.SliceOfN(pending, 0, 4).Draw(t, "pending"),
			Closed:  rapid.Bool().Draw(t, "closed"),
		}
		for _, k := range j.Touched {
			j.Overwritten = append(j.Overwritten, Overwritten{k, text.Draw(t, "etag")})
		}
		want, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := encodeJournal(j)
		if diff := cmp.Diff(string(got), string(want)+"\n"); diff != "" || err != nil {
			t.Fatalf("%v (-got +want):\n%s", err, diff)
		}
	})
}
