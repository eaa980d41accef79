"""Which job starts when: priority, order of submission, slots, dependencies, holds."""
from protocol import JOB, refused


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
