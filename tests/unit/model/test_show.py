"""`decoy model show`: what it counts, by hand; what it refuses. argv: decoy, etc/models."""
import json
import os
import subprocess
import sys
import tempfile

DECOY, MODELS = sys.argv[1:3]


def show(*words, environment=None):
    return subprocess.run([DECOY, 'model', 'show', *words], capture_output=True, text=True, env={**os.environ, **(environment or {})})


def members(*words):
    out = show(*words, '--json')
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


lenet = members('lenet')
assert lenet['input'] == [64, 64, 6] and lenet['parameters'] == 353786
by_name = {layer['name']: layer for layer in lenet['layers']}
assert by_name['conv2']['output'] == [32, 32, 36]
assert by_name['conv2']['forward_flops'] == 2 * 7 * 7 * 18 * 36 * 32 * 32
assert by_name['conv2']['step_flops'] == 3 * by_name['conv2']['forward_flops']
assert by_name['conv1']['step_flops'] == 2 * by_name['conv1']['forward_flops']  # no gradient of the stamps
floats = 64 * 64 * 6 + sum(a * b * c for a, b, c in (layer['output'] for layer in lenet['layers']))
assert lenet['memory_bytes']['activations'] == 16 * 4 * floats
assert members('lenet', '--micro-batch', '32')['memory_bytes']['activations'] == 2 * 16 * 4 * floats
assert members(f'{MODELS}/lenet.yaml', '--stamp', '32')['layers'][0]['output'] == [32, 32, 18]

with open('/proc/cpuinfo') as file:
    has_bf16 = 'avx512_bf16' in file.read()
if has_bf16:
    f32, bf16 = (members('vgg8', '--precision', precision)['memory_bytes'] for precision in ('f32', 'bf16'))
    assert bf16['activations'] == f32['activations'] and bf16['kernels'] != f32['kernels'], (f32, bf16)
    assert 'of 16 in bf16: activations' in show('vgg8', '--precision', 'bf16').stdout
else:
    print('left out: --precision bf16, for this processor multiplies no bfloat16 (avx512_bf16)')
refused = show('vgg8', '--precision', 'bf16', environment={'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE'})
assert refused.returncode == 1 and '--precision bf16: this processor multiplies no bfloat16 (avx512_bf16)' in refused.stderr, refused

assert 'residual2.projection' in show('resnet8').stdout
assert members('vgg8')['parameters'] == 334850

missing = show('no-such-model')
assert missing.returncode == 1 and 'no-such-model' in missing.stderr, missing
with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
    file.write('name: a\nlayers:\n  - {kind: avgpool, kernel: 70, padding: valid}\n  - {kind: dense, features: 2}\n')
    file.flush()
    wrong = show(file.name)
    assert wrong.returncode == 1 and f'{file.name}: layer 1: a window of 70 px does not fit in 64 px' in wrong.stderr, wrong
