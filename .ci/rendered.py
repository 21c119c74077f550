#!/usr/bin/env python3
"""Finish the pages that `quarto render` wrote, and check them against the prepared ones and in a real browser (Chromium without a window).

    rendered.py [_proc] [--screenshots DIR] [--only NAME...]

First the index of the search is written anew: an entry for each heading and symbol, whose first line says what it is. Quarto's own has one for each large
section, in which the lines found are those of tests. And the bar marks the page that is open, where Quarto marks its first link. Then the checks.
The files themselves: as many blocks of code and tables as the prepared notebook, no markup left as text, a text for each picture, links that lead
somewhere, nothing from other hosts, no scripts for widgets where there are none. In the browser, at the width of a desktop and of a phone: no page scrolls sideways,
nothing is asked of other hosts or missing, no script fails, and all text stands out from its ground by 4.5 to 1 in the light and in the dark theme
(WCAG 2.2, 1.4.3; 3 to 1 for large text). Without Chromium or playwright one line says that this half was skipped. Exit status 1 when something is wrong.
    --screenshots DIR   keep a picture of each page there, desktop and phone, light and dark
    --only NAME...      only these pages, such as index.html
"""
import argparse, json, re, sys, threading
from collections import Counter
from functools import partial
from importlib.util import find_spec
from html import escape
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit
import notebooks
from browser import chromium, flags

# ---- the files -----------------------------------------------------------------------------------------------------------
class Page(HTMLParser):
    "What a rendered page holds: counts of elements of its text, ids, links, pictures, and the prose itself"
    empty = {'img', 'br', 'hr', 'meta', 'link', 'input', 'source', 'wbr', 'col', 'area', 'base', 'embed', 'track'}
    def __init__(self, text):
        super().__init__()
        self.count, self.ids, self.links, self.loads, self.pictures, self.prose, self.open = Counter(), set(), [], [], [], [], []
        self.title, self.aside, self.parts = '', False, [['', '', '']] # id, title and words of what stands below each heading
        self.feed(text)
        self.close()
    def handle_starttag(self, tag, attrs):
        o = dict(attrs)
        if 'id' in o: self.ids.add(o['id'])
        if tag == 'a' and o.get('href'): self.links.append(o['href'])
        if tag == 'a': self.aside = o.get('class') == 'source' or o.get('id') == 'quarto-back-to-top'
        if tag in ('script', 'img', 'iframe') and o.get('src'): self.loads.append(o['src'])
        if tag == 'link' and o.get('rel') not in ('canonical', 'next', 'prev'): self.loads.append(o.get('href', ''))
        if 'main' in self.open:
            if tag == 'img': self.pictures.append(o)
            if tag == 'section' and o.get('id'): self.parts.append([o['id'], '', ''])
            self.count[tag] += not (tag == 'pre' and 'mermaid' in o.get('class', ''))
        if tag not in self.empty: self.open.append(tag)
    def handle_endtag(self, tag):
        if tag == 'a': self.aside = False
        if tag in self.open:
            while self.open.pop() != tag: pass
            if tag in ('p', 'td', 'th', 'li', 'div'): self.parts[-1][2] += ' '
    def handle_data(self, data):
        if 'h1' in self.open: self.title += data
        if 'main' not in self.open or {'script', 'style', 'nav'} & set(self.open): return
        heading = any(o in self.open for o in ('h2', 'h3', 'h4'))
        if not self.aside and (heading or not {'h1', 'pre'} & set(self.open)): self.parts[-1][1 if heading else 2] += data
        if not {'pre', 'code', 'script', 'style', 'math', 'svg'} & set(self.open): self.prose.append(data)

fence, row = re.compile(r'^ {0,3}(```+|~~~+)([^\n]*)\n(.*?)^ {0,3}\1`*~*$', re.M|re.S), re.compile(r'^ {0,3}\|? *:?-+:? *(\| *:?-+:? *)*\|? *$')
def held(text):
    "Blocks of code and tables in Markdown"
    blocks = fence.findall(text)
    html = ''.join(body for _, kind, body in blocks if '=html' in kind)
    lines = fence.sub('', text).splitlines()
    tables = sum('|' in o and '|' in above and bool(row.match(o)) for above, o in zip(lines, lines[1:]))
    return Counter(pre=sum('=html' not in kind and 'mermaid' not in kind for _, kind, _ in blocks) + html.count('<pre'), table=tables + html.count('<table'))

