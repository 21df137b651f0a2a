//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// fleetRig is a control node with a page and two edges, in front of a server, in a browser.
type fleetRig struct {
	*consoleRig
	control controlJSON
	edges   [2]edgeJSON
}

func startFleet(t *testing.T, args ...string) *fleetRig {
	t.Helper()
	r := &fleetRig{consoleRig: openConsole(t)}
	r.save("site/index.html", "<h1>home</h1>")
	origin := httptest.NewServer(http.FileServer(http.Dir(r.dir + "/site")))
	t.Cleanup(origin.Close)
	r.run(&r.control, append([]string{
		"control", "-C", r.dir, "--json", "--name", "control-1", "--listen", "127.0.0.1:0", "--log", "127.0.0.1:0", "--distribution", origin.URL,
	}, args...)...)
	for i := range r.edges {
		r.run(&r.edges[i], "edge", "-C", r.dir, "--json", "--control", r.control.Log, "--name", fmt.Sprint("edge-", i+1), "--listen", "127.0.0.1:0", "--lease", "2s")
	}
	return r
}

// fits says that nothing scrolls sideways, whatever the width.
func (r *fleetRig) fits(name string) {
	r.t.Helper()
	for _, width := range []int64{320, 390, 700, 960, 1000, 1400} {
		r.do(chromedp.EmulateViewport(width, 844))
		r.until(`Array.from(document.querySelectorAll("html, main *:not(code)")).every((e) => e.scrollWidth <= e.clientWidth || getComputedStyle(e).overflowX === "visible" || !e.clientWidth ||
			e.matches("thead, thead *")) && document.documentElement.scrollWidth <= innerWidth`)
	}
	r.shot(name+"-phone", 390)
	r.shot(name, 1400)
}

func (r *fleetRig) signIn(secret string) {
	r.t.Helper()
	r.js(`document.getElementById("key").focus()`)
	r.do(chromedp.KeyEvent("AKIDPAGE\t"), chromedp.KeyEvent(secret), chromedp.KeyEvent("\r"))
}

// Everybody on this machine sees edges, distributions and invalidations; whoever signs in invalidates, and sees it arrive.
func TestFleetPageInTheBrowser(t *testing.T) {
	t.Setenv("FRESHET_CONTROL_ACCESS_KEY_ID", "AKIDPAGE")
	t.Setenv("FRESHET_CONTROL_SECRET_ACCESS_KEY", "page-secret")
	r := startFleet(t, "--console", "127.0.0.1:0")
	r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(r.control.Console))
	r.until(text("live") + ` === "live" && document.querySelectorAll("#edge-list .state[data-state=serving]").length === 2`)
	r.do(chromedp.KeyEvent("\t"))
	r.until(`document.activeElement.className === "skip"`)
	r.until(text("distribution-list") + `.includes("` + r.control.Distribution + `") && ` + text("distribution-list") + `.includes("No invalidation yet.")`)
	r.until(`document.querySelector("#distribution-list .badge").textContent === "Deployed"`)
	r.until(`!document.getElementById("sign-in").hidden && document.getElementById("invalidate-form").hidden && document.getElementById("sign-out").hidden`)
	r.fits("fleet-reader")

	t.Log("signing in")
	r.signIn("wrong")
	r.until(text("sign-in-answer") + ` === "the access key or its secret is wrong" && document.activeElement.id === "secret"`)
	r.do(chromedp.KeyEvent("page-secret"), chromedp.KeyEvent("\r")) // in place of the wrong one
	r.until(`document.activeElement.id === "paths" && document.getElementById("sign-in").hidden && document.cookie === "" && document.getElementById("secret").value === ""`)

	t.Log("an invalidation")
	r.do(chromedp.KeyEvent("posts"))
	r.js(`document.getElementById("invalidate-form").requestSubmit()`)
	r.until(text("invalidate-wrong") + `.includes("invalid invalidation paths") && document.getElementById("paths").value === "posts"`)
	r.js(`document.getElementById("paths").value = "/index.html\n\n  /posts/*  \n/<b>bold\n"; document.getElementById("invalidate-form").requestSubmit()`)
	r.until(text("invalidate-wrong") + `.includes("invalid invalidation paths")`)
	r.js(`document.getElementById("paths").value = "/index.html\n\n  /posts/*  \n` + longPath + `\n/4\n/5\n/6\n"; document.getElementById("invalidate-form").requestSubmit()`)
	r.until(text("invalidate-done") + `.includes("6 paths accepted")`)
	r.until(text("distribution-list") + `.includes("Completed") && document.querySelectorAll("#distribution-list .paths code").length === 5`)
	r.fits("fleet-signed-in")
	r.js(`document.querySelector("#distribution-list .paths button").click()`)
	r.until(`document.querySelectorAll("#distribution-list .paths code").length === 6`)

	t.Log("by keyboard: the distribution closes, and stays closed")
	r.js(`document.querySelector("#distribution-list summary").focus()`)
	r.do(chromedp.KeyEvent(" "))
	r.until(`!document.querySelector("#distribution-list details").open && document.activeElement.tagName === "SUMMARY"`)
	r.do(chromedp.KeyEvent(" "))
	r.until(`document.querySelectorAll("#distribution-list .list > li").length === 1 && document.activeElement.tagName === "SUMMARY"`)

	t.Log("signing out")
	r.js(`document.getElementById("sign-out").click()`)
	r.until(`!document.getElementById("sign-in").hidden && document.getElementById("invalidate-form").hidden && document.activeElement.id === "main"`)
	checkLabels(r.consoleRig)
}

