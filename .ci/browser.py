#!/usr/bin/env python3
"""The widget as a person meets it: JupyterLab in a real browser (Chromium without a window), nothing but loopback.

    browser.py [--screenshots DIR]

Each step prints a line `ok <step> (<seconds> s)`. A failure prints one sentence, saves a screenshot beside the server's log and ends with status 1.
Without Chromium or playwright (`pip install playwright`; it needs no browser of its own) one line says that the test was skipped, with status 0.
    --screenshots DIR   where pictures and the server's log are kept (default: a new temporary folder)
"""
import argparse, importlib.util, json, os, re, secrets, shutil, signal, socket, subprocess, sys, tempfile, time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

browsers = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome',
            *(f'/Applications/{o}.app/Contents/MacOS/{o}' for o in ('Google Chrome', 'Chromium')),
            *(os.path.expandvars(f'%{o}%/Google/Chrome/Application/chrome.exe') for o in ('PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA')))
chromium = next(filter(None, map(shutil.which, browsers)), None)
flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-default-apps', '--force-color-profile=srgb', '--hide-scrollbars']

def environment(folder):
    "The variables of a user who has never started Jupyter: everything it reads or writes lies below `folder`"
    homes = {o: str(folder/o.lower()) for o in (
        'HOME', 'USERPROFILE', 'APPDATA', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR',
        'JUPYTER_RUNTIME_DIR', 'JUPYTERLAB_SETTINGS_DIR', 'JUPYTERLAB_WORKSPACES_DIR', 'IPYTHONDIR', 'MPLCONFIGDIR')}
    for o in homes.values(): Path(o).mkdir(parents=True)
    quiet = Path(homes['JUPYTERLAB_SETTINGS_DIR'])/'@jupyterlab/apputils-extension/notification.jupyterlab-settings'
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps(dict(fetchNews='false', checkForUpdates=False)), encoding='utf-8') # JupyterLab would ask, and the question lie above the page
    rest = {k: v for k, v in os.environ.items() if not k.startswith(('JUPYTER', 'JPY_', 'IPYTHON'))}
    return rest | homes | dict(JUPYTER_PLATFORM_DIRS='1', PYTHONWARNINGS='ignore', no_proxy='127.0.0.1', NO_PROXY='127.0.0.1')

