"""What the tests of split share: cutout files made by h5py, split run on any number of ranks, datasets read by numpy."""
import hashlib
import json
import os
import subprocess
import sys

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

WORKER, LAUNCHER = sys.argv[1], sys.argv[2:]  # LAUNCHER: mpirun and its options, to which "-n N" is added
CHANNELS = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]


def write_cutouts(path, pixels, columns, attributes=None, **storage):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with h5py.File(path, "w") as f:
        f.create_dataset("image", data=pixels, **storage)
        f["image"].attrs["channels"] = CHANNELS[:pixels.shape[3]]
        for name, values in columns.items():
            f[name] = values
        for name, value in (attributes or {}).items():
            f.attrs[name] = value


def command(out, ranks=1, kind="split", **fields):
    """The command line of a job, its spec beside out."""
    spec = out.rstrip("/") + ".json"
    with open(spec, "w") as f:
        json.dump({"kind": kind, "fields": {"out": out, **fields}, "threads": 1, "job": 0, "attempt": 1}, f)
    launcher = LAUNCHER + ["-n", str(ranks)] if ranks > 1 else []
    return launcher + [WORKER, "--spec", spec]


def split(out, ranks=1, **fields):
    """The job's result."""
    done = subprocess.run(command(out, ranks, **fields), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def refuse(out, ranks=1, **fields):
    """What a job that must fail says."""
    done = subprocess.run(command(out, ranks, **fields), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1, done
    assert not os.path.exists(os.path.join(out, "manifest.json")) and not os.path.exists(os.path.join(out, ".split"))
    return done.stderr


def digests(directory):
    return {name: hashlib.sha256(open(os.path.join(directory, name), "rb").read()).hexdigest() for name in sorted(os.listdir(directory))}


def read(out):
    """manifest, index as {column: values}, and {(part, k): (x, y)}."""
    manifest = json.load(open(os.path.join(out, "manifest.json")))
    with h5py.File(os.path.join(out, "index.h5")) as index:
        table = {name: index[name][...] for name in index}
    shards = {}
    for shard in manifest["shards"]:
        stem = f"{shard['part']}_{shard['k']}"
        if manifest["format"] == "hdf5":
            x, y = (h5py.File(os.path.join(out, f"{which}{stem}.h5"))[which][...] for which in "xy")
        else:
            x, y = (np.load(os.path.join(out, f"{which}{stem}.npy")) for which in "xy")
        assert len(x) == len(y) == shard["examples"] and x.dtype == "<f4" and y.dtype == "<i8"
        shards[shard["part"], shard["k"]] = x, y
    return manifest, table, shards


def examples(out):
    """Every example in the order of the index: its row as a dict, with pixels x and label y of its shard."""
    _, table, shards = read(out)
    for i, (part, k, row) in enumerate(zip(table["split"], table["shard"], table["row"])):
        x, y = shards[part.decode(), int(k)]
        assert table["label"][i] == y[row]
        yield {**{name: values[i] for name, values in table.items()}, "part": part.decode(), "x": x[row], "y": int(y[row])}
