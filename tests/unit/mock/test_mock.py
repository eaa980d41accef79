"""The job kind mock, run as decoyd runs it, looked at with astropy.

Environment: DECOY_WORKER (the program).
"""
import glob
import hashlib
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.spatial import cKDTree

WORKER = os.environ["DECOY_WORKER"]
# Open MPI leaks by itself, so only runs without it are checked for leaks where the worker was built to be.
MPI = dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", ASAN_OPTIONS="detect_leaks=0")


def run(directory, kind="mock", status=0, ranks=1, **fields):
    """Runs one job; its result, or on failure its last sentence."""
    path = directory / "job.json"
    path.write_text(json.dumps({"kind": kind, "threads": 1, "fields": {k: str(v) if "/" in str(v) else v for k, v in fields.items()}}))
    words = [WORKER, "--spec", str(path)]
    if ranks > 1:
        words = ["mpirun", "-n", str(ranks), "--oversubscribe", "--mca", "pml", "ob1"] + words
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(MPI if ranks > 1 else {})}, timeout=200)
    assert done.returncode == status, done.stderr.decode()
    return json.loads(done.stdout) if status == 0 else done.stderr.decode().strip().splitlines()[-1]


def digest(root):
    """Of every file but the receipts, which hold paths."""
    return {os.path.relpath(p, root): hashlib.sha256(open(p, "rb").read()).hexdigest()
            for p in glob.glob(f"{root}/**", recursive=True) if os.path.isfile(p) and "/receipts/" not in p}


def plane(path):
    with fits.open(path) as hdus:
        hdus.verify("exception")
        return hdus[1].header, np.asarray(hdus[1].data, dtype=float)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    root = tmp_path_factory.mktemp("mock")
    result = run(root, out=root / "s", bricks=3, size=700, seed=4)
    assert result["made"] == 3 and result["quarantined"] == 0
    return root / "s"


def bricks(survey):
    return [str(n) for n in fits.getdata(survey / "survey-bricks.fits.gz", 1)["brickname"]]


def catalogue(survey, brick):
    return fits.getdata(survey / f"tractor/{brick[:3]}/tractor-{brick}.fits", 1)


def truth(survey, brick):
    return fits.getdata(survey / f"truth/{brick[:3]}/truth-{brick}.fits", 1)


def test_layout_is_a_surveys(survey):
    for brick in bricks(survey):
        for band in "grz":
            for kind, unit in (("image", "nanomaggy"), ("invvar", "1/nanomaggy^2")):
                header, data = plane(survey / f"coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-{kind}-{band}.fits.fz")
                assert data.shape == (700, 700) and np.isfinite(data).all()
                assert header["BUNIT"] == unit and header["BRICKNAM"] == brick and header["BAND"] == band
                assert header["MAGZERO"] == 22.5 and header["CRPIX1"] == 350.5
        with fits.open(survey / f"coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-image-g.fits.fz", disable_image_compression=True) as hdus:
            assert hdus[1].header["ZCMPTYPE"] == "RICE_1" and hdus[1].header["ZQUANTIZ"] == "SUBTRACTIVE_DITHER_2"
            assert (hdus[1].header["ZTILE1"], hdus[1].header["ZTILE2"]) == (100, 100)


def test_positions_agree_with_the_wcs_of_the_images(survey):
    brick = bricks(survey)[0]
    header, _ = plane(survey / f"coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-image-r.fits.fz")
    rows = catalogue(survey, brick)
    x, y = WCS(header).all_world2pix(rows["ra"], rows["dec"], 0)
    assert np.abs(x - rows["bx"]).max() < 1e-6 and np.abs(y - rows["by"]).max() < 1e-6


def test_noise_is_what_invvar_says(survey):
    for brick in bricks(survey):
        for band in "grz":
            stem = f"{survey}/coadd/{brick[:3]}/{brick}/legacysurvey-{brick}"
            image, invvar = plane(f"{stem}-image-{band}.fits.fz")[1], plane(f"{stem}-invvar-{band}.fits.fz")[1]
            assert (image[invvar == 0] == 0).all() and (invvar >= 0).all()
            noise = (image * np.sqrt(invvar))[(invvar > 0) & (image < 0)]  # sources add to positive pixels alone
            assert abs(np.sqrt((noise ** 2).mean()) - 1) < 0.02


