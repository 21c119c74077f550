#!/usr/bin/env python3
"""Does notebooks.py find what it should? A tiny project without faults, and then with one fault after the other."""
import json, tempfile
from pathlib import Path
import notebooks

picture = dict(output_type='display_data', metadata={}, data={'image/png': 'iVBORw0KGgo=', 'text/plain': '<Figure>'})
widget = dict(output_type='display_data', metadata={}, data={'application/vnd.jupyter.widget-view+json': {'model_id': '1'}, 'text/plain': 'Box()'})
table = dict(output_type='display_data', metadata={}, data={'text/markdown': '| module | what |\n|---|---|\n| [core](00_core.ipynb) | The core |'})
site = """website:
  title: tiny
  description: A tiny project
  site-url: https://tiny.example/tiny
  repo-url: https://tiny.example/source
  repo-branch: main
  navbar: {left: [{href: index.ipynb}], right: [{href: "https://tiny.example/source"}]}
  sidebar:
    contents:
      - section: Start here
        contents: [{text: Home, href: index.ipynb}, guide.ipynb]
      - {section: Library, contents: [00_core.ipynb, 01_data.ipynb]}
      - {section: Tutorials, contents: [tutorials/first.ipynb]}
format: {html: {css: styles.css}}
"""


def md(text): return dict(cell_type='markdown', id='m', metadata={}, source=text)
def code(text, *outputs): return dict(cell_type='code', id='c', metadata={}, execution_count=None, source=text, outputs=list(outputs))
def notebook(*cells, **metadata): return dict(cells=list(cells), metadata=metadata, nbformat=4, nbformat_minor=5)


def tree():
    "Relative path -> text or notebook of a project without faults"
    return {
        'settings.ini': '[DEFAULT]\ntitle = tiny\ndescription = A tiny project\ndoc_host = https://tiny.example\ndoc_baseurl = /tiny\ngit_url = https://tiny.example/source\nbranch = main\n',
        '_quarto.yml': site, 'nbs/_quarto.yml': '../_quarto.yml\n', 'nbs/styles.css': '', 'nbs/images/a.png': '', 'ir_cnn/core.py': '', 'ir_cnn/data.py': '',
        'nbs/index.ipynb': notebook(md('# tiny\n\n> A tiny project'), md('![A cat](images/a.png)\n\nSee [the guide](guide.ipynb#two-ways-to-start) and [more](https://tiny.example).')),
        'nbs/guide.ipynb': notebook(md('# Guide\n\n> How to use it'), md('## Two ways, to `start`\n\n[Class](00_core.ipynb#shape.area), [value](00_core.ipynb#shapes), [below](#two-ways-to-start), `[no](link.ipynb)`'), code('1', table),
                                    code('#| fig-alt: "A line: it rises"\nplot()', picture), code('#| fig-alt: [one, two]\nplots()', picture, picture)),
        'nbs/00_core.ipynb': notebook(md('# core\n\n> The core'), code('#| default_exp core'), code('#| export\nclass Shape:\n    def area(self): return 1\nshapes = {}')),
        'nbs/01_data.ipynb': notebook(md('# data\n\n> The data'), code('#| default_exp data')),
        'nbs/tutorials/first.ipynb': notebook(md('# First\n\n> A first search'), md('Back to [the guide](../guide.ipynb).\n\n```md\n[no](link.ipynb)\n```'))}


def faults(change):
    "What check says about the tree after a change"
    files = tree()
    files['nbs/guide.ipynb']['cells'][2]['outputs'] = [json.loads(json.dumps(table).replace('The core |', 'The core |\\n| [data](01_data.ipynb) | The data |'))]
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
    "A change of one text, or of the source of a notebook's cells"
    def change(files):
        before = files[name] if isinstance(files[name], str) else json.dumps(files[name])
        assert old in before, f'{name} does not hold {old!r}'
        files[name] = before.replace(old, new, 1) if isinstance(files[name], str) else json.loads(before.replace(old, new, 1))
    return change


def cells(name, *new): return lambda files: files[name]['cells'].extend(new)


