#!/usr/bin/env python3
"""Does notebooks.py find what it should? A tiny project without faults, and then with one fault after the other."""
import json, tempfile
from pathlib import Path
import notebooks

picture = dict(output_type='display_data', metadata={}, data={'image/png': 'iVBORw0KGgo=', 'text/plain': '<Figure>'})
widget = dict(output_type='display_data', metadata={}, data={'application/vnd.jupyter.widget-view+json': {'model_id': '1'}, 'text/plain': 'Box()'})
library = {('Core', 'files, keys, checks; short texts as values'): {'00_core': 'The core', '01_spec': 'Short texts'},
           ('Search', 'nearest neighbours of tensors, exact and approximate'): {'44_search.knn': 'Neighbours'},
           ('Boosters', 'whitening, re-ranking, recipes'): {'51_boost.rerank': 'Better order'},
           ('Scores', 'ranks, metrics, statistics, logs'): {'61_scores.ranks': 'Ranks'}}
table, sections = '| module | what |\n|---|---|', ''
for (title, what), summaries in library.items():
    table += f'\n| **{title}** | **{what}** |' + ''.join(f'\n| [{name[3:]}]({name}.ipynb) | {summary} |' for name, summary in summaries.items())
    sections += f'          - section: {title}\n            contents:\n' + ''.join(f'              - {name}.ipynb\n' for name in summaries)
site = '''website:
  title: tiny
  description: A tiny project
  site-url: https://tiny.example/tiny
  repo-url: https://tiny.example/source
  repo-branch: main
  navbar: {left: [{href: index.ipynb}], right: [{href: "https://tiny.example/source"}]}
  sidebar:
    contents:
      - {section: Start here, contents: [{text: Home, href: index.ipynb}, guide.ipynb]}
      - section: Library
        contents:
''' + sections + '''      - {section: Tutorials, contents: [tutorials/first.ipynb]}
format: {html: {css: styles.css}}'''
settings = '''[DEFAULT]
title = tiny
description = A tiny project
doc_host = https://tiny.example
doc_baseurl = /tiny
git_url = https://tiny.example/source
branch = main'''
links = '[Class](00_core.ipynb#shape.area), [value](00_core.ipynb#shapes), [below](#two-ways-to-start), `[no](link.ipynb)`'

def lines(text): return text.splitlines(keepends=True)
def md(text): return dict(cell_type='markdown', id='m', metadata={}, source=lines(text))
def code(text, *outputs): return dict(cell_type='code', id='c', metadata={}, execution_count=None, source=lines(text), outputs=list(outputs))
def shown(text): return code('show()', dict(output_type='display_data', metadata={}, data={'text/markdown': lines(text)}))
def notebook(*cells, **metadata): return dict(cells=list(cells), metadata=metadata, nbformat=4, nbformat_minor=5)
def module(name, summary): return notebook(md(f'# {name}\n\n> {summary}'), code(f'#| default_exp {name}'))

def tree():
    "Relative path -> text or notebook of a project without faults"
    files = {
        'settings.ini': settings, '_quarto.yml': site, 'nbs/_quarto.yml': '../_quarto.yml\n', 'nbs/styles.css': '', 'nbs/images/a.png': '',
        'ir_cnn/__init__.py': '__version__ = "1"', 'ir_cnn/core.py': "__all__ = ['Shape', 'shapes']\nfrom . import __version__", 'ir_cnn/spec.py': '',
        'ir_cnn/search/knn.py': "__all__ = ['knn']\nfrom ..core import *\nimport ir_cnn.core, os",
        'ir_cnn/scores/ranks.py': 'from ..search.knn import knn\nfrom .. import core',
        'ir_cnn/boost/rerank.py': 'from ..spec import *\ndef f():\n    from ir_cnn.search.knn import knn',
        'ir_cnn/all.py': '"The face"\nfrom .core import Shape, shapes\nfrom .search.knn import knn',
        'nbs/index.ipynb': notebook(md('# tiny\n\n> A tiny project'),
                                    md('![A cat](images/a.png)\n\n[guide](guide.ipynb#two-ways-to-start), [more](https://tiny.example).')),
        'nbs/guide.ipynb': notebook(md('# Guide\n\n> How to use it'), md('## Two ways, to `start`\n\n' + links), shown(table),
                                    code('#| fig-alt: "A line: it rises"\nplot()', picture), code('#| fig-alt: [one, two]\nplots()', picture, picture)),
        'nbs/tutorials/first.ipynb': notebook(md('# First\n\n> A first search'), md('Back to [the guide](../guide.ipynb).\n\n```md\n[no](link.ipynb)\n```'))}
    for summaries in library.values(): files |= {f'nbs/{name}.ipynb': module(name[3:], summary) for name, summary in summaries.items()}
    files['nbs/00_core.ipynb']['cells'].append(code('#| export\nclass Shape:\n    def area(self): return 1\nshapes = {}'))
    return files

