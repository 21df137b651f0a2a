// Package readonly wraps a store so that nothing can be written through it:
// what `freshet plan` and `freshet status` look through.
package readonly

import (
	"context"
	"fmt"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Store passes reads on and refuses writes with remote.ErrUnsupported.
type Store struct{ remote.Store }

var _ remote.Store = Store{}

func refuse(op string, key site.Key) error {
	return fmt.Errorf("%s %s: %w: this command only reads", op, key, remote.ErrUnsupported)
}

// Put refuses.
func (Store) Put(_ context.Context, put remote.Put) (string, error) {
	return "", refuse("put", put.Key)
}

// Copy refuses.
func (Store) Copy(_ context.Context, c remote.Copy) (string, error) {
	return "", refuse("copy to", c.To)
}

// Delete refuses, unless there is nothing to delete.
func (Store) Delete(_ context.Context, keys []site.Key) error {
	if len(keys) == 0 {
		return nil
	}
	return refuse("delete", keys[0])
}
