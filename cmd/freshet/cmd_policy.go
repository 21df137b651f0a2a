package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/s3"
)

func (a *app) policyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "policy",
		Short: "Print the least IAM policy that the target needs",
		Long: `Prints an IAM policy with exactly the rights that freshet needs to publish to
the target: for the user or role whose credentials it is given. It asks nobody.`,
		Example: "  freshet policy --target production > policy.json\n" +
			"  aws iam put-user-policy --user-name deploy --policy-name freshet --policy-document file://policy.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := a.project()
			if err != nil {
				return err
			}
			named, err := p.Target(a.targetName)
			if err != nil {
				return err
			}
			if named.Embedded() {
				return usage("name a target with a bucket: `freshet policy --target production`", "the target %s is the embedded cloud, which needs no policy", named.Name)
			}
			rights := s3.Rights(named.Bucket, named.Prefix, named.Region)
			if named.Invalidates() {
				rights = append(rights, cloudfront.Rights(named.Distributions, slices.Contains(named.Distributions, config.AutoDistribution), named.Region)...)
			}
			text, err := remote.Policy(rights)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
}
