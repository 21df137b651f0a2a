package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// place is where one tool publishes to, in one round.
type place struct {
	site         string // the folder to publish
	home         string // the tool's own folder: its HOME, its configuration
	bucket       string
	endpoint     string // URL of the proxy: S3, and CloudFront's API
	distribution string
	program      string // of the tool
	version      string // what it says of itself
}

// peer is how to run one tool, with its best settings for speed.
type peer struct {
	name    string
	version []string // arguments that make it say its version
	says    string   // what a reader of the tables must know of its command
	// files is what the tool needs in its home, by path.
	files func(p place) map[string]string
	// commands is what a deploy is; each begins with the program.
	commands func(p place) [][]string
	env      func(p place) []string // beyond keys, region and HOME
}

const ours = "freshet"

// peers is the table to which a tool is added.
func peers() []peer {
	return []peer{
		{
			name: ours, version: []string{"version"},
			says: "`freshet deploy --yes --quiet --no-verify`: no verification, since the stand-in has no edge that could be asked",
			files: func(p place) map[string]string {
				return map[string]string{"freshet.yaml": fmt.Sprintf("site: %s\ntargets:\n  bench:\n    bucket: s3://%s\n    region: %s\n    endpoint: %s\n    distribution: %s\n    cloudfront-endpoint: %s\n",
					p.site, p.bucket, region, p.endpoint, p.distribution, p.endpoint)}
			},
			commands: func(p place) [][]string {
				return [][]string{{p.program, "deploy", "--config", filepath.Join(p.home, "freshet.yaml"), "--target", "bench", "--yes", "--quiet", "--no-verify"}}
			},
		},
		{
			name: "s3deploy", version: []string{"-V"},
			says: "`s3deploy -workers 32 -max-delete 1000000 -skip-local-dirs '^$' -quiet`, with a rule for pages and one for assets",
			files: func(place) map[string]string {
				return map[string]string{"s3deploy.yml": "routes:\n  - route: \"^(assets|images)/\"\n    headers:\n      Cache-Control: \"public, max-age=31536000, immutable\"\n  - route: \".+\"\n    headers:\n      Cache-Control: \"public, max-age=0, s-maxage=31536000\"\n"}
			},
			commands: func(p place) [][]string {
				return [][]string{{p.program, "-source", p.site, "-bucket", p.bucket, "-region", region, "-endpoint-url", p.endpoint, "-config", filepath.Join(p.home, "s3deploy.yml"),
					"-distribution-id", p.distribution, "-workers", "32", "-max-delete", "1000000", "-skip-local-dirs", "^$", "-quiet"}}
			},
		},
		{
			name: "hugo", version: []string{"version"},
			says: "`hugo deploy --workers 32 --maxDeletes -1`; one that cannot be pointed at another CloudFront (before 0.130) invalidates nothing here",
			files: func(p place) map[string]string {
				return map[string]string{"hugo.toml": hugoConfig(p)}
			},
			commands: func(p place) [][]string {
				return [][]string{{p.program, "deploy", "--quiet", "--source", p.home, "--config", "hugo.toml", "--workers", "32", "--maxDeletes", "-1"}}
			},
		},
		{
			name: "rclone", version: []string{"version"},
			says: "`rclone sync --checksum --fast-list --transfers 32 --checkers 32 --s3-no-head --s3-no-check-bucket`; it knows no CloudFront",
			commands: func(p place) [][]string {
				return [][]string{{p.program, "sync", p.site, "r:" + p.bucket, "--checksum", "--fast-list", "--transfers", "32", "--checkers", "32", "--s3-no-head", "--s3-no-check-bucket"}}
			},
			env: func(p place) []string {
				return []string{"RCLONE_CONFIG_R_TYPE=s3", "RCLONE_CONFIG_R_PROVIDER=Other", "RCLONE_CONFIG_R_ENV_AUTH=true", "RCLONE_CONFIG_R_ENDPOINT=" + p.endpoint, "RCLONE_CONFIG_R_REGION=" + region,
					"RCLONE_CONFIG=" + filepath.Join(p.home, "rclone.conf")}
			},
		},
		{
			name: "aws", version: []string{"--version"},
			says: "`aws s3 sync --delete`, then `aws cloudfront create-invalidation --paths '/*'`, as most Makefiles have it",
			commands: func(p place) [][]string {
				return [][]string{
					{p.program, "--endpoint-url", p.endpoint, "s3", "sync", p.site, "s3://" + p.bucket, "--delete", "--only-show-errors"},
					{p.program, "--endpoint-url", p.endpoint, "cloudfront", "create-invalidation", "--distribution-id", p.distribution, "--paths", "/*"},
				}
			},
		},
	}
}

func toolNames() string {
	var names []string
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

var hugoVersion = regexp.MustCompile(`v0\.(\d+)`)

// hugoConfig names the distribution only to a hugo that finds CloudFront's API where the environment says: those that are built on the second
// AWS SDK for Go. 0.130 is the first that is taken for one; 0.111 was seen to lack it and 0.164 to have it.
func hugoConfig(p place) string {
	text := fmt.Sprintf("baseURL = 'https://example.org/'\npublishDir = '%s'\n[deployment]\n[[deployment.targets]]\nname = 'bench'\nURL = 's3://%s?endpoint=%s&region=%s&s3ForcePathStyle=true'\n",
		p.site, p.bucket, p.endpoint, region)
	if m := hugoVersion.FindStringSubmatch(p.version); m != nil {
		if minor, err := strconv.Atoi(m[1]); err == nil && minor >= 130 {
			text += fmt.Sprintf("cloudFrontDistributionID = '%s'\n", p.distribution)
		}
	}
	return text + "[[deployment.matchers]]\npattern = '^(assets|images)/'\ncacheControl = 'public, max-age=31536000, immutable'\n" +
		"[[deployment.matchers]]\npattern = '.+'\ncacheControl = 'public, max-age=0, s-maxage=31536000'\n"
}

// tool is a peer that is installed.
type tool struct {
	peer
	program string
	said    string // the first line with which it tells its version
	ours    bool   // another freshet
}

// installed finds the tools that the options name and says which are left out.
func (b *bench) installed() ([]tool, error) {
	byName := map[string]peer{}
	for _, p := range peers() {
		byName[p.name] = p
	}
	var out []tool
	for _, name := range b.opts.tools {
		p, known := byName[name]
		if !known {
			return nil, fmt.Errorf("find tool %q: there is none of this name; there are %s", name, toolNames())
		}
		program, err := b.find(name)
		if name == ours && b.opts.programs[ours] == "" {
			program, err = b.freshet, nil
		}
		if err != nil {
			fmt.Printf("%-10s not installed, left out\n", name)
			continue
		}
		out = append(out, tool{peer: p, program: program, said: saidVersion(program, p.version)})
	}
	for _, name := range slices.Sorted(maps.Keys(b.opts.also)) {
		p, program := byName[ours], b.opts.also[name]
		p.name = name
		out = append(out, tool{peer: p, program: program, said: saidVersion(program, p.version), ours: true})
	}
	for _, t := range out {
		fmt.Printf("%-10s %s\n", t.name, t.said)
	}
	return out, nil
}

func saidVersion(program string, args []string) string {
	out, _ := exec.Command(program, args...).CombinedOutput() // some say it and fail
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// prepare writes the files that the tool needs.
func (t tool) prepare(p place) error {
	if err := os.MkdirAll(p.home, 0o755); err != nil {
		return err
	}
	if t.files == nil {
		return nil
	}
	for name, text := range t.files(p) {
		if err := os.WriteFile(filepath.Join(p.home, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
