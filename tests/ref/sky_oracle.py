"""What sky/ reads, against astropy: pixels bit for bit, WCS to 1e-6 px both ways, columns of real catalogues.

usage: sky_oracle.py SKY_PROBE SHARED_DATA
"""
import glob
import os
import subprocess
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.filterwarnings("ignore")
probe, data = sys.argv[1:3]
if not os.path.isdir(data):
    print("skipped: no shared data at", data)
    sys.exit(77)


def run(*words, given=b""):
    return subprocess.run([probe, *words], input=given, stdout=subprocess.PIPE, check=True).stdout


def numbers(*words, given=None):
    text = b"" if given is None else "\n".join("%.17g %.17g" % tuple(row) for row in given).encode()
    return np.array(run(*words, given=text).split(), dtype=float)


def check_plane(path):
    with fits.open(path) as hdus:
        expected = next(h.data for h in hdus if h.data is not None)
    got = np.frombuffer(run("plane", path), dtype=np.float32).reshape(expected.shape)
    expected = np.where(np.isfinite(expected), expected, 0).astype(np.float32)
    assert np.array_equal(got, expected), path


def check_wcs(path):
    with fits.open(path) as hdus:
        header = next(h.header for h in hdus if h.data is not None)
    wcs = WCS(header)
    width, height = header["NAXIS1"], header["NAXIS2"]
    pixels = np.random.default_rng(1).uniform([-50, -50], [width + 50, height + 50], (300, 2))
    sky = np.column_stack(wcs.all_pix2world(pixels[:, 0], pixels[:, 1], 0))
    got_sky = numbers("to_sky", path, given=pixels).reshape(-1, 2)
    got_pixels = numbers("to_pixel", path, given=sky).reshape(-1, 2)
    back = np.column_stack(wcs.all_world2pix(got_sky[:, 0], got_sky[:, 1], 0))
    assert np.abs(got_pixels - pixels).max() < 1e-6, path
    assert np.abs(back - pixels).max() < 1e-6, path


def check_columns(path):
    with fits.open(path) as hdus:
        table = hdus[1].data
        for name in table.columns.names:
            if table[name].ndim == 1 and table[name].dtype.kind in "iufb":
                got = numbers("column", path, name.swapcase())
                assert np.array_equal(got, table[name].astype(float), equal_nan=True), (path, name)


coadds = sorted(glob.glob(data + "/kids3/coadd/*/*/*.fits.fz")) + sorted(glob.glob(data + "/testcase-coadds/*/coadd/*/*/*.fits.fz"))
coadds += glob.glob(data + "/dr6-g/coadd/*/*/*-image-g.fits.fz")
tables = glob.glob(data + "/kids3/tractor/*/*-1350m000.fits") + glob.glob(data + "/tractor-dr9-samples/tractor-*.fits")
assert len(coadds) >= 30 and len(tables) >= 4, (len(coadds), len(tables))
for coadd in coadds:
    check_plane(coadd)
    if "image" in coadd:
        check_wcs(coadd)
for table in tables:
    check_columns(table)
print(f"{len(coadds)} planes bit for bit, WCS within 1e-6 px, {len(tables)} catalogues")
