package standalone

import "testing"

// Only of Amazon's own buckets is it known that every write moves Last-Modified.
func TestAmazons(t *testing.T) {
	for host, want := range map[string]bool{
		"site.s3.us-west-2.amazonaws.com":            true,
		"a.b.s3.us-west-2.amazonaws.com":             true,
		"site.s3.amazonaws.com":                      true,
		"s3.eu-central-1.amazonaws.com":              true,
		"s3.dualstack.eu-central-1.amazonaws.com":    true,
		"site.s3.cn-north-1.amazonaws.com.cn":        true,
		"site.s3-website-us-east-1.amazonaws.com":    true,
		"site.s3-website.eu-central-1.amazonaws.com": true,
		"site-1.us-east-1.elb.amazonaws.com":         false,
		"abc.execute-api.us-east-1.amazonaws.com":    false,
		"s3.example.org":                             false,
		"site.s3.amazonaws.com.example.org":          false,
		"site.s3.us-west-2.notamazonaws.com":         false,
		"127.0.0.1":                                  false,
	} {
		if got := amazons(host); got != want {
			t.Errorf("amazons(%q) = %v", host, got)
		}
	}
}
