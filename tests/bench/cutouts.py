#!/usr/bin/python3
"""How fast is a brick cut? A mock brick of 3600 x 3600 px with some 2,000 sources, on one core.

Side by side, round by round: CFITSIO decompressing the six planes once and nothing else (the bound), a whole cutouts
job from start to end, and, where it is given, another program that does the same:
  cutouts.py --build BUILD --dir DIR [--peer PEER.py] [--rounds 5] [--size 3600]
PEER.py SURVEY BRICK OUT.h5, run by python3, prints {"stamps", "seconds"}; $DECOY_PEER_CUTOUTS names one too. Then a brick of 20
sources, and eight bricks on one rank and on two. The mock is kept in DIR between runs.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fitsio

SPARSE_SOURCES, MANY_BRICKS = 20, 8
MPI = dict(OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1', OMPI_MCA_mpi_yield_when_idle='1', OMP_NUM_THREADS='1')


def worker_command(options, name, fields):
    path = os.path.join(options.dir, f'{name}.json')
    with open(path, 'w') as stream:
        json.dump({'kind': name, 'threads': 1, 'fields': fields}, stream)
    return [os.path.join(options.build, 'daemon/worker/decoy-worker'), '--spec', path]


def run(command, core=None, environment=None):
    """Seconds it took, of them seconds of the processor, its largest memory in MiB, its output."""
    pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pin,
                             env={**os.environ, **(environment or {})})
    out, words = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - start
    if status:
        sys.exit(f'{" ".join(command)}: {words.strip()}')
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out


def planes(survey, brick):
    folder = os.path.join(survey, 'coadd', brick[:3], brick)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def make_mock(options):
    """One brick, by the job kind mock, with about 2,000 sources that are detected."""
    survey = os.path.join(options.dir, f'survey-{options.size}')
    run(worker_command(options, 'mock', dict(out=survey, bricks='1', size=str(options.size), galaxies='7.6', stars='1.1')))
    (first,) = os.listdir(os.path.join(survey, 'coadd'))
    (brick,) = os.listdir(os.path.join(survey, 'coadd', first))
    return survey, brick


def copy_survey(source, brick, to, names, rows=None):
    """The brick's planes under other names, with its catalogue or the first rows of it."""
    shutil.rmtree(to, ignore_errors=True)
    for name in names:
        os.makedirs(os.path.join(to, 'coadd', name[:3], name))
        os.makedirs(os.path.join(to, 'tractor', name[:3]), exist_ok=True)
        for path in planes(source, brick):
            os.link(path, os.path.join(to, 'coadd', name[:3], name, os.path.basename(path).replace(brick, name)))
        table = fitsio.read(os.path.join(source, 'tractor', brick[:3], f'tractor-{brick}.fits'))
        every = len(table) // rows if rows else 1
        fitsio.write(os.path.join(to, 'tractor', name[:3], f'tractor-{name}.fits'), table[::every][:rows], clobber=True)
    return to


def time_job(options, survey, out, ranks=1, core=None, prefix=()):
    shutil.rmtree(out, ignore_errors=True)
    command = worker_command(options, 'cutouts', {'out': out, 'survey': survey, 'class': 'real', 'cuts': 'none'})
    took, cpu, peak, text = run(list(prefix) + command, core, MPI if prefix else None)
    return took, cpu, peak, json.loads(text)['real']['stamps']


def time_disk(directory, size):
    """Writing and fsyncing so many bytes and nothing else."""
    path, block, start = os.path.join(directory, 'disk'), os.urandom(1 << 20), time.perf_counter()
    with open(path, 'wb', buffering=0) as file:
        for _ in range(size >> 20):
            file.write(block)
        os.fsync(file.fileno())
    took = time.perf_counter() - start
    os.unlink(path)
    return took


def time_phases(options, survey, brick, core):
    out = os.path.join(options.dir, 'out')
    shutil.rmtree(out, ignore_errors=True)
    return json.loads(run([os.path.join(options.build, 'tests/bench/cutouts_phases'), survey, brick, out], core)[3])


def phases_text(report):
    text = ', '.join(f'{name} {seconds * 1e3:.0f}' for name, seconds in report['seconds'].items())
    if 'tiles' in report:
        text += f'; {report["tiles"]["read"]} of {report["tiles"]["all"]} tiles decompressed'
    return text


