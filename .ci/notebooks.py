#!/usr/bin/env python3
"""Keep the notebooks in order.

    notebooks.py check          rooms, hygiene, sidebar, links, alt texts, public face, README in step with index.ipynb; exit status 1 when a rule is broken
    notebooks.py readme         write README.md from nbs/index.ipynb
    notebooks.py sidebar        write the Library part of the sidebar in _quarto.yml
    notebooks.py execute NB...  run notebooks in fresh kernels and store their outputs, without progress bars and widgets (default: all)
"""
import ast, json, os, re, sys
from collections import Counter
from configparser import ConfigParser
from importlib.util import resolve_name
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote

repo = Path(__file__).resolve().parent.parent
library = 'ir_cnn'
# The rooms in the order of the data flow: first number, sub-package, title, what stands there. A room ends where the next one begins.
rooms = [(0, '', 'Core', 'files, keys, checks; short texts as values'),
         (10, 'data', 'Data', 'images, splits, data sets'),
         (20, 'models', 'Models', 'any timm network as an embedder'),
         (30, 'features', 'Features', 'embeddings, computed once and kept'),
         (40, 'search', 'Search', 'nearest neighbours of tensors, exact and approximate'),
         (50, 'boost', 'Boosters', 'whitening, re-ranking, recipes'),
         (53, 'collection', 'Collection', 'persistent, searchable sets of images'),
         (60, 'scores', 'Scores', 'ranks, metrics, statistics, logs'),
         (70, 'plots', 'Plots', 'figures of neighbours, mistakes and distances'),
         (80, 'train', 'Training', 'losses, batches, learners, checkpoints'),
         (88, 'explore', 'Explore', 'question, explain, mark and browse results'),
         (96, 'run', 'Run', 'one call, one command')]
may_import = {'search': {'core', 'search'}, 'boost': {'core', 'spec', 'search', 'boost'}} # these two know nothing but tensors
exported = re.compile(r'\s*#\s*\|\s*export')

# ---- notebooks and what they hold --------------------------------------------------------------------------------------
def notebooks():
    "Path -> notebook, for all notebooks of the project"
    paths = sorted(p for p in (repo/'nbs').rglob('*.ipynb') if not any(o.startswith(('.', '_')) for o in p.relative_to(repo).parts))
    return {p: json.loads(p.read_text(encoding='utf-8')) for p in paths}

def name_of(path):
    "How a notebook is called in messages and in the sidebar"
    return path.relative_to(repo/'nbs').as_posix()

def page_of(path):
    "The address of a notebook's page, from the site's root: nbdev leaves out its number"
    return re.sub(r'(^|/)\d+[a-zA-Z0-9]*_', r'\1', name_of(path).lower()).removesuffix('.ipynb') + '.html'

def room_of(name):
    "The room of a notebook of the library, by its number"
    return [o for o in rooms if o[0] <= int(name[:2])][-1]

def by_room(nbs):
    "(room, its notebooks as name -> notebook) for the rooms that have some"
    library = {p.name: nb for p, nb in nbs.items() if p.parent == repo/'nbs' and re.match(r'\d\d', p.name)}
    return [(room, {name: library[name] for name in names}) for room, names in groupby(library, room_of)]

def code_cells(nb):
    "(cell, source) of the code cells"
    return [(c, ''.join(c['source'])) for c in nb['cells'] if c['cell_type'] == 'code']

def module_of(nb):
    "The modules that a notebook writes: one, or none"
    return [m[1] for _, s in code_cells(nb) if (m := re.search(r'^#\s*\|\s*default_exp\s+(\S+)', s, re.M))]

def modules(nbs):
    "Module -> notebook name"
    return {m: p.name for p, nb in nbs.items() for m in module_of(nb)}

def unfenced(source):
    "Markdown without its blocks of code"
    return re.sub(r'^(```|~~~).*?^\1', '', source, flags=re.M|re.S)

def texts(nb):
    "The Markdown on the page of a notebook: its own cells and what its code shows"
    for c in nb['cells']:
        if c['cell_type'] == 'markdown': yield unfenced(''.join(c['source']))
        for o in c.get('outputs', []): yield unfenced(''.join(o.get('data', {}).get('text/markdown', '')))

