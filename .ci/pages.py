#!/usr/bin/env python3
"""Prepare the pages of the site in _proc, where `quarto render` takes them, and check them. Needs the dev extra, not Quarto.

nbdev prepares the pages; here its descriptions of symbols get tables of parameters and methods, constants are described as well, and links between
pages stay within the site. Exit status 1 when something is missing or a link leads nowhere.
"""
import ast, importlib, inspect, json, os, re, sys, textwrap
from operator import attrgetter
from pathlib import Path
from execnb.nbio import read_nb, write_nb
from fastcore.docments import docments
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.serve import proc_nbs
import notebooks
from notebooks import repo, library, code_cells

missing = inspect.Parameter.empty
everyday = {'run', 'train', 'variant'} # names of the public face that are plain words too

class Shown:
    "A default as the signature shows it"
    def __init__(self, value):
        text = value.__name__ if callable(value) and hasattr(value, '__name__') else re.sub(r' at 0x\w+', '', repr(value))
        self.text = text if len(text) <= 40 else text[:39] + '…'
    def __repr__(self): return self.text

def parameters(symbol):
    "The parameters of a function or class that a caller gives"
    try: found = list(inspect.signature(symbol).parameters.values())
    except (ValueError, TypeError): return []
    return found[1:] if found and found[0].name in ('self', 'cls') else found

def signature(name, symbol):
    "How a symbol is called, without annotations"
    plain = [o.replace(annotation=missing, default=missing if o.default is missing else Shown(o.default)) for o in parameters(symbol)]
    return f'{name}{inspect.Signature(plain)}'

def table(head, rows):
    "A Markdown table without its empty columns; pipes in code stay as they are"
    keep = [i for i in range(len(head)) if any(row[i] for row in rows)]
    cell = lambda text: re.sub(r'(`[^`]*`)|\|', lambda m: m[1] or r'\|', ' '.join(str(text or '').split()))
    lines = [[head[i] for i in keep], ['---']*len(keep)] + [[cell(row[i]) for i in keep] for row in rows]
    return '\n'.join('| ' + ' | '.join(o) + ' |' for o in lines) if rows else ''

def parameter_table(symbol):
    "The parameters of a symbol, with their docments"
    try: docs = docments(symbol, full=True)
    except Exception: docs = {}
    rows = [(f'`{o.name}`', '' if o.annotation is missing else f'`{inspect.formatannotation(o.annotation)}`',
             '' if o.default is missing else f'`{Shown(o.default)}`', docs.get(o.name, {}).get('docment')) for o in parameters(symbol)]
    back = {} if inspect.isclass(symbol) else docs.get('return', {})
    if back.get('docment'): rows.append(('**returns**', '', '', back['docment']))
    return table(['parameter', 'type', 'default', 'what it is'], rows) if any(row[3] for row in rows) else ''

def method_table(cls, elsewhere):
    "The public methods and properties that a class defines itself and that have no description of their own"
    rows = []
    for name, o in vars(cls).items():
        function = o.fget if isinstance(o, property) else getattr(o, '__func__', o)
        if name.startswith('_') or not inspect.isfunction(function) or f'{cls.__name__}.{name}' in elsewhere: continue
        text = name if isinstance(o, property) else ' '.join(signature(name, function).split())
        rows.append((f'[`{text}`]{{#{cls.__name__.lower()}.{name.lower()}}}', (inspect.getdoc(function) or '').split('\n\n')[0]))
    return table(['method', 'what it does'], rows)

def framed(name, source, parts):
    "A description: the heading stays outside the frame, where the table of contents finds it"
    link = f'[source]({source}){{.source target="_blank"}}\n\n' if source else ''
    title = name.replace('_', r'\_') # two underscores would begin a strong text
    return '\n\n'.join([f'---\n\n{link}### {title} {{#{name.lower()}}}', '::: {.symbol}', *filter(None, parts), ':::'])

def describe(name, symbol, source, elsewhere):
    "What the site says about a function, a class or a property"
    is_class, is_property = inspect.isclass(symbol), isinstance(symbol, property)
    shown = symbol if is_class else symbol.fget if is_property else inspect.unwrap(symbol)
    call = name if is_property else textwrap.fill(signature('class '*is_class + name, shown), 96, subsequent_indent=' '*4,
                                                  break_long_words=False, break_on_hyphens=False)
    return framed(name, source, [f'```python\n{call}\n```', inspect.cleandoc(shown.__doc__ or ''), parameter_table(shown),
                                 method_table(symbol, elsewhere) if is_class else ''])

def describe_symbols(nb, page):
    "Put a description in the place of each `show_doc`, and one of each public value behind the cell that defines it; name -> description"
    if not notebooks.module_of(nb): return {}
    name, cfg, sources, texts = notebooks.module_of(nb)[0], get_config(), {}, {}
    module, path = importlib.import_module(f'{library}.{name}'), f"{library}/{name.replace('.', '/')}.py"
    for symbol, o in notebooks.symbols((repo/path).read_text(encoding='utf-8')):
        sources.setdefault(symbol, f'{cfg.git_url}/blob/{cfg.branch}/{path}#L{o.lineno}')
    calls = [(c, m[1]) for c, source in code_cells(page) if (m := re.search(r'^show_doc\(([\w.]+)', source, re.M))]
    for c, symbol in calls:
        o = attrgetter(symbol)(module)
        texts[symbol] = NbdevLookup().linkify(describe(symbol, getattr(o, '__func__', o), sources.get(symbol), [o for _, o in calls]))
        c['outputs'] = [dict(output_type='display_data', metadata={}, data={'text/markdown': texts[symbol]})]
    ids, wanted = [c['id'] for c in nb['cells']], set(module.__all__) - set(texts)
    for i, source in enumerate(''.join(c['source']) for c in nb['cells']):
        for symbol, o in notebooks.symbols(source) if notebooks.exported.match(source) else ():
            if symbol not in wanted or not isinstance(o, ast.Assign): continue
            lines = source.splitlines()[o.lineno-1:o.end_lineno]
            texts[symbol] = framed(symbol, sources.get(symbol), ['```python\n' + '\n'.join(lines[:30] + ['…']*(len(lines) > 30)) + '\n```'])
            at = next((k for k, o in enumerate(page['cells']) if o.get('id') in ids[i+1:]), len(page['cells']))
            page['cells'].insert(at, dict(cell_type='markdown', id=f'value-{symbol}'[:64], metadata={}, source=texts[symbol]))
    return texts

