"""What the crash tests share: the worker run by hand, and how much of a test to run.

Environment: DECOY_WORKER (the program); CRASH_N (how many trials, else each test's own number), CRASH_SEED (else 1)."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'system'))  # for those of its modules that a test imports next

WORKER = os.environ['DECOY_WORKER']
SEED = int(os.environ.get('CRASH_SEED', 1))
MPI = dict(OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1', OMP_NUM_THREADS='1', ASAN_OPTIONS='detect_leaks=0')
MPIRUN = ['mpirun', '--oversubscribe', '--bind-to', 'none', '--mca', 'pml', 'ob1', '--mca', 'btl', 'self,vader,tcp', '--mca', 'mpi_yield_when_idle', '1']


def trials(usual):
    return int(os.environ.get('CRASH_N', usual))


def say(what, count, seed, text):
    """A line for the record (record.py): the promise and its subject, trials, seed, and what came of them."""
    print(f'\nRECORD\t{what}\t{count}\t{seed}\t{text}')


def words_of(counts):
    return ', '.join(f'{count} {name}' for name, count in sorted(counts.items()) if count)


def words(directory, kind, ranks=1, **fields):
    """The command of a job; its file is written."""
    path = directory / f'{kind}.job.json'
    path.write_text(json.dumps({'kind': kind, 'threads': 1, 'fields': fields}, default=str))
    return (MPIRUN + ['-n', str(ranks)] if ranks > 1 else []) + [WORKER, '--spec', str(path)]


def run(directory, kind, status=0, timeout=600, **fields):
    """Runs a job to its end: its result, or what it said on standard error."""
    done = subprocess.run(words(directory, kind, **fields), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **MPI},
                          timeout=timeout, check=False)
    assert done.returncode == status, done.stderr.decode(errors='replace')[-3000:]
    return json.loads(done.stdout) if status == 0 else done.stderr.decode(errors='replace')
