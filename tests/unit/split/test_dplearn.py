"""The original's files: its cutouts as input of split, and its dataset layout. argv[1] is decoy-worker.

Files are made here by h5py as create_training.py does: a group an object, img and ivar, chunked, transposed, as FITS planes
come, big-endian."""
import os
import subprocess
import tempfile

import h5py
import numpy as np
from astropy.table import Table
from harness import command, examples, read, refuse, split

SIDE = 64
random = np.random.default_rng(5)


def write_brick(root, brick, ids, side=SIDE, suffix=""):
    """{id: (img, ivar)} with planes as [band, y, x]."""
    stamps = {}
    folder = f"{root}/hdf5/{brick[:3]}/{brick}"
    os.makedirs(folder, exist_ok=True)
    with h5py.File(f"{folder}/img_ivar_grz{suffix}.hdf5", "w") as f:
        for number in ids:
            stamps[number] = [random.normal(size=(3, side, side)).astype(">f4") for _ in range(2)]
            for name, planes in zip(("img", "ivar"), stamps[number]):
                f.create_dataset(f"{number}/{name}", chunks=True, data=planes.T)
    with h5py.File(f"{folder}/jpeg_grz.hdf5", "w") as f:
        f.create_dataset(f"{ids[0]}/img", data=np.zeros((SIDE, SIDE, 3), "u1"))
    if not suffix:
        Table({"id": np.array(ids[::-1]), "mag_g": 20 + np.array(ids[::-1]) / 100}).write(f"{folder}/sorted_ids.fits", overwrite=True)
    return stamps


with tempfile.TemporaryDirectory() as directory:
    truth = {}
    for label, name in enumerate(("real", "fake")):
        for b in range(4):
            brick = f"{1200 + b}p077"
            made = write_brick(f"{directory}/{name}s", brick, [int(i) for i in random.permutation(40)[:20] * (10 ** b)])
            made.update(write_brick(f"{directory}/{name}s", brick, [777777 + b], suffix="_onedge"))
            truth.update({(brick, label, number): planes for number, planes in made.items()})
    write_brick(f"{directory}/reals", "1203p077", [5], SIDE + 1, "_onedge")  # the original's own: a pixel too large
    truth = {key: planes for key, planes in truth.items() if key != ("1203p077", 0, 777780)}

    given = {"real": f"{directory}/reals", "fake": f"{directory}/fakes", "test": 0.25, "valid": 0.25, "shard": 32}
    for orientation in "image", "dplearn":
        out = f"{directory}/{orientation}"
        split(out, classes="natural", orientation=orientation, **given)
        rows = list(examples(out))
        assert len(rows) == len(truth) and read(out)[0]["left_out"] == 1
        for row in rows:
            planes = truth[row["brickname"].decode(), row["y"], row["id"]]
            stacked = np.stack([plane.T for plane in planes], axis=-1).reshape(SIDE, SIDE, 6)  # split_testtrain's get_data
            wanted = stacked if orientation == "dplearn" else stacked.transpose(1, 0, 2)
            assert np.array_equal(row["x"], wanted)
            assert row["edge"] == (row["id"] > 777000) and (row["edge"] or np.isclose(row["mag_g"], 20 + row["id"] / 100))

    # what `decoy export --layout dplearn` writes comes back bit for bit
    mine = f"{directory}/mine"
    for label, name in enumerate(("real", "fake")):
        for b in range(4):
            os.makedirs(f"{mine}/{name}", exist_ok=True)
            with h5py.File(f"{mine}/{name}/{1200 + b}p077{'-rs0' if label else ''}.h5", "w") as f:
                numbers = [key[2] for key in truth if key[:2] == (f"{1200 + b}p077", label)]
                f["image"] = np.array([np.stack([p.transpose(1, 2, 0) for p in truth[f"{1200 + b}p077", label, number]], axis=-1)
                                       .reshape(SIDE, SIDE, 6) for number in numbers]).astype("f4")
                f["image"].attrs["channels"] = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
                f["id"] = numbers
                f["mag_g"] = np.linspace(20, 24, len(numbers))
                f["brickname"] = np.full(len(numbers), f"{1200 + b}p077", "S8")
    subprocess.run(command(f"{directory}/exported", kind="export", cutouts=mine, layout="dplearn"), check=True, stdout=subprocess.PIPE)
    outs = [f"{directory}/before", f"{directory}/after"]
    for out, cutouts in zip(outs, (mine, f"{directory}/exported")):
        split(out, cutouts=cutouts, classes="natural", test=0.25, valid=0)
    before, after = ({(row["brickname"], row["y"], row["id"]): row for row in examples(out)} for out in outs)
    assert len(before) == len(truth) and before.keys() == after.keys()
    assert all(np.array_equal(after[key]["x"], row["x"]) and after[key]["mag_g"] == np.float32(row["mag_g"]) for key, row in before.items())

    # and a class that is there twice in two parts is refused
    os.makedirs(f"{directory}/twice/fake")
    os.makedirs(f"{directory}/twice/real")
    for name in "real", "fake":
        for brick in "a", "b", "c":
            with h5py.File(f"{directory}/twice/{name}/{brick}.h5", "w") as f:
                pixels = random.normal(size=(10, SIDE, SIDE, 6)).astype("f4")
                pixels[3] = 1 if name == "real" else pixels[3]
                pixels[5] = pixels[4]
                f["image"] = pixels
                f["image"].attrs["channels"] = ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
                f["brickname"] = np.full(10, brick, "S8")
    said = refuse(f"{directory}/refused", cutouts=f"{directory}/twice", test=0.3, valid=0)
    assert "row 3 of" in said and "same stamp, byte for byte" in said, said
print(f"{len(truth)} stamps of the original's files, bit for bit, in both orientations")