def symbols(source):
    "(name, node) of what a source defines, with the names that the site uses: f, Class, Class.method"
    for o in ast.parse(source).body:
        patched = isinstance(o, ast.FunctionDef) and any('patch' in ast.unparse(d) for d in o.decorator_list)
        if isinstance(o, ast.ClassDef): yield from ((f'{o.name}.{m.name}', o) for m in o.body if isinstance(m, ast.FunctionDef))
        if isinstance(o, ast.Assign): yield from ((n.id, o) for t in o.targets for n in ast.walk(t) if isinstance(n, ast.Name))
        elif patched: yield f'{ast.unparse(o.args.args[0].annotation)}.{o.name}', o
        elif isinstance(o, (ast.FunctionDef, ast.ClassDef)): yield o.name, o

# ---- the generated modules ---------------------------------------------------------------------------------------------
def written():
    "Module -> the tree of its file, for all that an export writes, and `all`"
    files = {'.'.join(p.relative_to(repo/library).with_suffix('').parts): p for p in sorted((repo/library).rglob('*.py')) if not p.name.startswith('_')}
    return {m: ast.parse(p.read_text(encoding='utf-8')) for m, p in files.items()}

def imports(module, tree, known):
    "The modules of the library that a module imports, anywhere in its file"
    for o in ast.walk(tree):
        if isinstance(o, ast.Import): names = [(a.name, '') for a in o.names]
        elif isinstance(o, ast.ImportFrom):
            base = resolve_name('.'*o.level + (o.module or ''), f'{library}.{module}'.rpartition('.')[0])
            names = [(base, a.name) for a in o.names]
        else: continue
        for base, name in names:
            top, _, inner = base.partition('.')
            if top != library or base == library and name[:1] in ('', '_'): continue # another library, or the version
            yield inner if inner in known else f'{inner}.{name}'.strip('.')

def room_faults(nbs):
    "What is wrong with the modules: their notebooks, their rooms, and what they import"
    order, trees = modules(nbs), written()
    for path, nb in nbs.items():
        numbered = path.parent == repo/'nbs' and re.match(r'\d\d_', path.name)
        if module_of(nb) and not numbered: yield f'{path.name}: only nbs/NN_*.ipynb may hold default_exp'
        elif module_of(nb) not in ([], [path.stem[3:]]): yield f'{path.name}: is not called after the module {module_of(nb)[0]}'
        elif numbered and path.stem[3:].rpartition('.')[0] != room_of(path.name)[1]: yield f'{path.name}: its number is not that of its room'
    for module, tree in trees.items():
        allowed = may_import.get(top := module.split('.')[0])
        for o in dict.fromkeys(imports(module, tree, order)) if module in order else ():
            if o not in order: yield f'{module} imports {o}, which no notebook writes'
            elif order[o] >= order[module]: yield f'{module} imports {o}, which comes later'
            elif allowed and o.split('.')[0] not in allowed: yield f'{module} imports {o}: {top} imports {", ".join(sorted(allowed))} alone'
    named = [] # by the public face, which imports by name what its modules make public, each name once
    for o in trees['all'].body:
        if isinstance(o, ast.Expr) and isinstance(o.value, ast.Constant): continue # its docstring
        if not isinstance(o, ast.ImportFrom) or o.level != 1 or o.module not in trees:
            yield f'all.py: line {o.lineno} does not import names from a module'
            continue
        public = next((ast.literal_eval(a.value) for a in trees[o.module].body if isinstance(a, ast.Assign) and ast.unparse(a.targets[0]) == '__all__'), [])
        yield from (f'all.py: {a.name} is not public in {o.module}' for a in o.names if a.asname or a.name not in public)
        named += [a.name for a in o.names]
    yield from (f'all.py: {name} is imported twice' for name, n in Counter(named).items() if n > 1)

