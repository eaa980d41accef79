"""The tool export, run by the client, against what numpy makes of the cutouts, and against a script of the original's
kind on real bricks.

Environment: DECOY, DECOY_WORKER (the programs), SHARED_DATA (real images; without it the synthetic cutouts remain).
"""
import io
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

DECOY, WORKER, DATA = (os.environ[name] for name in ("DECOY", "DECOY_WORKER", "SHARED_DATA"))
PEER = os.path.join(DATA, "..", "peers", "peer_cutouts.py")
CHANNELS = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]


def export(cutouts, out, layout, *more, status=0):
    """Its result, or its sentence."""
    done = subprocess.run([DECOY, "export", cutouts, "--layout", layout, "--out", out, "--json", *more], capture_output=True, text=True, timeout=100)
    assert done.returncode == status, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    return answer if status == 0 else answer["error"]["text"]


def write_cutouts(path, ids, channels=CHANNELS, edge=(), mag=None, seed=1, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    n, rng = len(ids), np.random.default_rng(seed)
    pixels = rng.normal(0, 0.002, (n, 16, 16, len(channels))).astype("f4")
    pixels[..., 1::2] = 400
    pixels[:, 6:10, 5:11, 0] += 2
    with h5py.File(path, "w") as file:
        file["image"] = pixels
        file["image"].attrs["channels"] = channels
        file["id"] = np.asarray(ids, "i8")
        file["type"] = np.full(n, "SER", "S4")
        file["mag_g"] = np.asarray(mag if mag is not None else rng.uniform(20, 24, n), "f4")
        file["edge"] = np.isin(np.arange(n), edge).astype("i8")
        for name, values in more.items():
            file[name] = values
    return pixels


@pytest.fixture
def cutouts(tmp_path):
    """Two real bricks, one fake with two realisations; pixels by the name of the file."""
    root = tmp_path / "cutouts"
    return root, {
        "1234p010": write_cutouts(root / "real/123/1234p010.h5", [70, 71, 72], edge=[1], objid=[7, 3, 5], mag=[22, 21, np.nan]),
        "1235p010": write_cutouts(root / "real/123/1235p010.h5", range(100), seed=2),
        "1234p010-rs0": write_cutouts(root / "fake/123/1234p010-rs0.h5", [0, 1], seed=3),
        "1234p010-rs300": write_cutouts(root / "fake/123/1234p010-rs300.h5", [300, 301], seed=4),
    }


def planes(stamp, first, order=(0, 1, 2)):
    return np.array([stamp[:, :, 2 * b + first] for b in order]).T


def test_dplearn_has_a_group_a_stamp_with_axes_x_y_band(cutouts, tmp_path):
    root, pixels = cutouts
    result = export(root, tmp_path / "out", "dplearn")
    assert (result["real"], result["fake"], result["edge"]) == (103, 4, 1)
    folder = tmp_path / "out/real/hdf5/123/1234p010"
    with h5py.File(folder / "img_ivar_grz.hdf5") as file:
        assert sorted(file) == ["5", "7"]
        for row, name in ((0, "7"), (2, "5")):
            for what, first in (("img", 0), ("ivar", 1)):
                data = file[f"{name}/{what}"]
                assert data.dtype == np.float32 and np.array_equal(data, planes(pixels["1234p010"][row], first))
    with h5py.File(folder / "img_ivar_grz_onedge.hdf5") as file:
        assert list(file) == ["3"] and np.array_equal(file["3/img"], planes(pixels["1234p010"][1], 0))
    with h5py.File(folder / "jpeg_grz.hdf5") as file:
        data = file["7/img"][:]
        assert sorted(file) == ["5", "7"] and data.dtype == np.uint8 and data.shape == (16, 16, 3)
        assert data[7, 7, 2] > data[7, 7, 0] + 100
        assert np.argwhere(data[:, :, 2] > 200).min(0).tolist() == [6, 5]
    table = fits.getdata(folder / "sorted_ids.fits")
    assert list(table["id"]) == [3, 7, 5] and np.allclose(table["mag_g"][:2], [21, 22]) and np.isnan(table["mag_g"][2])


def test_realisations_share_a_file_and_ids_that_clash_are_told_apart(cutouts, tmp_path):
    root, pixels = cutouts
    export(root, tmp_path / "out", "dplearn", "--class", "fake")
    assert not (tmp_path / "out/real").exists()
    with h5py.File(tmp_path / "out/fake/hdf5/123/1234p010/img_ivar_grz.hdf5") as file:
        assert sorted(file, key=int) == ["0", "1", "300", "301"]
        assert np.array_equal(file["301/img"], planes(pixels["1234p010-rs300"][1], 0))
    with h5py.File(tmp_path / "out/fake/hdf5/123/1234p010/jpeg_grz.hdf5") as file:
        together = file["301/img"][:]
    (root / "fake/123/1234p010-rs0.h5").rename(tmp_path / "rs0.h5")
    export(root, tmp_path / "alone", "dplearn", "--class", "fake")
    with h5py.File(tmp_path / "alone/fake/hdf5/123/1234p010/jpeg_grz.hdf5") as file:
        assert np.array_equal(file["301/img"], together), "colours depend on the realisations before"
    (tmp_path / "rs0.h5").rename(root / "fake/123/1234p010-rs0.h5")
    again = write_cutouts(root / "fake/123/1234p010-rs300.h5", [1, 2], seed=5)
    export(root, tmp_path / "out", "dplearn", "--class", "fake")
    with h5py.File(tmp_path / "out/fake/hdf5/123/1234p010/img_ivar_grz.hdf5") as file:
        assert sorted(file, key=int) == ["0", "1", str(2**32 + 1), str(2**32 + 2)]
        assert np.array_equal(file[f"{2**32 + 1}/img"], planes(again[0], 0))


def test_bands_come_in_the_order_of_the_alphabet(tmp_path):
    pixels = write_cutouts(tmp_path / "cutouts/real/000/0001p000.h5", [4], channels=["z", "ivar_z", "r", "ivar_r"])
    export(tmp_path / "cutouts", tmp_path / "out", "dplearn")
    with h5py.File(tmp_path / "out/real/hdf5/000/0001p000/img_ivar_rz.hdf5") as file:
        assert np.array_equal(file["4/img"], planes(pixels[0], 0, (1, 0)))


def test_npy_is_the_image_and_a_table_of_the_columns(cutouts, tmp_path):
    root, pixels = cutouts
    export(root, tmp_path / "out", "npy")
    for name, of in (("1235p010", "real"), ("1234p010-rs300", "fake")):
        assert np.array_equal(np.load(tmp_path / f"out/{of}/123/{name}.npy"), pixels[name])
    table = fits.getdata(tmp_path / "out/real/123/1234p010.fits")
    assert list(table["objid"]) == [7, 3, 5] and list(table["type"]) == ["SER"] * 3 and list(table["edge"]) == [0, 1, 0]


@pytest.mark.parametrize("layout, ending", [("png", "png"), ("jpeg", "jpg")])
def test_pictures_show_the_stamp_north_up(cutouts, tmp_path, layout, ending):
    root, _ = cutouts
    export(root, tmp_path / "out", layout, "--zoom", "2", "--class", "real")
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / f"out/real/123/1234p010/7.{ending}").read_bytes())))
    assert picture.shape == (32, 32, 3)
    rows, columns = np.nonzero(picture[:, :, 2] > 200)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2 * (16 - 10), 2 * 10 - 1, 2 * 5, 2 * 11 - 1)


