#!/usr/bin/env python3
"""The widget as a person meets it: JupyterLab in a real browser (Chromium without a window), nothing but loopback.

    browser.py [--screenshots DIR]

Each step prints a line `ok <step> (<seconds> s)`. A failure prints one sentence, saves a screenshot and ends with status 1.
Without Chromium or playwright (`pip install playwright`; it needs no browser of its own) one line says that the test was skipped, with status 0.
    --screenshots DIR   keep a picture of every step that takes one (default: only of a failure, beside the server's log)
"""
import argparse, importlib.util, json, os, secrets, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

browsers = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-default-apps', '--force-color-profile=srgb', '--hide-scrollbars']


class Failed(Exception): "A step did not come out as expected; the message says which, in one sentence"


# ---- the server --------------------------------------------------------------------------------------------------------

def free_port():
    "A port that nobody listens to"
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def environment(folder):
    "The variables of a user who has never started Jupyter: everything it reads or writes lies below `folder`"
    homes = dict(HOME='home', USERPROFILE='home', APPDATA='home/appdata', XDG_CONFIG_HOME='home/config', XDG_CACHE_HOME='home/cache', XDG_DATA_HOME='home/data',
                 JUPYTER_CONFIG_DIR='jupyter/config', JUPYTER_DATA_DIR='jupyter/data', JUPYTER_RUNTIME_DIR='jupyter/runtime',
                 JUPYTERLAB_SETTINGS_DIR='jupyter/settings', JUPYTERLAB_WORKSPACES_DIR='jupyter/workspaces', IPYTHONDIR='ipython', MPLCONFIGDIR='matplotlib')
    for o in homes.values(): (folder/o).mkdir(parents=True, exist_ok=True)
    quiet = folder/homes['JUPYTERLAB_SETTINGS_DIR']/'@jupyterlab/apputils-extension'/'notification.jupyterlab-settings'
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps(dict(fetchNews='false', checkForUpdates=False)), encoding='utf-8') # JupyterLab would ask, and the question lie above the page
    rest = {k: v for k, v in os.environ.items() if not k.startswith(('JUPYTER', 'JPY_', 'IPYTHON'))}
    return rest | {k: str(folder/v) for k, v in homes.items()} | dict(JUPYTER_PLATFORM_DIRS='1', PYTHONWARNINGS='ignore', no_proxy='127.0.0.1', NO_PROXY='127.0.0.1')


def end(process, patience=10):
    "End a process and everything it started; kernels are groups of their own, so they are looked for before"
    import psutil
    try: tree = [o := psutil.Process(process.pid), *o.children(recursive=True)]
    except psutil.NoSuchProcess: tree = []
    for last in (False, True):
        for o in tree if last else tree[:1]: # the server ends its kernels when it is asked
            try: o.kill() if last else o.terminate()
            except psutil.NoSuchProcess: pass
        _, tree = psutil.wait_procs(tree, timeout=patience)
    process.wait(timeout=patience)


class Server:
    "JupyterLab on a free port of loopback, with an empty home; a context"
    def __init__(self, folder):
        self.root, self.log, self.token, self.port = folder/'work', folder/'server.log', secrets.token_hex(16), free_port()
        self.root.mkdir(parents=True, exist_ok=True)
        self.env = environment(folder/'user')
        self.address = f'http://127.0.0.1:{self.port}'

    def __enter__(self):
        command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--ip=127.0.0.1', f'--port={self.port}', '--ServerApp.port_retries=0',
                   f'--IdentityProvider.token={self.token}', f'--ServerApp.root_dir={self.root}', '--ServerApp.allow_root=True', '--expose-app-in-browser',
                   '--LabApp.news_url=None', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate', '--LabApp.extension_manager=readonly']
        with self.log.open('wb') as log: self.process = subprocess.Popen(command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try: self.wait()
        except BaseException: end(self.process); raise
        return self

    def __exit__(self, *_): end(self.process)

    def wait(self, limit=90):
        "Until it answers"
        until = time.monotonic()+limit
        while time.monotonic() < until:
            if self.process.poll() is not None: raise Failed(f'JupyterLab ended with status {self.process.returncode}: {self.said()}')
            try: return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f'{self.address}/api/status?token={self.token}', timeout=5).close()
            except (urllib.error.URLError, OSError): time.sleep(0.2)
        raise Failed(f'JupyterLab did not answer within {limit} s: {self.said()}')

    def said(self): return ' | '.join(self.log.read_text(encoding='utf-8', errors='replace').split('\n')[-6:])[-600:]


