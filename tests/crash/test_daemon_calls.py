"""decoyd whose system calls fail: by strace one call once, or from one call on for ever, while it serves and while it recovers; by a
preloaded module (tests/system/failing_disk.c) all writes of files, or by halves (promise Q5). It may refuse and it may stop; it must not crash, must not hang, and must not lose what it acknowledged."""
import collections
import json
import os
import random
import signal
import subprocess
import time

import pytest
import zmq
from ledger import Ledger
from trial import SEED, say, trials

from protocol import DECOYD, Daemon

# Of decoyd itself and of SQLite; the calls of libzmq's own threads are not traced. No write: libzmq ends the process where the
# write to an eventfd fails, which it never does on Linux; writes to files are DISKS.
FAULTS = [('pwrite64', 'EIO'), ('pwrite64', 'ENOSPC'), ('pread64', 'EIO'), ('fdatasync', 'EIO'), ('fsync', 'EIO'), ('ftruncate', 'EIO'),
          ('read', 'EIO'), ('read', 'EINTR'), ('openat', 'EMFILE'), ('openat', 'EIO'), ('openat', 'ENOSPC'), ('openat', 'EINTR'),
          ('rename', 'EIO'), ('mkdir', 'ENOSPC'), ('pipe2', 'EMFILE'), ('clone', 'EAGAIN'), ('clone3', 'EAGAIN'), ('fcntl', 'EIO'),
          ('newfstatat', 'EIO'), ('unlink', 'EIO'), ('epoll_wait', 'EINTR'), ('epoll_pwait', 'EINTR'), ('getrandom', 'EINTR'), ('mmap', 'ENOMEM'),
          ('statfs', 'EIO'), ('lseek', 'EIO'), ('getdents64', 'EIO'), ('wait4', 'EINTR'), ('waitid', 'EINTR')]

DISKS = ['short', 'write', 'full', 'fsync', 'short write', 'short full']
LOADER = 127  # the dynamic loader's word that a library could not be read: decoyd was not even begun


@pytest.fixture
def daemon():
    allowed = subprocess.run(['strace', '-o', '/dev/null', '-e', 'inject=getpid:error=EIO', '/bin/true'], stderr=subprocess.PIPE, text=True, check=False)
    if allowed.returncode:
        pytest.skip(f'strace may not trace here: {allowed.stderr.strip()}')
    daemon = Daemon(worker='/bin/true')
    daemon.kill()
    yield daemon
    daemon.before = []
    daemon.close()


class Asker:
    """A client that takes no answer for an answer."""

    def __init__(self, daemon):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 2)
        self.socket.connect(f'ipc://{daemon.state}/decoyd.sock')
        self.daemon, self.count = daemon, 0

    def ask(self, verb, seconds=15, **body):
        """(kind, body); None when the daemon has gone; 'hung' when it neither answers nor goes."""
        self.count += 1
        name = b'%d' % self.count
        self.socket.send_multipart([b'decoy1', verb.encode(), name, json.dumps(body).encode()])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while self.socket.poll(10):
                frames = self.socket.recv_multipart()
                if frames[2] == name and frames[1] != b'event':
                    return frames[1].decode(), json.loads(frames[3])
            if self.daemon.process.poll() is not None:
                return None
        return 'hung', {}

    def close(self):
        self.context.destroy(linger=0)


def scenario(daemon, ledger, label):
    """What clients do: submit, hold, cancel, list, wait. Gives what went wrong."""
    asker, problem = Asker(daemon), None
    job = {'kind': 'mock', 'fields': {'out': '/x'}}
    asks = [('hello', {}), ('submit', {'jobs': [dict(job, key=f'{label}.0')]}), ('submit', {'jobs': [dict(job, key=f'{label}.1', options={'hold': True})]}),
            ('list', {}), ('status', {}), ('submit', {'jobs': [dict(job, key=f'{label}.2')]})]
    for verb, body in asks:
        answer = asker.ask(verb, **body)
        if answer is None:
            break
        if answer[0] == 'hung':
            problem = f'no answer to {verb}'
            break
        if verb == 'submit' and answer[0] == 'ok':
            ledger.acknowledge(body['jobs'][0]['key'], answer[1]['ids'][0])
    asker.close()
    return problem


def end(daemon, dice):
    """Ends strace's decoyd, one way or the other; its status."""
    status = daemon.process.poll()
    if status is None and dice.random() < 0.5:
        signal_decoyd(daemon, signal.SIGTERM)
        try:
            return daemon.process.wait(8)
        except subprocess.TimeoutExpired:
            status = None
    if status is None:
        signal_decoyd(daemon, signal.SIGKILL)
        daemon.process.wait(10)
        return 'killed'
    return status


def signal_decoyd(daemon, number):
    """The tracer itself would let go of decoyd."""
    children = open(f'/proc/{daemon.process.pid}/task/{daemon.process.pid}/children', encoding='ascii').read().split()
    for child in children:
        subprocess.run(['kill', f'-{int(number)}', child], stderr=subprocess.DEVNULL, check=False)


def maps_of_the_loader():
    """The calls of mmap before decoyd's main, which it cannot answer for: the dynamic loader dies of some of them."""
    words = ['strace', '-e', 'trace=mmap', DECOYD, '--help']
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr.count('mmap(')


