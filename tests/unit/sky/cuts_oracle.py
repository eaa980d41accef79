"""The files of cuts, against numpy: `elg` written as the original wrote it, on real catalogues and on such as
have the columns of each release, filled with galaxies around every edge of the selection.

usage: cuts_oracle.py SKY_PROBE SHARED_DATA CUTS
"""
import glob
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits

warnings.filterwarnings("ignore")
probe, data, cuts = sys.argv[1:4]
scratch = tempfile.TemporaryDirectory()


def kept_by_us(path, name):
    text = subprocess.run([probe, "cuts", path, name if "/" in name else f"{cuts}/{name}.yaml"], stdout=subprocess.PIPE, check=True).stdout
    return np.array(text.split(), dtype=int)


def elg(t, psfsizes):
    """Which rows; t: arrays by lower-case name, bands as columns; psfsizes: of g, r, z."""
    n = len(t["type"])
    kind = np.char.strip(t["type"].astype("U"))
    with np.errstate(all="ignore"):
        mag = {b: 22.5 - 2.5 * np.log10(t[f"flux_{b}"].astype(float) / t[f"mw_transmission_{b}"]) for b in "grz"}
        gr, rz = mag["g"] - mag["r"], mag["r"] - mag["z"]

        def pad(slope):
            theta = np.arctan(abs(slope))
            return 0.5 * np.sin(theta), 0.5 * np.cos(theta)
        (dx1, dy1), (dx2, dy2) = pad(1.15), pad(-1.2)
        box = (gr <= 1.15 * (rz + dx1) - 0.15 + dy1) & (gr <= -1.2 * (rz - dx2) + 1.6 + dy2) & (rz >= 0.3 - 0.5) & (rz <= 1.6 + 0.5)
    radius = np.full(n, -1.0)
    if "shape_r" in t:
        radius[:] = t["shape_r"]
    else:
        radius = np.where(np.isin(kind, ["EXP", "REX", "SIMP"]), t["shapeexp_r"], t["shapedev_r"])
        radius[kind == "SIMP"] = np.where(t["shapeexp_r"] > 0, t["shapeexp_r"], 0.45)[kind == "SIMP"]
    radius[kind == "PSF"] = (np.mean(psfsizes, axis=0) / 2)[kind == "PSF"]
    keep = box & ~np.isin(kind, ["COMP", "DEV", "DUP"]) & (radius < 5) & (radius >= 0.262 / 2) & (radius <= 2) & t["brick_primary"].astype(bool)
    for b, faint, bright in zip("grz", (24.5, 23.9, 23.0), (20.6766, 20.4659, 19.4391)):
        keep &= (t[f"flux_{b}"] > 0) & (t[f"flux_ivar_{b}"] > 0) & (t[f"nobs_{b}"] >= 1) & (mag[b] < faint) & (mag[b] >= bright)
    return keep


def lower(path):
    table = fits.getdata(path, 1)
    return {name.lower(): np.asarray(table[name]) for name in table.columns.names}


