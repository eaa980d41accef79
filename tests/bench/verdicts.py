#!/usr/bin/python3
"""Is the method right both ways? Runs etc/pipelines/spoils.yaml with several seeds and prints what came out.

Each seed is one mock survey and four simulations of it: honest, psf_scale=0.7, shift_px=1, invvar_dip=0.3.
  verdicts.py --build BUILD --dir DIR [--seeds 1,2,3,4,5] [--set NAME=VALUE ...] [--vary FIELD=VALUE,VALUE...]
With --vary a network is trained on each simulation with each value of a field of train jobs, and the table tells which spoils
each sees, and by how much the AUC of each differs from the first one's on the same stamps. A seed whose verdicts are there already is not run again, so the bench may be stopped and gone on with.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import h5py
import numpy as np
import yaml

CASES = {'honest': 'nothing spoiled', 'psf': 'psf_scale=0.7', 'shift': 'shift_px=1', 'invvar': 'invvar_dip=0.3'}
PIPELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'etc', 'pipelines', 'spoils.yaml')


def vary(path, field, values):
    """The pipeline with a model and an evaluation of each case and value, called CASE-VALUE."""
    with open(PIPELINE) as stream:
        pipeline = yaml.safe_load(re.sub(r'\$\{([^}]*)\}', r'$(\1)', stream.read()))
    stages = pipeline['stages']
    for case in CASES:
        train, evaluate = stages.pop(f'{case}-model'), stages.pop(case)
        for value in values:
            stages[f'{case}-{value}-model'] = {**train, field: value}
            stages[f'{case}-{value}'] = {**evaluate, 'model': f'$({case}-{value}-model)'}
    with open(path, 'w') as stream:
        yaml.safe_dump(pipeline, stream, sort_keys=False)


def run_seed(decoy, pipeline, directory, seed, settings, kept):
    """One pipeline; afterwards only the evaluations are kept, for a run has gigabytes of stamps."""
    command = [decoy, 'run', pipeline, '--dir', directory, '--set', f'seed={seed}']
    for setting in settings:
        command += ['--set', setting]
    subprocess.run(command, check=True)
    for name in os.listdir(directory):
        if name not in kept:
            path = os.path.join(directory, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def verdicts_of(directory, cases):
    found = {}
    for case in cases:
        path = os.path.join(directory, case, 'verdict.json')
        if os.path.exists(path):
            with open(path) as stream:
                found[case] = json.load(stream)
    return found


def print_table(runs):
    print('| fakes | verdict (seeds) | AUC: median (least to most) | accuracy, median | test examples |')
    print('| --- | --- | --- | --- | --- |')
    for case, name in CASES.items():
        results = [run[case] for run in runs]
        names = [result['verdict'] for result in results]
        counts = ', '.join(f'{word} {names.count(word)}' for word in sorted(set(names)))
        auc = [result['auc']['value'] for result in results]
        accuracy = statistics.median(result['accuracy']['value'] for result in results)
        n = sorted(result['n'] for result in results)
        print(f'| {name} | {counts} | {statistics.median(auc):.3f} ({min(auc):.3f} to {max(auc):.3f}) '
              f'| {accuracy:.3f} | {n[0]} to {n[-1]} |')


def print_varied(runs, field, values):
    print('| ' + ' | '.join([field, *CASES.values()]) + ' |')
    print('| --- ' * (1 + len(CASES)) + '|')
    for value in values:
        cells = []
        for case in CASES:
            results = [run[f'{case}-{value}'] for run in runs]
            seen = sum(result['verdict'] == 'distinguishable' for result in results)
            cells.append(', '.join(f'{result["auc"]["value"]:.3f}' for result in results) + f' (seen {seen} of {len(runs)})')
        print('| ' + ' | '.join([value, *cells]) + ' |')
    n = sorted(run[case]['n'] for run in runs for case in run)
    print(f'AUC of each seed; {n[0]} to {n[-1]} test examples')


def shares_won(path):
    """Of each fake the share of real ones scored lower, and of each real one that of fakes scored higher; a tie is half."""
    with h5py.File(path) as file:
        scores, labels = file['score'][...], file['label'][...]
    reals, fakes = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    below = [(np.searchsorted(other, mine, 'left') + np.searchsorted(other, mine, 'right')) / 2 / len(other) for mine, other in
             ((scores[labels == 1], reals), (scores[labels == 0], fakes))]
    return below[0], 1 - below[1]


def difference(first, second):
    """AUC of the second predictions less that of the first on the same stamps, and DeLong's error of it."""
    parts = [b - a for a, b in zip(shares_won(first), shares_won(second))]
    return parts[0].mean(), sum(part.var(ddof=1) / len(part) for part in parts) ** 0.5


def print_differences(directories, values):
    for value in values[1:]:
        for case in CASES:
            pairs = [difference(*(os.path.join(place, f'{case}-{v}', 'predictions.h5') for v in (values[0], value))) for place in directories]
            print(f'{value} less {values[0]}, {CASES[case]}: ' + ', '.join(f'{by:+.4f} +- {error:.4f}' for by, error in pairs))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', required=True)
    parser.add_argument('--dir', required=True)
    parser.add_argument('--seeds', default='1,2,3,4,5')
    parser.add_argument('--set', action='append', default=[], dest='settings')
    parser.add_argument('--vary', metavar='FIELD=VALUE,VALUE...')
    options = parser.parse_args()
    decoy = os.path.join(options.build, 'client', 'decoy')
    place = os.path.abspath(options.dir)
    os.makedirs(place, exist_ok=True)
    os.environ['DECOY_STATE'] = os.path.join(place, 'state')
    pipeline, kept = 'spoils', list(CASES)
    if options.vary:
        field, _, words = options.vary.partition('=')
        values = words.split(',')
        pipeline, kept = os.path.join(place, f'spoils-{field}.yaml'), [f'{case}-{value}' for case in CASES for value in values]
        vary(pipeline, field, values)
    subprocess.run([decoy, 'up'], check=True)
    runs = []
    try:
        for seed in options.seeds.split(','):
            directory = os.path.join(place, f'seed-{seed}')
            if len(verdicts_of(directory, kept)) < len(kept):
                run_seed(decoy, pipeline, directory, seed, options.settings, kept)
            runs.append(verdicts_of(directory, kept))
    finally:
        subprocess.run([decoy, 'down'], check=False)
    if options.vary:
        print_varied(runs, field, values)
        print_differences([os.path.join(place, f'seed-{seed}') for seed in options.seeds.split(',')], values)
        return 0
    print_table(runs)
    wrong = [(seed, case) for seed, run in zip(options.seeds.split(','), runs) for case in CASES
             if (run[case]['verdict'] == 'distinguishable') != (case != 'honest')]
    for seed, case in wrong:
        print(f'unexpected: seed {seed}, {CASES[case]}')
    return 1 if wrong else 0


sys.exit(main())
