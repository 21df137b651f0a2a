package standalone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/durable"
)

// controlAPI is the control API of one edge.
type controlAPI struct {
	server *control.Server
	id     string // of the distribution
	scrap  string // folder to remove in the end; "" for none
}

// openControl opens the API's history and shows the edge's distribution. Viewers reach that at the given base URL.
func openControl(ctx context.Context, o *Options, e *edge.Edge, from *source, viewers string) (*controlAPI, error) {
	api := &controlAPI{}
	dir := o.State
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", "freshet-edge-"); err != nil {
			return nil, fmt.Errorf("make a folder for the control API: %w", err)
		}
		api.scrap = dir
	} else if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	domain := hostOf(viewers)
	api.server, err = control.Open(filepath.Join(dir, "control.db"), applier{e}, control.Options{
		Credentials: o.Credentials, Now: o.Now, Rand: o.Random, Logger: o.Logger,
		Domain: func(string) string { return domain }, Fault: readOnly,
		Volatile: api.scrap != "", // the folder goes with this process
	})
	if err != nil {
		return nil, errors.Join(err, api.close())
	}
	d, err := api.server.SetDistribution(ctx, distribution(o, from))
	if err != nil {
		return nil, errors.Join(err, api.close())
	}
	api.id = d.ID
	return api, nil
}

// readOnly refuses what would change the distribution or its policies: they are what the edge was started with.
func readOnly(operation string) *control.Fault {
	if operation == "CreateInvalidation" || strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List") {
		return nil
	}
	return &control.Fault{
		Status: http.StatusForbidden, Code: "AccessDenied", Message: "This edge is configured where it was started; its control API reads and invalidates.",
	}
}

func (a *controlAPI) close() error {
	var errs []error
	if a.server != nil {
		errs = append(errs, a.server.Close())
	}
	if a.scrap != "" {
		errs = append(errs, os.RemoveAll(a.scrap))
	}
	return errors.Join(errs...)
}

// applier hands invalidations to the edge.
type applier struct{ edge *edge.Edge }

var _ control.Edges = applier{}

// Invalidate applies items; the next request of any viewer sees it.
func (a applier) Invalidate(_ context.Context, _ string, sequence uint64, items []string) error {
	return a.edge.Apply(sequence, items)
}

// Configure does nothing: the edge had its configuration before the API was opened.
func (a applier) Configure(context.Context, string, control.DistributionConfig) error { return nil }