def write(columns):
    path = os.path.join(scratch.name, "tractor-x.fits")
    rows = np.zeros(len(next(iter(columns.values()))), [(name, values.dtype, values.shape[1:]) for name, values in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    fits.BinTableHDU(rows).writeto(path, overwrite=True)
    return path


def check(path, expected, name="elg"):
    got = kept_by_us(path, name)
    assert np.array_equal(got, np.flatnonzero(expected)), (path, name, len(got), expected.sum())
    return len(got)


def galaxies(n, types, rng):
    """Around the colour box and every limit; some without a flux, a weight or an image in a band."""
    z, rz, gr = rng.uniform(18.5, 24, n), rng.uniform(-0.5, 2.5, n), rng.uniform(-1, 2.5, n)
    t = dict(type=rng.choice(types, n), ra=np.full(n, 10.0), dec=np.full(n, 1.0), bx=np.full(n, 5, "f4"), by=np.full(n, 5, "f4"),
             objid=np.arange(n, dtype="i4"), brick_primary=rng.random(n) > 0.1)
    for band, mag in zip("grz", (z + rz + gr, z + rz, z)):
        transmission = rng.uniform(0.7, 1, n).astype("f4")
        flux = (10 ** (0.4 * (22.5 - mag)) * transmission).astype("f4")
        flux[rng.random(n) < 0.05] *= -1
        t.update({f"flux_{band}": flux, f"mw_transmission_{band}": transmission, f"flux_ivar_{band}": (rng.random(n) > 0.05).astype("f4") * 90,
                  f"nobs_{band}": rng.integers(0, 6, n).astype("i2"), f"psfsize_{band}": rng.uniform(0.2, 6, n).astype("f4")})
    return t


def upper(t):
    return {name.upper(): values for name, values in t.items()}


def as_dr3(t):
    """Bands u g r i z Y as vectors."""
    t, n = dict(t), len(t["type"])
    for stem in ("flux", "flux_ivar", "mw_transmission", "nobs", "psfsize"):
        vector = np.zeros((n, 6), t[f"{stem}_g"].dtype)
        for band, element in dict(g=1, r=2, z=4).items():
            vector[:, element] = t.pop(f"{stem}_{band}")
        t[f"decam_{stem}"] = vector
    return t


rng, counts = np.random.default_rng(17), []
for release, types in dict(dr3=["PSF ", "SIMP", "EXP ", "DEV ", "COMP"], dr5=["PSF ", "REX ", "EXP ", "DEV ", "COMP"], dr9=["PSF", "REX", "EXP", "DEV", "SER", "DUP"]).items():
    t = galaxies(20000, np.array(types, "S"), rng)
    n = len(t["type"])
    if release == "dr9":
        t.update(shape_r=rng.choice([0, 0.1, 0.131, 1, 2, 3, 6], n).astype("f4"), maskbits=rng.choice([0, 1, 2, 32, 4096, 8192], n).astype("i2"))
    else:
        t.update(shapeexp_r=rng.choice([0, 0.1, 0.2, 1, 2, 3], n).astype("f4"), shapedev_r=rng.choice([0, 0.5, 3], n).astype("f4"))
    expected = elg(t, [t[f"psfsize_{b}"] for b in "grz"])
    path = write(as_dr3(t) if release == "dr3" else upper(t) if release == "dr9" else t)
    counts.append(check(path, expected))
    if release == "dr9":
        counts.append(check(path, expected & (t["maskbits"] & (2 + 4096 + 8192) == 0), "elg-dr9"))
        own = os.path.join(scratch.name, "own.yaml")
        with open(own, "w") as file:
            file.write("cuts:\n  - maskbits: {any: [0, ALLMASK_G]}\n  - 2 r - (g + z) > 0.25\n  - snr_z >= 100\n  - type: {only: [SER]}\n")
        with np.errstate(all="ignore"):
            mag = {b: 22.5 - 2.5 * np.log10(t[f"flux_{b}"].astype(float) / t[f"mw_transmission_{b}"]) for b in "grz"}
        counts.append(check(path, (t["maskbits"] & 33 != 0) & (2 * mag["r"] - mag["g"] - mag["z"] > 0.25) & (t["type"] == b"SER")
                            & (t["flux_z"] * np.sqrt(t["flux_ivar_z"].astype(float)) >= 100), own))
assert min(counts) > 50, counts
print("rows kept of 20000 a release:", counts)

if not os.path.isdir(data):
    print("no shared data at", data, ": real catalogues are not compared")
    sys.exit(0)
real = 0
for path in sorted(glob.glob(data + "/kids3/tractor/*/*.fits")):
    t = lower(path)
    real += check(path, elg(t, [t[f"psfsize_{b}"] for b in "grz"]))
assert real == 414, real
for path in sorted(glob.glob(data + "/tractor-dr9-samples/tractor-*.fits") + glob.glob(data + "/tractor-dr9-samples/sweep-*.fits")):
    t = lower(path)  # genuine, but with the columns of a sweep: what only a brick's catalogue has is added
    n = len(t["type"])
    t.update(bx=np.zeros(n, "f4"), by=np.zeros(n, "f4"), brick_primary=np.ones(n, bool), **{f"psfsize_{b}": np.full(n, 1.3, "f4") for b in "grz"})
    path = write(upper(t))
    expected = elg(t, [t[f"psfsize_{b}"] for b in "grz"])
    check(path, expected)
    check(path, expected & (t["maskbits"] & (2 + 4096 + 8192) == 0), "elg-dr9")
print("kids3: 414 rows kept; 6 genuine DR9 files agree")
