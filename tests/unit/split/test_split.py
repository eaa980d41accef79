"""split against numpy and h5py: argv[1] is decoy-worker, argv[2:] is mpirun with its options.

Cutout files are made by h5py here (one of them gzipped, in chunks), datasets are read by numpy. The same stamps must come
out, byte for byte, on 1, 2 and 3 ranks, in one pass and in two."""
import os
import tempfile

import h5py
import numpy as np
from harness import digests, read, split, write_cutouts

SIDE = 24
random = np.random.default_rng(7)
stamps = {}


def make_cutouts(root):
    for b in range(9):
        brick = f"{b:04d}m012"
        for label, name in enumerate(("real", "fake")):
            for run in ("",) if label == 0 else ("-rs0", "-more_rs300"):
                n = int(random.integers(5, 40))
                pixels = random.normal(size=(n, SIDE, SIDE, 6)).astype("f4")
                ids = np.arange(n) + 1000 * len(stamps)
                for i in range(n):
                    stamps[ids[i]] = (brick, label, pixels[i])
                columns = {"id": ids, "brickname": np.full(n, brick, "S8"), "nobs_g": np.full(n, 3, "i2"),
                           "mag_g": random.normal(size=n).astype("f4" if label else "f8")}
                if label:
                    columns["rs"] = np.full(n, run[1:], f"S{len(run) - 1}")
                storage = {"compression": "gzip", "chunks": (1, SIDE, SIDE, 6)} if b == 4 else {}
                write_cutouts(f"{root}/{name}/{brick[:3]}/{brick}{run}.h5", pixels, columns, {"compression": "RICE_1"}, **storage)


def check_examples(out, result):
    manifest, table, shards = read(out)
    seen, bricks = set(), {}
    assert set(table) == {"split", "shard", "row", "label", "id", "brickname", "nobs_g", "mag_g", "rs"}
    assert table["nobs_g"].dtype == "i8" and table["mag_g"].dtype == "f8" and table["rs"].dtype == "S10"
    for (part, k), (x, y) in shards.items():
        rows = (table["split"] == part.encode()) & (table["shard"] == k)
        assert np.array_equal(table["row"][rows], np.arange(len(x))) and np.array_equal(table["label"][rows], y)
        for i, (number, brick) in enumerate(zip(table["id"][rows], table["brickname"][rows])):
            source = stamps[number]
            assert source[0].encode() == brick and source[1] == y[i] and np.array_equal(source[2], x[i])
            assert number not in seen
            seen.add(number)
            bricks.setdefault(brick.decode(), set()).add(part)
    assert all(len(parts) == 1 for parts in bricks.values())
    for part, entry in manifest["parts"].items():
        assert entry["real"] == entry["fake"] == np.sum((table["split"] == part.encode()) & (table["label"] == 1)) > 0
        assert set(entry["bricks"]) == {brick for brick, parts in bricks.items() if part in parts}
        assert result["parts"][part]["examples"] == entry["examples"]
    assert set(table["rs"][table["label"] == 0]) == {b""}
    assert manifest["provenance"]["fake"]["compression"] == [{"value": "RICE_1", "files": 18}]
    return len(seen)


with tempfile.TemporaryDirectory() as directory:
    cutouts = os.path.join(directory, "cutouts")
    make_cutouts(cutouts)
    fields = {"cutouts": cutouts, "seed": 5, "shard": 16, "test": 0.25, "valid": 0.1}
    one = os.path.join(directory, "one")
    result = split(one, **fields)
    count = check_examples(one, result)
    assert count * SIDE * SIDE * 24 > 3 << 20, "too little to need two passes through a buffer of 1 MiB"
    for ranks, buffer in (2, 1024), (1, 1), (2, 1), (3, 1), (1, 2):
        other = os.path.join(directory, f"ranks{ranks}-buffer{buffer}")
        assert split(other, ranks, buffer=buffer, **fields) == result
        assert digests(other) == digests(one), f"the bytes depend on ranks or buffer: {ranks}, {buffer} MiB"

    # the other format and the other orientation hold the same numbers
    split(f"{directory}/h5", 2, buffer=1, format="hdf5", orientation="dplearn", **fields)
    _, table, shards = read(one)
    manifest, other_table, others = read(f"{directory}/h5")
    assert manifest["axes"] == "xy" and manifest["format"] == "hdf5"
    assert all(np.array_equal(table[name], other_table[name], equal_nan=table[name].dtype.kind == "f") for name in table)
    for place, (x, y) in shards.items():
        assert np.array_equal(others[place][0], x.transpose(0, 2, 1, 3)) and np.array_equal(others[place][1], y)
print(f"{count} examples, each with its pixels, on 1, 2 and 3 ranks, in one pass and in two")