# ---- single notebooks --------------------------------------------------------------------------------------------------
def title_faults(nb):
    "What is wrong with the beginning of a notebook"
    first = nb['cells'][0] if nb['cells'] else dict(cell_type='none', source='')
    # nbdev's own settings, such as skip_exec of notebooks that measure and do not test, may stand below the two
    lines = [o for o in ''.join(first['source']).splitlines() if o.strip() and not re.match(r'- \w+: \S', o)] + ['', '']
    if first['cell_type'] != 'markdown' or not re.match(r'# \S', lines[0]): yield 'the first cell has no title (# ...)'
    elif not re.match(r'> \S', lines[1]): yield 'there is no one-line summary (> ...) below the title'
    elif lines[2]: yield 'more than title and summary stands in the first cell, and nbdev leaves that out of the site: give it a cell of its own'
    if nb['metadata'].get('widgets'): yield 'widget state is stored'

def cell_faults(cell, source):
    "What is wrong with the source of one cell"
    if not isinstance(cell['source'], list): yield f'a source is one string, not a list of lines: {source[:40]!r}'
    code = source if cell['cell_type'] == 'code' else ''.join(m[0] for m in re.finditer(r'^(```|~~~).*?^\1', source, re.M|re.S))
    yield from (f'a line of code has {len(o)} characters, more than 160: {o.strip()[:50]!r}' for o in code.splitlines()
                if len(o) > 160 and not o.startswith('#|') and 'class Head(' not in code) # the source of Head is part of the key of kept features: it stays
    if '{{<' in source: yield f"Quarto takes '{{{{<' for a command, write '{{{{ <': {source[max(0, source.index('{{<')-20):][:50]!r}"
    yield from (o for text in texts(dict(cells=[cell])) for o in markup_faults(text))
    if cell['cell_type'] != 'code': return
    if re.search(r'^#\s*\|\s*eval:\s*false', source, re.M): yield 'a cell is never run (eval: false)'
    try: kinds = {isinstance(o, (ast.Import, ast.ImportFrom)) for o in ast.parse(source).body}
    except SyntaxError: return # a cell with magics
    if len(kinds) == 2 and not exported.match(source): yield f'an import cell also holds other code: {source.splitlines()[0]!r}'

begins = re.compile(r'([-*+]|\d+[.)]) \S|#{1,6} |\|.*\|$') # a list, a heading, a table
goes_on = re.compile(r'\s*([-*+]|\d+[.)]) |\||#|:::|>|  ') # what one of these may follow without an empty line

def markup_faults(text):
    "What Jupyter shows as meant in a piece of Markdown, and Quarto does not"
    lines = unfenced(text).splitlines()
    for above, line in zip(lines, lines[1:]):
        if above.strip() and not goes_on.match(above) and begins.match(line): yield f'an empty line is missing above {line[:50]!r}'
    prose = re.sub(r'`[^`]*`|\{#[^}]*\}', '', '\n'.join(lines)) # without code and ids
    yield from (f'two asterisks are left as text: {o.strip()[:60]!r}' for o in re.split(r'\n\s*\n|\n(?=\s*[-|])', prose) if len(re.findall(r'(?<!\\)(?:(?<!\w)\*\*|\*\*(?!\w))', o)) % 2)
    yield from (f'two underscores begin a strong text: {o!r}, write it as code' for o in re.findall(r'(?<![\w\\/])__\w+__(?!\w)', prose))
    if len(re.findall(r'^:{3,}.*\{', prose, re.M)) != len(re.findall(r'^:{3,}\s*$', prose, re.M)): yield f'a frame (:::) is not closed: {text[:40]!r}'

def output_faults(cell, source):
    "What is wrong with what one code cell stores"
    import yaml
    outputs = cell.get('outputs', [])
    for o in outputs:
        text = json.dumps(o)
        if o['output_type'] == 'error': yield f"a stored output is an error: {o.get('ename')}"
        if '<progress' in text or 'widget-view' in text: yield 'a progress bar or widget state is stored'
        if re.search(r'(?<!\w)/(home|root|Users|tmp)/', text) or str(repo) in text: yield 'a stored output names a folder of one machine'
    if not any(k.startswith('image/') for o in outputs for k in o.get('data', {})): return
    options = re.match(r'(\s*#\s*\|.*(\n|$))*', source)[0] # Quarto reads options at the top of a cell only
    m = re.search(r'^\s*#\s*\|\s*fig-alt:(.*)', options, re.M)
    if not m: yield f'a cell stores a picture without `#| fig-alt: ...`: {source.splitlines()[0]!r}'; return
    try: alt = yaml.safe_load(m[1])
    except yaml.YAMLError: alt = None
    if isinstance(alt, list) and len(alt) != len(outputs): yield f'fig-alt is a list of {len(alt)}, but the cell has {len(outputs)} outputs'
    if not all(isinstance(o, str) and o.strip() for o in (alt if isinstance(alt, list) else [alt])):
        yield f'fig-alt is not a sentence, or needs quotes around it: {m[1].strip()!r}'

