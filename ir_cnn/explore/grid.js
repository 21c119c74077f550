// The page's side of `CardGrid`, see nbs/94_explore.widget.ipynb: a query and its results as cards, for mouse and keys.
// Texts come as texts and are never read as HTML; a message to Python is {verb: number of the card, of: 'query' or 'cards', name}.

const keys = [
  ['← → ↑ ↓', 'the next card in that direction'],
  ['Home, End', 'the first result, the last one'],
  ['Page Up, Page Down', 'the page of results before, the one after'],
  ['Enter, click', 'search with this image'],
  ['Space, Ctrl + click', 'select this result, or deselect it'],
  ['Shift + click, Shift + arrow', 'select all results from the last one to here'],
  ['n, p', 'the next query, the previous one'],
  ['e', 'explain why this result was found; again: close'],
  ['m', 'mark what is selected, or this image; again: remove the mark'],
  ['z', 'large view, with file and size; ← → go on there'],
  ['Escape', 'close, deselect, or go back'],
  ['?', 'this list'],
];
const least = 112, gap = 6; // pixels: the width of a card, and what lies between two

function make(tag, cls, ...children) {
  const o = document.createElement(tag);
  o.className = cls;
  o.append(...children); // strings become text
  return o;
}

function makeButton(cls, text, says, onclick) {
  const o = make('button', cls, text);
  o.type = 'button';
  o.tabIndex = -1; // the whole grid is one tab stop, see `rove`
  o.setAttribute('aria-label', says);
  o.title = says;
  o.onclick = onclick;
  return o;
}

function makePicture(src, says) {
  const o = make('img', '');
  o.src = src;
  o.alt = says;
  return o;
}

// ---- cards ----
function send(ui, verb, of, i) {
  const c = (ui.model.get('view')[of] ?? [])[i];
  if (c) ui.model.send({[verb]: i, of, name: c.name});
}

function select(ui, now) {
  ui.model.set('selected', [...new Set(now)].sort((a, b) => a - b));
  ui.model.save_changes();
}

function toggle(ui, of, i, range) {
  if (of !== 'cards') return;
  const now = ui.model.get('selected'), from = range ? ui.anchor : i, [a, b] = from < i ? [from, i] : [i, from];
  if (range) select(ui, [...now, ...Array.from({length: b - a + 1}, (_, j) => a + j)]);
  else select(ui, now.includes(i) ? now.filter(o => o !== i) : [...now, i]);
  if (!range) ui.anchor = i;
}

function makeCard(ui, of, c, i) {
  const text = make('span', 'text', ...c.lines.map(o => make('span', 'line', o)));
  const button = makeButton('open', '', c.says, e => {
    if (of === 'cards' && (e.ctrlKey || e.metaKey || e.shiftKey)) toggle(ui, of, i, e.shiftKey);
    else send(ui, 'open', of, i);
  });
  button.append(makePicture(c.src, ''), text);
  button.title = c.tip;
  Object.assign(button.dataset, {of, i});
  button.onkeyup = e => { if (e.key === ' ') e.preventDefault(); }; // Firefox takes it for a click
  const card = make('div', `card ${c.state}`, button, makeButton('zoom', '⤢', `large view: ${c.says}`, () => send(ui, 'zoom', of, i)));
  card.dataset.name = c.name;
  if (of === 'cards') {
    const box = make('input', 'select');
    box.type = 'checkbox';
    box.tabIndex = -1;
    box.setAttribute('aria-label', `select: ${c.says}`);
    box.onclick = e => { toggle(ui, of, i, e.shiftKey); button.focus(); };
    card.append(box);
  }
  return card;
}

