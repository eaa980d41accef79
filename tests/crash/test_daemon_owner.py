"""One decoyd to a state directory, whoever starts how many (promise Q8)."""
import os
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest
from ledger import Ledger
from trial import SEED, say, trials

from protocol import DECOYD, Daemon, Peer, alive


@pytest.fixture
def daemon():
    daemon = Daemon()
    yield daemon
    daemon.close()


def launch(daemon):
    return subprocess.Popen([DECOYD, '--state', daemon.state, '--foreground'], env=daemon.environment, stderr=subprocess.PIPE, text=True)


def race(daemon, starters, dice):
    """Starts so many at once and gives those that serve; the others must have said why not."""
    started = []
    for _ in range(starters):
        started.append(launch(daemon))
        time.sleep(dice.choice([0, 0, 0.001, 0.005]))
    end = time.monotonic() + 10
    while sum(one.poll() is None for one in started) > 1 and time.monotonic() < end:
        time.sleep(0.001)
    for loser in (one for one in started if one.poll() is not None):
        said = loser.stderr.read()
        assert loser.returncode == 1 and 'another decoyd serves' in said, said
    return [one for one in started if one.poll() is None]


def test_of_daemons_that_start_at_once_one_serves(daemon):
    dice, ledger, count = random.Random(SEED), Ledger(), trials(200)
    daemon.kill()
    for number in range(count):
        winners = race(daemon, dice.choice([2, 2, 3]), dice)
        assert len(winners) == 1, f'race {number}: {len(winners)} daemons serve'
        peer = Peer(daemon.state)
        assert peer.ask('hello')['pid'] == winners[0].pid
        ledger.acknowledge(f'r{number}', peer.ask('submit', jobs=[{'kind': 'mock', 'fields': {'out': '/x'}, 'key': f'r{number}', 'options': {'hold': True}}])['ids'][0])
        peer.close()
        winners[0].send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM]))
        winners[0].wait()
        winners[0].stderr.close()
    assert not ledger.check(daemon.state)
    say('Q8 starts at once', count, SEED, f'0 races with two owners or none, 0 lost of {count} acknowledged jobs')


def test_race_notices_two_owners(daemon):
    """The control: daemons of two directories do serve at once, so that one-of-two is not all that the race can see."""
    other = Daemon()
    try:
        assert daemon.peer.ask('hello')['pid'] != other.peer.ask('hello')['pid']
        assert daemon.process.poll() is None and other.process.poll() is None
    finally:
        other.close()


def test_stolen_socket_gives_no_second_owner_and_is_taken_back(daemon):
    path, job = daemon.state / 'decoyd.sock', daemon.submit(hold=True)
    path.unlink()
    thief = socket.socket(socket.AF_UNIX)
    thief.bind(str(path))
    thief.listen()
    second = daemon.command()
    assert second.returncode == 1 and 'another decoyd serves' in second.stderr and daemon.process.poll() is None
    daemon.kill()
    serves = daemon.log().count('serves')
    daemon.launch()
    daemon.until(lambda: daemon.log().count('serves') > serves)
    daemon.connect()
    assert daemon.state_of(job) == 'held'
    thief.close()


def copy_of(daemon, *, moved=False):
    """A second daemon on a copy of the first one's directory, made while its job runs."""
    other = Daemon()
    other.kill()
    shutil.rmtree(other.state)
    (shutil.move if moved else shutil.copytree)(daemon.state, other.state, **({} if moved else dict(ignore=shutil.ignore_patterns('*.sock'))))
    other.start()
    return other


def test_copied_state_leaves_the_workers_of_the_original_alone(daemon):
    job = daemon.submit('sleep=2')
    worker = daemon.pids(job)[0]
    other = copy_of(daemon)
    try:
        other.until(lambda: other.state_of(job) != 'running')
        assert other.explain(job)[0] == 'drained' and 'copy' in other.explain(job)[1], other.explain(job)
        assert alive(worker)
        assert daemon.finish(job) == ['succeeded']
        assert other.show(job)['attempt'] == 1
        other.peer.ask('resume')
        assert other.finish(job) == ['succeeded']
        assert [attempt['outcome'] for attempt in other.show(job)['attempts']] == ['requeued', 'succeeded']
    finally:
        other.close()


def test_moved_state_is_no_copy(daemon):
    job = daemon.submit('sleep=60')
    worker = daemon.pids(job)[0]
    daemon.kill()
    other = copy_of(daemon, moved=True)
    try:
        other.until(lambda: not alive(worker))
        other.until(lambda: other.show(job)['attempt'] == 2)
    finally:
        os.makedirs(daemon.state, exist_ok=True)
        other.close()
