#!/usr/bin/env python3
"""Check the numbers of finished runs.

    main_job.py CSV [CSV]        the digits: fine-tuned reaches P@1 0.95, untrained is far lower; two tables hold the same precisions
    main_job.py --protocols CSV  each data set: the protocol timm is far above origin
    main_job.py --light          `-h` and `--version` of ir_cnn_run and ir_cnn_index take less than a second of processor time and leave torch alone
"""
import os, re, shutil, subprocess, sys
import pandas as pd

def digits(path, other=None):
    table = pd.read_csv(path)
    p1 = table[table.dataset == 'digits'].set_index('training')['P@1']
    print(p1.to_string())
    assert p1['finetuned'] >= 0.95, 'fine-tuned digits stay below 0.95'
    assert p1['untrained'] < p1['finetuned'] - 0.2, 'untrained digits are not far lower'
    if other:
        both = [pd.read_csv(o).set_index('training').filter(like='P@') for o in (path, other)]
        assert both[0].equals(both[1]), f'the tables differ:\n{both[0]}\n{both[1]}'

def protocols(path):
    p1 = pd.read_csv(path).pivot(index='dataset', columns='protocol', values='P@1')
    print(p1)
    assert (p1.timm > p1.origin + 0.1).all(), 'the protocol timm is not far above origin'

def light(limit=1):
    for command, option in [(c, o) for c in ('ir_cnn_run', 'ir_cnn_index') for o in ('-h', '--version')]:
        before = sum(os.times()[2:4])
        said = subprocess.run([sys.executable, '-X', 'importtime', shutil.which(command), option], capture_output=True, text=True)
        used, loaded = sum(os.times()[2:4]) - before, re.findall(r'\| +(torch|fastai|timm|pandas)$', said.stderr, re.M)
        print(f'{command} {option}: {used:.2f} s')
        assert said.returncode == 0 and said.stdout.strip(), said.stderr[-500:]
        assert not loaded and used < limit, f'{used:.2f} s, expected less than {limit}; imported {loaded}'

if sys.argv[1] == '--light': light()
elif sys.argv[1] == '--protocols': protocols(*sys.argv[2:])
else: digits(*sys.argv[1:])
