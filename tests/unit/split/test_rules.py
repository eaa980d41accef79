"""The rules of split: what must stay together, what must not be lost. argv[1] is decoy-worker."""
import collections
import os
import tempfile

import numpy as np
from harness import examples, read, refuse, split, write_cutouts

SIDE, PIXSCALE = 64, 0.262
random = np.random.default_rng(11)


def make_sky(root, fields):
    """Reals and two realisations of fakes, of fields x fields bricks of 0.25 degrees at dec 30 that overlap by 0.01;
    a stamp's pixel is its number, so that files stay small. Returns {number: (label, ra, dec)}."""
    truth = {}
    for b in range(fields * fields):
        for label, name in enumerate(("real", "fake")):
            for run in ("",) if label == 0 else ("-rs0", "-rs300"):
                n = int(random.integers(150, 300))
                ra = 359.9 + (b % fields + random.uniform(-0.02, 1.02, n)) * 0.25 / np.cos(np.radians(30))
                dec = 29.9 + (b // fields + random.uniform(-0.02, 1.02, n)) * 0.25
                number = np.arange(n) + len(truth)
                truth.update({number[i]: (label, ra[i] % 360, dec[i]) for i in range(n)})
                pixels = number.astype("f4").reshape(n, 1, 1, 1) + np.zeros((n, 2, 2, 6), "f4")
                columns = {"id": np.arange(n), "number": number, "ra": ra % 360, "dec": dec, "brickname": np.full(n, f"{b:04d}p300", "S8")}
                write_cutouts(f"{root}/{name}/000/{b:04d}p300{run}.h5", pixels, columns, {"pixscale": PIXSCALE * SIDE / 2})
    return truth


def overlapping(rows):
    """How many pairs of stamps of two parts show the same sky."""
    dec = np.array([row["dec"] for row in rows])
    ra = np.array([row["ra"] for row in rows])
    part = np.array([row["part"] for row in rows])
    side, count = SIDE * PIXSCALE / 3600, 0
    for i in range(len(rows)):
        along = np.abs((ra[i] - ra + 180) % 360 - 180) * np.cos(np.radians(dec[i]))
        count += np.sum((along < side) & (np.abs(dec[i] - dec) < side) & (part != part[i]))
    return count


def test_cells_share_no_sky(cutouts, out):
    result = split(out, cutouts=cutouts, by="cell", cell=0.1, test=0.3, valid=0.2, classes="natural")
    manifest, _, _ = read(out)
    rows = list(examples(out))
    assert overlapping(rows) == 0
    kept = {row["number"] for row in rows}
    assert len(kept) == len(rows) and len(rows) + manifest["left_out"] == len(truth)
    assert 0 < manifest["left_out"] < 0.2 * len(truth)
    for row in rows:
        label, ra, dec = truth[row["number"]]
        assert (row["y"], row["ra"], row["dec"]) == (label, ra, dec) and row["x"][0, 0, 0] == row["number"]
    for part, fraction in ("test", 0.3), ("valid", 0.2):
        assert abs(manifest["parts"][part]["examples"] / len(rows) - fraction) < 0.05
        assert result["parts"][part]["cells"] > 5
    assert "0.1 deg" in manifest["rule"] and manifest["counts"] == "natural"


def test_bricks_do_share_sky_where_they_overlap(cutouts, out):
    """The teeth of the test above: the same stamps by brick overlap a little."""
    split(out, cutouts=cutouts, test=0.3, valid=0.2, classes="natural")
    rows = list(examples(out))
    assert len(rows) == len(truth) and overlapping(rows) > 0
    assert all(len(parts) == 1 for parts in by(rows, lambda row: row["brickname"]).values())


def by(rows, key):
    groups = collections.defaultdict(set)
    for row in rows:
        groups[key(row)].add(row["part"])
    return groups


def test_objects_keep_their_twins_together(cutouts, out):
    """An id of a brick and class is one object in all its realisations; so is what stands within an arcsecond."""
    split(out, cutouts=cutouts, by="object", test=0.4, valid=0, classes="natural")
    rows = list(examples(out))
    assert len(rows) == len(truth)
    names = by(rows, lambda row: (row["brickname"], row["y"], row["id"]))
    assert len(names) < len(truth) and all(len(parts) == 1 for parts in names.values())
    assert any(len(parts) > 1 for parts in by(rows, lambda row: row["brickname"]).values())
    assert overlapping(rows) > 0
    dec, ra = (np.array([row[name] for row in rows]) for name in ("dec", "ra"))
    near = 0
    for i, row in enumerate(rows):
        along = ((ra - ra[i] + 180) % 360 - 180) * np.cos(np.radians(dec[i]))
        for j in np.flatnonzero(np.hypot(along, dec - dec[i]) < 0.999 / 3600):
            assert rows[j]["part"] == row["part"]
            near += j != i
    assert near > 0, "no two stamps stand at one place: the test shows nothing"


def test_balanced_is_balanced_in_each_brick_and_part(cutouts, out):
    split(out, cutouts=cutouts, by="cell", cell=0.1, test=0.3, valid=0.2)
    surplus = collections.Counter()
    for row in examples(out):
        surplus[row["part"], row["brickname"]] += 1 if row["y"] else -1
    assert len(surplus) > 10 and not any(surplus.values())


def test_a_guard_too_small_is_refused(cutouts, out):
    assert "--guard" in refuse(out, cutouts=cutouts, by="cell", guard=5)
    assert "--cell" in refuse(out, cutouts=cutouts, by="cell", cell=0.01, guard=12)


def test_cells_need_positions(cutouts, out):
    pixels = np.zeros((4, 2, 2, 6), "f4") + np.arange(4).reshape(4, 1, 1, 1)
    for name in "real", "fake":
        write_cutouts(f"{out}-in/{name}/b.h5", pixels, {"id": np.arange(4)})
    assert "ra and dec" in refuse(out, cutouts=f"{out}-in", by="cell", cell=45)


def test_roots_must_be_given(cutouts, out):
    assert "--real and --fake" in refuse(out, real=cutouts)


with tempfile.TemporaryDirectory() as directory:
    truth = make_sky(os.path.join(directory, "sky"), 3)
    tests = [test for name, test in list(globals().items()) if name.startswith("test_")]
    for test in tests:
        test(os.path.join(directory, "sky"), os.path.join(directory, test.__name__))
print(f"{len(tests)} rules held on {len(truth)} stamps")
