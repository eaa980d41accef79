"""What cutouts reads: layouts of surveys and simulations, users' catalogues, selections.

Environment: DECOY_WORKER (the program), SHARED_DATA (real images; without it the synthetic surveys remain).
"""
import json
import os
import shutil

import h5py
import numpy as np
import pytest
from astropy.io import fits

from test_cutouts import DATA, HEADER, SIDE, X, Y, check_stamps, path_of, real_data, rows_at, run, survey, tree, write_planes, write_run, write_table  # noqa: F401

STEP = 0.262 / 3600


def sky(x, y):
    """ra, dec of pixels near the middle of a brick made here."""
    return 10.0 - (x - 79.5) * STEP / np.cos(np.deg2rad(1.0)), 1.0 + (y - 79.5) * STEP


# --- legacysim ---


def write_legacysim(root, brick, run_name, rng):
    """Five sources, of which the second collided and was not injected; found: the first, third and fourth."""
    write_planes(root / run_name, brick, rng)
    x, y = np.array([60.0, 61.0, 90.0, 100.0, 120.0]), np.array([70.0, 70.5, 90.0, 50.0, 60.0])
    ra, dec = sky(x, y)
    injected = dict(id=np.arange(5) + 500, ra=ra, dec=dec, sersic=np.full(5, 1.5, "f4"), shape_r=np.full(5, 0.4, "f4"),
                    shape_e1=np.zeros(5, "f4"), shape_e2=np.zeros(5, "f4"), collided=np.array([False, True, False, False, False]))
    injected.update({f"flux_{band}": np.full(5, flux, "f4") for band, flux in zip("grz", (1.0, 2.0, 3.0))})
    write_table(root / run_name / f"sim/{brick[:3]}/injected-{brick}.fits", injected)
    rows = rows_at(x[[0, 2, 3]] + 0.3, y[[0, 2, 3]], first_id=10)
    rows["MW_TRANSMISSION_R"] = np.array([0.8, 0.7, 0.6], "f4")
    write_table(root / run_name / f"tractor/{brick[:3]}/tractor-{brick}.fits", rows)


def test_legacysims_runs_are_cut_without_what_collided(survey, tmp_path):
    simulation, rng = tmp_path / "dr9", np.random.default_rng(5)
    for run_name in ("file0_rs0_skip0", "file0_rs500_skip0"):
        write_legacysim(simulation, "0101p010", run_name, rng)
    write_legacysim(simulation, "0102p010", "file0_rs0_skip0", rng)
    result = run(tmp_path, survey=survey, simulation=simulation, out=tmp_path / "out", cuts="none")
    fake = result["fake"]
    assert (fake["bricks"], fake["collided"], fake["injected"], fake["matched"], fake["stamps"]) == (3, 3, 12, 9, 9)
    assert sorted(p.name for p in tmp_path.glob("out/fake/010/*")) == [
        "0101p010-file0_rs0_skip0.h5", "0101p010-file0_rs500_skip0.h5", "0102p010-file0_rs0_skip0.h5"]
    with h5py.File(tmp_path / "out/fake/010/0101p010-file0_rs500_skip0.h5") as file:
        assert list(file["id"]) == [500, 502, 503]
        assert np.allclose(file["true_x"], [60, 90, 100], atol=1e-3) and np.allclose(file["true_n"], 1.5) and np.allclose(file["true_rhalf"], 0.4)
        # flux_r is as seen; the file tells no transmission, so that of the nearest measured row serves
        assert np.allclose(file["true_mag_r"], 22.5 - 2.5 * np.log10(2 / np.array([0.8, 0.7, 0.6])), atol=1e-4)
        check_stamps(file, simulation / "file0_rs500_skip0")


def test_one_run_given_for_the_simulation_is_told(survey, tmp_path):
    write_legacysim(tmp_path / "dr9", "0101p010", "file0_rs0_skip0", np.random.default_rng(5))
    fields = dict(survey=survey, out=tmp_path / "out", cuts="none")
    sentence = run(tmp_path, status=1, simulation=tmp_path / "dr9/file0_rs0_skip0", **fields)
    assert "is one run of a simulation" in sentence and f"{tmp_path}/dr9" in sentence
    sentence = run(tmp_path, status=1, **{**fields, "survey": tmp_path / "dr9"}, simulation=tmp_path / "dr9")
    assert "it is a simulation, not a survey" in sentence


