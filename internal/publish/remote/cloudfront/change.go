package cloudfront

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscf "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// UpdateDistribution replaces the whole configuration (fact 5.9), and the SDK
// sends what it knows: a setting that CloudFront has learnt since the SDK was
// made would be lost. Therefore what CloudFront answered is compared, setting by
// setting, with what would be sent back, before anything is sent; and the
// difference that people are shown is the one between the two documents.

// Propose holds a change against the configuration as it is now. It sends
// nothing that changes anything.
func (c *CDN) Propose(ctx context.Context, id string, change remote.Change) (remote.Proposal, error) {
	now, err := c.current(ctx, id)
	if err != nil {
		return remote.Proposal{}, err
	}
	now.edit(change)
	after, err := c.body(ctx, now)
	if err != nil {
		return remote.Proposal{}, fmt.Errorf("%s: %w", now.call, err)
	}
	return remote.Proposal{Distribution: id, Version: now.version, Change: change, Lines: differences(now.settings, after)}, nil
}

// Apply changes the configuration if it still is the one that the proposal was
// made for. remote.ErrPrecondition.
func (c *CDN) Apply(ctx context.Context, p remote.Proposal) error {
	now, err := c.current(ctx, p.Distribution)
	if err != nil {
		return err
	}
	if now.version != p.Version {
		return fmt.Errorf("%s: %w: the distribution has been changed since", now.call, remote.ErrPrecondition)
	}
	now.edit(p.Change)
	_, err = c.client.UpdateDistribution(ctx, now.update())
	if err == nil {
		return nil
	}
	failure := c.fail(ctx, now.call, c.right("cloudfront:UpdateDistribution", p.Distribution), err)
	if code := session.Read(err).Code; code == "PreconditionFailed" || code == "InvalidIfMatchVersion" {
		return fmt.Errorf("%w: %w", remote.ErrPrecondition, failure)
	}
	return failure
}

// configuration is a distribution's as it was read.
type configuration struct {
	call     string
	id       string
	version  string
	cfg      *types.DistributionConfig
	settings []setting // as CloudFront sent them
}

func (c configuration) update() *awscf.UpdateDistributionInput {
	return &awscf.UpdateDistributionInput{Id: &c.id, IfMatch: &c.version, DistributionConfig: c.cfg}
}

// current reads a configuration, and makes sure that it can be sent back as it
// is.
func (c *CDN) current(ctx context.Context, id string) (configuration, error) {
	now := configuration{call: "change distribution " + id, id: id}
	if id == "" {
		return now, fmt.Errorf("%s: %w: the id is empty", now.call, remote.ErrNotFound)
	}
	tap := &tap{to: c.client.Options().HTTPClient}
	out, err := c.client.GetDistribution(ctx, &awscf.GetDistributionInput{Id: &id}, func(o *awscf.Options) { o.HTTPClient = tap })
	if err != nil {
		return now, c.fail(ctx, now.call, c.right("cloudfront:GetDistribution", id), err)
	}
	if out.Distribution == nil || out.Distribution.DistributionConfig == nil || aws.ToString(out.ETag) == "" {
		return now, fmt.Errorf("%s: the answer has no configuration or no version", now.call)
	}
	c.remember(id, aws.ToString(out.Distribution.ARN))
	now.cfg, now.version = out.Distribution.DistributionConfig, aws.ToString(out.ETag)
	if now.settings, err = settingsIn(tap.answer, configElement); err != nil {
		return now, fmt.Errorf("%s: read the answer: %w", now.call, err)
	}
	same, err := c.body(ctx, now)
	if err != nil {
		return now, fmt.Errorf("%s: %w", now.call, err)
	}
	if lost := differences(now.settings, same); len(lost) > 0 {
		return now, fmt.Errorf("%s: %w: it has settings that would be lost, as they are not known here: %s",
			now.call, remote.ErrUnsupported, named(lost))
	}
	return now, nil
}

// named are the first few settings.
func named(lines []remote.SettingChange) string {
	const shown = 3
	var names []string
	for _, l := range lines[:min(shown, len(lines))] {
		names = append(names, l.Setting)
	}
	return strings.Join(names, ", ")
}

// configElement is the root of what UpdateDistribution sends.
const configElement = "DistributionConfig"

// errSeen ends a request before it is sent.
var errSeen = errors.New("seen")

// body is what UpdateDistribution would send, which is not sent.
func (c *CDN) body(ctx context.Context, now configuration) ([]setting, error) {
	var seen []byte
	_, err := c.client.UpdateDistribution(ctx, now.update(), func(o *awscf.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
			var err error
			if seen, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			return nil, errSeen
		})
	})
	if !errors.Is(err, errSeen) {
		return nil, fmt.Errorf("make up the request: %w", err)
	}
	return settingsIn(seen, configElement)
}

type clientFunc func(*http.Request) (*http.Response, error)

// Do calls f.
func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// tap keeps the body of the last answer.
type tap struct {
	to     awscf.HTTPClient
	answer []byte
}

// Do sends r.
func (t *tap) Do(r *http.Request) (*http.Response, error) {
	res, err := t.to.Do(r)
	if err != nil {
		return res, err
	}
	data, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	t.answer, res.Body = data, io.NopCloser(bytes.NewReader(data))
	return res, nil
}

// edit makes the change in the configuration that was read.
func (c configuration) edit(change remote.Change) {
	if change.RootObject != "" {
		c.cfg.DefaultRootObject = aws.String(change.RootObject)
	}
	if slices.Contains(change.Compress, "*") && c.cfg.DefaultCacheBehavior != nil {
		c.cfg.DefaultCacheBehavior.Compress = aws.Bool(true)
	}
	if c.cfg.CacheBehaviors != nil {
		for i, b := range c.cfg.CacheBehaviors.Items {
			if slices.Contains(change.Compress, rooted(aws.ToString(b.PathPattern))) {
				c.cfg.CacheBehaviors.Items[i].Compress = aws.Bool(true)
			}
		}
	}
	for _, page := range change.Errors {
		c.setError(page)
	}
}

func (c configuration) setError(page remote.ErrorPage) {
	if c.cfg.CustomErrorResponses == nil {
		c.cfg.CustomErrorResponses = &types.CustomErrorResponses{}
	}
	all := c.cfg.CustomErrorResponses
	i := slices.IndexFunc(all.Items, func(r types.CustomErrorResponse) bool { return int(aws.ToInt32(r.ErrorCode)) == page.Status })
	if i < 0 {
		i = len(all.Items)
		all.Items = append(all.Items, types.CustomErrorResponse{ErrorCode: aws.Int32(int32(page.Status))})
	}
	one := &all.Items[i]
	one.ErrorCachingMinTTL = aws.Int64(int64(page.MinTTL / time.Second))
	one.ResponsePagePath, one.ResponseCode = aws.String(page.Page), aws.String("")
	if page.Page != "" {
		one.ResponseCode = aws.String(strconv.Itoa(page.Response))
	}
	all.Quantity = aws.Int32(int32(len(all.Items)))
}
