"""Pixels of cutouts, against numpy slices of what astropy reads and against the peer: edges, sizes, compressions, float16.

Environment: as test_cutouts.py; PEER_CUTOUTS, a program that cuts the same stamps (README of the bench).
"""
import glob
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from test_cutouts import DATA, X, Y, HEADER, check_stamps, path_of, plane, real_data, run, survey  # noqa: F401

PEER = os.environ.get("PEER_CUTOUTS", "")


def padded(root, brick, kind, band, margin):
    return np.pad(plane(root, brick, kind, band), margin)


def check_padded(file, root, bands="grz"):
    brick, images = file.attrs["brick"].decode(), file["image"][:]
    side = images.shape[1]
    for b, band in enumerate(bands):
        for c, kind in enumerate(["image", "invvar"]):
            pixels = padded(root, brick, kind, band, side)
            for i, (x, y) in enumerate(zip(file["x"][:], file["y"][:])):
                column, row = int(x) + side // 2, int(y) + side // 2
                assert np.array_equal(images[i, :, :, 2 * b + c], pixels[row:row + side, column:column + side]), (brick, i, band, kind)


@real_data
@pytest.mark.skipif(not os.path.exists(PEER), reason="the peer is not here")
def test_stamps_equal_the_peers_transposed(tmp_path):
    (tmp_path / "bricks.txt").write_text("1350p000\n")
    run(tmp_path, out=tmp_path / "out", survey=f"{DATA}/kids3", bricks=tmp_path / "bricks.txt", **{"class": "real", "cuts": "none"})
    subprocess.run(["/usr/bin/python3", PEER, f"{DATA}/kids3", "1350p000", tmp_path / "peer.h5"], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(tmp_path / "out/real/135/1350p000.h5") as ours, h5py.File(tmp_path / "peer.h5") as theirs:
        images, objid = ours["image"][:], ours["objid"][:]
        assert 500 < len(objid) <= len(theirs)
        for image, name in zip(images, objid):
            for channel, kind in ((0, "img"), (1, "ivar")):
                expected = theirs[f"{name}/{kind}"][:]
                assert np.array_equal(image[:, :, channel::2].transpose(1, 0, 2), np.where(np.isfinite(expected), expected, 0)), (name, kind)


@real_data
def test_small_coadds_of_decam_are_cut_bit_for_bit(tmp_path):
    for root in sorted(glob.glob(f"{DATA}/testcase-coadds/*")):
        out = tmp_path / os.path.basename(root)
        result = run(tmp_path, out=out, survey=root, edge="pad", **{"class": "real", "cuts": "none"})["real"]
        for path in glob.glob(f"{out}/real/*/*.h5"):
            with h5py.File(path) as file:
                check_padded(file, root)
        assert result["quarantined"] == 0


@real_data
def test_all_sources_of_real_bricks_have_a_stamp_when_edges_are_padded(tmp_path):
    fields = {"survey": f"{DATA}/kids3", "class": "real", "cuts": "elg"}
    skip = run(tmp_path, out=tmp_path / "skip", **fields)["real"]
    pad = run(tmp_path, out=tmp_path / "pad", edge="pad", **fields)["real"]
    assert (skip["edge"], skip["stamps"]) == (40, 374) and (pad["edge"], pad["stamps"]) == (40, 414)
    for path in glob.glob(f"{tmp_path}/pad/real/*/*.h5"):
        with h5py.File(path) as file, h5py.File(path.replace("/pad/", "/skip/")) as inside:
            check_padded(file, f"{DATA}/kids3")
            whole = file["edge"][:] == 0
            assert np.array_equal(file["image"][:][whole], inside["image"]) and not inside["edge"][:].any()
            assert file.attrs["edge_rule"] == b"pad"


def test_edges_are_zero_with_no_invvar_and_marked(survey, tmp_path):
    result = run(tmp_path, survey=survey, out=tmp_path / "out", edge="pad", **{"class": "real", "cuts": "none"})["real"]
    assert (result["selected"], result["edge"], result["stamps"]) == (24, 9, 24)
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert list(file["edge"]) == [0, 0, 0, 0, 0, 1, 1, 1]
        check_padded(file, survey)
        assert not file["image"][7, :, :32].any() and file["image"][7, :, 32:].any()  # at x = -0.4
    run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert list(file["edge"]) == [0] * 5


@pytest.mark.parametrize("side", [8, 32, 100, 160, 200])
def test_stamps_of_any_size_on_images_of_any_size(survey, tmp_path, side):
    run(tmp_path, survey=survey, out=tmp_path / "out", stamp=side, edge="pad", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0102p010.h5") as file:
        assert file["image"].shape == (len(X), side, side, 6)
        check_padded(file, survey)


def test_planes_of_one_brick_may_be_stored_in_different_ways(survey, tmp_path):
    ways = [("RICE_1", (100, 100), 2), ("RICE_1", (160, 1), 1), ("GZIP_1", (50, 30), -1), ("GZIP_2", (160, 160), 2), None]
    bricks = ("0100p010", "0101p010", "0102p010")
    planes = [(brick, band, kind) for brick in bricks for band in "grz" for kind in ("image", "invvar")]
    for i, (brick, band, kind) in enumerate(planes):
        path, way = path_of(survey, brick, kind, band), ways[i % len(ways)]
        if way:
            data = fits.getdata(path)
            path.unlink()
            fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, HEADER, compression_type=way[0], tile_size=way[1],
                                                               quantize_method=way[2])]).writeto(f"{path}.fz", checksum=True)
    assert run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})["real"]["stamps"] == 15
    for path in glob.glob(f"{tmp_path}/out/real/*/*.h5"):
        with h5py.File(path) as file:
            check_stamps(file, survey)
            assert len(set(file.attrs["compression"])) > 1


