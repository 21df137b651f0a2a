// Figures and charts.
import { $, el, bytes, count, percent, plural, rate, update } from './dom.js';
import { Chart } from './chart.js';

const spans = { fine: 300e3, coarse: 3600e3 };
const least = 60e3; // ms shown at least
const keeps = { fine: 301, coarse: 241 };

let series = { fine: [], coarse: [] };
let marks = [];
let range = 'fine';
let charts = null;

// step is what happened between two samples: see Sample in series.go.
function step(a, b) {
  const seconds = (b[0] - a[0]) / 1000;
  const per = (i) => Math.max(0, b[i] - a[i]) / seconds;
  const hits = per(2), refreshed = per(3), missed = per(4), answered = hits + refreshed + missed;
  return {
    from: a[0], to: b[0], requests: per(1), hits, refreshed, missed, wrong: per(5), redirected: per(6), bytes: per(7), origin: per(8),
    ratio: answered > 0 ? (hits + refreshed) / answered : null,
  };
}

function steps(list) {
  const out = [];
  for (let i = 1; i < list.length; i++) if (list[i][0] > list[i - 1][0]) out.push(step(list[i - 1], list[i]));
  return out;
}

// recent is what happened within the last ten seconds.
function recent() {
  const list = series.fine;
  return list.length > 1 ? step(list[Math.max(0, list.length - 11)], list.at(-1)) : null;
}

export function start() {
  charts = {
    ratio: new Chart($('chart-ratio'), { title: 'Hit ratio', top: 1, show: (v) => (v === null ? 'no requests' : Math.floor(v * 100) + ' %'), series: [{ name: 'hit ratio', color: 'good', of: (s) => s.ratio }] }),
    requests: new Chart($('chart-requests'), {
      title: 'Requests a second', least: 2, show: rate, series: [
        { name: 'hit', color: 'good', of: (s) => s.hits }, { name: 'refresh hit', color: 'part', of: (s) => s.refreshed },
        { name: 'miss', color: 'fetch', of: (s) => s.missed }, { name: 'error', color: 'bad', of: (s) => s.wrong },
      ],
    }),
    bytes: new Chart($('chart-bytes'), { title: 'Bytes a second to viewers', least: 1000, show: bytes, series: [{ name: 'bytes', color: 'fetch', of: (s) => s.bytes }] }),
  };
  for (const input of document.querySelectorAll('input[name=range]')) {
    input.addEventListener('change', () => { range = input.value; draw(); });
  }
}

// load takes the whole record over.
export function load(all, figures) {
  series = all;
  show(figures);
  draw();
}

// add takes one sample over.
export function add(sample, figures) {
  push('fine', sample);
  if (sample[0] - (series.coarse.at(-1)?.[0] ?? 0) >= 14500) push('coarse', sample);
  show(figures);
  draw();
}

function push(name, sample) {
  if (sample[0] <= (series[name].at(-1)?.[0] ?? 0)) return;
  series[name].push(sample);
  if (series[name].length > keeps[name]) series[name].shift();
}

// mark says when invalidations were accepted.
export function mark(moments) {
  marks = moments;
  draw();
}

function draw() {
  const list = range === 'fine' || series.coarse.length === 0 ? series[range] : [...series.coarse, series.fine.at(-1)];
  const end = series.fine.at(-1)?.[0] ?? Date.now();
  const begin = Math.max(end - spans[range], Math.min(series[range][0]?.[0] ?? end, end - least)); // a process that is young has no hour to show
  for (const chart of Object.values(charts)) chart.put(steps(list), begin, end, marks);
}

function tile(name, value, note, ...more) {
  return el('div', {}, el('dt', {}, name), el('dd', {}, el('b', {}, value), el('small', {}, note), more));
}

function show(f) {
  const now = recent();
  const meter = el('meter', { min: 0, max: f.budget_bytes, 'aria-label': 'Cache memory used' });
  meter.value = f.cached_bytes;
  update($('figures'), [
    tile('Hit ratio', f.hit_ratio === null ? '–' : percent(f.hit_ratio), now && now.ratio !== null ? percent(now.ratio) + ' just now' : 'since the start'),
    tile('Requests', now ? rate(now.requests) + ' /s' : '–', count(f.requests) + ' in all, ' + plural(f.errors, 'error')),
    tile('To viewers', now ? bytes(now.bytes) + '/s' : '–', bytes(f.viewer_bytes) + ' in all'),
    tile('To the origin', now ? rate(now.origin) + ' /s' : '–', count(f.origin_requests) + ' in all, ' + count(f.collapsed) + ' shared'),
    tile('Cached objects', count(f.cached_objects), f.disk_objects ? count(f.disk_objects) + ' on disk, ' + bytes(f.disk_bytes) : count(f.purged_objects) + ' invalidated, ' + count(f.evicted_objects) + ' evicted'),
    tile('Memory', bytes(f.cached_bytes), 'of ' + bytes(f.budget_bytes), meter),
  ]);
}
