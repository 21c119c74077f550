#!/usr/bin/env python3
"""Attacks on running jobs: what is finished has to stay, and the next run has to end as if nothing had happened.

    attacks.py kill N [SEED]      N times SIGKILL at a random call that changes a file, half of them in the run that goes on after another kill
    attacks.py disk N             the main job on N disks that are too small, each of which grows afterwards (needs root)
    attacks.py writers [SECONDS]  eight writers of one workbook and of one file of marks, their clocks up to an hour apart, one stopped for SECONDS (120)

Works on Linux. `kill` needs strace. Ends with a line such as `kill: 300 tries, 0 wrong`, and a non-zero status when something was wrong.
"""
import contextlib, io, json, os, pickle, random, re, shutil, signal, subprocess, sys, tempfile, time, warnings
from collections import Counter
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS='1', MPLBACKEND='Agg', PYTHONUNBUFFERED='1') # one thread: a forked child has no others
import numpy as np, pandas as pd, torch
from PIL import Image
from ir_cnn.all import Marks, create_embedder, dataframes_to_excel, extract, get_dataset, ir_cnn_run, read_log, run, train
import ir_cnn.features.extract as extraction
from ir_cnn.features.sources import ImageFiles, pack_images
from ir_cnn.models.preprocess import pixel_transform

calls = 'open openat creat write pwrite64 writev pwritev rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir chmod fchmod fchmodat ' \
        'fsync fdatasync msync truncate ftruncate fallocate utimensat flock'.split()
turning = set('rename renameat renameat2 unlink unlinkat rmdir mkdir ftruncate fallocate'.split()) # after these another state stands on the disk
extraction.pack_images = partial(pack_images, chunk=8)

