package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// nowhere is a viewers' host that cannot be connected to.
type nowhere struct{}

func (nowhere) Ask(context.Context, site.URLPath) (remote.Answer, error) {
	return remote.Answer{}, fmt.Errorf("ask: %w", remote.ErrUnreachable)
}

func (nowhere) String() string { return "https://nowhere.example" }

// What the CDN says of the invalidation has to do where its edge cannot be
// reached from here; the run is over and says that nothing was seen.
func TestHostThatCannotBeConnectedTo(t *testing.T) {
	r := newRig(t)
	r.opts.Distributions[0].Viewer = nowhere{}
	r.write(blog())
	res, err := r.deploy()
	if err != nil {
		t.Fatal(err)
	}
	if res.Verified.Unseen == "" || res.Verified.Checked != 0 || len(r.invalidated()) != 1 {
		t.Errorf("verified %+v after %d invalidations", res.Verified, len(r.invalidated()))
	}
	if s := r.state(); s.Current == nil || s.Journal != nil {
		t.Errorf("the run is not over: %+v", s)
	}
}

// A run that was interrupted before its invalidation leaves URLs with all their
// query strings, and the next run, which has nothing to upload, covers them.
func TestVariantsSurviveAnInterruptedRun(t *testing.T) {
	r := newRig(t)
	r.opts.NoVerify = true
	r.opts.Distributions[0].View = rules.View{Routes: []rules.Route{{Pattern: "*", Bucket: true, Variants: true}}}
	r.publish(blog())
	r.setHook(func(op, _ string) memory.Fault {
		if op == memory.OpInvalidate {
			return memory.FailBefore(remote.ErrDenied)
		}
		return memory.Fault{}
	})
	r.write(with(blog(), "main.css", "edited"))
	if _, err := r.deploy(); !errors.Is(err, remote.ErrDenied) {
		t.Fatalf("deploy: %v, want ErrDenied", err)
	}
	r.setHook(nil)
	r.mustDeploy()
	sent := r.invalidated()
	items := sent[len(sent)-1]
	for _, url := range []site.URLPath{"/main.css", "/main.css?v=2"} {
		if !slices.ContainsFunc(items, func(it string) bool { return invalidation.Path(it).Covers(url) }) {
			t.Errorf("%q leave %s stale", items, url)
		}
	}
}
