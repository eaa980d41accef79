"""Changing what the queue does: hold, priority, retry, rerun, checkpoint, drain, forget; and what explain says of it."""
import os
import pathlib
import sqlite3
import tempfile
import time

import pytest
from protocol import JOB, Daemon, Peer, alive, refused

OLD_QUEUE = pathlib.Path(__file__).with_name('queue_v1.sql')


@pytest.fixture
def busy(daemon):
    """Both slots are taken by a job, daemon.blocker."""
    daemon.blocker = daemon.submit('sleep=60', threads=2, retries=0)
    daemon.pids(daemon.blocker)
    return daemon


def test_any_end_lets_a_job_start_that_asks_for_no_more(daemon):
    bad = daemon.submit('exit=3', 'sleep=0.3', retries=0)
    strict, loose = daemon.submit(after=[bad]), daemon.submit(after_any=[bad])
    assert daemon.show(loose)['after_any'] == [bad] and daemon.show(loose)['after'] == []
    assert daemon.finish(bad, strict, loose) == ['failed', 'skipped', 'succeeded']
    assert daemon.show(strict)['reason'] == f'job {bad}, which it comes after, did not succeed'
    assert daemon.finish(daemon.submit(after_any=[strict])) == ['succeeded']


def test_ready_and_waiting_jobs_are_held_and_released(busy):
    ready, waiting = busy.submit(), busy.submit(after=[busy.blocker])
    for job in ready, waiting:
        assert busy.peer.ask('hold', job=job, reason='not yet')['job']['state'] == 'held'
    refused(busy, 'refused', 'held already', 'hold', job=ready)
    refused(busy, 'refused', 'can be cancelled, not held', 'hold', job=busy.blocker)
    busy.peer.ask('cancel', job=busy.blocker)
    assert busy.finish(busy.blocker, waiting) == ['cancelled', 'skipped']
    assert busy.state_of(ready) == 'held' and busy.show(ready)['reason'] == 'not yet'
    busy.peer.ask('release', job=ready)
    assert busy.finish(ready) == ['succeeded']


def test_priority_changes_who_is_next_and_survives_a_restart(busy):
    first, second = busy.submit(threads=2), busy.submit(threads=2)
    assert busy.peer.ask('priority', job=second, priority=5, reason='referee')['job']['priority'] == 5
    for bad in (None, 'x', 1.5, 2_000_000):
        refused(busy, 'bad_request', 'priority must be', 'priority', job=first, priority=bad)
    busy.kill()
    busy.start()
    assert busy.show(second)['priority'] == 5
    busy.peer.ask('cancel', job=busy.blocker)
    busy.finish(first, second)
    started = [event['job'] for event in busy.events() if event['name'] == 'started']
    assert started.index(second) < started.index(first)
    event = next(event for event in busy.events(second) if event['name'] == 'priority_set')
    assert event['context'] == {'priority': 5, 'reason': 'referee'} and event['state'] == 'ready'


# --- another go ---

def test_retry_does_a_failed_job_again_and_what_was_skipped_for_it(daemon):
    jobs = [dict(JOB, fields={'out': '/x/failfirst=2'}, options={'retries': 1, 'backoff': 0}), dict(JOB, after=['#0']), dict(JOB, after=['#1'])]
    ids = daemon.peer.ask('submit', jobs=jobs)['ids']
    assert daemon.finish(*ids) == ['failed', 'skipped', 'skipped']
    assert daemon.show(ids[0])['attempt'] == 2
    rows = daemon.peer.ask('retry', jobs=ids[:1], reason='the disk is back')['jobs']
    assert [row['id'] for row in rows] == ids[:1] and rows[0]['ended_us'] == 0
    assert daemon.finish(*ids) == ['succeeded'] * 3
    assert daemon.show(ids[0])['attempt'] == 3 and daemon.show(ids[1])['attempt'] == 1
    reopened = [event for event in daemon.events() if event['name'] == 'reopened']
    assert [event['job'] for event in reopened] == ids and reopened[0]['context']['reason'] == 'the disk is back'
    refused(daemon, 'refused', 'rerun does it again', 'retry', jobs=ids[:1])


def test_retry_is_all_or_nothing_and_names_what_stands_in_the_way(daemon):
    ids = daemon.peer.ask('submit', jobs=[dict(JOB, fields={'out': '/x/exit=1'}, options={'retries': 0}), dict(JOB, after=['#0']), JOB])['ids']
    daemon.finish(*ids)
    before = daemon.events()
    refused(daemon, 'refused', f'job {ids[1]} cannot start: job {ids[0]}, which it comes after, did not succeed', 'retry', jobs=[ids[1]])
    refused(daemon, 'refused', 'succeeded', 'retry', jobs=[ids[0], ids[2]])
    refused(daemon, 'no_job', '99', 'retry', jobs=[ids[0], 99])
    assert daemon.events() == before


