"""An ONNX file evaluated in numpy by what docs/Operators.md says of its operators, in float32. For tests."""
import importlib
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../daemon/worker/export/onnx.proto')


def read(path):
    """Its ModelProto, which every required field must be in."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(['protoc', f'--proto_path={os.path.dirname(PROTO)}', f'--python_out={directory}', PROTO], check=True)
        sys.path.insert(0, directory)
        messages = importlib.import_module('onnx_pb2')
        sys.path.remove(directory)
    with open(path, 'rb') as file:
        return messages.ModelProto.FromString(file.read())


def windows(x, kernel, strides, pads, fill):
    """(N, C, rows, columns, kernel, kernel)"""
    padded = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::strides[0], ::strides[1]]


def conv(x, weight, bias, kernel_shape, strides, pads):
    return np.einsum('ncyxij,ocij->noyx', windows(x, kernel_shape, strides, pads, 0), weight, optimize=True) + bias[:, None, None]


def average(x, kernel_shape, strides, pads, count_include_pad):
    assert not count_include_pad
    inside = windows(np.ones_like(x), kernel_shape, strides, pads, 0).sum((4, 5))
    return windows(x, kernel_shape, strides, pads, 0).sum((4, 5)) / inside


def batchnorm(x, weight, bias, mean, variance, epsilon):
    shape = (-1,) + (1,) * (x.ndim - 2)
    return (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + np.float32(epsilon)) * weight.reshape(shape) + bias.reshape(shape)


def top(x, k, axis, largest):
    assert not largest and k[0] == x.shape[axis]
    order = np.argsort(x, axis, kind='stable')
    return np.take_along_axis(x, order, axis), order


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


OPERATORS = {
    'Transpose': lambda x, perm: x.transpose(perm), 'Gather': lambda x, i, axis: np.take(x, i, axis), 'Shape': lambda x: np.array(x.shape),
    'ConstantOfShape': lambda s: np.zeros(s, 'f4'), 'Concat': lambda *x, axis: np.concatenate(x, axis), 'Where': np.where, 'And': np.logical_and,
    'Greater': np.greater, 'LessOrEqual': np.less_equal, 'Abs': np.abs, 'Add': np.add, 'Sub': np.subtract, 'Mul': np.multiply, 'Max': np.maximum,
    'Div': lambda a, b: a / b if a.dtype.kind == 'f' else a // b, 'Reshape': lambda x, s: x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(s)]),
    'TopK': top, 'Cast': lambda x, to: x.astype({7: 'i8'}[to]), 'ReduceSum': lambda x, axes, keepdims: x.sum(tuple(axes), keepdims=bool(keepdims)),
    'GatherElements': lambda x, i, axis: np.take_along_axis(x, i, axis), 'Unsqueeze': lambda x, axes: np.expand_dims(x, tuple(axes)),
    'Sqrt': np.sqrt, 'Clip': np.clip, 'Asinh': np.arcsinh, 'Conv': conv, 'AveragePool': average,
    'MaxPool': lambda x, kernel_shape, strides, pads: windows(x, kernel_shape, strides, pads, -np.inf).max((4, 5)),
    'GlobalAveragePool': lambda x: x.mean((2, 3), keepdims=True), 'BatchNormalization': batchnorm, 'Relu': lambda x: np.maximum(x, 0),
    'Erf': np.vectorize(math.erf, otypes='f'), 'Sigmoid': lambda x: 1 / (1 + np.exp(-x)), 'Flatten': lambda x, axis: x.reshape(len(x), -1),
    'Gemm': lambda x, w, b, transB: x @ (w.T if transB else w) + b, 'Softmax': softmax, 'Identity': lambda x: x,
}


def attributes(node):
    return {a.name: {1: a.f, 2: a.i, 7: list(a.ints)}[a.type] for a in node.attribute}


def run(model, **inputs):
    """Its outputs by name; a value that is made twice, or read before it is made, is an error."""
    values = {t.name: np.frombuffer(t.raw_data, {1: '<f4', 7: '<i8'}[t.data_type]).reshape(tuple(t.dims)) for t in model.graph.initializer}
    assert len(values) == len(model.graph.initializer) and set(inputs) == {value.name for value in model.graph.input}
    values.update(inputs)
    with np.errstate(invalid='ignore', over='ignore'):
        for node in model.graph.node:
            made = OPERATORS[node.op_type](*(values[name] for name in node.input), **attributes(node))
            for name, value in zip(node.output, made if isinstance(made, tuple) else (made,), strict=True):
                assert name not in values, name
                values[name] = value.astype('f4') if value.dtype == 'f8' else value
    for told in model.graph.output:
        sizes = [d.dim_value for d in told.type.tensor_type.shape.dim]
        assert [n for n, want in zip(values[told.name].shape, sizes, strict=True) if want and n != want] == [], told.name
    return {value.name: values[value.name] for value in model.graph.output}
