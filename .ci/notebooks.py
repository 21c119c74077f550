#!/usr/bin/env python3
"""Keep the notebooks in order.

    notebooks.py check          layers, hygiene, sidebar, links, alt texts, README in step with index.ipynb; exit status 1 when a rule is broken
    notebooks.py readme         write README.md from nbs/index.ipynb
    notebooks.py split NB...    give what stands below title and summary a cell of its own (default: all)
    notebooks.py execute NB...  run notebooks in fresh kernels and store their outputs, without progress bars and widgets (default: all)
"""
import ast, hashlib, json, os, re, sys
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import unquote

repo = Path(__file__).resolve().parent.parent
library = 'ir_cnn'


def notebooks():
    "Path -> notebook, for all notebooks of the project"
    paths = sorted(p for p in (repo/'nbs').rglob('*.ipynb') if not any(o.startswith(('.', '_')) for o in p.relative_to(repo).parts))
    return {p: json.loads(p.read_text(encoding='utf-8')) for p in paths}


def name_of(path):
    "How a notebook is called in messages and in the sidebar"
    return path.relative_to(repo/'nbs').as_posix()


def code_cells(nb):
    "(cell, source) of the code cells"
    return [(c, ''.join(c['source'])) for c in nb['cells'] if c['cell_type'] == 'code']


def modules(nbs):
    "Module -> notebook name, and what is wrong with that"
    names, wrong = {}, []
    for path, nb in nbs.items():
        found = [m[1] for _, s in code_cells(nb) if (m := re.search(r'^#\s*\|\s*default_exp\s+(\S+)', s, re.M))]
        if found and not (path.parent == repo/'nbs' and re.match(r'\d\d', path.name)):
            wrong.append(f'{path.name}: only nbs/NN_*.ipynb may hold default_exp')
        for name in found:
            if name in names: wrong.append(f'{path.name}: the module {name} is written by {names[name]} already')
            names[name] = path.name
    there = {p.stem for p in (repo/library).glob('*.py') if not p.stem.startswith('_')} - {'all'}
    wrong += [f'{library}/{o}.py has no notebook' for o in sorted(there - set(names))]
    return names, wrong


def cell_faults(source, name, order):
    "What is wrong with the source of one code cell"
    exported = re.match(r'\s*#\s*\|\s*export', source)
    if exported:
        for module in re.findall(rf'from {library}\.(\w+) import', source):
            if order.get(module, '~') >= name: yield f'an exported cell imports {module}, which comes later'
    try: kinds = {isinstance(o, (ast.Import, ast.ImportFrom)) for o in ast.parse(source).body}
    except SyntaxError: return # a cell with magics
    if len(kinds) == 2 and not exported: yield f'an import cell also holds other code: {source.splitlines()[0]!r}'


def output_faults(cell):
    "What is wrong with what one code cell stores"
    if cell.get('execution_count'): yield 'a cell keeps its execution count'
    for o in cell.get('outputs', []):
        text = json.dumps(o)
        if o['output_type'] == 'error': yield f"a stored output is an error: {o.get('ename')}"
        if '<progress' in text or 'widget-view' in text: yield 'a progress bar or widget state is stored'
        if re.search(r'(?<!\w)/(home|root|Users|tmp)/', text) or str(repo) in text: yield 'a stored output names a folder of one machine'


def title_faults(nb):
    "What is wrong with the beginning of a notebook"
    first = nb['cells'][0] if nb['cells'] else dict(cell_type='none', source='')
    # nbdev's own settings, such as skip_exec of notebooks that measure and do not test, may stand below the two
    lines = [o for o in ''.join(first['source']).splitlines() if o.strip() and not re.match(r'- \w+: \S', o)] + ['', '']
    if first['cell_type'] != 'markdown' or not re.match(r'# \S', lines[0]): yield 'the first cell has no title (# ...)'
    elif not re.match(r'> \S', lines[1]): yield 'there is no one-line summary (> ...) below the title'
    elif lines[2]: yield 'more than title and summary stands in the first cell, and nbdev leaves that out of the site: run .ci/notebooks.py split'
    if nb['metadata'].get('widgets'): yield 'widget state is stored'


