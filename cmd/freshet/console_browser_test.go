//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/chromedp/chromedp"

	"github.com/freshet/freshet/internal/cloud"
)

// consoleRig is a `freshet local` or `freshet edge` with a page that shows it, in a browser.
type consoleRig struct {
	t      *testing.T
	dir    string
	tab    context.Context
	mu     sync.Mutex // guards faults
	faults []string   // what the browser complained of
}

// openConsole opens a tab that remembers errors of scripts and violations of the policy.
func openConsole(t *testing.T) *consoleRig {
	t.Helper()
	r := &consoleRig{t: t, dir: t.TempDir()}
	r.tab = browser(t, func(ev any) {
		switch fmt.Sprintf("%T", ev) {
		case "*runtime.EventExceptionThrown", "*log.EventEntryAdded":
			data, err := json.Marshal(ev)
			if strings.Contains(string(data), `"source":"network"`) {
				return // an answer that is no 200 is for the page to show
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.faults = append(r.faults, fmt.Sprint(string(data), err))
		}
	})
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, fault := range r.faults {
			t.Errorf("the browser says %s", fault)
		}
	})
	return r
}

// run starts freshet, which prints one line of JSON once it is ready, until the test ends.
func (r *consoleRig) run(into any, args ...string) {
	r.t.Helper()
	program, err := exec.LookPath("freshet") // TestMain has put it there
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	ready := lines.Scan()
	r.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			r.t.Errorf("Ctrl-C: %v", err)
		}
	})
	if !ready || json.Unmarshal(lines.Bytes(), into) != nil {
		r.t.Fatalf("freshet printed %q", lines.Text())
	}
}