@contextmanager
def jupyterlab(root, env, log, limit=90):
    "JupyterLab on a free port of loopback: the address at which it opens a file below `root`"
    token = secrets.token_hex(16)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--ip=127.0.0.1', f'--port={port}', '--ServerApp.port_retries=0',
               f'--IdentityProvider.token={token}', f'--ServerApp.root_dir={root}', '--ServerApp.allow_root=True', '--expose-app-in-browser',
               '--LabApp.news_url=None', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate', '--LabApp.extension_manager=readonly']
    with log.open('wb') as out: process = subprocess.Popen(command, cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        listens, until = lambda: list(Path(env['JUPYTER_RUNTIME_DIR']).glob('jpserver-*.json')), time.monotonic()+limit
        while not listens() and process.poll() is None and time.monotonic() < until: time.sleep(0.2)
        assert listens(), f'JupyterLab does not listen (status {process.returncode}): ' + log.read_text(encoding='utf-8', errors='replace')[-600:]
        yield f'http://127.0.0.1:{port}/lab/workspaces/auto-1/tree/{{}}?reset&token={token}'
    finally:
        process.terminate() # it ends its kernels, and they themselves when it is gone
        try: process.wait(20)
        except subprocess.TimeoutExpired: process.kill()

# What is asked of JupyterLab itself, with its own commands: they are those of its menus and keys, and their names outlive its looks
notebook = 'window.jupyterapp?.shell.currentWidget'
idle = f'{notebook}?.sessionContext?.session?.kernel?.status == "idle"'
run_command = '(name => { window.over = false; window.jupyterapp.commands.execute(name).then(() => window.over = true) })'
code_cells = f'{notebook}.content.widgets.map(o => o.model).filter(o => o.type == "code" && o.sharedModel.getSource().trim())'
all_run = f'window.over && {idle} && {code_cells}.every(o => o.executionCount && o.executionState == "idle")'
errors = f'{code_cells}.flatMap(o => o.outputs.toJSON()).filter(o => o.output_type == "error").map(o => o.ename + ": " + o.evalue)'
state = f'''(n => ({{mode: n.mode, active: n.activeCellIndex, cells: n.widgets.map(o => o.model.type + ':' + o.model.sharedModel.getSource())}})
            )({notebook}.content)'''
shown = '.jp-NotebookPanel:not(.lm-mod-hidden)'
outputs, grid = f'{shown} .jp-OutputArea-output', f'{shown} .jp-OutputArea-output .ircnn-grid'

class Lab:
    "A page of JupyterLab, and what a person does there"
    def __init__(self, context, screenshots):
        self.page, self.screenshots, self.problems = context.new_page(), screenshots, []
        self.page.set_default_timeout(20_000)
        for event, text in {'console': lambda o: o.type == 'error' and o.text, 'pageerror': str,
                            # a page that is left gives up what it was still reading: no fault of anybody
                            'requestfailed': lambda o: (o.method, o.failure)!=('GET', 'net::ERR_ABORTED') and f'{o.method} {o.url} ({o.failure})',
                            'response': lambda o: o.status >= 400 and f'{o.status} {o.request.method} {o.url}'}.items(): self.watch(event, text)
        context.route(lambda url: urlsplit(url).scheme in ('http', 'https', 'ws', 'wss') and urlsplit(url).hostname != '127.0.0.1',
                      lambda route: (self.problems.append(f'outside: {route.request.url}'), route.abort()))

    def watch(self, event, text):
        "Keep what goes wrong in the page"
        self.page.on(event, lambda o: self.problems.append(f'{event}: {text(o)[:300]}') if text(o) else None)

    @contextmanager
    def step(self, name, picture=False):
        "One line for what is done inside: how long it took, or why it failed"
        from playwright.sync_api import Error
        start = time.monotonic()
        try: yield
        except (AssertionError, Error) as e: raise AssertionError(f'{name}: {e}') from e
        print(f'ok {name} ({time.monotonic()-start:.1f} s)', flush=True)
        if picture: self.picture(name)

    def picture(self, name):
        "A screenshot named like the step"
        self.page.screenshot(path=self.screenshots/f"{''.join(c if c.isalnum() else '_' for c in name)[:60]}.png")

    def until(self, condition, limit=20):
        "Wait until a condition holds in the page"
        try: self.page.wait_for_function(condition, timeout=1000*limit)
        except Exception as e: raise AssertionError(f'waited {limit} s for {condition}') from e

    def run_all(self):
        "Run > Run All Cells, until every code cell was run and the kernel is idle; a cell with an error is a failure"
        self.page.evaluate(run_command, 'notebook:run-all-cells')
        self.until('window.over', 300)
        assert not (wrong := self.page.evaluate(errors)), f'a cell shows an error: {wrong[0]}'
        self.until(all_run)

    def restart(self):
        "Kernel > Restart Kernel, without running anything"
        self.page.evaluate(run_command, 'kernelmenu:restart')
        self.page.locator('.jp-Dialog .jp-mod-accept').click()
        self.page.locator('.jp-Dialog').wait_for(state='detached')
        self.until(f'window.over && {idle}', 60)

    def press(self, *keys):
        "Press keys, one after the other, where the focus is"
        for o in keys: self.page.keyboard.press(o)

    @contextmanager
    def untouched(self):
        "What happens inside leaves cells, mode and active cell of the notebook as they are, however late JupyterLab acts on it"
        before = self.page.evaluate(state)
        yield
        self.page.wait_for_timeout(300)
        now = self.page.evaluate(state)
        assert now == before, f'the notebook changed from {before} to {now}'

# Eighty digits under two networks: a small project for what takes two models, and for a notebook that is saved
two_models = """
import shutil
from pathlib import Path
from ir_cnn.all import *
from ir_cnn.data.benchmark import write_digits
from ir_cnn.data.splits import RandomSplit
write_digits('digits')
for o in Path('digits').iterdir():
    for image in sorted(o.iterdir())[8:]: image.unlink()
for pooling in ('avg', 'max'):
    extract(create_embedder('test_resnet', pretrained=False, pooling=pooling), FolderDataset('digits', split=RandomSplit(0.25)), progress=False)
browser = RetrievalBrowser(k=50)
browser"""

# The same digits as a collection, which is filtered and listed
collection = """
from ir_cnn.all import *
photos = Collection('digits.collection', create_embedder('test_resnet', pretrained=False, size=32))
photos.add('../two/digits')
photos.browse()"""

def write_notebook(path, source):
    "A notebook of one cell"
    cell = dict(cell_type='code', id='one', metadata={}, execution_count=None, outputs=[], source=source.strip())
    path.write_text(json.dumps(dict(nbformat=4, nbformat_minor=5, cells=[cell],
                                    metadata=dict(kernelspec=dict(name='python3', display_name='Python 3', language='python')))), encoding='utf-8')

class Browser:
    "The widget in the notebook that is open, as a person finds its parts"
    def __init__(self, lab):
        from playwright.sync_api import expect
        expect.set_options(timeout=20_000)
        self.find, self.expect, find = lab.page.locator, expect, lab.page.locator
        self.cards, self.results = find(f'{grid} .cards button.open'), find(f'{grid} .cards .card')
        self.query, self.heading, self.status, self.dialog = (find(f'{grid} {o}').first for o in ('.query', '.heading', '.status', 'dialog'))
        self.explanation, self.order = find(f'{grid} .explanation'), find(f'{outputs} select').filter(has_text='worst P@k first')

    def button(self, text): return self.find(f'{outputs} button.jupyter-button:has-text("{text}")').first
    def field(self, hint): return self.find(f'{outputs} input[placeholder^="{hint}"]')
    def name(self, i): return self.results.nth(i).get_attribute('data-name')
    def queried(self): return self.query.locator('.card').first.get_attribute('data-name')
    def is_query(self, name): self.expect(self.query.locator('.card').first).to_have_attribute('data-name', name)

def steps(lab, address, root):
    "What a person does in browse_results.ipynb, the notebook itself, in an empty project: it makes its own small run"
    page, find, note = Browser(lab), lab.page.locator, '⚑ wrong label: <b>looks</b> like a 7'
    expect, cards, query, status, is_query, button = page.expect, page.cards, page.query, page.status, page.is_query, page.button
    (root/'nbs').mkdir()
    shutil.copy(Path(__file__).resolve().parent.parent/'nbs'/'browse_results.ipynb', root/'nbs')
    with lab.step('open browse_results'):
        lab.page.goto(address.format('nbs/browse_results.ipynb'))
        lab.until(idle, 60)
        lab.page.evaluate('window.jupyterapp.shell.collapseLeft()')
        expect(find(f'{shown} .jp-Cell').first).to_be_attached()
    with lab.step('run all cells'):
        lab.run_all()
        expect(cards).to_have_count(24)
        find(grid).first.scroll_into_view_if_needed()
        first = page.queried()
        expect(find(f'{outputs} .jp-RenderedImage').first).to_be_hidden() # the picture for where no kernel runs
    with lab.step('look at it', picture=True): lab.until(f"[...document.querySelectorAll('{grid} img')].every(i => i.complete && i.naturalWidth)")
    with lab.step('click a result: it becomes the query', picture=True):
        second = page.name(2)
        cards.nth(2).click()
        is_query(second)
        assert second not in [page.name(i) for i in range(24)], 'an image found itself'
        expect(find(f'{grid} .title').first).to_contain_text(' there are, among 24')
    with lab.step('back and forward'):
        button('Back').click()
        is_query(first)
        button('Forward').click()
        is_query(second)
    with lab.step('one tab stop'):
        stops = f"[...document.querySelectorAll('{grid} button, {grid} input')].filter(o => o.tabIndex >= 0 && o.offsetParent)"
        assert (n := lab.page.evaluate(f'{stops}.length')) == 1, f'{n} elements of the grid are tab stops'
    with lab.step('keys move, search and go back, and JupyterLab notices nothing'), lab.untouched():
        cards.first.focus()
        lab.press('ArrowRight', 'ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp')
        third = page.name(1)
        expect(cards.nth(1)).to_be_focused()
        lab.press('Enter')
        is_query(third)
        lab.press('Escape')
        is_query(second)
        lab.press('End')
        expect(cards.nth(23)).to_be_focused()
        lab.press('Home')
        expect(cards.first).to_be_focused()
        lab.press('n')
        expect(page.heading).to_contain_text('of 359, index')
        lab.press('Escape')
        is_query(second)
        lab.press('x', 'd', 'd', 'a', 'b')
        button('Next').focus()
        lab.press('x', 'd', 'd')
    with lab.step('the list of keys and a large view, closed by Escape', picture=True), lab.untouched():
        cards.nth(1).focus()
        lab.press('?')
        expect(page.dialog).to_contain_text('Page Up')
        lab.press('Escape')
        expect(page.dialog).to_be_hidden()
        lab.press('z')
        expect(page.dialog).to_contain_text('8 x 8 pixels')
        lab.until(f"[...document.querySelectorAll('{grid} dialog img')].some(i => i.complete && i.naturalWidth > 1000)")
        lab.press('ArrowRight')
        expect(page.dialog).to_contain_text(page.name(2))
        lab.press('Escape')
        expect(page.dialog).to_be_hidden()
        is_query(second)
    with lab.step('select two with the space bar and search their mean', picture=True):
        cards.first.focus()
        lab.press(' ', 'ArrowRight', ' ')
        expect(find(f'{grid} .card.selected')).to_have_count(2)
        cards.nth(4).click(modifiers=['Shift'])
        expect(find(f'{grid} .card.selected')).to_have_count(5)
        button('Search selected').click()
        expect(page.heading).to_contain_text('5 images')
        button('Back').click()
        is_query(second)
    with lab.step('explain the third result, beside the query'):
        cards.nth(2).focus()
        lab.press('e')
        expect(page.explanation).to_contain_text('Why 3')
        lab.until(f"[...document.querySelectorAll('{grid} .explanation img')].filter(i => i.complete && i.naturalWidth > 100).length == 4")
        lab.picture('explain the third result')
        assert page.explanation.bounding_box()['y'] < cards.nth(23).bounding_box()['y'], 'the explanation is below the cards'
        lab.press('Escape')
        expect(page.explanation).to_be_hidden()
        button('Explain').click()
        expect(page.explanation).to_contain_text('Why 1')
        cards.first.focus()
        lab.press('Escape')
        expect(page.explanation).to_be_hidden()
    with lab.step('the worst query first'):
        page.order.select_option('worst P@k first')
        expect(page.heading).to_contain_text('1 of')
        worst = page.queried()
    with lab.step('mark it, with HTML in the note', picture=True):
        button('More').click()
        page.field('in your words').fill('<b>looks</b> like a 7')
        button('Set mark').click()
        expect(query).to_contain_text(note)
        expect(page.field('in your words')).to_have_value('')
        button('Only marked').click()
        expect(cards).to_have_count(1)
        button('Only marked').click()
        expect(cards).to_have_count(24)
    with lab.step('the same path twice'):
        image = next(o for o in sorted((root/'Data').rglob('*.png')))
        for _ in range(2):
            page.field('a path').fill(str(image))
            page.field('a path').press('Enter')
            expect(query).to_contain_text('your image')
            expect(page.field('a path')).to_have_value('')
            button('Back').click()
            is_query(worst)
    with lab.step('save a report'):
        button('Save report').click()
        expect(status).to_contain_text('Wrote', timeout=60_000)
        report = next((root/'log').glob('report_*.html'))
    with lab.step('restart the kernel and run all cells: the mark is there', picture=True):
        lab.restart()
        lab.run_all()
        is_query(first)
        page.order.select_option('worst P@k first')
        is_query(worst)
        expect(query).to_contain_text(note)
    with lab.step('two models: equal ranks in one line', picture=True):
        (root/'two').mkdir()
        write_notebook(root/'two'/'two.ipynb', two_models)
        lab.page.goto(address.format('two/two.ipynb'))
        lab.until(idle, 60)
        lab.run_all()
        button('More').click()
        find(f'{outputs} select').filter(has_text='no second model').select_option(index=1)
        expect(cards).to_have_count(48)
        tops = [round(cards.nth(i).bounding_box()['y']) for i in range(48)]
        assert tops[:24] == tops[24:], 'equal ranks stand in different lines'
        assert len({round(cards.nth(i).bounding_box()['height']) for i in range(6)}) == 1, 'the cards of a line differ in height'
        expect(page.results.first).to_contain_text(re.compile('there|lost'))
        cards.first.focus()
        lab.press('PageDown')
        expect(find(f'{grid} .title').first).to_contain_text('25-48 of 50')
    with lab.step('a saved notebook shows its picture where its kernel is gone', picture=True):
        lab.page.evaluate(run_command, 'docmanager:save')
        lab.until('window.over')
        stored = [o for c in json.loads((root/'two'/'two.ipynb').read_text(encoding='utf-8'))['cells'] for o in c['outputs'] if 'image/png' in o.get('data', {})]
        assert len(stored) == 1 and len(json.dumps(stored)) < 300_000, f'{len(stored)} pictures of {len(json.dumps(stored)):,} characters'
        shutil.copy(root/'two'/'two.ipynb', root/'two'/'saved.ipynb')
        lab.page.goto(address.format('two/saved.ipynb'))
        lab.until(idle, 60)
        expect(find(f'{outputs} .jp-RenderedImage, {outputs}.jp-RenderedImage').first).to_be_visible()
    with lab.step('a collection: filter, list, search, and a condition that cannot be read', picture=True):
        (root/'own').mkdir()
        write_notebook(root/'own'/'own.ipynb', collection)
        lab.page.goto(address.format('own/own.ipynb'))
        lab.until(idle, 60)
        lab.run_all()
        expect(page.heading).to_contain_text('1 of 80, as added')
        field = page.field('e.g. year')
        field.fill("label in ['3', '5']")
        field.press('Enter')
        expect(status).to_contain_text('16 images where label in')
        button('All images').click()
        expect(cards).to_have_count(16)
        listed = page.name(9)
        cards.nth(9).click()
        is_query(listed)
        expect(page.heading).to_contain_text('10 of 16')
        expect(cards).to_have_count(15)
        field.fill("lable == '3'")
        field.press('Enter')
        expect(status).to_contain_text('Did you mean label')
        expect(field).to_have_value("lable == '3'")
        is_query(listed)
    with lab.step('open the report, a file without a server', picture=True):
        lab.page.goto(report.as_uri())
        assert find('h2').count() >= 5 and find('b').count() == 0, 'the report lacks sections, or obeys the note'
    with lab.step('no error in the console, no failed request, no connection to the outside'):
        problems = [o for o in lab.problems if 'widget model not found' not in o] # of the saved notebook, where the picture stands in for it
        assert not problems, f'{len(problems)} of them, the first: {problems[0]}'

def main(screenshots, folder):
    "Run the steps; the exit status"
    from playwright.sync_api import Error, sync_playwright
    lab, env, root, start = None, environment(folder/'user'), folder/'work', time.monotonic()
    for o in (root, screenshots): o.mkdir(parents=True, exist_ok=True)
    try:
        with jupyterlab(root, env, screenshots/'server.log') as address, sync_playwright() as playwright:
            print(f'ok start JupyterLab ({time.monotonic()-start:.1f} s)', flush=True)
            browser = playwright.chromium.launch(executable_path=chromium, args=flags, env=env)
            context = browser.new_context(viewport=dict(width=1500, height=1100), device_scale_factor=1, locale='en-GB', timezone_id='UTC')
            lab = Lab(context, screenshots)
            try: steps(lab, address, root)
            except BaseException:
                with suppress(Error): lab.picture('failure') # unless the browser is gone
                raise
            finally: browser.close()
    except (AssertionError, Error) as e:
        for o in lab.problems[:10] if lab else (): print('seen', o)
        print(f"FAILED {' '.join(str(e).split())[:400]}; pictures and the server's log: {screenshots}")
        return 1
    return 0

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--screenshots', type=Path)
    args = parser.parse_args()
    if chromium is None: sys.exit(print(f"skipped: no Chromium ({', '.join(browsers[:3])}) on this machine"))
    if importlib.util.find_spec('playwright') is None: sys.exit(print('skipped: playwright is not installed (pip install playwright)'))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)) # so that server and kernels end too
    with tempfile.TemporaryDirectory(prefix='ir_cnn_browser_', ignore_cleanup_errors=True) as folder:
        sys.exit(main(args.screenshots or Path(tempfile.mkdtemp(prefix='ir_cnn_pictures_')), Path(folder)))
