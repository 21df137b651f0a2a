package testenv

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/publish/remote"
)

// Invalidations are all that the control API lists, oldest first. The list is
// read page by page with requests signed here: the publisher's own contract
// has no use for it.
func (e *Env) Invalidations() ([]remote.Invalidation, error) {
	var out []remote.Invalidation
	for marker := ""; ; {
		page, err := e.invalidationPage(marker)
		if err != nil {
			return nil, fmt.Errorf("list invalidations: %w", err)
		}
		for _, id := range page.IDs {
			inv, err := e.shared.cdn.Invalidation(context.Background(), e.shared.info.Distribution, id)
			if err != nil {
				return nil, err
			}
			out = append(out, inv)
		}
		if marker = page.NextMarker; !page.IsTruncated {
			slices.Reverse(out)
			return out, nil
		}
	}
}

// invalidationList is ListInvalidations' answer; fact sheet 1.7.
type invalidationList struct {
	NextMarker  string
	IsTruncated bool
	IDs         []string `xml:"Items>InvalidationSummary>Id"`
}

func (e *Env) invalidationPage(marker string) (invalidationList, error) {
	var page invalidationList
	query := url.Values{"MaxItems": {"100"}}
	if marker != "" {
		query.Set("Marker", marker)
	}
	data, _, err := e.ask(http.MethodGet, "/invalidation?"+query.Encode(), "", "")
	if err != nil {
		return page, err
	}
	return page, xml.Unmarshal(data, &page)
}

// EnableTags makes the distribution look for cache tags in the response header
// name, "x-amz-meta-cache-tag", as somebody with the AWS command line would:
// the configuration is read, changed and sent back; fact sheet 2 and 5.9.
func (e *Env) EnableTags(name string) {
	e.tb.Helper()
	config, etag, err := e.ask(http.MethodGet, "/config", "", "")
	if err != nil {
		e.tb.Fatalf("read the distribution's configuration: %v", err)
	}
	changed := strings.Replace(string(config), "</DistributionConfig>", "<CacheTagConfig><HeaderName>"+name+"</HeaderName></CacheTagConfig></DistributionConfig>", 1)
	if _, _, err := e.ask(http.MethodPut, "/config", changed, etag); err != nil {
		e.tb.Fatalf("change the distribution's configuration: %v", err)
	}
	e.shared.tagHeader = name
}

// ask sends a request about the distribution, signed here.
func (e *Env) ask(method, path, body, ifMatch string) (data []byte, etag string, err error) {
	u := e.shared.info.Control + "/2020-05-31/distribution/" + e.shared.info.Distribution + path
	req, err := http.NewRequest(method, u, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if ifMatch != "" {
		req.Header.Set("If-Match", ifMatch)
		req.Header.Set("Content-Type", "text/xml")
	}
	sign(req, body, e.shared.info, time.Now().UTC())
	res, err := e.shared.viewer.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	if data, err = io.ReadAll(res.Body); err != nil {
		return nil, "", err
	}
	if res.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("status %d: %s", res.StatusCode, data)
	}
	return data, res.Header.Get("ETag"), nil
}

// sign signs a request with the given body; AWS General Reference, "Signature
// Version 4", read 2026-11.
func sign(req *http.Request, body string, info cloud.Info, now time.Time) {
	stamp, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/"+cloud.Region+"/cloudfront/aws4_request"
	content := hash(body)
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", content)
	canonical := req.Method + "\n" + req.URL.EscapedPath() + "\n" + req.URL.RawQuery +
		"\nhost:" + req.URL.Host + "\nx-amz-content-sha256:" + content + "\nx-amz-date:" + stamp + "\n\nhost;x-amz-content-sha256;x-amz-date\n" + content
	key := []byte("AWS4" + info.SecretAccessKey)
	for _, part := range []string{now.Format("20060102"), cloud.Region, "cloudfront", "aws4_request"} {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hash(canonical))
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+info.AccessKeyID+"/"+scope+
		", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="+hex.EncodeToString(signature))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}
