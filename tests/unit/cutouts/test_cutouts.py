"""The job kind cutouts, run as decoyd runs it, against numpy slices of what astropy reads.

Environment: DECOY_WORKER (the program), SHARED_DATA (real images; without it the synthetic surveys remain).
"""
import glob
import json
import os
import shutil
import subprocess
import warnings

import h5py
import numpy as np
import pytest
from astropy.io import fits

warnings.filterwarnings("ignore")
WORKER, DATA = os.environ["DECOY_WORKER"], os.environ["SHARED_DATA"]
CHANNELS = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
real_data = pytest.mark.skipif(not os.path.isdir(DATA), reason="the real images are not here")
# Open MPI leaks by itself, so only runs without it are checked for leaks where the worker was built to be.
MPI = dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", ASAN_OPTIONS="detect_leaks=0")


def run(directory, status=0, ranks=1, **fields):
    """Runs one job; its result, or on failure its last sentence."""
    path = directory / "job.json"
    path.write_text(json.dumps({"kind": "cutouts", "threads": 1, "fields": {k: str(v) if "/" in str(v) else v for k, v in fields.items()}}))
    words = [WORKER, "--spec", str(path)]
    if ranks > 1:
        words = ["mpirun", "-n", str(ranks), "--oversubscribe", "--mca", "pml", "ob1"] + words
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(MPI if ranks > 1 else {})}, timeout=120)
    assert done.returncode == status, done.stderr.decode()
    return json.loads(done.stdout) if status == 0 else done.stderr.decode().strip().splitlines()[-1]


def plane(root, brick, kind, band, run=""):
    paths = glob.glob(f"{root}/coadd/{brick[:3]}/{brick}/{run}/legacysurvey-{brick}-{kind}-{band}.fits*")
    with fits.open(paths[0]) as hdus:
        data = next(h.data for h in hdus if h.data is not None)
    return np.where(np.isfinite(data), data, 0).astype(np.float32)


def check_stamps(file, root, bands="grz", run=""):
    """Every stamp against the slices by the placement rule."""
    brick, images = file.attrs["brick"].decode(), file["image"][:]
    side = images.shape[1]
    for b, band in enumerate(bands):
        for c, kind in enumerate(["image", "invvar"]):
            pixels = plane(root, brick, kind, band, run)
            for i, (x, y) in enumerate(zip(file["x"][:], file["y"][:])):
                column, row = int(x) - side // 2, int(y) - side // 2
                expected = pixels[row:row + side, column:column + side]
                assert np.array_equal(images[i, :, :, 2 * b + c], expected), (brick, i, band, kind)


def catalogue(path):
    table = fits.getdata(path, 1)
    return {name.lower(): np.asarray(table[name]) for name in table.columns.names}


@real_data
def test_stamps_of_real_bricks_equal_slices_bit_for_bit(tmp_path):
    result = run(tmp_path, out=tmp_path / "out", survey=f"{DATA}/kids3", **{"class": "real", "cuts": "none"})["real"]
    files = sorted(glob.glob(f"{tmp_path}/out/real/*/*.h5"))
    assert len(files) == 3 and result["bricks"] == 3 and result["stamps"] == 1741
    for path in files:
        with h5py.File(path) as file:
            check_stamps(file, f"{DATA}/kids3")
            brick = file.attrs["brick"].decode()
            rows = catalogue(f"{DATA}/kids3/tractor/{brick[:3]}/tractor-{brick}.fits")
            picked = [np.flatnonzero(rows["objid"] == o)[0] for o in file["objid"]]
            assert np.all(np.diff(picked) > 0)
            for name, column in dict(x="bx", y="by", ra="ra", dec="dec", psfsize_g="psfsize_g", nobs_z="nobs_z", flux_r="flux_r").items():
                assert np.array_equal(file[name][:], rows[column][picked].astype(file[name].dtype)), name
            mag = 22.5 - 2.5 * np.log10(rows["flux_g"][picked] / rows["mw_transmission_g"][picked])
            assert np.allclose(file["mag_g"], mag, atol=1e-5)
            assert [t.decode() for t in file["type"]] == [t.strip() for t in rows["type"][picked]]
            assert file["brickname"].dtype == "S8" and set(file["brickname"][:]) == {brick.encode()}
            assert list(file["image"].attrs["channels"].astype("U")) == CHANNELS
            assert file["image"].dtype == np.float32 and not file["edge"][:].any()
            xy = np.column_stack([rows["bx"], rows["by"]]).astype(float)
            apart = np.hypot(*(xy[picked[7]] - np.delete(xy, picked[7], 0)).T).min()
            assert file["neighbour"][7] == pytest.approx(apart * file.attrs["pixscale"], rel=1e-5)


