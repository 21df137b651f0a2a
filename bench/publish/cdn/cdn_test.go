package cdn

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

func TestCovered(t *testing.T) {
	keys := []string{"index.html", "about.html", "about/index.html", "posts/index.html", "posts/reindex.html", "posts/a/index.html", "tags/c++/index.html", "files/100% x.txt", "a*b.txt"}
	for _, row := range []struct {
		name  string
		items []string
		want  int
	}{
		{"nothing", nil, 0},
		{"everything", []string{"/*"}, len(keys)},
		{"the root", []string{"/"}, 1},
		{"a key", []string{"/about.html"}, 1},
		{"a folder with its slash", []string{"/about/"}, 1},
		{"a folder without", []string{"/about"}, 1},
		{"a prefix that ends in a name", []string{"/about*"}, 2},
		{"below a folder", []string{"/posts/*"}, 3},
		{"not an index", []string{"/posts/re"}, 0},
		{"escaped", []string{"/tags/c%2B%2B/"}, 1},
		{"not escaped", []string{"/tags/c++/"}, 1},
		{"an escaped percent sign", []string{"/files/100%25%20x.txt"}, 1},
		{"an escape that is none", []string{"/files/100%zz"}, 0},
		{"a star inside", []string{"/a*b.txt"}, 1},
		{"a star inside is no wildcard", []string{"/p*/index.html"}, 0},
		{"twice", []string{"/about.html", "/about*"}, 2},
		{"an empty wildcard that is a key", []string{"/about.html*"}, 1},
	} {
		if got := Covered(keys, row.items); got != row.want {
			t.Errorf("%s %q: %d objects, want %d", row.name, row.items, got, row.want)
		}
	}
}

// TestTheSDKUnderstands drives the API with the client that publishers use.
func TestTheSDKUnderstands(t *testing.T) {
	var control Control
	id := control.Add("site")
	if again := control.Add("site"); again != id || control.Add("other") == id {
		t.Errorf("a second distribution of site: %s", again)
	}
	server := httptest.NewServer(&control)
	defer server.Close()
	ctx := context.Background()
	client := cloudfront.New(cloudfront.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	d, err := client.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err != nil {
		t.Fatal(err)
	}
	if got := *d.Distribution.DistributionConfig.Origins.Items[0].DomainName; got != "site.s3.us-east-1.amazonaws.com" {
		t.Errorf("origin %s", got)
	}
	list, err := client.ListDistributions(ctx, &cloudfront.ListDistributionsInput{})
	if err != nil || len(list.DistributionList.Items) != 2 {
		t.Fatalf("list: %v, %v", list, err)
	}
	send := func(reference string, quantity int32, items ...string) (string, error) {
		out, err := client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: &id, InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference, Paths: &types.Paths{Quantity: &quantity, Items: items},
		}})
		if err != nil {
			return "", err
		}
		return *out.Invalidation.Id, nil
	}
	for _, row := range []struct {
		name, reference string
		quantity        int32
		items           []string
		want            string
	}{
		{"first", "r1", 2, []string{"/a&b", "/c*"}, "I1"},
		{"repeated", "r1", 2, []string{"/a&b", "/c*"}, "I1"},
		{"another under its reference", "r1", 1, []string{"/d"}, ""},
		{"second", "r2", 1, []string{"/d"}, "I2"},
		{"miscounted", "r3", 2, []string{"/d"}, ""},
		{"no slash", "r4", 1, []string{"d"}, ""},
	} {
		if got, err := send(row.reference, row.quantity, row.items...); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
	}
	status, err := client.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: &id, Id: aws.String("I1")})
	if err != nil || *status.Invalidation.Status != "Completed" {
		t.Errorf("status: %v, %v", status, err)
	}
	sent, err := client.ListInvalidations(ctx, &cloudfront.ListInvalidationsInput{DistributionId: &id})
	if err != nil || len(sent.InvalidationList.Items) != 2 {
		t.Errorf("list: %v, %v", sent, err)
	}
	if diff := cmp.Diff(control.Take(id), []string{"/a&b", "/c*", "/d"}); diff != "" {
		t.Errorf("taken (-got +want):\n%s", diff)
	}
	if again := control.Take(id); len(again) != 0 {
		t.Errorf("taken again: %q", again)
	}
	if _, err := client.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: aws.String(fmt.Sprint(id, "X"))}); err == nil {
		t.Error("an unknown distribution is described")
	}
}