def split(path):
    "Give what stands below title and summary a cell of its own; whether there was something"
    nb = json.loads(path.read_text(encoding='utf-8'))
    m = re.fullmatch(r'(# [^\n]*\n\s*> [^\n]*)\n+(\S.*)', ''.join(nb['cells'][0]['source']), re.S)
    if m is None or re.match(r'- \w+: \S', m[2]): return False
    cells = [dict(cell_type='markdown', id=id, metadata={}, source=text.splitlines(keepends=True))
             for id, text in ((nb['cells'][0]['id'], m[1]), (hashlib.sha1(m[2].encode()).hexdigest()[:8], m[2]))]
    nb['cells'] = cells + nb['cells'][1:]
    path.write_text(json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True) + '\n', encoding='utf-8')
    return True


def alt_faults(cell, source):
    "What is wrong with the alternative text of one code cell's pictures"
    import yaml
    outputs = cell.get('outputs', [])
    if not any(k.startswith('image/') for o in outputs for k in o.get('data', {})): return
    options = re.match(r'(\s*#\s*\|.*(\n|$))*', source)[0] # Quarto reads options at the top of a cell only
    m = re.search(r'^\s*#\s*\|\s*fig-alt:(.*)', options, re.M)
    if not m: yield f'a cell stores a picture without `#| fig-alt: ...`: {source.splitlines()[0]!r}'; return
    try: alt = yaml.safe_load(m[1])
    except yaml.YAMLError: alt = None
    if isinstance(alt, list) and len(alt) != len(outputs): yield f'fig-alt is a list of {len(alt)}, but the cell has {len(outputs)} outputs'
    if not all(isinstance(o, str) and o.strip() for o in (alt if isinstance(alt, list) else [alt])):
        yield f'fig-alt is no sentence, or needs quotes around it: {m[1].strip()!r}'


def unfenced(source):
    "Markdown without its blocks of code"
    return re.sub(r'^(```|~~~).*?^\1', '', source, flags=re.M|re.S)


def texts(nb):
    "The Markdown on the page of a notebook: its own cells and what its code shows"
    for c in nb['cells']:
        if c['cell_type'] == 'markdown': yield unfenced(''.join(c['source']))
        for o in c.get('outputs', []): yield unfenced(''.join(o.get('data', {}).get('text/markdown', '')))


def identifier(heading):
    "The id that pandoc, and so Quarto, gives a heading"
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)
    words = re.sub(r'\.\.\.|--+|[^\w\s.-]', '', text).lower().split()
    return re.sub(r'^[\W\d_]+', '', '-'.join(words)) or 'section'


def symbols(source):
    "What an exported cell defines, as the site calls it: f, Class, Class.method"
    for o in ast.parse(source).body:
        if isinstance(o, ast.ClassDef): yield from (f'{o.name}.{m.name}' for m in o.body if isinstance(m, ast.FunctionDef))
        patched = isinstance(o, ast.FunctionDef) and any('patch' in ast.unparse(d) for d in o.decorator_list)
        if patched: yield f'{ast.unparse(o.args.args[0].annotation)}.{o.name}'
        elif isinstance(o, (ast.FunctionDef, ast.ClassDef)): yield o.name
        elif isinstance(o, ast.Assign): yield from (n.id for t in o.targets for n in ast.walk(t) if isinstance(n, ast.Name))


def anchors(nb):
    "Where links may lead on the page of a notebook: its headings and the symbols that it documents"
    seen, ids = {}, set()
    for heading in re.findall(r'^#{1,6} +(.+)', '\n'.join(texts(nb)), re.M)[1:]: # the first is the title
        m = re.search(r'\{#([^}\s]+)', heading)
        o = m[1] if m else identifier(heading)
        ids.add(o if o not in seen else f'{o}-{seen[o]}')
        seen[o] = seen.get(o, 0) + 1
    exported = [s for _, s in code_cells(nb) if re.match(r'\s*#\s*\|\s*export', s)]
    return ids | {o.lower() for s in exported for o in symbols(s)}


