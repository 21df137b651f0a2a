package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
)

// place is where viewers get answers: where the site's name leads, or one edge of
// a fleet.
type place struct {
	edge    string          // its name; "" for where the site's name leads
	viewers []remote.Viewer // by distribution; nil for one that is not asked
	asked   []check
	due     []check // what is left to be proved: at first all that is asked
	unasked error   // why it gave no answers; nil where it did
}

func newPlace(edge string, asked []check) *place { return &place{edge: edge, asked: asked, due: asked} }

// round is all places of a verification; the first is where the site's name leads.
type round struct {
	places []*place
	fleet  *FleetVerification // what is known of the edges before they are asked; nil without a fleet
}

// Above manyEdges edges, a sample of the URLs is asked for at each, so that all of
// them together are asked no more than so many would be; but never fewer than
// leastVerified at one.
const (
	manyEdges     = 20
	leastVerified = 10
)

// perEdge is how many URLs are asked for at each of so many edges.
func perEdge(edges int) int {
	return min(maxVerified, max(leastVerified, manyEdges*maxVerified/max(1, edges)))
}

// sample is at most max of cs, evenly spread. It is another sample for each nth of
// so many, so that together they have as many of cs as can be.
func sample(cs []check, max, nth, of int) []check {
	if len(cs) <= max {
		return cs
	}
	out := make([]check, max)
	for i := range out {
		out[i] = cs[(i*len(cs)+nth*len(cs)/of)/max]
	}
	return out
}

// round says what is asked where.
func (e *Engine) round(ctx context.Context, all []check) (round, error) {
	home := newPlace("", sample(all, maxVerified, 0, 1))
	for _, d := range e.opts.Distributions {
		home.viewers = append(home.viewers, d.Viewer)
	}
	r := round{places: []*place{home}}
	state, err := e.readFleet(ctx)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err != nil {
		r.fleet = &FleetVerification{Unread: err.Error()}
	}
	if state == nil {
		return r, nil
	}
	var edges []remote.FleetEdge
	edges, r.fleet = serving(state)
	for n, edge := range edges {
		one := newPlace(cmp.Or(edge.Name, edge.Address), sample(all, perEdge(len(edges)), n, len(edges)))
		one.viewers, one.unasked = e.viewersAt(edge.Address)
		r.places = append(r.places, one)
	}
	return r, nil
}

func (e *Engine) readFleet(ctx context.Context) (f *remote.Fleet, err error) {
	if e.opts.Fleet == nil {
		return nil, nil
	}
	note := func(text string) { e.report.send(Event{Stage: StageVerify, Note: text}) }
	err = e.patient(ctx, note, func() error { f, err = e.opts.Fleet(ctx); return err })
	return f, err
}

// serving are the edges that are asked, those that answer from their caches and
// can be reached by what they say of themselves, and what is to be told of the
// others.
func serving(f *remote.Fleet) ([]remote.FleetEdge, *FleetVerification) {
	v := &FleetVerification{}
	var out []remote.FleetEdge
	type lives struct{ name, address string }
	seen := map[lives]bool{}
	for _, edge := range f.Edges {
		is := lives{edge.Name, edge.Address}
		if edge.State != remote.Serving || edge.Address != "" && seen[is] {
			continue // it has nothing, asks the origin for everything, or has just been restarted
		}
		seen[is] = true
		v.Edges++
		u, err := url.Parse(edge.Address)
		switch {
		case edge.Address == "":
			v.Nameless++
		case err == nil && remote.Loopback(u.Hostname()) && !f.Here:
			v.Unasked = append(v.Unasked, Unasked{edge.Name, "its address " + edge.Address + " is one of its own machine alone"})
		default:
			out = append(out, edge)
		}
	}
	return out, v
}

