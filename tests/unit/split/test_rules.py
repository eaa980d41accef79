"""The rules of split: what must stay together, what must not be lost. argv[1] is decoy-worker."""
import collections
import json
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
    assert len(rows) + read(out)[0]["copies"] == len(truth) and overlapping(rows) > 0
    assert all(len(parts) == 1 for parts in by(rows, lambda row: row["brickname"]).values())


def pairs_at_one_place(rows):
    """[(i, j), ...] of stamps within an arcsecond of one another, i before j."""
    dec, ra = (np.array([row[name] for row in rows]) for name in ("dec", "ra"))
    for i in range(len(rows)):
        along = ((ra - ra[i] + 180) % 360 - 180) * np.cos(np.radians(dec[i]))
        yield from ((i, j) for j in np.flatnonzero(np.hypot(along, dec - dec[i]) < 1 / 3600) if j > i)


def test_a_galaxy_of_two_bricks_is_in_one_part(cutouts, out):
    """Two rows of bricks, each of which has some of its left neighbour's galaxies once more, 0.3 arcsec off."""
    sky, bricks, shared, own = f"{out}-in", 12, 9, 40
    for label, name in enumerate(("real", "fake")):
        ra, dec = random.uniform(0, 0.2, (bricks, own)) + 10 + 0.25 * np.arange(bricks)[:, None], random.uniform(-0.1, 0.1, (bricks, own))
        for b in range(bricks):
            if b:
                ra[b, :shared], dec[b, :shared] = ra[b - 1, -shared:] + 0.3 / 3600, dec[b - 1, -shared:]
            number = np.arange(own) + 1000 * b + 100000 * label
            pixels = number.astype("f4").reshape(own, 1, 1, 1) + np.zeros((own, 2, 2, 6), "f4")
            columns = {"id": np.arange(own), "number": number, "ra": ra[b], "dec": dec[b], "brickname": np.full(own, f"{b:04d}p000", "S8")}
            write_cutouts(f"{sky}/{name}/000/{b:04d}p000{'-rs0' if label else ''}.h5", pixels, columns, {"pixscale": PIXSCALE})
    result = split(out, 2, cutouts=sky, test=0.3, valid=0.2, classes="natural")
    manifest, _, _ = read(out)
    rows = list(examples(out))
    part_of = {brick: part for part, entry in manifest["parts"].items() for brick in entry["bricks"]}
    borders = sum(part_of[f"{b:04d}p000"] != part_of[f"{b - 1:04d}p000"] for b in range(1, bricks))
    assert borders > 2 and manifest["copies"] == manifest["left_out"] == result["copies"] == 2 * shared * borders
    assert len(rows) == 2 * own * bricks - manifest["copies"]
    near = list(pairs_at_one_place(rows))
    assert len(near) == 2 * shared * (bricks - 1 - borders) and all(rows[i]["part"] == rows[j]["part"] for i, j in near)
    kept = {row["number"] for row in rows}
    assert all(1000 * b + 100000 * label + own - 1 in kept for b in range(bricks) for label in (0, 1)), "the first brick's copy stays"
    split(f"{out}-audit", kind="audit", dataset=out)
    with open(f"{out}-audit/audit.json") as f:
        overlap = next(check for check in json.load(f)["checks"] if check["name"] == "overlap")
    assert (overlap["status"], overlap["value"]) == ("pass", 0), overlap
    for rule in {"by": "cell", "cell": 0.1}, {"by": "object"}:
        split(f"{out}-{rule['by']}", cutouts=sky, test=0.3, valid=0.2, classes="natural", **rule)
        rows = list(examples(f"{out}-{rule['by']}"))
        near = list(pairs_at_one_place(rows))
        assert near and all(rows[i]["part"] == rows[j]["part"] for i, j in near), rule


def test_the_first_file_that_cannot_be_read_is_named_whoever_looks_at_it(cutouts, out):
    pixels = np.zeros((1, 2, 2, 6), "f4")
    paths = [f"{out}-in/{name}/{b:04d}p000.h5" for name in ("real", "fake") for b in range(50)]
    for i, path in enumerate(paths):
        write_cutouts(path, pixels + i, {"id": np.arange(1)})
    for bad, ranks in (85, 1), (41, 3), (38, 2):
        os.truncate(paths[bad], 600)
        said = refuse(out, ranks, cutouts=f"{out}-in")
        assert paths[bad] in said, (bad, ranks, said)
    write_cutouts(paths[20], pixels[..., :4], {"id": np.arange(1)})
    said = refuse(out, 2, cutouts=f"{out}-in")
    assert paths[20] in said and "those of the files before" in said, said


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
    near = 0
    for i, j in pairs_at_one_place(rows):
        assert rows[i]["part"] == rows[j]["part"]
        near += 1
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