# ---- links -------------------------------------------------------------------------------------------------------------
def identifier(heading):
    "The id that pandoc, and so Quarto, gives a heading"
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)
    words = re.sub(r'\.\.\.|--+|[^\w\s.-]', '', text).lower().split()
    return re.sub(r'^[\W\d_]+', '', '-'.join(words)) or 'section'

def anchors(nb):
    "Where links may lead on the page of a notebook: its headings, other ids in braces, and the symbols that it documents"
    text, seen = '\n'.join([*texts(nb)][1:]), Counter() # the first holds the title
    ids = {*re.findall(r'\{#([^}\s]+)', text), *(o.lower() for _, s in code_cells(nb) if exported.match(s) for o, _ in symbols(s))}
    for o in [identifier(o) for o in re.findall(r'^#{1,6} +(.+)', text, re.M) if '{#' not in o]:
        ids.add(f'{o}-{seen[o]}' if seen[o] else o)
        seen[o] += 1
    return ids

def link_faults(path, nb, ids):
    "What is wrong with the links and images of one notebook; `ids` has the anchors of each"
    for text in (re.sub(r'`[^`\n]*`', '', o) for o in texts(nb)):
        bare = any('alt="' not in o or 'alt=""' in o for o in re.findall(r'<img\b[^>]*>', text))
        if bare or re.search(r'!\[\s*\]\(', text): yield 'an image has no alt text'
        for target in map(''.join, re.findall(r'\]\(\s*<?([^)\s>]+)|(?:href|src)="([^"]+)"', text)):
            if re.match(r'[a-zA-Z][\w+.-]*:', target): continue # another site
            name, _, anchor = unquote(target).partition('#')
            there = Path(os.path.normpath(path.parent/name)) if name else path
            if repo/'nbs' not in there.parents: yield f'a link leads out of the site: {target}'
            elif not there.exists(): yield f'a link leads nowhere: {target}'
            elif anchor and anchor not in ids.get(there, ()): yield f'a link leads to no heading: {target}'

# ---- the site, the guide's table, the README ---------------------------------------------------------------------------
def sidebar_entries(contents):
    "The pages that a sidebar names, from nested sections"
    for o in contents:
        if isinstance(o, str): yield o
        elif 'href' in o: yield o['href']
        yield from sidebar_entries(o.get('contents', []) if isinstance(o, dict) else [])

def sidebar(nbs, text):
    "The text of _quarto.yml with the Library part of its sidebar as the notebooks are: a section for each room, and the page for developers at the end"
    lines = []
    for (_, _, title, _), found in by_room(nbs):
        lines += [f'          - section: {title}', '            contents:', *(f'              - {o}' for o in found)]
    if repo/'nbs'/'development.ipynb' in nbs: lines.append('          - development.ipynb')
    return re.sub(r'(?<=      - section: Library\n        contents:\n)( {10}.*\n)*', lambda _: ''.join(f'{o}\n' for o in lines), text)

