// The page's side of `CardGrid`, see nbs/96_explore.widget.ipynb: cards that can be clicked, and walked through with the arrow keys

function make(tag, cls, text) {
  const o = document.createElement(tag);
  o.className = cls;
  if (text !== undefined) o.textContent = text;
  return o;
}

function makeCard(model, of, c, i) {
  const card = make('div', `card ${c.state}`), button = make('button', 'open'), img = make('img', ''), text = make('span', 'text');
  button.type = 'button';
  button.title = c.name;
  button.setAttribute('aria-label', c.says);
  button.dataset.of = of;
  button.dataset.i = i;
  img.src = c.src;
  img.alt = '';
  for (const line of c.lines) text.append(make('span', 'line', line));
  button.append(img, text);
  card.append(button);
  button.onclick = e => e.ctrlKey || e.metaKey ? toggle(model, of, i) : model.send({open: i, of, name: c.name});
  button.onkeyup = e => { if (e.key === ' ') e.preventDefault(); }; // Firefox takes it for a click
  if (of === 'cards') {
    const box = make('input', 'select');
    box.type = 'checkbox';
    box.tabIndex = -1;
    box.setAttribute('aria-label', `select: ${c.says}`);
    box.onchange = () => { toggle(model, of, i); button.focus(); };
    card.append(box);
  }
  return card;
}

function toggle(model, of, i) {
  if (of !== 'cards') return;
  const now = model.get('selected');
  model.set('selected', now.includes(i) ? now.filter(o => o !== i) : [...now, i].sort((a, b) => a - b));
  model.save_changes();
}

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

function onKey(model, root, e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  e.stopPropagation();
  const buttons = [...root.querySelectorAll('button.open')], at = buttons.indexOf(document.activeElement);
  if (e.key === 'Escape') model.send({escape: true});
  else if (at < 0) return;
  else if (e.key.startsWith('Arrow')) buttons[neighbour(buttons, at, e.key)]?.focus();
  else if (e.key === ' ') toggle(model, buttons[at].dataset.of, +buttons[at].dataset.i);
  else if (e.key === 'Enter') buttons[at].click();
  else return;
  e.preventDefault();
}

// The controls around the grid are buttons and lists, on which JupyterLab takes an x for "cut this cell"
function shield(el, tries = 50) {
  const all = el.closest('.ircnn-browser');
  if (all) all.onkeydown = e => { if (!(e.ctrlKey || e.metaKey || e.altKey)) e.stopPropagation(); };
  else if (tries) setTimeout(() => shield(el, tries - 1), 100); // not in the page yet
}

function draw(model, root) {
  const v = model.get('view'), active = root.contains(document.activeElement) ? document.activeElement : null;
  const of = active?.dataset.of, i = active?.dataset.i;
  root.querySelector('.heading').textContent = v.heading ?? '';
  for (const o of ['query', 'cards']) {
    root.querySelector('.' + o).replaceChildren(...(v[o] ?? []).map((c, j) => makeCard(model, o, c, j)));
  }
  if (active) (root.querySelector(`button[data-of="${of}"][data-i="${i}"]`) ?? root.querySelector('button.open'))?.focus();
  mark(model, root);
}

function mark(model, root) {
  const now = model.get('selected');
  root.querySelectorAll('.cards .card').forEach((o, i) => {
    const on = now.includes(i);
    o.classList.toggle('selected', on);
    o.querySelector('input').checked = on;
    o.querySelector('button').setAttribute('aria-pressed', on);
  });
}

function render({ model, el }) {
  const root = make('div', 'ircnn-grid'), body = make('div', 'body'), status = make('div', 'status');
  status.setAttribute('role', 'status');
  for (const [name, says] of [['query', 'query'], ['cards', 'results']]) {
    const o = make('div', name);
    o.setAttribute('role', 'group');
    o.setAttribute('aria-label', says);
    body.append(o);
  }
  root.append(make('div', 'heading'), body, status);
  el.append(root);
  root.addEventListener('keydown', e => onKey(model, root, e));
  const listeners = {
    'change:view': () => draw(model, root),
    'change:selected': () => mark(model, root),
    'change:message': () => { status.textContent = model.get('message'); },
  };
  for (const [event, f] of Object.entries(listeners)) model.on(event, f);
  listeners['change:view']();
  listeners['change:message']();
  shield(el);
  return () => { for (const [event, f] of Object.entries(listeners)) model.off(event, f); };
}

export default { render };
