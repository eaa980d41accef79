"""What split promises about memory and about its end, whatever the end: argv[1] is decoy-worker."""
import os
import signal
import subprocess
import tempfile
import time

import h5py
import numpy as np
from harness import command, digests, refuse, split, write_cutouts

SIDE, FILES, A_FILE = 64, 12, 100  # 118 MB
random = np.random.default_rng(2)


def make_cutouts(root):
    pixels = random.normal(size=(A_FILE, SIDE, SIDE, 6)).astype("f4")
    for b in range(FILES):
        pixels[:, 0, 0, 0] = np.arange(A_FILE) + b * A_FILE
        write_cutouts(f"{root}/{('real', 'fake')[b % 2]}/{b // 2:04d}p000.h5", pixels, {"id": np.arange(A_FILE), "brickname": np.full(A_FILE, f"{b // 2}", "S8")})


def peak_mib(*arguments, **fields):
    """Peak resident memory of one job, by the kernel's own high-water mark (rusage would count this Python's)."""
    job = subprocess.Popen(command(*arguments, **fields), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=1"))
    peak = 0
    while job.poll() is None:
        with open(f"/proc/{job.pid}/status") as status:
            peak = next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")), peak)
        time.sleep(0.001)
    assert job.returncode == 0
    return peak


def test_memory_is_bounded_by_the_buffer(cutouts, out):
    small, large = peak_mib(out, cutouts=cutouts, shard=32, buffer=8), peak_mib(out + "-large", cutouts=cutouts, shard=32)
    least = peak_mib(out + "-least", cutouts=cutouts, shard=8, buffer=1)
    print(f"peak resident memory: {least:.0f}, {small:.0f} and {large:.0f} MiB with buffers of 1, 8 and 1024 MiB")
    assert small < least + 8 + 4, (least, small)
    assert large > least + 90, "the whole set in memory does not show: the bound above shows nothing"
    assert digests(out) == digests(out + "-large")


def end_when(path, out, end, **fields):
    """Ends a job with a signal when a file is there; its status."""
    job = subprocess.Popen(command(out, **fields), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(os.path.join(out, path)):
        assert job.poll() is None, f"the job ended before {path} was there"
        time.sleep(0.001)
    job.send_signal(end)
    return job.wait()


def test_killed_it_leaves_nothing_like_a_dataset_and_starts_anew(cutouts, out):
    fields = {"cutouts": cutouts, "shard": 32, "buffer": 8}
    split(out + "-whole", **fields)
    for path in ".split/run-3", ".split/rows-1", "xtrain_5.npy":
        assert end_when(path, out, signal.SIGKILL, **fields) == -signal.SIGKILL
        assert not os.path.exists(out + "/manifest.json") and not os.path.exists(out + "/index.h5")
        audit = subprocess.run(command(out + "-audit", kind="audit", dataset=out), stderr=subprocess.PIPE)
        assert audit.returncode == 1 and b"not a finished dataset" in audit.stderr
    for kind, more, words in (("train", {"dataset": out}, "not a finished dataset"), ("evaluate", {"dataset": out, "model": out}, "not a finished dataset"),
                              ("gallery", {"stamps": out}, "not a finished dataset"), ("export", {"cutouts": out, "layout": "npy"}, "no cutout files")):
        said = subprocess.run(command(f"{out}-{kind}", kind=kind, **more), stderr=subprocess.PIPE, text=True)
        assert said.returncode == 1 and words in said.stderr and out in said.stderr, (kind, said.stderr)
    split(out, **fields)
    assert digests(out) == digests(out + "-whole")


def test_asked_to_stop_it_cleans_up(cutouts, out):
    for path in ".split/run-1", "xtrain_1.npy":
        assert end_when(path, out, signal.SIGTERM, cutouts=cutouts, shard=32, buffer=8) == 75
        assert not os.path.exists(out + "/.split") and not os.path.exists(out + "/manifest.json")


def test_pixels_that_cannot_be_read_are_named(cutouts, out):
    """Found in pass 1, when others have been spilled."""
    root = out + "-in"
    os.makedirs(root)
    for name in "real", "fake":
        os.symlink(f"{cutouts}/{name}", f"{root}/{name}")
    damaged = f"{cutouts}/real/9999p000.h5"
    pixels = random.normal(size=(A_FILE, SIDE, SIDE, 6)).astype("f4")
    write_cutouts(damaged, pixels, {"brickname": np.full(A_FILE, "0", "S8")}, compression="gzip", chunks=(10, SIDE, SIDE, 6))
    with h5py.File(damaged) as f:
        chunk = f["image"].id.get_chunk_info(4)
    with open(damaged, "r+b") as stream:
        stream.seek(chunk.byte_offset + 1000)
        stream.write(b"\0" * 1000)
    try:
        said = refuse(out, cutouts=root, shard=32, buffer=8, classes="natural")
    finally:
        os.unlink(damaged)
    assert "9999p000.h5" in said, said


def test_a_shard_larger_than_the_buffer_is_refused(cutouts, out):
    assert "--shard 512" in refuse(out, cutouts=cutouts, buffer=8)


with tempfile.TemporaryDirectory() as directory:
    make_cutouts(f"{directory}/cutouts")
    tests = [test for name, test in list(globals().items()) if name.startswith("test_")]
    for test in tests:
        test(f"{directory}/cutouts", f"{directory}/{test.__name__}")
print(f"{len(tests)} promises kept; memory beside the buffer measured on {FILES * A_FILE} stamps")
