package remotetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
)

// Configurator checks a CDN that is a remote.Configurator as well. open is as
// for CDN; the distribution is changed, so that it must be nobody's.
func Configurator(t *testing.T, open func(t *testing.T) (cdn remote.CDN, distributionID string)) {
	runCDN(t, changeCases, open)
}

var changeCases = []cdnCase{
	{"Settings tells of each origin and behavior", configuring(func(t *testing.T, cdn configurable, id string) {
		d, s := cdn.read(t, id)
		if len(s.Behaviors) != len(d.Behaviors) || len(s.Origins) != len(d.Origins) || s.Version == "" {
			t.Fatalf("Settings = %+v, of %+v", s, d)
		}
		for i, b := range s.Behaviors {
			if b.Pattern != d.Behaviors[i].Pattern || b.Caching == nil || b.Caching.Min > b.Caching.Max {
				t.Errorf("behavior %d is %+v", i+1, b)
			}
		}
		for i, o := range s.Origins {
			if o.ID != d.Origins[i].ID {
				t.Errorf("origin %d is %+v", i+1, o)
			}
		}
	})},
	{"Settings and Propose of an unknown id are ErrNotFound", configuring(func(t *testing.T, cdn configurable, _ string) {
		for _, id := range []string{"EUNKNOWN000000", ""} {
			_, err := cdn.Settings(t.Context(), id)
			wantIs(t, "Settings", err, remote.ErrNotFound)
			_, err = cdn.Propose(t.Context(), id, remote.Change{RootObject: "x.html"})
			wantIs(t, "Propose", err, remote.ErrNotFound)
		}
	})},
	{"a proposal changes nothing", configuring(func(t *testing.T, cdn configurable, id string) {
		before, settings := cdn.read(t, id)
		p := cdn.propose(t, id, wholeChange)
		if len(p.Lines) == 0 || p.Version != settings.Version {
			t.Errorf("Propose = %+v", p)
		}
		after, same := cdn.read(t, id)
		if diff := cmp.Diff([]any{after, same}, []any{before, settings}); diff != "" {
			t.Errorf("afterwards (-got +want):\n%s", diff)
		}
		if p := cdn.propose(t, id, remote.Change{RootObject: before.DefaultRootObject}); len(p.Lines) != 0 {
			t.Errorf("what changes nothing has the lines %+v", p.Lines)
		}
	})},
	{"Apply changes what was proposed and nothing else", configuring(applyCase)},
	{"an outdated proposal is ErrPrecondition, and nothing is done", configuring(func(t *testing.T, cdn configurable, id string) {
		first, second := cdn.propose(t, id, remote.Change{RootObject: "a.html"}), cdn.propose(t, id, remote.Change{RootObject: "b.html"})
		if err := cdn.Apply(t.Context(), first); err != nil {
			t.Fatalf("Apply: %v", err)
		}
		wantIs(t, "Apply", cdn.Apply(t.Context(), second), remote.ErrPrecondition)
		wantIs(t, "a repeat", cdn.Apply(t.Context(), first), remote.ErrPrecondition)
		if d, _ := cdn.read(t, id); d.DefaultRootObject != "a.html" {
			t.Errorf("the default root object is %q", d.DefaultRootObject)
		}
	})},
}

// wholeChange has one of everything.
var wholeChange = remote.Change{
	RootObject: "start/index.html", Compress: []string{"*"},
	Errors: []remote.ErrorPage{{Status: 403, Page: "/404.html", Response: 404, MinTTL: 10 * time.Second}, {Status: 504, MinTTL: time.Second}},
}

func applyCase(t *testing.T, cdn configurable, id string) {
	before, settings := cdn.read(t, id)
	if err := cdn.Apply(t.Context(), cdn.propose(t, id, wholeChange)); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	after, changed := cdn.read(t, id)
	before.DefaultRootObject, before.Deployed = wholeChange.RootObject, after.Deployed
	before.ErrorPages = append(before.ErrorPages, wholeChange.Errors...)
	settings.Behaviors[len(settings.Behaviors)-1].Compress = true
	if changed.Version == settings.Version {
		t.Error("the version stayed")
	}
	settings.Version = changed.Version
	if diff := cmp.Diff([]any{after, changed}, []any{before, settings}); diff != "" {
		t.Errorf("afterwards (-got +want):\n%s", diff)
	}
	if p := cdn.propose(t, id, wholeChange); len(p.Lines) != 0 {
		t.Errorf("once more it would change %+v", p.Lines)
	}
}

// configurable is a CDN that can be looked at and changed.
type configurable struct {
	remote.CDN
	remote.Configurator
}

func configuring(test func(*testing.T, configurable, string)) func(*testing.T, remote.CDN, string) {
	return func(t *testing.T, cdn remote.CDN, id string) {
		c, ok := cdn.(remote.Configurator)
		if !ok {
			t.Fatal("it is no remote.Configurator")
		}
		test(t, configurable{cdn, c}, id)
	}
}

func (c configurable) read(t *testing.T, id string) (remote.Distribution, remote.Settings) {
	t.Helper()
	d, err := c.Distribution(t.Context(), id)
	s, bad := c.Settings(t.Context(), id)
	if err := errors.Join(err, bad); err != nil {
		t.Fatal(err)
	}
	d.Deployed = false // may change in between
	return d, s
}

func (c configurable) propose(t *testing.T, id string, change remote.Change) remote.Proposal {
	t.Helper()
	p, err := c.Propose(t.Context(), id, change)
	if err != nil {
		t.Fatalf("Propose: %v", err)
	}
	return p
}
