"""What is no message, or not a good one, is answered and harms nothing."""
import os
import pathlib
import socket
import time

import pytest
from protocol import Peer, Refused, refused


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
