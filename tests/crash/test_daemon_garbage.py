"""Bytes that are no message, and peers that do not read or do not go on, at decoyd's socket: it neither dies nor keeps others waiting (promise
S1; the parsers by themselves are fuzzed in tests/fuzz). A trial is a line of garbage."""
import os
import pathlib
import random
import signal
import socket
import struct
import time

import pytest
from trial import SEED, say, trials, words_of

from protocol import JOB, Daemon, Peer
from waiting import until

STALL_S = 5.0
GREETING = b'\xff' + bytes(8) + b'\x7f\x03\x00NULL' + bytes(16) + bytes(32)
PROPERTIES = b'\x05READY\x0bSocket-Type' + struct.pack('>I', 6) + b'DEALER\x08Identity' + bytes(4)
READY = struct.pack('BB', 4, len(PROPERTIES)) + PROPERTIES


@pytest.fixture
def daemon():
    daemon = Daemon(worker='/bin/true')
    yield daemon
    daemon.close()


def line_to(daemon):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(5)
    line.connect(str(daemon.state / 'decoyd.sock'))
    return line


def shake(line):
    """The handshake, step by step: ZeroMQ drops who sends on before it was greeted."""
    line.sendall(GREETING)
    left = len(GREETING)
    while left > 0:
        left -= len(line.recv(left))
    line.sendall(READY)


def frame(data, more):
    """Of ZMTP 3.0 (rfc.zeromq.org/spec/23)."""
    return (struct.pack('>BB', more, len(data)) if len(data) < 256 else struct.pack('>BQ', 2 | more, len(data))) + data


def message(*parts):
    return b''.join(frame(part, i < len(parts) - 1) for i, part in enumerate(parts))


def spoil(data, dice):
    data = bytearray(data)
    for _ in range(dice.choice([1, 1, 4])):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data[:dice.choice([len(data), dice.randrange(len(data))])])


BODIES = [b'{}', b'{"jobs": [{"kind": "mock", "fields": {"out": "/x"}}]}', b'{"job": 1}', b'{"jobs": [1]}', b'[' * 5000, b'{"a":' * 1000, b'\xff\xfe', b'null', b'1e999',
          b'{"job": 99999999999999999999}', b'{"job": "\\u0000"}', b'']
VERBS = [b'submit', b'list', b'wait', b'watch', b'events', b'show', b'cancel', b'logs', b'hello', b'status', b'explain', b'nonsense', b'', b'\0', b'v' * 300]


def garbage(dice):
    """(what it is, whether it comes after a good handshake, bytes) of one connection."""
    request = message(b'decoy1', dice.choice(VERBS), dice.randbytes(dice.choice([0, 1, 32, 33])), dice.choice(BODIES))
    return dice.choice([
        ('noise', False, dice.randbytes(dice.choice([1, 64, 3000]))),
        ('spoilt greetings', False, spoil(GREETING, dice)),
        ('spoilt handshakes', False, GREETING + spoil(READY, dice)),
        ('noise after the handshake', True, dice.randbytes(dice.choice([1, 200]))),
        ('lengths that lie', True, struct.pack('>BQ', dice.choice([2, 3, 6]), dice.choice([2**63, 2**62, 2**31, 5_000_000]))),
        ('spoilt requests', True, spoil(request, dice)),
        ('odd requests', True, request),
        ('many parts', True, message(*[dice.randbytes(2)] * dice.choice([2, 60]))),
    ])


def answer_s(peer):
    """How long decoyd takes to answer somebody who has done nothing."""
    start = time.monotonic()
    peer.ask('hello')
    return time.monotonic() - start


def test_garbage_stalls_nobody(daemon):
    dice, count, kinds, lines, worst = random.Random(SEED), trials(2000), {}, [], 0.0
    for number in range(count):
        what, shaken, data = garbage(dice)
        kinds[what] = kinds.get(what, 0) + 1
        line = line_to(daemon)
        lines.append(line)
        try:
            if shaken:
                shake(line)
            line.sendall(data)
        except OSError:
            pass  # it was cut off, as may be
        if len(lines) > 50:
            lines.pop(dice.randrange(50)).close()
        if number % 10 == 0:
            worst = max(worst, answer_s(daemon.peer))
    assert daemon.process.poll() is None and worst < STALL_S, worst
    for line in lines:
        line.close()
    say('S1 garbage on the socket', count, SEED, f'{words_of(kinds)}: alive, and the longest that another client waited was {1000 * worst:.0f} ms')


def descriptors(daemon):
    return len(os.listdir(f'/proc/{daemon.process.pid}/fd'))


def memory_mib(daemon):
    return int(pathlib.Path(f'/proc/{daemon.process.pid}/status').read_text().split('RssAnon:')[1].split()[0]) / 1024


def test_peers_that_stop_halfway_are_let_go(daemon):
    before = descriptors(daemon)
    lines = [line_to(daemon) for _ in range(100)]
    for number, line in enumerate(lines):
        line.sendall((GREETING + READY)[:number % (len(GREETING) + 20)])
    until(lambda: descriptors(daemon) >= before + 90, what='a hundred connections')
    assert answer_s(daemon.peer) < STALL_S
    until(lambda: descriptors(daemon) < before + 10, 30, 'the end of those who did not go on')
    for line in lines:
        line.close()


def test_a_peer_that_never_reads_costs_a_bounded_memory(daemon):
    daemon.peer.ask('submit', jobs=[dict(JOB, options={'hold': True})] * 300)
    deaf = [line_to(daemon) for _ in range(4)]
    before = memory_mib(daemon)
    for line in deaf:
        shake(line)
        line.settimeout(0.5)
        try:
            for _ in range(300):  # 300 answers of some 100 kB each
                line.sendall(message(b'decoy1', b'list', b'x', b'{"all": true}'))
        except TimeoutError:
            pass  # decoyd does not read on, which is right
        assert answer_s(daemon.peer) < STALL_S
    time.sleep(2)  # until all is answered
    grown = memory_mib(daemon) - before
    print(f'\nS1 four peers that never read: {grown:.0f} MiB')
    assert 1 < grown < 200  # it does answer: 120 MB in all
    for line in deaf:
        line.close()


def test_a_good_request_by_hand_is_answered_and_a_stall_would_be_noticed(daemon):
    """The controls: garbage after this handshake does reach decoyd's own code, and waiting is seen."""
    with line_to(daemon) as line:
        shake(line)
        line.sendall(message(b'decoy1', b'hello', b'x', b'{}'))
        heard = b''
        while b'"protocol"' not in heard:
            more = line.recv(4096)
            assert more, heard
            heard += more
    daemon.process.send_signal(signal.SIGSTOP)
    with pytest.raises(AssertionError):
        list(daemon.peer.stream('hello', seconds=1))
    daemon.process.send_signal(signal.SIGCONT)
    daemon.peer.receive()