def full_brick(options, survey, brick, core):
    bound, ours, peers, cpus, peaks, disk = [], [], [], [], [], []
    peer = options.peer or os.environ.get('DECOY_PEER_CUTOUTS')
    for _ in range(options.rounds):
        bound.append(float(run([os.path.join(options.build, 'tests/bench/cutouts_bound')] + planes(survey, brick), core)[3]))
        took, cpu, peak, stamps = time_job(options, survey, os.path.join(options.dir, 'out'), core=core)
        ours.append(took), cpus.append(cpu), peaks.append(peak)
        disk.append(time_disk(options.dir, stamps * 64 * 64 * 6 * 4))
        if peer:
            found = json.loads(run(['/usr/bin/python3', peer, survey, brick, os.path.join(options.dir, 'peer.h5')], core)[3])
            peers.append(found['seconds'] / found['stamps'])
    took, median = statistics.median(ours), statistics.median
    print(f'brick {brick}, {options.size} px, {stamps} stamps, one core, median of {options.rounds} rounds (least to most)')
    print(f'bound: CFITSIO decompresses the planes in {median(bound):.3f} s ({min(bound):.3f} to {max(bound):.3f})')
    print(f'job: {took:.3f} s ({min(ours):.3f} to {max(ours):.3f}), {median(cpus):.3f} s of the processor, {stamps / took:.0f} stamps/s, {max(peaks):.0f} MiB at most')
    print(f'     {took / median(bound):.2f} of the bound; the disk alone takes {median(disk):.3f} s for as many bytes')
    if peer:
        print(f'peer: {1 / median(peers):.0f} stamps/s; decoy cuts {median(peers) * stamps / took:.2f} times as many')
    else:
        print('peer: none given (--peer), left out')
    print(f'phases, ms: {phases_text(time_phases(options, survey, brick, core))}')
    return took, stamps * 64 * 64 * 6 * 4


def sparse_brick(options, survey, brick, core, full_s):
    sparse = copy_survey(survey, brick, os.path.join(options.dir, 'sparse'), [brick], SPARSE_SOURCES)
    times = []
    for _ in range(options.rounds):
        took, _, _, stamps = time_job(options, sparse, os.path.join(options.dir, 'out'), core=core)
        times.append(took)
    took = statistics.median(times)
    print(f'{stamps} stamps: {took:.3f} s, {took / full_s:.2f} of the full brick')
    print(f'phases, ms: {phases_text(time_phases(options, sparse, brick, core))}')


def room_in_memory(size):
    """A directory of a tmpfs with room for so many bytes, or None."""
    try:
        return tempfile.mkdtemp(prefix='decoy-bench-', dir='/dev/shm') if shutil.disk_usage('/dev/shm').free > 2 * size else None
    except OSError:
        return None


def two_ranks(options, survey, brick, core, bytes_each):
    """Round by round: one rank bound to a core, then two that are not, to a tmpfs if there is one: many a disk is slower than two ranks."""
    many = copy_survey(survey, brick, os.path.join(options.dir, 'many'), [f'{i:04d}p000' for i in range(MANY_BRICKS)])
    memory = None if options.out else room_in_memory(MANY_BRICKS * bytes_each)
    out, times = options.out or os.path.join(memory or options.dir, 'out'), {1: [], 2: []}
    launcher = ['mpirun', '-n', '2', '--oversubscribe', '--bind-to', 'none', '--mca', 'pml', 'ob1']
    try:
        for _ in range(options.rounds):
            times[1].append(time_job(options, many, out, core=core)[0])
            times[2].append(time_job(options, many, out, prefix=launcher)[0])
    finally:
        shutil.rmtree(memory or out, ignore_errors=True)
    ratios = [one / two for one, two in zip(times[1], times[2])]
    median = statistics.median
    print(f'{MANY_BRICKS} bricks to {out}, median of {options.rounds} rounds (least to most): one rank {median(times[1]):.2f} s '
          f'({min(times[1]):.2f} to {max(times[1]):.2f}), two {median(times[2]):.2f} s ({min(times[2]):.2f} to {max(times[2]):.2f}), '
          f'{median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', required=True)
    parser.add_argument('--dir', required=True)
    parser.add_argument('--peer', help='a program to compare with')
    parser.add_argument('--out', help="where the eight bricks' stamps go, by default a tmpfs with room for them; they are removed again")
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--size', type=int, default=3600)
    options = parser.parse_args()
    options.dir = os.path.abspath(options.dir)
    os.makedirs(options.dir, exist_ok=True)
    core = max(os.sched_getaffinity(0))
    survey, brick = make_mock(options)
    full_s, bytes_each = full_brick(options, survey, brick, core)
    sparse_brick(options, survey, brick, core, full_s)
    if len(os.sched_getaffinity(0)) > 1:
        two_ranks(options, survey, brick, core, bytes_each)
    else:
        print('two ranks: one core here, left out')


main()