def test_two_ranks_write_what_one_writes(cutouts, tmp_path):
    root, _ = cutouts
    for layout in ("dplearn", "npy"):
        one, two = tmp_path / f"one-{layout}", tmp_path / f"two-{layout}"
        export(root, one, layout)
        job = tmp_path / "job.json"
        job.write_text(json.dumps({"kind": "export", "fields": {"out": str(two), "cutouts": str(root), "layout": layout}}))
        subprocess.run(os.environ["MPIRUN"].split() + [WORKER, "--spec", job], check=True, stdout=subprocess.DEVNULL, timeout=60,
                       env=dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", ASAN_OPTIONS="detect_leaks=0"))
        files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
        assert len(files) > 5 and files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
        for name in files:
            if name.suffix != ".fits":  # which hold the time
                assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_what_cannot_be_exported_is_said(tmp_path):
    assert "no directory" in export(tmp_path / "none", tmp_path / "out", "npy", status=1)
    (tmp_path / "empty").mkdir()
    assert "there are no cutout files of class real or fake" in export(tmp_path / "empty", tmp_path / "out", "npy", status=1)
    assert "there is cutouts.json in it" in export(tmp_path / "empty", mark(tmp_path / "other"), "npy", status=1)
    write_cutouts(tmp_path / "one/real/000/0001p000.h5", [4], channels=["g", "r"])
    assert "0001p000.h5 has no invvar of band g" in export(tmp_path / "one", tmp_path / "out", "dplearn", status=1)
    (tmp_path / "one/real/000/0001p000.h5").write_bytes(b"torn")
    assert "0001p000.h5" in export(tmp_path / "one", tmp_path / "out", "npy", status=1)
    assert not (tmp_path / "out/export.json").exists()


def mark(directory):
    directory.mkdir()
    (directory / "cutouts.json").write_text("{}")
    return directory


@pytest.mark.skipif(not os.path.exists(PEER), reason="the real images are not here")
def test_dplearn_of_real_bricks_equals_what_the_peer_writes(tmp_path):
    brick = "1350m000"
    (tmp_path / "all.yaml").write_text("description: every row\ncuts:\n  - objid >= 0\n")
    (tmp_path / "bricks").write_text(brick + "\n")
    fields = {"out": f"{tmp_path}/cutouts", "survey": f"{DATA}/kids3", "class": "real", "cuts": f"{tmp_path}/all.yaml", "bricks": f"{tmp_path}/bricks"}
    (tmp_path / "job.json").write_text(json.dumps({"kind": "cutouts", "fields": fields}))
    subprocess.run([WORKER, "--spec", tmp_path / "job.json"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    export(tmp_path / "cutouts", tmp_path / "out", "dplearn")
    subprocess.run([sys.executable, PEER, f"{DATA}/kids3", brick, tmp_path / "peer.h5"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    with h5py.File(tmp_path / "peer.h5") as peer, h5py.File(tmp_path / f"out/real/hdf5/135/{brick}/img_ivar_grz.hdf5") as ours:
        assert len(peer) > 500 and set(peer) == set(ours)
        for name in peer:
            for what in ("img", "ivar"):
                a, b = peer[name][what][:], ours[name][what][:]
                assert a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes(), (name, what)


def test_stamps_at_a_users_places_go_by_the_users_ids(tmp_path):
    path = tmp_path / "cutouts/real/123/1234p010.h5"
    write_cutouts(path, [70, 71], objid=[0, 0])  # neither is a measured source
    with h5py.File(path, "a") as file:
        file.attrs["select"] = "given"
    export(tmp_path / "cutouts", tmp_path / "out", "dplearn", "--class", "real")
    with h5py.File(next(tmp_path.glob("out/**/img_ivar_grz.hdf5"))) as file:
        assert sorted(file) == ["70", "71"]
