#!/usr/bin/env python3
"""Prepare the pages of the site in _proc, where `quarto render` takes them, and check them. Needs the dev extra, not Quarto.

nbdev prepares the pages; here its descriptions of symbols get tables of parameters and methods, constants are described as well, and links between
pages stay within the site. Exit status 1 when something is missing or a link leads nowhere.
"""
import ast, importlib, inspect, json, os, re, sys, textwrap
from pathlib import Path
import notebooks
from notebooks import repo, library, code_cells

missing = inspect.Parameter.empty


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


def signature(name, symbol, width=96):
    "How a symbol is called, without annotations"
    plain = [o.replace(annotation=missing, default=missing if o.default is missing else Shown(o.default)) for o in parameters(symbol)]
    return textwrap.fill(f'{name}{inspect.Signature(plain)}', width, subsequent_indent=' '*4, break_long_words=False, break_on_hyphens=False)


def cell(text):
    "A text as a cell of a Markdown table: pipes in code stay as they are"
    return re.sub(r'(`[^`]*`)|\|', lambda m: m[1] or r'\|', ' '.join(str(text or '').split()))


def table(head, rows):
    "A Markdown table without its empty columns"
    keep = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in keep], ['---']*len(keep)] + [[cell(row[i]) for i in keep] for row in rows]
    return '\n'.join('| ' + ' | '.join(o) + ' |' for o in lines) if rows else ''


def parameter_table(symbol):
    "The parameters of a symbol, with their docments"
    from fastcore.docments import docments
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
        o, call = (o.fget, '') if isinstance(o, property) else (getattr(o, '__func__', o), None)
        if name.startswith('_') or not inspect.isfunction(o) or f'{cls.__name__}.{name}' in elsewhere: continue
        text = name if call == '' else ' '.join(signature(name, o, 10**6).split())
        rows.append((f'[`{text}`]{{#{cls.__name__.lower()}.{name.lower()}}}', (inspect.getdoc(o) or '').split('\n\n')[0]))
    return table(['method', 'what it does'], rows)


def head(name, source):
    "The beginning of a description"
    link = f'[source]({source}){{.source target="_blank"}}\n\n' if source else ''
    title = name.replace('_', r'\_') # two underscores would begin a strong text
    return f'---\n\n{link}### {title} {{#{name.lower()}}}'


def framed(name, source, parts):
    "A description: the heading stays outside the frame, where the table of contents finds it"
    return '\n\n'.join([head(name, source), '::: {.symbol}', *[o for o in parts if o], ':::'])


def describe(name, symbol, source, elsewhere):
    "What the site says about a function, a class or a property"
    is_class, is_property = inspect.isclass(symbol), isinstance(symbol, property)
    shown = symbol if is_class else symbol.fget if is_property else inspect.unwrap(symbol)
    call = name if is_property else signature('class '*is_class + name, shown)
    return framed(name, source, [f'```python\n{call}\n```', inspect.cleandoc(shown.__doc__ or ''), parameter_table(shown),
                                 method_table(symbol, elsewhere) if is_class else ''])


def describe_value(name, code, source):
    "What the site says about a registry or another value: how it is written"
    lines = code.splitlines()
    return framed(name, source, ['```python\n' + '\n'.join(lines[:30] + ['…']*(len(lines) > 30)) + '\n```'])


def values(source, names):
    "(name, code) of what an exported cell assigns and `names` has"
    for o in ast.parse(source).body:
        for name in [n.id for t in getattr(o, 'targets', []) for n in ast.walk(t) if isinstance(n, ast.Name) and n.id in names]:
            yield name, '\n'.join(source.splitlines()[o.lineno-1:o.end_lineno])


def source_links(module):
    "Name -> address of its line in the repository"
    from nbdev.config import get_config
    cfg, path, lines = get_config(), f"{library}/{module.replace('.', '/')}.py", {}
    base, text = f'{cfg.git_url}/blob/{cfg.branch}/{path}', (repo/path).read_text(encoding='utf-8')
    for o in ast.parse(text).body:
        for name in notebooks.symbols(ast.unparse(o)): lines.setdefault(name, f'{base}#L{o.lineno}')
    return lines


def found_in(module, name):
    "The object that `f`, `Class` or `Class.method` names"
    first, *rest = name.split('.')
    o = getattr(module, first)
    for part in rest: o = inspect.getattr_static(o, part)
    return getattr(o, '__func__', o)


def describe_symbols(nb, page):
    "Put a description in the place of each `show_doc`, and one of each public value behind the cell that defines it; name -> description"
    if not notebooks.module_of(nb): return {}
    name = notebooks.module_of(nb)[0]
    module, links, texts = importlib.import_module(f'{library}.{name}'), source_links(name), {}
    calls = [(c, m[1]) for c in page['cells'] if c['cell_type'] == 'code' and (m := re.search(r'^show_doc\(([\w.]+)', ''.join(c['source']), re.M))]
    for c, symbol in calls:
        texts[symbol] = linked(describe(symbol, found_in(module, symbol), links.get(symbol), [o for _, o in calls]))
        c['outputs'] = [dict(output_type='display_data', metadata={}, data={'text/markdown': texts[symbol]})]
    ids, wanted = [c['id'] for c in nb['cells']], set(module.__all__) - set(texts)
    for i, c in enumerate(nb['cells']):
        if not notebooks.exported.match(''.join(c['source'])): continue
        for symbol, code in values(''.join(c['source']), wanted):
            texts[symbol] = describe_value(symbol, code, links.get(symbol))
            at = next((k for k, o in enumerate(page['cells']) if o.get('id') in ids[i+1:]), len(page['cells']))
            page['cells'].insert(at, dict(cell_type='markdown', id=f'value-{symbol}'[:64], metadata={}, source=texts[symbol]))
    return texts