def link_faults(path, nb, ids):
    "What is wrong with the links and images of one notebook; `ids` has the anchors of each"
    for text in (re.sub(r'`[^`\n]*`', '', o) for o in texts(nb)):
        if re.search(r'!\[\s*\]\(', text) or any('alt="' not in o or 'alt=""' in o for o in re.findall(r'<img\b[^>]*>', text)): yield 'an image has no alt text'
        for target in re.findall(r'\]\(\s*<?([^)\s>]+)|(?:href|src)="([^"]+)"', text):
            target = ''.join(target)
            if re.match(r'[a-zA-Z][\w+.-]*:', target): continue # another site
            name, _, anchor = unquote(target).partition('#')
            there = Path(os.path.normpath(path.parent/name)) if name else path
            if repo/'nbs' not in there.parents: yield f'a link leads out of the site: {target}'
            elif not there.exists(): yield f'a link leads nowhere: {target}'
            elif anchor and anchor not in ids.get(there, ()): yield f'a link leads to no heading: {target}'


def sidebar_entries(contents):
    "The pages that a sidebar names, from nested sections"
    for o in contents:
        if isinstance(o, str): yield o
        elif 'href' in o: yield o['href']
        yield from sidebar_entries(o.get('contents', []) if isinstance(o, dict) else [])


def site_faults(nbs):
    "What is wrong with _quarto.yml"
    import yaml
    text, link = (repo/'_quarto.yml').read_text(encoding='utf-8'), repo/'nbs'/'_quarto.yml'
    config, ini, there = yaml.safe_load(text), ConfigParser(delimiters=['='], interpolation=None), [name_of(p) for p in nbs]
    if not link.is_symlink() and link.read_text(encoding='utf-8').strip() != '../_quarto.yml': yield 'nbs/_quarto.yml is a second copy: make it a link to _quarto.yml'
    site, named = config['website'], list(sidebar_entries(config['website']['sidebar']['contents']))
    yield from (f'the sidebar names {o}, which does not exist' for o in named if o not in there)
    yield from (f'the sidebar names {o} twice' for o in set(named) if named.count(o) > 1)
    yield from (f'the sidebar does not name {o}' for o in there if o not in named)
    library = [o for o in named if re.match(r'\d\d', o)]
    yield from (f'the sidebar names {a} before {b}' for a, b in zip(library, library[1:]) if a > b)
    bar = [o.get('href', '') for side in ('left', 'right') for o in site.get('navbar', {}).get(side, [])]
    yield from (f'the bar names {o}, which does not exist' for o in bar if ':' not in o and o not in there)
    if not (repo/'nbs'/(css := config['format']['html']['css'])).is_file(): yield f'the stylesheet nbs/{css} does not exist'
    ini.read(repo/'settings.ini', encoding='utf-8')
    wanted = {'title': '%(title)s', 'description': '%(description)s', 'site-url': '%(doc_host)s%(doc_baseurl)s', 'repo-url': '%(git_url)s', 'repo-branch': '%(branch)s'}
    yield from (f'{k} is {site.get(k)!r}, and by settings.ini {v!r}' for k, w in wanted.items() if site.get(k) != (v := w % ini['DEFAULT']))
    pages = [re.sub(r'(^|/)\d+[a-zA-Z0-9]*_', r'\1', o.lower()) for o in there] # nbdev names them so
    yield from (f'two notebooks give the same page: {o}' for o in set(pages) if pages.count(o) > 1)


def overview(nbs):
    "The rows of the table of modules in the guide"
    library = [(p, ''.join(nb['cells'][0]['source'])) for p, nb in nbs.items() if p.parent == repo/'nbs' and re.match(r'\d\d', p.name)]
    return [f"| [{s.splitlines()[0][2:]}]({p.name}) | {m[1] if (m := re.search(r'^> (.+)', s, re.M)) else ''} |" for p, s in library if s.startswith('# ')]