func (r *consoleRig) save(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *consoleRig) deploy(args ...string) {
	r.t.Helper()
	out, err := exec.Command("freshet", append([]string{"deploy", "-C", r.dir, "--yes"}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("deploy: %v\n%s", err, out)
	}
}

// get asks for paths like a viewer.
func (r *consoleRig) get(base string, paths ...string) {
	r.t.Helper()
	plain := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}} // one variant of each page
	for _, path := range paths {
		resp, err := plain.Get(base + path)
		if err != nil {
			r.t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *consoleRig) do(steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	do(r.t, r.tab, steps...)
}

func (r *consoleRig) until(expression string) {
	r.t.Helper()
	until(r.t, r.tab, expression)
}

// js runs a statement in the page.
func (r *consoleRig) js(statement string) {
	r.t.Helper()
	r.do(chromedp.Evaluate[chromedp.Void]("void (() => {" + statement + "})()"))
}

// shot takes a picture of the whole page, where somebody wants to look at it.
func (r *consoleRig) shot(name string, width int64) {
	r.t.Helper()
	dir := os.Getenv("FRESHET_SCREENSHOTS")
	if dir == "" {
		return
	}
	r.js(`document.activeElement.blur(); scrollTo({ top: 0, behavior: "instant" })`)
	r.do(chromedp.EmulateViewport(width, 900), chromedp.Sleep(600*time.Millisecond))
	png, err := chromedp.Run(r.tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "console-"+name+".png"), png, 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// text is an expression for the text of an element.
func text(id string) string { return fmt.Sprintf(`document.getElementById(%q).textContent`, id) }

func startLocalConsole(r *consoleRig) (info cloud.Info) {
	r.t.Helper()
	r.run(&info, "local", "-C", r.dir, "--json", "--s3", "127.0.0.1:0", "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--console", "127.0.0.1:0")
	return info
}

// What people do is what the page shows, without a reload.
func TestConsoleInTheBrowser(t *testing.T) {
	r := openConsole(t)
	r.save("freshet.yaml", "site: site\nheaders: [{match: \"*.txt\", cache-control: max-age=60}]\n")
	r.save("site/index.html", "<h1>home</h1><link rel=stylesheet href=a.css>")
	r.save("site/a.css", "h1 { color: red }")
	r.save("site/docs/index.html", "<h1>docs</h1>")
	r.save("site/note.txt", "a note")
	info := startLocalConsole(r)
	r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(info.Console))
	r.until(text("live") + ` === "live"`)
	r.do(chromedp.KeyEvent("\t"))
	r.until(`document.activeElement.className === "skip"`)
	r.until(text("request-rows") + `.includes("No request yet")`)
	r.until(text("invalidation-list") + `.includes("No invalidation yet")`)
	r.until(text("release-list") + `.includes("Nothing was published yet")`)
	r.until(text("object-rows") + `.includes("Nothing is cached yet")`)
	r.shot("empty", 1400)

	t.Log("a release, and viewers of it")
	r.deploy()
	r.until(`document.querySelectorAll("#release-list > li").length === 1 && ` + text("release-list") + `.includes("4 uploads")`)
	r.get(info.Edge, "/", "/docs/", "/a.css", "/note.txt", "/missing", "/")
	r.until(text("request-rows") + `.includes("/missing")`)
	r.until(`document.querySelector("#request-rows tr .badge").textContent === "Hit"`)
	r.until(text("figures") + `.includes("1 error") && document.querySelector("#chart-requests path.good").getAttribute("d").length > 0`)
	r.until(text("object-rows") + `.includes("/docs/index.html") && ` + text("found") + `.match(/^\d+ objects$/)`)

	t.Log("another one, and what it drops")
	r.save("site/docs/index.html", "<h1>docs, new</h1>")
	r.save("site/new.html", "<h1>new</h1>")
	r.save("freshet.yaml", "site: site\nheaders: [{match: \"*.txt\", cache-control: max-age=90}]\n")
	r.deploy()
	r.until(text("invalidation-list") + `.match(/Completed\s*dropped \d+ objects?, /)`)
	r.until(`document.querySelectorAll("#release-list > li").length === 2`)
	r.js(`document.querySelector("#release-list summary").click()`)
	r.until(text("release-list") + `.includes("cache-control: max-age=60 → max-age=90")`)
	r.until(`Array.from(document.querySelectorAll("#release-list .diff tr[data-kind]"), (r) => r.dataset.kind + " " + r.querySelector(".path").firstChild.textContent).join() ===
		"changed docs/index.html,added new.html,headers note.txt"`)

	t.Log("search, order, a trial")
	r.get(info.Edge, "/", "/docs/", "/note.txt", "/new.html")
	r.js(`const q = document.getElementById("q"); q.focus(); q.value = "html status:200 size<1KB"; q.dispatchEvent(new Event("input"))`)
	r.until(text("found") + ` === "3 objects" && new URLSearchParams(location.search).get("q") === "html status:200 size<1KB"`)
	r.js(`document.querySelector("[data-key='sort size']").click()`)
	r.until(`document.querySelector("#object-rows td.path a").textContent === "/index.html" && document.activeElement.dataset.key === "sort size" &&
		document.querySelector("th[aria-sort=descending]").textContent.startsWith("Size")`)
	r.js(`const q = document.getElementById("q"); q.value = "age>soon"; document.getElementById("search").requestSubmit()`)
	r.until(text("found") + `.includes('age: "soon" is none')`)
	r.js(`const q = document.getElementById("q"); q.value = ""; document.getElementById("search").requestSubmit()`)
	r.js(`document.getElementById("dry-items").focus()`)
	r.do(chromedp.KeyEvent("/docs*\n/nothing"), chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	r.until(text("dry-answer") + `.startsWith("It would drop 1 object, ") && ` + text("dry-result") + `.includes("/docs/index.html")`)
	r.get(info.Edge, "/docs/")
	r.until(`document.querySelector("#request-rows tr .badge").textContent === "Hit"`) // it was a trial only
	r.js(`document.getElementById("dry-items").value = "docs"; document.getElementById("dry-form").requestSubmit()`)
	r.until(text("dry-answer") + `.includes('"docs" cannot be invalidated')`)
	r.shot("light", 1400)

	t.Log("pause, filter")
	r.js(`document.getElementById("pause").click()`)
	r.get(info.Edge, "/new.html", "/paused")
	r.until(text("sampled") + ` === "2 since" && !` + text("request-rows") + `.includes("/paused")`)
	r.js(`document.getElementById("pause").click()`)
	r.js(`const f = document.getElementById("request-filter"); f.value = "Error"; f.dispatchEvent(new Event("change"))`)
	r.until(`Array.from(document.querySelectorAll("#request-rows .badge"), (b) => b.textContent).every((k) => k === "Error")`)
	r.js(`const f = document.getElementById("request-filter"); f.value = ""; f.dispatchEvent(new Event("change"))`)
	checkConsoleAccess(r)
}

// checkConsoleAccess looks at what people need who do not see the page, or use no mouse, or a phone.
func checkConsoleAccess(r *consoleRig) {
	r.t.Helper()
	r.until(`Array.from(document.querySelectorAll("input, select, textarea, button, meter, progress, [role=img], [role=region]")).every((e) =>
		e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim() && e.tagName === "BUTTON" ||
		document.getElementById(e.getAttribute("aria-labelledby") ?? "none"))`)
	r.until(`document.querySelectorAll("main h2").length === 6 && document.querySelector("html").lang === "en"`)
	r.js(`document.querySelector("#chart-requests .drawing").focus()`)
	r.do(chromedp.KeyEvent("\u0302")) // the left arrow
	r.until(`/Requests a second, \d\d:\d\d:\d\d/.test(document.querySelector("#chart-requests .drawing").getAttribute("aria-label"))`)
	for _, width := range []int64{390, 800, 1400} {
		r.do(chromedp.EmulateViewport(width, 844))
		r.until(`document.documentElement.scrollWidth <= innerWidth`)
	}
	r.shot("phone", 390)
}

// A process that goes and another one that comes at its address are noticed.
func TestConsoleComesBack(t *testing.T) {
	r := openConsole(t)
	r.save("a.html", "<h1>home</h1>")
	origin := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	t.Cleanup(origin.Close)
	address := origin.URL
	var first, second edgeJSON
	t.Run("first", func(t *testing.T) {
		r.t = t
		r.run(&first, "edge", "--json", "--origin", address, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--admin", "127.0.0.1:0")
		r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(first.Console))
		r.until(text("live") + ` === "live" && document.title === "freshet edge"`)
		r.get(first.Edge, "/a.html")
		r.until(text("request-rows") + `.includes("/a.html")`)
		r.until(`document.getElementById("releases").hidden && !document.getElementById("invalidations").hidden`)
	})
	r.t = t
	r.until(text("live") + `.startsWith("not reachable")`)
	r.run(&second, "edge", "--json", "--origin", address, "--listen", "127.0.0.1:0", "--console", strings.TrimPrefix(first.Console, "http://"))
	r.until(text("live") + ` === "live" && document.getElementById("invalidations").hidden`)
	r.until(text("request-rows") + `.includes("No request yet")`)
	r.get(second.Edge, "/a.html")
	r.until(text("object-rows") + `.includes("/a.html")`)
}

// Under a flood the page stays usable and says that it shows a sample; and of 1,000 invalidations it shows the newest, and the older ones when asked.
func TestConsoleUnderLoad(t *testing.T) {
	r := openConsole(t)
	for i := range 400 {
		r.save(fmt.Sprintf("site/posts/%03d/index.html", i), strings.Repeat(fmt.Sprint("post ", i, " "), 1+i))
	}
	r.save("site/index.html", "<h1>home</h1>")
	r.save("freshet.yaml", "site: site\n")
	info := startLocalConsole(r)
	r.deploy()
	r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(info.Console))
	r.until(text("live") + ` === "live"`)
	stop := flood(t, info.Edge)
	r.until(text("sampled") + `.match(/^a sample: [\d,]+ more a second$/)`)
	r.until(`document.querySelectorAll("#request-rows tr").length === 100`)
	api := controlClient(info)
	var batch sync.WaitGroup
	for worker := range 4 {
		batch.Go(func() {
			for i := range 250 {
				_, err := api.CreateInvalidation(context.WithoutCancel(r.tab), &cloudfront.CreateInvalidationInput{
					DistributionId: &info.Distribution,
					InvalidationBatch: &types.InvalidationBatch{
						CallerReference: sdk.String(fmt.Sprint("load-", worker, "-", i)),
						Paths:           &types.Paths{Quantity: sdk.Int32(2), Items: []string{fmt.Sprintf("/posts/%02d*", i%40), "/"}},
					},
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	batch.Wait()
	r.until(`document.querySelectorAll("#invalidation-list > li").length === 50 && !document.querySelector("#invalidation-list progress")`)
	r.shot("busy", 1400)
	r.js(`document.getElementById("invalidations-more").click()`)
	r.until(`document.querySelectorAll("#invalidation-list > li").length === 100`)
	// The page answers at once, flood or not.
	took, err := chromedp.Run(r.tab, chromedp.Evaluate[float64](`new Promise((done) => { const began = performance.now();
		requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))) })`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	sent := stop()
	t.Logf("%d requests of the flood, a frame took %.0f ms", sent, took)
	if took > 5000 {
		t.Errorf("a frame took %.0f ms", took)
	}
	r.until(text("sampled") + ` === ""`)
}

// flood asks for pages without pause until the returned function is called, which says how often.
func flood(t *testing.T, base string) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var mu sync.Mutex // guards sent
	sent := 0
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for worker := range 4 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/posts/%03d/", base, (i+100*worker)%410), nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := client.Do(req)
				if err != nil {
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body) // it may be cut short in the end
				_ = resp.Body.Close()
				mu.Lock()
				sent++
				mu.Unlock()
			}
		})
	}
	stop = sync.OnceValue(func() int {
		cancel()
		all.Wait()
		client.CloseIdleConnections()
		return sent
	})
	t.Cleanup(func() { stop() })
	return stop
}

func controlClient(info cloud.Info) *cloudfront.Client {
	return cloudfront.New(cloudfront.Options{
		BaseEndpoint: &info.Control, Region: cloud.Region,
		Credentials: credentials.NewStaticCredentialsProvider(info.AccessKeyID, info.SecretAccessKey, ""),
	})
}
