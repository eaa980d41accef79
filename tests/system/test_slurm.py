"""Allocations and lost hosts on real engines: Slurm, Open MPI, and hosts that are network namespaces (tests/harness). What happens on the
hosts is in on_hosts.py; here is what a training must come to: the weights of an undisturbed one."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from running import Running

HARNESS = pathlib.Path(__file__).resolve().parents[1] / 'harness'
TRAINING = ['--epochs', 6, '--batch', 32, '--micro-batch', 8]
PIPELINE = """
name: allocations
params: {ranks: 2, survey: null, fakes: null}
stages:
  cutouts: {kind: cutouts, survey: "${survey}", simulation: "${fakes}", cuts: kids3, ranks: 2}
  dataset: {kind: split, cutouts: "${cutouts}"}
  model: {kind: train, dataset: "${dataset}", epochs: 6, batch: 32, micro_batch: 8, ranks: "${ranks}"}
  verdict: {kind: evaluate, model: "${model}", dataset: "${dataset}", ranks: 2}
"""


def lacking(*programs):
    """Why the engines cannot be had here; empty where they can."""
    if os.geteuid() != 0:
        return 'network namespaces need root'
    if pathlib.Path(__file__).resolve().is_relative_to('/tmp'):
        return 'the checkout lies below /tmp, of which each host has its own'
    missing = [name for name in ('ip', 'mpirun', 'nsenter', *programs) if not shutil.which(name, path=os.environ['PATH'] + ':/usr/sbin')]
    if missing:
        return f'{", ".join(missing)} not installed'
    tried = subprocess.run(['unshare', '--net', '--mount', '--pid', '--fork', 'true'], capture_output=True, text=True, check=False)
    return tried.stderr.strip()


@pytest.fixture(scope='module')
def place():
    """A directory that all hosts see (/tmp is each host's own), with a pipeline that nothing has disturbed."""
    why = lacking()
    if why:
        pytest.skip(why)
    directory = pathlib.Path(tempfile.mkdtemp(prefix='decoy-', dir='/var/tmp'))
    decoy = Running(ASAN_OPTIONS='detect_leaks=0')
    try:
        decoy.finish('mock', '--out', directory / 'survey', '--bricks', 4, '--size', 512, '--galaxies', 20, '--ranks', 2)
        decoy.finish('inject', '--survey', directory / 'survey', '--out', directory / 'sim', '--ranks', 2)
        (directory / 'pipeline.yaml').write_text(PIPELINE.replace('survey: null, fakes: null', f'survey: {directory}/survey, fakes: {directory}/sim'))
        decoy('run', directory / 'pipeline.yaml', '--dir', directory / 'undisturbed', '--wait')
        yield directory
    finally:
        decoy.close()
        shutil.rmtree(directory, ignore_errors=True)


def on_hosts(place, command, scenario, **environment):
    """What the scenario, run on the first of the hosts, gives."""
    done = subprocess.run([*map(str, command), '/usr/bin/python3', pathlib.Path(__file__).with_name('on_hosts.py'), scenario, place, *map(str, TRAINING)],
                          env=dict(os.environ, **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def weights(directory):
    return hashlib.sha256((directory / 'model.safetensors').read_bytes()).hexdigest()


def verdict(directory):
    return json.loads((directory / 'verdict' / 'verdict.json').read_text())


def test_a_training_over_three_hosts_outlives_one_of_them(place):
    seen = on_hosts(place, [HARNESS / 'netns_cluster.sh', 3], 'lost_host', NC_DELAY=os.environ['NETDELAY'])
    print(f'\nT7 host lost, Open MPI over 3 hosts 2 ms apart: noticed after {seen["noticed_s"]:.1f} s; it went on from the checkpoint of step {seen["resumed_at"]} '
          f'({seen["steps_before"]:.0f} examples done) on {seen["ranks"]} ranks; ranks cut off were gone after {seen["gone_s"]:.1f} s')
    assert seen['noticed_s'] < 10 and seen['resumed_at'] > 0
    assert seen['outcomes'] == ['requeued', 'succeeded'] and seen['lost'] == ['h3'] and seen['ranks'] == 2 and seen['refused'] == 0
    assert weights(place / 'lost_host') == weights(place / 'undisturbed' / 'model')


def rows(directory):
    """metrics.jsonl without what the clock says."""
    found = map(json.loads, (directory / 'metrics.jsonl').read_text().splitlines())
    return [{name: value for name, value in row.items() if name not in ('img_per_s', 'input_share')} for row in found]


def test_a_rank_that_was_cut_off_and_comes_round_changes_no_output(place):
    seen = on_hosts(place, [HARNESS / 'netns_cluster.sh', 3], 'cut_off_writer')
    print(f'\nT7 the host of the rank that writes cut off and hung: noticed after {seen["noticed_s"]:.1f} s; the rank, awake again beside the second attempt, '
          f'wrote to {len(seen["grown"])} of its logs')
    assert seen['outcomes'] == ['requeued', 'succeeded'] and seen['lost'] == ['h2'] and seen['awake'] and seen['grown'] == []
    assert rows(place / 'cut_off_writer') == rows(place / 'undisturbed' / 'model')
    assert weights(place / 'cut_off_writer') == weights(place / 'undisturbed' / 'model')


def test_four_ranks_over_two_hosts_train_the_weights_of_one_rank(place):
    seen = on_hosts(place, [HARNESS / 'netns_cluster.sh', 2], 'two_hosts')
    assert seen == {'ranks': [2, 2], 'outcomes': ['succeeded', 'succeeded']}
    assert weights(place / 'two_hosts') == weights(place / 'one_rank')


def test_a_training_goes_on_from_one_allocation_to_the_next(place):
    why = lacking('slurmctld', 'slurmd', 'sbatch', 'munged')
    if why:
        pytest.skip(why)
    seen = on_hosts(place, [HARNESS / 'netns_slurm.sh', 2], 'allocations')
    print(f'\nT4 a pipeline in sbatch on 2 nodes, ranks by srun, warned by USR1: out of the allocation after {seen["left_s"]:.1f} s; the next began {seen["next_s"]:.1f} s later '
          f'and went on at {seen["resumed_at"]} examples of {seen["total"]}\n'
          f'T7 cable of a node pulled in the second allocation: noticed after {seen["noticed_s"]:.1f} s, it went on from the checkpoint of step {seen["resumed_steps"][2]}, '
          f'ranks cut off were gone after {seen["gone_s"]:.1f} s')
    assert seen['exit'] == ['COMPLETED', '0:0'] and seen['left_s'] < 15
    assert seen['outcomes'] == ['requeued', 'requeued', 'succeeded'] and seen['first_exit'] == 75 and seen['failures'] == 0
    assert seen['resumed_steps'][0] is None and 0 < seen['resumed_steps'][1] <= seen['resumed_steps'][2]
    assert seen['resumed_at'] > 0 and seen['noticed_s'] < 10 and seen['lost'] == ['h2']
    assert seen['shared_cores'] == [] and seen['bound'] == seen['ranks_running']
    assert seen['beside'] == ['requeued', 'succeeded'] and seen['after_down'] == ''
    assert seen['pipeline'] == {'cutouts': ['succeeded', 1], 'dataset': ['succeeded', 1], 'model': ['succeeded', 3], 'verdict': ['succeeded', 1]}
    assert seen['refused'] == 0
    assert verdict(place / 'allocations')['auc'] == verdict(place / 'undisturbed')['auc']
    assert weights(place / 'allocations' / 'model') == weights(place / 'undisturbed' / 'model')
    assert weights(place / 'beside') == weights(place / 'undisturbed' / 'model')
