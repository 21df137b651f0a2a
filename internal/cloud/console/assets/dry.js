// The box to try an invalidation.
import { $, ask, bytes, count, el, plural, set, text } from './dom.js';

let asking = null;

export function start() {
  $('dry-form').addEventListener('submit', (e) => { e.preventDefault(); attempt(); });
  $('dry-items').addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); attempt(); }
  });
}

async function attempt() {
  asking?.abort();
  const mine = (asking = new AbortController());
  const items = $('dry-items').value.split('\n').map((s) => s.trim()).filter(Boolean);
  set($('dry-answer'), { class: '' });
  text($('dry-answer'), 'Looking through the cache …');
  try {
    show(await ask('/api/dry', items.map((i) => ['item', i]), mine.signal));
  } catch (err) {
    if (asking !== mine) return;
    $('dry-result').replaceChildren();
    set($('dry-answer'), { class: 'wrong' });
    text($('dry-answer'), err.message.replace(/^cannot be answered: /, ''));
  }
}

function show(trial) {
  text($('dry-answer'), (trial.objects ? 'It would drop ' + plural(trial.objects, 'object') + ', ' + bytes(trial.bytes) + '.' : 'It would drop nothing that is in memory.') +
    ' ' + plural(trial.items.length, 'path') + ' on the bill.' + (trial.disk ? ' What only the disk holds was not looked at.' : ''));
  const items = el('table', { class: 'trial' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Item'), el('th', { scope: 'col', class: 'n' }, 'Objects'), el('th', { scope: 'col', class: 'n' }, 'Bytes'))),
    el('tbody', {}, trial.items.map((i) => el('tr', {},
      el('td', { class: 'path' }, i.item, i.effect ? '' : el('small', {}, ' never matches: a ~ cannot be invalidated')),
      el('td', { class: 'n' }, count(i.objects)), el('td', { class: 'n' }, bytes(i.bytes))))));
  const first = el('ul', { class: 'items' }, trial.first.map((o) => el('li', {}, o.uri, ' ', el('small', {}, [bytes(o.bytes), o.variant.trim()].filter(Boolean).join(', ')))));
  const rest = trial.objects - trial.first.length;
  $('dry-result').replaceChildren(el('div', { class: 'scroll short', role: 'region', 'aria-label': 'What it would drop', tabindex: '0' }, trial.items.length > 1 || !trial.items[0].effect ? items : '', first,
    rest > 0 ? el('p', { class: 'soft pad' }, 'and ' + count(rest) + ' more') : ''));
  if (trial.objects === 0 && trial.items.length === 1 && trial.items[0].effect) $('dry-result').replaceChildren();
}