def faults(change):
    "What check says about the tree after a change"
    files = tree()
    change(files)
    with tempfile.TemporaryDirectory() as d:
        notebooks.repo = Path(d).resolve()
        for name, content in files.items():
            path = notebooks.repo/name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding='utf-8')
        if 'README.md' not in files: (notebooks.repo/'README.md').write_text(notebooks.readme(), encoding='utf-8')
        return notebooks.check()

def text(name, old, new):
    "A change of one text, or of what a notebook's file says"
    def change(files):
        is_text = isinstance(files[name], str)
        before = files[name] if is_text else json.dumps(files[name])
        assert old in before, f'{name} does not hold {old!r}'
        after = before.replace(old, new, 1)
        files[name] = after if is_text else json.loads(after)
    return change

def cells(name, *new): return lambda files: files[f'nbs/{name}.ipynb']['cells'].extend(new)
def guide(*new): return cells('guide', *new)
def stores(**output): return guide(code('1', output))
def adds(name, line): return lambda files: files.update({f'ir_cnn/{name}.py': f'{files[f"ir_cnn/{name}.py"]}\n{line}'})
def moved(old, new): return lambda files: files.update({f'nbs/{new}.ipynb': files.pop(f'nbs/{old}.ipynb')})
def added(name, content): return lambda files: files.update({name: content})

