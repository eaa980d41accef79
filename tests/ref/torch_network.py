"""A model file as a PyTorch module, and its weights from a safetensors file: what a user of PyTorch would
write to go on from a model of decoy's. Pooling pads as TensorFlow's SAME does, and padding does not count."""

import numpy as np
import torch
import yaml
from torch import nn
from torch.nn import functional as F


def same(x, kernel, stride):
    """x with TensorFlow's SAME padding, zeros."""
    side = x.shape[-1]
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    return F.pad(x, (before, after, before, after))


class Conv(nn.Module):
    def __init__(self, layer, channels):
        super().__init__()
        self.kernel, self.stride, self.valid = layer['kernel'], layer.get('stride', 1), layer.get('padding') == 'valid'
        self.conv = nn.Conv2d(channels, layer['features'], self.kernel, self.stride)

    def forward(self, x):
        return self.conv(x if self.valid else same(x, self.kernel, self.stride))


class Pool(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.maximum = layer['kind'] == 'maxpool'
        self.kernel, self.stride, self.valid = layer['kernel'], layer.get('stride', layer['kernel']), layer.get('padding') == 'valid'

    def pad(self, x):
        return x if self.valid else same(x, self.kernel, self.stride)

    def forward(self, x):
        if self.maximum:  # padding must not win: what is pooled is never negative after a ReLU
            return F.max_pool2d(self.pad(x), self.kernel, self.stride)
        inside = F.avg_pool2d(self.pad(torch.ones_like(x)), self.kernel, self.stride)
        return F.avg_pool2d(self.pad(x), self.kernel, self.stride) / inside


class Flat(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x


class Residual(nn.Module):
    """What its layers make, plus what it reads, brought to the same shape by a convolution of 1 px where it must be."""
    def __init__(self, layer, x):
        super().__init__()
        self.layers = sequence(layer['layers'], x)
        y = self.layers(x)
        stride = next(s for s in range(1, 4096) if -(-x.shape[-1] // s) <= y.shape[-1])
        self.projection = nn.Identity() if x.shape == y.shape else Conv({'features': y.shape[1], 'kernel': 1, 'stride': stride}, x.shape[1])

    def forward(self, x):
        return self.layers(x) + self.projection(x)


def norm(x):
    return nn.BatchNorm2d(x.shape[1]) if x.ndim == 4 else nn.BatchNorm1d(x.shape[1])


PARTS = {
    'conv': lambda layer, x: [Conv(layer, x.shape[1])],
    'dense': lambda layer, x: [Flat(), nn.Linear(int(np.prod(x.shape[1:])), layer['features'])],
    'avgpool': lambda layer, x: [Pool(layer)],
    'maxpool': lambda layer, x: [Pool(layer)],
    'globalpool': lambda layer, x: [nn.AdaptiveAvgPool2d(1)],
    'batchnorm': lambda layer, x: [norm(x)],
    'dropout': lambda layer, x: [nn.Dropout(layer['rate'])],
    'relu': lambda layer, x: [nn.ReLU()],
    'gelu': lambda layer, x: [nn.GELU()],
    'silu': lambda layer, x: [nn.SiLU()],
    'residual': lambda layer, x: [Residual(layer, x)],
}


def sequence(layers, x):
    """x: what the first of them reads."""
    parts = []
    for layer in layers:
        new = PARTS[layer['kind']](layer, x) + ([nn.ReLU()] if layer.get('relu') else [])
        for part in new:
            x = part(x)
        parts += new
    for part in parts:
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.reset_running_stats()
    return nn.Sequential(*parts)


def network(path, side, channels):
    """nn.Sequential of the model file at path; dense layers see row, column, channel."""
    with open(path) as file:
        layers = yaml.safe_load(file)['layers']
    return sequence(layers, torch.randn(2, channels, side, side))


def statistics(net):
    """Running means and variances, in the file's order."""
    return [buffer for name, buffer in net.named_buffers() if name.endswith(('running_mean', 'running_var'))]


def load(net, tensors):
    """Tensors in the file's order are the module's parameters in theirs, then its running statistics."""
    with torch.no_grad():
        for parameter, values in zip(list(net.parameters()) + statistics(net), tensors, strict=True):
            parameter.copy_(torch.from_numpy(np.array(values)))
