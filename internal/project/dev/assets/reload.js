// Reloads the page when freshet dev has published a new version, and shows over
// it why there is none. freshet dev adds this script on the way to the browser;
// it is no part of the site.
(() => {
  "use strict";
  const mine = document.currentScript;
  if (!mine || window.freshetDev) return;
  window.freshetDev = true;
  try {
    if (window.top !== window && window.top.freshetDev) return; // the page around this one reloads both
  } catch { /* it is of another origin */ }

  const shown = mine.dataset.version; // what was published when this page was asked for
  const styles = `
    :host { all: initial; position: fixed; inset: 0; z-index: 2147483647; display: grid; place-items: start center; overflow: auto;
      padding: 5vh 1rem; box-sizing: border-box; background: rgb(10 14 18 / .55); color-scheme: light dark; }
    section { --card: #fff; --text: #1b2126; --soft: #59646d; --bad: #a12222; --line: #dfe3e6; --code: #f6f7f8;
      box-sizing: border-box; width: min(60rem, 100%); padding: 1.25rem 1.5rem; border-top: 4px solid var(--bad); border-radius: 6px;
      background: var(--card); color: var(--text); font: 15px/1.5 system-ui, sans-serif; box-shadow: 0 1rem 3rem rgb(0 0 0 / .35); }
    @media (prefers-color-scheme: dark) {
      section { --card: #1c2226; --text: #e3e8eb; --soft: #9aa7b0; --bad: #f19a9a; --line: #303940; --code: #14181b; }
    }
    header { display: flex; gap: 1rem; align-items: start; justify-content: space-between; }
    h1 { margin: 0; color: var(--bad); font-size: 1.2rem; font-weight: 650; }
    p { margin: .5rem 0 0; overflow-wrap: anywhere; white-space: pre-wrap; }
    p.soft { color: var(--soft); font-size: 13px; }
    pre { margin: .9rem 0 0; padding: .75rem .9rem; max-height: 55vh; overflow: auto; border: 1px solid var(--line); border-radius: 4px;
      background: var(--code); font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
      white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; }
    button { flex: none; padding: .3rem .7rem; border: 1px solid var(--line); border-radius: 4px; background: none; color: inherit;
      font: inherit; font-size: 13px; cursor: pointer; }
    :focus-visible { outline: 2px solid var(--bad); outline-offset: 2px; }`;

  let overlay = null; // the element that shows a problem
  let current = 0; // the problem that was shown last, hidden or not

  const hide = () => {
    overlay?.remove();
    overlay = null;
  };
  const element = (name, text, className) => {
    const e = document.createElement(name);
    if (text) e.textContent = text;
    if (className) e.className = className;
    return e;
  };
  const show = (problem) => {
    if (problem.id === current) return; // it is there, or somebody has hidden it
    current = problem.id;
    hide();
    overlay = document.createElement("freshet-dev-problem");
    const root = overlay.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a style element would need leave of the page's security policy
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    const card = element("section");
    card.setAttribute("role", "alertdialog");
    card.setAttribute("aria-labelledby", "title");
    const head = element("header");
    const title = element("h1", problem.title);
    title.id = "title";
    const button = element("button", "Hide (Esc)");
    button.type = "button";
    button.addEventListener("click", hide);
    head.append(title, button);
    card.append(head, element("p", problem.text));
    let output;
    if (problem.output?.length) {
      output = element("pre", problem.output.join("\n"));
      output.tabIndex = 0; // to be scrolled by keyboard
      card.append(output);
    }
    if (problem.hint) card.append(element("p", problem.hint));
    card.append(element("p", "What was published last is still there. This closes by itself when all is well again.", "soft"));
    root.append(card);
    document.documentElement.append(overlay);
    if (output) output.scrollTop = output.scrollHeight;
  };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") hide();
  });

  const reload = (version) => {
    try { // something between may go on with the old page, a service worker for one: once must do
      if (sessionStorage.getItem("freshet-dev") === version + shown) return;
      sessionStorage.setItem("freshet-dev", version + shown);
    } catch { /* the page may keep nothing */ }
    stop();
    location.reload();
  };

  let source = null;
  const stop = () => {
    source?.close();
    source = null;
  };
  const listen = () => {
    if (source) return;
    source = new EventSource(new URL("/.freshet/events", location.origin));
    source.onmessage = (e) => {
      const state = JSON.parse(e.data);
      if (state.version !== shown) return reload(state.version);
      if (state.problem) return show(state.problem);
      current = 0;
      hide();
    };
  };
  // A browser has few connections to one server for all its tabs: those that
  // nobody looks at take none, and catch up when they are looked at.
  const look = () => (document.visibilityState === "hidden" ? stop() : listen());
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", look);
  look();
})();