# ---- the browser -------------------------------------------------------------------------------------------------------

def find_browser():
    "The path of Chromium or Chrome, or None"
    usual = ('/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium',
             *(str(Path(os.environ.get(o, '.'))/'Google/Chrome/Application/chrome.exe') for o in ('PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA')))
    return next((o for o in (*map(shutil.which, browsers), *usual) if o and Path(o).exists()), None)


# What is asked of JupyterLab itself, with its own commands: they are those of its menus and keys, and their names outlive its looks
cells = '''() => window.jupyterapp.shell.currentWidget.content.widgets.filter(o => o.model.type == 'code').map(o => ({
    source: o.model.sharedModel.getSource(), state: o.model.executionState, count: o.model.executionCount, outputs: o.model.outputs.toJSON()}))'''
kernel = '() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status ?? "none"'
notebook_state = '''() => { const n = window.jupyterapp.shell.currentWidget.content;
    return {mode: n.mode, active: n.activeCellIndex, cells: n.widgets.map(o => o.model.type + ':' + o.model.sharedModel.getSource())} }'''
run_command = '''name => { const done = window.commandDone = {name, over: false};
    window.jupyterapp.commands.execute(name).then(() => done.over = true, e => { done.over = true; console.error(name + ': ' + e) }) }'''
command_over = '() => window.commandDone.over'


