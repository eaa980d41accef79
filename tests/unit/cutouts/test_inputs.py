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

from test_cutouts import CHANNELS, DATA, HEADER, SIDE, X, Y, check_stamps, path_of, real_data, rows_at, run, survey, tree, write_planes, write_run, write_table  # noqa: F401

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
    for brick in ("0103p010", "0104p010"):
        write_planes(survey, brick, rng)
        add_band(survey, brick, "i", rng)
    add_band(survey, "0100p010", "i", rng)
    add_band(survey, "0101p010", "i", rng, columns=False)
    add_band(survey, "0102p010", "i", rng, plane=False)
    result = run(tmp_path, survey=survey, out=tmp_path / "out", bands="griz", cuts="none", **{"class": "real"})["real"]
    assert (result["bricks"], result["quarantined"]) == (3, 2)
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


# --- selections and a user's own places ---


def test_all_injected_are_cut_at_their_true_places(survey, tmp_path):
    simulation = tmp_path / "simulation"
    write_run(simulation, "0101p010", "rs0", np.random.default_rng(5))
    fields = dict(survey=survey, simulation=simulation, match=0.6)
    result = run(tmp_path, out=tmp_path / "out", select="injected", **fields)
    fake = result["fake"]
    assert (fake["injected"], fake["matched"], fake["selected"], fake["stamps"]) == (4, 3, 4, 4)
    assert fake["cuts"] == [] and result["real"]["cuts"]  # elg: of reals alone
    with h5py.File(tmp_path / "out/fake/010/0101p010-rs0.h5") as file:
        assert file.attrs["select"] == b"injected" and list(file["id"]) == [500, 501, 502, 503]
        assert np.allclose(file["x"], [60, 90, 91.5, 120], atol=1e-3) and np.allclose(file["y"], [70, 90, 90, 60], atol=1e-3)
        assert list(file["objid"]) == [12, 13, 11, 0] and list(file["type"]) == [b"SER", b"PSF", b"EXP", b""]
        assert list(np.isnan(file["mag_g"])) == [False] * 3 + [True] and np.isfinite(file["true_mag_g"]).all()
        check_stamps_at(file, simulation, file["x"][:] + 1e-6, file["y"][:] + 1e-6, run="rs0")
    assert run(tmp_path, out=tmp_path / "out", cuts="none", **fields)["fake"]["stamps"] == 3  # made anew, not taken for the same


def check_stamps_at(file, root, x, y, **rest):
    """As check_stamps; a WCS there and back may leave 89.9999999 for 90."""
    class Shifted:
        attrs = file.attrs

        def __getitem__(self, name):
            return {"x": x, "y": y}.get(name, file[name])
    check_stamps(Shifted(), root, **rest)


def test_the_injected_are_said_to_leak(survey, tmp_path):
    write_run(tmp_path / "simulation", "0101p010", "rs0", np.random.default_rng(5))
    assert "A network can tell them" in warnings_of(tmp_path, survey=survey, simulation=tmp_path / "simulation", out=tmp_path / "out", select="injected")
    assert "A network" not in warnings_of(tmp_path, survey=survey, simulation=tmp_path / "simulation", out=tmp_path / "out")


