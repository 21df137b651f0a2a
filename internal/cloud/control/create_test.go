package control

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

// sdkConfig is a distribution as a program with the SDK makes it.
func sdkConfig(reference string, aliases ...string) *types.DistributionConfig {
	return &types.DistributionConfig{
		CallerReference: &reference, Comment: aws.String("made by the SDK"), Enabled: aws.Bool(true),
		Aliases: &types.Aliases{Quantity: aws.Int32(int32(len(aliases))), Items: aliases},
		Origins: &types.Origins{Quantity: aws.Int32(1), Items: []types.Origin{{
			Id: aws.String("o"), DomainName: aws.String("docs.s3.us-east-1.amazonaws.com"), OriginPath: aws.String("/v1"),
			S3OriginConfig: &types.S3OriginConfig{OriginAccessIdentity: aws.String("")},
		}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{
			TargetOriginId: aws.String("o"), ViewerProtocolPolicy: types.ViewerProtocolPolicyAllowAll,
			CachePolicyId: aws.String("658327ea-f89d-4fab-a63d-7e88639e58f6"),
			FunctionAssociations: &types.FunctionAssociations{Quantity: aws.Int32(1), Items: []types.FunctionAssociation{
				{FunctionARN: aws.String("arn:aws:cloudfront::1:function/mine"), EventType: types.EventTypeViewerResponse}}},
		},
		CacheTagConfig: &types.CacheTagConfig{HeaderName: aws.String("x-amz-meta-tag")},
	}
}

// create makes a distribution and waits until the edges have it.
func (f *fixture) create(t *testing.T, cfg *types.DistributionConfig) *cloudfront.CreateDistributionOutput {
	t.Helper()
	out, err := f.client.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: cfg})
	if err != nil {
		t.Fatal(err)
	}
	f.deployed(t, *out.Distribution.Id)
	return out
}

func (f *fixture) deployed(t *testing.T, id string) {
	t.Helper()
	waiter := cloudfront.NewDistributionDeployedWaiter(f.client, func(o *cloudfront.DistributionDeployedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &cloudfront.GetDistributionInput{Id: &id}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// spec: cloudfront 5.9: 201, Location and ETag, InProgress, then Deployed at the edges; functions are echoed.
func TestCreateDistribution(t *testing.T) {
	f := start(t, Options{})
	out := f.create(t, sdkConfig("one", "www.example.org"))
	d := out.Distribution
	if *d.Status != "InProgress" || *out.ETag == "" || *out.Location != f.url+"/2020-05-31/distribution/"+*d.Id {
		t.Errorf("status %s, ETag %s, Location %s", *d.Status, *out.ETag, *out.Location)
	}
	if !strings.HasSuffix(*d.DomainName, ".cloudfront.localhost") || *d.DistributionConfig.DefaultCacheBehavior.FunctionAssociations.Items[0].FunctionARN != "arn:aws:cloudfront::1:function/mine" {
		t.Errorf("domain %s, functions %v", *d.DomainName, d.DistributionConfig.DefaultCacheBehavior.FunctionAssociations)
	}
	got := f.edges.lastConfig()
	if got.CallerReference != "one" || got.Origins[0].OriginPath != "/v1" || got.CacheTagConfig.HeaderName != "x-amz-meta-tag" ||
		got.DefaultCacheBehavior.Policies.Cache.DefaultTTL != 24*time.Hour {
		t.Errorf("edges have %+v", got)
	}
	_, err := f.client.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: sdkConfig("one")})
	var exists *types.DistributionAlreadyExists
	if !errors.As(err, &exists) || !strings.Contains(exists.ErrorMessage(), *d.Id) {
		t.Errorf("same reference: %v, want DistributionAlreadyExists", err)
	}
	_, err = f.client.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: sdkConfig("two", "WWW.example.org")})
	var taken *types.CNAMEAlreadyExists
	if !errors.As(err, &taken) {
		t.Errorf("same alias: %v, want CNAMEAlreadyExists", err)
	}
	bad := sdkConfig("three")
	bad.DefaultCacheBehavior.OriginRequestPolicyId = aws.String("none")
	_, err = f.client.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: bad})
	var missing *types.NoSuchOriginRequestPolicy
	if !errors.As(err, &missing) {
		t.Errorf("unknown policy: %v, want NoSuchOriginRequestPolicy", err)
	}
}

// Whoever comes first has the reference, however many try.
func TestCreateDistributionRaces(t *testing.T) {
	f := start(t, Options{})
	var wait sync.WaitGroup
	won := make(chan string, 8)
	for range 8 {
		wait.Go(func() {
			out, err := f.client.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: sdkConfig("one")})
			var exists *types.DistributionAlreadyExists
			if err == nil {
				won <- *out.Distribution.Id
			} else if !errors.As(err, &exists) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(won) != 1 {
		t.Errorf("%d distributions with one caller reference", len(won))
	}
}

// spec: cloudfront 5.9, deletion: disabled, deployed, and with the current version.
func TestDeleteDistribution(t *testing.T) {
	var mu sync.Mutex
	var removed []string
	f := start(t, Options{Removed: func(id string) {
		mu.Lock()
		defer mu.Unlock()
		removed = append(removed, id)
	}})
	made := f.create(t, sdkConfig("one"))
	id := made.Distribution.Id
	remove := func(id, match *string) error {
		_, err := f.client.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: id, IfMatch: match})
		return err
	}
	wantCode(t, remove(id, nil), "InvalidIfMatchVersion")
	wantCode(t, remove(id, aws.String("E1")), "PreconditionFailed")
	wantCode(t, remove(id, made.ETag), "DistributionNotDisabled")
	wantCode(t, remove(&f.dist.ID, &f.dist.ETag), "ResourceInUse")

	cfg := made.Distribution.DistributionConfig
	cfg.Enabled = aws.Bool(false)
	f.edges.refuse(errors.New("edge is away"))
	put, err := f.client.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: id, IfMatch: made.ETag, DistributionConfig: cfg})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, remove(id, put.ETag), "DistributionNotDisabled") // no edge knows yet
	f.edges.refuse(nil)
	f.deployed(t, *id)
	if err := remove(id, put.ETag); err != nil {
		t.Fatal(err)
	}
	wantCode(t, remove(id, put.ETag), "NoSuchDistribution")
	_, err = f.client.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: id})
	wantCode(t, err, "NoSuchDistribution")
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Contains(removed, *id) {
		t.Error("edges were not told")
	}
	if f.workers[*id] != nil {
		t.Error("its worker is still there")
	}
}