// Equal ranks of several models stand in one line; no line is short but the last, where a divisor of the page's size is near
function arrange(ui) {
  const {groups = [], page = 24} = ui.model.get('view'), cards = ui.root.querySelector('.cards');
  if (!groups.length || !cards.clientWidth) return;
  const room = Math.max(1, Math.floor((cards.clientWidth / groups.length + gap) / (least + gap)));
  const whole = Array.from({length: room}, (_, i) => room - i).find(n => page % n === 0);
  const columns = whole > 0.6 * room ? whole : room;
  cards.style.gridTemplateColumns = groups.map(() => `repeat(${columns}, minmax(0, 1fr))`).join(' 12px ');
  const [titles, items] = ['.title', '.card'].map(o => [...cards.querySelectorAll(o)]);
  let at = 0;
  groups.forEach(({count}, g) => {
    const left = g * (columns + 1) + 1;
    titles[g].style.gridArea = `1 / ${left} / auto / span ${columns}`;
    for (let i = 0; i < count; i++) items[at++].style.gridArea = `${2 + Math.floor(i / columns)} / ${left + i % columns}`;
  });
}

// ---- the left column ----
function makeExplanation(ui, v) {
  const close = makeButton('close', '×', 'close the explanation', () => ui.model.send({escape: true}));
  const pictures = v.pictures.map(o => {
    const figure = make('figure', '', makePicture(o.src, o.says), make('figcaption', '', o.says));
    figure.onclick = () => show(ui, v.title, four(v));
    return figure;
  });
  const panel = make('div', 'explanation', make('div', 'why', make('span', '', v.title), close), make('div', 'pictures', ...pictures), ...v.lines.map(o => make('div', 'line', o)));
  panel.setAttribute('role', 'group');
  panel.setAttribute('aria-label', v.title);
  return panel;
}

function four(v) {
  return make('div', 'four', ...v.pictures.map(o => make('figure', '', makePicture(o.src, o.says), make('figcaption', '', o.says))));
}

function makeFacts({facts = [], strips = []}) {
  const rows = facts.map(([name, ...values]) => {
    const cells = values.map(o => make('td', '', o));
    if (cells.length === 1) cells[0].colSpan = 2;
    return make('tr', '', make('th', '', name), ...cells);
  });
  const bars = strips.map(o => {
    const strip = make('div', 'strip', ...[...o].map((c, i) => {
      const bar = make('i', c === '1' ? 'right' : 'wrong');
      bar.title = `rank ${i + 1}: ${c === '1' ? 'right' : 'wrong'}`;
      return bar;
    }));
    strip.setAttribute('role', 'img');
    strip.setAttribute('aria-label', `right at ranks ${[...o].flatMap((c, i) => c === '1' ? [i + 1] : []).join(', ') || 'none'} of ${o.length}`);
    return strip;
  });
  return make('div', 'facts', ...bars, make('table', '', ...rows));
}

// ---- what lies above the page: the large view, and the list of keys ----
function show(ui, title, ...body) {
  const close = makeButton('close', '×', 'close', () => ui.dialog.close());
  close.tabIndex = 0;
  ui.dialog.replaceChildren(make('div', 'why', make('span', '', title), close), ...body);
  ui.dialog.setAttribute('aria-label', title);
  if (!ui.dialog.open) ui.dialog.showModal();
}

function showLarge(ui, o) {
  const path = make('input', 'path'), why = ui.model.get('view').explanation;
  path.readOnly = true;
  path.value = o.path;
  path.setAttribute('aria-label', 'path of the image');
  path.onfocus = () => path.select();
  const copy = makeButton('copy', 'Copy path', 'copy the path', async () => {
    path.select();
    try { await navigator.clipboard.writeText(o.path); copy.textContent = 'Copied'; }
    catch { document.execCommand('copy'); } // a page without https has no clipboard
  });
  copy.tabIndex = 0;
  ui.large = o;
  show(ui, o.title, why && why.of === o.name ? four(why) : makePicture(o.src, o.title), ...o.lines.map(t => make('div', 'line', t)),
    o.path ? make('div', 'row', path, copy) : '');
}