# --- float16 ---


@real_data
def test_float16_errs_by_1_in_2048_and_by_little_of_the_noise(tmp_path):
    fields = {"survey": f"{DATA}/kids3", "class": "real", "cuts": "none"}
    run(tmp_path, out=tmp_path / "single", **fields)
    run(tmp_path, out=tmp_path / "half", dtype="float16", **fields)
    for path in sorted(glob.glob(f"{tmp_path}/half/real/*/*.h5")):
        with h5py.File(path) as file, h5py.File(path.replace("/half/", "/single/")) as exact:
            stored, scale = file["image"][:], file["image"].attrs["scale"]
            assert stored.dtype == np.float16 and list(scale) == [1, 1024] * 3 and file.attrs["dtype"] == b"float16"
            got, expected = stored.astype("f4") * scale.astype("f4"), exact["image"][:]
            assert np.array_equal(stored, (expected / scale.astype("f4")).astype("f2"))  # rounded as numpy rounds
            error = np.abs(got - expected)
            assert (error <= np.maximum(np.abs(expected) / 2048, 2.0 ** -25 * scale)).all()
            sigma = error[..., ::2] * np.sqrt(expected[..., 1::2])
            faint = np.abs(expected[..., ::2]) * np.sqrt(expected[..., 1::2]) < 5
            print(os.path.basename(path), "largest error below 5 sigma, in sigma:", sigma[faint].max())
            assert sigma[faint].max() < 5 / 2048 * 1.01
            assert np.array_equal(got[..., 1::2] > 0, expected[..., 1::2] > 0)
            for name in exact:
                assert name == "image" or np.array_equal(file[name], exact[name], equal_nan=exact[name].dtype.kind == "f")
        assert os.path.getsize(path) < 0.55 * os.path.getsize(path.replace("/half/", "/single/"))


def test_what_float16_cannot_hold_is_told_not_clipped(survey, tmp_path):
    with fits.open(path_of(survey), mode="update") as hdus:
        hdus[0].data[80, 80] = 1e5
    fields = {"survey": survey, "class": "real", "cuts": "none"}
    result = run(tmp_path, out=tmp_path / "out", dtype="float16", **fields)["real"]
    assert (result["bricks"], result["quarantined"]) == (2, 1)
    reason = json.loads((tmp_path / "out/quarantine.json").read_text())["quarantined"][0]["reason"]
    assert "channel r is beyond float16" in reason and "--dtype float32" in reason
    assert run(tmp_path, out=tmp_path / "out", **fields)["real"]["quarantined"] == 0


def test_astropy_reads_the_columns_as_a_table(survey, tmp_path):
    run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        table = Table({name: file[name][...] for name in file if name != "image"}, units={n: file[n].attrs["unit"].astype(str) for n in ("ra", "x")})
        for name in ("placement", "cuts", "sources", "version", "job", "attempt", "image_unit", "stamp_px", "bands"):
            assert name in file.attrs, name
    assert len(table) == 5 and table["brickname"].dtype == "S8" and table["type"].dtype == "S4" and table["ra"].unit == "deg"
    assert {"id", "objid", "release", "dec", "y", "mag_g", "mag_r", "mag_z", "rhalf", "psfsize_r", "nobs_z", "edge"} <= set(table.colnames)
