// What freshet has published, and what each release changed.
import { $, ask, bytes, count, el, full, plural, set, span, text, update } from './dom.js';

const signs = { added: '+', changed: '~', headers: '~', removed: '−', retired: '−' };
const words = { added: 'new', changed: 'content', headers: 'headers', removed: 'removed', retired: 'no longer used' };

let all = { live: '', releases: [] };
let version = null;
const open = new Map(); // id → the answer, or {error}, or null while it comes

export function start() {
  setInterval(() => { if (!document.hidden && all.releases.length) draw(); }, 30000); // ages
}

// load asks again if the version is another one.
export async function load(now) {
  if (now === version) return;
  version = now;
  try {
    all = await ask('/api/releases');
  } catch (err) {
    version = null;
    update($('release-list'), [el('li', { class: 'none' }, err.message)]);
    return;
  }
  draw();
}

export function forget() {
  version = null;
}

// changes is the line of a release: +3 ~2 −1.
function changes(r) {
  return [
    [r.uploaded, 'added', plural(r.uploaded, 'upload') + ' (' + bytes(r.uploaded_bytes) + ')'],
    [r.updated_headers, 'headers', plural(r.updated_headers, 'header change')],
    [r.removed, 'removed', count(r.removed) + ' removed'],
    [r.retired, 'retired', count(r.retired) + ' no longer used'],
    [r.swept, 'removed', count(r.swept) + ' swept'],
  ].filter(([n]) => n > 0).map(([, kind, words]) => el('span', { class: 'change', 'data-kind': kind }, words));
}

function origin(r) {
  if (r.restores) return 'rollback to ' + r.restores;
  if (!r.revision) return '';
  const name = /^[0-9a-f]{40}$/.test(r.revision.name) ? r.revision.name.slice(0, 8) : r.revision.name;
  return 'from ' + name + (r.revision.branch ? ' on ' + r.revision.branch : '');
}

function row(r) {
  const changed = changes(r);
  const details = el('details', { 'data-key': r.release },
    el('summary', { 'data-key': 'summary ' + r.release },
      el('b', {}, r.release), r.release === all.live ? el('span', { class: 'badge', 'data-kind': 'Hit' }, 'live') : '', ' ',
      changed.length ? changed : el('span', { class: 'soft' }, 'nothing changed')),
    body(r));
  details.open = open.has(r.release);
  details.addEventListener('toggle', () => toggle(r, details.open));
  return el('li', {}, details, el('p', { class: 'meta' },
    el('span', {}, plural(r.objects, 'object') + ', ' + bytes(r.bytes)),
    el('span', {}, plural(r.paths, 'path') + ' invalidated'),
    r.seconds ? el('span', {}, r.seconds.toFixed(1) + ' s') : '',
    origin(r) ? el('span', {}, origin(r)) : '',
    el('span', {}, r.writer),
    el('time', { datetime: r.created, title: full(r.created) }, span(Date.now() - Date.parse(r.created)) + ' ago')));
}

function body(r) {
  const d = open.get(r.release);
  if (!d) return el('p', { class: 'soft' }, 'Comparing …');
  if (d.error) return el('p', { class: 'wrong' }, d.error);
  const before = d.before ? 'against ' + d.before : 'the first release';
  const rest = Object.values(d.counts).reduce((n, c) => n + c, 0) - d.changes.length;
  return el('div', { class: 'diff' },
    el('p', { class: 'soft' }, before + '; ' + count(d.unchanged) + ' unchanged' + (d.changes.length ? '' : ', and nothing else')),
    el('table', {},
      el('thead', { class: 'unseen' }, el('tr', {}, ['Change', 'Object', 'Bytes', 'What'].map((h) => el('th', { scope: 'col' }, h)))),
      el('tbody', {}, d.changes.map(line))),
    d.more ? el('p', { class: 'soft' }, 'and ' + count(rest) + ' more') : '');
}

function line(c) {
  const gone = c.what === 'removed' || c.what === 'retired';
  const size = gone ? '' : bytes(c.bytes) + (c.what === 'changed' && c.bytes !== c.was_bytes ? ' (was ' + bytes(c.was_bytes) + ')' : '');
  return el('tr', { 'data-kind': c.what },
    el('td', { class: 'sign', 'aria-hidden': 'true' }, signs[c.what]),
    el('td', { class: 'path' }, c.key, c.headers.map((h) => el('small', { class: 'header' }, h.name + ': ' + (h.was || 'none') + ' → ' + (h.is || 'none')))),
    el('td', { class: 'n' }, size),
    el('td', {}, words[c.what]));
}

async function toggle(r, isOpen) {
  if (!isOpen) { open.delete(r.release); return; }
  if (open.has(r.release)) return;
  open.set(r.release, null);
  try {
    open.set(r.release, await ask('/api/releases/' + encodeURIComponent(r.release)));
  } catch (err) {
    open.set(r.release, { error: err.message });
  }
  draw();
}

function draw() {
  update($('release-list'), all.releases.length ? all.releases.map(row)
    : [el('li', { class: 'none' }, 'Nothing was published yet. ', el('code', {}, 'freshet deploy'), ' does it.')]);
  const u = all.under_way;
  set($('under-way'), { hidden: !u });
  if (u) text($('under-way'), u.writer + ' is publishing ' + u.release + ', since ' + span(Date.now() - Date.parse(u.started)) + '. If nobody is any more, the next deploy finishes it.');
}
