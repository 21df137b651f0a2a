package control

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// accepted is an invalidation that was answered.
type accepted struct{ distribution, id, reference string }

// traffic is what clients of a fleet were answered.
type traffic struct {
	mu            sync.Mutex
	invalidations []accepted
	policies      []string
	fatal         []string
}

// client sends random requests to random nodes.
type client struct {
	nodes []*fleetNode
	dists []string
	rand  *rand.Rand
	log   *traffic
}

func (c *client) node() *Server { return c.nodes[c.rand.IntN(len(c.nodes))].Server }
func (c *client) dist() string  { return c.dists[c.rand.IntN(len(c.dists))] }

// step makes one random request.
func (c *client) step(ctx context.Context) {
	switch n := c.rand.IntN(10); {
	case n < 6:
		c.invalidate(ctx)
	case n < 7:
		c.policy(ctx)
	case n < 8:
		c.tag(ctx)
	case n < 9:
		c.update(ctx)
	default:
		c.come(ctx)
	}
}

// invalidate uses references that others use too: one invalidation must come of them.
func (c *client) invalidate(ctx context.Context) {
	dist, ref := c.dist(), fmt.Sprint("r", c.rand.IntN(40))
	a := ask(ctx, c.node(), http.MethodPost, "distribution/"+dist+"/invalidation", batchXML(ref, "/"+ref))
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if a.status == http.StatusCreated {
		c.log.invalidations = append(c.log.invalidations, accepted{dist, idIn(a), ref})
	} else if a.status != http.StatusServiceUnavailable {
		c.log.fatal = append(c.log.fatal, a.body)
	}
}

func (c *client) policy(ctx context.Context) {
	name := fmt.Sprint("p", c.rand.Uint64())
	a := ask(ctx, c.node(), http.MethodPost, "origin-request-policy", originPolicy(name))
	if a.status == http.StatusCreated {
		c.log.mu.Lock()
		defer c.log.mu.Unlock()
		c.log.policies = append(c.log.policies, idIn(a))
	}
}

func (c *client) tag(ctx context.Context) {
	tags := fmt.Sprintf("<Tags><Items><Tag><Key>k%d</Key><Value>%d</Value></Tag></Items></Tags>", c.rand.IntN(5), c.rand.IntN(100))
	ask(ctx, c.node(), http.MethodPost, "tagging?Operation=Tag&Resource=arn:aws:cloudfront::000000000000:distribution/"+c.dist(), tags)
}

// update writes what it has read at one node to another: whoever had it changed in between must be noticed.
func (c *client) update(ctx context.Context) {
	dist := c.dist()
	a := ask(ctx, c.node(), http.MethodGet, "distribution/"+dist+"/config", "")
	if a.status != http.StatusOK {
		return
	}
	body := strings.Replace(a.body, "<Comment>"+between(a.body, "<Comment>", "</Comment>"), fmt.Sprint("<Comment>", c.rand.IntN(1000)), 1)
	ask(ctx, c.node(), http.MethodPut, "distribution/"+dist+"/config", body, "If-Match", a.header.Get("ETag"))
}

// come makes a member join or end at whatever the log has.
func (c *client) come(context.Context) {
	member := fmt.Sprint("m", c.rand.IntN(4))
	data := EncodeJoin(member, "edge")
	if c.rand.IntN(2) == 0 {
		data = EncodeEnd(member)
	}
	l := c.nodes[0].opts.Log.(*memoryLog)
	for {
		if _, err := l.add(l.last(), fmt.Sprint("join ", c.rand.Uint64()), data); err == nil {
			return
		}
	}
}

func originPolicy(name string) string {
	return `<OriginRequestPolicyConfig><Name>` + name + `</Name><HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig>` +
		`<CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig><QueryStringsConfig><QueryStringBehavior>none</QueryStringBehavior></QueryStringsConfig></OriginRequestPolicyConfig>`
}

