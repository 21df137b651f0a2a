// The viewers' requests as they come in. However fast they come, the page is drawn four times a second at most.
import { $, el, bytes, clock, count, full, set, text, took } from './dom.js';

const maxRows = 100;
const every = 250; // ms between two drawings at least

let list = []; // newest first
let viewers = '';
let paused = false;
let waiting = null;
let others = []; // [when, how many] came that the server has not kept
let skipped = 0; // while paused

export function start() {
  $('pause').addEventListener('click', () => {
    paused = !paused;
    skipped = 0;
    set($('pause'), { 'aria-pressed': String(paused) });
    text($('pause'), paused ? 'Go on' : 'Pause');
    plan();
  });
  $('request-filter').addEventListener('change', draw);
}

export function load(state) {
  viewers = state.viewers;
  list = state.requests;
  others = [];
  draw();
}

export function add({ list: more, others: unseen }) {
  if (unseen > 0) others.push([Date.now(), unseen]);
  if (paused) skipped += more.length + unseen;
  else list = [...more.reverse(), ...list].slice(0, 4 * maxRows);
  plan();
}

function plan() {
  waiting ??= setTimeout(() => { waiting = null; draw(); }, every);
}

const result = (r) => r.cache.split(' ')[0];

function row(r) {
  const kind = result(r);
  return el('tr', { role: 'row' },
    el('td', { class: 'when' }, el('time', { datetime: r.time, title: full(r.time) }, clock(r.time))),
    el('td', { 'data-status': r.status }, String(r.status)),
    el('td', {}, el('span', { class: 'badge', 'data-kind': kind, title: r.cache }, kind)),
    el('td', { class: 'path' }, el('i', {}, r.method), ' ', r.path, r.distribution ? el('small', {}, ' ', r.distribution) : ''),
    el('td', { class: 'n' }, bytes(r.bytes)),
    el('td', { class: 'n' }, took(r.duration_ms)));
}

const drawn = new Map(); // number → row

function draw() {
  const filter = $('request-filter').value;
  const shown = list.filter((r) => !filter || result(r) === filter).slice(0, maxRows);
  const rows = shown.map((r) => drawn.get(r.number) ?? row(r));
  drawn.clear();
  shown.forEach((r, i) => drawn.set(r.number, rows[i]));
  if (rows.length === 0) rows.push(empty(filter));
  const body = $('request-rows'), selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount || !selection.getRangeAt(0).intersectsNode(body)) body.replaceChildren(...rows);
  tell();
}

function empty(filter) {
  if (filter) return el('tr', { class: 'none' }, el('td', { colspan: 6 }, 'None of the last requests.'));
  return el('tr', { class: 'none' }, el('td', { colspan: 6 }, 'No request yet. Open ', el('a', { href: viewers + '/', rel: 'noreferrer' }, 'the site'), ', and it shows here.'));
}

// tell says what is not in the list.
export function tell() {
  const since = Date.now() - 5000;
  others = others.filter(([when]) => when > since);
  const unseen = others.reduce((n, [, many]) => n + many, 0);
  if (paused) text($('sampled'), skipped ? count(skipped) + ' since' : '');
  else text($('sampled'), unseen ? 'a sample: ' + count(Math.round(unseen / 5)) + ' more a second' : '');
}