@real_data
def test_elg_cuts_leave_374_stamps_and_count_the_edge(tmp_path):
    result = run(tmp_path, out=tmp_path / "out", survey=f"{DATA}/kids3", **{"class": "real"})["real"]
    assert (result["catalogued"], result["selected"], result["edge"], result["stamps"]) == (2003, 414, 40, 374)
    assert result["cuts"][-1]["left"] == 414
    manifest = json.loads((tmp_path / "out/cutouts.json").read_text())
    assert sum(f["stamps"] for f in manifest["files"]) == 374


@real_data
def test_rerun_makes_nothing_anew_until_a_source_or_a_cut_changes(tmp_path):
    survey, fields = tmp_path / "survey", {"class": "real", "cuts": "elg", "out": tmp_path / "out"}
    shutil.copytree(f"{DATA}/kids3", survey, copy_function=shutil.copyfile)
    assert run(tmp_path, survey=survey, **fields)["real"]["fresh"] == 3
    before = {p: (os.stat(p).st_mtime_ns, p.read_bytes()) for p in tmp_path.glob("out/real/*/*.h5")}
    manifest = (tmp_path / "out/cutouts.json").read_bytes()
    assert run(tmp_path, survey=survey, **fields)["real"]["fresh"] == 0
    assert before == {p: (os.stat(p).st_mtime_ns, p.read_bytes()) for p in tmp_path.glob("out/real/*/*.h5")}
    assert manifest == (tmp_path / "out/cutouts.json").read_bytes()
    path = survey / "tractor/134/tractor-1349m000.fits"
    with fits.open(path) as hdus:
        hdus[1].data["flux_g"][3] *= 2
        hdus.writeto(tmp_path / "other.fits")
    shutil.move(tmp_path / "other.fits", path)
    assert run(tmp_path, survey=survey, **fields)["real"]["fresh"] == 1
    torn = tmp_path / "out/real/135/1350m000.h5"
    os.truncate(torn, torn.stat().st_size // 2)
    assert run(tmp_path, survey=survey, **fields)["real"]["fresh"] == 1
    assert torn.read_bytes() == before[torn][1]
    assert run(tmp_path, survey=survey, **{**fields, "cuts": "none"})["real"]["fresh"] == 3


# --- surveys made here, small and plain, so that each fault can be put in ---

SIDE = 160
HEADER = fits.Header(dict(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=10.0, CRVAL2=1.0, CRPIX1=80.5, CRPIX2=80.5,
                          CD1_1=-0.262 / 3600, CD1_2=0.0, CD2_1=0.0, CD2_2=0.262 / 3600))


def write_planes(root, brick, rng, run="", side=SIDE):
    folder = root / "coadd" / brick[:3] / brick / run
    folder.mkdir(parents=True)
    for band in "grz":
        for kind in ("image", "invvar"):
            data = rng.normal(size=(side, side)).astype(np.float32) ** (1 if kind == "image" else 2)
            fits.PrimaryHDU(data, HEADER).writeto(folder / f"legacysurvey-{brick}-{kind}-{band}.fits")


def rows_at(x, y, first_id=0):
    n = len(x)
    rows = dict(RELEASE=np.full(n, 9010, "i2"), BRICKID=np.full(n, 77, "i4"), OBJID=np.arange(n, dtype="i4") + first_id,
                TYPE=np.array(["REX", "EXP", "SER", "PSF"] * n)[:n].astype("S3"), RA=np.full(n, 10.0), DEC=np.full(n, 1.0),
                BX=np.asarray(x, "f4"), BY=np.asarray(y, "f4"), BRICK_PRIMARY=np.ones(n, bool), SHAPE_R=np.full(n, 0.5, "f4"))
    for band, flux in zip("GRZ", (2.0, 3.0, 4.0)):
        rows.update({f"FLUX_{band}": np.full(n, flux, "f4"), f"FLUX_IVAR_{band}": np.full(n, 100, "f4"), f"PSFSIZE_{band}": np.full(n, 1.2, "f4"),
                     f"MW_TRANSMISSION_{band}": np.full(n, 0.9, "f4"), f"NOBS_{band}": np.full(n, 2, "i2")})
    return rows


def write_table(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.zeros(len(next(iter(columns.values()))), [(name, values.dtype, values.shape[1:]) for name, values in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    fits.BinTableHDU(rows).writeto(path, overwrite=True)


X, Y = np.array([40.2, 80.9, 100.0, 32.0, 127.99, 31.99, 129.0, -0.4]), np.array([50.7, 80.1, 99.99, 32.0, 127.99, 80.0, 80.0, 80.0])
INSIDE = 5  # by int(x)-32 .. int(x)+31 in 160 px: the first five


@pytest.fixture
def survey(tmp_path):
    root, rng = tmp_path / "survey", np.random.default_rng(3)
    for brick in ("0100p010", "0101p010", "0102p010"):
        write_planes(root, brick, rng)
        write_table(root / f"tractor/010/tractor-{brick}.fits", rows_at(X, Y))
    return root


def path_of(survey, brick="0101p010", kind="image", band="r"):
    return survey / f"coadd/010/{brick}/legacysurvey-{brick}-{kind}-{band}.fits"


def test_upper_case_byte_string_catalogue_and_the_edge(survey, tmp_path):
    result = run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})["real"]
    assert (result["stamps"], result["edge"], result["selected"]) == (3 * INSIDE, 3 * 3, 3 * 8)
    for path in tmp_path.glob("out/real/010/*.h5"):
        with h5py.File(path) as file:
            assert list(file["objid"]) == [0, 1, 2, 3, 4]
            assert list(file["type"]) == [b"REX", b"EXP", b"SER", b"PSF", b"REX"]
            assert np.allclose(file["rhalf"], [0.5, 0.5, 0.5, 0.6, 0.5])
            assert file["id"][1] == (9010 << 42 | 77 << 22 | 1)
            assert file["mag_g"][0] == pytest.approx(22.5 - 2.5 * np.log10(2.0 / 0.9), abs=1e-5)
            check_stamps(file, survey)


def test_duplicates_and_rows_without_a_position_are_left_out(survey, tmp_path):
    rows = rows_at(X, Y)
    rows["TYPE"][0], rows["BX"][1] = b"DUP", np.nan
    write_table(survey / "tractor/010/tractor-0101p010.fits", rows)
    run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert list(file["objid"]) == [2, 3, 4]


def test_uncovered_and_not_finite_pixels_are_zero(survey, tmp_path):
    for kind in ("image", "invvar"):
        with fits.open(path_of(survey, kind=kind), mode="update") as hdus:
            hdus[0].data[70:80, 70:90] = np.nan
            hdus[0].data[80:90, 70:90] = np.inf if kind == "image" else 0
    run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        check_stamps(file, survey)
        stamp = file["image"][1]
        assert np.isfinite(file["image"][:]).all()
        assert not stamp[70 - 48:90 - 48, 70 - 48:90 - 48, 2:4].any() and stamp[0, 0, 2] != 0


def test_other_bands_in_another_order_and_smaller_stamps(survey, tmp_path):
    run(tmp_path, survey=survey, out=tmp_path / "out", bands="zr", stamp=32, **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert file["image"].shape == (8 - 1, 32, 32, 4)  # a smaller stamp, fewer at the edge
        assert list(file["image"].attrs["channels"].astype("U")) == ["z", "ivar_z", "r", "ivar_r"]
        check_stamps(file, survey, "zr")


def test_dr3_vector_columns_and_types(survey, tmp_path):
    rows = {k.lower(): v for k, v in rows_at(X, Y).items()}
    rows["type"] = np.array(["SIMP", "EXP ", "DEV ", "COMP", "PSF "] * 2)[:8].astype("S4")
    for stem, name in dict(flux="decam_flux", flux_ivar="decam_flux_ivar", mw_transmission="decam_mw_transmission", psfsize="decam_psfsize",
                           nobs="decam_nobs").items():
        vector = np.zeros((8, 6), "f4")
        for band, element in dict(g=1, r=2, z=4).items():
            vector[:, element] = rows.pop(f"{stem}_{band}")
        rows[name] = vector
    rows.pop("shape_r"), rows.pop("release")
    rows["shapeexp_r"], rows["shapedev_r"] = np.array([0, 0.7, 0, 0.3, 0] * 2, "f4")[:8], np.array([0, 0, 1.1, 0.9, 0] * 2, "f4")[:8]
    write_table(survey / "tractor/010/tractor-0101p010.fits", rows)
    run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    with h5py.File(tmp_path / "out/real/010/0101p010.h5") as file:
        assert np.allclose(file["rhalf"], [0.45, 0.7, 1.1, 0.9, 0.6])
        assert np.allclose(file["mag_z"], 22.5 - 2.5 * np.log10(4 / 0.9), atol=1e-5)
        assert np.allclose(file["psfsize_r"], 1.2) and list(file["nobs_g"]) == [2] * 5


def spoil_column(survey):
    rows = rows_at(X, Y)
    rows.pop("FLUX_Z")
    write_table(survey / "tractor/010/tractor-0101p010.fits", rows)


def resize(survey):
    fits.PrimaryHDU(np.zeros((SIDE, SIDE + 1), np.float32), HEADER).writeto(path_of(survey), overwrite=True)


def spoil_wcs(survey):
    fits.PrimaryHDU(np.zeros((SIDE, SIDE), np.float32)).writeto(path_of(survey, band="g"), overwrite=True)


def pack_badly(survey):
    data = np.ones((SIDE, SIDE), np.float32)
    fits.CompImageHDU(data, HEADER, compression_type="HCOMPRESS_1").writeto(path_of(survey), overwrite=True)


BAD = {
    "truncated": (lambda s: os.truncate(path_of(s), 20000), "0101p010-image-r.fits is cut short"),
    "empty": (lambda s: os.truncate(path_of(s), 0), "0101p010-image-r.fits is empty"),
    "garbage": (lambda s: path_of(s).write_bytes(b"\xff\n" * 5000), "0101p010-image-r.fits"),
    "missing band": (lambda s: path_of(s, kind="invvar", band="z").unlink(), "has no invvar in band z"),
    "missing catalogue": (lambda s: (s / "tractor/010/tractor-0101p010.fits").unlink(), "has no catalogue"),
    "missing column": (spoil_column, "tractor-0101p010.fits has no column flux_z"),
    "another size": (resize, "161 x 160 px"),
    "no WCS": (spoil_wcs, "0101p010-image-g.fits"),
    "another packing": (pack_badly, "HCOMPRESS_1"),
    "folder for a file": (lambda s: (path_of(s).unlink(), path_of(s).mkdir()), "Is a directory"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_brick_is_quarantined_and_the_others_go_on(survey, tmp_path, fault):
    spoil, words = BAD[fault]
    spoil(survey)
    result = run(tmp_path, survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})["real"]
    assert (result["bricks"], result["quarantined"]) == (2, 1)
    listed = json.loads((tmp_path / "out/quarantine.json").read_text())["quarantined"]
    assert [(q["class"], q["brick"]) for q in listed] == [("real", "0101p010")]
    assert words in listed[0]["reason"]
    assert len(json.loads((tmp_path / "out/cutouts.json").read_text())["files"]) == 2


def test_a_mended_brick_leaves_quarantine(survey, tmp_path):
    fields = dict(survey=survey, out=tmp_path / "out", **{"class": "real", "cuts": "none"})
    good = path_of(survey).read_bytes()
    os.truncate(path_of(survey), 20000)
    run(tmp_path, **fields)
    path_of(survey).write_bytes(good)
    result = run(tmp_path, **fields)["real"]
    assert (result["fresh"], result["bricks"], result["quarantined"]) == (1, 3, 0)
    assert not (tmp_path / "out/quarantine.json").exists()


def test_no_good_brick_fails_with_the_first_reason(survey, tmp_path):
    for brick in ("0100p010", "0101p010", "0102p010"):
        path_of(survey, brick).unlink()
    sentence = run(tmp_path, status=1, survey=survey, out=tmp_path / "out", **{"class": "real"})
    assert "3 of 3 bricks could not be done" in sentence and "0100p010" in sentence and "image-r" in sentence


def test_settings_that_cannot_work_are_named(survey, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "bricks.txt").write_text("# mine\n0101p010\n\n9999p999\n")
    assert "bricks.txt:4: brick 9999p999" in run(tmp_path, status=1, survey=survey, out=out, bricks=tmp_path / "bricks.txt", **{"class": "real"})
    assert "--simulation" in run(tmp_path, status=1, survey=survey, out=out)
    assert "--bands ggr" in run(tmp_path, status=1, survey=survey, out=out, bands="ggr", **{"class": "real"})
    assert "--stamp 33" in run(tmp_path, status=1, survey=survey, out=out, stamp=33, **{"class": "real"})
    assert "no elk.yaml" in run(tmp_path, status=1, survey=survey, out=out, cuts="elk", **{"class": "real"})
    assert f"{tmp_path} is no survey" in run(tmp_path, status=1, survey=tmp_path, out=out, **{"class": "real"})
    (tmp_path / "own.yaml").write_text("cuts:\n  - flux_g > 0\n  - flux_qq > 0\n")
    assert "cut 2 (flux_qq > 0)" in run(tmp_path, status=1, survey=survey, out=out, cuts=tmp_path / "own.yaml", **{"class": "real"})


def test_a_list_of_bricks_is_kept_to(survey, tmp_path):
    (tmp_path / "bricks.txt").write_text("# mine\n0101p010\r\n")
    run(tmp_path, survey=survey, out=tmp_path / "out", bricks=tmp_path / "bricks.txt", **{"class": "real", "cuts": "none"})
    assert [p.name for p in tmp_path.glob("out/real/*/*")] == ["0101p010.h5"]


# --- fakes ---


def test_a_fake_measured_as_one_with_a_source_of_the_survey_is_left_out(survey, tmp_path):
    """Fakes at 60.0, 90.0 and 91.5 are found at 60.5, 88.0 and 91.2; the survey's own source is moved beside the first."""
    write_table(survey / "tractor/010/tractor-0101p010.fits", rows_at(np.array([60.6, 30.0]), np.array([70.2, 30.0]), first_id=1))
    write_run(tmp_path / "simulation", "0101p010", "rs0", np.random.default_rng(5))
    fake = run(tmp_path, survey=survey, simulation=tmp_path / "simulation", out=tmp_path / "out", match=0.6, cuts="none", **{"class": "fake"})["fake"]
    assert (fake["matched"], fake["merged"], fake["stamps"]) == (2, 1, 2)


def write_run(root, brick, run_name, rng, with_pixels=True):
    """Four injected: found; found, though a nearer source belongs to the next; found by it; not found."""
    write_planes(root, brick, rng, run_name)
    x, y = np.array([60.0, 90.0, 91.5, 120.0]), np.array([70.0, 90.0, 90.0, 60.0])
    truth = dict(id=np.arange(4) + 500, ra=np.zeros(4), dec=np.zeros(4), n=np.full(4, 1.5), rhalf=np.full(4, 0.4, "f4"), e1=np.zeros(4), e2=np.zeros(4))
    step = 0.262 / 3600
    truth["ra"] = 10.0 - (x - 79.5) * step / np.cos(np.deg2rad(1.0))
    truth["dec"] = 1.0 + (y - 79.5) * step
    if with_pixels:
        truth.update(x=x + 1, y=y + 1)  # as obiwan counts them: from 1
    for band, flux in zip("grz", (1.0, 2.0, 3.0)):
        truth.update({f"{band}flux": np.full(4, flux, "f4"), f"mw_transmission_{band}": np.full(4, 0.8, "f4")})
    write_table(root / f"obiwan/{brick[:3]}/{brick}/{run_name}/simcat-elg-{brick}.fits", truth)
    found_x, found_y = np.array([100.0, 91.2, 60.5, 88.0]), np.array([40.0, 90.0, 70.2, 90.0])  # the first was never injected
    write_table(root / f"tractor/{brick[:3]}/{brick}/{run_name}/tractor-{brick}.fits", rows_at(found_x, found_y, first_id=10))


@pytest.mark.parametrize("with_pixels", [True, False])
def test_fakes_are_matched_one_to_one_and_placed_where_measured(survey, tmp_path, with_pixels):
    simulation, rng = tmp_path / "simulation", np.random.default_rng(5)
    for run_name in ("rs0", "more_rs300"):
        write_run(simulation, "0101p010", run_name, rng, with_pixels)
    write_planes(simulation, "0999p010", rng, "rs0")  # of no brick of the survey
    result = run(tmp_path, survey=survey, simulation=simulation, out=tmp_path / "out", match=0.6, cuts="none")
    assert result["real"]["bricks"] == 3
    fake = result["fake"]
    assert (fake["bricks"], fake["injected"], fake["matched"], fake["stamps"]) == (2, 8, 6, 6)
    files = sorted(tmp_path.glob("out/fake/*/*.h5"))
    assert [f.name for f in files] == ["0101p010-more_rs300.h5", "0101p010-rs0.h5"]
    for path in files:
        with h5py.File(path) as file:
            assert list(file["objid"]) == [11, 12, 13] and list(file["id"]) == [502, 500, 501]
            assert np.allclose(file["x"], [91.2, 60.5, 88.0]) and np.allclose(file["true_x"], [91.5, 60.0, 90.0], atol=1e-3)
            assert np.allclose(file["true_mag_r"], 22.5 - 2.5 * np.log10(2 / 0.8), atol=1e-5)
            assert np.allclose(file["true_rhalf"], 0.4) and np.allclose(file["true_n"], 1.5)
            check_stamps(file, simulation, run=file.attrs["run"].decode())


def test_a_bad_run_is_quarantined_by_its_name(survey, tmp_path):
    simulation, rng = tmp_path / "simulation", np.random.default_rng(5)
    write_run(simulation, "0101p010", "rs0", rng)
    write_run(simulation, "0101p010", "rs300", rng)
    (simulation / "obiwan/010/0101p010/rs300/simcat-elg-0101p010.fits").unlink()
    result = run(tmp_path, survey=survey, simulation=simulation, out=tmp_path / "out", cuts="none")
    assert (result["fake"]["bricks"], result["fake"]["quarantined"]) == (1, 1)
    listed = json.loads((tmp_path / "out/quarantine.json").read_text())["quarantined"]
    assert (listed[0]["run"], listed[0]["brick"]) == ("rs300", "0101p010") and "truth catalogue" in listed[0]["reason"]


def test_a_simulation_of_other_bricks_is_named(survey, tmp_path):
    write_run(tmp_path / "simulation", "0999p010", "rs0", np.random.default_rng(5))
    sentence = run(tmp_path, status=1, survey=survey, simulation=tmp_path / "simulation", out=tmp_path / "out")
    assert "simulation has no run (rs0, ...) of any brick" in sentence


def tree(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not here")
def test_two_ranks_write_what_one_writes(survey, tmp_path):
    rng = np.random.default_rng(5)
    for brick in ("0100p010", "0101p010"):
        write_run(tmp_path / "simulation", brick, "rs0", rng)
    os.truncate(path_of(survey), 20000)
    fields = dict(survey=survey, simulation=tmp_path / "simulation", cuts="none")
    one = run(tmp_path, out=tmp_path / "one", **fields)
    two = run(tmp_path, out=tmp_path / "two", ranks=2, **fields)
    assert one == two and tree(tmp_path / "one") == tree(tmp_path / "two")
    assert len(tree(tmp_path / "one")) == 2 + 2 + 2


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not here")
def test_a_rerun_believes_size_and_time_and_reads_what_has_another_time(survey, tmp_path):
    """A changed byte under an unchanged size and time is not seen: that shows that sources are not read again."""
    path, fields = path_of(survey), {"survey": survey, "out": tmp_path / "out", "cuts": "none", "class": "real"}
    then, whole = os.stat(path), path.read_bytes()
    other = whole[:-3000] + bytes([whole[-3000] ^ 1]) + whole[-2999:]
    assert run(tmp_path, **fields)["real"]["fresh"] == 3
    path.write_bytes(other)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert run(tmp_path, **fields)["real"]["fresh"] == 0
    path.write_bytes(whole)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns + 1))
    assert run(tmp_path, **fields)["real"]["fresh"] == 0, "the same bytes with another time"
    path.write_bytes(other)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns + 1))
    assert run(tmp_path, **fields)["real"]["fresh"] == 1, "other bytes with another time"


def test_every_file_says_what_made_it(survey, tmp_path):
    """Also how decoy's own simulation was made, by its receipt; one that cannot be read costs nothing else."""
    simulation, rng = tmp_path / "simulation", np.random.default_rng(5)
    for run_name, receipt in ("rs0", json.dumps({"made_from": {"kind": "inject", "seed": 7, "psf_scale": 1.2, "survey": "/there", "inputs": []}})), ("rs300", "{"):
        write_run(simulation, "0101p010", run_name, rng)
        path = simulation / f"receipts/010/0101p010-{run_name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(receipt)
    run(tmp_path, survey=survey, simulation=simulation, out=tmp_path / "out", cuts="none")
    manifest = json.loads((tmp_path / "out/cutouts.json").read_text())
    found = {}
    for entry in manifest["files"]:
        with h5py.File(tmp_path / "out" / entry["path"]) as file:
            assert file.attrs["libraries"].decode() == manifest["libraries"] and file.attrs["version"].decode() == manifest["decoy"]
            assert file.attrs["cuts"].decode() == manifest["cuts"] or not manifest["cuts"]
            found[file.attrs["run"].decode()] = file.attrs.get("simulation")
    assert f"HDF5 {'.'.join(map(str, h5py.h5.get_libversion()))}" in manifest["libraries"] and "CFITSIO" in manifest["libraries"]
    assert json.loads(found["rs0"]) == {"kind": "inject", "seed": 7, "psf_scale": 1.2}
    assert found["rs300"] is None and found[""] is None


def test_a_failure_on_two_ranks_ends_both_with_a_sentence(survey, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/real").write_text("in the way")
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"kind": "cutouts", "threads": 1, "fields": {"survey": str(survey), "out": str(tmp_path / "out"), "class": "real"}}))
    words = ["mpirun", "-n", "2", "--oversubscribe", "--mca", "pml", "ob1", WORKER, "--spec", str(path)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **MPI}, timeout=60)
    assert done.returncode != 0 and f"{tmp_path}/out/real" in done.stderr.decode()
