// Charts over time: stacked areas or one line, marks, and a cursor for pointer and arrow keys.
import { el, svg, set, text, clock } from './dom.js';

const left = 44, right = 8, top = 8, bottom = 18; // around the drawing, in pixels
const height = 132;

// Chart draws into a figure. Series are {name, color, of}, of being the value of a step {from, to, …}; they are stacked, the first at the bottom.
export class Chart {
  constructor(figure, { title, series, show, top: ceiling, least = 1 }) {
    Object.assign(this, { figure, title, series, show, ceiling, least, steps: [], marks: [], at: null });
    this.readout = el('span', { class: 'readout' });
    this.drawing = svg('svg', { height, 'aria-hidden': 'true' });
    this.box = el('div', { class: 'drawing', role: 'img', tabindex: '0' }, this.drawing);
    const legend = series.length > 1 ? el('ul', { class: 'legend', 'aria-hidden': 'true' }, series.map((s) => el('li', { class: s.color }, s.name))) : null;
    figure.append(el('figcaption', {}, el('b', {}, title), this.readout), this.box, ...(legend ? [legend] : []));
    this.box.addEventListener('pointermove', (e) => this.point(e.clientX - this.box.getBoundingClientRect().left));
    this.box.addEventListener('pointerleave', () => this.move(null));
    this.box.addEventListener('blur', () => this.move(null));
    this.box.addEventListener('keydown', (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // put shows steps from begin to end, in milliseconds, and marks, which are moments.
  put(steps, begin, end, marks) {
    Object.assign(this, { steps, begin, end, marks: marks.filter((m) => m >= begin && m <= end) });
    this.draw();
  }

  key(e) {
    const last = this.steps.length - 1;
    const to = { ArrowLeft: (this.at ?? last + 1) - 1, ArrowRight: (this.at ?? last - 1) + 1, Home: 0, End: last, Escape: null }[e.key];
    if (to === undefined || last < 0) return;
    if (to !== null || this.at !== null) e.preventDefault();
    this.move(to === null ? null : Math.min(Math.max(to, 0), last), true);
  }

  point(x) {
    const when = this.begin + ((x - left) / this.wide) * (this.end - this.begin);
    const at = this.steps.findIndex((s) => when >= s.from && when < s.to);
    this.move(at < 0 ? null : at);
  }

  move(at, speak = false) {
    this.at = at;
    this.cursor();
    if (speak) this.box.setAttribute('aria-label', this.title + ', ' + this.readout.textContent);
    else this.label();
  }

  label() {
    const last = this.steps.at(-1);
    this.box.setAttribute('aria-label', this.title + (last ? ', now ' + this.words(last) + '. Arrow keys go back in time.' : ', nothing yet'));
  }

  words(step) {
    if (this.series.length === 1) return this.show(this.series[0].of(step));
    return this.series.map((s) => [s, s.of(step)]).filter(([, v]) => v > 0).map(([s, v]) => this.show(v) + ' ' + s.name).join(', ') || 'none';
  }

  x(when) { return left + ((when - this.begin) / (this.end - this.begin)) * this.wide; }

  y(value) { return top + (1 - value / this.max) * (height - top - bottom); }

  draw() {
    const width = this.box.clientWidth;
    if (!width || !this.end) return;
    this.wide = width - left - right;
    const sum = (s) => this.series.reduce((n, one) => n + (one.of(s) ?? 0), 0);
    this.max = this.ceiling ?? nice(Math.max(this.least, ...this.steps.map(sum)));
    set(this.drawing, { viewBox: `0 0 ${width} ${height}`, width });
    this.drawing.replaceChildren(...this.axes(width), ...this.shapes(), ...new Set(this.marks.map((m) => Math.round(this.x(m) / 3) * 3)).values().map((x) => this.mark(x)));
    this.line = svg('line', { class: 'cursor', y1: top, y2: height - bottom });
    this.drawing.append(this.line);
    this.cursor();
    if (this.at === null) this.label();
  }

  axes(width) {
    const out = [];
    for (const share of [0, 0.5, 1]) {
      const y = this.y(this.max * share);
      out.push(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y, y2: y }));
      out.push(svg('text', { x: left - 6, y: y + 3.5, 'text-anchor': 'end' }, this.show(this.max * share)));
    }
    const ticks = width < 380 ? 2 : 4;
    for (let i = 0; i <= ticks; i++) {
      const when = this.begin + ((this.end - this.begin) * i) / ticks;
      out.push(svg('text', { x: this.x(when), y: height - 4, 'text-anchor': i === 0 ? 'start' : i === ticks ? 'end' : 'middle' }, clock(when).slice(0, this.end - this.begin < 120e3 ? 8 : 5)));
    }
    return out;
  }

  // shapes are one area for each series, from the bottom up, or one line. Where there is no value there is a gap.
  shapes() {
    const base = this.steps.map(() => 0);
    const out = [];
    for (const s of this.series) {
      const over = base.map((b, i) => b + (s.of(this.steps[i]) ?? 0));
      let area = '', line = '', pen = 'M';
      this.steps.forEach((step, i) => {
        if (s.of(step) === null) { pen = 'M'; return; }
        const x1 = this.x(Math.max(step.from, this.begin)), x2 = this.x(step.to);
        if (x2 <= left) return;
        area += `M${x1} ${this.y(base[i])}V${this.y(over[i])}H${x2 + 0.3}V${this.y(base[i])}Z`;
        line += `${pen}${x1} ${this.y(over[i])}H${x2}`;
        pen = 'L';
        base[i] = over[i];
      });
      out.push(svg('path', { class: 'area ' + s.color, d: area }));
      if (this.series.length === 1) out.push(svg('path', { class: 'line ' + s.color, d: line }));
    }
    return out;
  }

  mark(x) {
    return svg('g', { class: 'mark' }, svg('line', { x1: x, x2: x, y1: top, y2: height - bottom }), svg('path', { d: `M${x - 4} ${top - 6}h8l-4 6z` }));
  }

  cursor() {
    if (!this.line) return;
    const step = this.at === null ? null : this.steps[this.at];
    set(this.line, step ? { x1: this.x((step.from + step.to) / 2), x2: this.x((step.from + step.to) / 2), visibility: 'visible' } : { visibility: 'hidden' });
    const shown = step ?? this.steps.at(-1);
    text(this.readout, shown ? (step ? clock(step.to) + '  ' : '') + this.words(shown) : '');
  }
}

// nice is the next round number above n.
function nice(n) {
  const unit = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 4, 5, 10].map((f) => f * unit).find((v) => v >= n);
}
