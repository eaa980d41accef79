"""Planes as all programs write them, against astropy, bit for bit: compressions, dithers, tiles, types, blanks.

usage: plane_oracle.py SKY_PROBE
"""
import gzip
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits

warnings.filterwarnings("ignore")
probe = sys.argv[1]
rng = np.random.default_rng(7)
HEIGHT, WIDTH = 131, 250


def scene(kind=np.float32):
    """Noise, a source, a corner without data (exact zeros), and some pixels that are not finite."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    data = rng.normal(0, 0.01, (HEIGHT, WIDTH)) + 30 * np.exp(-((x - 120) ** 2 + (y - 60) ** 2) / 20)
    data[:70, :110] = 0
    if np.dtype(kind).kind == "f":
        data[100, 5:9] = np.nan
        return data.astype(kind)
    return np.round(data * (5 if kind == np.uint8 else 1000)).astype(kind)


def check(path, name):
    with fits.open(path) as hdus:
        expected = next(h.data for h in hdus if h.data is not None).astype(np.float64).astype(np.float32)
    got = subprocess.run([probe, "plane", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert got.returncode == 0, (name, got.stderr.decode())
    got = np.frombuffer(got.stdout, dtype=np.float32).reshape(expected.shape)
    expected = np.where(np.isfinite(expected), expected, 0)
    assert np.array_equal(got, expected), (name, np.abs(got - expected).max(), np.argwhere(got != expected)[:3])


def packed(directory, name, data, **options):
    path = os.path.join(directory, f"{name}.fits.fz")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **options)]).writeto(path, checksum=True)
    check(path, name)
    return path


def main(directory):
    count = 0
    for method in ("RICE_1", "GZIP_1", "GZIP_2"):
        for dither in (-1, 1, 2):
            for tile in ((100, 100), (WIDTH, 1), (33, 17), (WIDTH, HEIGHT)):
                packed(directory, f"{method}-{dither}-{tile[0]}x{tile[1]}", scene(), compression_type=method, tile_size=tile,
                       quantize_method=dither, dither_seed=int(rng.integers(1, 10001)), quantize_level=16.0)
                count += 1
        for kind in (np.uint8, np.int16, np.int32):
            packed(directory, f"{method}-{np.dtype(kind).name}", scene(kind), compression_type=method, tile_size=(100, 100))
            count += 1
    for method in ("GZIP_1", "GZIP_2"):
        for kind in (np.float32, np.float64):
            packed(directory, f"{method}-lossless-{np.dtype(kind).name}", scene(kind), compression_type=method, tile_size=(100, 100),
                   quantize_level=0)
            count += 1
    path = packed(directory, "double", scene(np.float64), compression_type="RICE_1", tile_size=(100, 100), quantize_method=2)
    with open(path, "rb") as file:
        whole = file.read()
    with gzip.open(path + ".gz", "wb") as file:
        file.write(whole)
    check(path + ".gz", "packed, then gzipped")
    for kind in (np.float32, np.float64, np.int16, np.uint8):
        for ending in ("fits", "fits.gz"):
            path = os.path.join(directory, f"plain-{np.dtype(kind).name}.{ending}")
            fits.PrimaryHDU(scene(kind)).writeto(path)
            check(path, path)
            count += 1
    print(f"{count + 2} planes bit for bit")


with tempfile.TemporaryDirectory() as made:
    main(made)
