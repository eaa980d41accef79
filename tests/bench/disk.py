"""A data set larger than memory: the train job's rate and what it reads of the disk, in a cgroup of as much memory as is
named, beside the rate of reading the same files once, in order, under the same limit. Two models: `lenet-2x2`, whose steps
are slower than most disks, and one of a single small layer, which could take all that a disk gives.

Needs root, cgroups of version 1 or 2 that it may make children of (--slow: version 1), and --dir on the disk in question."""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'ref'))
import synthetic

SHARD, SIDE, MI = 512, 64, 1 << 20
STAMP = SIDE * SIDE * 6 * 4
MPI = ['mpirun', '--oversubscribe', '--bind-to', 'none', '--quiet', '--mca', 'pml', 'ob1', '--mca', 'btl', 'self,vader,tcp', '--mca', 'mpi_yield_when_idle', '1']
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS='1', OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')
SMALL = '''name: small
layers:
  - {kind: avgpool, kernel: 8, stride: 8}
  - {kind: dense, features: 2}
'''


class Cgroup:
    """One with a limit on memory and, where told, on what it reads of the disk; its processes are what `command` starts."""

    def __init__(self, name, mebibytes, bytes_a_second, disk):
        self.paths = []
        if mebibytes:
            v2 = 'memory' in pathlib.Path('/sys/fs/cgroup/cgroup.controllers').read_text().split() if os.path.exists('/sys/fs/cgroup/cgroup.controllers') else False
            self.make('/sys/fs/cgroup' if v2 else '/sys/fs/cgroup/memory', name, 'memory.max' if v2 else 'memory.limit_in_bytes', mebibytes * MI)
        if bytes_a_second:
            self.make('/sys/fs/cgroup/blkio', name, 'blkio.throttle.read_bps_device', f'{disk} {bytes_a_second}')

    def make(self, root, name, knob, value):
        path = pathlib.Path(root, name)
        path.mkdir(exist_ok=True)
        (path / knob).write_text(str(value))
        self.paths.append(path)

    def enter(self):
        for path in self.paths:
            (path / 'cgroup.procs').write_text(str(os.getpid()))

    def remove(self):
        for path in self.paths:
            path.rmdir()


def make_dataset(directory, shards):
    """Shards of the same 512 stamps, each a file of its own."""
    path = pathlib.Path(directory, f'dataset-{shards}')
    if (path / 'manifest.json').exists():
        return str(path)
    synthetic.write(str(path), train=SHARD, valid=64, side=SIDE, shard=SHARD)
    manifest = json.loads((path / 'manifest.json').read_text())
    first = manifest['shards'][0]
    for k in range(2, shards + 1):
        for letter in 'xy':
            shutil.copyfile(path / f'{letter}train_1.npy', path / f'{letter}train_{k}.npy')
        manifest['shards'].insert(k - 1, dict(first, k=k))
    (path / 'manifest.json').write_text(json.dumps(manifest))
    return str(path)


def forget(dataset):
    """None of the files is in the page cache, where they would be charged to somebody else."""
    for file in pathlib.Path(dataset).glob('*.npy'):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read_bytes():
    """Of the disk, by the processes that this one has started and that have ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock * 512


def sequential(dataset, cgroup):
    """MB/s of reading all training shards once, in order, by plain read."""
    forget(dataset)
    files = sorted(map(str, pathlib.Path(dataset).glob('xtrain_*.npy')))
    start = time.monotonic()
    subprocess.run(['cat'] + files, stdout=subprocess.DEVNULL, check=True, preexec_fn=cgroup.enter)
    return sum(map(os.path.getsize, files)) / (time.monotonic() - start) / 1e6


def train(options, dataset, model, ranks, cgroup, work):
    """(images/s by the clock of the job's rows, bytes read of the disk / bytes of an epoch, share of input) of one epoch."""
    out = os.path.join(work, 'out')
    shutil.rmtree(out, ignore_errors=True)
    fields = dict(dataset=dataset, out=out, model=model, epochs=options.epochs, batch=64, micro_batch=16)
    spec = os.path.join(work, 'spec.json')
    pathlib.Path(spec).write_text(json.dumps({'kind': 'train', 'threads': 1, 'fields': fields}))
    command = (MPI + ['-n', str(ranks)] if ranks > 1 else []) + [os.path.join(options.build, 'daemon', 'worker', 'decoy-worker'), '--spec', spec]
    forget(dataset)
    before, start = read_bytes(), time.monotonic()
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=cgroup.enter, check=False)
    if done.returncode:
        sys.exit(f'the training failed: {done.stdout[-2000:]}')
    took, read = time.monotonic() - start, read_bytes() - before
    with open(os.path.join(out, 'metrics.jsonl'), encoding='utf-8') as stream:
        rows = [row for row in map(json.loads, stream) if 'img_per_s' in row]
    seconds = sum(640 / row['img_per_s'] for row in rows)
    return len(rows) * 640 / seconds, read / (options.epochs * options.shards * SHARD * STAMP), statistics.mean(row['input_share'] for row in rows), took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default='build')
    parser.add_argument('--dir', required=True)
    parser.add_argument('--shards', type=int, default=60)
    parser.add_argument('--epochs', type=int, default=1)
    parser.add_argument('--limits', default='450,800,1600,0', help='MiB; 0: none')
    parser.add_argument('--models', default='lenet-2x2,small')
    parser.add_argument('--ranks', type=int, default=2)
    parser.add_argument('--slow', type=int, default=0, help='MB/s that the disk is held to')
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    device = os.stat(options.dir).st_dev
    options.disk = f'{os.major(device)}:{os.minor(device)}'
    dataset = make_dataset(options.dir, options.shards)
    small = os.path.abspath(os.path.join(options.dir, 'small.yaml'))
    pathlib.Path(small).write_text(SMALL)
    for limit in map(int, options.limits.split(',')):
        cgroup = Cgroup('decoy-bench-disk', limit, options.slow * 1000000, options.disk)
        print(f'{limit or "no"} MiB: read in order {sequential(dataset, cgroup):.0f} MB/s', flush=True)
        for model in options.models.split(','):
            rate, read, share, took = train(options, dataset, small if model == 'small' else model, options.ranks, cgroup, options.dir)
            print(f'    {model}: {rate:.0f} images/s = {rate * STAMP / 1e6:.0f} MB/s, {read:.2f} of an epoch read of the disk, waits for input {100 * share:.1f} %, {took:.1f} s', flush=True)
        cgroup.remove()


main()