def warnings_of(directory, **fields):
    import subprocess
    from test_cutouts import WORKER
    path = directory / "job.json"
    path.write_text(json.dumps({"kind": "cutouts", "threads": 1, "fields": {k: str(v) for k, v in fields.items()}}))
    return subprocess.run([WORKER, "--spec", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stderr.decode()


@pytest.mark.parametrize("by", ["sky", "pixels"])
@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_users_places_are_cut_as_either_class(survey, tmp_path, by, label):
    x, y = np.array([50.3, 100.2, 3.0]), np.array([60.1, 80.4, 80.0])  # the third at the edge
    ra, dec = sky(x, y)
    write_table(tmp_path / "mine/0101p010.fits", dict(id=np.array([7, 8, 9]), **(dict(ra=ra, dec=dec) if by == "sky" else dict(x=x, y=y))))
    result = run(tmp_path, survey=survey, out=tmp_path / "out", catalogue=tmp_path / "mine", **{"class": label})[label]
    assert (result["bricks"], result["given"], result["selected"], result["edge"], result["stamps"]) == (1, 3, 3, 1, 2)
    with h5py.File(tmp_path / f"out/{label}/010/0101p010.h5") as file:
        assert file.attrs["select"] == b"given" and list(file["id"]) == [7, 8]
        assert np.allclose(file["x"], x[:2], atol=1e-3) and np.allclose(file["ra"], ra[:2], atol=1e-7)
        assert np.isnan(file["mag_g"]).all() and "true_mag_g" not in file
        check_stamps(file, survey)


def test_places_of_a_simulations_runs_and_places_without_a_measured_catalogue(survey, tmp_path):
    simulation, rng = tmp_path / "simulation", np.random.default_rng(5)
    for run_name in ("rs0", "rs300"):
        write_planes(simulation, "0101p010", rng, run_name)  # no catalogue, no truth
    places = dict(id=np.array([7]), x=np.array([80.0]), y=np.array([80.0]))
    write_table(tmp_path / "mine/0101p010.fits", places)
    write_table(tmp_path / "mine/0101p010-rs300.fits", {**places, "id": np.array([300])})
    fields = dict(survey=survey, catalogue=tmp_path / "mine", out=tmp_path / "out")
    fake = run(tmp_path, simulation=simulation, **{"class": "fake"}, **fields)["fake"]
    assert (fake["bricks"], fake["stamps"]) == (2, 2) and "catalogued" not in fake
    for run_name, identity in dict(rs0=7, rs300=300).items():
        with h5py.File(tmp_path / f"out/fake/010/0101p010-{run_name}.h5") as file:
            assert list(file["id"]) == [identity] and "mag_g" not in file
            check_stamps(file, simulation, run=run_name)
    assert "say --class" in run(tmp_path, status=1, **fields)
    (tmp_path / "none").mkdir()
    assert "has no BRICK.fits of any brick" in run(tmp_path, status=1, **{**fields, "catalogue": tmp_path / "none", "class": "real"})


@real_data
def test_places_by_sky_are_those_of_astropy(tmp_path):
    """On genuine headers: kids3's WCS is synthetic, dr6-g's is of the Legacy Survey at declination 80."""
    from astropy.wcs import WCS
    rng = np.random.default_rng(11)
    for name, brick, bands in (("kids3", "1350m000", "grz"), ("dr6-g", "0959p805", "g")):
        with fits.open(f"{DATA}/{name}/coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-image-g.fits.fz") as hdus:
            header = hdus[1].header
        side = header["NAXIS1"]
        x, y = rng.uniform(40, side - 40, 200), rng.uniform(40, side - 40, 200)
        ra, dec = WCS(header).all_pix2world(x, y, 0)
        write_table(tmp_path / f"{name}-sky/{brick}.fits", dict(id=np.arange(200), ra=ra, dec=dec))
        write_table(tmp_path / f"{name}-px/{brick}.fits", dict(id=np.arange(200), x=x, y=y))
        (tmp_path / "bricks.txt").write_text(brick + "\n")
        for by in ("sky", "px"):
            result = run(tmp_path, survey=f"{DATA}/{name}", bands=bands, out=tmp_path / f"{name}-{by}-out", catalogue=tmp_path / f"{name}-{by}",
                         bricks=tmp_path / "bricks.txt", **{"class": "real"})["real"]
            with h5py.File(tmp_path / f"{name}-{by}-out/real/{brick[:3]}/{brick}.h5") as file:
                kept = file["id"][:]
                assert len(kept) + result["blank"] == 200
                assert np.abs(file["x"] - x[kept]).max() < 1e-6 and np.abs(file["y"] - y[kept]).max() < 1e-6
                assert np.allclose(file["ra"], ra[kept], atol=1e-10) and np.allclose(file["dec"], dec[kept], atol=1e-10)
                if name == "dr6-g":  # 11.6 % of the brick is covered
                    assert 100 < result["blank"] < 195
                    assert (file["image"][:, :, :, 1] > 0).any(axis=(1, 2)).all()
                check_stamps_at(file, f"{DATA}/{name}", x[kept], y[kept], bands=bands)


def test_a_stamp_without_data_in_a_band_is_left_out(survey, tmp_path):
    with fits.open(path_of(survey, kind="invvar", band="z"), mode="update") as hdus:
        hdus[0].data[:, 96 - 32:] = 0  # of the sources at 40.2, 80.9, 100, 32 and 127.99 px the last sees nothing in z
        hdus[0].data[:, 64:] = 0
    result = run(tmp_path, survey=survey, out=tmp_path / "out", cuts="none", **{"class": "real"})["real"]
    assert (result["selected"], result["edge"], result["blank"], result["stamps"]) == (24, 9, 2, 13)
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert list(file["objid"]) == [0, 1, 3]
        assert list(file["image"].attrs["channels"].astype("U")) == CHANNELS  # of a file written anew
        check_stamps(file, survey)


@real_data
def test_a_real_brick_without_a_band_says_so(tmp_path):
    """dr6-g has genuine g and z, and no r."""
    write_table(tmp_path / "mine/0959p805.fits", dict(id=np.array([1]), x=np.array([1800.0]), y=np.array([1800.0])))
    sentence = run(tmp_path, status=1, survey=f"{DATA}/dr6-g", out=tmp_path / "out", catalogue=tmp_path / "mine", **{"class": "real"})
    assert "brick 0959p805 has no image in band r" in sentence


def test_one_band_and_a_catalogue_of_it_alone(survey, tmp_path):
    rows = {name: values for name, values in rows_at(X, Y).items() if name[-2:] not in ("_R", "_Z") or name == "SHAPE_R"}
    for brick in ("0100p010", "0101p010", "0102p010"):
        write_table(survey / f"tractor/010/tractor-{brick}.fits", rows)
    (tmp_path / "own.yaml").write_text("cuts:\n  - flux_g > 0\n  - g < 24\n  - 0.2 < rhalf < 2\n")
    fields = dict(survey=survey, out=tmp_path / "out", bands="g", **{"class": "real"})
    assert run(tmp_path, cuts=tmp_path / "own.yaml", **fields)["real"]["stamps"] == 15
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert file["image"].shape == (5, 64, 64, 2) and "mag_r" not in file and np.isfinite(file["mag_g"]).all()
        check_stamps(file, survey, "g")
    assert "has no column flux_r" in run(tmp_path, status=1, cuts="elg", **fields)
