//go:build unix

package fleetenv

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// namespace and version of the API: CloudFront API Reference, read 2026-11.
const (
	namespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
	root      = "/2020-05-31/distribution"
)

// answer is one of the API's.
type answer struct {
	status int
	etag   string
	body   []byte
}

// api asks control nodes. One connection a node and client, as a publisher has it.
type api struct {
	client *http.Client
	signer signer
}

func (f *Fleet) newAPI() *api {
	a := &api{client: &http.Client{Timeout: 4 * time.Second, Transport: f.secrets.transport()}}
	if f.secrets != nil {
		a.signer = f.secrets.signer
	}
	return a
}

func (a *api) close() { a.client.CloseIdleConnections() }

func (a *api) ask(ctx context.Context, method, url, body string) (answer, error) {
	return a.askIf(ctx, method, url, body, "")
}

// askIf is ask with an If-Match header, unless that is "".
func (a *api) askIf(ctx context.Context, method, url, body, match string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	a.signer.sign(req, body, time.Now())
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("ETag"), data}, errors.Join(err, resp.Body.Close())
}

const distributionXML = `<DistributionConfig xmlns="` + namespace + `"><CallerReference>proof</CallerReference>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>%s</DomainName>
<CustomOriginConfig><HTTPPort>%s</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>http-only</OriginProtocolPolicy></CustomOriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>
<AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items>
<CachedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items></CachedMethods></AllowedMethods>
<Compress>false</Compress><CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId></DefaultCacheBehavior>
<Comment>proof</Comment><Enabled>true</Enabled></DistributionConfig>`

// createDistribution makes the distribution that caches all of the origin by path.
func (f *Fleet) createDistribution(ctx context.Context) (id string, err error) {
	u, err := url.Parse(f.Origin.server.URL)
	if err != nil {
		return "", err
	}
	a := f.newAPI()
	defer a.close()
	body := fmt.Sprintf(distributionXML, u.Hostname(), u.Port())
	for {
		got, err := a.ask(ctx, http.MethodPost, f.Controls[0].API+root, body)
		if err == nil && (got.status == http.StatusCreated || got.status == http.StatusOK) {
			return element(got.body, "Id")
		}
		if err == nil {
			err = fmt.Errorf("answer %d: %s", got.status, got.body)
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			return "", fmt.Errorf("create the distribution: %w", err)
		}
	}
}

// findDistribution is the one that the control nodes made for the bucket.
func (f *Fleet) findDistribution(ctx context.Context) (id string, err error) {
	a := f.newAPI()
	defer a.close()
	for {
		got, err := a.ask(ctx, http.MethodGet, f.Controls[0].API+root, "")
		if err == nil && got.status == http.StatusOK {
			if id, err = element(got.body, "Id"); err == nil {
				return id, nil
			}
		}
		if serr := sleep(ctx, 20*time.Millisecond); serr != nil {
			return "", fmt.Errorf("find the distribution: %w (%d %.300s %w)", serr, got.status, got.body, errors.Join(err))
		}
	}
}

// element is the text of the first element with a name.
func element(data []byte, name string) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if err != nil {
			return "", fmt.Errorf("find <%s> in %.200q: %w", name, data, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			var text string
			err := d.DecodeElement(&text, &start)
			return text, err
		}
	}
}

// Client is a publisher's connection to the API. It is safe for concurrent use.
type Client struct {
	fleet *Fleet
	api   *api
}

// NewClient returns one; Close ends its connections.
func (f *Fleet) NewClient() *Client { return &Client{f, f.newAPI()} }

// Close ends its connections.
func (c *Client) Close() { c.api.close() }

// Invalidate asks one control node, once, and returns the invalidation's id.
func (c *Client) Invalidate(ctx context.Context, node int, reference, item string) (id string, err error) {
	got, err := c.api.ask(ctx, http.MethodPost, c.fleet.invalidations(node), batch(reference, item))
	if err != nil {
		return "", err
	}
	if got.status != http.StatusCreated {
		return "", fmt.Errorf("create invalidation: answer %d: %.300s", got.status, got.body)
	}
	return element(got.body, "Id")
}

// Completed asks one control node, once.
func (c *Client) Completed(ctx context.Context, node int, id string) (bool, error) {
	got, err := c.api.ask(ctx, http.MethodGet, c.fleet.invalidations(node)+"/"+id, "")
	return err == nil && got.completed(), err
}

func (a answer) completed() bool {
	return a.status == http.StatusOK && strings.Contains(string(a.body), "<Status>Completed<")
}

// invalidations is where a control node has them.
func (f *Fleet) invalidations(node int) string {
	return f.Controls[node%len(f.Controls)].API + root + "/" + f.Distribution + "/invalidation"
}

func batch(reference, item string) string {
	return `<InvalidationBatch xmlns="` + namespace + `"><CallerReference>` + reference +
		`</CallerReference><Paths><Quantity>1</Quantity><Items><Path>` + item + `</Path></Items></Paths></InvalidationBatch>`
}

// Status is what the proof reads of a control node's /fleet.
type Status struct {
	Reached   bool   `json:"reached"`
	Applied   uint64 `json:"applied"`
	Completed uint64 `json:"completed"`
	Edges     []struct {
		Name    string `json:"name"`
		State   string `json:"state"`
		Applied uint64 `json:"applied"`
		Fenced  int64  `json:"fenced"`
	} `json:"edges"`
}

// Status asks a control node for the fleet's.
func (c *Control) Status(ctx context.Context) (s Status, err error) {
	a := c.owner.newAPI()
	defer a.close()
	got, err := a.ask(ctx, http.MethodGet, c.API+"/fleet", "")
	if err != nil {
		return s, err
	}
	if got.status != http.StatusOK {
		return s, fmt.Errorf("%s: /fleet answers %d", c.Name, got.status)
	}
	return s, json.Unmarshal(got.body, &s)
}

// Metric reads one value of an edge's /metrics, such as freshet_edge_fleet_applied_sequence.
func (e *Edge) Metric(ctx context.Context, name string) (float64, error) {
	a := &api{client: &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{}}}
	defer a.close()
	got, err := a.ask(ctx, http.MethodGet, e.Admin+"/metrics", "")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(got.body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", e.Name, name)
}
