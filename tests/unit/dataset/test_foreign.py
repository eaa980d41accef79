"""A dataset that the original's split_testtrain wrote is opened as it is: argv[1] is dump_dataset."""
import os
import re
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

SIDE, WIDTH = 16, 24
MAPPED = 512  # DATASET_MAPPED
random = np.random.default_rng(3)


def asked_ahead(directory):
    """Bytes that dataset_prefetch asks for; each request must be for memory that is mapped."""
    log = directory + "-trace"
    subprocess.run(["strace", "-f", "-e", "trace=madvise", "-o", log, sys.argv[1], directory], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    asked = re.findall(r"madvise\(\w+, (\d+), MADV_WILLNEED\) = (\S+)", open(log).read())
    assert {status for _, status in asked} == {"0"}, asked
    return sum(int(size) for size, _ in asked)


def dump(directory):
    return subprocess.run([sys.argv[1], directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def make_shards(root):
    """Shards of split_testtrain's sizes: the last chunk of a brick is shorter. {part: [(brick, x, y)]}."""
    made = {"train": [], "test": []}
    for brick, chunks in ("1211p060", 2), ("1211p077", 11), ("1300m012", 1):
        folder = f"{root}/testtrain/{brick[:3]}/{brick}"
        os.makedirs(folder)
        for k in range(1, chunks + 1):
            for part, n in ("train", 51 if k == chunks else 64), ("test", 7 if k == chunks else 16):
                x = random.normal(size=(n, SIDE, SIDE, 6)).astype("f4")
                y = random.integers(0, 2, n).astype("f8")
                np.save(f"{folder}/x{part}_{k}.npy", x)
                np.save(f"{folder}/y{part}_{k}.npy", y)
                made[part].append((brick, x, y))
    np.save(f"{root}/testtrain/130/1300m012/xtest_2.npy", np.zeros((0, SIDE, SIDE, 6), "f4"))
    np.save(f"{root}/testtrain/130/1300m012/ytest_2.npy", np.zeros(0))
    return made


def make_many(root, shards):
    """One stamp a shard, so many that not all are mapped at once."""
    stamps = random.normal(size=(shards, 1, SIDE, SIDE, 6)).astype("f4")
    folder = f"{root}/121/1211p060"
    os.makedirs(folder)
    for k in range(shards):
        np.save(f"{folder}/xtrain_{k + 1}.npy", stamps[k])
        np.save(f"{folder}/ytrain_{k + 1}.npy", np.array([k % 2]))
    return b"".join(bytes([k % 2]) + b"1211p060".ljust(WIDTH, b"\0") + stamps[k].tobytes() for k in range(shards))


with tempfile.TemporaryDirectory() as root:
    wanted = make_many(root, MAPPED + 1000)
    done = dump(root)
    maps = int(done.stderr.split()[-2])
    print(f"{MAPPED + 1000} shards, {maps} maps")
    assert done.stdout == wanted and MAPPED <= maps < MAPPED + 600, maps

with tempfile.TemporaryDirectory() as root:
    made = make_shards(root)
    done = dump(root)
    assert done.returncode == 0, done.stderr
    wanted = b"".join(bytes([int(label)]) + brick.encode().ljust(WIDTH, b"\0") + stamp.tobytes()
                      for part in made for brick, x, y in made[part] for stamp, label in zip(x, y))
    assert done.stdout == wanted, "pixels, labels or bricks differ"
    line, no_index, _ = done.stderr.decode().splitlines()
    counts = [sum(len(y) for _, _, y in made[part]) for part in made]
    words = line.split()
    assert words[:6] == [str(counts[0]), "0", str(counts[1]), str(SIDE), "6", "1"], line
    size, shards = sum(x.nbytes for part in made for _, x, _ in made[part]), sum(len(made[part]) for part in made)
    assert size <= asked_ahead(root) < size + shards * 2 * 4096
    x = np.concatenate([x for _, x, _ in made["train"]])
    sample = x[np.arange(256) * len(x) // 256][..., 1]
    assert float.fromhex(words[6]) == np.sort(sample[sample > 0])[np.sum(sample > 0) // 2]
    assert no_index.startswith("1 ") and "no index.h5" in no_index and "mag_g" in no_index
    assert dump(root + "/testtrain").stdout == wanted
    assert dump(root).stderr.decode().split()[7] == words[7], "the fingerprint is not reproducible"

    # one brick's own directory is none, and what is damaged is named
    assert b"not a finished dataset" in dump(f"{root}/testtrain/121/1211p077").stderr
    path = f"{root}/testtrain/121/1211p077/ytrain_3.npy"
    np.save(path, np.full(64, 2.0))
    assert path.encode() in dump(root).stderr
    np.save(path, np.zeros(63))
    assert path.encode() in dump(root).stderr
    np.save(path, np.zeros(64))
    assert dump(root).returncode == 0 and dump(root).stderr.decode().split()[7] != words[7]
    with open(f"{root}/testtrain/121/1211p077/xtrain_4.npy", "r+b") as stream:
        stream.truncate(5000)
    assert b"xtrain_4.npy" in dump(root).stderr
print(f"{sum(counts)} examples of the original's shards, bit for bit")
