"""decoyd dies, is ended and starts again, also on a disk that fails: nothing that was acknowledged is lost."""
import os
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from protocol import JOB, Daemon, Peer, alive, refused


def test_a_restart_loses_nothing_and_puts_running_jobs_back(daemon):
    running, ready = daemon.submit('stop75', 'sleep=1.5', threads=2), daemon.submit()
    waiting, held = daemon.submit(after=[running]), daemon.submit(hold=True)
    worker = daemon.pids(running)[0]
    before = daemon.events()
    daemon.kill()
    assert alive(worker)
    daemon.start()
    assert daemon.events()[:len(before)] == before
    assert daemon.state_of(held) == 'held' and daemon.state_of(waiting) == 'waiting'
    assert daemon.finish(running, ready, waiting) == ['succeeded'] * 3
    assert not alive(worker)
    row = daemon.show(running)
    assert row['attempt'] == 2 and row['attempts'][0]['outcome'] == 'requeued'
    assert daemon.names(running) == ['submitted', 'ready', 'started', 'requeued', 'started', 'succeeded']


def test_an_interruption_is_not_the_jobs_failure(daemon):
    job = daemon.submit('sleep=0.7', retries=0)
    for _ in range(3):
        daemon.pids(job)
        daemon.kill()
        daemon.start()
        daemon.until(lambda: daemon.state_of(job) != 'running' or len(daemon.show(job)['attempts']) > 1)
    assert daemon.finish(job) == ['succeeded']


def test_a_restart_ends_ranks_and_deaf_workers_too(impatient):
    job = impatient.submit('deaf', 'sleep=60', ranks=2)
    ranks = impatient.pids(job, ranks=2)
    impatient.kill()
    impatient.start()
    impatient.until(lambda: not any(map(alive, ranks)))
    impatient.until(lambda: 'requeued' in impatient.names(job))
    impatient.peer.ask('cancel', job=job)
    assert impatient.finish(job) == ['cancelled']


def test_a_cancel_survives_the_death_of_the_daemon(impatient):
    job = impatient.submit('deaf', 'sleep=60')
    impatient.pids(job)
    impatient.peer.ask('cancel', job=job, reason='enough')
    impatient.kill()
    impatient.start()
    assert impatient.finish(job) == ['cancelled']
    assert impatient.show(job)['reason'] == 'enough'


def test_a_stranger_with_the_recorded_pid_is_left_alone(daemon):
    job = daemon.submit('sleep=60')
    worker = daemon.pids(job)[0]
    daemon.kill()
    os.kill(worker, signal.SIGKILL)
    stranger = subprocess.Popen(['sleep', '60'], start_new_session=True)
    with sqlite3.connect(daemon.state / 'queue.db') as queue:
        queue.execute('UPDATE attempts SET pid = ?', (stranger.pid,))
    queue.close()
    daemon.start()
    daemon.until(lambda: daemon.show(job)['attempt'] == 2)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_repeated_kills_lose_no_acknowledged_job(daemon):
    acknowledged = []
    for round_ in range(8):
        acknowledged.append(daemon.submit())
        for _ in range(4):
            acknowledged.append(daemon.submit(hold=True))
        daemon.peer.send('submit', jobs=[dict(JOB, options={'hold': True})] * 20)
        time.sleep(0.002 * round_)
        daemon.kill()
        daemon.start()
    rows = {row['id']: row for row in daemon.peer.ask('list', all=True)['jobs']}
    assert set(acknowledged) <= set(rows) and len(acknowledged) == 40
    assert (len(rows) - 40) % 20 == 0
    assert set(daemon.finish(*acknowledged[::5])) == {'succeeded'}


def test_a_good_order_end_puts_running_jobs_back(daemon):
    job = daemon.submit('stop75', 'sleep=1')
    worker = daemon.pids(job)[0]
    follower = Peer(daemon.state)
    follower.send('wait', jobs=[job])
    time.sleep(0.1)
    assert daemon.stop() == 0
    assert not alive(worker)
    kinds = [follower.receive()[0::2] for _ in range(2)]
    assert kinds[0][1]['name'] == 'requeued'
    assert kinds[1][0] == 'error' and kinds[1][1]['code'] == 'ending'
    follower.close()
    assert not (daemon.state / 'decoyd.sock').exists()
    daemon.start()
    assert daemon.finish(job) == ['succeeded']
    assert [a['outcome'] for a in daemon.show(job)['attempts']] == ['requeued', 'succeeded']
    assert daemon.show(job)['attempts'][0]['exit_status'] == 75


def test_the_verb_shutdown_is_answered_and_takes_no_new_jobs(daemon):
    job = daemon.submit('deaf', 'sleep=60')
    daemon.pids(job)
    assert daemon.peer.ask('shutdown') == {}
    refused(daemon, 'refused', 'is ending', 'submit', jobs=[JOB])
    assert daemon.peer.ask('status')['ending'] is True
    assert alive(daemon.pids(job)[0])


@pytest.fixture
def spoilt(tmp_path):
    """A daemon whose disk fails as soon as a file of the failure's name is in tmp_path."""
    daemon = Daemon(LD_PRELOAD=os.environ['FAILING_DISK_MODULE'], FAILING_DISK=str(tmp_path), ASAN_OPTIONS='verify_asan_link_order=0')
    yield daemon
    daemon.close()


def test_nothing_is_acknowledged_of_a_failed_fsync_and_the_daemon_stops(spoilt, tmp_path):
    kept = spoilt.submit(hold=True)
    (tmp_path / 'fsync').touch()
    spoilt.peer.send('submit', jobs=[JOB])
    assert spoilt.process.wait(timeout=10) == 1
    assert not spoilt.peer.socket.poll(200)
    assert 'stops, and acknowledges nothing' in spoilt.log()
    (tmp_path / 'fsync').unlink()
    spoilt.peer.close()
    spoilt.start()
    assert spoilt.state_of(kept) == 'held' and spoilt.submit() > kept


def test_a_full_disk_refuses_and_the_daemon_serves_on(spoilt, tmp_path):
    job = spoilt.submit(hold=True)
    (tmp_path / 'full').touch()
    for verb, body in [('submit', {'jobs': [JOB]}), ('cancel', {'job': job}), ('release', {'job': job})]:
        refused(spoilt, 'internal', 'full', verb, **body)
    assert [row['state'] for row in spoilt.peer.ask('list', all=True)['jobs']] == ['held']
    (tmp_path / 'full').unlink()
    assert spoilt.submit() == job + 1
    assert spoilt.names(job) == ['submitted', 'held']


def test_a_job_that_ends_on_a_full_disk_is_put_back_later(spoilt, tmp_path):
    job = spoilt.submit('sleep=0.5')
    spoilt.pids(job)
    (tmp_path / 'full').touch()
    assert spoilt.process.wait(timeout=10) == 1
    (tmp_path / 'full').unlink()
    spoilt.peer.close()
    spoilt.start()
    assert spoilt.finish(job) == ['succeeded']
    assert spoilt.names(job) == ['submitted', 'ready', 'started', 'requeued', 'started', 'succeeded']
