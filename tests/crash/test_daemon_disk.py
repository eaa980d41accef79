"""decoyd on a disk that is really full (promise Q7): a file system of 1 or 16 MiB, filled up and freed."""
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile

import pytest
from ledger import Ledger
from trial import SEED, say, trials

from protocol import Daemon, Refused


@pytest.fixture(params=[1, 16])
def small(request):
    """A daemon whose state directory is a file system of so many MiB."""
    place = pathlib.Path(tempfile.mkdtemp(prefix='decoyd-', dir='/tmp'))
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={request.param}m,mode=0700', 'tmpfs', place], stderr=subprocess.PIPE, text=True, check=False)
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f'no file system can be mounted here: {mounted.stderr.strip()}')
    daemon = Daemon(worker='/bin/true', state=place)
    daemon.size = request.param
    yield daemon
    daemon.close()
    subprocess.run(['umount', '-l', place], check=True)
    place.rmdir()


def fill(daemon, leave):
    """All but so many bytes."""
    with open(daemon.state / 'filler', 'wb', 0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            filler.truncate(max(filler.tell() - leave, 0))


def submit(daemon, ledger, key, count, seconds=10):
    """True when it was acknowledged."""
    jobs = [{'kind': 'mock', 'fields': {'out': '/x' + 5 * ('/' + 200 * 'y')}, 'key': f'{key}.{i}', 'options': {'hold': i > 0, 'retries': 0}} for i in range(count)]
    try:
        for i, job in enumerate(daemon.peer.ask('submit', jobs=jobs, seconds=seconds)['ids']):
            ledger.acknowledge(f'{key}.{i}', job)
        return True
    except (Refused, AssertionError):
        return False


def revive(daemon):
    """Starts it again if it has stopped; True when it had."""
    if daemon.process.poll() is None:
        return False
    assert daemon.process.returncode == 1, f'it died of {daemon.process.returncode}\n{daemon.log()}'
    daemon.peer.close()
    daemon.start()
    return True


def renew(daemon, ledger):
    """Looks at what was kept, and begins with an empty disk: it is to be filled by the next cycles, not by jobs of the past."""
    ends = daemon.finish(*[job for key, job in ledger.ids.items() if key.endswith('.after.0')])
    assert set(ends) <= {'succeeded', 'failed'}
    daemon.kill()
    assert not ledger.check(daemon.state)
    for path in daemon.state.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = len(ledger.ids)
    ledger.ids.clear()
    daemon.start()
    return told


def test_full_disk_is_survived(small):
    dice, ledger, cycles, told, stops = random.Random(SEED), Ledger(), trials(20), 0, 0
    for cycle in range(cycles):
        fill(small, dice.choice([0, 4096, 65536, 131072]))
        key, full = 0, False
        while not full and key < 200:
            full = not submit(small, ledger, f'c{cycle}.{key}', dice.choice([1, 5]), 0.5)
            key += 1
        assert full, 'the disk never filled'
        (small.state / 'filler').unlink()
        stops += revive(small)
        if not submit(small, ledger, f'c{cycle}.after', 1):  # it was about to stop
            assert revive(small), small.log()[-2000:]
            stops += 1
            assert submit(small, ledger, f'c{cycle}.after', 1), small.log()[-2000:]
        if cycle % 4 == 3 or cycle == cycles - 1:
            told += renew(small, ledger)
    control_notices(small, ledger)
    assert told > cycles, told
    say(f'Q7 full disks of {small.size} MiB', cycles, SEED, f'0 lost of {told} acknowledged jobs, 0 corrupt; it stopped and was started {stops} times')


def control_notices(daemon, ledger):
    """The control: a queue that a full disk cut short, in its file or by one acknowledged job, is noticed."""
    assert submit(daemon, ledger, 'control', 1)
    daemon.stop()
    assert not ledger.check(daemon.state)
    path = daemon.state / 'queue.db'
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    assert cut_short(ledger, daemon.state)
    path.write_bytes(whole)
    queue = sqlite3.connect(path)
    for table in ('events', 'attempts', 'jobs'):
        queue.execute(f'DELETE FROM {table}')
    queue.commit()
    queue.close()
    assert [text for text in ledger.check(daemon.state) if 'was acknowledged' in text]


def cut_short(ledger, state):
    try:
        return ledger.check(state)
    except sqlite3.DatabaseError as error:
        return [str(error)]
