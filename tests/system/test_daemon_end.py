"""How attempts end: failure and retry, time limits, cancel, ranks."""
import pathlib
import subprocess
import time

import pytest
from protocol import Daemon, alive, refused


def test_a_failure_is_retried_after_a_pause_and_names_its_reason(daemon):
    job = daemon.submit('failfirst=1', retries=1)
    assert daemon.finish(job) == ['succeeded']
    assert daemon.names(job) == ['submitted', 'ready', 'started', 'retried', 'started', 'succeeded']
    retried, again = daemon.events(job)[3:5]
    assert retried['context']['reason'] == 'it fails at first' and again['time_us'] - retried['time_us'] >= 990_000
    attempts = daemon.show(job)['attempts']
    assert [a['outcome'] for a in attempts] == ['retried', 'succeeded'] and attempts[0]['exit_status'] == 1
    assert attempts[0]['directory'] != attempts[1]['directory']


def test_retries_come_to_an_end(daemon):
    job = daemon.submit('say=no luck', 'exit=4', retries=1)
    assert daemon.finish(job) == ['failed']
    row = daemon.show(job)
    assert row['reason'] == 'no luck' and row['attempt'] == 2


def test_a_worker_ended_by_a_signal_has_failed(daemon):
    job = daemon.submit('kill=11', retries=0)
    assert daemon.finish(job) == ['failed']
    assert 'signal 11' in daemon.show(job)['reason'] and daemon.show(job)['attempts'][0]['signal'] == 11


def test_a_worker_that_cannot_be_run_has_failed(daemon):
    daemon.environment['DECOY_WORKER'] = str(daemon.directory / 'gone')
    (daemon.directory / 'gone').write_text('#!/nonexistent/interpreter\n')
    (daemon.directory / 'gone').chmod(0o755)
    daemon.stop()
    daemon.start()
    job = daemon.submit(retries=0)
    assert daemon.finish(job) == ['failed']
    assert 'cannot run' in daemon.show(job)['reason']


def test_an_attempt_that_runs_too_long_is_ended_and_fails(daemon):
    job = daemon.submit('sleep=60', time_limit=1, retries=0)
    assert daemon.finish(job) == ['failed']
    assert 'time limit of 1 s' in daemon.show(job)['reason']


def test_cancel_takes_a_waiting_job_at_once_and_those_after_it(daemon):
    blocker = daemon.submit('sleep=60', threads=2)
    a = daemon.submit()
    b = daemon.submit(after=[a])
    assert daemon.peer.ask('cancel', job=a, reason='not wanted\n')['job']['state'] == 'cancelled'
    assert daemon.show(a)['reason'] == 'not wanted?' and daemon.state_of(b) == 'skipped'
    refused(daemon, 'refused', 'been cancelled', 'cancel', job=a)
    refused(daemon, 'no_job', 'no job 99', 'cancel', job=99)
    daemon.peer.ask('cancel', job=blocker)
    assert daemon.finish(blocker) == ['cancelled']


def test_cancel_ends_the_whole_tree_of_a_running_job(daemon):
    job = daemon.submit('child', 'sleep=60')
    worker = daemon.pids(job)[0]
    children = daemon.until(lambda: pathlib.Path(f'/proc/{worker}/task/{worker}/children').read_text().split())
    daemon.peer.ask('cancel', job=job, reason='enough')
    assert daemon.finish(job) == ['cancelled']
    assert daemon.show(job)['reason'] == 'enough'
    assert not alive(worker) and not any(alive(child) for child in children)


def test_a_worker_that_leaves_a_child_behind_is_cleaned_up(daemon):
    job = daemon.submit('child')
    worker = daemon.pids(job)[0]
    assert daemon.finish(job) == ['succeeded']
    time.sleep(0.1)
    left = subprocess.run(['ps', '-s', str(worker), '-o', 'pid='], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    assert not any(map(alive, left))


def test_a_deaf_worker_is_killed_after_the_grace_time(impatient):
    job = impatient.submit('deaf', 'sleep=60')
    impatient.pids(job)
    began = time.monotonic()
    impatient.peer.ask('cancel', job=job)
    assert impatient.finish(job) == ['cancelled']
    assert 0.9 < time.monotonic() - began < 5
    assert impatient.show(job)['attempts'][0]['signal'] == 9


@pytest.mark.parametrize('words', [('sleep=60',), ('stop75', 'sleep=60'), ('deaf', 'sleep=60')])
def test_cancel_reaches_every_rank_under_mpirun(impatient, words):
    job = impatient.submit(*words, ranks=2)
    ranks = impatient.pids(job, ranks=2)
    impatient.peer.ask('cancel', job=job)
    assert impatient.finish(job) == ['cancelled']
    assert not any(map(alive, ranks))


def test_ranks_run_under_mpirun_and_a_failure_is_theirs(daemon):
    good, bad = daemon.submit('progress=4', ranks=2), daemon.submit('say=2026-01-01T00:00:00Z error: rank said no', 'exit=1', ranks=2, retries=0)
    assert daemon.finish(good, bad) == ['succeeded', 'failed']
    assert daemon.show(bad)['reason'] == 'rank said no'
    assert len(daemon.pids(good, ranks=2)) == 2
    assert not daemon.peer.ask('logs', job=good)['text']  # mpirun found nothing to warn of


@pytest.fixture
def watchful():
    """A decoyd that waits a second for a sign of life."""
    daemon = Daemon(grace=1, hang_after=1)
    yield daemon
    daemon.close()


def test_ranks_that_meet_late_are_not_silent_and_those_that_fall_silent_hang(watchful):
    job = watchful.submit('beats=6', ranks=2, retries=0)
    assert watchful.finish(job) == ['succeeded']
    job = watchful.submit('beats=3', 'sleep=60', ranks=2, retries=0)
    assert watchful.finish(job) == ['failed']
    assert watchful.show(job)['reason'] == 'rank 0 has not been heard of for 1 s'
    asked = next(event for event in watchful.events(job) if event['name'] == 'stop_asked')
    assert asked['context']['stop'] == 'hang'


def test_a_job_that_never_speaks_has_ten_times_as_long(watchful):
    quiet, mute = watchful.submit('sleep=5', retries=0), watchful.submit('sleep=60', retries=0)
    assert watchful.finish(quiet, mute) == ['succeeded', 'failed']
    assert watchful.show(mute)['reason'] == 'no rank has been heard of in the 10 s since its start'