// Three nodes decide at the same time, on a log that fails: their views end equal, what was answered is in all of them
// once, and a caller reference names one invalidation wherever it was sent.
func TestViewsAgree(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks != nil && checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("25"); err != nil { // each runs three nodes for a quarter of a second
			t.Fatal(err)
		}
		defer func() { _ = checks.Value.Set(checks.DefValue) }() // it took it before
	}
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		history := rapid.SampledFrom([]int{10, 10_000}).Draw(r, "history")
		l := newLog()
		nodes := startFleet(t, l, 3, Options{Volatile: true, History: history}, func() {
			if l.last()%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		})
		defer func() {
			for _, n := range nodes {
				n.stop()
			}
		}()
		dists := []string{newDistribution(t, nodes[0].Server, "a"), newDistribution(t, nodes[1].Server, "b")}
		l.fail(shaky(seed))
		seen := run(t.Context(), nodes, dists, seed, 6, rapid.IntRange(5, 25).Draw(r, "steps"))
		settle(t, l, nodes)
		want := replayed(t, l.all())
		for i, n := range nodes {
			if diff := cmp.Diff(dump(t, n.db), want); diff != "" {
				r.Errorf("node %d differs from the log (-node +log):\n%s", i, diff)
			}
		}
		seen.check(r, nodes, history)
	})
}

// run lets clients send requests at the same time.
func run(ctx context.Context, nodes []*fleetNode, dists []string, seed uint64, clients, steps int) *traffic {
	seen := &traffic{}
	var all sync.WaitGroup
	for i := range clients {
		c := &client{nodes: nodes, dists: dists, rand: rand.New(rand.NewPCG(seed, uint64(i+2))), log: seen}
		all.Go(func() {
			for range steps {
				c.step(ctx)
			}
		})
	}
	all.Wait()
	return seen
}

// check compares what was answered with what the first node has; the others have the same.
func (seen *traffic) check(t *rapid.T, nodes []*fleetNode, history int) {
	for _, f := range seen.fatal {
		t.Errorf("refused: %s", f)
	}
	names, owner := map[string]string{}, map[string]string{}
	for _, a := range seen.invalidations {
		key := a.distribution + " " + a.reference
		if owner[a.id] != "" && owner[a.id] != key {
			t.Errorf("id %s is of %s and %s", a.id, owner[a.id], key)
		}
		owner[a.id] = key
		if history == 10 {
			continue // references are forgotten, and may come again
		}
		if names[key] != "" && names[key] != a.id {
			t.Errorf("reference %s names %s and %s", key, names[key], a.id)
		}
		names[key] = a.id
		got, err := nodes[0].Recent(a.distribution, 1000)
		n := 0
		for _, one := range got {
			if one.ID == a.id && one.Reference == a.reference {
				n++
			}
		}
		if err != nil || n != 1 {
			t.Errorf("invalidation %s is there %d times, %v", a.id, n, err)
		}
	}
	for _, id := range seen.policies {
		if a := ask(context.Background(), nodes[2].Server, http.MethodGet, "origin-request-policy/"+id, ""); a.status != http.StatusOK {
			t.Errorf("policy %s: %d", id, a.status)
		}
	}
}

// twice fails two calls, before the effect or after it.
func twice(afterwards bool) fault {
	var mu sync.Mutex
	failures := 2
	return func(_ context.Context, after bool) error {
		mu.Lock()
		defer mu.Unlock()
		if after != afterwards || failures == 0 {
			return nil
		}
		failures--
		return errors.New("the log is away")
	}
}

