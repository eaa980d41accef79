"""The client against the real daemon, whose workers are fake_worker.py: a job's `out` says what it does."""
import os
import pathlib
import signal
import subprocess
import time

import pytest
from running import DECOY, Running

WORKER = pathlib.Path(__file__).with_name('fake_worker.py')

PIPELINE = """
params: {n: 20, end: exit=0}
stages:
  one: {kind: mock, out: "DIR/progress=${n},result"}
  two: {kind: split, cutouts: ${one}, out: "DIR/${end},say=no shard could be written", retries: 0}
  three: {kind: audit, dataset: ${two}, out: DIR/x}
"""


@pytest.fixture
def decoy(monkeypatch):
    monkeypatch.setenv('DECOY_WORKER', str(WORKER))
    running = Running()
    (running.directory / 'p.yaml').write_text(PIPELINE.replace('DIR', str(running.directory)))
    yield running
    running.close()


def start(decoy, *words):
    return subprocess.Popen([DECOY, *map(str, words)], env=decoy.environment, cwd=decoy.directory, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def mock(decoy, does, *flags, **options):
    return decoy.submit('mock', '--out', decoy.directory / does, '--retries', 0, *flags, **options)


def test_up_and_down_are_said_once_and_twice(decoy):
    assert decoy.json('up')['started'] is False
    pid = decoy.json('status')['pid']
    assert decoy.json('down')['pid'] == pid
    assert not pathlib.Path(f'/proc/{pid}').exists() or ') Z' in pathlib.Path(f'/proc/{pid}/stat').read_text()
    decoy('down', status=3)
    assert 'start it with `decoy up`' in decoy.stderr
    assert decoy.json('up')['started'] is True


def test_killed_daemon_is_noticed_at_once_and_comes_back(decoy):
    job = mock(decoy, 'sleep=0.1')
    decoy('wait', job)
    decoy.kill_daemon()
    begun = time.monotonic()
    decoy('ls', status=3)
    assert time.monotonic() - begun < 2
    decoy('up')
    assert decoy.row(job)['state'] == 'succeeded'


def test_submit_runs_and_tells_the_outcome(decoy):
    assert '1  mock            succeeded in' in decoy('submit', 'mock', '--out', 'progress=5', '--follow')
    mock(decoy, 'exit=3,say=the disk is full', '--wait', status=1)
    assert decoy.stderr == 'decoy: job 2 failed: the disk is full\n'
    assert 'the disk is full' in decoy('logs', 2)
    assert decoy.json('show', 2)['job']['attempts'][0]['exit_status'] == 3


def test_same_key_is_the_same_job(decoy):
    assert mock(decoy, 'sleep=0', '--key', 'a') == mock(decoy, 'sleep=0', '--key', 'a') == 1
    decoy('submit', 'mock', '--out', 'other', '--key', 'a', status=4)


def test_run_follows_to_the_end_and_is_idempotent_by_key(decoy):
    first = decoy('run', './p.yaml', '--key', 'k')
    assert [line.split()[1:3] for line in first.splitlines() if 'succeeded' in line] == [
        [stage, 'succeeded'] for stage in ('one', 'two', 'three')]
    assert decoy.json('run', './p.yaml', '--key', 'k')['ids'] == {'one': 1, 'two': 2, 'three': 3}
    decoy('run', './p.yaml', '--key', 'k', '--set', 'n=3', status=4)
    assert len(decoy.json('ls', '--all')['jobs']) == 3


def test_run_with_a_failure_skips_what_needs_it_and_ends_with_1(decoy):
    text = decoy('run', './p.yaml', '--set', 'end=exit=4', status=1)
    assert 'failed' in text and ': no shard could be written' in text and 'skipped' in text
    assert text.splitlines()[-1] == '`decoy logs 2` shows what two wrote'


def test_interrupted_run_goes_on(decoy):
    run = start(decoy, 'run', './p.yaml', '--set', 'n=40')
    decoy.until(lambda: decoy.json('ls', '--all')['jobs'], 10, 'the first job')
    run.send_signal(signal.SIGINT)
    assert 'come back with `decoy watch 1-3`' in run.communicate(timeout=5)[1]
    assert run.returncode == 130
    assert decoy('wait', 1, 2, 3).count('succeeded') == 3


FOLLOWERS = (['watch'], ['wait'], ['events', '-f'], ['logs', '-f'])


def test_followers_of_a_daemon_that_stays_away_say_how_to_come_back(decoy):
    job = mock(decoy, 'sleep=30')
    decoy.environment['DECOY_RECONNECT'] = '0.5s'
    followers = [start(decoy, *words, job) for words in FOLLOWERS]
    time.sleep(0.5)
    decoy.kill_daemon()
    for follower in followers:
        text = follower.communicate(timeout=10)[1]
        assert follower.returncode == 3 and '`decoy up`' in text, text
    decoy('up')
    decoy('cancel', job, '--reason', 'enough')


@pytest.mark.parametrize('end', ['kill_daemon', 'down'])
def test_followers_go_on_with_a_daemon_that_comes_back(decoy, end):
    job = mock(decoy, 'sleep=1.5,stop75,say=hello')
    run = start(decoy, 'run', './p.yaml', '--set', 'end=exit=0', '--wait')
    followers = [start(decoy, *words, job) for words in FOLLOWERS]
    decoy.until(lambda: decoy.row(job)['state'] == 'running', 10, 'the start')
    time.sleep(0.3)
    decoy.kill_daemon() if end == 'kill_daemon' else decoy('down')
    time.sleep(0.5)
    decoy('up')
    said = [follower.communicate(timeout=30) for follower in followers]
    assert [follower.returncode for follower in followers] == [0, 0, 0, 0], said
    assert all('decoyd is back' in text for _, text in said)
    events = [line.split()[4] for line in said[2][0].splitlines()]
    assert [name for name in events if name != 'stop_asked'] == ['submitted', 'ready', 'started', 'requeued', 'started', 'succeeded']
    text = run.communicate(timeout=30)[0]
    assert run.returncode == 0 and text.count('succeeded') == 3


def test_logs_follow_until_the_attempt_ends(decoy):
    job = mock(decoy, 'sleep=0.7,say=hello')
    decoy.until(lambda: decoy.row(job)['state'] == 'running', 10, 'the start')
    assert 'hello' in decoy('logs', job, '-f')
    assert decoy.row(job)['state'] == 'succeeded'


def test_watch_and_events_end_with_the_job(decoy):
    job = mock(decoy, 'progress=8,note=half way')
    watch, events = start(decoy, 'watch', job, '--json'), decoy('events', job, '-f')
    rows = [line for line in watch.communicate(timeout=10)[0].splitlines()]
    assert len(rows) > 2 and watch.returncode == 0
    assert [word for word in ('submitted', 'ready', 'started', 'half way', 'succeeded') if word not in events] == []


def test_hold_release_cancel_and_dependencies(decoy):
    held = mock(decoy, 'sleep=0', '--hold', '--name', 'later')
    after = mock(decoy, 'sleep=0', '--after', held)
    assert [row['state'] for row in decoy.json('ls')['jobs']] == ['held', 'waiting']
    decoy('release', held)
    decoy('wait', held, after)
    decoy('release', held, status=4)
    running = mock(decoy, 'sleep=30')
    decoy('cancel', running, '--reason', 'wrong seed')
    assert 'cancelled' in decoy('wait', running, status=1)
    assert 'wrong seed' in decoy('show', running)


def test_wait_gives_up_in_time(decoy):
    job = mock(decoy, 'sleep=30')
    decoy('wait', job, '--timeout', '0.3s', status=5)
    decoy('cancel', job)


def test_ranks_max_are_the_slots(decoy):
    job = mock(decoy, 'sleep=0', '--ranks', 'max', '--hold')
    assert decoy.row(job)['ranks'] == 2


@pytest.mark.parametrize('flags, ranks', [((), 2), (('--batch', 16), 1), (('--batch', 17, '--micro-batch', 8), 2), (('--threads', 2), 1), (('--ranks', 1), 1)])
def test_a_training_that_names_no_ranks_has_those_with_work(decoy, flags, ranks):
    job = int(decoy('submit', 'train', '--dataset', decoy.directory, '--out', decoy.directory / 'out', '--hold', *flags))
    assert decoy.row(job)['ranks'] == ranks


def test_daemon_refuses_a_directory_that_others_can_read(decoy):
    other = decoy.directory / 'open'
    other.mkdir(mode=0o755)
    os.chmod(other, 0o755)
    decoy('up', '--state', other, status=3)
    assert decoy.stderr.startswith('decoy: decoyd did not start: ') and 'open to other users' in decoy.stderr