def test_rerun_does_a_good_job_again_in_a_new_attempt(daemon):
    job = daemon.submit('result', key='k')
    daemon.finish(job)
    row = daemon.peer.ask('rerun', jobs=[job])['jobs'][0]
    assert row['result'] is None and row['state'] in ('ready', 'running')
    assert daemon.finish(job) == ['succeeded']
    assert daemon.show(job)['result']['auc'] == 0.75 and len(daemon.show(job)['attempts']) == 2
    assert daemon.submit('result', key='k') == job
    running = daemon.submit('sleep=60')
    refused(daemon, 'refused', 'has not ended', 'rerun', jobs=[running])


def test_a_reopened_job_is_as_it_was_after_a_restart(busy):
    cancelled = busy.submit()
    busy.peer.ask('cancel', job=cancelled)
    busy.peer.ask('retry', jobs=[cancelled])
    assert busy.state_of(cancelled) == 'ready'
    before = busy.events(cancelled)
    busy.kill()
    busy.start()
    assert busy.events(cancelled) == before
    busy.peer.ask('cancel', job=busy.blocker)
    assert busy.finish(cancelled) == ['succeeded']


def test_the_pause_before_a_retry_is_the_jobs_own(daemon):
    job = daemon.submit('failfirst=2', retries=2, backoff=0.3)
    assert daemon.finish(job) == ['succeeded']
    times = {(event['name'], event['attempt']): event['time_us'] for event in daemon.events(job)}
    assert 290_000 <= times['started', 2] - times['retried', 1] < 3_000_000
    assert 590_000 <= times['started', 3] - times['retried', 2] < 3_000_000


# --- running jobs ---

def test_a_checkpoint_is_asked_of_every_rank_that_is_ready_for_it(daemon):
    job = daemon.submit('catch', 'sleep=60', ranks=2, kind='train')
    daemon.pids(job, ranks=2)
    daemon.until(lambda: (pathlib.Path(daemon.show(job)['attempts'][0]['directory']) / 'catches').exists())
    time.sleep(0.3)
    daemon.peer.ask('checkpoint', job=job)
    texts = lambda: sorted(e['context']['text'] for e in daemon.events(job) if e['name'] == 'progress_note')
    assert daemon.until(lambda: len(texts()) >= 2 and texts()) == ['checkpoint of rank 0', 'checkpoint of rank 1']
    time.sleep(0.3)
    assert len(texts()) == 2 and daemon.state_of(job) == 'running'
    assert 'checkpoint_asked' in daemon.names(job)


def test_a_checkpoint_never_ends_a_worker_that_is_not_ready_for_it(daemon):
    job, other = daemon.submit('sleep=60', kind='train'), daemon.submit('sleep=60')
    daemon.pids(job)
    daemon.pids(other)
    refused(daemon, 'refused', 'has not come far enough', 'checkpoint', job=job)
    refused(daemon, 'refused', 'writes no checkpoints', 'checkpoint', job=other)
    assert daemon.state_of(job) == 'running' and 'checkpoint_asked' not in daemon.names(job)
    held = daemon.submit(hold=True)
    refused(daemon, 'refused', 'held, not running', 'checkpoint', job=held)


SRUN = """#!/usr/bin/python3
import os, re, signal, subprocess, sys
ranks = int(re.search('--ntasks=([0-9]+)', ' '.join(sys.argv)).group(1))
handed_on = []
for number in (signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: [child.send_signal(number) for child in handed_on])
for rank in range(ranks):
    handed_on.append(subprocess.Popen(sys.argv[-3:], env=dict(os.environ, OMPI_COMM_WORLD_RANK=str(rank), OMPI_COMM_WORLD_SIZE=str(ranks)), start_new_session=True))
open('handing_on', 'w').close()
sys.exit(max(child.wait() for child in handed_on) and 1)
"""


@pytest.fixture
def launching():
    """A daemon whose ranks are started out of its sight, by a srun of ours that hands signals on to each."""
    with tempfile.TemporaryDirectory() as place:
        (pathlib.Path(place) / 'srun').write_text(SRUN)
        (pathlib.Path(place) / 'srun').chmod(0o755)
        daemon = Daemon(DECOY_LAUNCHER='srun', PATH=f'{place}:{os.environ["PATH"]}')
        yield daemon
        daemon.close()


