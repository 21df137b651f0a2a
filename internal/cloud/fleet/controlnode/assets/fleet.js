// The fleet's state, asked for each second, as far as whoever looks may see it.
import { $, ask, count, el, percent, set, span, text, update } from './dom.js';
import * as distributions from './distributions.js';
import * as entrance from './entrance.js';

function cell(words, className, label) {
  return el('td', { class: className, 'data-label': label }, words);
}

function row(edge) {
  const ended = edge.state === 'ended';
  return el('tr', {},
    cell(edge.name, 'name'),
    el('td', {}, el('span', { class: 'state', 'data-state': edge.state }, edge.state)),
    cell(ended ? '' : count(edge.lag), 'n', 'behind'),
    cell(edge.renewed < 60 ? edge.renewed.toFixed(1) + ' s ago' : span(edge.renewed * 1000) + ' ago', 'n', 'renewed'),
    cell(count(edge.fenced), 'n', 'fenced'),
    cell(count(edge.requests), 'n', 'requests'),
    cell(edge.requests ? percent(edge.hits / edge.requests) : '', 'n', 'hits'),
    cell(edge.address ?? '', 'long'),
    cell(edge.version, 'long'));
}

function show(fleet) {
  const serving = fleet.edges.filter((e) => e.state === 'serving');
  const sum = (name) => serving.reduce((all, e) => all + e[name], 0);
  text($('serving'), count(serving.length));
  text($('applied'), count(fleet.applied));
  text($('completed'), count(fleet.completed));
  text($('lag'), count(Math.max(0, ...serving.map((e) => e.lag))));
  text($('ratio'), sum('requests') ? percent(sum('hits') / sum('requests')) : '–');
  text($('node'), fleet.node + ' ' + fleet.version);
  set($('quorum'), { hidden: fleet.reached });
  set($('no-edges'), { hidden: fleet.edges.length > 0 });
  update($('edge-list'), fleet.edges.map(row));
}

function live(state, words) {
  $('live').dataset.state = state;
  text($('live'), words);
}

let timer;
let looks = 0;

// look shows what there is to see now, and comes again. What was asked before another look began is not shown any more: somebody may have signed out.
async function look() {
  clearTimeout(timer);
  const mine = ++looks;
  const limit = () => AbortSignal.timeout(3000);
  try {
    const session = await ask('/api/session', [], limit());
    if (mine !== looks) return;
    const visible = entrance.show(session);
    if (visible) {
      const [fleet, list] = await Promise.all([ask('/api/fleet', [], limit()), ask('/api/distributions', [], limit())]);
      if (mine !== looks) return;
      show(fleet);
      entrance.offer(list.list);
      await distributions.show(list);
    }
    live('live', visible ? 'live' : 'not signed in');
  } catch (err) {
    if (mine !== looks) return;
    if (err.status === 401) live('wait', 'not signed in'); // the session ended meanwhile: the next look shows it
    else live('away', 'the control node does not answer');
  }
  timer = setTimeout(look, 1000);
}

entrance.start(look);
distributions.start(look);
look();