function showKeys(ui) {
  show(ui, 'Keys in the grid', make('table', 'keys', ...keys.map(([key, does]) => make('tr', '', make('th', '', key), make('td', '', does)))));
}

// ---- keys ----
function neighbour(buttons, at, key) {
  if (key === 'ArrowLeft') return at - 1;
  if (key === 'ArrowRight') return at + 1;
  const here = buttons[at].getBoundingClientRect(), down = key === 'ArrowDown';
  const beyond = r => down ? r.top > here.top + 5 : r.top < here.top - 5;
  const lines = buttons.map((o, i) => [o.getBoundingClientRect(), i]).filter(([r]) => beyond(r));
  if (!lines.length) return at;
  const top = down ? Math.min(...lines.map(([r]) => r.top)) : Math.max(...lines.map(([r]) => r.top));
  const aside = r => Math.abs(r.left - here.left);
  return lines.filter(([r]) => Math.abs(r.top - top) < 5).sort(([a], [b]) => aside(a) - aside(b))[0][1];
}

function rove(ui, button) {
  ui.root.querySelectorAll('button.open').forEach(o => { o.tabIndex = o === button ? 0 : -1; });
}

function onKey(ui, e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  e.stopPropagation();
  if (ui.dialog.open) return onDialogKey(ui, e);
  const buttons = [...ui.root.querySelectorAll('button.open')], at = buttons.indexOf(document.activeElement), here = buttons[at];
  const of = here?.dataset.of, i = +here?.dataset.i, results = buttons.filter(o => o.dataset.of === 'cards');
  const verbs = {e: 'explain', m: 'mark', z: 'zoom'};
  if (e.key === 'Escape') ui.model.send({escape: true});
  else if (e.key === '?') showKeys(ui);
  else if (e.key === 'n' || e.key === 'p') ui.model.send({step: e.key === 'n' ? 1 : -1});
  else if (e.key === 'PageUp' || e.key === 'PageDown') ui.model.send({turn: e.key === 'PageDown' ? 1 : -1});
  else if (e.key === 'Home') results[0]?.focus();
  else if (e.key === 'End') results.at(-1)?.focus();
  else if (!here) return;
  else if (e.key.startsWith('Arrow')) {
    const next = buttons[neighbour(buttons, at, e.key)];
    next?.focus();
    if (e.shiftKey && of === 'cards' && next?.dataset.of === 'cards') {
      if (!ui.model.get('selected').length) ui.anchor = i;
      toggle(ui, of, +next.dataset.i, true);
    }
  }
  else if (e.key === ' ') toggle(ui, of, i, false);
  else if (e.key === 'Enter') send(ui, 'open', of, i);
  else if (verbs[e.key]) send(ui, verbs[e.key], of, i);
  else return;
  e.preventDefault();
}

function onDialogKey(ui, e) {
  const step = {ArrowLeft: -1, ArrowRight: 1}[e.key], o = ui.large;
  if (e.key === 'z' || e.key === '?' || e.key === 'Escape') ui.dialog.close();
  else if (step && o && e.target.tagName !== 'INPUT') send(ui, 'zoom', o.of, o.i + step);
  else return;
  e.preventDefault();
}

// The controls around the grid are buttons and lists, on which JupyterLab takes an x for "cut this cell"
function shield(el, tries = 50) {
  const all = el.closest('.ircnn-browser');
  if (all) all.onkeydown = e => { if (!(e.ctrlKey || e.metaKey || e.altKey)) e.stopPropagation(); };
  else if (tries) setTimeout(() => shield(el, tries - 1), 100); // not in the page yet
}

