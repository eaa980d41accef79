"""The whole way from images to a verdict, with a real daemon and real workers."""
import hashlib
import json
import shutil

import pytest
from running import SHARED, Running

SMALL = ['--set', 'bricks=5', '--set', 'size=512', '--set', 'epochs=2']


@pytest.fixture(scope='module')
def decoy():
    running = Running(ASAN_OPTIONS='detect_leaks=0')  # several ranks: Open MPI leaves much behind, from plugins that are gone
    yield running
    running.close()


@pytest.fixture(scope='module')
def demo(decoy):
    """A finished small demo, and what `decoy run` printed of it."""
    output = decoy('run', 'demo', '--dir', decoy.directory / 'demo', *SMALL, timeout=600)
    return decoy.directory / 'demo', output


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_demo_ends_with_a_verdict_and_a_report(demo):
    directory, output = demo
    lines = output.strip().splitlines()
    assert lines[-2].startswith('verdict: ')
    assert lines[-1].endswith('report.html')
    verdict = json.loads((directory / 'verdict' / 'verdict.json').read_text())
    assert verdict['verdict'] in ('distinguishable', 'representative', 'inconclusive')
    assert verdict['n'] == verdict['n_fake'] + verdict['n_real'] > 0
    assert 0.0 <= verdict['auc']['low'] <= verdict['auc']['value'] <= verdict['auc']['high'] <= 1.0


def test_every_stage_left_what_formats_promise(demo):
    directory, _ = demo
    for pattern in ('cutouts/real/*/*.h5', 'cutouts/fake/*/*.h5', 'dataset/xtrain_1.npy', 'dataset/ytest_1.npy', 'dataset/index.h5',
                    'dataset/manifest.json', 'model/ckpts/ckpt-*.h5', 'model/logs/events.out.tfevents.*', 'model/prof/*.json',
                    'model/metrics.jsonl', 'model/model.safetensors', 'model/model.yaml', 'verdict/predictions.h5', 'verdict/report.html'):
        assert list(directory.glob(pattern)), pattern


def test_no_temporary_file_is_left(demo):
    directory, _ = demo
    assert not list(directory.rglob('.*.part'))


def test_killed_daemon_goes_on_to_the_same_weights(decoy, demo):
    directory, _ = demo
    trained = directory / 'model' / 'model.safetensors'
    job = decoy.submit('train', '--dataset', directory / 'dataset', '--out', directory / 'again', '--epochs', 2, '--ranks', 2,
                       '--checkpoint-every', '1s')
    decoy.until(lambda: list((directory / 'again' / 'ckpts').glob('ckpt-*.h5')), 60, 'a checkpoint')
    decoy.kill_daemon()
    decoy('up')
    decoy('wait', job)
    row = decoy.row(job)
    assert row['state'] == 'succeeded'
    assert row['attempt'] >= 2
    assert digest(directory / 'again' / 'model.safetensors') == digest(trained)


def test_rerun_of_finished_work_is_quick_and_changes_nothing(decoy, demo):
    directory, _ = demo
    before = {path: digest(path) for path in (directory / 'cutouts').rglob('*.h5')}
    row = decoy.finish('cutouts', '--survey', directory / 'survey', '--simulation', directory / 'fakes', '--out', directory / 'cutouts')
    assert row['state'] == 'succeeded'
    assert before == {path: digest(path) for path in (directory / 'cutouts').rglob('*.h5')}


@pytest.mark.skipif(not SHARED.is_dir(), reason='the real images are not here')
def test_real_bricks_come_to_a_verdict(decoy):
    directory = decoy.directory / 'kids'
    output = decoy('run', 'survey', '--dir', directory, '--set', f'survey={SHARED}/kids3', '--set', 'cuts=kids3',
                   '--set', f'prior={SHARED}/elg-prior/eboss_elg_dr3deep2_EXP.csv', '--set', 'epochs=1', timeout=600)
    assert output.strip().splitlines()[-2].startswith('verdict: ')
    shutil.rmtree(directory)
