"""Against PyTorch. argv: net_probe, decoy-worker, etc/models, a tiny model file.
- one Adam step of each preset (without dropout) from the same weights on the same batch: loss to 1e-6, gradients
  to 3e-5 of each tensor's largest, running statistics to 1e-6, weights after the step to 2e-6 (where a gradient is not rounding noise: Adam's
  first step is rate x sign(gradient));
- a trained model's safetensors and normalisation rebuilt in numpy and PyTorch give the predictor's scores, also by
  etc/decoy_torch.py."""
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
from safetensors_file import read_safetensors

PROBE, WORKER, MODELS, TINY = sys.argv[1:5]
sys.path.insert(0, os.path.join(MODELS, '..'))
import decoy_torch
torch.set_num_threads(1)


def near(what, ours, theirs, tolerance):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    off, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    assert ours.shape == theirs.shape and largest > 0 and off <= tolerance * largest, (what, off, largest)


def near_as_a_whole(what, ours, theirs, tolerance):
    """By the root of the sum of squares: a maximum or a ReLU may go the other way by a rounding, and move one place's gradient to another."""
    off = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert off <= tolerance, (what, off)


def check_step(name, count, batch=4, side=64, channels=6):
    with open(f'{MODELS}/{name}.yaml') as file:
        lines = [line for line in file if 'kind: dropout' not in line]
    with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
        file.writelines(lines)
        file.flush()
        compare_step(name, file.name, count, batch, side, channels)


def compare_step(name, path, count, batch, side, channels):
    torch.manual_seed(1)
    net = torch_network.network(path, side, channels).double()
    assert sum(p.numel() for p in net.parameters()) == count, sum(p.numel() for p in net.parameters())
    with torch.no_grad():  # values of float32, sums in float64: rounding is all ours
        for parameter in net.parameters():
            parameter.copy_(parameter.float())
    x = torch.randn(batch, side, side, channels)
    y = torch.tensor([0, 1, 1, 0])
    with tempfile.TemporaryDirectory() as directory:
        def put(name, array):
            np.ascontiguousarray(array).tofile(f'{directory}/{name}')

        def flat(tensors, kind='f8'):
            return np.concatenate([t.detach().numpy().ravel() for t in tensors]).astype(kind)
        put('parameters.f32', flat(torch_network.statistics(net) + list(net.parameters()), 'f4'))
        put('input.f32', x.numpy())
        put('labels.u8', y.numpy().astype('u1'))
        out = subprocess.run([PROBE, 'step', path, str(side), str(channels), str(batch), directory], check=True, capture_output=True, text=True)
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
        images = x.permute(0, 3, 1, 2).double().requires_grad_()
        loss = torch.nn.functional.cross_entropy(net(images), y)
        loss.backward()
        near('loss', [float(out.stdout)], [loss.item()], 1e-6)
        ours, theirs = np.fromfile(f'{directory}/gradient.f32', 'f4')[-count:], flat([p.grad for p in net.parameters()])
        start, largest = 0, np.abs(theirs).max()
        for key, parameter in net.named_parameters():
            part = slice(start, start + parameter.numel())
            if name == 'vgg8':
                near_as_a_whole(f'{name} gradient of {key}', ours[part], theirs[part], 0.02)
            elif np.abs(theirs[part]).max() > 1e-9 * largest:
                near(f'{name} gradient of {key}', ours[part], theirs[part], 3e-5)
            else:  # a bias that a batchnorm takes away again
                assert np.abs(ours[part]).max() < 1e-5 * largest, (key, np.abs(ours[part]).max() / largest)
            start = part.stop
        by_input = np.fromfile(f'{directory}/input_gradient.f32', 'f4').reshape(batch, side, side, channels), images.grad.permute(0, 2, 3, 1).numpy()
        if name == 'vgg8':
            near_as_a_whole('input gradient', *by_input, 0.02)
        else:
            near('input gradient', *by_input, 3e-5)
        optimiser.step()
        clear = np.abs(theirs) > 1e-5
        assert clear.mean() > 0.2, clear.mean()
        after = np.fromfile(f'{directory}/adam.f32', 'f4')
        near('weights', after[-count:][clear], flat(net.parameters())[clear], 2e-5 if name == 'vgg8' else 2e-6)
        if after.size > count:
            near('running statistics', after[:-count], flat(torch_network.statistics(net)), 1e-6)


def normalise(stamps):
    """net/input.h in numpy, for the default scales."""
    out = np.zeros(stamps.shape)
    for n, stamp in enumerate(stamps.astype(float)):
        for band in range(3):
            image, ivar = stamp[..., 2 * band], stamp[..., 2 * band + 1]
            good = np.sort(ivar[ivar > 0])
            v0 = good[(len(good) - 1) // 2]
            out[n, ..., 2 * band] = np.where(ivar > 0, np.arcsinh(image * np.sqrt(v0)) / 2, 0)
            out[n, ..., 2 * band + 1] = 4 * (ivar / v0 - 1)
    return out


def check_model():
    with tempfile.TemporaryDirectory() as directory:
        synthetic.write(directory + '/data', train=96, valid=16, test=20, side=16)
        run = directory + '/run'
        with open(directory + '/spec.json', 'w') as file:
            json.dump({'kind': 'train', 'threads': 1, 'fields': {'out': run, 'dataset': directory + '/data', 'model': TINY, 'epochs': 4}}, file)
        subprocess.run([WORKER, '--spec', directory + '/spec.json'], check=True, capture_output=True)
        stamps = np.load(directory + '/data/xtest_1.npy')
        stamps.tofile(directory + '/stamps.f32')
        with open(run + '/input.json') as file:
            fingerprint = json.load(file)['fingerprint']
        subprocess.run([PROBE, 'score', run, '16', '6', '20', directory, fingerprint], check=True)
        net = torch_network.network(run + '/model.yaml', 16, 6).double().eval()
        torch_network.load(net, read_safetensors(run + '/best.safetensors').values())
        x = torch.from_numpy(normalise(stamps)).permute(0, 3, 1, 2).requires_grad_()
        score = torch.softmax(net(x), 1)[:, 1]
        near('scores of etc/decoy_torch.py', np.fromfile(directory + '/score.f64'), decoy_torch.Network(run, 'best.safetensors')(x.detach().float())[:, 1], 1e-5)
        score.sum().backward()
        near('scores', np.fromfile(directory + '/score.f64'), score.detach().numpy(), 1e-5)
        near('gradients of scores', np.fromfile(directory + '/score_gradient.f32', 'f4').reshape(x.shape[0], 16, 16, 6),
             x.grad.permute(0, 2, 3, 1).numpy(), 1e-4)


check_step('lenet-2x2', 353786)
check_step('lenet', 353786)
check_step('vgg8', 334850)
check_step('resnet8', 78098)
check_model()
