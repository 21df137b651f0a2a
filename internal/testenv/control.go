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
	u := e.shared.info.Control + "/2020-05-31/distribution/" + e.shared.info.Distribution + "/invalidation?" + query.Encode()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return page, err
	}
	sign(req, e.shared.info, time.Now().UTC())
	res, err := e.shared.viewer.Do(req)
	if err != nil {
		return page, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return page, err
	}
	if res.StatusCode != http.StatusOK {
		return page, fmt.Errorf("status %d: %s", res.StatusCode, data)
	}
	return page, xml.Unmarshal(data, &page)
}

// sign signs a request without a body; AWS General Reference, "Signature
// Version 4", read 2026-11.
func sign(req *http.Request, info cloud.Info, now time.Time) {
	stamp, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/"+cloud.Region+"/cloudfront/aws4_request"
	empty := hash("")
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", empty)
	canonical := req.Method + "\n" + req.URL.EscapedPath() + "\n" + req.URL.RawQuery +
		"\nhost:" + req.URL.Host + "\nx-amz-content-sha256:" + empty + "\nx-amz-date:" + stamp + "\n\nhost;x-amz-content-sha256;x-amz-date\n" + empty
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
