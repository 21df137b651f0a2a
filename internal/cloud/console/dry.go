package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// Bounds of a trial.
const (
	maxTrialItems = 50
	maxTrialShown = 50
)

// Trial is what an invalidation would do now. Nothing was changed.
type Trial struct {
	Objects int           `json:"objects"` // that it would drop from memory
	Bytes   int64         `json:"bytes"`   // of their bodies
	Items   []TrialItem   `json:"items"`   // in the order in which they were given, without repeats
	First   []ObjectState `json:"first"`   // of the objects, in the order of their URIs, the first 50
	// Disk says that there is a disk tier, whose objects were not looked at.
	Disk bool `json:"disk"`
}

// TrialItem is one item of a trial.
type TrialItem struct {
	Item    string `json:"item"`
	Objects int    `json:"objects"` // that it covers, others may cover them too
	Bytes   int64  `json:"bytes"`
	Effect  bool   `json:"effect"` // false: CloudFront accepts the item, and it never matches anything
}

// try goes through the cache for a list of items. The error wraps errAsked for a list that the control API would refuse.
func (c *Console) try(ctx context.Context, given []string) (Trial, error) {
	t := Trial{Items: []TrialItem{}, First: []ObjectState{}, Disk: c.opts.Cache.Stats().Disk.Objects > 0}
	items, places, err := t.read(given)
	if err != nil || len(items) == 0 {
		return t, err
	}
	var page []ObjectState
	err = c.walk(ctx, func() error {
		return c.opts.Cache.Preview(ctx, items, func(o *edge.ObjectInfo, by []int) bool {
			t.Objects++
			t.Bytes += int64(o.Size)
			for _, i := range by {
				t.Items[places[i]].Objects++
				t.Items[places[i]].Bytes += int64(o.Size)
			}
			if page = append(page, objectState(o)); len(page) == 8*maxTrialShown {
				page = firstOf(page)
			}
			return true
		})
	})
	t.First = append(t.First, firstOf(page)...)
	return t, err
}

// read fills in the items, and returns those that reach the edges with their places.
func (t *Trial) read(given []string) (items []string, places []int, err error) {
	for _, item := range given {
		item = strings.TrimSpace(item)
		if item == "" || slices.ContainsFunc(t.Items, func(i TrialItem) bool { return i.Item == item }) {
			continue
		}
		works, err := control.Effective([]string{item})
		if err != nil {
			return nil, nil, asked("%s", err)
		}
		if len(works) > 0 {
			items, places = append(items, item), append(places, len(t.Items))
		}
		t.Items = append(t.Items, TrialItem{Item: item, Effect: len(works) > 0})
	}
	switch {
	case len(t.Items) == 0:
		return nil, nil, asked("give at least one path or #tag")
	case len(t.Items) > maxTrialItems:
		return nil, nil, asked("that are %d items; %d can be tried at a time", len(t.Items), maxTrialItems)
	}
	return items, places, nil
}

func firstOf(page []ObjectState) []ObjectState {
	slices.SortFunc(page, func(a, b ObjectState) int {
		if n := strings.Compare(a.URI, b.URI); n != 0 {
			return n
		}
		return strings.Compare(a.Variant, b.Variant)
	})
	return page[:min(len(page), maxTrialShown)]
}

func (c *Console) serveDry(w http.ResponseWriter, r *http.Request) {
	t, err := c.try(r.Context(), r.URL.Query()["item"])
	answer(w, t, err)
}