def judge(daemon, ledger, fates, status, problem):
    """What went wrong at one point, or None; fates counts how decoyd took it."""
    if status == LOADER:
        fates['did not load'] += 1
        return None
    if status == -signal.SIGABRT:
        fates['aborted'] += 1  # libzmq's and libuv's way with what they cannot go on from
    elif status not in (0, 1, 'killed'):
        problem = f'it ended with {status}'
    fates['stopped' if status == 1 else 'served on'] += 1
    found = ledger.check(daemon.state)
    return f'{problem or found[:3]}: {daemon.log()[-300:]}' if problem or found else None


def finish(daemon, ledger):
    """On a good disk again: all that was acknowledged comes to its end."""
    daemon.start()
    assert set(daemon.finish(*[job for key, job in ledger.ids.items() if not key.endswith('.1')])) <= {'succeeded', 'failed'}
    daemon.kill()
    assert not ledger.check(daemon.state)


def test_an_interrupted_look_for_work_loses_no_answer(daemon):
    """Every second poll gives EINTR, as where a worker's end comes in between: ZeroMQ's calls give it on, though they were not to wait."""
    daemon.before = ['strace', '-o', '/dev/null', '-e', 'trace=poll', '-e', 'inject=poll:error=EINTR:when=40+2']
    ledger = Ledger()
    daemon.launch()
    for i in range(20):
        assert scenario(daemon, ledger, f'i{i}') is None, daemon.log()[-300:]
    assert len(ledger.ids) == 60
    signal_decoyd(daemon, signal.SIGKILL)
    daemon.process.wait(10)
    daemon.before = []


def test_failing_calls_crash_nothing_and_lose_nothing(daemon):
    dice, ledger, fates, problems, start = random.Random(SEED), Ledger(), collections.Counter(), [], time.monotonic()
    wanted, limit_s = trials(len(FAULTS) * 3), 25 if trials(0) == 0 else 36000
    points, loader = 0, maps_of_the_loader()
    while points < wanted and time.monotonic() - start < limit_s:
        call, error = FAULTS[points % len(FAULTS)]
        at, for_ever = dice.choice([dice.randint(1, 12), dice.randint(1, 60), dice.randint(60, 300)]), dice.random() < 0.4
        if error == 'EINTR':
            for_ever = False
        if call == 'mmap':
            at += loader
        fault = f'{call}:error={error}:when={at}{"+" if for_ever else ""}'
        daemon.before = ['strace', '-o', '/dev/null', '-e', f'trace={call}', '-e', f'inject={fault}']
        daemon.launch()
        problem = scenario(daemon, ledger, f'p{points}')
        problem = judge(daemon, ledger, fates, end(daemon, dice), problem)
        points += 1
        if problem:
            problems.append(f'{fault}: {problem}')
    daemon.before = []
    finish(daemon, ledger)
    assert not problems, '\n'.join(problems)
    assert fates['stopped'] > points / 20, fates
    say('Q5 failing system calls', points, SEED, f'{fates["stopped"]} times it stopped by itself, {fates["did not load"]} times it was not even loaded, {fates["aborted"]} times libzmq or libuv ended it, 0 crashes, 0 hangs, 0 lost of {len(ledger.ids)} acknowledged jobs')


@pytest.fixture
def spoilt(tmp_path):
    """A daemon whose disk does as files in its member `disk` say."""
    daemon = Daemon(worker='/bin/true', LD_PRELOAD=os.environ['FAILING_DISK_MODULE'], FAILING_DISK=str(tmp_path), ASAN_OPTIONS='verify_asan_link_order=0')
    daemon.disk = tmp_path
    daemon.kill()
    yield daemon
    daemon.close()


def set_disk(daemon, *what):
    for path in daemon.disk.iterdir():
        path.unlink()
    for name in what:
        (daemon.disk / name).touch()


def test_failing_and_short_writes_lose_nothing(spoilt):
    dice, ledger, fates, problems, count = random.Random(SEED), Ledger(), collections.Counter(), [], trials(4 * len(DISKS))
    for point in range(count):
        words = DISKS[point % len(DISKS)].split()
        at_once = dice.random() < 0.3
        set_disk(spoilt, *words if at_once else ())
        spoilt.launch()
        problem = None if at_once else scenario(spoilt, ledger, f'w{point}.good')
        set_disk(spoilt, *words)
        problem = problem or scenario(spoilt, ledger, f'w{point}')
        if spoilt.process.poll() is None:
            spoilt.process.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM]))
        status = spoilt.process.wait(20)
        problem = judge(spoilt, ledger, fates, 'killed' if status == -signal.SIGKILL else status, problem)
        if problem:
            problems.append(f'{words}: {problem}')
    set_disk(spoilt)
    finish(spoilt, ledger)
    assert not problems, '\n'.join(problems)
    assert fates['stopped'] and fates['served on'], fates
    say('Q5 failing and short writes', count, SEED, f'{fates["stopped"]} times it stopped by itself, 0 crashes, 0 hangs, 0 lost of {len(ledger.ids)} acknowledged jobs')
    control_notices_a_lying_disk(spoilt, ledger)


def control_notices_a_lying_disk(daemon, ledger):
    """The control: what a disk says it wrote and did not is noticed as lost; so is a crash, and a daemon that does not answer."""
    daemon.start()
    set_disk(daemon, 'lie')
    assert not scenario(daemon, ledger, 'lie')
    daemon.kill()
    assert [text for text in ledger.check(daemon.state) if 'key lie.' in text and 'was acknowledged' in text]
    assert judge(daemon, Ledger(), collections.Counter(), -signal.SIGSEGV, None)
    set_disk(daemon)
    daemon.start()
    daemon.process.send_signal(signal.SIGSTOP)
    assert scenario(daemon, Ledger(), 'stopped') == 'no answer to hello'