def finish(path, page, described):
    """Headings get an id of their own where theirs would be that of a symbol on the page, links to the site's own address become relative, so that a preview
    or a fork leads to its own pages, and tables in HTML become Markdown, since Quarto would load scripts for widgets.

    nbdev makes a link of each name in backticks. A plain word may mean another thing (the folder `train`): only with parentheses is it surely the function."""
    cfg, up, taken = get_config(), '../'*(len(path.relative_to(repo/'nbs').parts)-1), {o.lower() for o in described}
    base, clear = f'{cfg.doc_host}{cfg.doc_baseurl}/', set(vars(importlib.import_module(f'{library}.all'))) - everyday
    def local(text):
        text = re.sub(rf'\[(`([a-z]+)`)\]\({re.escape(base)}[^)\s]*\)', lambda m: m[0] if m[2] in clear else m[1], text)
        return text.replace(f']({base}', f']({up}').replace('```mermaid\n', '```{mermaid}\n') # Jupyter and GitHub write it without braces
    for c in page['cells']:
        if c['cell_type'] == 'markdown':
            for o in re.findall(r'^#+ +.+$', notebooks.unfenced(c['source']), re.M):
                id = notebooks.identifier(o.lstrip('# '))
                if '{#' not in o and id in taken: c['source'] = re.sub(rf'^{re.escape(o)}$', lambda _: f'{o} {{#about-{id}}}', c['source'], flags=re.M)
            c['source'] = local(c['source'])
        for data in [o['data'] for o in c.get('outputs', []) if 'data' in o]:
            html = ''.join(data.get('text/html', ''))
            if html and '<script' not in html:
                del data['text/html']
                data['text/markdown'] = f'````{{=html}}\n{html.strip()}\n````\n'
            if 'text/markdown' in data: data['text/markdown'] = local(''.join(data['text/markdown'])).splitlines(keepends=True)

def page_faults(nb, page, described):
    "What is wrong with one prepared page"
    yield from (o for text in described.values() for o in notebooks.markup_faults(text))
    kept, hidden = {c.get('id') for c in page['cells']}, re.compile(r'\s*#\s*\|\s*(hide|export|include: false)')
    for c in nb['cells'][1:]:
        if c['cell_type'] == 'markdown' and c.get('id') not in kept: yield f"a text is not on the page: {''.join(c['source'])[:60]!r}"
    alts = [sum('fig-alt:' in s for _, s in code_cells(o) if not hidden.match(s)) for o in (nb, page)]
    if alts[0] != alts[1]: yield f'{alts[0]} alternative texts became {alts[1]}'
    yield from (f'{name} has no link to its source' for name, text in described.items() if '{.source' not in text)

def site():
    "Prepare all pages; (faults, summary)"
    os.chdir(repo)
    nbs, proc, faults = notebooks.notebooks(), proc_nbs(force=True), []
    files = {p: proc/p.relative_to(repo/'nbs') for p in nbs}
    pages = {p: read_nb(file) for p, file in files.items()}
    described = {p: describe_symbols(nb, pages[p]) for p, nb in nbs.items()} # before `all` is imported: a class shows what its own module gives it
    for p, page in pages.items():
        finish(p, page, described[p])
        write_nb(page, files[p])
        faults += [f'{notebooks.name_of(p)}: {o}' for o in page_faults(nbs[p], page, described[p])]
        written = json.loads(files[p].read_text(encoding='utf-8'))['cells'] # Quarto drops the line breaks of a source that is one string
        if not all(isinstance(c['source'], list) for c in written): faults.append(f'{notebooks.name_of(p)}: the page holds a source that is not a list of lines')
    found = [o for by in described.values() for o in by]
    public = [o for m in notebooks.modules(nbs) for o in importlib.import_module(f'{library}.{m}').__all__]
    faults += [f'{o} is public and on no page' for o in public if o not in found]
    ids = {notebooks.page_of(p): notebooks.anchors(page) for p, page in pages.items()}
    links = [(p, *o) for p, page in pages.items() for o in re.findall(r'\]\((?!\w+:)([^)\s]+\.html)#([^)\s]+)\)', '\n'.join(notebooks.texts(page)))]
    for p, target, anchor in links:
        there = os.path.normpath(Path(notebooks.page_of(p)).parent/target).replace(os.sep, '/')
        if anchor not in ids.get(there, ()): faults.append(f'{notebooks.name_of(p)}: a link leads nowhere: {target}#{anchor}')
    if not links: faults.append('no name in backticks became a link: setup.py must name the entry point nbdev, and the package be installed again')
    return list(dict.fromkeys(faults)), f'{len(pages)} pages, {len(found)} symbols, {len(links)} links between them'

if __name__ == '__main__':
    sys.path.insert(0, str(repo))
    faults, summary = site()
    print(*faults, summary, sep='\n')
    sys.exit(bool(faults))
