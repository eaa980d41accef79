"""decoy sweep: a file of values becomes trainings, evaluations and a table, with a real daemon and real workers."""
import json
import math
import os
import sys

import h5py
import numpy as np
import pytest
import yaml
from running import SOURCE

sys.path.insert(0, str(SOURCE / 'tests/ref'))
import synthetic

TINY = SOURCE / 'tests/unit/train/tiny.yaml'
VALID = 60
HEAD = 'search: {search}\ntrain: {{dataset: {dataset}, model: ' + str(TINY) + ', epochs: 2, batch: 24, micro_batch: 4, seed: 5{more}}}\nvary:\n'


@pytest.fixture(scope='module')
def dataset(decoy):
    """Three bricks a part and an index, as split writes them."""
    place = decoy.directory / 'data'
    synthetic.write(str(place), train=200, valid=VALID, test=40, side=16, shard=64)
    total = 200 + VALID + 40
    with h5py.File(place / 'index.h5', 'w') as index:
        index['id'] = np.arange(total)
        index['brickname'] = np.array([f'000{i % 3}p00' for i in range(total)], 'S8')
        index['mag_g'] = np.linspace(20, 24, total)
    return place


def write(decoy, dataset, name, vary, search='grid', more=''):
    path = decoy.directory / f'{name}.yaml'
    path.write_text(HEAD.format(search=search, dataset=dataset, more=more) + ''.join(f'  {line}\n' for line in vary))
    return path


@pytest.fixture(scope='module')
def swept(decoy, dataset):
    """A finished sweep of two trials: its directory and what was printed."""
    path = write(decoy, dataset, 'tiny', ['conv1.kernel: [3, 5]'])
    return decoy.directory / 'tiny-sweep', decoy('sweep', path, '--wait')


def trials_of(decoy, directory, **options):
    return decoy.json('sweep', 'results', directory, **options)['trials']


def auc_of(score, label):
    fake, real = score[label == 1], score[label == 0]
    return ((fake[:, None] > real) + 0.5 * (fake[:, None] == real)).mean()


def test_results_are_those_of_the_predictions(decoy, swept):
    directory, _ = swept
    trials = trials_of(decoy, directory)
    assert {trial['values']['conv1.kernel'] for trial in trials} == {3, 5}
    assert [trial['auc'] for trial in trials] == sorted((trial['auc'] for trial in trials), reverse=True)
    for trial in trials:
        with h5py.File(directory / f"{trial['trial']}-valid" / 'predictions.h5') as file:
            score, label = file['score'][...], file['label'][...]
        loss = -np.log(np.where(label == 1, score, 1 - score))
        assert len(score) == VALID, 'the validation part, and not the test part'
        assert trial['auc'] == pytest.approx(auc_of(score, label), abs=1e-6)
        assert 0 < trial['auc_error'] < 0.2
        assert trial['loss'] == pytest.approx(loss.mean(), rel=1e-5)
        assert trial['loss_error'] == pytest.approx(loss.std(ddof=1) / math.sqrt(VALID), rel=1e-5)
        assert (trial['epochs_done'], trial['epochs'], trial['state']) == (2, 2, 'succeeded')
        assert trial['img_per_s'] > 0
        with open(directory / f"{trial['trial']}-train" / 'model.safetensors', 'rb') as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        trained = [t for name, t in header.items() if name != '__metadata__' and 'running' not in name]
        assert trial['parameters'] == sum(math.prod(t['shape']) for t in trained)
        assert header['conv1.weight']['shape'][2] == trial['values']['conv1.kernel']


def test_table_has_a_line_for_each_trial(decoy, swept):
    directory, output = swept
    lines = output.strip().splitlines()
    assert lines[-3].split() == ['trial', 'conv1.kernel', 'parameters', 'epochs', 'valid', 'AUC', '+-', 'loss', '+-', 'img/s', 'state']
    assert [line.split()[1] for line in lines[-2:]] == [str(t['values']['conv1.kernel']) for t in trials_of(decoy, directory)]
    assert all(line.endswith('succeeded') for line in lines[-2:])


def test_results_need_no_daemon(decoy, swept, tmp_path):
    directory, _ = swept
    assert decoy.json('--state', tmp_path, 'sweep', 'results', directory) == decoy.json('sweep', 'results', directory)


def test_same_sweep_again_is_the_same_jobs_and_one_more_value_is_one_more_trial(decoy, dataset, swept):
    directory, _ = swept
    before = {row['id']: row['attempt'] for row in decoy.json('ls', '--all')['jobs']}
    names = {trial['trial'] for trial in trials_of(decoy, directory)}
    again = decoy.json('sweep', decoy.directory / 'tiny.yaml', '--detach')
    assert set(again['ids'].values()) == set(before)
    assert {row['id']: row['attempt'] for row in decoy.json('ls', '--all')['jobs']} == before
    path = write(decoy, dataset, 'tiny', ['conv1.kernel: [5, 4, 3]'])
    more = decoy.json('sweep', path, '--detach')
    assert len(set(more['ids'].values()) - set(before)) == 2
    decoy('wait', *more['ids'].values())
    trials = trials_of(decoy, directory)
    assert len(trials) == 3 and names < {trial['trial'] for trial in trials}
    other = decoy.json('sweep', path, '--dir', decoy.directory / 'other', '--set', 'hold=true', '--detach')
    assert not set(other['ids'].values()) & set(more['ids'].values()), 'another directory is another sweep'
    assert {trial['state'] for trial in trials_of(decoy, decoy.directory / 'other')} == {'held'}