def test_a_checkpoint_never_ends_ranks_elsewhere_that_are_not_ready_for_it(launching):
    """Its srun handles SIGUSR1 long before its ranks do."""
    job = launching.submit('sleep=60', ranks=2, kind='train')
    launching.pids(job, ranks=2)
    directory = pathlib.Path(launching.show(job)['attempts'][0]['directory'])
    launching.until(lambda: (directory / 'handing_on').exists())
    refused(launching, 'refused', 'has not come far enough', 'checkpoint', job=job)
    ready = launching.submit('catch', 'sleep=0.5', 'note=ready', 'progress=100', ranks=2, kind='train')
    launching.peer.ask('cancel', job=job)
    texts = lambda: sorted(e['context']['text'] for e in launching.events(ready) if e['name'] == 'progress_note')
    launching.until(lambda: texts().count('ready') == 2)
    launching.peer.ask('checkpoint', job=ready)
    launching.until(lambda: texts()[:2] == ['checkpoint of rank 0', 'checkpoint of rank 1'])
    assert launching.state_of(ready) == 'running' and [a['outcome'] for a in launching.show(job)['attempts']] == ['cancelled']


def test_cancel_reaches_a_process_that_left_the_session(daemon):
    job = daemon.submit('stray', 'sleep=60')
    daemon.pids(job)
    path = pathlib.Path(daemon.show(job)['attempts'][0]['directory']) / 'stray'
    stray = daemon.until(lambda: path.exists() and path.read_text() and int(path.read_text()))
    assert alive(stray)
    daemon.peer.ask('cancel', job=job)
    assert daemon.finish(job) == ['cancelled']
    assert not alive(stray)


# --- the daemon ---

def test_a_drained_daemon_starts_nothing_until_it_is_resumed(daemon):
    running = daemon.submit('sleep=0.5')
    daemon.pids(running)
    assert daemon.peer.ask('drain', reason='a disk is full') == {'running': 1}
    waiting = daemon.submit()
    assert daemon.finish(running) == ['succeeded']
    assert daemon.peer.ask('status')['drained'] == 'a disk is full' and daemon.state_of(waiting) == 'ready'
    daemon.kill()
    daemon.start()
    time.sleep(0.3)
    assert daemon.state_of(waiting) == 'ready'
    assert daemon.explain(waiting) == ('drained', 'decoyd is drained: a disk is full; `decoy resume` starts jobs again')
    daemon.peer.ask('resume')
    assert daemon.finish(waiting) == ['succeeded'] and daemon.peer.ask('status')['drained'] is None


def test_what_was_put_back_after_a_death_is_told(daemon):
    job = daemon.submit('sleep=0.5')
    daemon.pids(job)
    assert daemon.peer.ask('status')['recovered'] == []
    daemon.kill()
    daemon.start()
    assert daemon.peer.ask('status')['recovered'] == [job]
    assert daemon.finish(job) == ['succeeded']


def test_forgotten_jobs_leave_nothing_behind_and_live_ones_are_not_forgotten(busy):
    old = [busy.submit() for _ in range(2)]
    for job in old:
        busy.peer.ask('cancel', job=job)
    needed = busy.submit()
    later = busy.submit(after_any=[needed])
    busy.peer.ask('hold', job=later)
    busy.peer.ask('cancel', job=needed)
    refused(busy, 'refused', f'job {later} comes after job {needed}', 'forget', jobs=[old[0], needed])
    refused(busy, 'refused', 'only jobs that have ended', 'forget', jobs=[busy.blocker])
    assert busy.peer.ask('forget', jobs=[old[0]]) == {'forgotten': 1}
    refused(busy, 'no_job', f'no job {old[0]}', 'show', job=old[0])
    assert busy.peer.ask('forget', older_s=3600) == {'forgotten': 0}
    assert busy.peer.ask('forget', older_s=0) == {'forgotten': 1}
    assert [row['id'] for row in busy.peer.ask('list', all=True)['jobs']] == [busy.blocker, needed, later]
    assert {event['job'] for event in busy.events()} == {busy.blocker, needed, later}
    assert busy.submit() == later + 1


def test_old_jobs_are_forgotten_by_the_daemon_with_their_logs(daemon):
    job = daemon.submit('result')
    daemon.finish(job)
    assert (daemon.state / 'jobs' / str(job)).exists()
    daemon.stop()
    (daemon.state / 'decoyd.yaml').write_text('keep_days: 1\n')
    with sqlite3.connect(daemon.state / 'queue.db') as queue:
        queue.execute('UPDATE jobs SET ended_us = ended_us - 86400000000')
    queue.close()
    daemon.start()
    fresh = daemon.submit()
    daemon.until(lambda: [row['id'] for row in daemon.peer.ask('list', all=True)['jobs']] == [fresh])
    assert not (daemon.state / 'jobs' / str(job)).exists()


