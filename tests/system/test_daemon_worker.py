"""Workers' messages: what fits the running attempt counts, the rest changes nothing."""
import pathlib

from protocol import Peer


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
