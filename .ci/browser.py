#!/usr/bin/env python3
"""The widget as a person meets it: JupyterLab in a real browser (Chromium without a window), nothing but loopback.

    browser.py [--screenshots DIR]

Each step prints a line `ok <step> (<seconds> s)`. A failure prints one sentence, saves a screenshot beside the server's log and ends with status 1.
Without Chromium or playwright (`pip install playwright`; it needs no browser of its own) one line says that the test was skipped, with status 0.
    --screenshots DIR   where pictures and the server's log are kept (default: a new temporary folder)
"""
import argparse, importlib.util, json, os, secrets, shutil, signal, socket, subprocess, sys, tempfile, time
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
                            'requestfailed': lambda o: f'{o.method} {o.url} ({o.failure})',
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

def steps(lab, address, root):
    "What a person does in browse_results.ipynb, the notebook itself, in an empty project: it makes its own small run"
    from playwright.sync_api import expect
    expect.set_options(timeout=20_000)
    find, note = lab.page.locator, '⚑ wrong label: <b>looks</b> like a 7'
    cards, query, heading, status = find(f'{grid} .cards button.open'), *(find(f'{grid} {o}').first for o in ('.query', '.heading', '.status'))
    explanation, order = find(f'{outputs} img.widget-image').first, find(f'{outputs} select').filter(has_text='worst P@k first')
    def button(text): return find(f'{outputs} button.jupyter-button:has-text("{text}")').first
    def title(o): return o.get_attribute('title')
    def is_query(name): expect(query.locator('button.open').first).to_have_attribute('title', name)
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
        first = title(query.locator('button.open').first)
    with lab.step('look at it', picture=True): lab.until(f"[...document.querySelectorAll('{grid} img')].every(i => i.complete && i.naturalWidth)")
    with lab.step('click a result: it becomes the query', picture=True):
        second = title(cards.nth(2))
        cards.nth(2).click()
        is_query(second)
        assert second not in [title(o) for o in cards.all()], 'an image found itself'
    with lab.step('back and forward'):
        button('Back').click()
        is_query(first)
        button('Forward').click()
        is_query(second)
    with lab.step('arrow keys, Enter and Escape, and JupyterLab notices nothing'), lab.untouched():
        cards.first.focus()
        lab.press('ArrowRight', 'ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp')
        third = title(cards.nth(1))
        expect(cards.nth(1)).to_be_focused()
        lab.press('Enter')
        is_query(third)
        lab.press('Escape')
        is_query(second)
        lab.press('x', 'd', 'd', 'a', 'b')
        button('Random').focus()
        lab.press('x', 'd', 'd')
    with lab.step('select two with the space bar and search their mean', picture=True):
        cards.first.focus()
        lab.press(' ', 'ArrowRight', ' ')
        expect(find(f'{grid} .card.selected')).to_have_count(2)
        button('Search selected').click()
        expect(heading).to_contain_text('2 images')
        button('Back').click()
        is_query(second)
    with lab.step('explain the first result'):
        button('Explain').click()
        expect(status).to_contain_text('What made')
        lab.until(f"[...document.querySelectorAll('{outputs} img.widget-image')].some(i => i.complete && i.naturalWidth > 100)")
        lab.picture('explain the first result')
        cards.first.focus()
        lab.press('Escape')
        expect(explanation).to_be_hidden()
    with lab.step('the worst query first'):
        order.select_option('worst P@k first')
        expect(heading).to_contain_text('1 of')
        worst = title(query.locator('button.open').first)
    with lab.step('mark it, with HTML in the note', picture=True):
        find(f'{outputs} input[placeholder="in your words"]').fill('<b>looks</b> like a 7')
        button('Set mark').click()
        expect(query).to_contain_text(note)
    with lab.step('save a report'):
        button('Save report').click()
        expect(status).to_contain_text('Wrote', timeout=60_000)
        report = next((root/'log').glob('report_*.html'))
    with lab.step('restart the kernel and run all cells: the mark is there', picture=True):
        lab.restart()
        lab.run_all()
        is_query(first)
        order.select_option('worst P@k first')
        is_query(worst)
        expect(query).to_contain_text(note)
    with lab.step('open the report, a file without a server', picture=True):
        lab.page.goto(report.as_uri())
        assert find('h2').count() >= 5 and find('b').count() == 0, 'the report lacks sections, or obeys the note'
    with lab.step('no error in the console, no failed request, no connection to the outside'):
        assert not lab.problems, f'{len(lab.problems)} of them, the first: {lab.problems[0]}'

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
