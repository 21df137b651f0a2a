// Distributions, and the newest invalidations of those that are open.
import { $, ask, clock, count, el, full, plural, set, span, text, update } from './dom.js';

let list = [];
let first = true;
let again = () => {};
const open = new Set(); // ids of distributions
const known = new Map(); // id → { mark, list } of those that are open
const whole = new Map(); // id of an invalidation → all its items

export function start(look) { again = look; }

// forget lets go of everything, when nobody is signed in any more.
export function forget() {
  [list, first] = [[], true];
  for (const part of [open, known, whole]) part.clear();
  update($('distribution-list'), []);
}

export async function show(found) {
  list = found.list;
  if (first && list.length === 1) open.add(list[0].id);
  first = list.length === 0;
  set($('distributions-more'), { hidden: !found.more });
  text($('distributions-more'), found.more ? count(found.more) + ' more; the API lists them all' : '');
  await Promise.all(list.filter((d) => open.has(d.id) && known.get(d.id)?.mark !== d.mark).map(load));
  draw();
}

async function load(d) {
  try {
    const answer = await ask('/api/distributions/' + encodeURIComponent(d.id) + '/invalidations', [], AbortSignal.timeout(3000));
    known.set(d.id, { mark: d.mark, list: answer.list });
  } catch (err) {
    if (err.status !== 404) throw err; // it was deleted meanwhile
  }
}

async function expand(distribution, i) {
  const address = '/api/distributions/' + encodeURIComponent(distribution) + '/invalidations/' + encodeURIComponent(i.id);
  try {
    whole.set(i.id, (await ask(address)).items);
  } catch (err) {
    whole.set(i.id, [...i.items, '(' + err.message + ')']);
  }
  draw();
}

function invalidation(distribution, i) {
  const items = whole.get(i.id) ?? i.items;
  const more = i.count - items.length;
  return el('li', {},
    el('p', { class: whole.has(i.id) ? 'paths all' : 'paths' },
      items.map((item) => el('code', { title: item }, item)),
      more > 0 ? el('button', { type: 'button', 'data-key': 'more ' + i.id, onclick: () => expand(distribution, i) }, 'and ' + count(more) + ' more') : ''),
    el('p', { class: 'meta' },
      el('span', { class: 'badge', 'data-kind': i.status }, i.status === 'Completed' ? 'Completed' : 'In progress'),
      el('code', {}, i.id),
      el('time', { datetime: i.created, title: full(i.created) }, clock(i.created), ' · ', span(Date.now() - Date.parse(i.created)), ' ago')));
}

function distribution(d) {
  const names = [d.domain, ...d.aliases].join(', ') + (d.comment ? ' · ' + d.comment : '');
  const mine = known.get(d.id);
  const body = !open.has(d.id) ? '' : !mine ? el('p', { class: 'soft' }, 'reading')
    : mine.list.length === 0 ? el('p', { class: 'soft' }, 'No invalidation yet.')
      : el('ol', { class: 'list', 'aria-label': 'Newest invalidations of ' + d.id }, mine.list.map((i) => invalidation(d.id, i)));
  const details = el('details', { class: 'one', open: open.has(d.id) },
    el('summary', { 'data-key': 'summary ' + d.id },
      el('b', {}, d.id),
      el('span', { class: 'names' }, names),
      d.enabled ? '' : el('span', { class: 'badge', 'data-kind': 'off' }, 'Disabled'),
      d.pending ? el('small', {}, plural(d.pending, 'invalidation') + ' in progress') : '',
      el('span', { class: 'badge', 'data-kind': d.deployed ? 'Completed' : 'InProgress' }, d.deployed ? 'Deployed' : 'In progress')),
    body);
  details.addEventListener('toggle', () => {
    if (details.open === open.has(d.id)) return;
    if (details.open) open.add(d.id); else { open.delete(d.id); known.delete(d.id); }
    again();
  });
  return el('li', {}, details);
}

function draw() {
  const none = 'No distribution yet. Make one with freshet control --distribution s3://my-site, or with the AWS CLI.';
  update($('distribution-list'), list.length ? list.map(distribution) : [el('li', { class: 'none' }, none)]);
}
