package habit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name string
		file string
		text string
		want []Command
	}{
		{"the two lines", "Makefile", "up:\n\taws s3 sync --delete output/ s3://ben.example\n\taws cloudfront create-invalidation --distribution-id EDFDVBD6EXAMPLE --paths '/*'\n", []Command{
			{Line: 2, Group: "up", Tool: "aws s3 sync", Source: "output", Bucket: "ben.example"},
			{Line: 3, Group: "up", Tool: "aws cloudfront create-invalidation", Distributions: []string{"EDFDVBD6EXAMPLE"}},
		}},
		{"options everywhere", "deploy.sh", `aws --profile blog s3 --region eu-west-1 sync --acl public-read "my site" --exclude '*.tmp' 's3://my-site/a//b/' --delete --endpoint-url=http://127.0.0.1:9000`, []Command{
			{Line: 1, Tool: "aws s3 sync", Source: "my site", Bucket: "my-site", Prefix: "a/b/", Region: "eu-west-1", Profile: "blog", Endpoint: "http://127.0.0.1:9000"},
		}},
		{"make's variables", "Makefile", "BASEDIR=$(CURDIR)\nOUTPUTDIR=$(BASEDIR)/output\nS3_BUCKET ?= my-site # the bucket\nAWS := aws --region us-west-2\ns3_upload: publish\n\t@$(AWS) s3 sync \"$(OUTPUTDIR)\"/ s3://$(S3_BUCKET) --acl public-read --delete\n", []Command{
			{Line: 6, Group: "s3_upload", Tool: "aws s3 sync", Source: "output", Bucket: "my-site", Region: "us-west-2"},
		}},
		{"a variable of the shell in make", "Makefile", "x:\n\tBUCKET=b-one; aws s3 sync . s3://$$BUCKET\n", []Command{
			{Line: 2, Group: "x", Tool: "aws s3 sync", Source: ".", Bucket: "b-one"},
		}},
		{"variables of the shell", "deploy.sh", "export BUCKET=\"s3://my-site\"\nID='E2345678'\naws s3 cp --recursive ./public \"$BUCKET/\" && \\\n  aws cloudfront create-invalidation \\\n  --paths '/*' \\\n  --distribution-id=${ID}\n", []Command{
			{Line: 3, Tool: "aws s3 cp", Source: "public", Bucket: "my-site"},
			{Line: 3, Tool: "aws cloudfront create-invalidation", Distributions: []string{"E2345678"}},
		}},
		{"a default and an argument", "deploy.sh", "B=${1:-my-site}\nD=$2\naws s3 sync public s3://$B\naws cloudfront create-invalidation --distribution-id $D\n", []Command{
			{Line: 3, Tool: "aws s3 sync", Source: "public", Bucket: "my-site"},
			{Line: 4, Tool: "aws cloudfront create-invalidation", Unknown: []string{"2"}},
		}},
		{"the environment of the AWS CLI", "deploy.sh", "export AWS_PROFILE=tdc AWS_DEFAULT_REGION=eu-north-1\nawsv2 s3 sync out s3://bbb", []Command{
			{Line: 2, Tool: "aws s3 sync", Source: "out", Bucket: "bbb", Region: "eu-north-1", Profile: "tdc"},
		}},
		{"two values", "deploy.sh", "if x; then B=b-one\nelse B=b-two\nfi\naws s3 sync out s3://$B\n", []Command{
			{Line: 4, Tool: "aws s3 sync", Source: "out", Bucket: "b-one", Guess: true},
			{Line: 4, Tool: "aws s3 sync", Source: "out", Bucket: "b-two", Guess: true},
		}},
		{"unknown", "deploy.sh", "aws s3 sync out s3://$(cat bucket)/\naws s3 sync out s3://${B#x}/\n", []Command{
			{Line: 1, Tool: "aws s3 sync", Source: "out", Unknown: []string{"catbucket"}},
			{Line: 2, Tool: "aws s3 sync", Source: "out", Unknown: []string{"Bx"}},
		}},
		{"not those", "deploy.sh", "# aws s3 sync a s3://bbb\necho aws s3 sync a s3://bbb\naws s3 sync s3://bbb here\naws s3 cp a s3://bbb/a\naws s3 ls s3://bbb\naws s3 sync a\naws cloudfront create-invalidation --paths x\naws s3 sync a s3://\n", nil},
		{"other folders", "deploy.sh", "cd web && aws s3 sync dist s3://aaa\n(cd /tmp && aws s3 sync ../x s3://bbb)\naws s3 sync ~/site s3://ccc\n", []Command{
			{Line: 1, Tool: "aws s3 sync", Source: "web/dist", Bucket: "aaa"},
			{Line: 2, Tool: "aws s3 sync", Bucket: "bbb"},
			{Line: 3, Tool: "aws s3 sync", Bucket: "ccc"},
		}},
		{"in quotes and in a container", "run.sh", "sh -c \"aws s3 sync a s3://aaa\"\ndocker run --rm -v $PWD:/aws amazon/aws-cli:2.1 s3 sync a s3://bbb\n", []Command{
			{Line: 1, Tool: "aws s3 sync", Source: "a", Bucket: "aaa"},
			{Line: 2, Tool: "aws s3 sync", Source: "a", Bucket: "bbb"},
		}},
		{"npm", "package.json", "{\n  \"config\": {\"bucket\": \"my-site\"},\n  \"scripts\": {\n    \"build\": \"eleventy\",\n    \"deploy\": \"npm run build && aws s3 sync _site \\\"s3://$npm_package_config_bucket\\\" --delete\"\n  }\n}\n", []Command{
			{Line: 5, Group: "deploy", Tool: "aws s3 sync", Source: "_site", Bucket: "my-site"},
		}},
		{"npm on one line", "package.json", `{"scripts": {"deploy": "aws s3 sync dist s3://bbb"}}`, []Command{
			{Line: 1, Group: "deploy", Tool: "aws s3 sync", Source: "dist", Bucket: "bbb"},
		}},
		{"no package.json", "package.json", `{"scripts": "aws s3 sync dist s3://bbb"`, nil},
		{"GitHub", ".github/workflows/deploy.yml", strings.ReplaceAll(`env:
  BUCKET: my-site   # ours
jobs:
  build:
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          aws-region: eu-west-1
      - name: Publish
        run: |
          aws s3 sync --delete ./public "s3://${{ env.BUCKET }}/"
          aws cloudfront create-invalidation --distribution-id ${{ secrets.DISTRIBUTION }} --paths "/*"
  other:
    steps:
      - run: >-
          aws s3 sync out
          s3://bbb
      - run: "aws s3 sync docs s3://ccc"
`, "\t", "  "), []Command{
			{Line: 11, Group: "build", Tool: "aws s3 sync", Source: "public", Bucket: "my-site", Region: "eu-west-1"},
			{Line: 12, Group: "build", Tool: "aws cloudfront create-invalidation", Region: "eu-west-1", Unknown: []string{"secrets.DISTRIBUTION"}},
			{Line: 16, Group: "other", Tool: "aws s3 sync", Source: "out", Bucket: "bbb", Region: "eu-west-1"},
			{Line: 18, Group: "other", Tool: "aws s3 sync", Source: "docs", Bucket: "ccc", Region: "eu-west-1"},
		}},
		{"GitHub's actions", ".github/workflows/x.yml", "jobs:\n  up:\n    steps:\n    - uses: jakejarvis/s3-sync-action@master\n      env:\n        AWS_S3_BUCKET: my-site\n        AWS_REGION: 'us-east-2'\n        SOURCE_DIR: public\n    - name: purge\n      uses: chetan/invalidate-cloudfront-action@v2\n      env:\n        DISTRIBUTION: E2345678\n", []Command{
			{Line: 4, Group: "up", Tool: "jakejarvis/s3-sync-action", Source: "public", Bucket: "my-site", Region: "us-east-2"},
			{Line: 10, Group: "up", Tool: "chetan/invalidate-cloudfront-action", Distributions: []string{"E2345678"}, Region: "us-east-2"},
		}},
		{"GitLab", ".gitlab-ci.yml", "variables:\n  S3_BUCKET_NAME: \"my-site\"\npages:\n  script:\n  - aws s3 sync public s3://$S3_BUCKET_NAME\n", []Command{
			{Line: 5, Group: "pages", Tool: "aws s3 sync", Source: "public", Bucket: "my-site"},
		}},
		{"invoke", "tasks.py", "CONFIG = {\n    'bucket': 'my-site',  # where\n}\nID = \"E2345678\"\n\n@task\ndef publish(c):\n    \"\"\"Send it.\"\"\"\n    c.run('aws s3 sync --delete '\n          'output/ s3://{bucket}'.format(**CONFIG))\n    subprocess.run([\"aws\", \"cloudfront\", \"create-invalidation\", \"--distribution-id\", ID, \"--paths\", \"/*\"])\n    c.run(f'aws s3 sync docs s3://{CONFIG[\"bucket\"]}/docs')\n", []Command{
			{Line: 9, Tool: "aws s3 sync", Source: "output", Bucket: "my-site"},
			{Line: 11, Tool: "aws cloudfront create-invalidation", Distributions: []string{"E2345678"}},
			{Line: 12, Tool: "aws s3 sync", Source: "docs", Bucket: "my-site", Prefix: "docs/"},
		}},
		{"s3deploy", "deploy.sh", "s3deploy -bucket=my-site -region us-east-1 -source public/ -distribution-id E2345678,E3456789 -path blog -public-access\n", []Command{
			{Line: 1, Tool: "s3deploy", Source: "public", Bucket: "my-site", Prefix: "blog/", Region: "us-east-1", Distributions: []string{"E2345678", "E3456789"}},
		}},
		{"s3deploy's file", ".s3deploy.yml", "bucket: my-site\nregion: us-east-1\ndistribution-id: E2345678\nroutes:\n  - route: x\n", []Command{
			{Line: 1, Tool: "s3deploy", Bucket: "my-site", Region: "us-east-1", Distributions: []string{"E2345678"}},
		}},
		{"Hugo", "hugo.toml", "baseURL = 'https://x/'\n[deployment]\n[[deployment.targets]]\n  name = 'gcs'\n  URL = 'gs://other'\n[[deployment.targets]]\n  name = 's3'\n  URL = 's3://my-site?region=us-east-1&prefix=a/'\n  cloudFrontDistributionID = 'E2345678'\n", []Command{
			{Line: 8, Tool: "hugo deploy", Bucket: "my-site", Prefix: "a/", Region: "us-east-1", Distributions: []string{"E2345678"}},
		}},
		{"Hugo in YAML", "config/_default/deployment.yaml", "targets:\n  - name: s3\n    cloudFrontDistributionID: E2345678\n    URL: s3://my-site\n", []Command{
			{Line: 4, Tool: "hugo deploy", Bucket: "my-site", Distributions: []string{"E2345678"}},
		}},
		{"others", "deploy.sh", "s5cmd --endpoint-url https://s3.example sync --delete 'public/*' s3://aaa/\ns3cmd sync out/ s3://bbb --acl-public --delete-removed\nrclone sync public s3:ccc/x --progress\nrclone sync public :s3,provider=AWS,region=eu-west-1:ddd\nrclone sync public dropbox:eee\n", []Command{
			{Line: 1, Tool: "s5cmd sync", Source: "public", Bucket: "aaa", Endpoint: "https://s3.example"},
			{Line: 2, Tool: "s3cmd sync", Source: "out", Bucket: "bbb"},
			{Line: 3, Tool: "rclone sync", Source: "public", Bucket: "ccc", Prefix: "x/"},
			{Line: 4, Tool: "rclone sync", Source: "public", Bucket: "ddd"},
		}},
		{"Windows line ends", "deploy.sh", "B=bbb\r\naws s3 sync out s3://$B\r\n", []Command{{Line: 2, Tool: "aws s3 sync", Source: "out", Bucket: "bbb"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.want {
				tt.want[i].File = tt.file
			}
			if diff := cmp.Diff(Read(tt.file, []byte(tt.text)), tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// summary is a place on one line.
func summary(p Place) string {
	return fmt.Sprintf("s3://%s/%s %v %s", p.Bucket, p.Prefix, p.Distributions, p.Source)
}

func TestPlaces(t *testing.T) {
	const sync, purge = "\taws s3 sync %s s3://%s\n", "\taws cloudfront create-invalidation --distribution-id %s\n"
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"one", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb") + "c:\n" + fmt.Sprintf(purge, "E1234567")}, []string{"s3://bbb/ [E1234567] out"}},
		{"in two files", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb"), "purge.sh": fmt.Sprintf(purge, "E1234567")}, []string{"s3://bbb/ [E1234567] out"}},
		{"several distributions", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb") + fmt.Sprintf(purge, "E1234567") + fmt.Sprintf(purge, "E2345678")}, []string{"s3://bbb/ [E1234567 E2345678] out"}},
		{"two stages", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb") + fmt.Sprintf(purge, "E1234567") + "c:\n" + fmt.Sprintf(sync, "out", "ccc") + fmt.Sprintf(purge, "E2345678")},
			[]string{"s3://bbb/ [E1234567] out", "s3://ccc/ [E2345678] out"}},
		{"two stages, not clear", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb") + "b:\n" + fmt.Sprintf(sync, "out", "ccc") + "c:\n" + fmt.Sprintf(purge, "E1234567")},
			[]string{"s3://bbb/ [] out", "s3://ccc/ [] out"}},
		{"a part", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out/assets", "bbb/assets") + fmt.Sprintf(sync, "out", "bbb")}, []string{"s3://bbb/ [] out"}},
		{"another folder", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "docs", "bbb/assets") + fmt.Sprintf(sync, "out", "bbb")}, []string{"s3://bbb/assets/ [] docs", "s3://bbb/ [] out"}},
		{"examples", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "my_s3_bucket") + fmt.Sprintf(sync, "out", "XXXX") + fmt.Sprintf(purge, "XXXXXXXX")}, nil},
		{"an example's distribution", map[string]string{"Makefile": "a:\n" + fmt.Sprintf(sync, "out", "bbb") + fmt.Sprintf(purge, "XXXXXXXX")}, []string{"s3://bbb/ [] out"}},
		{"values that may not go together", map[string]string{"d.sh": "B=bbb\nB=ccc\nD=E1234567\nD=E2345678\ns3deploy -bucket $B -distribution-id $D -source out"}, []string{"s3://bbb/ [] out", "s3://ccc/ [] out"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var commands []Command
			for _, name := range []string{"Makefile", "d.sh", "purge.sh"} {
				commands = append(commands, Read(name, []byte(tt.files[name]))...)
			}
			var got []string
			for _, p := range Places(commands) {
				got = append(got, summary(p))
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzRead makes sure that no text takes long or breaks anything, and that
// what is found can be shown and written.
func FuzzRead(f *testing.F) {
	names := []string{"Makefile", "deploy.sh", "package.json", "a.yml", "tasks.py", "hugo.toml", ".s3deploy.yml"}
	for i := range names {
		f.Add(uint(i), "B=$(B) x\nbbb: c\n  run: >\n aws s3 sync \"$B\" s3://${B:-b}/$1 \\\n --delete\n")
		f.Add(uint(i), "{\"scripts\":{\"a\":\"aws s3 sync a s3://b\"}}")
		f.Add(uint(i), "X = \"\"\"a'\"\"\" , f\"{X}\"\n[[t]]\nURL=\"s3://b?prefix=%2f\"")
	}
	f.Fuzz(func(t *testing.T, name uint, text string) {
		lines := strings.Count(text, "\n") + 1
		commands := Read(names[name%uint(len(names))], []byte(text))
		for _, c := range commands {
			if c.Line < 1 || c.Line > lines {
				t.Errorf("line %d of %d", c.Line, lines)
			}
			if c.Tool == "" || c.Bucket == "" && len(c.Distributions) == 0 && len(c.Unknown) == 0 && !strings.Contains(text, "${") {
				t.Errorf("says nothing: %+v", c)
			}
		}
		for _, p := range Places(commands) {
			if !bucketNames.MatchString(p.Bucket) {
				t.Errorf("bucket %q", p.Bucket)
			}
		}
	})
}
