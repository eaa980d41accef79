"""The tool gallery, run by the client on cutouts and datasets made here.

Environment: DECOY, DECOY_WORKER (the programs).
"""
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
from PIL import Image

DECOY, WORKER = os.environ["DECOY"], os.environ["DECOY_WORKER"]
GRZ = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]


def gallery(stamps, out, *more, status=0):
    """gallery.json, or the sentence."""
    done = subprocess.run([DECOY, "gallery", stamps, "--out", out, "--json", *more], capture_output=True, text=True, timeout=50)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads((out / "gallery.json").read_text()) if status == 0 else json.loads(done.stdout)["error"]["text"]


def write_cutouts(root, name, brick, mag, channels=GRZ, band="g", light=1):
    """Stamps whose middle is as bright as `light`; objid and id are 1e6 times the magnitude."""
    path = root / name / brick[:3] / f"{brick}{'-rs0' if name == 'fake' else ''}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    n, rng = len(mag), np.random.default_rng(list((name + brick).encode()))
    pixels = rng.normal(0, 0.05, (n, 16, 16, len(channels))).astype("f4")
    pixels[..., 1::2] = 400
    pixels[:, 6:10, 6:10, 0::2] += light
    with h5py.File(path, "w") as file:
        file["image"] = pixels
        file["image"].attrs["channels"] = channels
        file["objid" if name == "real" else "id"] = np.rint(1e6 * np.asarray(mag)).astype("i8")
        file["brickname"] = np.full(n, brick, "S8")
        if band:
            file[f"mag_{band}"] = np.asarray(mag, "f4")


@pytest.fixture
def cutouts(tmp_path):
    rng = np.random.default_rng(1)
    for b in range(9):
        write_cutouts(tmp_path / "cutouts", "real", f"000{b}p000", rng.uniform(19, 23, 40))
        write_cutouts(tmp_path / "cutouts", "fake", f"000{b}p000", rng.uniform(21, 25, 30))
    return tmp_path / "cutouts"


def magnitudes(root, name, band="g"):
    return np.concatenate([h5py.File(path)[f"mag_{band}"][:] for path in sorted((root / name).rglob("*.h5"))])


def test_pairs_are_the_nearest_to_the_percentiles_and_alike(cutouts, tmp_path):
    made = gallery(cutouts, tmp_path / "out", "--percentiles", "5,50,95", "--examples", "3")
    real, fake = magnitudes(cutouts, "real"), magnitudes(cutouts, "fake")
    both = np.concatenate([real, fake])
    assert made["band"] == "g" and made["examples"] == len(both)
    for picture, percentile in zip(made["pictures"], (5, 50, 95)):
        target = np.percentile(both.astype(float), percentile)
        assert picture["mag"] == pytest.approx(target, abs=1e-6) and picture["picture"] == f"p{percentile:02d}.png"
        shown = {name: [i / 1e6 for of, i in picture["shown"] if of == name] for name in ("real", "fake")}
        assert np.allclose(shown["fake"], fake[np.argsort(np.abs(fake - target), kind="stable")[:3]], atol=1e-5)
        assert len(set(shown["real"])) == 3
        for r, f in zip(shown["real"], shown["fake"]):
            assert abs(r - f) < np.sort(np.abs(real - f))[2] + 1e-5, "no nearer real one but those in use"
        assert Image.open(tmp_path / "out" / picture["picture"]).size[0] > 14 * 16
    page = (tmp_path / "out/gallery.html").read_text()
    assert page.count("data:image/png;base64,") == 3 and made["pictures"][1]["caption"] in page


@pytest.mark.parametrize("orientation", ["image", "dplearn"])
def test_dataset_shows_what_its_cutouts_do(cutouts, tmp_path, orientation):
    fields = {"out": f"{tmp_path}/dataset", "cutouts": str(cutouts), "classes": "natural", "orientation": orientation}
    job = {"kind": "split", "fields": fields}
    (tmp_path / "job.json").write_text(json.dumps(job))
    subprocess.run([WORKER, "--spec", tmp_path / "job.json"], check=True, stdout=subprocess.DEVNULL, timeout=50)
    one, two = gallery(cutouts, tmp_path / "one"), gallery(tmp_path / "dataset", tmp_path / "two")
    assert [p["mag"] for p in one["pictures"]] == [p["mag"] for p in two["pictures"]]
    for name in ("p01.png", "p50.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_one_class_alone_is_a_single_column(tmp_path):
    write_cutouts(tmp_path / "cutouts", "real", "0001p000", [20, 21, 22])
    made = gallery(tmp_path / "cutouts", tmp_path / "out", "--examples", "2", "--percentiles", "0")
    assert made["pictures"][0]["shown"] == [["real", 20000000], ["real", 21000000]]
    assert "there are no fakes" in made["pictures"][0]["caption"]


@pytest.mark.parametrize("channels, panels", [(["r", "ivar_r"], 3), (["g", "ivar_g", "r", "ivar_r", "i", "ivar_i", "z", "ivar_z"], 9), (["g", "r"], 3)])
def test_any_bands_are_shown_with_the_magnitude_there_is(tmp_path, channels, panels):
    for name in ("real", "fake"):
        write_cutouts(tmp_path / "cutouts", name, "0001p000", [20, 21, 22], channels, "r")
    made = gallery(tmp_path / "cutouts", tmp_path / "out", "--percentiles", "50")
    assert made["band"] == "r"
    assert Image.open(tmp_path / "out/p50.png").size[0] == 20 + 2 * (124 + panels * 131) + 24


def test_stamps_without_magnitudes_are_shown_as_they_come(tmp_path):
    for name in ("real", "fake"):
        write_cutouts(tmp_path / "cutouts", name, "0001p000", [20, 21, 22], band=None)
    made = gallery(tmp_path / "cutouts", tmp_path / "out", "--examples", "2")
    assert made["band"] is None and [p["picture"] for p in made["pictures"]] == ["first.png"]
    assert made["pictures"][0]["shown"] == [["real", 20000000], ["fake", 20000000], ["real", 21000000], ["fake", 21000000]]


def test_what_cannot_be_shown_is_said(cutouts, tmp_path):
    assert "there is no directory" in gallery(tmp_path / "none", tmp_path / "out", status=1)
    assert "numbers from 0 to 100" in gallery(cutouts, tmp_path / "out", "--percentiles", "1,200", status=1)
    assert "cutouts.json" in gallery(cutouts, cutouts_like(tmp_path / "other"), status=1)
    (tmp_path / "empty/real").mkdir(parents=True)
    assert "has no stamps" in gallery(tmp_path / "empty", tmp_path / "out", status=1)
    write_cutouts(cutouts, "real", "0009p000", [20], ["g", "ivar_g"])
    assert "0009p000.h5 has stamps of another size or other channels" in gallery(cutouts, tmp_path / "out", status=1)


def cutouts_like(directory):
    directory.mkdir()
    (directory / "cutouts.json").write_text("{}")
    return directory