def test_the_root_above_north_and_south_is_told(survey, tmp_path):
    for name in ("north", "south"):
        shutil.copytree(survey, tmp_path / "dr9" / name)
    sentence = run(tmp_path, status=1, survey=tmp_path / "dr9", out=tmp_path / "out", **{"class": "real"})
    assert "two surveys, north and south" in sentence
    assert run(tmp_path, survey=tmp_path / "dr9/north/", out=tmp_path / "out", cuts="none", **{"class": "real"})["real"]["bricks"] == 3


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not here")
def test_ranks_share_the_looking_and_find_the_same(tmp_path):
    root, rng = tmp_path / "survey", np.random.default_rng(3)
    for brick in ("0100p010", "0110p010", "0120p010", "0130p010", "0131p010"):  # four groups on three ranks
        write_planes(root, brick, rng)
        write_table(root / f"tractor/{brick[:3]}/tractor-{brick}.fits", rows_at(X, Y))
        write_legacysim(tmp_path / "dr9", brick, "file0_rs0_skip0", rng)
    fields = dict(survey=root, simulation=tmp_path / "dr9", cuts="none")
    one = run(tmp_path, out=tmp_path / "one", **fields)
    assert one == run(tmp_path, out=tmp_path / "three", ranks=3, **fields)
    assert tree(tmp_path / "one") == tree(tmp_path / "three") and one["fake"]["bricks"] == 5
    (tmp_path / "bricks.txt").write_text("0131p010\n0100p010\n0111p010\n")
    assert "bricks.txt:3: brick 0111p010" in run(tmp_path, status=1, out=tmp_path / "list", bricks=tmp_path / "bricks.txt", **fields)


# --- bands and files ---


def add_band(root, brick, band, rng, plane=True, columns=True):
    if plane:
        for kind in ("image", "invvar"):
            fits.PrimaryHDU(rng.random((SIDE, SIDE)).astype(np.float32), HEADER).writeto(
                root / f"coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-{kind}-{band}.fits")
    rows = rows_at(X, Y)
    if columns:
        for stem, value in dict(FLUX=5, FLUX_IVAR=90, PSFSIZE=1.0, MW_TRANSMISSION=0.95, NOBS=1).items():
            rows[f"{stem}_{band.upper()}"] = np.full(len(X), value, "f4")
    write_table(root / f"tractor/{brick[:3]}/tractor-{brick}.fits", rows)


def test_the_bands_of_dr10_are_cut_and_a_brick_without_one_is_set_aside(survey, tmp_path):
    rng = np.random.default_rng(7)
    add_band(survey, "0100p010", "i", rng)
    add_band(survey, "0101p010", "i", rng, columns=False)
    add_band(survey, "0102p010", "i", rng, plane=False)
    result = run(tmp_path, survey=survey, out=tmp_path / "out", bands="griz", cuts="none", **{"class": "real"})["real"]
    assert (result["bricks"], result["quarantined"]) == (1, 2)
    with h5py.File(tmp_path / "out/real/010/0100p010.h5") as file:
        assert list(file["image"].attrs["channels"].astype("U")) == ["g", "ivar_g", "r", "ivar_r", "i", "ivar_i", "z", "ivar_z"]
        check_stamps(file, survey, "griz")
        assert np.allclose(file["mag_i"], 22.5 - 2.5 * np.log10(5 / 0.95), atol=1e-5)
    reasons = {q["brick"]: q["reason"] for q in json.loads((tmp_path / "out/quarantine.json").read_text())["quarantined"]}
    assert "has no column flux_i" in reasons["0101p010"] and "has no image in band i" in reasons["0102p010"]


@pytest.mark.parametrize("ending", [".fits.gz", ".fits.fz"])
def test_catalogues_and_planes_may_be_packed(survey, tmp_path, ending):
    plain = run(tmp_path, survey=survey, out=tmp_path / "plain", cuts="none", **{"class": "real"})
    for path in survey.glob("**/*.fits"):
        if ending == ".fits.gz":
            with fits.open(path) as hdus:
                hdus.writeto(str(path) + ".gz")
        elif "tractor" in path.name:
            path.rename(str(path) + ".fz")  # a table by that name
            continue
        else:
            with fits.open(path) as hdus:
                fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")]).writeto(str(path)[:-5] + ".fits.fz")
        path.unlink()
    packed = run(tmp_path, survey=survey, out=tmp_path / "packed", cuts="none", **{"class": "real"})
    assert plain == packed
    with h5py.File(tmp_path / "packed/real/010/0101p010.h5") as file:
        check_stamps(file, survey)
