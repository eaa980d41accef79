"""A synthetic dataset in the shape that split writes (npy shards and manifest.json): round galaxies on
noise, the fakes spoiled. For the tests of training; nothing else is promised about it."""
import json
import os

import numpy as np

CHANNELS = ['g', 'ivar_g', 'r', 'ivar_r', 'z', 'ivar_z']


def stamps(count, side, rng, label, spoil, shift_px):
    """count stamps (count, side, side, 6): blobs of 1-3 px sigma and 10-60 sigma peak, invvar flat with a row
    of zeros now and then. spoil: 'shift' moves the fakes' light by shift_px, 'dip' lowers their invvar."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    out = np.zeros((count, side, side, 6), np.float32)
    for i in range(count):
        off = shift_px if label and spoil == 'shift' else 0
        y, x = side // 2 + rng.uniform(-.5, .5, 2) + off
        width, peak = rng.uniform(1.2, 3), np.exp(rng.uniform(np.log(4), np.log(40)))
        q, angle = rng.uniform(.5, 1), rng.uniform(0, np.pi)
        u = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        v = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        shape = np.exp(-(u * u + v * v / q ** 2) / (2 * width ** 2))
        for band in range(3):
            ivar = np.full((side, side), 100 * np.exp(rng.uniform(-.5, .5)), np.float32)
            sigma = 1 / np.sqrt(ivar[0, 0])
            image = peak * rng.uniform(.5, 1.5) * sigma * shape + sigma * rng.standard_normal((side, side))
            if label and spoil == 'dip':
                ivar *= 1 - .3 * shape
            if rng.uniform() < .1:
                ivar[rng.integers(side)] = 0
            out[i, :, :, 2 * band] = image
            out[i, :, :, 2 * band + 1] = ivar
    return out


def write(directory, train=256, valid=64, test=0, side=16, shard=512, spoil='dip', shift_px=1, seed=1):
    os.makedirs(directory, exist_ok=True)
    rng = np.random.default_rng(seed)
    shards, parts = [], {}
    for part, count in ('train', train), ('valid', valid), ('test', test):
        parts[part] = {'examples': count, 'real': 0, 'fake': 0}
        for k, first in enumerate(range(0, count, shard), 1):
            n = min(shard, count - first)
            y = np.arange(n, dtype=np.int64) % 2
            rng.shuffle(y)
            parts[part]['real'] += int((y == 0).sum())
            parts[part]['fake'] += int((y == 1).sum())
            x = np.zeros((n, side, side, 6), np.float32)
            for label in 0, 1:
                x[y == label] = stamps(int((y == label).sum()), side, rng, label, spoil, shift_px)
            entry = {'part': part, 'k': k, 'examples': n}
            for letter, array in ('x', x), ('y', y):
                path = os.path.join(directory, f'{letter}{part}_{k}.npy')
                np.save(path, array)
                entry[letter] = {'bytes': os.path.getsize(path)}
            shards.append(entry)
    medians = {c: {'median': 100.0 if c.startswith('ivar') else 0.01} for c in CHANNELS}
    with open(os.path.join(directory, 'manifest.json'), 'w') as file:
        json.dump({'v': 1, 'stamp': side, 'shard_examples': shard, 'channels': CHANNELS, 'parts': parts, 'shards': shards,
                   'normalisation': medians, 'seed': seed, 'made': f'{spoil} {shift_px}'}, file)


if __name__ == '__main__':
    import sys
    options = dict(pair.split('=') for pair in sys.argv[2:])
    write(sys.argv[1], **{k: v if k == 'spoil' else float(v) if k == 'shift_px' else int(v) for k, v in options.items()})
