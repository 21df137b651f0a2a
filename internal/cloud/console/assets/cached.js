// What is cached: search, order, pages.
import { $, ask, bytes, count, el, full, set, span, text, update } from './dom.js';

const columns = [
  ['path', 'Path and query', '', false], ['status', 'Status', '', false], ['', 'Type', '', false], ['size', 'Size', 'n', true],
  ['age', 'Age', 'n', false], ['ttl', 'TTL left', 'n', false], ['hits', 'Hits', 'n', true],
]; // name of the order, title, class, whether it begins descending

const small = 5000; // objects up to which the list is kept up to date by itself

let viewers = '';
let sort = 'path';
let pages = ['']; // ?after= of this page and those before it
let next = '';
let asking = null;
let seen = ''; // what the figures were when the list was made

export function start() {
  $('q').value = new URLSearchParams(location.search).get('q') ?? '';
  heads();
  let typing = 0;
  $('q').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(again, 250); });
  $('search').addEventListener('submit', (e) => { e.preventDefault(); clearTimeout(typing); again(); });
  $('next').addEventListener('click', () => { pages.push(next); look(true); });
  $('previous').addEventListener('click', () => { pages.pop(); look(true); });
}

export function load(state) {
  viewers = state.viewers;
  note(state.figures, true);
}

// note is told the newest figures, and looks again if something was cached or dropped and that is cheap.
export function note(f, always = false) {
  const now = [f.cached_objects, f.cached_bytes, f.purged_objects, f.evicted_objects, f.origin_requests].join();
  if (!always && (now === seen || f.cached_objects > small || asking)) return;
  seen = now;
  look(false);
}

function again() {
  pages = [''];
  const query = $('q').value;
  history.replaceState(null, '', (query ? '/?' + new URLSearchParams({ q: query }) : '/') + location.hash);
  look(true);
}

// search puts a query in.
function search(query) {
  $('q').value = query;
  again();
}

function heads() {
  $('object-heads').replaceChildren(...columns.map(([name, title, kind, down]) => {
    if (!name) return el('th', { scope: 'col', class: kind }, title);
    const up = sort === name, fallen = sort === '-' + name;
    const button = el('button', { type: 'button', class: 'sort', 'data-key': 'sort ' + name }, title, el('span', { 'aria-hidden': 'true' }, up ? ' ↑' : fallen ? ' ↓' : ''));
    button.addEventListener('click', () => {
      sort = up ? '-' + name : fallen ? name : (down ? '-' : '') + name;
      pages = [''];
      heads();
      $('object-heads').querySelector(`[data-key="sort ${name}"]`).focus();
      look(true);
    });
    return el('th', { scope: 'col', class: kind, 'aria-sort': up ? 'ascending' : fallen ? 'descending' : null }, button);
  }));
}

// look asks for the page. Somebody who waits is told so.
async function look(waits) {
  asking?.abort();
  const mine = (asking = new AbortController());
  const patience = waits ? setTimeout(() => text($('found'), 'searching …'), 300) : 0;
  try {
    const page = await ask('/api/objects', { q: $('q').value, sort, after: pages.at(-1) }, mine.signal);
    if (asking !== mine) return;
    if (page.items.length === 0 && pages.length > 1) { pages = ['']; look(waits); return; }
    show(page);
    text($('found'), page.found === 1 ? '1 object' : count(page.found) + ' objects');
    set($('found'), { class: 'soft' });
  } catch (err) {
    if (asking !== mine) return;
    text($('found'), err.message.replace(/^cannot be answered: /, ''));
    set($('found'), { class: 'wrong' });
  } finally {
    clearTimeout(patience);
    if (asking === mine) asking = null;
  }
}

function show(page) {
  const now = Date.parse(page.time);
  const rows = page.items.map((o) => row(o, now));
  if (rows.length === 0) rows.push(el('tr', { class: 'none' }, el('td', { colspan: columns.length }, $('q').value ? 'Nothing cached is like that.' : 'Nothing is cached yet.')));
  update($('object-rows'), rows);
  next = page.next;
  document.querySelector('.pager').hidden = pages.length === 1 && !next;
  $('next').disabled = !next;
  $('previous').disabled = pages.length === 1;
  text($('pages'), page.items.length ? count(page.before + 1) + '–' + count(page.before + page.items.length) + ' of ' + count(page.found) : '');
}

function row(o, now) {
  const key = o.uri + ' ' + o.variant;
  const left = Date.parse(o.expires) - now;
  const cell = (label, kind, ...children) => el('td', { class: kind, 'data-label': label }, ...children);
  return el('tr', {},
    cell('', 'path',
      el('a', { href: viewers + o.uri, rel: 'noreferrer', 'data-key': key, title: readable(o.uri) }, o.uri),
      o.variant.trim() ? el('small', { class: 'variant' }, o.variant.trim()) : '',
      o.tags.length ? el('span', { class: 'tags' }, o.tags.map((t) => tag(t, key))) : ''),
    el('td', { 'data-label': 'Status', 'data-status': o.status }, String(o.status)),
    cell('Type', '', el('span', { title: o.type }, o.type.split(';')[0])),
    cell('Size', 'n', bytes(o.bytes)),
    cell('Age', 'n', el('time', { datetime: o.stored, title: 'stored or confirmed ' + full(o.stored) }, span(now - Date.parse(o.stored)))),
    cell('TTL left', 'n', el('time', { datetime: o.expires, title: 'expires ' + full(o.expires) }, left > 0 ? span(left) : 'expired')),
    cell('Hits', 'n', count(o.hits)));
}

function tag(name, key) {
  const button = el('button', { type: 'button', class: 'tag', 'data-key': 'tag ' + name + ' ' + key, title: 'show all with this tag' }, '#' + name);
  button.addEventListener('click', () => search('tag:' + name));
  return button;
}

function readable(uri) {
  try {
    return decodeURIComponent(uri);
  } catch {
    return uri;
  }
}
