"""Dead and hung ranks, a dead and a hung launcher, a dead daemon (promise T7; a lost host: tests/system/test_slurm.py): how soon each is noticed in a
training of three ranks, that nothing of it is left over, and that the next attempt goes on to the same weights. And what is not to be taken for hung."""
import ctypes
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
from trial import SEED, say, trials

from running import DECOY, Running

HANG_AFTER = 3  # s; 50 unless told
LATE = {'hang': 2.5, 'death': 10}  # s that may pass: beyond HANG_AFTER, and in all
MODEL = pathlib.Path(__file__).resolve().parents[1] / 'unit' / 'train' / 'tiny.yaml'
TRAINING = ['--model', MODEL, '--epochs', 12, '--batch', 32, '--micro-batch', 8, '--ranks', 3, '--retries', 1000, '--backoff', 0]


def processes(decoy, job, attempt):
    """{pid: name} of what carries the mark of the attempt and lives."""
    mark, found = f'DECOY_ATTEMPT_DIR={decoy.state}/jobs/{job}/attempt-{attempt}', {}
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if mark in (folder / 'environ').read_text().split('\0') and (folder / 'stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX':
                found[int(folder.name)] = (folder / 'comm').read_text().strip()
        except OSError:
            continue
    return found


def ranks_of(decoy, job, attempt):
    """Pids by rank."""
    def rank(pid):
        words = pathlib.Path(f'/proc/{pid}/environ').read_text().split('\0')
        return next((int(word.split('=')[1]) for word in words if word.startswith('OMPI_COMM_WORLD_RANK=')), 0)
    return sorted((pid for pid, name in processes(decoy, job, attempt).items() if name == 'decoy-worker'), key=rank)


def leader_of(decoy, job):
    return next(event['context']['pid'] for event in reversed(events(decoy, job)) if event['name'] == 'started')


def events(decoy, job):
    return [json.loads(line)['event'] for line in decoy('events', job, '--json').splitlines()]


class Training:
    """One of the same trainings over and over: its weights must come out the same whatever is done to it."""

    def __init__(self, decoy, dataset):
        self.decoy, self.dataset, self.count, self.weights = decoy, dataset, 0, set()
        self.job = None

    def running(self):
        """A job that is under way, and beyond what its attempt began with."""
        def under_way():
            if self.job is None or self.decoy.row(self.job)['state'] == 'succeeded':
                self.finish()
                self.count += 1
                self.job = self.decoy.submit('train', '--dataset', self.dataset, '--out', self.out(), *TRAINING)
            row = self.decoy.row(self.job)
            assert row['state'] in ('ready', 'running', 'succeeded', 'waiting'), row
            return row['state'] == 'running' and row['progress'] and row['attempt'] and len(ranks_of(self.decoy, self.job, row['attempt'])) == 3 and row['attempt']
        return self.decoy.until(under_way, what='a training that runs')

    def out(self):
        return self.decoy.directory / f'model{self.count}'

    def finish(self):
        if self.job is not None:
            self.decoy('wait', self.job)
            self.weights.add(hashlib.sha256((self.out() / 'model.safetensors').read_bytes()).hexdigest())


@pytest.fixture(scope='module')
def decoy():
    decoy = Running(slots=3, ASAN_OPTIONS='detect_leaks=0', DECOY_HANG_AFTER=str(HANG_AFTER), DECOY_GRACE='1')
    yield decoy
    decoy.close()


@pytest.fixture(scope='module')
def dataset(decoy):
    place = decoy.directory
    decoy.finish('mock', '--out', place / 'survey', '--bricks', 4, '--size', 512, '--galaxies', 20, '--ranks', 2)
    decoy.finish('inject', '--survey', place / 'survey', '--out', place / 'sim', '--ranks', 2)
    decoy.finish('cutouts', '--survey', place / 'survey', '--simulation', place / 'sim', '--cuts', 'kids3', '--out', place / 'cutouts', '--ranks', 2)
    decoy.finish('split', '--cutouts', place / 'cutouts', '--out', place / 'dataset')
    return place / 'dataset'


def dead_daemon(decoy):
    decoy.kill_daemon()
    decoy('up')


FAULTS = {  # what is done, to whom, and what becomes known of it
    'dead rank': (lambda decoy, ranks, leader, dice: os.kill(dice.choice(ranks), signal.SIGKILL), 'death', 'retried'),
    'hung rank 0': (lambda decoy, ranks, leader, dice: os.kill(ranks[0], signal.SIGSTOP), 'hang', 'rank 0 has not been heard of'),
    'hung rank': (lambda decoy, ranks, leader, dice: os.kill(ranks[2], signal.SIGSTOP), 'hang', 'rank 2 has not been heard of'),
    'dead mpirun': (lambda decoy, ranks, leader, dice: os.kill(leader, signal.SIGKILL), 'death', 'retried'),
    'hung mpirun': (lambda decoy, ranks, leader, dice: os.kill(leader, signal.SIGSTOP), 'hang', 'its launcher has been stopped'),
    'dead decoyd': (lambda decoy, ranks, leader, dice: dead_daemon(decoy), 'death', 'requeued'),
}


def notice(decoy, job, attempt, what, sign):
    """When decoyd took note of it, in seconds since 1970; None: not yet."""
    for event in events(decoy, job):
        if event['attempt'] == attempt and (event['name'] == sign if what == 'death' else sign in event['context'].get('reason', '') and event['context'].get('stop') == 'hang'):
            return 1e-6 * event['time_us']
    return None


def suffer(decoy, training, name, dice):
    """One fault: the seconds until it was noticed, and how many processes were left over."""
    do, what, sign = FAULTS[name]
    attempt = training.running()
    job, ranks = training.job, ranks_of(decoy, training.job, attempt)
    time.sleep(0.3 * dice.random())
    leader, began = leader_of(decoy, job), time.time()
    do(decoy, ranks, leader, dice)
    noticed = decoy.until(lambda: notice(decoy, job, attempt, what, sign), 30, f'a word of the {name}') - began
    outcome = decoy.until(lambda: decoy.row(job)['attempts'][attempt - 1]['outcome'], 20, f'the end of the attempt with a {name}')
    assert outcome == ('requeued' if name == 'dead decoyd' else 'retried'), (name, outcome)
    return noticed, len(processes(decoy, job, attempt))


def test_every_fault_is_noticed_and_leaves_nothing_behind(decoy, dataset):
    dice, training, count = random.Random(SEED), Training(decoy, dataset), trials(len(FAULTS))
    undisturbed = decoy.finish('train', '--dataset', dataset, '--out', decoy.directory / 'undisturbed', *TRAINING)
    seen = {name: [] for name in FAULTS}
    for i in range(count):
        name = list(FAULTS)[i] if i < len(FAULTS) else dice.choice(list(FAULTS))
        seen[name].append(suffer(decoy, training, name, dice))
    training.finish()
    for name, results in seen.items():
        if results:
            longest, left = max(noticed for noticed, _ in results), sum(left for _, left in results)
            limit = f' (limit {HANG_AFTER} s)' if FAULTS[name][1] == 'hang' else ''
            say(f'T7 {name}', len(results), SEED, f'noticed after at most {longest:.1f} s{limit}; left over: {left} processes')
            assert longest < (HANG_AFTER + LATE['hang'] if limit else LATE['death']) and left == 0, (name, results)
    assert undisturbed['state'] == 'succeeded'
    want = hashlib.sha256((decoy.directory / 'undisturbed' / 'model.safetensors').read_bytes()).hexdigest()
    assert training.weights == {want}, 'the weights differ from those of an undisturbed training'


def test_a_rank_that_computes_without_a_word_of_progress_is_no_hung_one(decoy):
    """A brick whose reader takes far longer than the limit (--brick-time is for that): the rank only waits for it."""
    job = decoy.submit('mock', '--out', decoy.directory / 'large', '--bricks', 1, '--size', 1024)
    rank, reader = decoy.until(lambda: len(found := sorted(processes(decoy, job, 1))) == 2 and found, what='the reader of the brick')
    os.kill(reader, signal.SIGSTOP)
    time.sleep(3 * HANG_AFTER)
    assert list(processes(decoy, job, 1)) == [rank, reader]
    os.kill(reader, signal.SIGCONT)
    decoy('wait', job)
    row = decoy.row(job)
    assert row['state'] == 'succeeded' and row['attempt'] == 1


def goes_on(decoy, job, attempt):
    """The attempt is not ended now, nor soon, and gets on; then it is of no more use."""
    done = decoy.row(job)['progress']['done']
    decoy.until(lambda: (row := decoy.row(job))['state'] != 'running' or row['progress']['done'] > done, what='progress')
    time.sleep(HANG_AFTER)
    names = {event['name'] for event in events(decoy, job)}
    if decoy.row(job)['state'] == 'running':
        for verb in 'cancel', 'wait':  # it may come to its own end meanwhile
            subprocess.run([DECOY, verb, str(job)], env=decoy.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        assert decoy.row(job)['state'] in ('cancelled', 'succeeded')
    return decoy.row(job)['attempt'] == attempt and 'stop_asked' not in names


def test_a_whole_job_that_was_suspended_with_its_daemon_goes_on(decoy, dataset):
    training = Training(decoy, dataset)
    attempt = training.running()
    everybody = [decoy.json('status')['pid'], *processes(decoy, training.job, attempt)]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(HANG_AFTER + 2)
    for pid in reversed(everybody):
        os.kill(pid, signal.SIGCONT)
    assert goes_on(decoy, training.job, attempt)


def trace(pid):
    """Holds a process as a debugger does: PTRACE_SEIZE, PTRACE_INTERRUPT."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    assert libc.ptrace(0x4206, pid, None, None) == 0 and libc.ptrace(0x4207, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(pid, 0x40000000)  # __WALL
    return lambda: libc.ptrace(17, pid, None, None)  # PTRACE_DETACH


def test_a_rank_in_a_debugger_is_left_alone(decoy, dataset):
    training = Training(decoy, dataset)
    attempt = training.running()
    let_go = trace(ranks_of(decoy, training.job, attempt)[1])
    time.sleep(HANG_AFTER + 3)
    let_go()
    assert goes_on(decoy, training.job, attempt)


def test_without_a_limit_nobody_hangs(dataset):
    """The control: what is noticed above is noticed by that limit and nothing else."""
    decoy = Running(slots=3, ASAN_OPTIONS='detect_leaks=0', DECOY_HANG_AFTER='0', DECOY_GRACE='1')
    try:
        training = Training(decoy, dataset)
        attempt = training.running()
        os.kill(ranks_of(decoy, training.job, attempt)[1], signal.SIGSTOP)
        time.sleep(2 * HANG_AFTER)
        assert decoy.row(training.job)['state'] == 'running' and not [event for event in events(decoy, training.job) if event['name'] == 'stop_asked']
    finally:
        decoy.close()


def test_a_rank_whose_main_thread_is_blocked_is_hung_though_others_of_its_threads_live(decoy, dataset):
    """A job without MPI, which opens a pipe that nobody writes to."""
    os.mkfifo(decoy.directory / 'bricks')
    job = decoy.submit('cutouts', '--class', 'real', '--survey', dataset.parent / 'survey', '--bricks', decoy.directory / 'bricks', '--out', decoy.directory / 'blocked', '--retries', 0)
    decoy('wait', job, status=1)
    assert decoy.row(job)['state'] == 'failed' and decoy.row(job)['reason'] == f'rank 0 has not been heard of for {HANG_AFTER} s' and not processes(decoy, job, 1)
