// Elements and words. Everything from outside goes in as text.

export const $ = (id) => document.getElementById(id);

// el makes an element: attributes, then children, which are elements or text. Without a value an attribute is left out.
export function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  set(e, attributes);
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ''));
  return e;
}

const drawing = 'http://www.w3.org/2000/svg';

export function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(drawing, name);
  set(e, attributes);
  e.append(...children);
  return e;
}

export function set(e, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) e.removeAttribute(name);
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? '' : value);
  }
}

// update replaces what part holds, unless somebody is selecting text in it. Open details stay open, and the focus stays where it was: both are found again
// by data-key.
export function update(part, children) {
  const selection = getSelection();
  if (!selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(part)) return;
  const focus = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  part.replaceChildren(...children);
  if (focus !== undefined) part.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

// text changes a text only if it is another one, so that it is not announced again.
export function text(e, value) {
  if (e.textContent !== value) e.textContent = value;
}

// ask fetches JSON. The error has the server's own words, and the status.
export async function ask(path, parameters = [], signal = AbortSignal.timeout(60000)) {
  const query = new URLSearchParams(parameters).toString();
  return read(await fetch(query ? path + '?' + query : path, { signal }));
}

// send posts JSON, and answers as ask does.
export async function send(path, body, signal = AbortSignal.timeout(60000)) {
  return read(await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal }));
}

async function read(answer) {
  const body = await answer.json().catch(() => ({ error: 'status ' + answer.status }));
  if (!answer.ok) throw Object.assign(new Error(body.error ?? 'status ' + answer.status), { status: answer.status });
  return body;
}

// bytes are in powers of ten, as S3 counts.
export function bytes(n) {
  if (n < 1000) return Math.round(n) + ' B';
  for (const unit of ['KB', 'MB', 'GB', 'TB']) {
    n /= 1000;
    if (n < 999.95 || unit === 'TB') return n.toFixed(1) + ' ' + unit;
  }
}

export const count = (n) => n.toLocaleString('en');

export const plural = (n, one, many = one + 's') => count(n) + ' ' + (n === 1 ? one : many);

export function rate(n) {
  return n < 9.95 ? n.toFixed(1).replace(/\.0$/, '') : count(Math.round(n));
}

export function took(ms) {
  if (ms < 0.995) return (ms * 1000).toFixed(0) + ' µs';
  if (ms < 9.95) return ms.toFixed(1) + ' ms';
  return ms < 999.5 ? ms.toFixed(0) + ' ms' : (ms / 1000).toFixed(1) + ' s';
}

// percent is rounded down, so that a single miss is never 100 %.
export const percent = (share) => (Math.floor(share * 1000) / 10).toFixed(1) + ' %';

// span is a length of time in its largest unit.
export function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return Math.floor(s) + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min';
  if (s < 48 * 3600) return Math.floor(s / 3600) + ' h';
  return Math.floor(s / 86400) + ' d';
}

export const clock = (when) => new Date(when).toTimeString().slice(0, 8);

export const full = (when) => new Date(when).toLocaleString();

export function time(when, shown, words = '') {
  return el('time', { datetime: new Date(when).toISOString(), title: words + full(when) }, shown);
}