class Lab:
    "A page of JupyterLab, and what a person does there"
    def __init__(self, context, server, screenshots):
        self.server, self.screenshots, self.problems = server, screenshots, []
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on('console', lambda o: self.note('console', o.text) if o.type == 'error' else None)
        self.page.on('pageerror', lambda o: self.note('exception', str(o)))
        self.page.on('requestfailed', lambda o: self.note('request failed', f'{o.method} {o.url} ({o.failure})'))
        context.route(lambda url: urlsplit(url).scheme in ('http', 'https', 'ws', 'wss') and urlsplit(url).hostname != '127.0.0.1',
                      lambda route: (self.note('outside', route.request.url), route.abort()))
        self.page.on('response', lambda o: self.note('response', f'{o.status} {o.request.method} {o.url}') if o.status >= 400 else None)

    def note(self, kind, text):
        "Keep what went wrong in the page"
        self.problems.append(f'{kind}: {text[:300]}')

    @contextmanager
    def step(self, name, picture=False):
        "One line for what is done inside: how long it took, or why it failed"
        from playwright.sync_api import Error
        start = time.monotonic()
        try: yield
        except Error as e: raise Failed(f'{name}: {str(e).splitlines()[0]}') from e
        except (Failed, AssertionError) as e: raise Failed(f'{name}: {e}') from e
        print(f'ok {name} ({time.monotonic()-start:.1f} s)', flush=True)
        if picture: self.picture(name)

    def picture(self, name, folder=None):
        "A screenshot named like the step"
        folder = folder or self.screenshots
        if folder is None: return
        folder.mkdir(parents=True, exist_ok=True)
        file = folder/f"{''.join(c if c.isalnum() else '_' for c in name)[:60]}.png"
        self.page.screenshot(path=str(file))
        return file

    def until(self, what, condition, limit=20, every=0.05):
        "The first true value of `condition()`; `what` says what is waited for"
        until = time.monotonic()+limit
        while True:
            found = condition()
            if found: return found
            if time.monotonic() > until: raise Failed(f'waited {limit} s for {what}; the last answer was {str(found)[:200]!r}')
            self.page.wait_for_timeout(1000*every) # lets the page's own events come in, which time.sleep would not

    # -- notebooks

    def open(self, path):
        "Open a notebook below the server's folder, alone in the window, and wait for its kernel"
        self.page.goto(f'{self.server.address}/lab/workspaces/auto-{secrets.token_hex(3)}/tree/{quote(Path(path).as_posix())}?reset&token={self.server.token}')
        self.until(f'the notebook {path} and its kernel', lambda: self.page.evaluate(f'() => window.jupyterapp && ({kernel})()') == 'idle', 60)
        self.page.evaluate('() => window.jupyterapp.shell.collapseLeft()')
        self.until('the first cell on the screen', lambda: self.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell').count())

    def cells(self):
        "Source, state, counter and outputs of the code cells"
        return self.page.evaluate(cells)

    def run_all(self, limit=120):
        "Run > Run All Cells, until every code cell was run and the kernel is idle; a cell with an error is a failure"
        self.page.evaluate(run_command, 'notebook:run-all-cells')
        self.until('all cells to be run', lambda: self.page.evaluate(command_over), limit, 0.2)
        wrong = [f"{o['ename']}: {o['evalue']}" for c in self.cells() for o in c['outputs'] if o['output_type'] == 'error']
        if wrong: raise Failed(f'a cell shows an error: {wrong[0]}')
        idle = lambda: all(c['count'] and c['state'] == 'idle' for c in self.cells() if c['source'].strip()) and self.page.evaluate(kernel) == 'idle'
        self.until('an idle kernel', idle)

    def restart(self):
        "Kernel > Restart Kernel, without running anything"
        self.page.evaluate(run_command, 'kernelmenu:restart')
        self.page.locator('.jp-Dialog .jp-mod-accept').click()
        self.page.locator('.jp-Dialog').wait_for(state='detached')
        self.until('the kernel to come back', lambda: self.page.evaluate(command_over) and self.page.evaluate(kernel) == 'idle', 60)

    # -- widgets: `where` is a CSS selector within the outputs of the notebook

    def find(self, where):
        "Playwright's locator: it looks anew each time it is used, so it outlives what a widget draws again"
        return self.page.locator(f'.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output {where}')

    def texts(self, where):
        "The texts of all that match; JupyterLab does not lay out what is far outside the window, so this is not `inner_text`"
        return [o.strip() for o in self.find(where).all_text_contents()]

    def click(self, where, nth=0, **kwargs):
        "Click as a mouse does: after scrolling there, in the middle, and only when nothing lies above"
        self.find(where).nth(nth).click(**kwargs)

    def press(self, *keys):
        "Press keys, one after the other, where the focus is"
        for o in keys: self.page.keyboard.press(o)

    def shows(self, where, text, limit=20):
        "Wait until the text stands in the widget"
        self.until(f'{text!r} in {where!r}', lambda: any(text in o for o in self.texts(where)) or '', limit)

    @contextmanager
    def untouched(self):
        "What happens inside leaves cells, mode and active cell of the notebook as they are, however late JupyterLab acts on it"
        before = self.page.evaluate(notebook_state)
        yield
        self.page.wait_for_timeout(300)
        now = self.page.evaluate(notebook_state)
        changed = [o for o in before if before[o] != now[o]]
        if changed: raise Failed(f"the notebook's {changed[0]} changed from {str(before[changed[0]])[:150]} to {str(now[changed[0]])[:150]}")


# ---- the notebook, and what is done with it ------------------------------------------------------------------------------

grid = '.ircnn-grid'
card = f'{grid} .cards button.open'


def heading(lab): return lab.texts(f'{grid} .heading')[0]
def query(lab): return lab.find(f'{grid} .query button.open').first.get_attribute('title')
def named(lab, nth): return lab.find(card).nth(nth).get_attribute('title')
def button(lab, text): lab.click(f'button.jupyter-button:has-text("{text}")')


def steps(lab):
    "What a person does in browse_results.ipynb, the notebook itself, in an empty project: it makes its own small run"
    (lab.server.root/'nbs').mkdir()
    shutil.copy(Path(__file__).resolve().parent.parent/'nbs'/'browse_results.ipynb', lab.server.root/'nbs')
    cards = lambda: lab.find(card).count()
    with lab.step('open browse_results'): lab.open('nbs/browse_results.ipynb')
    with lab.step('run all cells'):
        lab.run_all(300)
        lab.until('24 results', lambda: cards() == 24)
        lab.find(grid).first.scroll_into_view_if_needed()
        first = query(lab)
    with lab.step('look at it', picture=True): lab.until('the pictures', lambda: lab.find(f'{grid} img').evaluate_all('o => o.every(i => i.complete && i.naturalWidth)'))
    with lab.step('click a result: it becomes the query', picture=True):
        second = named(lab, 2)
        lab.click(card, 2)
        lab.until(f'{second} as the query', lambda: query(lab) == second)
        assert second not in [named(lab, i) for i in range(24)], 'an image found itself'
    with lab.step('back and forward'):
        button(lab, 'Back')
        lab.until(f'{first} as the query', lambda: query(lab) == first)
        button(lab, 'Forward')
        lab.until(f'{second} as the query', lambda: query(lab) == second)
    with lab.step('arrow keys, Enter and Escape, and JupyterLab notices nothing'), lab.untouched():
        lab.find(card).nth(0).focus()
        lab.press('ArrowRight', 'ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp')
        third = named(lab, 1)
        assert lab.find(f'{grid} .cards .card:nth-child(2) button.open').evaluate('o => o == document.activeElement'), 'the arrows lead to another card'
        lab.press('Enter')
        lab.until(f'{third} as the query', lambda: query(lab) == third)
        lab.press('Escape')
        lab.until(f'{second} as the query', lambda: query(lab) == second)
        lab.press('x', 'd', 'd', 'a', 'b')
        lab.find('button.jupyter-button:has-text("Random")').focus()
        lab.press('x', 'd', 'd')
    with lab.step('select two with the space bar and search their mean', picture=True):
        lab.find(card).nth(0).focus()
        lab.press(' ', 'ArrowRight', ' ')
        lab.until('two selected cards', lambda: lab.find(f'{grid} .card.selected').count() == 2)
        button(lab, 'Search selected')
        lab.shows(f'{grid} .heading', '2 images')
        button(lab, 'Back')
        lab.until(f'{second} as the query', lambda: query(lab) == second)
    with lab.step('explain the first result'):
        button(lab, 'Explain')
        lab.shows(f'{grid} .status', 'What made')
        lab.until('the explanation', lambda: lab.find('img.widget-image').evaluate_all('o => o.some(i => i.complete && i.naturalWidth > 100)'))
        lab.picture('explain the first result')
        lab.find(card).nth(0).focus()
        lab.press('Escape')
        lab.until('the explanation to be gone', lambda: not lab.find('img.widget-image').first.is_visible())
    with lab.step('the worst query first'):
        lab.find('select').filter(has_text='worst P@k first').select_option('worst P@k first')
        lab.shows(f'{grid} .heading', '1 of')
        worst = query(lab)
    with lab.step('mark it, with HTML in the note', picture=True):
        lab.find('input[placeholder="in your words"]').fill('<b>looks</b> like a 7')
        button(lab, 'Set mark')
        lab.shows(f'{grid} .query', '⚑ wrong label: <b>looks</b> like a 7')
    with lab.step('save a report'):
        button(lab, 'Save report')
        lab.shows(f'{grid} .status', 'Wrote', 60)
        report = next((lab.server.root/'log').glob('report_*.html'))
    with lab.step('restart the kernel and run all cells: the mark is there', picture=True):
        lab.restart()
        lab.run_all(300)
        lab.until('the first query', lambda: query(lab) == first)
        lab.find('select').filter(has_text='worst P@k first').select_option('worst P@k first')
        lab.until(f'{worst} as the query', lambda: query(lab) == worst)
        lab.shows(f'{grid} .query', '⚑ wrong label: <b>looks</b> like a 7')
    with lab.step('open the report, a file without a server', picture=True):
        lab.page.goto(report.as_uri())
        assert lab.page.locator('h2').count() >= 5 and lab.page.locator('b').count() == 0, 'the report lacks sections, or obeys the note'


def main(screenshots, folder):
    "Run the steps; the exit status"
    from playwright.sync_api import Error, sync_playwright
    lab = None
    try:
        start = time.monotonic()
        with Server(folder) as server, sync_playwright() as playwright:
            print(f'ok start JupyterLab ({time.monotonic()-start:.1f} s)', flush=True)
            browser = playwright.chromium.launch(executable_path=find_browser(), args=flags, env=server.env)
            try:
                context = browser.new_context(viewport=dict(width=1500, height=1100), device_scale_factor=1, locale='en-GB', timezone_id='UTC')
                lab = Lab(context, server, screenshots)
                steps(lab)
                with lab.step('no error in the console, no failed request, no connection to the outside'):
                    if lab.problems: raise Failed(f'{len(lab.problems)} of them, the first: {lab.problems[0]}')
            except BaseException:
                if lab is not None:
                    kept = screenshots or Path(tempfile.mkdtemp(prefix='ir_cnn_browser_'))
                    try: print(f"screenshot: {lab.picture('failure', kept)}", flush=True)
                    except Error: print('no screenshot: the browser is gone', flush=True)
                    shutil.copy(server.log, kept)
                    for o in lab.problems[:10]: print('seen', o, flush=True)
                raise
            finally: browser.close()
    except (Failed, Error) as e:
        print(f'FAILED {str(e).splitlines()[0]}', flush=True)
        return 1
    return 0


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--screenshots', type=Path)
    args = parser.parse_args()
    if find_browser() is None: sys.exit(print(f"skipped: no Chromium ({', '.join(browsers[:3])}) on this machine"))
    if importlib.util.find_spec('playwright') is None: sys.exit(print('skipped: playwright is not installed (pip install playwright)'))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)) # so that server and kernels end too
    with tempfile.TemporaryDirectory(prefix='ir_cnn_browser_', ignore_cleanup_errors=True) as folder: sys.exit(main(args.screenshots, Path(folder)))
