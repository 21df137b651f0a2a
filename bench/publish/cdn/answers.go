package cdn

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	space   = `xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"`
	created = "2026-01-01T00:00:00Z"
	// cachingOptimized is the ID of the managed policy of that name. CloudFront guide, "Use managed cache policies", read 2026-11.
	cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
)

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header+body) // who asked may have been killed
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, fmt.Sprintf(`<ErrorResponse %s><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>bench</RequestId></ErrorResponse>`,
		space, code, escaped(message)))
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

func (c *Control) list(w http.ResponseWriter) {
	var items strings.Builder
	for _, d := range c.distributions {
		fmt.Fprintf(&items, `<DistributionSummary><Id>%s</Id><ARN>%s</ARN><Status>Deployed</Status><LastModifiedTime>%s</LastModifiedTime><DomainName>%s</DomainName>%s</DistributionSummary>`,
			d.id, d.arn(), created, d.domain(), d.common())
	}
	reply(w, http.StatusOK, fmt.Sprintf(`<DistributionList %s><Marker></Marker><MaxItems>1000</MaxItems><IsTruncated>false</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></DistributionList>`,
		space, len(c.distributions), items.String()))
}

func (d distribution) domain() string { return strings.ToLower(d.id) + ".cloudfront.net" }
func (d distribution) arn() string    { return "arn:aws:cloudfront::123456789012:distribution/" + d.id }

// common is what a summary and a configuration have in common.
func (d distribution) common() string {
	return fmt.Sprintf(`<Aliases><Quantity>0</Quantity></Aliases><Origins><Quantity>1</Quantity><Items><Origin><Id>s3</Id><DomainName>%s.s3.us-east-1.amazonaws.com</DomainName><OriginPath></OriginPath>`+
		`<CustomHeaders><Quantity>0</Quantity></CustomHeaders><S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig></Origin></Items></Origins>`+
		`<DefaultCacheBehavior><TargetOriginId>s3</TargetOriginId><ViewerProtocolPolicy>redirect-to-https</ViewerProtocolPolicy><CachePolicyId>%s</CachePolicyId></DefaultCacheBehavior>`+
		`<CacheBehaviors><Quantity>0</Quantity></CacheBehaviors><Comment></Comment><Enabled>true</Enabled>`, d.bucket, cachingOptimized)
}

func (d distribution) config() string {
	return "<CallerReference>bench</CallerReference><DefaultRootObject>index.html</DefaultRootObject>" + d.common()
}

func (d distribution) xml() string {
	return fmt.Sprintf(`<Distribution %s><Id>%s</Id><ARN>%s</ARN><Status>Deployed</Status><LastModifiedTime>%s</LastModifiedTime><InProgressInvalidationBatches>0</InProgressInvalidationBatches><DomainName>%s</DomainName><DistributionConfig>%s</DistributionConfig></Distribution>`,
		space, d.id, d.arn(), created, d.domain(), d.config())
}

// invalidationID is the ID of the batch with that index.
func invalidationID(i int) string { return fmt.Sprint("I", i+1) }

func (b batch) xml(i int) string {
	var paths strings.Builder
	for _, item := range b.items {
		paths.WriteString("<Path>" + escaped(item) + "</Path>")
	}
	return fmt.Sprintf(`<Invalidation %s><Id>%s</Id><Status>Completed</Status><CreateTime>%s</CreateTime><InvalidationBatch><Paths><Quantity>%d</Quantity><Items>%s</Items></Paths><CallerReference>%s</CallerReference></InvalidationBatch></Invalidation>`,
		space, invalidationID(i), created, len(b.items), paths.String(), escaped(b.reference))
}

func (c *Control) listInvalidations(w http.ResponseWriter, d distribution) {
	var items strings.Builder
	n := 0
	for i, b := range c.batches {
		if b.distribution == d.id {
			n++
			fmt.Fprintf(&items, "<InvalidationSummary><Id>%s</Id><CreateTime>%s</CreateTime><Status>Completed</Status></InvalidationSummary>", invalidationID(i), created)
		}
	}
	reply(w, http.StatusOK, fmt.Sprintf(`<InvalidationList %s><Marker></Marker><MaxItems>1000</MaxItems><IsTruncated>false</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></InvalidationList>`, space, n, items.String()))
}
