"""The end of the allocation: the queue closes before it, what runs is put back, decoyd ends with 0, and the next one goes on (promise T4)."""
import os
import signal
import time

import pytest
from protocol import Daemon


@pytest.fixture
def limited():
    made = []

    def make(**environment):
        made.append(Daemon(**environment))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


def goes_on(daemon, job, reason):
    """decoyd has ended with 0 and put the job back at no cost; another daemon finds it so."""
    assert daemon.process.wait(20) == 0
    for name in ('DECOY_UNTIL', 'SLURM_JOB_END_TIME'):
        daemon.environment.pop(name, None)
    daemon.start()
    requeued = [e for e in daemon.events(job) if e['name'] == 'requeued']
    assert len(requeued) == 1 and reason in requeued[0]['context']['reason']
    assert not [e for e in daemon.events(job) if e['name'] in ('retried', 'failed')]


def test_the_queue_closes_before_the_end(limited):
    end = time.time() + 8
    daemon = limited(DECOY_UNTIL=f'@{end:.0f}', DECOY_CLOSE_BEFORE='4', DECOY_LEAST_RUN='0.1')
    job = daemon.submit('stop75', 'sleep=60', retries=0)
    daemon.pids(job)
    status = daemon.peer.ask('status')
    assert abs(status['until_us'] * 1e-6 - end) < 1 and status['until_us'] - status['closes_us'] == 4_000_000
    goes_on(daemon, job, 'the allocation ends at')
    assert time.time() < end + 1
    assert daemon.show(job)['attempts'][0]['exit_status'] == 75


def test_the_end_is_slurm_s_where_none_is_told(limited):
    end = int(time.time()) + 1000
    daemon = limited(SLURM_JOB_END_TIME=str(end), DECOY_CLOSE_BEFORE='100')
    status = daemon.peer.ask('status')
    assert status['until_us'] == end * 1_000_000 and status['closes_us'] == (end - 100) * 1_000_000


def test_a_warning_closes_the_queue_at_once(limited):
    daemon = limited(DECOY_UNTIL='+1h')
    job = daemon.submit('stop75', 'sleep=60', retries=0)
    daemon.pids(job)
    began = time.monotonic()
    os.kill(daemon.process.pid, signal.SIGUSR1)
    goes_on(daemon, job, 'SIGUSR1')
    assert time.monotonic() - began < 5


def test_a_job_that_has_no_time_left_is_not_started(limited):
    daemon = limited(DECOY_UNTIL='+100s', DECOY_CLOSE_BEFORE='50', DECOY_LEAST_RUN='55')
    job = daemon.submit()
    time.sleep(0.3)
    why = daemon.peer.ask('explain', job=job)
    assert why['code'] == 'no_time' and 'the queue closes at' in why['text'] and 'less than 55 s' in why['text']
    assert daemon.names(job) == ['submitted', 'ready']


def test_an_end_that_is_past_or_no_time_is_refused(limited):
    daemon = limited()
    daemon.stop()
    for text, part in (('2020-01-01T00:00', 'past'), ('soon', 'must be a time')):
        daemon.environment['DECOY_UNTIL'] = text
        done = daemon.command()
        assert done.returncode == 1 and part in done.stderr and done.stderr.count('\n') == 1
