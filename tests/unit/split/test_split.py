"""split against numpy and h5py: argv[1] is decoy-worker, argv[2:] runs it on several ranks.
Cutout files are made by h5py here (one of them gzipped, in chunks), datasets are read by numpy."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

worker, launcher = sys.argv[1], sys.argv[2:]
random = np.random.default_rng(7)
stamps = {}


def make_cutouts(root):
    for b in range(9):
        brick = f"{b:04d}m012"
        for label, name in enumerate(("real", "fake")):
            runs = ("",) if label == 0 else ("-rs0", "-more_rs300")
            for run in runs:
                folder = os.path.join(root, name, brick[:3])
                os.makedirs(folder, exist_ok=True)
                n = int(random.integers(5, 40))
                pixels = random.normal(size=(n, 12, 12, 6)).astype("f4")
                ids = np.arange(n) + 1000 * len(stamps)
                for i in range(n):
                    stamps[ids[i]] = (brick, label, pixels[i])
                with h5py.File(os.path.join(folder, brick + run + ".h5"), "w") as f:
                    options = {"compression": "gzip", "chunks": (1, 12, 12, 6)} if b == 4 else {}
                    f.create_dataset("image", data=pixels, **options)
                    f["image"].attrs["channels"] = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
                    f["id"] = ids
                    f["brickname"] = np.full(n, brick, "S8")
                    f["nobs_g"] = np.full(n, 3, "i2")
                    f["mag_g"] = random.normal(size=n).astype("f4" if label else "f8")
                    if label:
                        f["rs"] = np.full(n, run[1:], f"S{len(run) - 1}")
                    f.attrs["compression"] = "RICE_1"


def run(command, cutouts, out):
    spec = os.path.join(os.path.dirname(out), "spec.json")
    fields = {"out": out, "cutouts": cutouts, "seed": 5, "shard": 16, "test": 0.25, "valid": 0.1}
    with open(spec, "w") as f:
        json.dump({"kind": "split", "fields": fields, "threads": 1, "job": 0, "attempt": 1}, f)
    return json.loads(subprocess.run(command + ["--spec", spec], check=True, stdout=subprocess.PIPE).stdout)


def digests(directory):
    return {name: hashlib.sha256(open(os.path.join(directory, name), "rb").read()).hexdigest() for name in sorted(os.listdir(directory))}


with tempfile.TemporaryDirectory() as directory:
    cutouts, out, again = (os.path.join(directory, name) for name in ("cutouts", "one", "several"))
    make_cutouts(cutouts)
    result = run([worker], cutouts, out)
    run(launcher + [worker], cutouts, again)
    assert digests(out) == digests(again), "the bytes depend on the number of ranks"

    manifest = json.load(open(os.path.join(out, "manifest.json")))
    seen, bricks = set(), {}
    with h5py.File(os.path.join(out, "index.h5")) as index:
        table = {name: index[name][...] for name in index}
    assert set(table) == {"split", "shard", "row", "label", "id", "brickname", "nobs_g", "mag_g", "rs"}
    assert table["nobs_g"].dtype == "i8" and table["mag_g"].dtype == "f8" and table["rs"].dtype == "S10"
    for shard in manifest["shards"]:
        x = np.load(os.path.join(out, f"x{shard['part']}_{shard['k']}.npy"), mmap_mode="r")
        y = np.load(os.path.join(out, f"y{shard['part']}_{shard['k']}.npy"))
        assert x.shape == (shard["examples"], 12, 12, 6) and x.dtype == "<f4" and y.dtype == "<i8"
        rows = (table["split"] == shard["part"].encode()) & (table["shard"] == shard["k"])
        assert np.array_equal(table["row"][rows], np.arange(len(x))) and np.array_equal(table["label"][rows], y)
        for i, (number, brick) in enumerate(zip(table["id"][rows], table["brickname"][rows])):
            source = stamps[number]
            assert source[0].encode() == brick and source[1] == y[i] and np.array_equal(source[2], x[i])
            assert number not in seen
            seen.add(number)
            bricks.setdefault(brick.decode(), set()).add(shard["part"])
    assert all(len(parts) == 1 for parts in bricks.values())
    for part, entry in manifest["parts"].items():
        assert entry["real"] == entry["fake"] == np.sum((table["split"] == part.encode()) & (table["label"] == 1)) > 0
        assert set(entry["bricks"]) == {brick for brick, parts in bricks.items() if part in parts}
        assert result["parts"][part]["examples"] == entry["examples"]
    assert all(set(run) == {b""} for run in (table["rs"][table["label"] == 0],))
    assert manifest["provenance"]["fake"]["compression"] == [{"value": "RICE_1", "files": 18}]
print(f"{len(seen)} examples, each with its pixels, on one rank and on several")
