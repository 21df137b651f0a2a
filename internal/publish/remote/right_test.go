package remote_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
)

func TestPolicy(t *testing.T) {
	got, err := remote.Policy([]remote.Right{
		{Sid: "ListObjects", Actions: []string{"s3:ListBucket"}, Resources: []string{"arn:aws:s3:::site"}, PrefixCondition: []string{"a&b/*"}},
		{Sid: "Objects", Actions: []string{"s3:GetObject", "s3:PutObject"}, Resources: []string{"arn:aws:s3:::site/a&b/*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ListObjects",
      "Effect": "Allow",
      "Action": [
        "s3:ListBucket"
      ],
      "Resource": [
        "arn:aws:s3:::site"
      ],
      "Condition": {
        "StringLike": {
          "s3:prefix": [
            "a&b/*"
          ]
        }
      }
    },
    {
      "Sid": "Objects",
      "Effect": "Allow",
      "Action": [
        "s3:GetObject",
        "s3:PutObject"
      ],
      "Resource": [
        "arn:aws:s3:::site/a&b/*"
      ]
    }
  ]
}
`
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("policy (-got +want):\n%s", diff)
	}
}

func TestPolicyRefuses(t *testing.T) {
	good := remote.Right{Sid: "A1", Actions: []string{"s3:GetObject"}, Resources: []string{"*"}}
	with := func(change func(*remote.Right)) []remote.Right {
		r := good
		change(&r)
		return []remote.Right{good, r}
	}
	rows := map[string][]remote.Right{
		"no rights":    nil,
		"no action":    with(func(r *remote.Right) { r.Sid, r.Actions = "B", nil }),
		"no resource":  with(func(r *remote.Right) { r.Sid, r.Resources = "B", nil }),
		"no name":      with(func(r *remote.Right) { r.Sid = "" }),
		"an odd name":  with(func(r *remote.Right) { r.Sid = "a b" }),
		"a name twice": {good, good},
	}
	for name, rights := range rows {
		if got, err := remote.Policy(rights); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := remote.Policy([]remote.Right{good}); err != nil {
		t.Errorf("a good right: %v", err)
	}
}