def test_layers_are_changed_by_their_names_and_repeated(decoy, dataset):
    path = write(decoy, dataset, 'layers', ['conv*.features: [7]', 'dense1.repeat: [0, 1, 3]'], more=', hold: true')
    decoy('sweep', path, '--detach')
    found = {trial['values']['dense1.repeat']: trial for trial in trials_of(decoy, decoy.directory / 'layers-sweep')}
    base = yaml.safe_load(TINY.read_text())
    side = 16 // 2 // 2
    dense = base['layers'][-2]['features']
    assert found[3]['parameters'] - found[1]['parameters'] == 2 * (dense * dense + dense)
    flat = side * side * 7
    assert found[1]['parameters'] - found[0]['parameters'] == (flat * dense + dense) + (dense * 2 + 2) - (flat * 2 + 2)
    models = [yaml.safe_load(file.read_text()) for file in (decoy.directory / 'layers-sweep/models').iterdir()]
    assert sorted(len(model['layers']) for model in models) == [len(base['layers']) - 1, len(base['layers']), len(base['layers']) + 2]
    assert {model['layers'][0]['features'] for model in models} == {7}
    assert {model['layers'][2]['layers'][0]['features'] for model in models} == {7}, 'layers of residual blocks too'


def test_random_search_is_a_function_of_its_seed_and_grows(decoy, dataset):
    vary = ['rate: {from: 0.0001, to: 0.01, scale: log}', 'optimiser: [sgd, adam]', 'conv1.kernel: {from: 3, to: 6}']

    def draw(name, seed, samples):
        path = write(decoy, dataset, name, vary, f'random\nseed: {seed}\nsamples: {samples}', ', hold: true')
        decoy('sweep', path, '--detach')
        return [trial['values'] for trial in trials_of(decoy, decoy.directory / f'{name}-sweep')]

    few, many, other = draw('few', 7, 6), draw('many', 7, 30), draw('other', 8, 6)
    assert len(many) == 30 and many[:6] == few != other
    assert all(1e-4 <= v['rate'] <= 1e-2 for v in many)
    assert 5 <= sum(v['rate'] < 1e-3 for v in many) <= 25, 'half of a logarithmic range lies below its middle'
    assert {v['conv1.kernel'] for v in many} == {3, 4, 5, 6} and {v['optimiser'] for v in many} == {'sgd', 'adam'}


@pytest.mark.parametrize('line, vary, sentence', [
    (4, ['rats: [1]'], 'train has no field rats; did you mean rate?'),
    (5, ['seed: [1]', 'rate: [0.1, 11]'], 'rate'),
    (6, ['rate:', '  - 0.1', '  - fast'], 'rate'),
    (4, ['rate: {from: 1, to: 2}'], 'a grid needs a list'),
    (4, ['out: [a, b]'], 'out must be the same for all trials'),
    (4, ['conv9.kernel: [3]'], 'the model has no layer conv9, but conv1'),
    (4, ['conv1.kernle: [3]'], 'conv1.kernle = 3: '),
    (5, ['seed: [1, 2]', 'conv1.kernel: [3, 0]'], 'conv1.kernel = 0: '),
    (4, ['dense2.features: [3]'], 'dense2.features = 3: '),
    (4, ['model: [lenet-9]'], 'no lenet-9.yaml in etc/models'),
    (3, ['seed: [1, 1]'], 'two trials are the same'),
])
def test_bad_line_gets_one_sentence_and_no_job(decoy, dataset, line, vary, sentence):
    path = write(decoy, dataset, 'bad', vary)
    jobs = decoy.json('ls', '--all')['jobs']
    decoy('sweep', path, status=2)
    assert decoy.stderr.startswith(f'decoy: {path}:{line}: ') and sentence in decoy.stderr and decoy.stderr.count('\n') == 1, decoy.stderr
    assert decoy.json('ls', '--all')['jobs'] == jobs


@pytest.mark.parametrize('words, sentence', [
    (['--set', 'epochs=0'], '--set epochs: '),
    (['--set', 'epoch=1'], 'did you mean epochs?'),
    (['--set', 'out=x'], 'each trial has its own out'),
    (['--set', 'dataset=nowhere'], 'is not a finished dataset'),
])
def test_bad_setting_is_refused(decoy, dataset, words, sentence):
    decoy('sweep', write(decoy, dataset, 'bad', ['rate: [0.1]']), *words, status=2)
    assert sentence in decoy.stderr


def test_directory_that_holds_no_sweep_is_named(decoy, tmp_path):
    decoy('sweep', 'results', tmp_path, status=2)
    assert f'{tmp_path} is not the directory of a sweep' in decoy.stderr
    assert not os.listdir(tmp_path)