def clear_ids(page, symbols):
    "Give headings an id of their own where theirs would be that of a symbol on the same page"
    taken = {o.lower() for o in symbols}
    for c in page['cells']:
        if c['cell_type'] != 'markdown': continue
        headings = [o for o in re.findall(r'^#+ +.+$', notebooks.unfenced(''.join(c['source'])), re.M) if '{#' not in o]
        for o in headings:
            id = notebooks.identifier(o.lstrip('# '))
            if id in taken: c['source'] = re.sub(rf'^{re.escape(o)}$', lambda _: f'{o} {{#about-{id}}}', ''.join(c['source']), flags=re.M)


def linked(text):
    "Markdown whose names in backticks are links, outside of code"
    from nbdev.doclinks import NbdevLookup
    return NbdevLookup().linkify(text)


def stay_local(path, page):
    """Make links to the site's own address relative, so that a preview or a fork leads to its own pages.

    nbdev makes a link of each name in backticks. A plain word may mean another thing (the folder `train`): only with parentheses is it surely the function."""
    from nbdev.config import get_config
    cfg, up = get_config(), '../'*(len(path.relative_to(repo/'nbs').parts)-1)
    base = f'{cfg.doc_host}{cfg.doc_baseurl}/'
    def local(text):
        text = re.sub(rf'\[(`([a-z]+)`)\]\({re.escape(base)}[^)\s]*\)', lambda m: m[0] if m[2] in clear_words() else m[1], ''.join(text))
        return text.replace(f']({base}', f']({up}').replace('```mermaid\n', '```{mermaid}\n') # Jupyter and GitHub write it without braces
    for c in page['cells']:
        if c['cell_type'] == 'markdown': c['source'] = local(c['source'])
        for o in c.get('outputs', []):
            if 'text/markdown' in o.get('data', {}): o['data']['text/markdown'] = local(o['data']['text/markdown'])


def clear_words():
    "The plain words that mean a function wherever they stand in backticks: those of the public face, but for everyday ones"
    return set(vars(importlib.import_module(f'{library}.all'))) - {'run', 'train', 'variant'}


def finish(page):
    "Write a page as Quarto reads it: every source is a list of lines, and tables in HTML are no reason to load scripts for widgets"
    for c in page['cells']:
        c['source'] = ''.join(c['source']).splitlines(keepends=True)
        for data in [o['data'] for o in c.get('outputs', []) if 'data' in o]:
            html = ''.join(data.get('text/html', ''))
            if html and '<script' not in html:
                del data['text/html']
                data['text/markdown'] = f'````{{=html}}\n{html.strip()}\n````\n'
            if 'text/markdown' in data: data['text/markdown'] = ''.join(data['text/markdown']).splitlines(keepends=True)
    return page


def page_faults(path, nb, page, described):
    "What is wrong with one prepared page"
    kept = {c.get('id') for c in page['cells']}
    front = ''.join(page['cells'][0]['source'])
    for word in ('title:', 'description:'):
        if word not in front: yield f'the page has no {word[:-1]}'
    for c in nb['cells'][1:]:
        if c['cell_type'] == 'markdown' and c.get('id') not in kept: yield f"a text is not on the page: {''.join(c['source'])[:60]!r}"
    if not all(isinstance(c['source'], list) for c in page['cells']): yield 'a source is one string, of which Quarto drops the line breaks'
    hidden = re.compile(r'\s*#\s*\|\s*(hide|export|include: false)')
    alts = [sum('fig-alt:' in s for c, s in code_cells(o) if not hidden.match(s)) for o in (nb, page)]
    if alts[0] != alts[1]: yield f'{alts[0]} alternative texts became {alts[1]}'
    for name, text in described.items():
        if '{.source' not in text: yield f'{name} has no link to its source'


def anchors_of(page):
    "The ids on a prepared page"
    text = '\n'.join(notebooks.texts(page))
    given = set(re.findall(r'\{#([^}\s]+)', text))
    return given | {notebooks.identifier(re.sub(r'\{.*\}', '', o)) for o in re.findall(r'^#{1,6} +(.+)', text, re.M)}


def site():
    "Prepare all pages; (faults, summary)"
    from nbdev.serve import proc_nbs
    os.chdir(repo)
    nbs, proc = notebooks.notebooks(), proc_nbs(force=True)
    pages = {p: json.loads((proc/p.relative_to(repo/'nbs')).read_text(encoding='utf-8')) for p in nbs}
    described = {p: describe_symbols(nb, pages[p]) for p, nb in nbs.items()}
    for p, page in pages.items():
        clear_ids(page, described[p])
        stay_local(p, page)
        (proc/p.relative_to(repo/'nbs')).write_text(json.dumps(finish(page), indent=1, ensure_ascii=False), encoding='utf-8')
    pages = {p: json.loads((proc/p.relative_to(repo/'nbs')).read_text(encoding='utf-8')) for p in nbs} # as they were written
    faults = [f'{notebooks.name_of(p)}: {o}' for p, nb in nbs.items() for o in page_faults(p, nb, pages[p], described[p])]
    ids, found = {notebooks.page_of(p): anchors_of(page) for p, page in pages.items()}, [o for by in described.values() for o in by]
    public = [o for m in notebooks.modules(nbs) for o in importlib.import_module(f'{library}.{m}').__all__]
    faults += [f'{o} is public and on no page' for o in public if o not in found]
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
