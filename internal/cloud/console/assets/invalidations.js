// Invalidations: progress, and what each one dropped.
import { $, ask, bytes, clock, count, el, full, plural, set, span, text, update } from './dom.js';
import { mark } from './traffic.js';

let newest = { list: [], more: false };
let older = []; // pages that were asked for, as they were
let more = false;
const open = new Map(); // id → all its items, or null while they come

export function start() {
  $('invalidations-more').addEventListener('click', async (e) => {
    e.target.disabled = true;
    try {
      const page = await ask('/api/invalidations', { before: all().at(-1).id });
      older.push(...page.list);
      more = page.more;
    } catch (err) {
      text(e.target, 'Older ones: ' + err.message);
    }
    e.target.disabled = false;
    draw();
  });
}

export function load(list) {
  if (older.length === 0) more = list.more;
  // What has left the newest page while older ones are shown moves over to them.
  const here = new Set([...list.list, ...older].map((i) => i.id));
  if (older.length > 0) older = [...newest.list.filter((i) => !here.has(i.id)), ...older];
  newest = list;
  draw();
  mark(newest.list.map((i) => Date.parse(i.created)));
}

function all() {
  const first = new Set(newest.list.map((i) => i.id));
  return [...newest.list, ...older.filter((i) => !first.has(i.id))];
}

// outcome is what became of one, in words.
function outcome(i) {
  if (i.status !== 'Completed') return 'reaching the edge';
  if (!i.dropped) return '';
  const d = i.dropped;
  const dropped = d.objects === 0 ? 'nothing dropped' : 'dropped ' + plural(d.objects, 'object') + ', ' + bytes(d.bytes);
  return d.done ? dropped : dropped + ' so far';
}

function busy(i) {
  return i.status !== 'Completed' || (i.dropped && !i.dropped.done);
}

function row(i) {
  const items = open.get(i.id);
  const details = el('details', { 'data-key': i.id },
    el('summary', { 'data-key': 'summary ' + i.id },
      el('code', {}, i.items.slice(0, 2).join('  ')), i.count > 2 ? el('small', {}, ' and ' + count(i.count - 2) + ' more') : ''),
    el('p', { class: 'soft' }, i.id, ', caller reference ', el('code', {}, i.caller_reference)),
    el('ul', { class: 'items' }, (items ?? i.items).map((item) => el('li', {}, item)), items || i.count <= i.items.length ? '' : el('li', { class: 'soft' }, '…')));
  details.open = open.has(i.id);
  details.addEventListener('toggle', () => toggle(i, details.open));
  return el('li', {}, details,
    el('p', { class: 'meta' },
      el('span', { class: 'badge', 'data-kind': i.status }, i.status === 'Completed' ? 'Completed' : 'In progress'),
      el('span', {}, outcome(i)),
      busy(i) ? el('progress', { 'aria-label': 'at work' }) : '',
      el('time', { datetime: i.created, title: full(i.created) }, clock(i.created), ' · ', span(Date.now() - Date.parse(i.created)), ' ago')));
}

async function toggle(i, isOpen) {
  if (!isOpen) { open.delete(i.id); return; }
  if (open.has(i.id)) return;
  open.set(i.id, null);
  if (i.count <= i.items.length) return;
  try {
    open.set(i.id, (await ask('/api/invalidations/' + encodeURIComponent(i.id))).items);
  } catch (err) {
    open.set(i.id, ['(' + err.message + ')']);
  }
  draw();
}

function draw() {
  const list = all();
  update($('invalidation-list'), list.length ? list.map(row) : [el('li', { class: 'none' }, 'No invalidation yet.')]);
  set($('invalidations-more'), { hidden: !more });
}