def site_faults(nbs):
    "What is wrong with _quarto.yml"
    import yaml
    text, link = (repo/'_quarto.yml').read_text(encoding='utf-8'), repo/'nbs'/'_quarto.yml'
    config, ini, there = yaml.safe_load(text), ConfigParser(delimiters=['='], interpolation=None), [name_of(p) for p in nbs]
    if not link.is_symlink() and link.read_text(encoding='utf-8').strip() != '../_quarto.yml':
        yield 'nbs/_quarto.yml is a second copy: make it a link to _quarto.yml'
    site, named = config['website'], list(sidebar_entries(config['website']['sidebar']['contents']))
    if sidebar(nbs, text) != text: yield 'the Library part of the sidebar does not follow from the notebooks: run .ci/notebooks.py sidebar'
    yield from (f'the sidebar names {o}, which does not exist' for o in named if o not in there and not re.match(r'\d\d', o))
    yield from (f'the sidebar names {o} twice' for o in set(named) if named.count(o) > 1)
    yield from (f'the sidebar does not name {o}' for o in there if o not in named and not re.match(r'\d\d', o))
    bar = [o.get('href', '') for side in ('left', 'right') for o in site.get('navbar', {}).get(side, [])]
    yield from (f'the bar names {o}, which does not exist' for o in bar if ':' not in o and o not in there)
    if not (repo/'nbs'/(css := config['format']['html']['css'])).is_file(): yield f'the stylesheet nbs/{css} does not exist'
    ini.read(repo/'settings.ini', encoding='utf-8')
    wanted = {'title': '%(title)s', 'description': '%(description)s', 'site-url': '%(doc_host)s%(doc_baseurl)s',
              'repo-url': '%(git_url)s', 'repo-branch': '%(branch)s'}
    yield from (f'{k} is {site.get(k)!r}, and by settings.ini {v!r}' for k, w in wanted.items() if site.get(k) != (v := w % ini['DEFAULT']))
    yield from (f'two notebooks give the same page: {o}' for o, n in Counter(map(page_of, nbs)).items() if n > 1)

def overview(nbs=None):
    "The table of modules that the guide shows: a row for each room, and below it one for each of its notebooks"
    rows = ['| module | what |', '|---|---|']
    for (_, _, title, what), found in by_room(notebooks() if nbs is None else nbs):
        rows.append(f'| **{title}** | **{what}** |')
        for name, nb in found.items():
            head, summary = (re.search(o, ''.join(nb['cells'][0]['source']) + '\n# ?\n> ?', re.M)[1] for o in (r'^# (.+)', r'^> (.+)'))
            rows.append(f'| [{head}]({name}) | {summary} |')
    return '\n'.join(rows)

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
    ids, faults = {path: anchors(nb) for path, nb in nbs.items()}, list(room_faults(nbs))
    for path, nb in nbs.items():
        found = [*title_faults(nb), *link_faults(path, nb, ids)]
        for c in nb['cells']:
            source = ''.join(c['source'])
            found += [*cell_faults(c, source), *(output_faults(c, source) if c['cell_type'] == 'code' else ())]
        faults += [f'{name_of(path)}: {o}' for o in found]
    faults += [f'_quarto.yml: {o}' for o in site_faults(nbs)]
    if overview(nbs) not in '\n'.join(texts(nbs.get(repo/'nbs'/'guide.ipynb', dict(cells=[])))):
        faults.append('guide.ipynb: its table of modules does not follow from the notebooks: run .ci/notebooks.py execute nbs/guide.ipynb')
    if (repo/'README.md').read_text(encoding='utf-8') != readme(): faults.append('README.md does not follow from nbs/index.ipynb: run .ci/notebooks.py readme')
    return list(dict.fromkeys(faults))

def keep(output):
    "Whether an output teaches a reader: no warnings, no widgets, no progress bars and nothing that such bars leave behind"
    data = output.get('data', {})
    html = ''.join(data.get('text/html', '-')).strip()
    bar = '<progress' in html or 'progress-bar' in html or html == ''
    return output.get('name') != 'stderr' and 'application/vnd.jupyter.widget-view+json' not in data and not bar

def execute(paths):
    "Run the notebooks and store what they show"
    import nbformat
    from nbclient import NotebookClient
    from nbdev.clean import nbdev_clean
    data = os.environ.pop('IR_CNN_DATA', None) # what is stored must not depend on the data of one machine
    os.environ.pop('MPLBACKEND', None) # with Agg a notebook shows no figures of pyplot itself
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
        print(*faults or ['notebooks: nothing to fix'], sep='\n')
        sys.exit(bool(faults))
    elif what == 'readme': (repo/'README.md').write_text(readme(), encoding='utf-8')
    elif what == 'sidebar': (p := repo/'_quarto.yml').write_text(sidebar(notebooks(), p.read_text(encoding='utf-8')), encoding='utf-8')
    elif what == 'execute': execute([Path(o) for o in args] or list(notebooks()))
    else: sys.exit(__doc__)
