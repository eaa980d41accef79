#!/usr/bin/python3
"""A training step of ours beside what else there is for it, all run in turn on the same machine.

- ours: train_step, whole steps as the train job makes them, conversion of the stamps included;
- bare: the network's convolutions alone as oneDNN primitives, in the layouts `any` and `nhwc` (onednn_bound.cpp);
- PyTorch: whole steps without a conversion, in both memory layouts (peer_train.py);
- each of them in float32 and, where the processor multiplies it (avx512_bf16), in bfloat16;
- then the whole job on one rank, on two at once, and on two ranks (train_ranks.py).
  train.py --build BUILD [--peers DIR] [--models lenet,lenet-2x2] [--batches 16,64] [--threads 1,2]
           [--precisions f32,bf16]
           [--micro-batch 16] [--rounds 2] [--seconds 2] [--torch PYTHON ...] [--rank-rounds 3] [--dir DIR] [--json FILE]
Each figure of a step is the best of the rounds (0: none are made), for on a shared machine what disturbs only slows. Without --peers' files only ours is timed.
"""
import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import textwrap

import train_ranks

PEERS = os.path.join('..', 'shared', 'peers')
POOL = {'lenet': '7', 'lenet-2x2': '2'}


def output(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def build_bound(peers, directory):
    source, program = os.path.join(peers, 'onednn_bound.cpp'), os.path.join(directory, 'tests', 'bench', 'onednn_bound')
    if not os.path.exists(source):
        return None
    subprocess.run(['g++', '-O2', source, '-o', program, '-ldnnl'], check=True)
    return program


def pythons_with_torch(candidates):
    found = []
    for python in candidates:
        if os.path.exists(python) and subprocess.run([python, '-c', 'import torch'], capture_output=True).returncode == 0:
            found.append(python)
    return found


def precisions_here():
    with open('/proc/cpuinfo') as file:
        return ['f32', 'bf16'] if 'avx512_bf16' in file.read() else ['f32']


def time_bare(program, precision, batch, threads):
    rates = {}
    for layout in ('any', 'nhwc'):
        text = output([program, str(batch), precision, layout], threads)
        rates[f'bare {layout}'] = {'img_per_s': float(re.search(r'-> ([\d.]+) img/s', text)[1])}
    return rates


def time_torch(python, options, model, precision, batch, threads):
    rates = {}
    for layout in ('channels_last', 'contiguous'):
        row = json.loads(output([python, os.path.join(options.peers, 'peer_train.py'), '--batch', str(batch), '--threads', str(threads), '--pool',
                                 POOL[model], '--precision', precision, '--layout', layout, '--seconds', str(options.seconds)], threads))
        rates[f"{row['peer']} {layout}"] = row
    return rates


def time_ours(options, model, precision, batch, threads):
    path = model if os.path.exists(model) else os.path.join('etc', 'models', model + '.yaml')
    program = os.path.join(options.build, 'tests', 'bench', 'train_step')
    micro = min(batch, options.micro_batch)
    return json.loads(output([program, path, precision, str(batch), str(micro), str(threads), str(options.seconds), str(threads * options.peak)], threads))


def keep_best(best, new):
    for name, row in new.items():
        if name not in best or row['img_per_s'] > best[name]['img_per_s']:
            best[name] = row


def one_case(options, bound, precision, batch, threads):
    """{model: {name: row}}, the bare convolutions under both models."""
    best = {model: {} for model in options.models}
    for _ in range(options.rounds):
        for model, rows in best.items():
            keep_best(rows, {'ours': time_ours(options, model, precision, batch, threads)})
            if model in POOL:
                for python in options.torch if bound else []:
                    keep_best(rows, time_torch(python, options, model, precision, batch, threads))
        bare = time_bare(bound, precision, batch, threads) if bound else {}
        for model in set(POOL) & set(best):
            keep_best(best[model], bare)
    return best


def print_case(rows, model, batch, threads):
    ours = rows['ours']
    rate = ours['img_per_s']
    print(f"\n{model} in {ours['precision']}, batch {batch} in micro-batches of {ours['micro_batch']}, {threads} thread{'s' if threads > 1 else ''}: ours {rate:.1f} img/s"
          f" ({ours['step_ms']:.1f} ms a step, median of {ours['steps']})")
    for name, row in rows.items():
        if name != 'ours':
            print(f"    {name:34s} {row['img_per_s']:8.1f} img/s   ours / it {rate / row['img_per_s']:6.2f}")
    for kind in ('bare', 'pytorch'):
        rates = [row['img_per_s'] for name, row in rows.items() if name.startswith(kind)]
        if rates:
            print(f'    ours / best {kind}: {rate / max(rates):.2f}')
    print(textwrap.indent(ours['table'], '    '), end='')


def parse_options():
    options = argparse.ArgumentParser()
    options.add_argument('--build', default='build')
    options.add_argument('--peers', default=PEERS)
    options.add_argument('--models', default='lenet,lenet-2x2', type=lambda text: text.split(','))
    options.add_argument('--batches', default='16,64', type=lambda text: [int(part) for part in text.split(',')])
    options.add_argument('--threads', default='1,2', type=lambda text: [int(part) for part in text.split(',')])
    options.add_argument('--precisions', default=precisions_here(), type=lambda text: text.split(','))
    options.add_argument('--micro-batch', type=int, default=16)
    options.add_argument('--rounds', type=int, default=2)
    options.add_argument('--seconds', type=float, default=2)
    options.add_argument('--torch', nargs='*', default=['/usr/bin/python3', 'build-oracles/bin/python'])
    options.add_argument('--rank-rounds', type=int, default=3)
    options.add_argument('--dir', default=os.path.join('demo', 'bench-train'), help='keeps the dataset of the whole jobs')
    options.add_argument('--json', help='write all figures there')
    return options.parse_args()


def time_steps(options):
    bound = build_bound(options.peers, options.build)
    if not bound:
        print(f'{options.peers} has no onednn_bound.cpp: ours alone is timed', file=sys.stderr)
    options.torch = pythons_with_torch(options.torch)
    options.peak = peak = max(float(output([os.path.join(options.build, 'tests', 'bench', 'train_step'), 'peak'], 1)) for _ in range(3))
    print(f'multiply-adds in registers, f32, AVX2, one core: {peak:.1f} GFLOP/s. GFLOP/s below count the operations of direct loops;'
          ' a kernel that transforms makes fewer, and may pass the peak')
    found = []
    for threads in options.threads:
        for batch, precision in itertools.product(options.batches, options.precisions):
            for model, rows in one_case(options, bound, precision, batch, threads).items():
                print_case(rows, model, batch, threads)
                found.append({'model': model, 'precision': precision, 'batch': batch, 'threads': threads, 'peak_gflops': peak, 'rows': rows})
                sys.stdout.flush()
    return found


def main():
    options = parse_options()
    found = {'steps': time_steps(options) if options.rounds else None, 'ranks': train_ranks.run(options) if options.rank_rounds else None}
    if options.json:
        with open(options.json, 'w') as stream:
            json.dump(found, stream, indent=1)


main()
