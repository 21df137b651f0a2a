package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/s3"
)

// policyFlags are the flags of policy.
type policyFlags struct{ doctor, fix bool }

func (a *app) policyCommand() *cobra.Command {
	var f policyFlags
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the least IAM policy that the target needs",
		Long: `Prints an IAM policy with exactly the rights that freshet needs to publish to
the target: for the user or role whose credentials it is given. It asks nobody.

doctor needs no more, and finds out less for want of some rights, which nothing
else uses: --doctor adds them. --fix adds those to read and the one to change the
distributions, which ` + "`freshet doctor --fix`" + ` needs; give it to people rather than to
CI.`,
		Example: "  freshet policy --target production > policy.json\n" +
			"  aws iam put-user-policy --user-name deploy --policy-name freshet --policy-document file://policy.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.policy(f) },
	}
	cmd.Flags().BoolVar(&f.doctor, "doctor", false, "with the rights that let doctor look at everything")
	cmd.Flags().BoolVar(&f.fix, "fix", false, "with the rights that `freshet doctor --fix` needs")
	return cmd
}

func (a *app) policy(f policyFlags) error {
	p, err := a.project()
	if err != nil {
		return err
	}
	named, err := p.Target(a.targetName)
	if err != nil {
		return err
	}
	if named.Embedded() {
		return usage("name a target with a bucket: `freshet policy --target NAME`; they stand in freshet.yaml, which `freshet init` writes",
			"the target %s is the embedded cloud, which needs no policy", named.Name)
	}
	text, err := remote.Policy(f.rights(named))
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

// rights are what the target needs.
func (f policyFlags) rights(to config.Target) []remote.Right {
	rights := s3.Rights(to.Bucket, to.Prefix, to.Region)
	find, ids := slices.Contains(to.Distributions, config.AutoDistribution), to.Distributions
	if find {
		ids = nil // "auto" is no distribution's id
	}
	if to.Invalidates() {
		rights = append(rights, cloudfront.Rights(ids, find, to.Region)...)
	}
	if !f.doctor && !f.fix {
		return rights
	}
	rights = append(rights, s3.DoctorRights(to.Bucket, to.Region)...)
	if to.Invalidates() {
		rights = append(rights, cloudfront.DoctorRights(ids, find, f.fix, to.Region)...)
	}
	return rights
}
