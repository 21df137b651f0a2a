//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Configurer changes the distribution's configuration, through whatever control node answers, and viewers of it hold each answer of each edge against what
// was acknowledged and Deployed. Configurations have numbers: each is made of the one before by If-Match. It is safe for concurrent use.
type Configurer struct {
	fleet *Fleet
	api   *api
	end   context.CancelFunc
	work  sync.WaitGroup

	// mu guards what follows; held for field access only.
	mu       sync.Mutex
	tried    int            // the highest number that was sent
	acked    map[int]string // by number: who was told that it was taken
	versions map[int]string // by number: its ETag
	floor    int            // the highest number that was seen Deployed
	faults   []string
	counts   map[string]int // of answers to clients and viewers
}

// NewConfigurer returns one; Stop ends it.
func (f *Fleet) NewConfigurer() *Configurer {
	api := f.newAPI()
	api.client.Timeout = 1500 * time.Millisecond // longer than a change takes while there is a leader; then another node is asked
	return &Configurer{fleet: f, api: api, end: func() {}, acked: map[int]string{}, versions: map[int]string{}, counts: map[string]int{}}
}

// configXML has its number in the comment, an alias, the origin's path and a header for it, what caches of /t/ keep, and the page for what is missing.
const configXML = `<DistributionConfig xmlns="` + namespace + `"><CallerReference>proof</CallerReference>
<Aliases><Quantity>1</Quantity><Items><CNAME>v%[1]d.example.org</CNAME></Items></Aliases>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>%[3]s</DomainName><OriginPath>/v%[1]d</OriginPath>
<CustomHeaders><Quantity>1</Quantity><Items><OriginCustomHeader><HeaderName>X-Config</HeaderName><HeaderValue>%[1]d</HeaderValue></OriginCustomHeader></Items></CustomHeaders>
<CustomOriginConfig><HTTPPort>%[4]s</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>http-only</OriginProtocolPolicy></CustomOriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>
<AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items>
<CachedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items></CachedMethods></AllowedMethods>
<Compress>false</Compress><CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId></DefaultCacheBehavior>
<CacheBehaviors><Quantity>1</Quantity><Items><CacheBehavior><PathPattern>/t/*</PathPattern><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>
<ForwardedValues><QueryString>false</QueryString><Cookies><Forward>none</Forward></Cookies></ForwardedValues><MinTTL>0</MinTTL><DefaultTTL>%[5]d</DefaultTTL><MaxTTL>3600</MaxTTL>
</CacheBehavior></Items></CacheBehaviors>
<CustomErrorResponses><Quantity>1</Quantity><Items><CustomErrorResponse><ErrorCode>404</ErrorCode><ResponsePagePath>/e/%[1]d</ResponsePagePath>
<ResponseCode>%[6]d</ResponseCode><ErrorCachingMinTTL>0</ErrorCachingMinTTL></CustomErrorResponse></Items></CustomErrorResponses>
<Comment>%[1]d %[2]s</Comment><Enabled>%[7]t</Enabled></DistributionConfig>`

// What a configuration says, by its number.
func statusOf(n int) int   { return []int{200, 404, 403}[n%3] }
func ttlOf(n int) int      { return 3600 * (n % 2) }
func enabledIn(n int) bool { return n%7 != 0 }

func (c *Configurer) document(n int, who string) string {
	u, err := url.Parse(c.fleet.Origin.server.URL)
	if err != nil {
		return err.Error() // the API refuses it
	}
	return fmt.Sprintf(configXML, n, who, u.Hostname(), u.Port(), ttlOf(n), statusOf(n), enabledIn(n))
}

// current is what a control node says of the configuration.
type current struct {
	number   int
	who      string
	etag     string
	deployed bool
}

// look asks a control node for the configuration; what was acknowledged before may not be missing where it says Deployed.
func (c *Configurer) look(ctx context.Context, node int) (now current, err error) {
	c.mu.Lock()
	newest := 0
	for n := range c.acked {
		newest = max(newest, n)
	}
	c.mu.Unlock()
	got, err := c.api.ask(ctx, http.MethodGet, c.fleet.Controls[node].API+root+"/"+c.fleet.Distribution, "")
	if err != nil {
		return now, kind(err)
	}
	if got.status != http.StatusOK {
		return now, fmt.Errorf("get: status %d", got.status)
	}
	comment, err := element(got.body, "Comment")
	if err != nil {
		return now, err
	}
	number, who, _ := strings.Cut(comment, " ")
	now = current{who: who, etag: got.etag, deployed: strings.Contains(string(got.body), "<Status>Deployed<")}
	now.number, _ = strconv.Atoi(number) // the first one has none
	c.noteSeen(node, now, newest)
	return now, nil
}