def expected(nb):
    "Blocks of code and tables that the page of a prepared notebook must have"
    n = Counter()
    for c in nb['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'markdown': n += held(source)
        if c['cell_type'] == 'code': n['pre'] += bool(source.strip()) and not re.search(r'^#\s*\|\s*echo:\s*false', source, re.M)
        outputs = c.get('outputs', [])
        for before, o in zip([{}, *outputs], outputs):
            if o.get('name') == before.get('name') == 'stdout': continue # what is printed in a row stands in one block
            data = o.get('data', {})
            if 'text/markdown' in data: n += held(''.join(data['text/markdown']))
            elif not any(k.startswith('image/') for k in data): n['pre'] += bool(''.join(o.get('text', data.get('text/plain', ''))).strip())
    return n

literal = {'a heading': r'^\s*#{2,6} \w', 'an attribute': r'\{[#.][\w-]+[^}]*\}', 'emphasis': r'(?<!\w)\*\*|\*\*(?!\w)', 'a link': r'\]\([^)\s]+\)', 'a table': r'\|\s*:?-{3,}',
           'a fence': r'```|^\s*:::', 'a backtick': r'`'}
def file_faults(name, page, pages, root, nb):
    "What is wrong with the file of one page"
    if nb:
        for tag, n in expected(nb).items():
            if page.count[tag] != n: yield f'{n} <{tag}> in the prepared notebook, {page.count[tag]} on the page'
    for what, pattern in literal.items():
        yield from (f'{what} is left as text: {m[0].strip()[:60]!r}' for text in page.prose if (m := re.search(f'.{{0,20}}(?:{pattern}).{{0,20}}', text, re.M)))
    yield from (f'a picture has no text: {str(o.get("src"))[:60]}' for o in page.pictures if not (o.get('alt') or '').strip())
    yield from (f'something comes from another host: {o}' for o in page.loads if urlsplit(o).netloc)
    yield from (f'a script for widgets: {o}' for o in page.loads if re.search(r'require(\.min)?\.js|jupyter-widgets', o))
    for link in page.links:
        target, anchor = urldefrag(link)
        if urlsplit(link).scheme or urlsplit(link).netloc: continue
        path = (root/name).parent/unquote(urlsplit(target).path) if target else root/name
        if path.is_dir(): path /= 'index.html'
        if not path.exists(): yield f'a link leads nowhere: {link}'; continue
        there = pages.get(path.resolve().relative_to(root.resolve()).as_posix())
        if anchor and there and unquote(anchor) not in there.ids: yield f'a link leads to no heading: {link}'

def index(root, pages):
    "Write search.json anew: an entry for each page and each of its headings, with the prose below it and without code"
    file = root/'search.json'
    crumbs = {urldefrag(o['href'])[0]: o.get('crumbs') for o in json.loads(file.read_text(encoding='utf-8'))}
    entries = []
    for name, page in pages.items():
        for id, title, text in page.parts if name in crumbs else ():
            text, title = ' '.join(text.split()), ' '.join(title.split())
            if not (text or title): continue
            href = f'{name}#{id}' if id else name
            entries.append(dict(objectID=href, href=href, title=page.title, section=title, text=escape(text, quote=False)) | (dict(crumbs=crumbs[name]) if crumbs[name] else {}))
    file.write_text(json.dumps(entries, ensure_ascii=False, indent=1), encoding='utf-8')

def mark_current(root, names):
    "In the bar the link to the page itself is the current one; Quarto marks the first link that the sidebar has too, on every page"
    for name in names:
        def link(m):
            here = (root/name).parent.joinpath(urldefrag(m[2])[0]).resolve() == (root/name).resolve()
            return f'<a class="nav-link{" active" if here else ""}" href="{m[2]}"' + ' aria-current="page"'*here
        text = (root/name).read_text(encoding='utf-8')
        new = re.sub(r'<a class="nav-link( active)?" href="([^"]+)"( aria-current="page")?', link, text)
        if new != text: (root/name).write_text(new, encoding='utf-8')

# ---- the browser ---------------------------------------------------------------------------------------------------------
# Text and the colour behind it. A ground with a picture or a gradient is left out, and so is text that is not shown.
contrast = r'''theme => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1
  const pen = canvas.getContext('2d', {willReadFrequently: true})
  const rgba = css => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = css; pen.fillRect(0, 0, 1, 1); const d = pen.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3]/255] }
  const over = (a, b) => [0, 1, 2].map(i => a[i]*a[3] + b[i]*(1 - a[3])).concat(1)
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v/12.92 : ((v + 0.055)/1.055)**2.4); return 0.2126*r + 0.7152*g + 0.0722*b }
  const found = {}, walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim(), e = walk.currentNode.parentElement
    if (!text || !e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || e.closest('script,style,svg,math')) continue
    const style = getComputedStyle(e), grounds = []
    let clear = false
    for (let o = e; o; o = o.parentElement) {
      const s = getComputedStyle(o)
      if (s.backgroundImage != 'none') clear = true
      grounds.push(rgba(s.backgroundColor))
      if (grounds.at(-1)[3] == 1) break
    }
    if (clear) continue
    const ground = grounds.reduceRight((under, o) => over(o, under), [255, 255, 255, 1]), front = over(rgba(style.color), ground)
    const [a, b] = [light(front), light(ground)].sort((x, y) => y - x), ratio = (a + 0.05)/(b + 0.05)
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && +style.fontWeight >= 700
    if (ratio < (large ? 3 : 4.5) - 0.005) {
      const place = (e.closest('[class]')?.className.toString().split(' ')[0] || '') + ' ' + e.tagName.toLowerCase()
      found[place] ??= `${ratio.toFixed(2)} to 1 in the ${theme} theme: ${place.trim()}, ${JSON.stringify(text.slice(0, 30))}`
    }
  }
  return Object.values(found)
}'''
wide = '''() => { const w = document.documentElement.clientWidth, found = []
  if (document.documentElement.scrollWidth <= w) return found
  for (const e of document.querySelectorAll('main *, header *, footer *')) {
    if (e.getBoundingClientRect().right <= w + 1) continue
    let o = e.parentElement, kept = false
    for (; o && o != document.body; o = o.parentElement) if (getComputedStyle(o).overflowX != 'visible') { kept = true; break }
    if (!kept) found.push(`${e.tagName.toLowerCase()} ${e.className} ${e.textContent.trim().slice(0, 40)}`)
  }
  return [`scrolls sideways, ${document.documentElement.scrollWidth} px in ${w}: ${found.at(-1) || '?'}`] }'''

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

def browser_faults(root, names, screenshots=None):
    "(page, what is wrong) in Chromium: sideways scrolling, contrast, requests to other hosts, missing files, scripts that fail"
    from playwright.sync_api import sync_playwright
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f'http://127.0.0.1:{server.server_port}/'
    try:
        with sync_playwright() as p:
            browser = p.chromium.launch(executable_path=chromium, args=flags)
            for theme in ('light', 'dark'):
                context = browser.new_context(reduced_motion='reduce')
                if theme == 'dark': context.add_init_script("localStorage.setItem('quarto-color-scheme', 'alternate')")
                tab, seen = context.new_page(), []
                def only_here(route): # everything else is refused and noted
                    if route.request.url.startswith(home): return route.continue_()
                    seen.append(f'asks another host: {route.request.url[:80]}')
                    route.abort()
                tab.route(lambda url: url.startswith(('http', 'ws')), only_here)
                tab.on('response', lambda o: o.status >= 400 and not o.url.endswith('favicon.ico') and seen.append(f'status {o.status}: {o.url.removeprefix(home)}'))
                tab.on('pageerror', lambda o: seen.append(f'a script fails: {str(o)[:80]}'))
                for name in names:
                    seen.clear()
                    for kind, (width, height) in dict(desktop=(1440, 900), phone=(390, 844)).items():
                        tab.set_viewport_size(dict(width=width, height=height))
                        if kind == 'desktop': tab.goto(home + name, wait_until='load')
                        yield from ((name, o) for o in [*(f'{kind}: {o}' for o in tab.evaluate(wide)), *tab.evaluate(contrast, theme)])
                        if screenshots: tab.screenshot(path=screenshots/f"{name.replace('/', '-').removesuffix('.html')}-{kind}-{theme}.png")
                    yield from ((name, o) for o in seen)
                context.close()
            browser.close()
    finally: server.shutdown()

def main(argv=None):
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument('proc', nargs='?', type=Path, default=notebooks.repo/'_proc')
    parse.add_argument('--screenshots', type=Path)
    parse.add_argument('--only', nargs='+')
    o = parse.parse_args(argv)
    root = o.proc/'_docs'
    pages = {p.relative_to(root).as_posix(): Page(p.read_text(encoding='utf-8')) for p in sorted(root.rglob('*.html')) if 'site_libs' not in p.parts}
    nbs = {notebooks.page_of(notebooks.repo/'nbs'/p.relative_to(o.proc)): json.loads(p.read_text(encoding='utf-8'))
           for p in o.proc.rglob('*.ipynb') if root not in p.parents}
    index(root, pages)
    mark_current(root, pages)
    faults = [(name, 'is not on the site') for name in nbs if name not in pages]
    names = [n for n in pages if not o.only or n in o.only]
    faults += [(n, f) for n in names for f in file_faults(n, pages[n], pages, root, nbs.get(n))]
    if chromium is None or find_spec('playwright') is None: print('skipped: no Chromium or no playwright, so nothing was looked at in a browser')
    else:
        if o.screenshots: o.screenshots.mkdir(parents=True, exist_ok=True)
        faults += browser_faults(root, names, o.screenshots)
    for name, text in dict.fromkeys(faults): print(f'{name}: {text}')
    print(f'{len(names)} pages, {len(dict.fromkeys(faults))} faults')
    return bool(faults)

if __name__ == '__main__': sys.exit(main())
