//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// devSession is a `freshet dev` that runs.
type devSession struct {
	t      *testing.T
	dir    string
	url    string
	rounds chan devRound
}

// devRound is what --json prints for each round.
type devRound struct {
	Changed   []string `json:"changed"`
	BuildMS   int      `json:"build_ms"`
	PublishMS int      `json:"publish_ms"`
	Uploaded  int      `json:"uploaded"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// startDev runs dev on files until the test ends, and makes sure that Ctrl-C
// ends it well.
func startDev(t *testing.T, files map[string]string) *devSession {
	t.Helper()
	s := &devSession{t: t, dir: t.TempDir(), rounds: make(chan devRound, 1000)}
	for name, text := range files {
		s.save(name, text)
	}
	program, err := exec.LookPath("freshet") // TestMain has put it there
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "dev", "-C", s.dir, "--listen", "127.0.0.1:0", "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-read // the pipe is read to its end before it is waited for
		if err := cmd.Wait(); err != nil {
			t.Errorf("Ctrl-C: %v", err)
		}
	})
	var ready struct {
		URL string `json:"url"`
	}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &ready) != nil {
		close(read)
		t.Fatalf("dev printed %q", lines.Text())
	}
	s.url = ready.URL
	go func() {
		defer close(read)
		for lines.Scan() {
			var r devRound
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Errorf("dev printed %q: %v", lines.Text(), err)
			}
			s.rounds <- r
		}
	}()
	return s
}

func (s *devSession) save(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *devSession) round() devRound {
	s.t.Helper()
	select {
	case r := <-s.rounds:
		return r
	case <-time.After(30 * time.Second):
		s.t.Fatal("dev reports no further round")
		return devRound{}
	}
}

// browser opens a tab of a headless Chromium, of which listen hears every event.
func browser(t *testing.T, listen ...func(any)) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("FRESHET_REQUIRE_JUDGES") != "" {
			t.Fatal("chromium is required and not installed")
		}
		t.Skip("Chromium is not installed")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.WindowSize(1000, 700))
	if os.Getenv("FRESHET_DARK") != "" { // to look at screenshots
		options = append(options, chromedp.Flag("blink-settings", "preferredColorScheme=0"))
	}
	if os.Getenv("FRESHET_ANY_CERTIFICATE") != "" { // for listeners whose certificate a test has made
		options = append(options, chromedp.Flag("ignore-certificate-errors", true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	var own []chromedp.ContextOption
	for _, one := range listen {
		own = append(own, chromedp.WithListener(one))
	}
	ctx, cancel = chromedp.NewContext(ctx, own...)
	t.Cleanup(cancel)
	do(t, ctx) // starts the browser, which lives as long as this context
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// do runs actions in the tab.
func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for an expression of the page to be true, also over reloads.
func until(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		ok, err := chromedp.Run(tab, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			text, _ := chromedp.Run(tab, chromedp.Evaluate[string]("document.documentElement.outerHTML"))
			t.Fatalf("%s is not true (%v) in:\n%s", expression, err, text)
		}
	}
}

// overlay is an expression for the text of what lies over the page, "" if
// nothing does.
const overlay = `(document.querySelector("freshet-dev-problem")?.shadowRoot.textContent ?? "")`

func page(text string) string {
	return "<!doctype html><link rel=stylesheet href=/a.css><h1>" + text + "</h1>" + strings.Repeat("<p>line", 300)
}

// A save shows in the browser, and the page stays where it was. How long it
// takes, from the end of the write to the new text in the page, is told with -v:
// the aim is 300 ms and the time that the build takes.
func TestASaveShowsInTheBrowser(t *testing.T) {
	tab := browser(t)
	s := startDev(t, map[string]string{
		"freshet.yaml":   "site: out\nbuild: {command: mkdir -p out && cp src/* out/, clean: [out], watch: [src]}\n",
		"src/index.html": page("save 0"), "src/a.css": "h1 { color: red }",
	})
	s.round()
	do(t, tab, chromedp.Navigate(s.url))
	until(t, tab, `document.querySelector("h1").textContent === "save 0" && window.freshetDev`)
	do(t, tab, chromedp.Evaluate[chromedp.Void]("scrollTo(0, 500)"))

	var took []time.Duration
	for i := 1; i <= 12; i++ {
		s.save("src/index.html", page(fmt.Sprint("save ", i)))
		began := time.Now()
		until(t, tab, fmt.Sprintf(`document.querySelector("h1")?.textContent === "save %d"`, i))
		shown := time.Since(began)
		r := s.round()
		if r.Error != nil || r.Uploaded != 1 {
			t.Fatalf("round %+v", r)
		}
		took = append(took, shown-time.Duration(r.BuildMS)*time.Millisecond)
		t.Logf("save %d shows after %d ms: build %d ms, publication %d ms", i, shown.Milliseconds(), r.BuildMS, r.PublishMS)
		until(t, tab, `window.freshetDev`)
	}
	slices.Sort(took)
	t.Logf("without the build: fastest %d ms, median %d ms, slowest %d ms", took[0].Milliseconds(), took[len(took)/2].Milliseconds(), took[len(took)-1].Milliseconds())
	until(t, tab, `Math.abs(scrollY - 500) < 2`)

	s.save("src/a.css", "h1 { color: rgb(1, 2, 3) }")
	until(t, tab, `getComputedStyle(document.querySelector("h1")).color === "rgb(1, 2, 3)"`)
}

// A failing build shows over the page, which stays, and goes with the next good
// one; the same for a config that is wrong.
func TestFailuresShowInTheBrowser(t *testing.T) {
	tab := browser(t)
	s := startDev(t, map[string]string{
		"freshet.yaml": "site: out\nbuild: {command: sh build.sh, watch: [src, build.sh]}\n",
		"build.sh":     "mkdir -p out && cp src/* out/", "src/index.html": page("good"), "src/a.css": "",
	})
	s.round()
	do(t, tab, chromedp.Navigate(s.url))
	until(t, tab, `window.freshetDev`)

	s.save("build.sh", "printf '\\033[31m<b>line 3</b> is wrong\\033[m\\n'; exit 7")
	until(t, tab, overlay+`.includes("<b>line 3</b> is wrong")`)
	until(t, tab, overlay+`.includes("exit status 7") && document.querySelector("h1").textContent === "good"`)
	do(t, tab, chromedp.Reload())
	until(t, tab, overlay+`.includes("The build failed")`)
	do(t, tab, chromedp.KeyEvent("\x1b"))
	until(t, tab, overlay+` === ""`)
	if shot := os.Getenv("FRESHET_SCREENSHOTS"); shot != "" {
		do(t, tab, chromedp.Reload(), chromedp.Sleep(time.Second))
		png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(shot, "dev-failure.png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	s.save("freshet.yaml", "sight: out\n")
	until(t, tab, overlay+`.includes("freshet.yaml:1:1")`)
	s.save("freshet.yaml", "site: out\nbuild: {command: sh build.sh, watch: [src, build.sh]}\n")
	until(t, tab, overlay+`.includes("The build failed")`)
	s.save("build.sh", "mkdir -p out && cp src/* out/")
	until(t, tab, overlay+` === "" && window.freshetDev`)

	// A page that is not there yet comes by itself.
	do(t, tab, chromedp.Navigate(s.url+"later.html"))
	until(t, tab, `document.body.textContent.includes("The site has nothing here") && window.freshetDev`)
	s.save("src/later.html", page("later"))
	until(t, tab, `document.querySelector("h1").textContent === "later"`)

	// A browser that was away catches up.
	do(t, tab, chromedp.Navigate("about:blank"))
	s.save("src/later.html", page("latest"))
	do(t, tab, chromedp.NavigateBack())
	until(t, tab, `document.querySelector("h1")?.textContent === "latest"`)
}
