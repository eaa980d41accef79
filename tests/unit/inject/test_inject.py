"""The job kind inject, run as decoyd runs it. Its heart: with nothing spoiled no statistic of stamps or catalogue
tells fakes from the galaxies of the mock they were put into, and each spoil shows in the statistic it should.

Environment: DECOY_WORKER (the program), SHARED_DATA (real images; without it those tests are skipped).
"""
import glob
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits
from scipy import stats
from scipy.spatial import cKDTree

WORKER, DATA = os.environ["DECOY_WORKER"], os.environ["SHARED_DATA"]
MPI = dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", ASAN_OPTIONS="detect_leaks=0")
GAIN, SCALE = 10000.0, 0.262
real_data = pytest.mark.skipif(not os.path.isdir(DATA), reason="the real images are not here")


def run(directory, kind, status=0, ranks=1, **fields):
    """Runs one job; its result, or on failure its last sentence."""
    path = directory / "job.json"
    path.write_text(json.dumps({"kind": kind, "threads": 1, "fields": {k: str(v) if "/" in str(v) else v for k, v in fields.items()}}))
    words = [WORKER, "--spec", str(path)]
    if ranks > 1:
        words = ["mpirun", "-n", str(ranks), "--oversubscribe", "--mca", "pml", "ob1"] + words
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(MPI if ranks > 1 else {})}, timeout=1000)
    assert done.returncode == status, done.stderr.decode()
    return json.loads(done.stdout) if status == 0 else done.stderr.decode().strip().splitlines()[-1]


def planes(root, brick, rs="", bands="grz"):
    stem = os.path.join(f"{root}/coadd/{brick[:3]}/{brick}", rs, f"legacysurvey-{brick}")
    return {(kind, band): fits.getdata(f"{stem}-{kind}-{band}.fits.fz", 1).astype(float) for kind in ("image", "invvar") for band in bands}


def names(root):
    return sorted(os.path.basename(p) for p in glob.glob(f"{root}/coadd/*/*"))


def table(path):
    return fits.getdata(path, 1)


def catalogue(root, brick, rs=""):
    return table(os.path.join(f"{root}/tractor/{brick[:3]}", f"{brick}/{rs}" if rs else "", f"tractor-{brick}.fits"))


def simcat(root, brick, rs="rs0"):
    return table(f"{root}/obiwan/{brick[:3]}/{brick}/{rs}/simcat-elg-{brick}.fits")


def passes_elg(rows, side):
    """The cuts that matter here of formats.md, and a whole stamp."""
    with np.errstate(invalid="ignore", divide="ignore"):
        g, r, z = (22.5 - 2.5 * np.log10(rows[f"flux_{b}"] / rows[f"mw_transmission_{b}"]) for b in "grz")
    exposed = np.all([rows[f"nobs_{b}"] >= 1 for b in "grz"], axis=0) & rows["brick_primary"]
    a, b = np.arctan(1.15), np.arctan(1.2)
    box = (g - r <= 1.15 * (r - z + 0.5 * np.sin(a)) - 0.15 + 0.5 * np.cos(a)) & (g - r <= -1.2 * (r - z - 0.5 * np.sin(b)) + 1.6 + 0.5 * np.cos(b))
    bright = (g < 24.5) & (r < 23.9) & (z < 23.0) & (g > 20.6766) & (r > 20.4659) & (z > 19.4391)
    x, y = rows["bx"].astype(int), rows["by"].astype(int)
    whole = (x >= 32) & (x <= side - 32) & (y >= 32) & (y <= side - 32)
    return exposed & box & bright & whole & (r - z > -0.2) & (r - z < 2.1)


def statistics(rows, pick, pixels):
    """Of each picked row; mean stamps of r in noise units and of invvar in units of its median."""
    near = cKDTree(np.c_[rows["bx"], rows["by"]])
    neighbours = np.array([len(p) - 1 for p in near.query_ball_point(np.c_[rows["bx"], rows["by"]], 32)])
    values, images, invvars = [], [], []
    for i in np.where(pick)[0]:
        x, y = int(rows["bx"][i]), int(rows["by"][i])
        image, invvar = (pixels[kind, "r"][y - 32:y + 32, x - 32:x + 32] for kind in ("image", "invvar"))
        rim = np.r_[image[:6].ravel(), image[-6:].ravel()]
        middle = max(np.median(invvar), 1e-9)
        images.append(np.clip(image * np.sqrt(middle), -10, 10))
        invvars.append(np.clip(invvar / middle - 1, -1, 1))
        values.append([22.5 - 2.5 * np.log10(rows["flux_" + b][i]) for b in "grz"] + [
            rows["shape_r"][i], rows["bx"][i] % 1, rows["by"][i] % 1, rows["bx"][i], rows["by"][i], rows["psfdepth_r"][i], rows["nobs_r"][i], rows["snr"][i],
            np.median(rim), rim.std(), image[30:35, 30:35].max() / rows["flux_r"][i], invvar[31:34, 31:34].mean() / middle, neighbours[i]])
    return values, images, invvars