def test_depth_is_the_one_asked_for_and_varies(survey):
    depths = {band: np.concatenate([22.5 - 2.5 * np.log10(5 / np.sqrt(catalogue(survey, b)[f"psfdepth_{band}"])) for b in bricks(survey)]) for band in "grz"}
    for band, wanted in zip("grz", (24.9, 24.3, 23.4)):
        assert abs(np.median(depths[band]) - wanted) < 0.3 and depths[band].std() > 0.02


def test_what_is_bright_is_found_and_measured_right(survey):
    found = total = spurious = rows_total = 0
    ratios = {band: [] for band in "grz"}
    for brick in bricks(survey):
        rows, sources = catalogue(survey, brick), truth(survey, brick)
        exposed = np.ones(len(sources), bool)
        for band in "grz":
            invvar = plane(survey / f"coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-invvar-{band}.fits.fz")[1]
            x, y = np.rint(sources["x"]).astype(int), np.rint(sources["y"]).astype(int)
            inside = (x >= 5) & (x < 695) & (y >= 5) & (y < 695)
            exposed &= inside & (invvar[np.clip(y, 0, 699), np.clip(x, 0, 699)] > 0)
        bright = exposed & (sources["gflux"] > 10 ** (0.4 * (22.5 - 23.8)))
        near = cKDTree(np.c_[sources["x"], sources["y"]])
        alone = np.array([len(p) == 1 for p in near.query_ball_point(np.c_[sources["x"], sources["y"]], 12)])
        pick = np.where(bright & alone & ~sources["star"])[0]
        distance, row = cKDTree(np.c_[rows["bx"], rows["by"]]).query(np.c_[sources["x"], sources["y"]][pick])
        total += len(pick)
        found += (distance < 2.5).sum()
        for band in "grz":
            ratios[band] += list(rows[f"flux_{band}"][row[distance < 2.5]] / sources[f"{band}flux"][pick][distance < 2.5])
        spurious += (near.query(np.c_[rows["bx"], rows["by"]])[0] > 6).sum()
        rows_total += len(rows)
    assert total > 80 and found / total > 0.98
    assert spurious / rows_total < 0.01
    for band in "grz":
        assert abs(np.median(ratios[band]) - 1) < 0.04


def test_seed_and_names_alone_decide_the_bytes(survey, tmp_path):
    run(tmp_path, out=tmp_path / "again", bricks=3, size=700, seed=4, ranks=2)
    assert digest(tmp_path / "again") == digest(survey)
    run(tmp_path, out=tmp_path / "other", bricks=1, size=256, seed=5)
    run(tmp_path, out=tmp_path / "another", bricks=1, size=256, seed=6)
    assert digest(tmp_path / "other") != digest(tmp_path / "another")


def test_a_rerun_makes_what_lacks_or_was_changed(tmp_path):
    out = tmp_path / "s"
    first = run(tmp_path, out=out, bricks=3, size=200)
    before = digest(out)
    assert (first["made"], first["kept"]) == (3, 0)
    again = run(tmp_path, out=out, bricks=3, size=200)
    assert (again["made"], again["kept"]) == (0, 3) and again["detected"] == first["detected"]
    image = glob.glob(f"{out}/coadd/*/*/*image-r.fits.fz")[0]
    with open(image, "r+b") as file:
        file.seek(9000)
        file.write(b"torn")
    os.remove(glob.glob(f"{out}/tractor/*/*.fits")[-1])
    mended = run(tmp_path, out=out, bricks=3, size=200)
    assert mended["made"] in (1, 2) and digest(out) == before


def test_a_directory_with_another_survey_is_refused(tmp_path):
    run(tmp_path, out=tmp_path / "s", bricks=4, size=128)
    before = digest(tmp_path / "s")
    assert "made with another seed: 1, not 2" in run(tmp_path, status=1, out=tmp_path / "s", bricks=4, size=128, seed=2)
    shutil.rmtree(tmp_path / "s/receipts")
    assert "already holds brick" in run(tmp_path, status=1, out=tmp_path / "s", bricks=1, size=128)
    assert digest(tmp_path / "s") == before


def test_no_room_is_one_sentence_and_no_torn_file(tmp_path):
    """A limit on file size stands for a full disk."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"kind": "mock", "fields": {"out": str(tmp_path / "s"), "bricks": 1, "size": 512}}))
    done = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 100; exec {WORKER} --spec {path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert b"legacysurvey-" in done.stderr and b"File too large" in done.stderr
    assert not [p for p in glob.glob(f"{tmp_path}/s/**/*fits*", recursive=True)]
