"""kill -9 at random in cutouts and split, of single processes, of whole mpirun trees and of one rank, while a reader polls (promise T5):
whatever bears its final name is whole, and byte for byte what an undisturbed run makes."""
import collections
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from trial import MPI, SEED, run, say, trials, words, words_of


def visible(root):
    """Files under their final names."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith('.')]
        yield from (pathlib.Path(folder, name) for name in names if not name.startswith('.'))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Reader(threading.Thread):
    """Looks at a growing directory without pause; keeps what differs from the oracle."""

    def __init__(self, root, oracle):
        super().__init__(daemon=True)
        self.root, self.oracle, self.seen, self.wrong, self.looks, self.on = root, oracle, set(), [], 0, True
        self.start()

    def look(self):
        for path in visible(self.root):
            try:
                status = path.stat()
                mark = (path, status.st_ino, status.st_mtime_ns, status.st_size)
                if mark in self.seen:
                    continue
                name, found = str(path.relative_to(self.root)), digest(path)
            except FileNotFoundError:
                continue
            self.looks += 1
            self.seen.add(mark)
            if self.oracle.get(name) != found:
                self.wrong.append(name)

    def run(self):
        while self.on:
            self.look()
            time.sleep(0.005)

    def close(self):
        assert self.is_alive(), 'the reader is gone'
        self.on = False
        self.join()
        self.look()


def children(pid):
    try:
        found = [int(child) for task in pathlib.Path(f'/proc/{pid}/task').iterdir() for child in (task / 'children').read_text().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in children(child)]


def name_of(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def workers(pid):
    """Ranks of an mpirun, without their readers."""
    return [child for child in children(pid) if name_of(child) == 'decoy-worker' and name_of(parent_of(child)) != 'decoy-worker']


def parent_of(pid):
    try:
        return int(pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[1])
    except OSError:
        return 0


def await_end(pids):
    end = time.monotonic() + 20
    while any(name_of(pid) == 'decoy-worker' for pid in pids) and time.monotonic() < end:
        time.sleep(0.005)
    assert not any(name_of(pid) == 'decoy-worker' for pid in pids), 'workers outlive their job'


def kill_once(command, ranks, victim, delay_s, log):
    """Starts the job and kills what is to be killed. True when it had ended by itself, well."""
    job = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **MPI}, start_new_session=True)
    try:
        job.wait(delay_s)
        assert job.returncode == 0
        return True
    except subprocess.TimeoutExpired:
        pass
    tree = children(job.pid)
    if victim == 'rank' and ranks > 1:
        kill(workers(job.pid)[-1:] or [job.pid])
        job.wait(30)
    else:
        kill([job.pid] + tree)
        job.wait(30)
    await_end(tree)
    return False


def torture(tmp_path, kind, fields, out, oracle, kills, rank_share, span_s, dice):
    """Runs and kills a job until it was killed so often; whenever it comes to its end, all is there, and it starts anew."""
    fates, reader = collections.Counter(), Reader(out, oracle)
    with open(tmp_path / 'log', 'wb') as log:
        while fates['killed'] < kills:
            ranks = 3 if dice.random() < rank_share else 1
            victim = dice.choice(['tree', 'rank'])
            delay_s = dice.uniform(0.005, span_s) + (0.35 if ranks > 1 else 0)
            ended = kill_once(words(tmp_path, kind, ranks=ranks, out=out, **fields), ranks, victim, delay_s, log)
            fates['ended' if ended else 'killed'] += 1
            fates[f'killed {victim} of {ranks}'] += not ended
            assert not reader.wrong, reader.wrong
            if ended:
                assert {str(path.relative_to(out)): digest(path) for path in visible(out)} == oracle
                assert not list(out.rglob('.*.part'))
                shutil.rmtree(out, ignore_errors=True)
    reader.close()
    assert not reader.wrong, reader.wrong
    assert run(tmp_path, kind, out=out, **fields) is not None
    assert {str(path.relative_to(out)): digest(path) for path in visible(out)} == oracle
    assert reader.looks > kills / 4, 'the reader saw hardly anything'
    return fates, reader.looks


@pytest.fixture(scope='module')
def survey(tmp_path_factory):
    """6 small bricks, and a simulation of them."""
    directory = tmp_path_factory.mktemp('survey')
    run(directory, 'mock', out=directory / 'real', bricks=6, size=160, galaxies=100)
    run(directory, 'inject', out=directory / 'fake', survey=directory / 'real')
    return directory


def oracle_of(tmp_path, kind, fields, out):
    """What an undisturbed run makes, and how long it takes."""
    start_s = time.monotonic()
    run(tmp_path, kind, out=out, **fields)
    took_s = time.monotonic() - start_s
    made = {str(path.relative_to(out)): digest(path) for path in visible(out)}
    shutil.rmtree(out)
    run(tmp_path, kind, ranks=2, out=out, **fields)
    assert {str(path.relative_to(out)): digest(path) for path in visible(out)} == made, 'two undisturbed runs differ'
    shutil.rmtree(out)
    return made, took_s


def test_cutouts_killed_at_random_show_whole_files_only(survey, tmp_path):
    fields, out, dice = dict(survey=survey / 'real', simulation=survey / 'fake', cuts='none'), tmp_path / 'out', random.Random(SEED)
    oracle, took_s = oracle_of(tmp_path, 'cutouts', fields, out)
    assert len(oracle) == 13
    fates, looks = torture(tmp_path, 'cutouts', fields, out, oracle, trials(60) * 6 // 10, 0.15, took_s, dice)
    say('T5 cutouts, kills', fates['killed'], SEED, f'{words_of(fates)}; {looks} files read under their final names, torn or wrong: 0')


def test_split_killed_at_random_shows_whole_files_only(survey, tmp_path):
    run(tmp_path, 'cutouts', out=tmp_path / 'cut', survey=survey / 'real', simulation=survey / 'fake', cuts='none')
    fields, out, dice = dict(cutouts=tmp_path / 'cut', shard=16), tmp_path / 'out', random.Random(SEED + 1)
    oracle, took_s = oracle_of(tmp_path, 'split', fields, out)
    fates, looks = torture(tmp_path, 'split', fields, out, oracle, trials(60) * 4 // 10, 0.15, took_s, dice)
    say('T5 split, kills', fates['killed'], SEED + 1, f'{words_of(fates)}; {looks} files read under their final names, torn or wrong: 0')


def test_reader_notices_a_writer_that_writes_in_place(survey, tmp_path):
    """The control: a writer that does not write aside must be caught, or the reader above is worth nothing."""
    fields, out, dice = dict(survey=survey / 'real', cuts='none', **{'class': 'real'}), tmp_path / 'out', random.Random(SEED)
    run(tmp_path, 'cutouts', out=tmp_path / 'good', **fields)
    oracle = {str(path.relative_to(tmp_path / 'good')): digest(path) for path in visible(tmp_path / 'good')}
    script = 'import sys, time\nfor a, b in zip(sys.argv[1::2], sys.argv[2::2]):\n with open(b, "wb", 0) as f:\n  d = open(a, "rb").read()\n' \
        '  for i in range(0, len(d), 65536): f.write(d[i:i + 65536]); time.sleep(0.001)'
    reader = Reader(out, oracle)
    pairs = [text for name in oracle for text in (str(tmp_path / 'good' / name), str(out / name))]
    for name in oracle:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
    for _ in range(3):
        writer = subprocess.Popen(['/usr/bin/python3', '-c', script, *pairs])
        time.sleep(dice.uniform(0.1, 0.2))
        writer.kill()
        writer.wait()
    reader.close()
    assert reader.wrong
