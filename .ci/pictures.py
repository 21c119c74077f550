#!/usr/bin/env python3
"""Draw the pictures of the front page and of the guide again, from photographs with a free licence that scikit-learn and scikit-image carry.

    pictures.py [--weights FILE] [neighbours] [explanation] [browser]      (default: all three, into nbs/images)

Ten photographs are cut into square pieces that do not overlap; the pieces of one photograph form a class, and each piece searches all others.
Needs `pip install scikit-image`, the ImageNet weights of mobilenetv2_100 (downloaded through timm, or a file), and Chromium for the browser.
"""
import argparse, io, tempfile
from pathlib import Path
from PIL import Image, ImageOps
from ir_cnn.all import *

images = Path(__file__).resolve().parent.parent/'nbs'/'images'
# Name in the pictures -> where the photograph comes from, who made it, its licence
photographs = {
    'temple':    ('sklearn', 'china.jpg', 'danielbuechele, CC BY 2.0'),
    'flower':    ('sklearn', 'flower.jpg', 'vultilion, CC BY 2.0'),
    'cat':       ('skimage', 'chelsea', 'Stefan van der Walt, CC0'),
    'coffee':    ('skimage', 'coffee', 'Rachel Michetti, CC0'),
    'astronaut': ('skimage', 'astronaut', 'NASA, public domain'),
    'rocket':    ('skimage', 'rocket', 'SpaceX, public domain'),
    'stars':     ('skimage', 'hubble_deep_field', 'NASA, public domain'),
    'grass':     ('skimage', 'grass', 'linolafett, CC0'),
    'bricks':    ('skimage', 'brick', 'CC0Textures, CC0'),
    'gravel':    ('skimage', 'gravel', 'CC0Textures, CC0')}

def photograph(source, name):
    "One of the photographs that the two libraries carry"
    import skimage.data
    from sklearn.datasets import load_sample_image
    return Image.fromarray(load_sample_image(name) if source == 'sklearn' else getattr(skimage.data, name)()).convert('RGB')

def pieces(folder):
    "Write square pieces of the photographs, a folder for each: a third of the shorter side wide, or half of it where that is below 450 pixels"
    for label, (source, name, _) in photographs.items():
        image = photograph(source, name)
        side = min(image.size)//(3 if min(image.size) > 450 else 2)
        (folder/label).mkdir(parents=True)
        for y in range(image.height//side):
            for x in range(image.width//side):
                image.crop((side*x, side*y, side*(x+1), side*(y+1))).save(folder/label/f'{label} {y+1}-{x+1}.jpg', quality=92)
    return FolderDataset(folder, split=LeaveOneOut())

def row(items, name):
    "The row of a piece"
    return [Path(o).stem for o in items.path].index(name)

def save(figure, name, dpi):
    "A JPEG file: photographs as PNG would be five times as large"
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi)
    Image.open(buffer).convert('RGB').save(images/name, quality=88, optimize=True, progressive=True)
    print(f'{name}: {(images/name).stat().st_size/1000:.0f} kB')

def neighbours(fts):
    "Three queries and their five nearest pieces"
    from matplotlib import rc_context
    nn = knn(fts.query, fts.gallery, k=5, exclude=Exclude(rows=own_rows(fts.gallery_items, fts.query_items)))
    print(evaluate(nn, fts.query_labels, fts.gallery_labels, ks=(1, 5)))
    with rc_context({'font.size': 12}):
        save(plot_neighbours(nn, fts.query_items, fts.gallery_items, rows=[row(fts.query_items, o) for o in ('temple 2-2', 'cat 1-2', 'coffee 1-2')], k=5),
             'photographs.jpg', 150)

def explanation(fts, emb):
    "Which parts made two pieces similar"
    path = lambda name: fts.query_items.path.iloc[row(fts.query_items, name)]
    save(plot_pair(explain_pair(emb, path('flower 1-2'), path('flower 2-2'))), 'explanation.jpg', 110)

def browser(root, fts, weights):
    "The browser of results in JupyterLab, with a piece of the temple as the query and an explanation of the first result"
    import nbformat
    from browser import Lab, chromium, environment, flags, idle, jupyterlab, outputs
    from nbformat.v4 import new_code_cell, new_notebook
    from playwright.sync_api import sync_playwright
    shots = root/'screenshots'
    shots.mkdir()
    named = dict(mobilenetv2_100=weights) if weights else None
    source = f"from ir_cnn.all import *\nbrowser = RetrievalBrowser(k=24, weights={named!r})\n" + \
             f"browser.session.go('query', {row(fts.query_items, 'temple 2-2')})\nbrowser.draw()\nbrowser"
    nbformat.write(new_notebook(cells=[new_code_cell(source)], metadata=dict(kernelspec=dict(name='python3', display_name='Python 3'))), root/'browse.ipynb')
    env = environment(root/'user')
    with jupyterlab(root, env, shots/'server.log') as address, sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium, args=flags, env=env)
        lab = Lab(chrome.new_context(viewport=dict(width=1180, height=1000), device_scale_factor=1.25), shots)
        lab.page.goto(address.format('browse.ipynb'))
        lab.until(idle, 60)
        lab.page.evaluate('window.jupyterapp.shell.collapseLeft()')
        lab.run_all()
        lab.page.locator(f'{outputs} button:has-text("Explain")').first.click()
        lab.page.wait_for_timeout(1000)
        lab.until("!document.body.innerText.includes('Explaining:')", 120)
        lab.page.wait_for_timeout(2000) # the pictures
        shot = lab.page.locator(outputs).filter(has=lab.page.locator('.ircnn-grid')).first.screenshot()
        chrome.close()
    ImageOps.expand(Image.open(io.BytesIO(shot)).convert('RGB'), 16, 'white').save(images/'browser.jpg', quality=80, optimize=True, progressive=True)
    print(f"browser.jpg: {(images/'browser.jpg').stat().st_size/1000:.0f} kB")

def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument('--weights', help='file with the ImageNet weights of mobilenetv2_100')
    parse.add_argument('which', nargs='*', default=['neighbours', 'explanation', 'browser'])
    o = parse.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        emb = create_embedder('mobilenetv2_100', **(dict(weights=o.weights) if o.weights else {}))
        fts = extract(emb, pieces(root/'Data'/'photographs'), root=root)
        if 'neighbours' in o.which: neighbours(fts)
        if 'explanation' in o.which: explanation(fts, emb)
        if 'browser' in o.which: browser(root, fts, o.weights and str(Path(o.weights).resolve()))

if __name__ == '__main__': main()