def overview_faults(nbs):
    "Whether the guide lists the library as it is"
    shown = '\n'.join(texts(nbs.get(repo/'nbs'/'guide.ipynb', dict(cells=[])))).splitlines()
    missing = [o for o in overview(nbs) if o not in shown]
    if missing: yield f'guide.ipynb: its table of modules lacks {missing[0]!r}: run .ci/notebooks.py execute nbs/guide.ipynb'


def readme():
    "README.md as it follows from nbs/index.ipynb"
    nb = json.loads((repo/'nbs'/'index.ipynb').read_text(encoding='utf-8'))
    parts = ['<!-- Written by `.ci/notebooks.py readme` from nbs/index.ipynb: edit the notebook. -->']
    for c in nb['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'markdown': parts.append(re.sub(r'\]\((?![a-zA-Z][\w+.-]*:|#)', '](nbs/', source))
        elif not source.startswith('#| hide'):
            if not source.startswith('#| echo: false'): parts.append(f'```python\n{source}\n```')
            parts += [''.join(o['data'].get('text/markdown') or o['data']['text/plain']) for o in c['outputs'] if 'data' in o]
    return '\n\n'.join(o.strip() for o in parts) + '\n'


def check():
    "All faults as lines"
    nbs = notebooks()
    order, faults = modules(nbs)
    ids = {path: anchors(nb) for path, nb in nbs.items()}
    for path, nb in nbs.items():
        faults += [f'{name_of(path)}: {o}' for o in (*title_faults(nb), *link_faults(path, nb, ids))]
        for cell, source in code_cells(nb):
            faults += [f'{name_of(path)}: {o}' for o in (*cell_faults(source, path.name, order), *output_faults(cell), *alt_faults(cell, source))]
    faults += [f'_quarto.yml: {o}' for o in site_faults(nbs)] + list(overview_faults(nbs))
    if (repo/'README.md').read_text(encoding='utf-8') != readme():
        faults.append('README.md does not follow from nbs/index.ipynb: run .ci/notebooks.py readme')
    return list(dict.fromkeys(faults))


def keep(output):
    "Whether an output teaches a reader: no warnings, no widgets, no progress bars and nothing that such bars leave behind"
    data = output.get('data', {})
    html = ''.join(data.get('text/html', '-'))
    return output.get('name') != 'stderr' and 'application/vnd.jupyter.widget-view+json' not in data and '<progress' not in html and 'progress-bar' not in html and html.strip() != ''


def execute(paths):
    "Run the notebooks and store what they show"
    import nbformat
    from nbclient import NotebookClient
    from nbdev.clean import nbdev_clean
    data = os.environ.pop('IR_CNN_DATA', None) # what is stored must not depend on the data of one machine
    for path in paths:
        if data and path.parent.name == 'benchmarks': os.environ['IR_CNN_DATA'] = data # except where it is measured
        nb = nbformat.read(path, as_version=4)
        NotebookClient(nb, timeout=900, store_widget_state=False, resources={'metadata': {'path': str(path.parent)}}).execute()
        nb.metadata.pop('widgets', None)
        for c in nb.cells:
            if c.cell_type == 'code': c.outputs = [o for o in c.outputs if keep(o)]
        nbformat.write(nb, path)
        nbdev_clean(fname=str(path)) # counts and times
        print('executed', path.name, flush=True)


if __name__ == '__main__':
    what, *args = sys.argv[1:] or ['check']
    if what == 'check':
        faults = check()
        print(*faults or ['notebooks: nothing to mend'], sep='\n')
        sys.exit(bool(faults))
    elif what == 'readme': (repo/'README.md').write_text(readme(), encoding='utf-8')
    elif what == 'split': print(*[f'split {o}' for o in [Path(o) for o in args] or notebooks() if split(o)] or ['notebooks: nothing to split'], sep='\n')
    elif what == 'execute': execute([Path(o) for o in args] or list(notebooks()))
    else: sys.exit(__doc__)
