package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/user"
	"runtime/debug"
	"time"

	"github.com/freshet/freshet/internal/presence"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
)

// publication is a site held against a target: what plan shows and what deploy,
// rollback and sweep carry out.
type publication struct {
	app      *app
	project  project
	scanning *scanning // nil where the site does not come from a folder
	files    files     // the scanned site, once it is needed; empty likewise
	target   *target
	engine   *deploy.Engine
	live     plan.Live
	plan     plan.Plan
	counting *counting // under way, nil for none
	ledger   string    // why the month's count is not whole, "" where it is
	made     time.Time
	stored   *planFile         // the plan to carry out, nil to make one
	revision *release.Revision // what the site was built from, nil where nobody knows
}

// heapGrowth is how much the heap may grow before it is collected, in percent of
// what is in use. What a publication has in memory it needs to the end, so that
// more room than this buys little: measured at 20,000 files, a quarter less
// memory than with Go's 100 for 0.1 s more of processor time.
const heapGrowth = 30

// A site of more files than largeSite lets the heap grow by less, so that what it
// grows by stays what it is for that many, down to leastGrowth.
const (
	largeSite   = 200_000
	leastGrowth = 10
)

// growth is heapGrowth for a site of so many files.
func growth(files int) int {
	if files <= largeSite {
		return heapGrowth
	}
	return max(int(int64(heapGrowth)*largeSite/int64(files)), leastGrowth)
}

// collect sets how much the heap may grow for a site of so many files.
func (a *app) collect(files int) {
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(growth(files))
	}
}

// connect opens the target. The caller closes it.
func (a *app) connect(ctx context.Context, p project, opts deploy.Options, access access) (*publication, error) {
	a.collect(0)
	return a.attach(ctx, p, opts, access)
}

func (a *app) attach(ctx context.Context, p project, opts deploy.Options, access access) (*publication, error) {
	t, err := a.open(ctx, p, access)
	if err != nil {
		return nil, err
	}
	return &publication{app: a, project: p, target: t, engine: a.engine(t, opts)}, nil
}

// scanned is connect for a site that comes from its folder, which is read
// meanwhile. The caller closes the publication.
func (a *app) scanned(ctx context.Context, p project, opts deploy.Options, access access) (*publication, error) {
	a.collect(0)
	scanning, err := a.startScan(ctx, p, a.collect)
	if err != nil {
		return nil, err
	}
	if scanning.why != "" {
		a.tell("publishing %s: %s", scanning.why, scanning.dir)
	}
	pub, err := a.attach(ctx, p, opts, access)
	if err != nil {
		defer scanning.end()
		if _, bad := scanning.wait(); bad != nil { // the site comes first, however slowly it is read
			err = bad
		}
		return nil, err
	}
	pub.scanning = scanning
	return pub, nil
}

// scannedSite is a job's Want: the site in the folder, once it is read.
func (pub *publication) scannedSite(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
	if state.Current == nil {
		pub.countEarly(ctx)
	}
	files, err := pub.scanning.wait()
	if err != nil {
		return site.Manifest{}, nil, err
	}
	files.manifest.ShareKeys(state.Live.Site) // nobody else has them yet
	pub.files = files
	if !sameBytes(files.manifest, state.Live.Site) {
		pub.countEarly(ctx)
	}
	return files.manifest, deploy.NewFiles(files.scanned), checkKeys(files.manifest, pub.target.prefix)
}

// sameBytes reports whether both have the same keys with the same bytes.
func sameBytes(a, b site.Manifest) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		one, _ := a.AnswerAt(i)
		other, _ := b.AnswerAt(i)
		if a.KeyAt(i) != b.KeyAt(i) || one != other {
			return false
		}
	}
	return true
}

// close ends what is still under way.
func (pub *publication) close() error {
	pub.counting.end()
	if pub.scanning != nil {
		pub.scanning.end()
	}
	return pub.target.close()
}

// checkKeys makes sure, before anything is sent, that every key still fits
// with the target's prefix in front.
func checkKeys(m site.Manifest, prefix string) error {
	for i := range m.Len() {
		if n := len(prefix) + len(m.KeyAt(i)); n > site.MaxKeyBytes {
			return refused("shorten the name or the prefix; `freshet plan` shows when all fit",
				"%s: the key has %d bytes with the prefix %s, S3 takes %d; nothing was sent", m.KeyAt(i), n, prefix, site.MaxKeyBytes)
		}
	}
	return nil
}

// look reads what is live and plans against it, for who only wants to see it.
func (pub *publication) look(ctx context.Context) error {
	live, err := pub.engine.Look(ctx, pub.scannedSite)
	if err != nil {
		return err
	}
	_, err = pub.decide(ctx, live, pub.files.manifest, "", plan.Make)
	return err
}

// decide makes the plan that turns what is live into want.
func (pub *publication) decide(ctx context.Context, live plan.Live, want site.Manifest, restores release.ID, how func(plan.Input) plan.Plan) (plan.Plan, error) {
	pub.live = live
	pub.app.progress.Clear()
	id, err := release.NewID(pub.live.State.NextNumber(), rand.Reader)
	if err != nil {
		return plan.Plan{}, err
	}
	pub.made = pub.app.now().UTC()
	if pub.stored != nil {
		return pub.again()
	}
	input := pub.input(want, spending(pub.project, pub.target))
	input.Release, input.Restores = id, restores
	pub.plan = how(input)
	if pub.plan.Paths() > 0 && !input.Spending.Free {
		if err := pub.count(ctx, &input.Spending); err != nil {
			return plan.Plan{}, err
		}
		pub.plan = plan.Plan{} // it may be large
		pub.plan = how(input)
	}
	return pub.plan, nil
}

func (pub *publication) input(want site.Manifest, spend plan.Spending) plan.Input {
	return plan.Input{
		Site: want, Live: pub.live, Now: pub.made, Distributions: pub.target.forPlan(want), Spending: spend,
		Retain: pub.project.Retain,
	}
}

// again makes the stored plan anew from what it was made from, and refuses if
// it comes out differently.
func (pub *publication) again() (plan.Plan, error) {
	spend := spending(pub.project, pub.target)
	var id release.ID
	id, pub.made, spend.Used = pub.stored.inputs()
	input := pub.input(pub.files.manifest, spend)
	input.Release = id
	pub.plan = plan.Make(input)
	return pub.plan, pub.stored.unchanged(pub)
}

// engine wires the engine to an open target.
func (a *app) engine(t *target, opts deploy.Options) *deploy.Engine {
	opts.Distributions, opts.Limits, opts.Fleet = t.forEngine(), t.limits, t.fleet
	opts.Jobs, opts.Now = jobs, a.now
	opts.Lock.Writer = writer()
	if here, err := presence.Default(); err == nil {
		opts.Lock.Announce, opts.Lock.Gone, opts.Lock.Host = here.Announce, here.Gone, presence.Host()
	}
	opts.Events = a.events()
	return deploy.New(t.store, t.cdn, t.record, opts)
}

// writer names this user and machine for the journal.
func writer() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return name + "@" + host
}

// view is the plan with what people need around it.
func (pub *publication) view(maxRows int) ui.PlanView {
	return ui.PlanView{
		Target: pub.target.name, From: pub.target.store.String(), To: pub.target.names(), Plan: pub.plan, MaxRows: maxRows,
		Ledger: pub.ledger,
	}
}