# ---- processes -----------------------------------------------------------------------------------------------------------
def forked(work, *args, strace=None, limit=300):
    """(result, messages, status) of `work(*args, say)` in a child process, which has imported everything already.
    The result is an exception's text when there was one, None when the child was killed; the status is negative then"""
    (out,into),(gate,go) = os.pipe(),os.pipe()
    pid = os.fork()
    if not pid:
        os.close(out)
        said = lambda kind, o: os.write(into, (json.dumps([kind, pickle.dumps(o).hex()])+'\n').encode())
        with open(os.devnull, 'r+') as null: os.dup2(null.fileno(), 1); os.dup2(null.fileno(), 2)
        os.read(gate, 1)
        status = 0
        try: said('result', work(*args, partial(said, 'message')))
        except BaseException as e: status = 1; said('result', f'{type(e).__name__}: {e}')
        os._exit(status)
    os.close(into)
    if strace:
        tracer = subprocess.Popen(['strace','-f','-qq','-p',str(pid),*strace], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while 'TracerPid:\t0\n' in Path(f'/proc/{pid}/status').read_text():
            if tracer.poll() is not None: os.kill(pid, signal.SIGKILL); sys.exit(f'strace: {tracer.stderr.read().decode()}')
            time.sleep(0.005)
    os.write(go, b'.')
    os.close(go); os.close(gate)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(limit)
    with open(out) as f: lines = [json.loads(o) for o in f if o.endswith('\n')]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    overdue = signal.alarm(0)==0
    if strace: tracer.wait()
    got = [(kind, pickle.loads(bytes.fromhex(o))) for kind,o in lines]
    return f'took more than {limit} s' if overdue else dict(got).get('result'),[o for kind,o in got if kind=='message'],status

# ---- jobs: what runs, what has to be there afterwards ----------------------------------------------------------------------
def write_images(folder, n=24):
    "`n` images of noise in three classes"
    rng = np.random.default_rng(0)
    for i in range(n):
        path = folder/'abc'[i%3]/f'{i:02}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(30, 220, (24,24,3), dtype=np.uint8)).save(path)

network = partial(create_embedder, 'test_resnet', pretrained=False)
row = lambda i: pd.DataFrame([dict(dataset=f'set {i}', model='net', training='untrained', weights='', protocol='timm', metric='cosine', **{'P@1':i/100})])

def table(root):
    "The table of results of a project without seconds, and what the two files beside it hold"
    book = root/'log'/'dataframes_to_excel.xlsx'
    beside = pd.read_csv(book.with_suffix('.csv'))['P@1'].round(9).tolist(), book.with_suffix('.md').read_text().count('\n')
    return dict(table=read_log(book).drop(columns='seconds', errors='ignore').astype(str).values.tolist(), beside=beside)

def tensors(root):
    "All kept numbers by file: embeddings, labels, packed images, weights"
    out = {}
    for p in sorted(Path(root).rglob('*')):
        if p.suffix=='.npy': out[p.name] = np.load(p).tobytes()
        if p.suffix!='.pt' or re.search(r'/\.(tmp|parts)_', str(p)) or p.parent.parent.name=='Feature': continue # what stands there lists files with times
        d = torch.load(p, weights_only=True)
        d = d if isinstance(d, dict) else dict(all=d)
        flat = d | {f'state {k}':v for o in ('state_dict','model') for k,v in (d.get(o) or {}).items()}
        out |= {f'{p.relative_to(root)} {k}':v.numpy().tobytes() for k,v in flat.items() if isinstance(v, torch.Tensor)}
    return out

def steps(one, root, say):
    "Six writes, each reported once it is finished"
    for i in range(6): one(root, i); say(i)

def add_row(root, i): dataframes_to_excel(row(i), root/'log'/'dataframes_to_excel.xlsx', classes=row(i).assign(**{'class':'x','queries':1}))
def add_mark(root, i): Marks(root/'marks.csv').set('digits', f'{i}.png', 'duplicate', f'note {i}')
def rows_there(root): return {int(o[4:]) for o in read_log(root/'log'/'dataframes_to_excel.xlsx').get('dataset', [])}
def marks_there(root): return {int(o[5:]) for o in Marks(root/'marks.csv').table().note}
def black(root): return [p.name for p in root.rglob('packed/*.npy') if not np.load(p).reshape(24, -1).any(1).all()]

def pack(root, say):
    files = ImageFiles(sorted((root.parent/'images').rglob('*.png')), pixel_transform(network(), 'timm', 224))
    extraction.pack_images(files, root/'packed'/'x.npy', 'key', progress=False)
def embed(packed, root, say):
    extract(network(), get_dataset(root.parent/'images'), root=root, bs=4, chunk_seconds=0, packed=packed, progress=False)
def main_job(training, root, say):
    run([root.parent/'images'], [network()], ks=[1,2], root=root, training=[training], epochs=1, bs=8, workers=0, full=True, progress=False, device='cpu')
def fine_tune(root, say):
    train(dataset=root.parent/'images', pretrained=False, size=32, sampler='shuffled', bs=8, epochs=2, augment='flip', root=root, workers=0, device='cpu',
          progress=False)

jobs = dict( # name: (what runs, all that has to be there in the end, which of the reported steps are there, also in between)
    packing=(pack, tensors, None), extraction=(partial(embed, False), tensors, None), packed=(partial(embed, True), tensors, None),
    results=(partial(main_job, 'untrained'), lambda root: table(root) | tensors(root), None),
    finetuned=(partial(main_job, 'finetuned'), lambda root: table(root) | tensors(root), None),
    training=(fine_tune, tensors, None),
    workbook=(partial(steps, add_row), table, rows_there), marks=(partial(steps, add_mark), lambda root: dict(marks=marks_there(root)), marks_there))

# ---- kills -----------------------------------------------------------------------------------------------------------------
def changes(log, root):
    "[(call, which of its kind in its thread)] of the calls that change a file below `root`"
    seen,found = Counter(),[]
    for line in open(log, errors='replace'):
        m = re.match(r'(\d+) +(\w+)\((.*)', line)
        if not m: continue
        seen[m[1],m[2]] += 1
        reads = m[2].startswith('open') and not re.search('O_CREAT|O_WRONLY|O_RDWR', m[3])
        if str(root) in m[3] and not reads: found.append((m[2], seen[m[1],m[2]]))
    return found

def traced(name, root, kill=None):
    "One run of a job under strace, killed before the call `kill`; (its outcome as `forked` gives it, its calls that change files)"
    root.mkdir(parents=True, exist_ok=True)
    log = root.with_suffix('.calls')
    out = forked(jobs[name][0], root, strace=['-y','-o',str(log),'-e',f"trace={','.join('?'+o for o in calls)}"] +
                 (['-e',f'inject={kill[0]}:signal=KILL:when={kill[1]}'] if kill else []))
    return out,changes(log, root)

def verdict(name, root, reference, said=(), finish=True):
    "What is wrong after a run of a job that should be complete, or with `finish=False` was killed; '' when nothing is"
    _,outcome,there = jobs[name]
    if said and there:
        got = forked(lambda say: there(root))[0]
        if isinstance(got, str) or set(said)-got: return f'finished steps {sorted(said)}, there are {got}'
    if not finish: return ''
    got,_,status = forked(lambda say: (outcome(root), black(root)))
    if status: return f'result cannot be read: {got}'
    if got[1]: return f'black images in {got[1]}'
    other = [k for k in {**got[0], **reference} if got[0].get(k)!=reference.get(k)]
    if other: return f'other than without a kill: {other[:3]}, {len(other)} in all'
    left = [o.name for o in root.rglob('*') if re.search(r'^\.tmp_|\.partial$|\.progress\.json$|^\.parts_', o.name)]
    return f'left behind: {left}' if left else ''

def drawn(positions, rng, first=None):
    "One of the calls, half of the time one right after the state on the disk has turned, or one of the `first`"
    turns = [b for a,b in zip(positions, positions[1:]) if a[0] in turning]
    return rng.choice(rng.choice([positions, turns[:first] or positions[:first]]))

def double_kill(name, base, reference, positions, rng):
    "[(what was done, what is wrong)] of two kills: one, and another in the run that goes on after it"
    root,copy = base/'root',base/'copy'
    for o in (root, copy): shutil.rmtree(o, ignore_errors=True)
    found,said,kill = [],[],drawn(positions, rng)
    history = f'{name}: {kill[0]} {kill[1]}'
    (result,messages,status),_ = traced(name, root, kill)
    if status>=0: return [(history, f'ended with {result}')] if status else [] # with fewer calls than before, it was finished before that one
    said += messages
    lost = verdict(name, root, reference, said, finish=False)
    shutil.copytree(root, copy, symlinks=True)
    (result,_,status),later = traced(name, root) # the first kill's clean run, whose calls are those the second may hit
    found.append((history, lost or (f'the next run ended with {result}' if status else verdict(name, root, reference))))
    if not later: return found
    kill = drawn(later, rng, 6)
    history += f', then {kill[0]} {kill[1]}'
    shutil.rmtree(root)
    copy.rename(root)
    said += traced(name, root, kill)[0][1]
    lost = verdict(name, root, reference, said, finish=False)
    result,_,status = forked(jobs[name][0], root)
    return found + [(history, lost or (f'the next run ended with {result}' if status else verdict(name, root, reference)))]

def kills(base, n, seed=0, only=None):
    "Rounds of `double_kill` over all jobs in turn; the counts of tries and of wrong ones"
    rng,prepared,tries,wrong,start = random.Random(seed),{},0,0,time.time()
    names = only.split(',') if only else list(jobs)
    for name in names:
        root = base/'reference'/name/'root'
        write_images(root.parent/'images')
        (result,_,status),positions = traced(name, root)
        if status: sys.exit(f'{name} fails without any kill: {result}')
        prepared[name] = forked(lambda say: jobs[name][1](root))[0],positions
        write_images(base/name/'images')
        shutil.rmtree(base/name/'images')
        shutil.copytree(root.parent/'images', base/name/'images') # with the times of the files
        print(f'{name}: {len(positions)} calls change files', flush=True)
    while tries<n:
        name = names[tries//2%len(names)]
        for history,why in double_kill(name, base/name, *prepared[name], rng):
            tries += 1
            wrong += bool(why)
            if why: print(f'WRONG {history}: {why}', flush=True)
        if tries%20<2: print(f'{tries} kills, {wrong} wrong, {time.time()-start:.0f} s', flush=True)
    return tries,wrong

# ---- full disks ------------------------------------------------------------------------------------------------------------
def command(root, say):
    "The main job as a command: (exit status, what it wrote to the standard error)"
    said,status = io.StringIO(),0
    words = f"--datasets {root.parent/'images'} --root {root} --models test_resnet --training untrained finetuned --epochs 1 --bs 8 --workers 0 --ks 1 2 " \
            '--packed --full'
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try: ir_cnn_run(words.split())
        except SystemExit as e: status = e.code; said.write(e.code if isinstance(e.code, str) else '')
    return status,said.getvalue()

def disks(base, n):
    "The main job on disks of `n` sizes; the counts"
    root,wrong = base/'disk',0
    write_images(base/'images')
    root.mkdir()
    mount = lambda *words: subprocess.run(['mount','-t','tmpfs',*words,str(root)], check=True)
    outcome = lambda: forked(lambda say: (table(root) | tensors(root), black(root)))[0]
    mount('-o','size=256m','attack')
    try:
        if forked(command, root)[0][0]: sys.exit(f'the job fails on a large disk: {forked(command, root)}')
        reference,used = outcome(),shutil.disk_usage(root).used
    finally: subprocess.run(['umount','-l',str(root)])
    print(f'the job leaves {used/1e6:.2f} MB', flush=True)
    for i in range(n):
        size,why = max(4096, int(used*1.1*(i+0.5)/n)//4096*4096),''
        mount('-o',f'size={size}','attack')
        try:
            got,_,status = forked(command, root)
            if status: why = f'a traceback: {got}'
            elif got[0] and not (re.fullmatch(r'ir_cnn_run: error: [^\n]*\n?', got[1]) and str(root) in got[1] and not re.search(r'Errno|enforce', got[1])):
                why = f'not one sentence with a name: {got[1]!r}'
            first = got[1] if not status and got[0] else 'no error'
            mount('-o','remount,size=256m','attack')
            again = forked(command, root)[0]
            if not why and (isinstance(again, str) or again[0]): why = f'the next run ended with {again}'
            if not why and outcome()!=reference: why = 'another result'
        finally: subprocess.run(['umount','-l',str(root)])
        wrong += bool(why)
        print(f"{size/1e3:,.0f} kB: {f'WRONG {why}' if why else first.strip()}", flush=True)
    return n,wrong

# ---- writers ---------------------------------------------------------------------------------------------------------------
def writers(base, seconds=120, n=8, each=6):
    "Writers with other clocks, one of them stopped in the middle of a write; the counts"
    tries = wrong = 0
    for what,one,there in (('workbook',add_row,rows_there), ('marks',add_mark,marks_there)):
        root,start,pids = base/what,time.time(),[]
        root.mkdir(parents=True)
        for w in range(n):
            pid = os.fork()
            if pid: pids.append(pid); continue
            shift,now,replace = [0,-15,40,-40,600,-600,3600,-3600][w%8],(time.time,time.time_ns),os.replace
            time.time,time.time_ns = (lambda: now[0]()+shift),(lambda: now[1]()+int(shift*1e9))
            def stop(*args, **kwargs): # just before the file would appear
                os.replace = replace
                os.kill(os.getpid(), signal.SIGSTOP)
                return replace(*args, **kwargs)
            if w==n//2: os.replace = stop
            try:
                for i in range(each): one(root, w*each+i)
                os._exit(0)
            except BaseException as e: print(f'WRONG {what}: writer {w} ended with {type(e).__name__}: {e}', flush=True); os._exit(1)
        while (done := os.waitpid(pids[n//2], os.WUNTRACED))[1] and not os.WIFSTOPPED(done[1]): pass
        time.sleep(seconds)
        os.kill(pids[n//2], signal.SIGCONT)
        failed = sum(os.waitpid(o, 0)[1]!=0 for o in pids)
        lost = set(range(n*each)) - there(root)
        tries,wrong = tries+n*each,wrong+len(lost)+failed
        print(f'{what}: {n*each} written, {len(lost)} lost, {failed} of {n} writers failed, {time.time()-start-seconds:.1f} s besides the stop', flush=True)
    return tries,wrong

if __name__ == '__main__':
    what,*args = sys.argv[1:] or ['']
    attack = dict(kill=kills, disk=disks, writers=writers).get(what)
    if not attack or (what!='writers' and not args): sys.exit(__doc__)
    if what=='kill' and not shutil.which('strace'): sys.exit('kill needs strace, which is not there: nothing was tried')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped')) # disks are unmounted, and temporary files removed
    with tempfile.TemporaryDirectory() as d: tries,wrong = attack(Path(d).resolve(), *(int(o) if o.isdigit() else o for o in args))
    print(f'{what}: {tries} tries, {wrong} wrong')
    sys.exit(wrong>0)
