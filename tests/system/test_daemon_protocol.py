"""decoyd as a client and a worker see it: proto/README.md, sentence by sentence."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
from protocol import DECOYD, Daemon, Peer, Refused, alive

JOB = {'kind': 'mock', 'fields': {'out': '/x/quick'}}


@pytest.fixture
def daemon():
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
def impatient():
    """A daemon that gives a job a second to stop."""
    daemon = Daemon(grace=1)
    yield daemon
    daemon.close()


def refused(daemon, code, part, verb, **body):
    with pytest.raises(Refused) as caught:
        daemon.peer.ask(verb, **body)
    assert caught.value.code == code and part in caught.value.text


# --- submitting ---

def test_a_job_runs_and_its_result_is_kept(daemon):
    job = daemon.submit('result', name='first')
    assert daemon.finish(job) == ['succeeded']
    row = daemon.show(job)
    assert row['result']['auc'] == 0.75 and row['name'] == 'first' and row['attempt'] == 1
    assert row['spec']['fields']['bricks'] == 12 and row['attempts'][0]['outcome'] == 'succeeded'
    assert 0 < row['submitted_us'] <= row['started_us'] <= row['ended_us']
    assert daemon.names(job) == ['submitted', 'ready', 'started', 'succeeded']


def test_a_worker_sees_only_what_it_should(daemon):
    job = daemon.submit('result', threads=2)
    daemon.finish(job)
    result = daemon.show(job)['result']
    directory = pathlib.Path(daemon.show(job)['attempts'][0]['directory'])
    assert 'UNLISTED' not in result['environment'] and 'OMP_NUM_THREADS' in result['environment']
    assert result['cwd'] == str(directory)
    assert json.loads((directory / 'spec.json').read_text())['threads'] == 2


def test_all_jobs_of_a_submit_are_made_or_none(daemon):
    with pytest.raises(Refused) as caught:
        daemon.peer.ask('submit', jobs=[JOB, dict(JOB, fields={'out': 'relative'})])
    assert caught.value.code == 'bad_spec' and 'jobs[1]' in caught.value.text and 'absolute' in caught.value.text
    assert daemon.peer.ask('list', all=True)['jobs'] == [] and daemon.events() == []


@pytest.mark.parametrize('code, part, jobs', [
    ('bad_request', 'jobs must be an array', []),
    ('bad_request', 'jobs must be an array', None),
    ('bad_request', 'must be an object', [7]),
    ('bad_spec', 'did you mean mock', [{'kind': 'mok', 'fields': {}}]),
    ('bad_spec', 'brciks', [{'kind': 'mock', 'fields': {'out': '/x', 'brciks': 3}}]),
    ('refused', '3 ranks x 1 threads = 3 slots, but decoyd has 2', [dict(JOB, options={'ranks': 3})]),
    ('no_job', 'no job 77', [dict(JOB, after=[77])]),
    ('bad_request', 'after[0]', [dict(JOB, after=['#0'])]),
])
def test_a_bad_submit_is_refused_with_a_sentence(daemon, code, part, jobs):
    refused(daemon, code, part, 'submit', jobs=jobs)


def test_the_same_key_is_the_same_job_and_another_body_a_conflict(daemon):
    first = daemon.submit('quick', key='k1')
    assert daemon.submit('quick', key='k1') == first
    with pytest.raises(Refused) as caught:
        daemon.submit('slow', key='k1')
    assert caught.value.code == 'conflict' and f'job {first}' in caught.value.text
    daemon.finish(first)
    daemon.kill()
    daemon.start()
    assert daemon.submit('quick', key='k1') == first
    assert len(daemon.peer.ask('list', all=True)['jobs']) == 1


def test_a_repeated_pipeline_is_not_made_twice(daemon):
    jobs = [dict(JOB, key='a'), dict(JOB, key='b', after=['#0']), dict(JOB, after=['#1'])]
    one, two = daemon.peer.ask('submit', jobs=jobs)['ids'], daemon.peer.ask('submit', jobs=jobs)['ids']
    assert one[:2] == two[:2] and one[2] != two[2]


# --- order, slots, dependencies ---

def test_priority_comes_first_then_order_of_submission(daemon):
    blocker = daemon.submit('sleep=0.5', threads=2)
    daemon.pids(blocker)
    low, high, also = daemon.submit(threads=2), daemon.submit(threads=2, priority=5), daemon.submit(threads=2, priority=5)
    daemon.finish(blocker, low, high, also)
    assert [event['job'] for event in daemon.events() if event['name'] == 'started'] == [blocker, high, also, low]


def test_jobs_run_side_by_side_as_slots_allow(daemon):
    jobs = [daemon.submit('sleep=0.6') for _ in range(3)]
    daemon.until(lambda: daemon.peer.ask('status')['slots_used'] == 2)
    assert sorted(map(daemon.state_of, jobs)) == ['ready', 'running', 'running']
    assert daemon.finish(*jobs) == ['succeeded'] * 3
    assert daemon.peer.ask('status')['slots_used'] == 0


def test_a_big_job_is_not_overtaken_by_small_ones(daemon):
    first, big, small = daemon.submit('sleep=0.5'), daemon.submit(threads=2), daemon.submit()
    daemon.finish(first, big, small)
    assert [event['job'] for event in daemon.events() if event['name'] == 'started'] == [first, big, small]


def test_a_job_too_big_for_a_smaller_daemon_waits_and_says_why(daemon):
    daemon.submit('sleep=60', threads=2)
    big = daemon.submit(threads=2)
    daemon.kill()
    daemon.environment['DECOY_SLOTS'] = '1'
    daemon.start()
    small = daemon.submit()
    assert daemon.finish(small) == ['succeeded']
    row = daemon.show(big)
    assert row['state'] == 'ready' and 'but decoyd has 1' in row['reason']


def test_a_job_starts_after_those_it_comes_after(daemon):
    a = daemon.submit('sleep=0.3')
    b = daemon.submit(after=[a])
    assert daemon.state_of(b) == 'waiting'
    assert daemon.finish(b) == ['succeeded']
    assert daemon.show(b)['started_us'] >= daemon.show(a)['ended_us'] and daemon.show(b)['after'] == [a]


def test_what_comes_after_a_failure_is_skipped(daemon):
    jobs = [dict(JOB, fields={'out': '/x/exit=3'}, options={'retries': 0}), dict(JOB, after=['#0']), dict(JOB, after=['#1']), JOB]
    ids = daemon.peer.ask('submit', jobs=jobs)['ids']
    assert daemon.finish(*ids) == ['failed', 'skipped', 'skipped', 'succeeded']
    assert daemon.state_of(daemon.submit(after=[ids[0]])) == 'skipped'


def test_a_held_job_starts_when_released(daemon):
    job = daemon.submit(hold=True)
    assert daemon.state_of(job) == 'held'
    assert daemon.peer.ask('release', job=job)['job']['state'] in ('ready', 'running')
    assert daemon.finish(job) == ['succeeded']
    refused(daemon, 'refused', 'has succeeded', 'release', job=job)


# --- failure, retries, limits, cancel ---

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


# --- restart ---

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
    import sqlite3
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
    assert kinds[1][0] == 'error' and kinds[1][1]['code'] == 'refused'
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
    assert daemon.peer.ask('status')['draining'] is True
    assert alive(daemon.pids(job)[0])


# --- a disk that fails ---

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


# --- one owner, the place ---

def test_a_second_daemon_is_refused_and_the_first_serves_on(daemon):
    for _ in range(5):
        second = daemon.command()
        assert second.returncode == 1
        assert 'another decoyd serves' in second.stderr and f'pid {daemon.process.pid}' in second.stderr
    assert daemon.peer.ask('hello')['pid'] == daemon.process.pid
    other = Peer(daemon.state)
    assert other.ask('hello')['pid'] == daemon.process.pid
    other.close()


def test_in_the_background_it_returns_when_it_serves(daemon):
    daemon.stop()
    started = daemon.command()
    assert started.returncode == 0, started.stderr
    peer = Peer(daemon.state)
    hello = peer.ask('hello')
    assert hello['protocol'] == 1 and hello['state'] == str(daemon.state)
    assert 'serves' in (daemon.state / 'decoyd.log').read_text()
    peer.ask('shutdown')
    daemon.until(lambda: not alive(hello['pid']))
    peer.close()


@pytest.mark.parametrize('spoil, part', [
    (lambda state: state.chmod(0o755), 'chmod 700'),
    (lambda state: (state / 'queue.db').write_bytes(b'x' * 8192), 'queue.db'),
])
def test_what_keeps_it_from_serving_is_one_sentence(daemon, spoil, part):
    daemon.stop()
    spoil(daemon.state)
    failed = daemon.command()
    assert failed.returncode == 1 and part in failed.stderr and failed.stderr.count('\n') == 1
    daemon.state.chmod(0o700)


def test_bad_words_on_the_command_line():
    for words, status, part in [(['--stat'], 2, '--stat'), (['--state'], 2, 'needs a directory'), (['--state', '/' + 'x' * 120], 1, '100 bytes')]:
        done = subprocess.run([DECOYD, *words], stderr=subprocess.PIPE, text=True, check=False, timeout=10)
        assert done.returncode == status and part in done.stderr and done.stderr.count('\n') == 1
    assert subprocess.run([DECOYD, '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout.startswith('decoyd ')


# --- workers' messages ---

def test_progress_and_metrics_reach_a_watcher(daemon):
    job = daemon.submit('metrics', 'progress=30')
    rows = [row for reply in daemon.peer.stream('watch', jobs=[job]) for row in reply.get('jobs', [])]
    moving = [row['progress'] for row in rows if row['progress']]
    assert rows[-1]['state'] == 'succeeded'
    assert moving[-1]['unit'] == 'bricks' and moving[-1]['total'] == 30 and moving[-1]['done'] > 20
    assert 10 < moving[-1]['rate'] < 30 and moving[-1]['left_s'] >= 0
    assert any(row['metrics'] == {'step': 7, 'loss': 0.5} for row in rows)


def test_ranks_report_their_shares(daemon):
    job = daemon.submit('progress=10', 'sleep=1', ranks=2)
    done = daemon.until(lambda: [p['done'] for p in [daemon.show(job)['progress']] if p and p['done'] == 10])
    assert done == [10]


def test_notes_and_warnings_become_events(daemon):
    job = daemon.submit('note=all is well', 'warn=bad %1b[31mbrick')
    daemon.finish(job)
    texts = {event['name']: event['context'].get('text') for event in daemon.events(job)}
    assert texts['progress_note'] == 'all is well' and texts['warning'] == 'bad ?[31mbrick'


def test_messages_of_another_attempt_or_token_change_nothing(daemon):
    job = daemon.submit('stale', 'sleep=0.3')
    assert daemon.finish(job) == ['succeeded']
    assert daemon.names(job) == ['submitted', 'ready', 'started', 'succeeded']


def test_messages_of_a_past_attempt_change_nothing(daemon):
    job = daemon.submit('failfirst=1', 'sleep=0.5')
    directory = pathlib.Path(daemon.state) / 'jobs' / str(job) / 'attempt-1'
    worker = daemon.pids(job)[0]
    token = next(v for v in pathlib.Path(f'/proc/{worker}/environ').read_text().split('\0') if v.startswith('DECOY_TOKEN='))[12:]
    thief = Peer(daemon.state)
    said = {'job': job, 'attempt': 1, 'token': token, 'rank': 0}
    thief.send('note', text='in its time', **said)
    daemon.until(lambda: 'progress_note' in daemon.names(job))
    daemon.until(lambda: daemon.show(job)['attempt'] == 2)
    for attempt in (1, 2):
        thief.send('note', text='too late', **dict(said, attempt=attempt))
        thief.send('progress', done=1, total=2, unit='x', **dict(said, attempt=attempt))
    assert daemon.finish(job) == ['succeeded']
    assert daemon.names(job).count('progress_note') == 1 and (directory / 'stderr').exists()
    thief.send('note', text='after the end', **said)
    thief.ask('hello')
    assert daemon.names(job).count('progress_note') == 1
    thief.close()


# --- looking ---

def test_events_go_on_where_one_was(daemon):
    job = daemon.submit('sleep=0.5')
    seen = list(daemon.peer.stream('events', job=job, follow=True))
    assert [event['name'] for event in seen[:-1]] == ['submitted', 'ready', 'started', 'succeeded']
    later = list(daemon.peer.stream('events', job=job, after_seq=seen[1]['seq'], follow=True))
    assert later[:-1] == seen[2:-1]
    assert [event['seq'] for event in daemon.events()] == list(range(1, 5))
    refused(daemon, 'no_job', 'no job 9', 'events', job=9)


def test_a_long_history_streams_whole_and_in_order(daemon):
    for _ in range(3):
        daemon.peer.ask('submit', jobs=[dict(JOB, options={'hold': True})] * 400)
    seqs = [event['seq'] for event in daemon.events()]
    assert seqs == list(range(1, 2401))


def test_a_follower_that_does_not_read_loses_nothing(daemon):
    sleepy = Peer(daemon.state)
    sleepy.socket.close()
    import zmq
    sleepy.socket = sleepy.context.socket(zmq.DEALER)
    sleepy.socket.rcvhwm = 10
    sleepy.socket.connect(f'ipc://{daemon.state}/decoyd.sock')
    sleepy.send('events', job=0, follow=True)
    for _ in range(10):
        daemon.peer.ask('submit', jobs=[dict(JOB, options={'hold': True})] * 500)
    assert daemon.peer.ask('status')['clients'] == 1
    seqs = [sleepy.receive()[2]['seq'] for _ in range(10000)]
    assert seqs == list(range(1, 10001))
    sleepy.close()


def test_wait_answers_at_once_for_what_has_ended_and_only_then(daemon):
    a, b = daemon.submit(), daemon.submit('sleep=0.4')
    replies = list(daemon.peer.stream('wait', jobs=[a, b]))
    assert [row['id'] for row in replies[-1]['jobs']] == [a, b]
    again = list(daemon.peer.stream('wait', jobs=[a, b]))
    assert len(again) == 1 and [row['state'] for row in again[0]['jobs']] == ['succeeded'] * 2
    refused(daemon, 'bad_request', 'empty', 'wait', jobs=[])
    refused(daemon, 'no_job', '55', 'wait', jobs=[a, 55])


def test_wait_hears_of_all_that_end_in_one_commit(daemon):
    ids = daemon.peer.ask('submit', jobs=[dict(JOB, fields={'out': '/x/exit=1,sleep=0.3'}, options={'retries': 0}), dict(JOB, after=['#0']),
                                          dict(JOB, after=['#1'])])['ids']
    replies = list(daemon.peer.stream('wait', jobs=ids))
    assert [event['name'] for event in replies[:-1]][-3:] == ['failed', 'skipped', 'skipped']


def test_watch_sends_at_most_ten_times_a_second(daemon):
    job = daemon.submit('progress=40')
    began = time.monotonic()
    replies = list(daemon.peer.stream('watch', jobs=[job]))
    assert len(replies) <= 10 * (time.monotonic() - began) + 4


def test_watch_of_everything_goes_on(daemon):
    daemon.peer.send('watch', jobs=[])
    assert daemon.peer.receive()[2] == {'jobs': []}
    other = Peer(daemon.state)
    job = other.ask('submit', jobs=[JOB])['ids'][0]
    states = []
    while not states or states[-1] != 'succeeded':
        kind, _, reply = daemon.peer.receive()
        assert kind == 'event'
        states += [row['state'] for row in reply['jobs'] if row['id'] == job]
    other.close()


def test_list_and_groups(daemon):
    a = daemon.submit(group='g')
    daemon.finish(a)
    b = daemon.submit(hold=True, group='g')
    daemon.submit(hold=True)
    assert [row['id'] for row in daemon.peer.ask('list', all=False, group='g')['jobs']] == [b]
    assert [row['id'] for row in daemon.peer.ask('list', all=True, group='g')['jobs']] == [a, b]
    assert len(daemon.peer.ask('list')['jobs']) == 2
    assert daemon.peer.ask('status')['counts']['held'] == 2


def test_logs_are_kept_for_each_attempt_and_read_in_pieces(daemon):
    job = daemon.submit('say=caf\u00e9 and more', 'failfirst=1')
    refused(daemon, 'no_job', '77', 'logs', job=77)
    daemon.finish(job)
    whole, offset = '', 0
    while True:
        piece = daemon.peer.ask('logs', job=job, attempt=1, offset=offset, limit=16)
        whole, offset = whole + piece['text'], piece['next']
        if piece['ended']:
            break
    assert whole == 'caf\u00e9 and more\nit fails at first\n'
    assert daemon.peer.ask('logs', job=job)['attempt'] == 2
    assert daemon.peer.ask('logs', job=job, stream='stdout')['path'].endswith('attempt-2/stdout')
    held = daemon.submit(hold=True)
    refused(daemon, 'refused', 'not started', 'logs', job=held)


# --- what is not a message ---

def test_bad_messages_are_answered_and_harm_nothing(daemon):
    peer = Peer(daemon.state)
    for frames, code in [([b'decoy9', b'list', b'x', b'{}'], 'bad_version'), ([b'decoy1', b'list', b'x'], 'bad_frame'),
                         ([b'decoy1', b'list', b'x', b'{'], 'bad_frame'), ([b'decoy1', b'dance', b'x', b'{}'], 'unknown_verb'),
                         ([b'decoy1', b'list', b'x', b'{}', b''], 'bad_frame'), ([b''] * 40, 'bad_version'),
                         ([b'decoy1', b'list', b'x' * 33, b'{}'], 'bad_frame'), ([b'decoy1', b'list', b'', b' ' * 1_100_000], 'bad_frame')]:
        peer.socket.send_multipart(frames)
        kind, _, body = peer.receive()
        assert kind == 'error' and body['code'] == code and body['text']
    assert peer.ask('hello')['protocol'] == 1
    peer.close()


def test_raw_garbage_on_the_socket_harms_nothing(daemon):
    for size in (0, 1, 64, 5000, 100_000):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(str(daemon.state / 'decoyd.sock'))
        try:
            raw.sendall(os.urandom(size))
        except OSError:
            pass
        raw.close()
    huge = Peer(daemon.state)
    huge.socket.send_multipart([b'decoy1', b'list', b'', b' ' * 5_000_000])
    assert not huge.socket.poll(300)
    huge.close()
    assert daemon.peer.ask('hello')['protocol'] == 1


def test_wrong_types_in_bodies_are_refused(daemon):
    job = daemon.submit(hold=True)
    for verb, body in [('show', {}), ('show', {'job': 'x'}), ('show', {'job': 1.5}), ('show', {'job': -1}), ('cancel', {'job': None}),
                       ('cancel', {'job': job, 'reason': 7}), ('wait', {'jobs': 'x'}), ('wait', {'jobs': ['1']}), ('watch', {}),
                       ('events', {'job': []}), ('events', {'job': job, 'after_seq': -1}), ('logs', {'job': job, 'offset': -1}), ('release', {})]:
        with pytest.raises(Refused) as caught:
            daemon.peer.ask(verb, **body)
        assert caught.value.code in ('bad_request', 'refused'), (verb, body)
    for verb in ('progress', 'metrics', 'note', 'warning'):
        for body in ({}, {'job': job}, {'job': job, 'attempt': 1, 'token': 7, 'rank': 0}, {'job': job, 'attempt': 0, 'token': '', 'rank': 0}):
            daemon.peer.send(verb, **body)
    assert daemon.peer.ask('hello')['protocol'] == 1
    assert daemon.names(job) == ['submitted', 'held']


def test_the_daemon_sleeps_when_nothing_happens(daemon):
    daemon.finish(daemon.submit())
    watcher = Peer(daemon.state)
    watcher.send('watch', jobs=[])
    watcher.receive()
    time.sleep(0.5)

    def cpu_ticks():
        return sum(map(int, pathlib.Path(f'/proc/{daemon.process.pid}/stat').read_text().rsplit(')', 1)[1].split()[11:13]))
    before = cpu_ticks()
    time.sleep(2)
    assert cpu_ticks() - before <= 2
    watcher.close()
