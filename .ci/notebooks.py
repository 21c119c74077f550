#!/usr/bin/env python3
"""Keep the notebooks in order.

    notebooks.py check          layers, hygiene, README in step with index.ipynb; exit status 1 when a rule is broken
    notebooks.py readme         write README.md from nbs/index.ipynb
    notebooks.py execute NB...  run notebooks in fresh kernels and store their outputs, without progress bars (default: all)
"""
import ast, json, os, re, sys
from pathlib import Path

repo = Path(__file__).resolve().parent.parent
library = 'ir_cnn'


def notebooks():
    "Path -> notebook, for all notebooks of the project"
    paths = sorted(p for p in (repo/'nbs').rglob('*.ipynb') if not any(o.startswith(('.', '_')) for o in p.relative_to(repo).parts))
    return {p: json.loads(p.read_text(encoding='utf-8')) for p in paths}


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


def readme():
    "README.md as it follows from nbs/index.ipynb"
    nb = json.loads((repo/'nbs'/'index.ipynb').read_text(encoding='utf-8'))
    parts = ['<!-- Written by `.ci/notebooks.py readme` from nbs/index.ipynb: edit the notebook. -->']
    for c in nb['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'markdown': parts.append(re.sub(r'\]\(([\w/]+\.ipynb)', r'](nbs/\1', source))
        elif not source.startswith('#| hide'):
            if not source.startswith('#| echo: false'): parts.append(f'```python\n{source}\n```')
            parts += [''.join(o['data'].get('text/markdown') or o['data']['text/plain']) for o in c['outputs'] if 'data' in o]
    return '\n\n'.join(o.strip() for o in parts) + '\n'


def check():
    "All faults as lines"
    nbs = notebooks()
    order, faults = modules(nbs)
    for path, nb in nbs.items():
        for cell, source in code_cells(nb):
            faults += [f'{path.name}: {o}' for o in (*cell_faults(source, path.name, order), *output_faults(cell))]
    if (repo/'README.md').read_text(encoding='utf-8') != readme():
        faults.append('README.md does not follow from nbs/index.ipynb: run .ci/notebooks.py readme')
    return list(dict.fromkeys(faults))


def keep(output):
    "Whether an output teaches a reader: no warnings, no progress bars and nothing that such bars leave behind"
    html = ''.join(output.get('data', {}).get('text/html', '-'))
    return output.get('name') != 'stderr' and '<progress' not in html and 'progress-bar' not in html and html.strip() != ''


def execute(paths):
    "Run the notebooks and store what they show"
    import nbformat
    from nbclient import NotebookClient
    data = os.environ.pop('IR_CNN_DATA', None) # what is stored must not depend on the data of one machine
    for path in paths:
        if data and path.parent.name == 'benchmarks': os.environ['IR_CNN_DATA'] = data # except where it is measured
        nb = nbformat.read(path, as_version=4)
        NotebookClient(nb, timeout=900, resources={'metadata': {'path': str(path.parent)}}).execute()
        for c in nb.cells:
            if c.cell_type == 'code': c.outputs = [o for o in c.outputs if keep(o)]
        nbformat.write(nb, path)
        print('executed', path.name, flush=True)


if __name__ == '__main__':
    what, *args = sys.argv[1:] or ['check']
    if what == 'check':
        faults = check()
        print(*faults or ['notebooks: nothing to mend'], sep='\n')
        sys.exit(bool(faults))
    elif what == 'readme': (repo/'README.md').write_text(readme(), encoding='utf-8')
    elif what == 'execute': execute([Path(o) for o in args] or list(notebooks()))
    else: sys.exit(__doc__)
