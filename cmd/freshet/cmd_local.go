package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/cloud"
)

// localEdge is where the edge listens unless it is told otherwise.
const localEdge = "127.0.0.1:8080"

const localHelp = `Runs an S3 server, the CloudFront control API, an edge cache and a console on
127.0.0.1 until it is stopped, and prints the lines that point the AWS CLI at
them. Data lie in .freshet/local beside the config; a restart finds everything
again. A deploy to the local target uses it while it runs.

Distributions and policies made through the control API are served by the same
edge, by their domain name or an alias in the Host header:

  curl -H 'Host: www.example.org' http://127.0.0.1:8080/

Port 0 takes any free port. With --json one line is printed once it is ready.

To try what publishes to it, --limits enforces CloudFront's limits on
invalidations (current: 150 paths or tags and one wildcard a second; legacy:
3,000 paths and 15 wildcards in progress), and --fault fails on purpose. Faults
are separated by commas, as in --fault throttle=3,slow=20s:

` + cloud.FaultHelp

func (a *app) localCommand() *cobra.Command {
	var opts cloud.Options
	var limits, faults string
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run the embedded S3, CloudFront API, edge and console",
		Long:  localHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := readTrials(&opts, limits, faults); err != nil {
				return err
			}
			p, err := a.project()
			if err != nil {
				return err
			}
			opts.Dir = a.dataFolder(p)
			return a.local(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Addresses.S3, "s3", "127.0.0.1:9000", "the `address` of the S3 API")
	flags.StringVar(&opts.Addresses.Control, "control", "127.0.0.1:9001", "the `address` of the CloudFront control API")
	flags.StringVar(&opts.Addresses.Edge, "edge", localEdge, "the `address` of the edge")
	flags.StringVar(&opts.Addresses.Console, "console", "127.0.0.1:8081", "the `address` of the console")
	flags.StringVar(&limits, "limits", string(cloud.LimitsNone), "the `name` of the limits on invalidations to enforce: current, legacy or none")
	flags.StringVar(&faults, "fault", "", "what fails on purpose, as a `list` (see above)")
	return cmd
}

// readTrials reads what the cloud is to make difficult.
func readTrials(opts *cloud.Options, limits, faults string) (err error) {
	if opts.Limits, err = cloud.ParseLimits(limits); err != nil {
		return usage("`freshet local --help` explains --limits", "%w", err)
	}
	if opts.Faults, err = cloud.ParseFaults(faults); err != nil {
		return usage("`freshet local --help` lists the faults", "%w", err)
	}
	return nil
}

// local runs the cloud until ctx ends.
func (a *app) local(ctx context.Context, opts cloud.Options) error {
	opts.Announce, opts.Now, opts.Logger = true, a.now, a.logger()
	c, err := cloud.Start(ctx, opts)
	var taken *cloud.ListenError
	if errors.As(err, &taken) {
		return &failure{err, exitFailed, fmt.Sprintf("perhaps something else uses that address; choose another, as in `freshet local --%s 127.0.0.1:0`", taken.Flag)}
	}
	if err != nil {
		return embeddedFailure(err)
	}
	if err := a.showLocal(c.Info()); err != nil {
		return errors.Join(err, c.Close())
	}
	<-ctx.Done()
	a.tell("stopping")
	return c.Close()
}

// typed is how to type a freshet command for the same project.
func (a *app) typed(name string) string {
	text := "freshet " + name
	if a.dir != "." {
		text += " -C " + word(a.dir)
	}
	if a.dataDir != "" {
		text += " --data " + word(a.dataDir)
	}
	return text
}

func (a *app) showLocal(info cloud.Info) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(info)
	}
	_, err := fmt.Fprintf(a.stdout, `The embedded cloud is running.

  Site          %s
  Console       %s
  Bucket        s3://%s
  Distribution  %s

Publish to it from another terminal with "%s". To point the
AWS CLI at it:

  export AWS_ACCESS_KEY_ID=%s
  export AWS_SECRET_ACCESS_KEY=%s
  export AWS_DEFAULT_REGION=%s
  export AWS_ENDPOINT_URL_S3=%s
  export AWS_ENDPOINT_URL_CLOUDFRONT=%s

  aws s3 ls s3://%s
  aws cloudfront list-invalidations --distribution-id %s

(An AWS CLI older than 2.13 needs --endpoint-url %s for s3 and
--endpoint-url %s for cloudfront.)

Stop it with Ctrl-C.
`, info.Edge+"/", info.Console+"/", info.Bucket, info.Distribution, a.typed("deploy"), info.AccessKeyID, info.SecretAccessKey, cloud.Region,
		info.S3, info.Control, info.Bucket, info.Distribution, info.S3, info.Control)
	return err
}
