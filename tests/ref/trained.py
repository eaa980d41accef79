"""Small trained runs, their scores as decoy's predictor gives them, and their exports. For the tests of export."""
import json
import os
import subprocess

import numpy as np

import synthetic


def train(worker, directory, model, side=16, count=64, channels=synthetic.CHANNELS, **fields):
    """A run of a few steps on a synthetic dataset in `directory`; returns it and the stamps of the test part, among
    which are one without any data in a band, one that is not finite and one so bright that its scale ends."""
    data, run = f'{directory}/data', f'{directory}/run'
    synthetic.write(data, train=count, valid=16, test=24, side=side)
    with open(f'{data}/manifest.json', 'r+') as file:  # other names for its channels
        manifest = json.load(file)
        medians = [manifest['normalisation'][name] for name in manifest['channels']]
        manifest.update(channels=channels, normalisation=dict(zip(channels, medians)))
        file.seek(0)
        file.truncate()
        json.dump(manifest, file)
    job = {'kind': 'train', 'threads': 1, 'fields': dict({'out': run, 'dataset': data, 'model': str(model), 'epochs': 2, 'batch': 16}, **fields)}
    path = f'{directory}/train.json'
    with open(path, 'w') as file:
        json.dump(job, file)
    subprocess.run([worker, '--spec', path], check=True, capture_output=True)
    stamps = np.load(f'{data}/xtest_1.npy')
    stamps[0, :, :, 1] = 0
    stamps[1, 3, 4, 2], stamps[1, 5, 6, 3] = np.nan, np.inf
    stamps[2, 7, 7, 4] = 1e16
    stamps[3, :, :, 5] = np.where(np.arange(side * side).reshape(side, side) % 7, 0, stamps[3, :, :, 5])
    return run, stamps


def score(probe, run, stamps, directory):
    stamps.tofile(f'{directory}/stamps.f32')
    with open(f'{run}/input.json') as file:
        fingerprint = json.load(file)['fingerprint']
    count, side, _, channels = stamps.shape
    subprocess.run([probe, 'score', run, str(side), str(channels), str(count), directory, fingerprint], check=True)
    return np.fromfile(f'{directory}/score.f64')


def export(decoy, worker, run, out, form, *more):
    """The file, and what the tool says."""
    done = subprocess.run([decoy, 'export', '--model', run, '--format', form, '--out', out, '--json', *more], capture_output=True, text=True,
                          env=dict(os.environ, DECOY_WORKER=str(worker)))
    assert done.returncode == 0, done.stdout + done.stderr
    return os.path.join(out, f'model.{form}'), json.loads(done.stdout)