expected = [ # what check has to say, and nothing else, after a change
    ('more than title and summary', text('nbs/01_data.ipynb', 'The data', 'The data\\n\\nMore text')),
    ('the first cell has no title', text('nbs/01_data.ipynb', '# data', 'data')),
    ('there is no one-line summary', text('nbs/tutorials/first.ipynb', '\\n\\n> A first search', '')),
    ('a link leads nowhere: nowhere.ipynb', cells('nbs/guide.ipynb', md('[x](nowhere.ipynb)'))),
    ('a link leads nowhere: images/b.png', cells('nbs/guide.ipynb', md('![x](images/b.png)'))),
    ('a link leads nowhere: nowhere.ipynb', cells('nbs/guide.ipynb', code('x', json.loads(json.dumps(table).replace('00_core', 'nowhere').replace('| module | what |', '')))),),
    ('a link leads to no heading: 00_core.ipynb#circle', cells('nbs/guide.ipynb', md('[x](00_core.ipynb#circle)'))),
    ('a link leads to no heading: #two-ways', cells('nbs/guide.ipynb', md('[x](#two-ways)'))),
    ('a link leads out of the site: ../README.md', cells('nbs/guide.ipynb', md('[x](../README.md)'))),
    ('an image has no alt text', cells('nbs/guide.ipynb', md('![](images/a.png)'))),
    ('an image has no alt text', cells('nbs/guide.ipynb', md('<img src="images/a.png">'))),
    ('a cell stores a picture without', cells('nbs/guide.ipynb', code('plot()', picture))),
    ('a cell stores a picture without', cells('nbs/guide.ipynb', code('plot()\n#| fig-alt: too late', picture))),
    ('fig-alt is no sentence, or needs quotes', cells('nbs/guide.ipynb', code('#| fig-alt:\nplot()', picture))),
    ('fig-alt is no sentence, or needs quotes', cells('nbs/guide.ipynb', code('#| fig-alt: A line: it rises\nplot()', picture))),
    ('fig-alt is a list of 1, but the cell has 2 outputs', cells('nbs/guide.ipynb', code('#| fig-alt: [one]\nplots()', picture, picture))),
    ('a progress bar or widget state is stored', cells('nbs/guide.ipynb', code('box', widget))),
    ('widget state is stored', lambda files: files['nbs/guide.ipynb']['metadata'].update(widgets={'state': {}})),
    ('a cell keeps its execution count', cells('nbs/guide.ipynb', {**code('1'), 'execution_count': 3})),
    ('an exported cell imports data, which comes later', cells('nbs/00_core.ipynb', code('#| export\nfrom ir_cnn.data import x'))),
    ('an import cell also holds other code', cells('nbs/00_core.ipynb', code('import os\nos.getcwd()'))),
    ('ir_cnn/other.py has no notebook', lambda files: files.update({'ir_cnn/other.py': ''})),
    ('README.md does not follow', lambda files: files.update({'README.md': 'old'})),
    ('names gone.ipynb, which does not exist', text('_quarto.yml', 'guide.ipynb]', 'guide.ipynb, gone.ipynb]')),
    ('the sidebar does not name tutorials/first.ipynb', text('_quarto.yml', '[tutorials/first.ipynb]', '[]')),
    ('the sidebar names guide.ipynb twice', text('_quarto.yml', 'guide.ipynb]', 'guide.ipynb, guide.ipynb]')),
    ('the sidebar names 01_data.ipynb before 00_core.ipynb', text('_quarto.yml', '[00_core.ipynb, 01_data.ipynb]', '[01_data.ipynb, 00_core.ipynb]')),
    ('the bar names home.ipynb, which does not exist', text('_quarto.yml', '{href: index.ipynb}', '{href: home.ipynb}')),
    ('the stylesheet nbs/other.css does not exist', text('_quarto.yml', 'styles.css', 'other.css')),
    ("repo-branch is 'master', and by settings.ini 'main'", text('_quarto.yml', 'branch: main', 'branch: master')),
    ('is a second copy', text('nbs/_quarto.yml', '../_quarto.yml', 'website: {}')),
    ("its table of modules lacks '| [data](01_data.ipynb) | All data |'", text('nbs/01_data.ipynb', 'The data', 'All data')),
]


def main():
    assert (found := faults(lambda files: None)) == [], f'faults where there are none: {found}'
    for message, change in expected:
        found = faults(change)
        assert len(found) == 1 and message in found[0], f'expected {message!r}, found {found}'
    double = faults(lambda files: files.update({'nbs/02_core.ipynb': files['nbs/00_core.ipynb']}))
    assert any('two notebooks give the same page: core' in o for o in double) and any('written by 00_core.ipynb already' in o for o in double), double
    with tempfile.TemporaryDirectory() as d: # split
        path = Path(d)/'a.ipynb'
        path.write_text(json.dumps(notebook(md('# a\n\n> b\n\nc\n\nd'), code('1'))), encoding='utf-8')
        assert notebooks.split(path) and not notebooks.split(path)
        assert [''.join(o['source']) for o in json.loads(path.read_text(encoding='utf-8'))['cells']] == ['# a\n\n> b', 'c\n\nd', '1']
    assert notebooks.keep(picture) and not notebooks.keep(widget)
    print(f'notebooks.py finds {len(expected) + 2} kinds of faults')


if __name__ == '__main__': main()
