package cloudfront

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/freshet/freshet/internal/publish/remote"
)

var _ remote.FleetReader = (*CDN)(nil)

const (
	maxFleet = 16 << 20 // bytes of an answer: some 40,000 edges
	// emptyPayload is the SHA-256 of a request without a body. AWS, "Create a signed AWS API request", step 1, read 2026-11
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Fleet asks a service at an endpoint of its own for the state of the fleet that it may be: /fleet beside the API, signed like it. A
// service that answers something else is none, and AWS is not asked.
func (c *CDN) Fleet(ctx context.Context) (*remote.Fleet, error) {
	const call = "read the state of the fleet"
	o := c.client.Options()
	if aws.ToString(o.BaseEndpoint) == "" {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(*o.BaseEndpoint, "/")+"/fleet", nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call, err)
	}
	if o.Credentials != nil {
		keys, err := o.Credentials.Retrieve(ctx)
		if err != nil {
			return nil, c.fail(ctx, call, "", err)
		}
		// The clock is the system's, as for every other request: the SDK signs those.
		if err := o.HTTPSignerV4.SignHTTP(ctx, keys, req, emptyPayload, "cloudfront", c.region, time.Now()); err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
	}
	res, err := o.HTTPClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", call, remote.ErrTemporary, err)
	}
	defer res.Body.Close()
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || res.StatusCode != http.StatusOK || kind != "application/json" {
		return nil, nil
	}
	f := &remote.Fleet{Edges: []remote.FleetEdge{}}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxFleet)).Decode(f); err != nil {
		return nil, fmt.Errorf("%s: the answer is damaged: %w", call, err)
	}
	f.Here = remote.Loopback(req.URL.Hostname())
	return f, nil
}