// longPath is longer than any screen.
const longPath = "/a-path-that-is-longer-than-a-line/of-the-page/and-goes-on-and-on/until-nobody-reads-it-any-more/and-further/0123456789/0123456789/0123456789/index.html"

// checkLabels wants a name for whatever takes input.
func checkLabels(r *consoleRig) {
	r.t.Helper()
	r.until(`Array.from(document.querySelectorAll("input, select, textarea, button")).every((e) =>
		e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim() && e.tagName === "BUTTON")`)
}

// Without keys the page says how one could sign in.
func TestFleetPageWithoutKeys(t *testing.T) {
	t.Setenv("FRESHET_CONTROL_ACCESS_KEY_ID", "")
	t.Setenv("FRESHET_CONTROL_SECRET_ACCESS_KEY", "")
	r := startFleet(t, "--console", "127.0.0.1:0")
	r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate(r.control.Console))
	r.until(text("live") + ` === "live" && document.querySelectorAll("#edge-list .state[data-state=serving]").length === 2`)
	r.until(text("impossible") + `.includes("FRESHET_CONTROL_ACCESS_KEY_ID") && !document.getElementById("impossible").hidden && document.getElementById("sign-in").hidden`)
	r.fits("fleet-no-keys")
}

// Beyond loopback there is the form alone, until somebody signs in.
func TestFleetPageBeyondLoopback(t *testing.T) {
	t.Setenv("FRESHET_CONTROL_ACCESS_KEY_ID", "AKIDPAGE")
	t.Setenv("FRESHET_CONTROL_SECRET_ACCESS_KEY", "page-secret")
	t.Setenv("FRESHET_ANY_CERTIFICATE", "yes")
	tls := t.TempDir()
	if err := gencert([]string{tls}); err != nil {
		t.Fatal(err)
	}
	r := startFleet(t, "--console", "0.0.0.0:0", "--console-certificate", tls+"/site.pem", "--console-key", tls+"/site.key")
	r.do(chromedp.EmulateViewport(1400, 900), chromedp.Navigate("https://127.0.0.1"+r.control.Console[strings.LastIndex(r.control.Console, ":"):]))
	r.until(text("live") + ` === "not signed in"`)
	r.until(`Array.from(document.querySelectorAll("main *")).filter((e) => e.checkVisibility() && ["INPUT", "BUTTON", "LI", "TD", "DD", "H2"].includes(e.tagName)).map((e) => e.tagName).join() === "H2,INPUT,INPUT,BUTTON"`)
	r.fits("fleet-locked")
	r.signIn("page-secret")
	r.until(text("live") + ` === "live" && document.querySelectorAll("#edge-list .state[data-state=serving]").length === 2`)
	r.js(`document.getElementById("sign-out").click()`)
	r.until(text("live") + ` === "not signed in" && !` + `document.body.textContent.includes("edge-1") && !document.body.textContent.includes("` + r.control.Distribution + `")`)
}