// viewersAt are the distributions' viewers at the edge with the address.
func (e *Engine) viewersAt(address string) ([]remote.Viewer, error) {
	out := make([]remote.Viewer, len(e.opts.Distributions))
	for i, d := range e.opts.Distributions {
		if d.Viewer == nil {
			continue // nothing is asked there
		}
		if d.At == nil {
			return nil, errors.New("no edge can be asked by itself")
		}
		var err error
		if out[i], err = d.At(address); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// visit asks at all places, side by side. A place that gives no answer does not
// fail it, but for the site's name where that can be connected to.
func (e *Engine) visit(ctx context.Context, places []*place) error {
	progress := &counter{report: e.report, event: Event{Stage: StageVerify}}
	for _, p := range places {
		if p.unasked == nil {
			progress.event.Total += len(p.due)
			if p.edge != "" {
				progress.event.Edges++
			}
		}
	}
	progress.note("")
	g, ctx := crash.WithContext(ctx)
	g.SetLimit(max(2, 4*e.opts.Jobs))
	for _, p := range places {
		if p.unasked == nil {
			g.Go(func() error { return e.call(ctx, p, e.atOnce(p, len(places)), progress) })
		}
	}
	return g.Wait()
}

// atOnce is how many requests are made at a time at a place: all edges together
// get some more than one place alone.
func (e *Engine) atOnce(p *place, places int) int {
	if p.edge == "" {
		return e.opts.Jobs
	}
	return max(1, min(e.opts.Jobs, 4*e.opts.Jobs/places))
}

// call asks at p, and again where it was stale before. An edge has as long as an
// invalidation may take.
func (e *Engine) call(ctx context.Context, p *place, jobs int, progress *counter) error {
	own := ctx
	if p.edge != "" {
		var cancel context.CancelFunc
		own, cancel = context.WithTimeout(ctx, e.opts.Wait)
		defer cancel()
	}
	err := e.ask(own, p, jobs, progress)
	var mistake *crash.Error
	switch {
	case err == nil:
	case ctx.Err() != nil || errors.As(err, &mistake) || p.edge == "" && !errors.Is(err, remote.ErrUnreachable):
		return err
	case !slices.ContainsFunc(p.due, func(c check) bool { return c.gaveOld }): // that would stand
		p.unasked = err
	}
	return nil
}

// edgePatience is how long a question is put to an edge again and again. One that
// has none to give is not to hold up the run: it is told of.
const edgePatience = 30 * time.Second

// ask puts what is due to p, and leaves due what is not proved. An error says that
// not everything was answered.
func (e *Engine) ask(ctx context.Context, p *place, jobs int, progress *counter) error {
	g, ctx := crash.WithContext(ctx)
	g.SetLimit(jobs)
	answers := make([]*remote.Answer, len(p.due))
	for i, c := range p.due {
		g.Go(func() error {
			answer, err := e.question(ctx, p, c, progress)
			if err == nil && p.edge != "" && c.judge(answer) != "" {
				err = c.alien(answer)
			}
			if err != nil {
				return err
			}
			answers[i] = &answer
			progress.done(1, 0)
			return nil
		})
	}
	err := g.Wait()
	p.judge(answers)
	return err
}

// judge notes what is wrong with the answers to what is due at p; of a check
// without one, nil, that stands which was found before.
func (p *place) judge(answers []*remote.Answer) {
	was := p.due
	p.due = nil
	for i, c := range was {
		if a := answers[i]; a != nil {
			if c.wrong, c.gaveOld = c.judge(*a), c.isOld(*a); c.wrong == "" {
				continue
			}
		}
		p.due = append(p.due, c)
	}
}

// stale is what is wrong with p's last answers.
func (e *Engine) stale(p *place) []Stale {
	var out []Stale
	for _, c := range p.due {
		if d := e.opts.Distributions[c.on]; p.unasked == nil && c.wrong != "" {
			out = append(out, Stale{p.edge, d.ID, d.Viewer.String(), c.path, c.wrong})
		}
	}
	return out
}

// question asks for one URL, again where that fails for the moment.
func (e *Engine) question(ctx context.Context, p *place, c check, progress *counter) (answer remote.Answer, err error) {
	began, note := time.Now(), progress.tell
	if p.edge != "" {
		note = func(text string) { progress.tell(p.edge + ": " + text) }
	}
	err = retry(ctx, note, func() (err error) {
		answer, err = p.viewers[c.on].Ask(ctx, c.path)
		return err
	}, func(err error, n int) bool {
		return n < tries && !errors.Is(err, remote.ErrUnreachable) && (p.edge == "" || time.Since(began) < edgePatience)
	})
	if err != nil && p.edge == "" {
		err = fmt.Errorf("verify at %s: ask for %s: %w", p.viewers[c.on], c.path, err)
	}
	return answer, err
}

// alien says why a wrong answer from an edge's address says nothing of what viewers
// get there; nil where it does. Who sends the old bytes serves this site, whoever it
// is.
func (c check) alien(a remote.Answer) error {
	switch {
	case c.isOld(a):
		return nil
	case a.Cache == "": // an edge says in every answer where it comes from; fact sheet 6
		return fmt.Errorf("what answers at its address is no edge of the fleet (status %d, no X-Cache)", a.Status)
	case a.Plain && (a.Status == http.StatusMovedPermanently || a.Status == http.StatusForbidden):
		// fact sheet 5.3, ViewerProtocolPolicy: redirect-to-https answers 301, https-only 403
		return fmt.Errorf("viewers come with TLS, and its address has none (status %d)", a.Status)
	}
	return nil
}