// noteSeen compares what a control node says with what was acknowledged when it was asked.
func (c *Configurer) noteSeen(node int, now current, newest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if who := c.acked[now.number]; who != "" && who != now.who {
		c.faults = append(c.faults, fmt.Sprintf("configuration %d was acknowledged to %s, and control node %d has it from %s", now.number, who, node+1, now.who))
	}
	if known := c.versions[now.number]; known != "" && known != now.etag {
		c.faults = append(c.faults, fmt.Sprintf("configuration %d has version %s, and at control node %d %s", now.number, known, node+1, now.etag))
	}
	c.versions[now.number] = now.etag
	if !now.deployed {
		return
	}
	if now.number < newest {
		c.faults = append(c.faults, fmt.Sprintf("at %s control node %d says that configuration %d is Deployed, after %d was acknowledged", time.Now().Format("15:04:05.000"), node+1, now.number, newest))
	}
	c.floor = max(c.floor, now.number)
}

// update makes the next configuration of the one that a control node has. A node that does not know the newest must refuse.
func (c *Configurer) update(ctx context.Context, who string, node int, stale bool) error {
	now, err := c.look(ctx, node)
	if err != nil {
		return err
	}
	if stale {
		c.mu.Lock()
		match, known := c.versions[now.number-1]
		c.mu.Unlock()
		if !known {
			return nil
		}
		now.etag = match
	}
	n := now.number + 1
	c.mu.Lock()
	c.tried = max(c.tried, n)
	c.mu.Unlock()
	got, err := c.api.askIf(ctx, http.MethodPut, c.fleet.Controls[node].API+root+"/"+c.fleet.Distribution+"/config", c.document(n, who), now.etag)
	if err != nil {
		return kind(err)
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("update: status %d%s", got.status, ended(stale))
	}
	return c.acknowledged(n, who, got.etag, stale)
}

func ended(stale bool) string {
	if stale {
		return ", of a version that was replaced"
	}
	return ""
}

func (c *Configurer) acknowledged(n int, who, etag string, stale bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.acked[n]; other != "" || stale {
		c.faults = append(c.faults, fmt.Sprintf("configuration %d was acknowledged to %s, over a version that was replaced (%v), after it was to %q", n, who, stale, other))
	}
	if known := c.versions[n]; known != "" && known != etag {
		c.faults = append(c.faults, fmt.Sprintf("configuration %d was acknowledged with version %s, and seen with %s", n, etag, known))
	}
	c.acked[n], c.versions[n] = who, etag
	c.counts["acknowledged"]++
	return nil
}

// Keep updates with so many clients, each again after a pause, looks what is Deployed, and asks every edge, until Stop.
func (c *Configurer) Keep(clients int, pause time.Duration, seed uint64) {
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	for i := range clients {
		rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		c.work.Go(func() {
			for sleep(ctx, pause) == nil {
				err := c.update(ctx, fmt.Sprint("client-", i), rng.IntN(len(c.fleet.Controls)), rng.IntN(8) == 0)
				c.count(ctx, err)
			}
		})
	}
	for node := range c.fleet.Controls {
		c.work.Go(func() {
			for sleep(ctx, pause/2) == nil {
				_, err := c.look(ctx, node)
				c.count(ctx, err)
			}
		})
	}
	for _, e := range c.fleet.Edges {
		c.work.Go(func() { c.view(ctx, e) })
	}
}

func (c *Configurer) count(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[err.Error()]++
}

// view asks one edge for what is missing, and holds the answer against what was Deployed: for an edge that was seen to have a lease afterwards, since without one
// it may have been given up.
func (c *Configurer) view(ctx context.Context, e *Edge) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := 0; sleep(ctx, 5*time.Millisecond) == nil; n++ {
		c.mu.Lock()
		floor := c.floor
		c.mu.Unlock()
		valid, err := e.Metric(ctx, "freshet_edge_fleet_lease_valid")
		if err != nil || valid != 1 {
			floor = 0
		}
		began := time.Now()
		got, err := c.seen(ctx, client, e, fmt.Sprint("/none/", e.Name, "/", n))
		if err != nil {
			c.count(ctx, fmt.Errorf("%s: %w", e.Name, err))
			continue
		}
		c.judge(e, got, floor, began)
	}
}

// carriedOut is what an answer says of the configuration that made it. Where the distribution was disabled it says no more.
type carriedOut struct {
	disabled           bool
	first              bool // it is the one that the distribution was made with: the origin's own answer, and no number
	status             int
	page, path, header int // numbers of the configurations that named the page, the origin's path, and the header
	cache              string
}