// The reference of a deleted distribution is free, and nothing of it comes back after a restart.
func TestDeletedStaysDeleted(t *testing.T) {
	f := start(t, Options{})
	cfg := sdkConfig("one")
	cfg.Enabled = aws.Bool(false)
	made := f.create(t, cfg)
	release := f.edges.hold()
	if _, err := f.client.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{
		DistributionId: made.Distribution.Id, InvalidationBatch: &types.InvalidationBatch{
			CallerReference: aws.String("x"), Paths: &types.Paths{Quantity: aws.Int32(1), Items: []string{"/*"}}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: made.Distribution.Id, IfMatch: made.ETag}); err != nil {
		t.Fatal(err)
	}
	release()
	again := f.create(t, sdkConfig("one"))
	if *again.Distribution.Id == *made.Distribution.Id {
		t.Error("the id came back")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g := startAt(t, f.path, &fakeEdges{}, Options{})
	all, err := g.Distributions()
	if err != nil || len(all) != 2 {
		t.Errorf("after a restart: %d distributions, %v; want 2", len(all), err)
	}
}

func TestTags(t *testing.T) {
	f := start(t, Options{})
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	out, err := f.client.CreateDistributionWithTags(t.Context(), &cloudfront.CreateDistributionWithTagsInput{
		DistributionConfigWithTags: &types.DistributionConfigWithTags{
			DistributionConfig: sdkConfig("tagged"), Tags: &types.Tags{Items: []types.Tag{tag("team", "web"), tag("env", "test")}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := out.Distribution.ARN
	if _, err := f.client.TagResource(t.Context(), &cloudfront.TagResourceInput{Resource: arn, Tags: &types.Tags{Items: []types.Tag{tag("team", "docs"), tag("a", "")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.UntagResource(t.Context(), &cloudfront.UntagResourceInput{Resource: arn, TagKeys: &types.TagKeys{Items: []string{"env", "none"}}}); err != nil {
		t.Fatal(err)
	}
	listed, err := f.client.ListTagsForResource(t.Context(), &cloudfront.ListTagsForResourceInput{Resource: arn})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, one := range listed.Tags.Items {
		got[*one.Key] = *one.Value
	}
	if diff := cmp.Diff(got, map[string]string{"team": "docs", "a": ""}); diff != "" {
		t.Errorf("tags (-got +want):\n%s", diff)
	}
	_, err = f.client.ListTagsForResource(t.Context(), &cloudfront.ListTagsForResourceInput{Resource: aws.String(*arn + "X")})
	wantCode(t, err, "NoSuchResource")
	_, err = f.client.ListTagsForResource(t.Context(), &cloudfront.ListTagsForResourceInput{Resource: aws.String("arn:aws:s3:::x")})
	wantCode(t, err, "InvalidArgument")
	_, err = f.client.TagResource(t.Context(), &cloudfront.TagResourceInput{Resource: arn, Tags: &types.Tags{Items: []types.Tag{tag(strings.Repeat("k", 129), "")}}})
	wantCode(t, err, "InvalidTagging")
}

// Bodies that no client should send get an answer that says what is wrong.
func TestCreateRefuses(t *testing.T) {
	f := start(t, Options{})
	good := strings.ReplaceAll(sampleConfig, ">site<", ">new<")
	rows := []struct{ name, query, body, code string }{
		{"no body", "", "", "MissingBody"},
		{"another root", "", "<Distribution/>", "MalformedXML"},
		{"tags without the query", "", "<DistributionConfigWithTags/>", "MalformedXML"},
		{"the query without tags", "?WithTags", good, "MalformedXML"},
		{"tags and nothing else", "?WithTags", "<DistributionConfigWithTags><Tags><Items/></Tags></DistributionConfigWithTags>", "InvalidArgument"},
		{"too many aliases", "", strings.Replace(good, "<Quantity>1</Quantity><Items><CNAME>www.example.org</CNAME>",
			"<Quantity>101</Quantity><Items>"+strings.Repeat("<CNAME>a</CNAME>", 101), 1), "TooManyDistributionCNAMEs"},
		{"an origin that is no host", "", strings.ReplaceAll(good, "site-bucket.s3.eu-central-1.amazonaws.com", "a/b"), "InvalidArgument"},
		{"a TTL beyond measure", "", strings.ReplaceAll(good, "<ErrorCachingMinTTL>10<", "<ErrorCachingMinTTL>9300000000<"), "InvalidArgument"},
		{"a number beyond measure", "", strings.ReplaceAll(good, "<ErrorCachingMinTTL>10<", "<ErrorCachingMinTTL>99999999999999999999<"), "MalformedXML"},
	}
	for _, row := range rows {
		a := f.send(t, http.MethodPost, "/2020-05-31/distribution"+row.query, row.body)
		if got := between(a.body, "<Code>", "</Code>"); got != row.code {
			t.Errorf("%s: answered %d %s, want %s", row.name, a.status, a.body, row.code)
		}
	}
}
