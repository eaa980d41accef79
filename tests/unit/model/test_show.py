"""`decoy model show`: what it counts, by hand; what it refuses. argv: decoy, etc/models."""
import json
import subprocess
import sys
import tempfile

DECOY, MODELS = sys.argv[1:3]


def show(*words):
    return subprocess.run([DECOY, 'model', 'show', *words], capture_output=True, text=True)


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

assert 'residual2.projection' in show('resnet8').stdout
assert members('vgg8')['parameters'] == 334850

missing = show('no-such-model')
assert missing.returncode == 1 and 'no-such-model' in missing.stderr, missing
with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
    file.write('name: a\nlayers:\n  - {kind: avgpool, kernel: 70, padding: valid}\n  - {kind: dense, features: 2}\n')
    file.flush()
    wrong = show(file.name)
    assert wrong.returncode == 1 and f'{file.name}: layer 1: a window of 70 px does not fit in 64 px' in wrong.stderr, wrong
