"""A network that decoy trained, in PyTorch: Network('RUN')(x) is P(real), P(fake) of x (N, channels, rows, columns), normalised as RUN/input.json says."""
import collections, json, math, os, numpy as np, torch, yaml
from torch.nn import functional as F

SIMPLE = {'relu': F.relu, 'gelu': F.gelu, 'silu': F.silu, 'dropout': lambda x: x, 'globalpool': lambda x: F.adaptive_avg_pool2d(x, 1)}

def slide(layer, x, weight, bias):  # padding `same` is TensorFlow's, and does not count in a mean
    kernel, stride = layer['kernel'], layer.get('stride', 1 if layer['kind'] == 'conv' else layer['kernel'])
    total = 0 if layer.get('padding') == 'valid' else max((math.ceil(x.shape[-1] / stride) - 1) * stride + kernel - x.shape[-1], 0)
    pad = lambda image, value=0.: F.pad(image, (total // 2, total - total // 2) * 2, value=value)
    if layer['kind'] == 'maxpool':
        return F.max_pool2d(pad(x, -math.inf), kernel, stride)
    mean = lambda image: F.avg_pool2d(pad(image), kernel, stride)
    return F.conv2d(pad(x), weight, bias, stride) if layer['kind'] == 'conv' else mean(x) / mean(torch.ones_like(x))

class Network:
    def __init__(self, run, file='model.safetensors'):
        self.layers = yaml.safe_load(open(os.path.join(run, 'model.yaml')))['layers']
        data = open(os.path.join(run, file), 'rb').read()
        length = int.from_bytes(data[:8], 'little')
        self.tensors = {name: torch.from_numpy(np.frombuffer(data[8 + length:][slice(*entry['data_offsets'])], '<f4').reshape(entry['shape']).copy())
                        for name, entry in json.loads(data[8:8 + length]).items() if name != '__metadata__'}

    def __call__(self, x):
        return torch.softmax(self.run(self.layers, x, collections.Counter()), 1)

    def run(self, layers, x, counts):
        for layer in layers:
            kind, y = layer['kind'], x
            name = f'{kind}{counts.update([kind]) or counts[kind]}'
            weight, bias, mean, variance = (self.tensors.get(f'{name}.{part}') for part in ('weight', 'bias', 'running_mean', 'running_var'))
            x = SIMPLE[kind](y) if kind in SIMPLE else F.batch_norm(y, mean, variance, weight, bias) if kind == 'batchnorm' else \
                F.linear(y.permute(0, 2, 3, 1).flatten(1) if y.ndim == 4 else y, weight, bias) if kind == 'dense' else \
                self.run(layer['layers'], y, counts) if kind == 'residual' else slide(layer, y, weight, bias)
            if kind == 'residual':
                stride, weight = -(-y.shape[-1] // x.shape[-1]), self.tensors.get(f'{name}.projection.weight')
                x = x + (y if weight is None else F.conv2d(y, weight, self.tensors[f'{name}.projection.bias'], stride))
            x = F.relu(x) if layer.get('relu') else x
        return x
