"""A training beside PyTorch's, in double, from the same weights in the same order: losses over 100 steps within 1e-4. argv: curve_probe, decoy-worker, a model file.

Rates are low enough for two trainings that differ in the last bits to stay together: lenet-2x2 at rate 0.002 on signal over
noise parted from PyTorch's float64 after 40 steps, as any two trainings with other rounding would."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(missing)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'ref'))
import synthetic
import torch_network

PROBE, WORKER, MODEL = sys.argv[1:4]
SIDE, BATCH, TRAIN, EPOCHS, SEED = 16, 16, 320, 5, 4  # 20 steps an epoch
RECIPES = [
    (dict(optimiser='adam', rate=0.0005), lambda p: torch.optim.Adam(p, lr=0.0005)),
    (dict(optimiser='sgd', rate=0.002, momentum=0.9, weight_decay=1e-3, clip_norm=1), lambda p: torch.optim.SGD(p, lr=0.002, momentum=0.9, weight_decay=1e-3)),
]


def normalise(stamps):
    """net/input.h for asinh and relative."""
    out = np.zeros(stamps.shape)
    for n, stamp in enumerate(stamps.astype(float)):
        for band in range(3):
            image, ivar = stamp[..., 2 * band], stamp[..., 2 * band + 1]
            good = np.sort(ivar[ivar > 0])
            v0 = good[(len(good) - 1) // 2]
            out[n, ..., 2 * band] = np.where(ivar > 0, np.arcsinh(image * np.sqrt(v0)) / 2, 0)
            out[n, ..., 2 * band + 1] = 4 * (ivar / v0 - 1)
    return out


def train_ours(directory, fields):
    with open(directory + '/spec.json', 'w') as file:
        json.dump({'kind': 'train', 'threads': 1, 'fields': dict(
            out=directory + '/run', dataset=directory + '/data', model=MODEL, epochs=EPOCHS, batch=BATCH, micro_batch=8, seed=SEED,
            schedule='constant', **fields)}, file)
    subprocess.run([WORKER, '--spec', directory + '/spec.json'], check=True, capture_output=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    with open(directory + '/run/metrics.jsonl') as file:
        return [row['loss'] for row in map(json.loads, file) if 'loss' in row]


def train_theirs(directory, make, clip):
    subprocess.run([PROBE, directory + '/data', MODEL, str(SEED), str(EPOCHS), directory], check=True)
    net = torch_network.network(MODEL, SIDE, 6).double()
    parameters = np.fromfile(directory + '/parameters.f32', 'f4')
    start = 0
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.from_numpy(parameters[start:start + parameter.numel()].astype(float)).reshape(parameter.shape))
            start += parameter.numel()
    assert start == len(parameters)
    order = np.fromfile(directory + '/order.u64', 'u8').reshape(EPOCHS, TRAIN).astype(int)
    x = torch.from_numpy(normalise(np.load(directory + '/data/xtrain_1.npy'))).permute(0, 3, 1, 2)
    y = torch.from_numpy(np.load(directory + '/data/ytrain_1.npy'))
    optimiser, losses = make(net.parameters()), []
    for epoch in range(EPOCHS):
        for first in range(0, TRAIN, BATCH):
            rows = order[epoch][first:first + BATCH]
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimiser.step()
            losses.append(loss.item())
    return [float(np.mean(losses[i:i + 10])) for i in range(0, len(losses), 10)]  # as metrics.jsonl has them


torch.set_num_threads(1)
for fields, make in RECIPES:
    with tempfile.TemporaryDirectory() as work:
        synthetic.write(work + '/data', train=TRAIN, valid=0, side=SIDE, spoil='dip')
        ours = train_ours(work, fields)
        theirs = train_theirs(work, make, fields.get('clip_norm', 0))
        assert len(ours) == len(theirs) == 10, (ours, theirs)
        off = max(abs(a - b) for a, b in zip(ours, theirs))
        print(fields['optimiser'], 'largest difference', off, 'losses', [round(loss, 4) for loss in theirs])
        assert theirs[-1] < 0.97 * theirs[0], theirs  # it learns: equal noise would prove little
        assert off < 1e-4, (ours, theirs)
