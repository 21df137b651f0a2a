package setup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/project/config"
)

// project makes a folder with files.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const twoLines = "up:\n\taws --profile blog s3 sync --delete output/ s3://ben.example --region us-west-2\n\taws cloudfront create-invalidation --distribution-id EDFDVBD6EXAMPLE --paths '/*'\n"

func TestDecide(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		given Given
		want  Answers
		from  Origins
	}{
		{
			"the seed", map[string]string{"pelicanconf.py": "", "publishconf.py": "", "Makefile": twoLines}, nil,
			Answers{Site: "output", Build: "pelican content -o output -s publishconf.py", Clean: []string{"output"}, Target: "production",
				Bucket: "s3://ben.example", Region: "us-west-2", Distributions: []string{"EDFDVBD6EXAMPLE"}},
			Origins{"Pelican's output folder", "Pelican, by pelicanconf.py", "Makefile:2", "Makefile:3", "Makefile:2"},
		},
		{
			"flags before all", map[string]string{"pelicanconf.py": "", "Makefile": twoLines},
			Given{"site": "./web/", "build": "none", "bucket": "other-bucket", "target": "live"},
			Answers{Site: "web", Target: "live", Bucket: "s3://other-bucket", Distributions: []string{"auto"}},
			Origins{Distribution: "found by the bucket behind it"},
		},
		{
			"no bucket wanted", map[string]string{"hugo.toml": "", "Makefile": twoLines}, Given{"bucket": "none"},
			Answers{Site: "public", Build: "hugo", Clean: []string{"public"}, Target: "production"},
			Origins{Site: "Hugo's output folder", Build: "Hugo, by hugo.toml"},
		},
		{
			"a plain site", map[string]string{"index.html": "<h1>"}, nil,
			Answers{Site: ".", Target: "production"}, Origins{Site: "the folder itself"},
		},
		{
			"what a script of one's own fills", map[string]string{"package.json": `{"scripts": {"build": "x", "deploy": "aws s3 sync www s3://bbb"}}`}, nil,
			Answers{Site: "www", Build: "npm run build", Target: "production", Bucket: "s3://bbb", Distributions: []string{"auto"}},
			Origins{"what package.json:1 publishes", "npm, by package.json", "package.json:1", "found by the bucket behind it", ""},
		},
		{
			"a script with an argument", map[string]string{"deploy.sh": "aws s3 sync src s3://$1", "src/index.html": ""}, nil,
			Answers{Site: "src", Target: "production"}, Origins{Site: "what deploy.sh:1 publishes"},
		},
		{
			"several distributions", map[string]string{"index.html": ""}, Given{"bucket": "s3://bbb/blog/", "distribution": "E1234567, E2345678"},
			Answers{Site: ".", Target: "production", Bucket: "s3://bbb/blog", Distributions: []string{"E1234567", "E2345678"}},
			Origins{Site: "the folder itself"},
		},
		{
			"no distribution", map[string]string{"index.html": ""}, Given{"bucket": "arn:aws:s3:::bbb", "distribution": "none", "endpoint": "https://s3.example"},
			Answers{Site: ".", Target: "production", Bucket: "s3://bbb", Endpoint: "https://s3.example"}, Origins{Site: "the folder itself"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts, err := Look(project(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			got, from, err := facts.Decide(tt.given, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want) + cmp.Diff(from, tt.from); diff != "" {
				t.Error(diff)
			}
			if _, err := facts.Text(got, from, ".freshet.schema.json"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecideRefuses(t *testing.T) {
	two := "a:\n\taws s3 sync out s3://stage-bucket\nb:\n\taws s3 sync out s3://live-bucket\n"
	tests := []struct {
		name  string
		files map[string]string
		given Given
		flag  string
		msg   string
	}{
		{"empty folder", nil, nil, "site", "nothing to publish"},
		{"two output folders", map[string]string{"public/index.html": "", "dist/index.html": ""}, nil, "site", "ambiguous"},
		{"two buckets", map[string]string{"index.html": "", "Makefile": two}, nil, "bucket", "s3://stage-bucket (Makefile:2), s3://live-bucket (Makefile:4)"},
		{"bad bucket", map[string]string{"index.html": ""}, Given{"bucket": "My_Bucket"}, "bucket", "--bucket names the bucket"},
		{"domain for distribution", map[string]string{"index.html": ""}, Given{"bucket": "bbb", "distribution": "d1.cloudfront.net"}, "distribution", "takes the distribution's id"},
		{"region without bucket", map[string]string{"index.html": ""}, Given{"region": "eu-west-1"}, "region", "goes with a bucket"},
		{"the local target", map[string]string{"index.html": ""}, Given{"target": "local"}, "target", "embedded cloud"},
		{"bad target", map[string]string{"index.html": ""}, Given{"target": "a b"}, "target", "must be"},
		{"line break in site", map[string]string{"index.html": ""}, Given{"site": "a\nb"}, "site", "line break"},
		{"bad endpoint", map[string]string{"index.html": ""}, Given{"bucket": "bbb", "endpoint": "s3.example"}, "endpoint", "must start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts, err := Look(project(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = facts.Decide(tt.given, nil)
			var undecided *Undecided
			var mistake *Mistake
			switch {
			case errors.As(err, &undecided) && undecided.Flag == tt.flag && errors.Is(err, ErrUndecided):
			case errors.As(err, &mistake) && mistake.Flag == tt.flag:
			default:
				t.Fatalf("error %v; want one about --%s", err, tt.flag)
			}
			if !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("error %q; want %q in it", err, tt.msg)
			}
		})
	}
}

// Property: whatever is answered, the file that is written loads and says it.
func TestEveryAnswerIsWrittenAsItIs(t *testing.T) {
	facts, err := Look(project(t, map[string]string{"hugo.toml": "", "Makefile": twoLines}))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		given := Given{}
		give := func(flag string, g *rapid.Generator[string]) {
			if rapid.Bool().Draw(t, "has "+flag) {
				given[flag] = g.Draw(t, flag)
			}
		}
		odd := rapid.SampledFrom([]string{"true", "0777", "1e3", "~", "- a", "a: b", "a #b", "*x", "&x", "!x", "%x", "@x", "'", `"`, `\`, "{", "[", "|", ">", "?", "null", "ü", "日本 語", "a  b", "", " ", "=", "<<", "1:30", "2026-11-22", "a'b\"c", "no", "\u2028", "\u00a0", "\U0001F600", "\u0085", "a:", "x\ty"})
		text := rapid.OneOf(odd, rapid.String(), rapid.StringMatching(`[ -~]{0,12}`))
		give("site", text)
		give("build", rapid.OneOf(text, rapid.StringMatching(`[a-z]+( [ -~]{0,20}){0,3}\n?`)))
		give("bucket", rapid.OneOf(odd, rapid.StringMatching(`(s3://)?[a-z0-9.-]{3,10}(/[a-z0-9: #]{0,5}){0,2}/?`), rapid.StringMatching(`s3://bbb/[ -~]{0,8}`)))
		give("distribution", rapid.OneOf(odd, rapid.StringMatching(`E[A-Z0-9]{6}(,E[A-Z0-9]{6})?`), rapid.Just("auto")))
		give("region", rapid.OneOf(odd, rapid.StringMatching(`[a-z]{2}-[a-z]{4}-[0-9]`)))
		give("endpoint", rapid.OneOf(odd, rapid.StringMatching(`https://[a-z]{1,5}(:[0-9]{1,4})?/?[a-z #]{0,3}`)))
		give("target", rapid.OneOf(odd, rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,5}`)))
		answers, from, err := facts.Decide(given, nil)
		if err != nil {
			var mistake *Mistake
			if !errors.As(err, &mistake) {
				t.Fatalf("neither answers nor a mistake: %v", err)
			}
			return
		}
		file, err := facts.Text(answers, from, ".freshet.schema.json")
		if err != nil {
			t.Fatalf("%+v: %v\n%s", answers, err, file)
		}
		c, err := config.Parse("freshet.yaml", file)
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		if want, ok := given["site"]; ok && filepath.Clean(strings.TrimSpace(want)) != filepath.Clean(c.Site) {
			t.Fatalf("site %q instead of %q", c.Site, want)
		}
		if want := strings.TrimSpace(given["build"]); want != None && given["build"] != "" && c.Build.Command != want {
			t.Fatalf("build %q instead of %q", c.Build.Command, want)
		}
		if local, err := c.Target(""); err != nil || !local.Embedded() {
			t.Fatalf("a plain deploy goes to %+v, %v", local, err)
		}
	})
}

func TestTextOfTheSeed(t *testing.T) {
	facts, err := Look(project(t, map[string]string{"pelicanconf.py": "", "publishconf.py": "", "Makefile": twoLines}))
	if err != nil {
		t.Fatal(err)
	}
	answers, from, err := facts.Decide(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := facts.Text(answers, from, ".freshet.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "seed.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), string(want)); diff != "" {
		t.Error(diff)
	}
	installed := func(string) (string, error) { return "", errors.New("not here") }
	notes := strings.Join(facts.Notes(answers, installed), "\n")
	for _, part := range []string{"pelican is not installed", "Makefile:2 uses the AWS profile blog: type export AWS_PROFILE=blog"} {
		if !strings.Contains(notes, part) {
			t.Errorf("notes %q; want %q in them", notes, part)
		}
	}
}

func TestNotesOnExamples(t *testing.T) {
	facts, err := Look(project(t, map[string]string{"_config.yml": "", "Makefile": "B=XXXX\nup:\n\taws s3 sync _site s3://$(B)\n\taws s3 sync _site s3://$(C)\n"}))
	if err != nil {
		t.Fatal(err)
	}
	answers, _, err := facts.Decide(nil, nil)
	if err != nil || answers.Bucket != "" {
		t.Fatalf("%+v, %v", answers, err)
	}
	want := []string{
		`Makefile:3 publishes to "XXXX", which cannot be a bucket's name: an example that nobody filled in?`,
		"Makefile:4 (aws s3 sync) takes the bucket from C, which the file does not set: write it into the config, or say --bucket.",
	}
	if diff := cmp.Diff(facts.Notes(answers, func(string) (string, error) { return "", nil }), want); diff != "" {
		t.Error(diff)
	}
}

func TestCommentsStayComments(t *testing.T) {
	var f Facts
	text, err := f.Text(Answers{Site: "a", Target: "x", Bucket: "s3://bbb"}, Origins{Site: "b\nsite: c", Bucket: "\x1b[31m\x00\xff"}, "d\ntargets: {}")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestAsk(t *testing.T) {
	facts, err := Look(project(t, map[string]string{"hugo.toml": "", "Makefile": "a:\n\taws s3 sync public s3://stage-bucket\nb:\n\taws s3 sync public s3://live-bucket\n\taws cloudfront create-invalidation --distribution-id E1234567\n"}))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(input string) (Answers, string, error) {
		var screen bytes.Buffer
		terminal := NewTerminal(t.Context(), strings.NewReader(input), &screen)
		answers, _, err := facts.Decide(Given{"region": "eu-west-1"}, func(q Question) (string, error) { return terminal.Ask(t.Context(), q) })
		return answers, screen.String(), err
	}
	got, screen, err := ask("\nhugo --minify\n\nMy_Bucket\n2\n\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Answers{Site: "public", Build: "hugo --minify", Clean: []string{"public"}, Target: "production", Bucket: "s3://live-bucket", Region: "eu-west-1", Distributions: []string{"E1234567"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{
		"Which folder is the site? [public] (Hugo's output folder) ", "  2  s3://live-bucket (Makefile:4)\n", "(1 to 2) ",
		"choose one by its number", `it names the bucket "My_Bucket"; bucket names are lower case`, "[E1234567] (Makefile:5) ",
	} {
		if !strings.Contains(screen, part) {
			t.Errorf("the screen lacks %q:\n%s", part, screen)
		}
	}
	if _, _, err := ask("\n\n"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("at the end of input: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewTerminal(ctx, blocked{ctx}, &bytes.Buffer{}).Ask(ctx, facts.siteQuestion()); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// blocked is a terminal at which nobody types.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, os.ErrClosed
}

func TestCreateNeverReplaces(t *testing.T) {
	dir := project(t, map[string]string{"freshet.yaml": "mine", "schema.json": `{"title": "mine"}`})
	for _, err := range []error{Create(filepath.Join(dir, "freshet.yaml"), []byte("x")), WriteSchema(filepath.Join(dir, "schema.json"))} {
		if !errors.Is(err, ErrExists) {
			t.Errorf("error %v; want ErrExists", err)
		}
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "freshet.yaml")); string(data) != "mine" {
		t.Errorf("the file now says %q", data)
	}
	name := filepath.Join(dir, ".freshet.schema.json")
	for range 2 {
		if err := WriteSchema(name); err != nil {
			t.Error(err)
		}
	}
	if got := Reference(filepath.Join(dir, "freshet.yaml"), name); got != ".freshet.schema.json" {
		t.Errorf("the config names the schema %q", got)
	}
}