STATISTICS = ["g", "r", "z", "size", "phase x", "phase y", "x", "y", "depth", "nobs", "snr", "sky", "rim noise", "peak", "invvar dip", "neighbours"]


def found_fakes(rows, sources, survey_rows):
    """Rows that are fakes: within an arcsec of one, and not nearer to a row of the survey's own catalogue: of two
    galaxies seen as one, one is counted, here as among reals."""
    distance, row = cKDTree(np.c_[rows["bx"], rows["by"]]).query(np.c_[sources["x"], sources["y"]])
    own, _ = cKDTree(np.c_[survey_rows["bx"], survey_rows["by"]]).query(np.c_[rows["bx"], rows["by"]][row])
    fake = np.zeros(len(rows), bool)
    fake[row[(distance < 1 / SCALE) & (distance < own)]] = True
    return fake


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A mock, fakes put into it, and both classes' statistics."""
    root = tmp_path_factory.mktemp("alike")
    run(root, "mock", out=root / "s", bricks=9, seed=21)
    run(root, "inject", out=root / "i", survey=root / "s", seed=22)
    real, fake = ([], [], []), ([], [], [])
    for brick in names(root / "s"):
        survey_rows, rows = catalogue(root / "s", brick), catalogue(root / "i", brick, "rs0")
        got = statistics(survey_rows, passes_elg(survey_rows, 1024), planes(root / "s", brick, bands="r"))
        for whole, part in zip(real, got):
            whole += part
        got = statistics(rows, passes_elg(rows, 1024) & found_fakes(rows, simcat(root / "i", brick), survey_rows), planes(root / "i", brick, "rs0", "r"))
        for whole, part in zip(fake, got):
            whole += part
    return [np.array(part) for part in real], [np.array(part) for part in fake]


def test_there_are_enough_of_both(classes):
    (real, *_), (fake, *_) = classes
    assert len(real) > 1100 and len(fake) > 1500


@pytest.mark.parametrize("name", STATISTICS)
def test_no_statistic_tells_fakes_from_reals(classes, name):
    (real, *_), (fake, *_) = classes
    column = STATISTICS.index(name)
    distance, chance = stats.ks_2samp(real[:, column], fake[:, column])
    assert chance > 0.002, f"{name}: KS distance {distance:.3f}, by chance {chance:.2g}"


