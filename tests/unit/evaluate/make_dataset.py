"""A dataset, a training history and an audit as split, train and audit write them, of Gaussian galaxies on noise.

make_dataset.py DIRECTORY [--spoil S] [--bricks N] [--examples N]: fakes are (1 - S) as wide as reals."""
import argparse
import json
import os

import h5py
import numpy as np

SIDE = 64
CHANNELS = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]


def make_stamps(rng, label, mag, brick, spoil):
    y, x = np.mgrid[:SIDE, :SIDE]
    sigma = np.array([0.003, 0.005, 0.012])
    color = np.array([0.0, 0.6, 1.2])
    stamps = np.empty((len(label), SIDE, SIDE, 6), np.float32)
    for i in range(len(label)):
        noise = sigma * (1 + 0.05 * np.sin(brick[i]))
        cx, cy = SIDE / 2 + rng.uniform(-0.5, 0.5, 2)
        width = rng.uniform(2.2, 3.0) * (1 - spoil * label[i])
        light = np.exp(-0.5 * ((x - cx) ** 2 + ((y - cy) / rng.uniform(0.6, 1)) ** 2) / width ** 2)
        light /= light.sum()
        flux = 10 ** (0.4 * (22.5 - mag[i] + color + rng.normal(0, 0.15, 3)))
        for b in range(3):
            ivar = np.full((SIDE, SIDE), noise[b] ** -2) * rng.uniform(0.97, 1.03)
            if rng.random() < 0.05:
                ivar[:, rng.integers(SIDE)] = 0
            image = flux[b] * light + rng.normal(0, noise[b], (SIDE, SIDE))
            stamps[i, :, :, 2 * b] = np.where(ivar > 0, image, 0)
            stamps[i, :, :, 2 * b + 1] = ivar
    return stamps


def write_part(rng, directory, part, n, bricks, spoil, columns, shards):
    label = rng.permutation(np.arange(n) % 2)
    mag = np.clip(rng.normal(22.9, 0.6, n), 20.7, 24.5)
    brick = rng.integers(0, bricks, n)
    stamps = make_stamps(rng, label, mag, brick, spoil)
    for k, start in enumerate(range(0, n, 512), 1):
        entry = {"part": part, "k": k, "examples": len(label[start:start + 512])}
        for which, array in (("x", stamps), ("y", label.astype(np.int64))):
            path = f"{directory}/{which}{part}_{k}.npy"
            np.save(path, array[start:start + 512])
            entry[which] = {"bytes": os.path.getsize(path), "xxh3": "0" * 16}
        shards.append(entry)
    names = np.array([f"{part[0]}{b:04d}p00" for b in brick], "S8")
    for name, values in (("id", np.arange(n) + 2 ** 60), ("brickname", names), ("mag_g", mag), ("label", label.astype(np.uint8)),
                         ("rhalf", rng.uniform(0.3, 1.5, n).astype(np.float32))):
        columns.setdefault(name, []).append(values)
    return {"examples": n, "real": int((label == 0).sum()), "fake": int((label == 1).sum()), "dropped": {"real": 31, "fake": 0},
            "bricks": sorted({b.decode() for b in names})}


def write_dataset(directory, options, rng):
    os.makedirs(directory)
    columns, shards, parts = {}, [], {}
    for part, n in (("train", 20), ("valid", 10), ("test", options.examples)):
        parts[part] = write_part(rng, directory, part, n, options.bricks if part == "test" else 2, options.spoil, columns, shards)
    with h5py.File(directory + "/index.h5", "w") as index:
        for name, values in columns.items():
            index[name] = np.concatenate(values)
    manifest = {"v": 1, "decoy": "0.1.0", "seed": 1, "rule": "whole bricks, shuffled by seed, 20 % to test and 8 % to validation",
                "classes": ["real", "fake"], "stamp": SIDE, "shard_examples": 512, "channels": CHANNELS,
                "fractions": {"test": 0.2, "valid": 0.08}, "counts": "balanced", "parts": parts,
                "normalisation": {c: {"median": 1.0} for c in CHANNELS},
                "provenance": {c: {"compression": [{"value": "RICE_1", "files": 36}], "cuts": [{"value": "elg", "files": 12}]}
                               for c in ("real", "fake")},
                "selection": {"real": {"catalogued": 900, "edge": 40, "stamps": 700, "cuts": [{"cut": "flux_g > 0", "left": 740}]},
                              "fake": {"catalogued": 1500, "injected": 888, "matched": 777, "edge": 30, "stamps": 700,
                                       "cuts": [{"cut": "flux_g > 0", "left": 730}]}},
                "shards": shards, "index": {"bytes": 0, "xxh3": "0" * 16}}
    with open(directory + "/manifest.json", "w") as stream:
        json.dump(manifest, stream)


def write_model(directory, rng):
    os.makedirs(directory)
    with open(directory + "/input.json", "w") as stream:
        json.dump({}, stream)
    with open(directory + "/metrics.jsonl", "w") as stream:
        for step in range(10, 1510, 2):
            fall = np.exp(-step / 500)
            row = {"step": step, "epoch": step // 251, "loss": 0.35 + 0.34 * fall + rng.normal(0, 0.05),
                   "accuracy": 0.85 - 0.35 * fall + rng.normal(0, 0.04)}
            stream.write(json.dumps(row) + "\n")
            if step % 250 == 0:
                stream.write(json.dumps({"step": step, "epoch": step // 250, "epoch_loss": 0.4, "valid_loss": 0.38 + 0.32 * fall,
                                         "valid_accuracy": 0.83 - 0.33 * fall}) + "\n")


def write_audit(directory):
    os.makedirs(directory)
    checks = [{"name": "placement", "value": 0.02, "error": 0.03, "threshold": 0.1, "status": "pass",
               "sentence": "mean centroids of the classes differ by 0.02 px in x and y.", "plot": "missing.svg"},
              {"name": "invvar", "value": 0.031, "error": 0.002, "threshold": 0.01, "status": "warn",
               "sentence": "the mean invvar in the middle of the fakes' stamps is 3.1 % below the reals' <in g>.", "plot": None}]
    with open(directory + "/audit.json", "w") as stream:
        json.dump({"v": 1, "checks": checks}, stream)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--spoil", type=float, default=0)
    parser.add_argument("--bricks", type=int, default=14)
    parser.add_argument("--examples", type=int, default=700)
    options = parser.parse_args()
    generator = np.random.default_rng(3)
    write_dataset(options.directory + "/dataset", options, generator)
    write_model(options.directory + "/model", generator)
    write_audit(options.directory + "/audit")