expected = { # what check has to say, and nothing else, after each of these changes
    'more than title and summary': [text('nbs/01_spec.ipynb', '"> Short texts', '"> Short texts\\n\\nMore text\\n", "')],
    'the first cell has no title': [text('nbs/tutorials/first.ipynb', '# First', 'First')],
    'there is no one-line summary': [text('nbs/tutorials/first.ipynb', '> A first search', '')],
    'a link leads nowhere: nowhere.ipynb': [guide(md('[x](nowhere.ipynb)')), guide(shown('| [core](nowhere.ipynb) |'))],
    'a link leads nowhere: images/b.png': [guide(md('![x](images/b.png)'))],
    'a link leads to no heading: 00_core.ipynb#circle': [guide(md('[x](00_core.ipynb#circle)'))],
    'a link leads to no heading: #two-ways': [guide(md('[x](#two-ways)'))],
    'a link leads out of the site: ../README.md': [guide(md('[x](../README.md)'))],
    'an image has no alt text': [guide(md('![](images/a.png)')), guide(md('<img src="images/a.png">'))],
    'a cell stores a picture without': [guide(code('plot()', picture)), guide(code('plot()\n#| fig-alt: too late', picture))],
    'fig-alt is not a sentence, or needs quotes': [guide(code(f'#| fig-alt:{o}\nplot()', picture)) for o in ('', ' A line: it rises')],
    'fig-alt is a list of 1, but the cell has 2 outputs': [guide(code('#| fig-alt: [one]\nplots()', picture, picture))],
    'a progress bar or widget state is stored': [guide(code('box', widget))],
    'widget state is stored': [lambda files: files['nbs/guide.ipynb']['metadata'].update(widgets={'state': {}})],
    'a stored output is an error: E': [stores(output_type='error', ename='E')],
    'a stored output names a folder of one machine': [stores(output_type='stream', text=['see /home/me'])],
    'a cell is never run': [guide(code('#| eval: false\nf()'))],
    "a source is one string, not a list of lines: 'x'": [guide({**md('x'), 'source': 'x'})],
    'a line of code has 161 characters': [guide(code('#'*161), code('#'*160), md('x'*200)), guide(md(f"```\n{'x'*161}\n```"))],
    'an empty line is missing above': [cells('guide', md(f'Some text:\n{o}')) for o in ('- a list', '1. a list', '## A heading', '| a | b |\n|---|---|\n| 1 | 2 |')],
    'two asterisks are left as text': [cells('guide', md('**strong* text, `2**x` and 2**3'))],
    "two underscores begin a strong text: '__init__'": [cells('guide', md('as __init__ says'))],
    'a frame (:::) is not closed': [cells('guide', shown('::: {.symbol}\ntext'))],
    "Quarto takes '{{<' for a command": [cells('00_core', code("f'{{<: {x}}}'"))],
    'an import cell also holds other code': [cells('00_core', code('import os\nos.getcwd()'))],
    'core imports spec, which comes later': [adds('core', 'from .spec import *')],
    'core imports scores.ranks, which comes later': [adds('core', 'def f():\n    from ir_cnn.scores.ranks import x')], # a cycle by way of search.knn
    'search.knn imports search.knn, which comes later': [adds('search/knn', 'from .knn import x')],
    'search.knn imports spec: search imports core, search alone': [adds('search/knn', 'from .. import spec')],
    'search.knn imports scores.ranks, which comes later': [adds('search/knn', 'from ..scores import ranks')],
    'search.knn imports all, which no notebook writes': [adds('search/knn', 'import ir_cnn.all')],
    'boost.rerank imports data, which no notebook writes': [adds('boost/rerank', 'import ir_cnn.data')],
    'all.py: line 4 does not import names from a module': [adds('all', 'import os')],
    'all.py: * is not public in spec': [adds('all', 'from .spec import *')],
    'all.py: hidden is not public in core': [adds('all', 'from .core import hidden')],
    'all.py: knn is imported twice': [adds('all', 'from .search.knn import knn')],
    'README.md does not follow': [added('README.md', 'old')],
    'names gone.ipynb, which does not exist': [text('_quarto.yml', 'guide.ipynb]', 'guide.ipynb, gone.ipynb]')],
    'the sidebar does not name tutorials/first.ipynb': [text('_quarto.yml', '[tutorials/first.ipynb]', '[]')],
    'the sidebar names guide.ipynb twice': [text('_quarto.yml', 'guide.ipynb]', 'guide.ipynb, guide.ipynb]')],
    'run .ci/notebooks.py sidebar': [text('_quarto.yml', '              - 01_spec.ipynb\n', '')],
    'the bar names home.ipynb, which does not exist': [text('_quarto.yml', '{href: index.ipynb}', '{href: home.ipynb}')],
    'the stylesheet nbs/other.css does not exist': [text('_quarto.yml', 'styles.css', 'other.css')],
    "repo-branch is 'master', and by settings.ini 'main'": [text('_quarto.yml', 'branch: main', 'branch: master')],
    'is a second copy': [text('nbs/_quarto.yml', '../_quarto.yml', 'website: {}')],
    'its table of modules does not follow': [text('nbs/guide.ipynb', '| Neighbours |', '| Old |')],
}
several = { # changes that break more than one rule
    'two notebooks give the same page: core.html': [added('nbs/02_core.ipynb', module('core', 'The core'))],
    'only nbs/NN_*.ipynb may hold default_exp': [cells('tutorials/first', code('#| default_exp first'))],
    '44_search.exact.ipynb: is not called after the module search.knn': [moved('44_search.knn', '44_search.exact')],
    '64_search.knn.ipynb: its number is not that of its room': [moved('44_search.knn', '64_search.knn')],
    'boost.rerank imports models.pooling: boost imports boost, core, search, spec alone': [lambda files: [
        change(files) for change in (added('nbs/20_models.pooling.ipynb', module('models.pooling', 'Pools')), added('ir_cnn/models/pooling.py', ''),
                                     adds('boost/rerank', 'from ..models.pooling import *'))]],
}

if __name__ == '__main__':
    assert (found := faults(lambda files: None)) == [], f'faults where there are none: {found}'
    for message, changes in [*expected.items(), *several.items()]:
        for found in map(faults, changes):
            assert any(message in o for o in found) and (message in several or len(found) == 1), f'expected {message!r}, found {found}'
    assert notebooks.keep(picture) and not notebooks.keep(widget)
    print(f'notebooks.py finds {len(expected) + len(several)} kinds of faults')