// Whatever an Append says that is no answer, the change is made once.
func TestAppendFails(t *testing.T) {
	for _, row := range []struct {
		name  string
		after bool
	}{{"before the effect", false}, {"after it", true}} {
		t.Run(row.name, func(t *testing.T) {
			l := newLog()
			n := startFleet(t, l, 1, Options{}, prompt)[0]
			id := newDistribution(t, n.Server, "a")
			l.fail(twice(row.after))
			a := ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a"))
			if a.status != http.StatusCreated {
				t.Fatalf("answered %d %s", a.status, a.body)
			}
			got, err := n.Recent(id, 10)
			if err != nil || len(got) != 1 || got[0].ID != idIn(a) || l.last() != 2 {
				t.Errorf("got %v, %v, and the log has %d entries", got, err, l.last())
			}
			l.fail(twice(row.after))
			if a := ask(t.Context(), n.Server, http.MethodPost, "origin-request-policy", originPolicy("p")); a.status != http.StatusCreated || l.last() != 3 {
				t.Errorf("a policy, of which there is one by that name: %d %s, %d entries", a.status, a.body, l.last())
			}
		})
	}
}

// While the log does not answer, the API shows what there is, takes in what other nodes did, and says of a change that its fate is not
// known; a repeat finds the invalidation once the log is back.
func TestLogHangs(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{CommitWait: time.Minute, Sync: func(context.Context) error { return errors.New("away") }}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	l.fail(func(ctx context.Context, after bool) error {
		if !after {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan answer)
	go func() {
		answered <- ask(ctx, n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a"))
	}()
	eventually(t, "the entry is there", func() bool { return l.last() == 2 })
	if a := ask(t.Context(), n.Server, http.MethodGet, "distribution/"+id, ""); a.status != http.StatusOK || !strings.Contains(a.body, "<Status>InProgress<") {
		t.Errorf("answered %d %s, want InProgress: nobody knows what is newer", a.status, a.body)
	}
	if a := ask(t.Context(), n.Server, http.MethodGet, "distribution/ENOSUCH", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "not caught up") {
		t.Errorf("answered %d %s, want 503 for what another node may have made", a.status, a.body)
	}
	l.push(t, EncodeJoin("m", "edge"))
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := n.AwaitApplied(soon, 3); err != nil {
		t.Error(err)
	}
	leave()
	if a := <-answered; a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "not known whether") {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	l.fail(noFault)
	a := ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a"))
	if got, err := n.Recent(id, 10); a.status != http.StatusCreated || err != nil || len(got) != 1 {
		t.Errorf("answered %d; there are %v, %v", a.status, got, err)
	}
}

// A log that stays away is no success, for nobody in the group; what it never had is nowhere.
func TestLogAway(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{CommitWait: 100 * time.Millisecond}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	l.fail(func(context.Context, bool) error { return errors.New("the log is away") })
	var group []*submission
	for range 2 {
		group = append(group, &submission{ctx: t.Context(), done: make(chan error, 1), decide: func(t *txn) error {
			return t.do(setTags{id, []tag{{"k", ""}}})
		}})
	}
	if left := n.commits.round(group); len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
	for _, sub := range group {
		if err := <-sub.done; err == nil || asAPIError(err).status != http.StatusServiceUnavailable {
			t.Errorf("error %v, want 503", err)
		}
	}
	if d, err := n.load(id); err != nil || len(d.rec.Tags) > 0 {
		t.Errorf("tags %v, %v", d.rec.Tags, err)
	}
}

// A request whose client has gone is not decided, and does not hold up others.
func TestClientGone(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := ask(ctx, n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a")); a.status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	if a := ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("s", "/a")); a.status != http.StatusCreated {
		t.Errorf("answered %d %s", a.status, a.body)
	}
}

// Requests that wait at the same time share entries of the log.
func TestGroupCommit(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	before, asked, release := l.last(), make(chan struct{}, 64), make(chan struct{})
	l.fail(func(_ context.Context, after bool) error {
		if !after {
			asked <- struct{}{}
			<-release
		}
		return nil
	})
	var all sync.WaitGroup
	create := func(i int) {
		all.Go(func() {
			if a := ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML(fmt.Sprint(i), "/a")); a.status != http.StatusCreated {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		})
	}
	create(0)
	<-asked
	for i := range 63 {
		create(i + 1)
	}
	eventually(t, "all wait", func() bool {
		n.commits.mu.Lock()
		defer n.commits.mu.Unlock()
		return len(n.commits.waiting) >= 63
	})
	close(release)
	all.Wait()
	if got := l.last() - before; got != 2 {
		t.Errorf("64 requests took %d entries, want 2", got)
	}
}

// A mark that shared a transaction with a change whose entry took two attempts is written all the same.
func TestMarkWithLateEntry(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	l.fail(twice(true))
	sub := func(local bool, decide func(*txn) error) *submission {
		return &submission{ctx: t.Context(), local: local, decide: decide, done: make(chan error, 1)}
	}
	all := []*submission{
		sub(false, func(t *txn) error { return t.do(setTags{id, []tag{{"k", ""}}}) }),
		sub(true, func(t *txn) error {
			t.local++
			return t.Bucket(metaBucket).Put([]byte("mark"), []byte("here"))
		}),
	}
	for group := all; len(group) > 0; {
		group = n.commits.round(group)
	}
	for _, sub := range all {
		if err := <-sub.done; err != nil {
			t.Error(err)
		}
	}
	if got := dump(t, n.db)[`meta/"mark"`]; got != "here" || l.last() != 2 {
		t.Errorf("the mark is %q, with %d entries", got, l.last())
	}
}

// A request that is decided again, because another node was faster, costs its limits once.
func TestDecidedAgain(t *testing.T) {
	l := newLog()
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	n := startFleet(t, l, 1, Options{Limits: Limits{PathsPerSecond: 1}, Now: func() time.Time { return now }}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	raced := false
	l.fail(func(_ context.Context, after bool) error {
		if !after && !raced {
			raced = true
			l.push(t, EncodeJoin("m", "edge"))
		}
		return nil
	})
	send := func(reference string) answer {
		return ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML(reference, "/a"))
	}
	if a := send("r"); a.status != http.StatusCreated || !raced || l.last() != 3 {
		t.Errorf("answered %d %s, at %d", a.status, a.body, l.last())
	}
	if a := send("s"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "Throttling") {
		t.Errorf("answered %d %s, want Throttling", a.status, a.body)
	}
}

// A request that panics, or is too large for the log, is refused alone.
func TestRefusedAlone(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	err := n.change(t.Context(), func(t *txn) error {
		_ = t.do(setTags{id, []tag{{"k", ""}}})
		panic("oh")
	})
	if err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("error %v", err)
	}
	err = n.change(t.Context(), func(t *txn) error {
		return t.do(setTags{id, []tag{{"k", strings.Repeat("v", fleet.MaxEntry)}}})
	})
	if !hasCode(err, http.StatusRequestEntityTooLarge) {
		t.Errorf("error %v, want 413", err)
	}
	if d, err := n.load(id); err != nil || len(d.rec.Tags) > 0 || l.last() != 1 {
		t.Errorf("tags %v, %v, %d entries", d.rec.Tags, err, l.last())
	}
}

// A change that fails after it has written takes nothing of the others with it, and leaves nothing itself.
func TestSpoiltGroup(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	sub := func(decide func(*txn) error) *submission {
		return &submission{ctx: t.Context(), decide: decide, done: make(chan error, 1)}
	}
	spoilt := errors.New("no")
	tags := func(key string, err error) *submission {
		return sub(func(t *txn) error { return errors.Join(t.do(setTags{id, []tag{{key, ""}}}), err) })
	}
	fine := func(*txn) error { return errNoSuchInvalidation() }
	group := []*submission{tags("a", nil), sub(fine), tags("b", spoilt), tags("c", nil)}
	all := group
	for len(group) > 0 {
		group = n.commits.round(group)
	}
	var got []bool
	for _, s := range all {
		got = append(got, <-s.done == nil)
	}
	if diff := cmp.Diff(got, []bool{true, false, false, true}); diff != "" {
		t.Errorf("succeeded (-got +want):\n%s", diff)
	}
	if d, err := n.load(id); err != nil || len(d.rec.Tags) != 1 || d.rec.Tags[0].Key != "c" || l.last() != 3 {
		t.Errorf("tags %v, %v, %d entries", d.rec.Tags, err, l.last())
	}
}
