// The server draws the page; this keeps it up to date. Requests come one by one
// as server-sent events; everything else is fetched again and put in place.
'use strict';

const maxRows = 50; // as the server shows
const quiet = 5000; // ms between two looks at the server without news
const soon = 1000; // ms between two looks at least

const $ = (id) => document.getElementById(id);
let stream = null;
let timer = null; // of the next look: {id, due}
let looked = 0;
let looking = false;
let lost = 0;

// show bytes and milliseconds as page.go does.
function bytes(n) {
  if (n < 1000) return n + ' B';
  for (const unit of ['KB', 'MB', 'GB', 'TB']) {
    n /= 1000;
    if (n < 999.95 || unit === 'TB') return n.toFixed(1) + ' ' + unit;
  }
}

function took(ms) {
  if (ms < 9.95) return ms.toFixed(1) + ' ms';
  return ms < 999.5 ? ms.toFixed(0) + ' ms' : (ms / 1000).toFixed(1) + ' s';
}

// addRow puts a request on top. Everything from outside goes in as text.
function addRow(r) {
  const row = $('row').content.firstElementChild.cloneNode(true);
  const [time, status, cache, path, size, duration] = row.cells;
  const when = new Date(r.time);
  time.firstChild.dateTime = when.toISOString();
  time.firstChild.title = when.toLocaleString();
  time.firstChild.textContent = r.time.slice(11, 19); // in the server's zone, as the other rows
  status.textContent = status.dataset.status = r.status;
  const result = cache.firstChild;
  result.textContent = result.dataset.result = r.cache.split(' ')[0];
  result.title = r.cache;
  path.firstChild.textContent = r.method;
  path.append(r.path);
  size.textContent = bytes(r.bytes);
  duration.textContent = took(r.duration_ms);
  put(row);
}

// addLost says how many requests came faster than this page could take them.
function addLost(count) {
  lost += count;
  $('lost').textContent = lost ? lost.toLocaleString('en') + ' came too fast to show' : '';
}

function put(row) {
  const rows = $('requests');
  rows.querySelector('.none a')?.closest('tr').remove(); // "no request yet"
  rows.prepend(row);
  while (rows.rows.length > maxRows) rows.lastElementChild.remove();
}

// swap replaces what part holds, unless somebody is selecting text in it. Open
// details stay open, and the focus stays where it was.
function swap(part, next) {
  if (!next || selects(getSelection(), part)) return;
  const open = new Set(Array.from(part.querySelectorAll('details[open]'), (d) => d.dataset.key));
  const focus = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  part.replaceChildren(...next.childNodes);
  for (const d of part.querySelectorAll('details')) d.open = open.has(d.dataset.key);
  if (focus !== undefined) part.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function selects(selection, part) {
  return !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(part);
}

// look fetches the page again. With all, the requests are taken from it too,
// and their stream begins where it ends.
async function look(all) {
  const query = $('q').value;
  const answer = await fetch('/?' + new URLSearchParams({ q: query }), { signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error('status ' + answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const part of document.querySelectorAll('[data-live]')) {
    if (part.id === 'requests') {
      if (!all) continue;
      part.dataset.last = page.getElementById(part.id).dataset.last;
    }
    swap(part, page.getElementById(part.id));
  }
  return $('q').value === query;
}

function say(state, text) {
  if ($('live').dataset.state === state) return;
  $('live').dataset.state = state;
  $('live').textContent = text;
}

// plan makes the next look happen within ms, but not too soon after the last.
function plan(ms) {
  const due = Math.max(Date.now() + ms, looked + soon);
  if (timer && timer.due <= due) return;
  clearTimeout(timer?.id);
  timer = { due, id: setTimeout(update, due - Date.now()) };
}

async function update() {
  timer = null;
  if (document.hidden) return;
  if (looking) return plan(soon);
  looking = true;
  looked = Date.now();
  let next = quiet;
  try {
    if (!(await look(!stream))) next = 0; // somebody went on typing
    if (!stream) connect($('requests').dataset.last);
    say('live', 'live');
  } catch {
    disconnect();
    say('away', 'not reachable, trying again');
    next = 2 * soon;
  }
  looking = false;
  plan(next);
}

function connect(after) {
  addLost(-lost);
  stream = new EventSource('/events?after=' + after);
  stream.addEventListener('request', (e) => { addRow(JSON.parse(e.data)); plan(0); });
  stream.addEventListener('lost', (e) => addLost(JSON.parse(e.data).count));
  stream.onerror = () => { disconnect(); plan(0); }; // begin anew: it may be another process by now
}

function disconnect() {
  stream?.close();
  stream = null;
}

// A page that nobody sees needs no connection: a browser has only six for one host.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) disconnect();
  else plan(0);
});

let typing = 0;
$('q').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const query = $('q').value;
    history.replaceState(null, '', query ? '/?' + new URLSearchParams({ q: query }) : '/');
    looked = 0;
    plan(0);
  }, 150);
});
document.querySelector('form[role=search]').addEventListener('submit', (e) => {
  e.preventDefault();
  looked = 0;
  plan(0);
});

if (!document.hidden) {
  connect($('requests').dataset.last);
  say('live', 'live');
  plan(quiet);
}
