// Zooms into a folder of the map, says what a tile is, and lights up what a
// path covers. The page is complete without it.
(function () {
  'use strict';
  var site = document.querySelector('.site');
  if (!site) return;
  var NS = 'http://www.w3.org/2000/svg';
  var maps = Array.from(site.querySelectorAll('.map'));
  var tiles = Array.from(site.querySelectorAll('.map .t'));
  var finders = Array.from(document.querySelectorAll('.find'));
  var select = document.getElementById('folder');
  var reset = document.getElementById('reset');
  var about = document.getElementById('about');
  var pressed = null;

  function title(el) { return el.firstElementChild.textContent.split('\n'); }
  function box(el) {
    var n = function (a) { return +el.getAttribute(a); };
    return { x: n('x'), y: n('y'), w: n('width'), h: n('height') };
  }
  function shown() {
    return maps.find(function (m) { return m.getBoundingClientRect().width > 0; }) || maps[0];
  }
  function say(text) { about.textContent = text; }

  // Folders are listed anew whenever another form of the map comes up.
  function list() {
    var now = select.value;
    select.replaceChildren(new Option('the whole site', ''));
    shown().querySelectorAll('.f').forEach(function (f) {
      var b = box(f), name = title(f)[0];
      if (b.w > 24 && b.h > 24) select.add(new Option(name, name, false, name === now));
    });
    select.parentNode.hidden = false;
    zoom(select.value);
  }

  function zoom(name) {
    maps.forEach(unzoom);
    var map = shown();
    var frame = name && Array.from(map.querySelectorAll('.f')).find(function (f) { return title(f)[0] === name; });
    select.value = frame ? name : '';
    if (frame) enlarge(map, frame);
    reset.hidden = !frame && !pressed;
  }
  function unzoom(map) {
    if (!map.dataset.whole) map.dataset.whole = map.getAttribute('viewBox');
    map.setAttribute('viewBox', map.dataset.whole);
    map.classList.remove('zoomed');
    map.querySelectorAll('g').forEach(function (g) { g.remove(); });
  }

  // Fills the map with a folder, in the map's own shape, and labels the tiles
  // that have become large enough. Sizes of text shrink as the drawing grows.
  function enlarge(map, frame) {
    var whole = map.dataset.whole.split(' ').map(Number), b = box(frame);
    var k = Math.min(whole[2] / b.w, whole[3] / b.h);
    var w = whole[2] / k, h = whole[3] / k;
    var x = Math.max(0, Math.min(b.x - (w - b.w) / 2, whole[2] - w));
    var y = Math.max(0, Math.min(b.y - (h - b.h) / 2, whole[3] - h));
    map.setAttribute('viewBox', [x, y, w, h].join(' '));
    map.classList.add('zoomed');
    var labels = document.createElementNS(NS, 'g');
    var size = (map.classList.contains('narrow') ? 12.5 : 11.5) / k;
    map.querySelectorAll('rect').forEach(function (r) {
      var t = box(r), columns = Math.floor((t.w - size) / (size * 0.6));
      if (columns < 5 || t.h < size * 1.25) return;
      if (r.classList.contains('f') && !titled(r)) return;
      if (t.x + t.w < x || t.x > x + w || t.y + t.h < y || t.y > y + h) return;
      labels.append(label(r, t, size, columns));
    });
    map.append(labels);
  }
  function titled(frame) {
    var next = frame.nextElementSibling;
    return next && next.classList.contains('n');
  }
  function label(r, t, size, columns) {
    var lines = title(r), folder = r.classList.contains('f');
    var name = lines.length > 2 ? lines[1] : lines[0].replace(/\/index\.html$/, '/').replace(/^.*\/(?=.)/, '');
    if (name.length > columns) name = name.replace(/\.html$/, '');
    var letters = Array.from(name);
    var text = document.createElementNS(NS, 'text');
    text.textContent = letters.length > columns ? letters.slice(0, columns - 1).join('') + '…' : name;
    text.setAttribute('x', t.x + size * 0.4);
    text.setAttribute('y', t.y + (folder ? Math.min(size, t.h) : Math.min(size * 1.25, (t.h + size * 0.7) / 2)));
    text.setAttribute('class', folder ? 'n' : '');
    text.style.fontSize = size + 'px';
    text.style.strokeWidth = size / 5 + 'px';
    return text;
  }

  function light(button) {
    if (pressed) pressed.setAttribute('aria-pressed', 'false');
    pressed = pressed === button ? null : button;
    tiles.forEach(function (t) { t.classList.remove('on'); });
    maps.forEach(function (m) { m.classList.toggle('lit', pressed !== null); });
    reset.hidden = !pressed && !select.value;
    say('');
    if (!pressed) return;
    pressed.setAttribute('aria-pressed', 'true');
    pressed.dataset.tiles.split(' ').forEach(function (range) {
      var ends = range.split('-');
      for (var i = +ends[0]; i <= +(ends[1] || ends[0]); i++) if (tiles[i]) tiles[i].classList.add('on');
    });
    say('Highlighted: what ' + pressed.closest('tr').querySelector('code').textContent + ' throws out of the caches.');
    site.scrollIntoView({ block: 'nearest' });
  }

  finders.forEach(function (b) {
    b.hidden = false;
    b.addEventListener('click', function () { light(b); });
  });
  maps.forEach(function (map) {
    map.classList.add('zooms');
    map.addEventListener('click', function (e) {
      if (!e.target.classList.contains('f')) return;
      var name = title(e.target)[0];
      zoom(select.value === name ? '' : name);
    });
    ['pointerover', 'click'].forEach(function (kind) {
      map.addEventListener(kind, function (e) {
        if (!pressed && e.target.tagName === 'rect') say(title(e.target).join(' · '));
      });
    });
  });
  select.addEventListener('change', function () { zoom(select.value); });
  reset.addEventListener('click', function () { if (pressed) light(pressed); zoom(''); });
  site.querySelectorAll('input').forEach(function (i) { i.addEventListener('change', list); });
  var last = shown();
  addEventListener('resize', function () { if (shown() !== last) { last = shown(); list(); } });

  var opened = [];
  addEventListener('beforeprint', function () {
    zoom('');
    opened = Array.from(document.querySelectorAll('details:not([open])'));
    opened.forEach(function (d) { d.open = true; });
  });
  addEventListener('afterprint', function () { opened.forEach(function (d) { d.open = false; }); });

  about.hidden = false;
  list();
})();
