#!/usr/bin/python3
"""Is the method right both ways? Runs etc/pipelines/spoils.yaml with several seeds and prints what came out.

Each seed is one mock survey and four simulations of it: honest, psf_scale=0.7, shift_px=1, invvar_dip=0.3.
  verdicts.py --build BUILD --dir DIR [--seeds 1,2,3,4,5] [--set NAME=VALUE ...]
A seed whose verdicts are there already is not run again, so the bench may be stopped and gone on with.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

CASES = {'honest': 'nothing spoiled', 'psf': 'psf_scale=0.7', 'shift': 'shift_px=1', 'invvar': 'invvar_dip=0.3'}
KEPT = [case for case in CASES]


def run_seed(decoy, directory, seed, settings):
    """One pipeline; afterwards only the evaluations are kept, for a run has gigabytes of stamps."""
    command = [decoy, 'run', 'spoils', '--dir', directory, '--set', f'seed={seed}']
    for setting in settings:
        command += ['--set', setting]
    subprocess.run(command, check=True)
    for name in os.listdir(directory):
        if name not in KEPT:
            path = os.path.join(directory, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def verdicts_of(directory):
    found = {}
    for case in CASES:
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', required=True)
    parser.add_argument('--dir', required=True)
    parser.add_argument('--seeds', default='1,2,3,4,5')
    parser.add_argument('--set', action='append', default=[], dest='settings')
    options = parser.parse_args()
    decoy = os.path.join(options.build, 'client', 'decoy')
    os.environ['DECOY_STATE'] = os.path.join(os.path.abspath(options.dir), 'state')
    subprocess.run([decoy, 'up'], check=True)
    runs = []
    try:
        for seed in options.seeds.split(','):
            directory = os.path.join(os.path.abspath(options.dir), f'seed-{seed}')
            if len(verdicts_of(directory)) < len(CASES):
                run_seed(decoy, directory, seed, options.settings)
            runs.append(verdicts_of(directory))
    finally:
        subprocess.run([decoy, 'down'], check=False)
    print_table(runs)
    wrong = [(seed, case) for seed, run in zip(options.seeds.split(','), runs) for case in CASES
             if (run[case]['verdict'] == 'distinguishable') != (case != 'honest')]
    for seed, case in wrong:
        print(f'unexpected: seed {seed}, {CASES[case]}')
    return 1 if wrong else 0


sys.exit(main())
