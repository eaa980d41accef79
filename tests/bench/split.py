#!/usr/bin/python3
"""How fast split shuffles more stamps than its buffer holds, beside what the disk takes to copy the same bytes.

  split.py --build BUILD --dir DIR [--stamps 40000 | --full] [--ranks 2] [--buffer MIB]

Makes files of 1,000 stamps of 64 x 64 x 6 float32 each (as many reals as fakes; --full: 200,000, 19.7 GB, and as much
again while it runs), then measures, each time with the files written out and dropped from the page cache:
  copy   cp of all files, then fsync of each copy
  split  the whole job: scan, two passes, index, manifest; its shards are fsynced
Neither the copy nor the shards are read back; of what split spills, the kernel may keep in memory what it likes, as of any file."""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np

A_FILE, SIDE = 1000, 64
CHANNELS = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]


def files_below(directory):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names)


def flush(paths, drop):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        if drop:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def make_stamps(root, count):
    pixels = np.random.default_rng(1).normal(size=(A_FILE, SIDE, SIDE, 6)).astype("f4")
    for first in range(0, count, A_FILE):
        brick, label = first // A_FILE // 2, first // A_FILE % 2
        path = f"{root}/{('real', 'fake')[label]}/{brick:04d}p000{'-rs0' if label else ''}.h5"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pixels[:, 0, 0, 0] = np.arange(first, first + A_FILE)
        with h5py.File(path, "w") as f:
            f["image"] = pixels
            f["image"].attrs["channels"] = CHANNELS
            f["id"] = np.arange(first, first + A_FILE)
            f["brickname"] = np.full(A_FILE, f"{brick:04d}p000", "S8")
            for name in "ra", "dec", "x", "y", "mag_g", "mag_r", "mag_z", "rhalf", "psfsize_g", "psfdepth_g":
                f[name] = np.random.default_rng(first).uniform(size=A_FILE)
        flush([path], drop=True)


def timed_copy(source, target):
    start = time.perf_counter()
    subprocess.run(["cp", "-r", source, target], check=True)
    flush(files_below(target), drop=False)
    return time.perf_counter() - start


def timed_split(options, source, target):
    spec = target + ".json"
    fields = {"out": target, "cutouts": source, "buffer": options.buffer}
    with open(spec, "w") as f:
        json.dump({"kind": "split", "fields": fields, "threads": 1, "job": 0, "attempt": 1}, f)
    worker = [os.path.abspath(f"{options.build}/daemon/worker/decoy-worker"), "--spec", spec]
    launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1", "-n", str(options.ranks)]
    start = time.perf_counter()
    subprocess.run((launcher if options.ranks > 1 else []) + worker, check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--stamps", type=int, default=40000)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--buffer", type=int, default=1024, help="MiB a rank")
    options = parser.parse_args()
    count = 200000 if options.full else options.stamps
    root = os.path.abspath(options.dir)
    source, copy, dataset = (os.path.join(root, name) for name in ("cutouts", "copy", "dataset"))
    size = count * SIDE * SIDE * 6 * 4
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    try:
        if shutil.disk_usage(root).free < 2.3 * size:
            sys.exit(f"split.py: {2.3 * size / 1e9:.0f} GB of disk are needed")
        make_stamps(source, count)
        copied = timed_copy(source, copy)
        shutil.rmtree(copy)
        flush(files_below(source), drop=True)
        took = timed_split(options, source, dataset)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        shards = json.load(open(dataset + "/manifest.json"))["shards"]
        assert sum(shard["examples"] for shard in shards) == count
        print(f"{count} stamps, {size / 1e9:.1f} GB, {options.ranks} ranks with a buffer of {options.buffer} MiB each")
        print(f"copy   {copied:6.1f} s  {size / copied / 1e6:5.0f} MB/s")
        print(f"split  {took:6.1f} s  {size / took / 1e6:5.0f} MB/s  {copied / took:.2f} of the copy's speed")
        print(f"peak resident memory of a rank: {peak / 2**20:.0f} MiB")
    finally:
        shutil.rmtree(root)


main()