def test_a_queue_of_the_first_version_is_brought_up_to_date(daemon):
    daemon.stop()
    for name in ('queue.db', 'queue.db-wal', 'queue.db-shm'):
        (daemon.state / name).unlink(missing_ok=True)
    with sqlite3.connect(daemon.state / 'queue.db') as queue:
        queue.executescript(OLD_QUEUE.read_text())
    queue.close()
    daemon.start()
    assert 'of version 1: it is brought up to date' in daemon.log()
    rows = {row['id']: row for row in daemon.peer.ask('list', all=True)['jobs']}
    assert [rows[i]['state'] for i in (1, 2, 3)] == ['succeeded', 'failed', 'skipped'] and rows[3]['after'] == [2]
    assert rows[4]['state'] == 'held' and rows[4]['priority'] == 3 and rows[1]['tag'] is None
    daemon.peer.ask('release', job=4)
    assert daemon.finish(4) == ['succeeded']
    assert daemon.peer.ask('submit', jobs=[dict(JOB, key='once')]) == {'ids': [1]}


def test_a_queue_of_a_newer_decoyd_is_refused(daemon):
    daemon.stop()
    with sqlite3.connect(daemon.state / 'queue.db') as queue:
        queue.execute('PRAGMA user_version = 99')
    queue.close()
    failed = daemon.command()
    assert failed.returncode == 1 and 'written by a newer decoyd (version 99' in failed.stderr and failed.stderr.count('\n') == 1


# --- why ---

def test_explain_says_what_a_job_waits_for_with_the_numbers(busy):
    first, second = busy.submit(threads=2, priority=5), busy.submit()
    waiting, held = busy.submit(after=[first, second]), busy.submit(hold=True)
    assert busy.explain(busy.blocker) [0] == 'running' and 'attempt 1' in busy.explain(busy.blocker)[1]
    assert busy.explain(first) == ('slots', 'it is next: it needs 2 slots, and 0 of 2 are free')
    assert busy.explain(second) == ('turn', f'1 job comes before it (first job {first}, priority 5, 2 slots); 0 of 2 slots are free, it needs 1')
    assert busy.explain(waiting) == ('dependency', f'it waits for 2 of the 2 jobs it comes after: job {first} (ready), job {second} (ready)')
    assert busy.explain(held) == ('held', f'it is held: submitted with hold; `decoy release {held}` lets it start')
    busy.peer.ask('cancel', job=held, reason='enough')
    assert busy.explain(held) == ('ended', 'it was cancelled: enough')
    refused(busy, 'no_job', 'no job 99', 'explain', job=99)


def test_explain_tells_of_a_rest_and_of_a_stop(impatient):
    job, deaf = impatient.submit('exit=3', 'say=no luck', retries=1, backoff=60), impatient.submit('deaf', 'sleep=60')
    impatient.until(lambda: impatient.state_of(job) == 'ready' and impatient.show(job)['attempt'] == 1)
    code, text = impatient.explain(job)
    assert code == 'resting' and text.startswith('it rests for another ') and text.endswith('after 1 failure: no luck')
    impatient.pids(deaf)
    impatient.peer.ask('cancel', job=deaf, reason='enough')
    code, text = impatient.explain(deaf)
    assert code == 'stopping' and 'cancel: enough' in text and 'before it is killed' in text


# --- finding ---

def test_list_finds_by_tag_name_and_state(busy):
    a, b = busy.submit(name='elg-1', tag='elg,night'), busy.submit(name='elg-2', tag='lrg', hold=True)
    find = lambda **body: [row['id'] for row in busy.peer.ask('list', all=True, **body)['jobs']]
    assert find(tag='elg') == [a] and find(tag='night') == [a] and find(tag='nigh') == []
    assert find(name='elg-*') == [a, b] and find(name='*-2', tag='lrg') == [b]
    assert find(state='held') == [b] and find(state='running') == [busy.blocker]
    refused(busy, 'bad_request', 'no state heldd', 'list', state='heldd')


def test_an_array_is_jobs_that_know_their_first(busy):
    jobs = [dict(JOB, array='#1') if i else JOB for i in range(4)]
    ids = busy.peer.ask('submit', jobs=jobs)['ids']
    assert [busy.show(job)['array'] for job in ids] == [None] + [ids[1]] * 3
    assert ids[1:] == list(range(ids[1], ids[1] + 3))