// ---- drawing ----
function draw(ui) {
  const {model, root} = ui, v = model.get('view'), active = root.contains(document.activeElement) ? document.activeElement : null;
  const of = active?.dataset.of, i = active?.dataset.i, query = (v.query ?? []).map((c, j) => makeCard(ui, 'query', c, j));
  const cards = (v.cards ?? []).map((c, j) => makeCard(ui, 'cards', c, j));
  root.querySelector('.heading').textContent = v.heading ?? '';
  root.querySelector('.query').replaceChildren(...query);
  root.querySelector('.about').replaceChildren(...(v.explanation ? [makeExplanation(ui, v.explanation)] : []), makeFacts(v));
  let at = 0;
  root.querySelector('.cards').replaceChildren(...(v.groups ?? []).flatMap(g => [
    make('div', 'title', make('b', '', g.title), ` · ${g.says}`), ...cards.slice(at, at += g.count)]));
  arrange(ui);
  const all = [...root.querySelectorAll('button.open')], kept = all.find(o => o.dataset.of === of && o.dataset.i === i);
  rove(ui, kept ?? all.find(o => o.dataset.of === 'cards') ?? all[0]);
  if (active && active.className === 'open') (kept ?? all[0])?.focus();
  mark(ui);
  if (ui.heading !== undefined && ui.heading !== v.heading) root.querySelector('.heading').scrollIntoView({block: 'nearest'}); // a new query is looked at
  ui.heading = v.heading;
}

function mark(ui) {
  const now = ui.model.get('selected'), why = ui.model.get('view').explanation;
  ui.root.querySelectorAll('.cards .card').forEach((o, i) => {
    const on = now.includes(i);
    o.classList.toggle('selected', on);
    o.classList.toggle('explained', why?.of === o.dataset.name);
    o.querySelector('input').checked = on;
    o.querySelector('button').setAttribute('aria-pressed', on);
  });
}

// The same image under the other model
function twins(ui, e) {
  const name = e.type === 'mouseout' ? undefined : e.target.closest?.('.cards .card')?.dataset.name;
  const same = [...ui.root.querySelectorAll('.cards .card')].filter(o => o.dataset.name === name);
  ui.root.querySelectorAll('.card.same').forEach(o => o.classList.remove('same'));
  if (same.length > 1) same.forEach(o => o.classList.add('same'));
}

function render({ model, el }) {
  const status = make('div', 'status'), query = make('div', 'query'), cards = make('div', 'cards');
  const left = make('div', 'left', query, make('div', 'about')), dialog = make('dialog', 'ircnn-dialog');
  const help = makeButton('help', '?', 'keys in the grid', () => showKeys(ui));
  const root = make('div', 'ircnn-grid', make('div', 'top', make('div', 'heading'), help), status, make('div', 'body', left, cards), dialog);
  const ui = {model, root, dialog, anchor: 0};
  status.setAttribute('role', 'status');
  for (const [o, says] of [[query, 'query'], [cards, 'results; ? lists the keys']]) {
    o.setAttribute('role', 'group');
    o.setAttribute('aria-label', says);
  }
  el.append(root);
  root.addEventListener('keydown', e => onKey(ui, e));
  root.addEventListener('focusin', e => { if (e.target.className === 'open') { rove(ui, e.target); twins(ui, e); } });
  for (const o of ['mouseover', 'mouseout']) cards.addEventListener(o, e => twins(ui, e));
  dialog.addEventListener('click', e => { if (e.target === dialog) dialog.close(); }); // beside its content
  dialog.addEventListener('close', () => { ui.large = null; });
  const told = () => {
    status.textContent = model.get('message');
    root.classList.toggle('busy', model.get('busy'));
    root.setAttribute('aria-busy', model.get('busy'));
  };
  const listeners = {
    'change:view': () => draw(ui),
    'change:selected': () => mark(ui),
    'change:message': told,
    'change:busy': told,
    'msg:custom': o => { if (o.large && root.isConnected) showLarge(ui, o.large); },
  };
  for (const [event, f] of Object.entries(listeners)) model.on(event, f);
  draw(ui);
  told();
  shield(el);
  const watch = new ResizeObserver(() => arrange(ui));
  watch.observe(cards);
  return () => { watch.disconnect(); for (const [event, f] of Object.entries(listeners)) model.off(event, f); };
}

export default { render };
