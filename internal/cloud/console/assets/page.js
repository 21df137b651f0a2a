// The page of the console: it asks once, and then follows the events.
import { $, ask, el, text } from './dom.js';
import * as traffic from './traffic.js';
import * as requests from './requests.js';
import * as invalidations from './invalidations.js';
import * as dry from './dry.js';
import * as releases from './releases.js';
import * as cached from './cached.js';

const pause = 2000; // ms before another try

let stream = null;
let started = ''; // of the process that is followed
let retry = 0;

function say(state, words) {
  $('live').dataset.state = state;
  text($('live'), words);
}

// begin asks for everything and follows from there on.
async function begin() {
  clearTimeout(retry);
  end();
  try {
    const [state, series] = await Promise.all([ask('/api/state'), ask('/api/series')]);
    if (document.hidden) return;
    started = state.started;
    show(state, series);
    follow(state.last_request);
  } catch {
    lost();
  }
}

function lost() {
  end();
  say('away', 'not reachable, trying again');
  clearTimeout(retry);
  retry = setTimeout(begin, pause);
}

function show(state, series) {
  $('facts').replaceChildren(...state.facts.map((f) => el('div', {}, el('dt', {}, f.name),
    el('dd', {}, f.link ? el('a', { href: f.value, rel: 'noreferrer' }, f.value) : el('code', {}, f.value)))));
  const has = { invalidations: state.invalidations !== null, releases: state.releases };
  for (const part of document.querySelectorAll('[data-needs]')) part.hidden = !has[part.dataset.needs];
  traffic.load(series, state.figures);
  requests.load(state);
  if (has.invalidations) invalidations.load(state.invalidations);
  cached.load(state);
  releases.forget();
}

function follow(after) {
  stream = new EventSource('/events?after=' + after);
  const on = (name, take) => stream.addEventListener(name, (e) => take(JSON.parse(e.data)));
  on('hello', (e) => {
    if (e.started === started) say('live', 'live');
    else begin(); // it is another process by now
  });
  on('requests', requests.add);
  on('sample', ({ sample, figures }) => { traffic.add(sample, figures); cached.note(figures); requests.tell(); });
  on('invalidations', invalidations.load);
  on('releases', ({ version }) => releases.load(version));
  stream.onerror = lost;
}

function end() {
  stream?.close();
  stream = null;
}

// A page that nobody sees needs no connection: a browser has only six for one host.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { clearTimeout(retry); end(); } else begin();
});

for (const part of [traffic, requests, invalidations, dry, releases, cached]) part.start();
if (!document.hidden) begin();