func (c *Configurer) seen(ctx context.Context, client *http.Client, e *Edge, path string) (got carriedOut, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Viewers+path, nil)
	if err != nil {
		return got, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return got, kind(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read, or not
	if err != nil {
		return got, kind(err)
	}
	got.status, got.cache = resp.StatusCode, resp.Header.Get("X-Cache")
	got.disabled = strings.Contains(string(body), "distribution is disabled")
	got.first = strings.HasPrefix(string(body), "404 page not found")
	if got.disabled || got.first {
		return got, nil
	}
	if _, err := fmt.Sscanf(string(body), "config %d %d %d", &got.page, &got.path, &got.header); err != nil {
		return got, fmt.Errorf("status %d %.60s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return got, nil
}

func (c *Configurer) judge(e *Edge, got carriedOut, floor int, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts["seen"]++
	at := fmt.Sprintf("%s, asked at %s, answered %+v", e.Name, began.Format("15:04:05.000"), got)
	if got.disabled {
		for n := floor; n <= c.tried; n++ {
			if !enabledIn(n) {
				return
			}
		}
		c.faults = append(c.faults, fmt.Sprintf("%s: disabled, while no configuration of %d to %d was", at, floor, c.tried))
		return
	}
	if !got.first && (got.page != got.path || got.page != got.header || got.status != statusOf(got.page)) {
		c.faults = append(c.faults, at+": a mixture of configurations")
	}
	if !got.first && !enabledIn(got.page) {
		c.faults = append(c.faults, at+": that configuration is disabled")
	}
	if got.page < floor {
		c.faults = append(c.faults, fmt.Sprintf("%s: after %d was Deployed", at, floor))
	}
}

// Stop ends clients and viewers, and returns how often what was answered, and what was wrong.
func (c *Configurer) Stop() (counts map[string]int, faults []string) {
	c.end()
	c.work.Wait()
	c.api.close()
	return c.counts, c.faults
}

// Newest is the highest number that was acknowledged.
func (c *Configurer) Newest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest := 0
	for n := range c.acked {
		newest = max(newest, n)
	}
	return newest
}

// Check waits until every control node says Deployed, of one configuration, which is the last, and asks every edge whether it carries all of it out.
// Nobody else updates any more.
func (c *Configurer) Check(ctx context.Context) (number int, err error) {
	for node := range c.fleet.Controls {
		for {
			now, err := c.look(ctx, node)
			if err == nil && now.deployed {
				number = max(number, now.number)
				if now.number != number {
					return number, fmt.Errorf("control node %d has configuration %d, another %d", node+1, now.number, number)
				}
				break
			}
			if serr := sleep(ctx, 10*time.Millisecond); serr != nil {
				return number, fmt.Errorf("control node %d does not say Deployed of configuration %d: %w %w", node+1, now.number, serr, errors.Join(err))
			}
		}
	}
	if newest := c.Newest(); number < newest {
		return number, fmt.Errorf("configuration %d was acknowledged, and %d is the last", newest, number)
	}
	var faults []error
	for _, e := range c.fleet.Edges {
		if err := c.checkEdge(ctx, e, number); err != nil {
			faults = append(faults, fmt.Errorf("%s does not carry out configuration %d: %w", e.Name, number, err))
		}
	}
	return number, errors.Join(faults...)
}

func (c *Configurer) checkEdge(ctx context.Context, e *Edge, number int) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	got, err := c.seen(ctx, client, e, fmt.Sprint("/none/", number))
	switch {
	case err != nil:
		return err
	case got.disabled == enabledIn(number), enabledIn(number) && (got.page != number || got.path != number || got.header != number || got.status != statusOf(number)):
		return fmt.Errorf("it answers %+v", got)
	case got.disabled:
		return nil
	}
	for range 2 {
		if got, err = c.seen(ctx, client, e, fmt.Sprint("/t/", number)); err != nil {
			return err
		}
	}
	if kept := strings.HasPrefix(got.cache, "Hit"); got.path != number || kept != (ttlOf(number) > 0) {
		return fmt.Errorf("kept for %d s, it answers %+v", ttlOf(number), got)
	}
	return nil
}

// Update makes configurations, with nobody else, until one is acknowledged whose number is like.
func (c *Configurer) Update(ctx context.Context, like func(n int) bool) error {
	for n := c.Newest(); !like(n); n = c.Newest() {
		if err := c.update(ctx, "check", 0, false); err != nil && sleep(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
	return nil
}

// CheckAlias asks every edge by the alias of a configuration, and by the one before: with another distribution there only the first name leads to the one.
func (c *Configurer) CheckAlias(ctx context.Context, number int) error {
	u, err := url.Parse(c.fleet.Origin.server.URL)
	if err != nil {
		return err
	}
	body := strings.Replace(fmt.Sprintf(distributionXML, u.Hostname(), u.Port()), "<CallerReference>proof", "<CallerReference>other", 1)
	if got, err := c.api.ask(ctx, http.MethodPost, c.fleet.Controls[0].API+root, body); err != nil || got.status != http.StatusCreated {
		return fmt.Errorf("create another distribution: %d %.300s %w", got.status, got.body, errors.Join(err))
	}
	var faults []error
	for _, e := range c.fleet.Edges {
		for n, want := range map[int]int{number: statusOf(number), number - 1: http.StatusMisdirectedRequest} {
			if err := c.awaitAlias(ctx, e, n, want); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

func (c *Configurer) awaitAlias(ctx context.Context, e *Edge, n, want int) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Viewers+"/none/alias", nil)
		if err != nil {
			return err
		}
		req.Host = fmt.Sprintf("v%d.example.org", n)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close() // its status is enough
		if resp.StatusCode == want {
			return nil
		}
		if serr := sleep(ctx, 20*time.Millisecond); serr != nil {
			return fmt.Errorf("%s answers %d for %s, want %d: %w", e.Name, resp.StatusCode, req.Host, want, serr)
		}
	}
}
