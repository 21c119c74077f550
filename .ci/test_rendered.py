#!/usr/bin/env python3
"""Does rendered.py find what it should? A tiny site without faults, and then with one fault after the other. Needs no Quarto; half of it Chromium."""
import contextlib, io, json, tempfile
from importlib.util import find_spec
from pathlib import Path
import rendered

def lines(text): return text.splitlines(keepends=True)
printed, value = dict(output_type='stream', name='stdout', text=['a\n']), dict(output_type='execute_result', data={'text/plain': ['1']})
frame = dict(output_type='execute_result', data={'text/markdown': lines('````{=html}\n<table><tr><td>1</td></tr></table>\n````\n')})
prepared = dict(cells=[dict(cell_type='markdown', source=lines('# One\n\n> First\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nls\n```')),
                       dict(cell_type='code', source=['print()'], outputs=[printed, printed, value, frame]),
                       dict(cell_type='code', source=lines('#| echo: false\nshow()'), outputs=[])])
page = '''<html><head><style>body {{ background: #fff; color: #222 }} a {{ color: inherit }} .dark {{ background: #222; color: #eee }}</style></head><body>
<script>document.body.className = localStorage.getItem('quarto-color-scheme') == 'alternate' ? 'dark' : ''</script><a class="nav-link active" href="./two.html" aria-current="page">2</a><a class="nav-link" href="./one.html">1</a><main><h1>One</h1>
<table><tr><td>1</td></tr></table><pre>ls</pre><pre>print()</pre><pre>a</pre><pre>1</pre><table><tr><td>1</td></tr></table>
<section id="two"><h2>Two</h2><p><a href="#two" class="source">source</a>2**53 and <code>**kw</code> are numbers, <a href="#two">here</a>, <a href="one.html">home</a>.</p><img src="a.png" alt="A cat">{}</section>
</main></body></html>'''
expected = { # part of the message -> what is added to the page
    '4 <pre> in the prepared notebook, 5 on the page': '<pre>more</pre>', '2 <table> in the prepared notebook, 3 on the page': '<table></table>'} | {
    'a heading is left as text': '<p>### Heading</p>', 'an attribute is left as text': '<p>Name {#rows.name}</p>', 'emphasis is left as text': '<p>a **b</p>',
    'a link is left as text': '<p>see](one.html)</p>', 'a table is left as text': '<p>|---|---|</p>', 'a fence is left as text': '<p>::: {.x}</p>',
    'a picture has no text': '<img src="a.png" alt="">', 'something comes from another host': '<script src="https://cdn.example/a.js"></script>',
    'a script for widgets': '<script src="site_libs/require.min.js"></script>', 'a link leads nowhere': '<a href="gone.html">x</a>',
    'a link leads to no heading': '<a href="#gone">x</a>'}
looked_at = {
    'desktop: scrolls sideways': '<p style="width:2000px">wide</p>', 'phone: scrolls sideways': '<code style="white-space:pre">' + 'x'*80 + '</code>',
    'to 1 in the light theme': '<p style="color:#999">faint</p>', 'to 1 in the dark theme': '<p style="color:#222">dark</p>',
    'asks another host': '<script>fetch("https://cdn.example/a")</script>', 'status 404: b.png': '<img src="b.png" alt="none">',
    'a script fails': '<script>throw Error("no")</script>'}

def faults(added, browser=False):
    "What rendered.py says about the site with something added to its page"
    with tempfile.TemporaryDirectory() as folder:
        proc = Path(folder)
        (root := proc/'_docs').mkdir()
        (proc/'one.ipynb').write_text(json.dumps(prepared))
        (root/'one.html').write_text(page.format(added))
        (root/'two.html').write_text('<main></main>')
        (root/'a.png').write_bytes(b'')
        (root/'search.json').write_text(json.dumps([dict(href='one.html#two', crumbs=['Start'], text='tests')]))
        found, kept = io.StringIO(), rendered.chromium
        if not browser: rendered.chromium = None
        try:
            with contextlib.redirect_stdout(found): status = rendered.main([str(proc)])
        finally: rendered.chromium = kept
        bar = (root/'one.html').read_text()
        assert '<a class="nav-link" href="./two.html">' in bar and '<a class="nav-link active" href="./one.html" aria-current="page">' in bar, bar
        index = {o['href']: o['text'] for o in json.loads((root/'search.json').read_text())}
        assert index['one.html#two'].startswith('2**53 and **kw are numbers') and set(index) == {'one.html', 'one.html#two'}, index
        found = [o for o in found.getvalue().splitlines()[:-1] if not o.startswith('skipped')]
        assert status == bool(found)
        return found

def check(message, found):
    "One of the faults found is the expected one"
    assert any(message in o for o in found), f'expected {message!r}, found {found}'

if __name__ == '__main__':
    with_browser = rendered.chromium is not None and find_spec('playwright') is not None
    assert (found := faults('', with_browser)) == [], f'faults where there are none: {found}'
    for message, added in expected.items(): check(message, faults(added))
    for message, added in looked_at.items() if with_browser else (): check(message, faults(added, True))
    print(f"rendered.py finds {len(expected) + len(looked_at)*with_browser} kinds of faults{'' if with_browser else '; skipped: those that a browser shows'}")
