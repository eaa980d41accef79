"""audit gives the same audit.json on one rank and on several, and centroids and dips that numpy finds too:
argv[1] is decoy-worker, argv[2:] runs it on several ranks."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    from scipy.stats import ks_2samp
except ImportError as missing:
    print(missing)
    sys.exit(77)

worker, launcher = sys.argv[1], sys.argv[2:]
random = np.random.default_rng(3)
side, shift, dip = 32, 0.4, 0.05
magnitudes = {0: [], 1: []}


def make_cutouts(root):
    grid = np.arange(side)
    for b in range(6):
        brick = f"{b:04d}m012"
        for label, name in enumerate(("real", "fake")):
            os.makedirs(f"{root}/{name}/000", exist_ok=True)
            n = 150
            x, y = random.uniform(100, 900, (2, n))
            pixels = np.empty((n, side, side, 6), "f4")
            light = [np.exp(-0.5 * (grid - side // 2 - v[:, None] % 1 - shift * label) ** 2 / 4) for v in (y, x)]
            pixels[..., 0::2] = random.normal(size=(n, side, side, 3)) + (60 * light[0][:, :, None] * light[1][:, None, :])[..., None]
            pixels[..., 1::2] = 1
            pixels[:, side // 2 - 3:side // 2 + 4, side // 2 - 3:side // 2 + 4, 3] -= dip * label
            mag = random.normal(23 + 0.1 * label, 0.5, n)
            magnitudes[label].append(mag)
            with h5py.File(f"{root}/{name}/000/{brick}.h5", "w") as f:
                f["image"] = pixels
                f["image"].attrs["channels"] = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
                f["brickname"] = np.full(n, brick, "S8")
                f["x"], f["y"], f["mag_g"] = x, y, mag
                f.attrs["compression"] = "RICE_1"


def run(command, kind, **fields):
    spec = os.path.join(os.path.dirname(fields["out"]), "spec.json")
    with open(spec, "w") as f:
        json.dump({"kind": kind, "fields": fields, "threads": 1, "job": 0, "attempt": 1}, f)
    subprocess.run(command + ["--spec", spec], check=True, stdout=subprocess.DEVNULL)


with tempfile.TemporaryDirectory() as directory:
    cutouts, dataset, one, several = (os.path.join(directory, name) for name in ("cutouts", "dataset", "one", "several"))
    make_cutouts(cutouts)
    run([worker], "split", out=dataset, cutouts=cutouts, shard=64)
    run([worker], "audit", out=one, dataset=dataset)
    run(launcher + [worker], "audit", out=several, dataset=dataset)
    for name in os.listdir(one):
        if name.endswith((".json", ".tsv", ".gp")):
            assert open(os.path.join(one, name)).read() == open(os.path.join(several, name)).read(), name
    audit = json.load(open(os.path.join(one, "audit.json")))
checks = {check["name"]: check for check in audit["checks"]}
assert abs(checks["placement"]["value"] - shift) < 0.02, checks["placement"]
assert abs(checks["invvar"]["value"] - dip) < 0.002, checks["invvar"]
distance = ks_2samp(*(np.concatenate(magnitudes[label]) for label in (0, 1))).statistic
assert abs(checks["selection_mag_g"]["value"] - distance) < 1e-9, (checks["selection_mag_g"], distance)
warned = {name for name, check in checks.items() if check["status"] == "warn"}
assert warned == {"placement", "invvar", "selection_mag_g"}, warned
print(f"{len(checks)} checks, the same on one rank and on several")
