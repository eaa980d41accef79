"""Looking without changing: events, wait, watch, list, logs."""
import pathlib
import socket
import subprocess
import sys
import time

import zmq
from client import decoy
from protocol import JOB, Daemon, Peer, refused


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


FOLLOWERS = '''
import json, sys, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.sndhwm = 0
socket.connect(sys.argv[1])
for i in range(int(sys.argv[2])):
    socket.send_multipart([b"decoy1", b"events", b"", json.dumps({"job": 1, "after_seq": 2, "follow": True}).encode()])
socket.send_multipart([b"decoy1", b"status", b"s", b"{}"])
socket.recv_multipart()
print("all follow", flush=True)
socket.recv_multipart()
'''


def test_streams_of_killed_clients_are_given_up_though_nothing_happens(daemon):
    """Else the second crowd would be beyond the limit, 100,000 streams."""
    daemon.submit(hold=True)
    for _ in range(2):
        crowd = subprocess.Popen([sys.executable, '-c', FOLLOWERS, f'ipc://{daemon.state}/decoyd.sock', '60000'], stdout=subprocess.PIPE)
        assert crowd.stdout.readline() == b'all follow\n'
        assert daemon.peer.ask('status')['clients'] == 1
        crowd.kill()
        crowd.wait()
        crowd.stdout.close()
        daemon.until(lambda: daemon.peer.ask('status')['clients'] == 0, 5)
    follower = Peer(daemon.state)
    follower.send('events', job=1, after_seq=2, follow=True)
    daemon.until(lambda: daemon.peer.ask('status')['clients'] == 1, 5)
    daemon.peer.ask('cancel', job=1)
    assert follower.receive()[2]['name'] == 'cancelled'
    follower.close()


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


def test_a_log_that_grows_beyond_the_limit_keeps_head_and_tail():
    daemon = Daemon(DECOY_LOG_LIMIT='0.05')  # MiB
    try:
        job = daemon.submit('say=first,spam=100000,progress=200')
        path = pathlib.Path(daemon.peer.ask('logs', job=job)['path']) if daemon.pids(job) else None
        daemon.until(lambda: daemon.peer.ask('logs', job=job, offset=-100)['text'].endswith('line 099999\n'), 40)
        daemon.until(lambda: path.stat().st_size < 60e3, 20)
        whole = daemon.peer.ask('logs', job=job)
        assert whole['text'].startswith('first\nline 000000\n') and whole['text'].count('[decoyd left out ') == 1
        assert daemon.peer.ask('logs', job=job, offset=-100)['text'].endswith('line 099999\n')
        assert whole['next'] == len('first\n') + 12 * 100000 and daemon.peer.ask('logs', job=job, offset=whole['next'])['text'] == ''
        assert decoy(daemon.state, 'logs', job).stdout == whole['text']
        assert decoy(daemon.state, 'logs', job, '--stream', 'stdout').stdout == ''
    finally:
        daemon.close()


def test_cells_are_what_whole_rows_say(daemon):
    """Of ended, running and waiting jobs, in order of id; the text of cells is written by hand in the daemon."""
    for name in ['plain', 'a "quoted\\name', '\u03b1 \U0001f30c', '</x>']:
        daemon.finish(daemon.submit('result', name=name, tag='one,two'))
    failed = daemon.submit('exit=1,say=no "such" file\\x \u00e9', retries=0, priority=-5, group='run "1"')
    daemon.finish(failed)
    running = daemon.submit('metrics,progress=3,sleep=9')
    daemon.submit(after=[running], after_any=[failed], priority=10**6)
    daemon.finish(daemon.submit())
    daemon.peer.ask('submit', jobs=[dict(JOB, array='#0', options={'hold': True}), dict(JOB, array='#0', options={'hold': True})])
    daemon.until(lambda: (daemon.show(running)['progress'] or {}).get('done') == 3)
    for filters in [{}, {'all': True}, {'all': True, 'state': 'failed'}, {'name': 'nothing'}]:
        whole = daemon.peer.ask('list', **filters)
        members = list(daemon.show(failed).keys() - {'spec', 'attempts', 'curve'})
        listed = daemon.peer.ask('list', members=members, **filters)
        assert listed['members'] == members and listed['arrays'] == whole['arrays']
        assert [dict(zip(members, cells)) for cells in listed['jobs']] == whole['jobs']
        ids = [row['id'] for row in whole['jobs']]
        assert ids == sorted(ids) and len(ids) == {'all': 10, 'state': 1, 'name': 0}.get((list(filters) or [''])[-1], 4)