@pytest.mark.parametrize("kind", [1, 2], ids=["image", "invvar"])
def test_mean_stamps_are_the_same_about_the_centre(classes, kind):
    real, fake = classes[0][kind], classes[1][kind]
    if kind == 2:  # a chip's edge is shared by many stamps: without those that one crosses, stamps are independent
        real, fake = (part[np.abs(np.percentile(part, [10, 90], axis=(1, 2))).max(axis=0) < 0.02] for part in (real, fake))
        assert len(real) > 200
    noise = np.sqrt(real.var(axis=0) / len(real) + fake.var(axis=0) / len(fake))
    score = ((real.mean(axis=0) - fake.mean(axis=0)) / noise)[26:39, 26:39]
    assert np.abs(score).max() < 4.5, np.abs(score).max()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A small mock of bright galaxies alone, and fakes in it with nothing spoiled."""
    root = tmp_path_factory.mktemp("pair")
    run(root, "mock", out=root / "s", bricks=1, seed=31, size=800, galaxies=3, stars=0.2)
    run(root, "inject", out=root / "i", survey=root / "s", seed=32)
    return root


def spoiled(pair, tmp_path, **spoil):
    run(tmp_path, "inject", out=tmp_path / "x", survey=pair / "s", seed=32, **spoil)
    brick = names(pair / "s")[0]
    before, after = ((planes(root, brick, "rs0"), catalogue(root, brick, "rs0")) for root in (pair / "i", tmp_path / "x"))
    sources = simcat(pair / "i", brick)
    assert (np.array(simcat(tmp_path / "x", brick).tolist()) == np.array(sources.tolist())).all()  # the catalogue of fakes knows nothing of it
    return planes(pair / "s", brick), before, after, sources[(sources["rflux"] > 1) & (np.abs(sources["x"] - 400) < 360) & (np.abs(sources["y"] - 400) < 360)]


def matched(rows, sources):
    distance, row = cKDTree(np.c_[rows["bx"], rows["by"]]).query(np.c_[sources["x"], sources["y"]])
    return rows[row], distance < 2


def test_shot_noise_and_invvar_are_of_the_light_added(pair, tmp_path):
    """The light itself is known from a run without noise."""
    survey, (noisy, _), (smooth, _), _ = spoiled(pair, tmp_path, no_noise=True)
    drawn = []
    for band in "grz":
        light = smooth["image", band] - survey["image", band]
        good = (survey["invvar", band] > 0) & (light > 0.01)
        noise = (noisy["image", band] - smooth["image", band])[good] / np.sqrt(light[good] / GAIN)
        drawn.append(noise)
        error = 1 / np.sqrt(noise.size)
        assert abs(noise.std() - 1) < 0.01 + 4 * error and abs(noise.mean()) < 4 * error
        added = 1 / noisy["invvar", band][good] - 1 / survey["invvar", band][good]
        assert abs(np.median(added / (light[good] / GAIN)) - 1) < 0.02
        unexposed = survey["invvar", band] == 0
        assert (noisy["invvar", band][unexposed] == 0).all() and (noisy["image", band][unexposed] == 0).all()
    drawn = np.concatenate(drawn)
    assert abs(drawn.std() - 1) < 0.03 and abs(drawn.mean()) < 0.03


def test_invvar_dip_is_as_deep_as_asked(pair, tmp_path):
    survey, (before, _), (after, _), sources = spoiled(pair, tmp_path, invvar_dip=0.3)
    for band in "grz":
        x, y = np.rint(sources["x"]).astype(int), np.rint(sources["y"]).astype(int)
        old, new, sky = before["invvar", band][y, x], after["invvar", band][y, x], survey["invvar", band][y, x]
        good = old > 0
        expected = 1 / (1 / (sky * 0.7) + 1 / old - 1 / sky)  # at the peak; a source between pixels is a little above
        assert np.median(np.abs(new / expected - 1)[good]) < 0.02
        step = 1 / np.sqrt(np.median(sky)) / 32  # of the files
        assert np.abs(before["image", band] - after["image", band]).max() < 2 * step


def test_shift_moves_light_and_not_catalogues(pair, tmp_path):
    survey, (before, rows_before), (after, rows_after), sources = spoiled(pair, tmp_path, shift_px=1)
    for rows in (rows_before, rows_after):
        row, good = matched(rows, sources)
        assert good.mean() > 0.9
        assert abs(np.median((row["bx"] - sources["x"])[good])) < 0.05 and abs(np.median((row["by"] - sources["y"])[good])) < 0.05
    moved = []
    for source in sources:
        x, y = int(source["x"]), int(source["y"])
        cut = np.s_[y - 12:y + 13, x - 12:x + 13]
        grid = np.mgrid[-12:13, -12:13]
        centres = [[(grid[a] * p["image", "r"][cut]).sum() / p["image", "r"][cut].sum() for a in (0, 1)] for p in ({("image", "r"): q["image", "r"] - survey["image", "r"]} for q in (before, after))]
        moved.append(np.subtract(centres[1], centres[0]))
    assert np.abs(np.median(moved, axis=0) - 1).max() < 0.05


def test_flux_scale_shows_in_measured_flux(pair, tmp_path):
    _, (_, before), (_, after), sources = spoiled(pair, tmp_path, flux_scale=1.1)
    old, new = matched(before, sources), matched(after, sources)
    good = old[1] & new[1]
    assert abs(np.median((new[0]["flux_r"] / old[0]["flux_r"])[good]) - 1.1) < 0.01


def test_size_scale_shows_in_measured_size(pair, tmp_path):
    _, (_, before), (_, after), sources = spoiled(pair, tmp_path, size_scale=1.5)
    old, new = matched(before, sources), matched(after, sources)
    good = old[1] & new[1] & (old[0]["shape_r"] > 0.25)
    assert abs(np.median(new[0]["shape_r"][good] / old[0]["shape_r"][good]) - 1.5) < 0.15


def test_psf_scale_shows_in_the_peak(pair, tmp_path):
    survey, (before, _), (after, _), sources = spoiled(pair, tmp_path, psf_scale=0.7)
    ratios = []
    for source in sources:
        cut = np.s_[int(source["y"]) - 3:int(source["y"]) + 4, int(source["x"]) - 3:int(source["x"]) + 4]
        ratios.append((after["image", "r"] - survey["image", "r"])[cut].max() / (before["image", "r"] - survey["image", "r"])[cut].max())
    assert 1.2 < np.median(ratios) < 2.05


def test_realisations_have_other_fakes_and_ranks_change_nothing(pair, tmp_path):
    run(tmp_path, "inject", out=tmp_path / "x", survey=pair / "s", seed=32, realisations=2, per_brick=20, ranks=2)
    run(tmp_path, "inject", out=tmp_path / "y", survey=pair / "s", seed=32, realisations=1, per_brick=20)
    brick = names(pair / "s")[0]
    first, second = simcat(tmp_path / "x", brick, "rs0"), simcat(tmp_path / "x", brick, "rs20")
    assert len(first) == len(second) == 20 and not np.isin(first["x"], second["x"]).any() and not np.isin(first["gflux"], second["gflux"]).any()
    for path in glob.glob(f"{tmp_path}/y/[cot]*/*/*/rs0/*"):
        assert open(path, "rb").read() == open(path.replace("/y/", "/x/"), "rb").read()


def test_a_bad_brick_is_quarantined_and_the_others_go_on(tmp_path):
    run(tmp_path, "mock", out=tmp_path / "s", bricks=4, size=200)
    bricks = names(tmp_path / "s")
    torn = glob.glob(f"{tmp_path}/s/coadd/*/{bricks[0]}/*image-r*")[0]
    with open(torn, "r+b") as file:
        file.truncate(os.path.getsize(torn) // 2)
    os.remove(f"{tmp_path}/s/tractor/{bricks[1][:3]}/tractor-{bricks[1]}.fits")
    os.remove(glob.glob(f"{tmp_path}/s/coadd/*/{bricks[2]}/*invvar-z*")[0])
    assert "3 of 4 bricks could not be done" in run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=tmp_path / "s")
    result = run(tmp_path, "inject", out=tmp_path / "i", survey=tmp_path / "s", max_bad=0.8)
    assert (result["made"], result["kept"], result["quarantined"]) == (0, 1, 3)
    reasons = {q["brick"]: q["reason"] for q in json.load(open(tmp_path / "i/quarantine.json"))["quarantined"]}
    assert "image-r" in reasons[bricks[0]] and "catalogue" in reasons[bricks[1]] and "invvar in band z" in reasons[bricks[2]]
    run(tmp_path, "mock", out=tmp_path / "s", bricks=4, size=200)
    result = run(tmp_path, "inject", out=tmp_path / "i", survey=tmp_path / "s")
    assert (result["made"], result["kept"], result["quarantined"]) == (3, 1, 0) and not os.path.exists(tmp_path / "i/quarantine.json")


def test_runs_of_other_parameters_do_not_mix(pair, tmp_path):
    same = {"out": tmp_path / "x", "survey": pair / "s", "seed": 32, "per_brick": 20}
    run(tmp_path, "inject", realisations=2, **same)
    assert "made with another psf_scale: 1.0, not 0.7" in run(tmp_path, "inject", status=1, realisations=2, psf_scale=0.7, **same)
    assert "already holds brick" in run(tmp_path, "inject", status=1, **same)
    more = run(tmp_path, "inject", realisations=3, ranks=2, **same)
    assert (more["made"], more["kept"]) == (1, 2)


def test_bad_input_is_one_sentence(pair, tmp_path):
    (tmp_path / "p.csv").write_text("g,r,z,rhalf\n23,22,21,0.5\n23,22,nan,0.5\n")
    assert "p.csv:3: z is" in run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=pair / "s", prior=tmp_path / "p.csv")
    assert str(tmp_path) in run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=tmp_path)
    assert "is a simulation" in run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=pair / "i")
    assert "min_separation" in run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=pair / "s", min_separation=0)


def test_a_survey_without_psf_sizes_is_quarantined_by_column(pair, tmp_path):
    shutil.copytree(pair / "s", tmp_path / "s")
    path = glob.glob(f"{tmp_path}/s/tractor/*/*.fits")[0]
    rows = fits.open(path)
    columns = fits.ColDefs([c for c in rows[1].columns if c.name != "psfsize_r"])
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)
    sentence = run(tmp_path, "inject", status=1, out=tmp_path / "i", survey=tmp_path / "s")
    assert "psfsize_r" in sentence and os.path.basename(path) in sentence


@real_data
def test_a_real_survey_takes_a_real_prior(tmp_path):
    prior = f"{DATA}/elg-prior/eboss_elg_dr3deep2_EXP.csv"
    result = run(tmp_path, "inject", out=tmp_path / "i", survey=f"{DATA}/kids3", prior=prior, min_separation=60)
    assert result["made"] == 3 and result["fakes"] == 3 * 21 * 21
    brick = names(tmp_path / "i")[0]
    rows, sources = catalogue(tmp_path / "i", brick, "rs0"), simcat(tmp_path / "i", brick)
    row, good = matched(rows, sources)
    assert good.mean() > 0.85
    assert abs(np.median((row["flux_r"] / sources["rflux"])[good]) - 1) < 0.06
    assert np.abs(np.median((row["ra"] - sources["ra"])[good])) * 3600 < 0.02
    survey, added = planes(f"{DATA}/kids3", brick, bands="g"), planes(tmp_path / "i", brick, "rs0", "g")
    assert added["image", "g"].shape == (1300, 1300) and (added["invvar", "g"] <= survey["invvar", "g"] * 1.001).all()
