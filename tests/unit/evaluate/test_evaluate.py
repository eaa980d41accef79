"""The evaluate job as a whole, with fake_predictor.c: run_evaluate (argv[1]), mpirun and its options (the rest)."""
import base64
import glob
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.dom.minidom
import zlib

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
RUN, MPIRUN = os.path.abspath(sys.argv[1]), sys.argv[2:]
VOID = {"meta", "img", "br", "link"}


def make(directory, *options):
    subprocess.run([sys.executable, HERE + "/make_dataset.py", directory, *options], check=True)


def evaluate(directory, out, ranks=1, audit="audit", delta="0.05", model="model", dataset="dataset", **fields):
    command = [RUN, f"{directory}/{out}", f"{directory}/{model}", f"{directory}/{dataset}", audit and f"{directory}/{audit}" or "-", delta]
    command += [f"{name}={value}" for name, value in fields.items()]
    if ranks > 1:
        command = [MPIRUN[0], "-n", str(ranks), *MPIRUN[1:], *command]
    return subprocess.run(command, capture_output=True, text=True)


class Page(html.parser.HTMLParser):
    """Well-formed: every tag closed in order; nothing is fetched; pictures decode."""

    def __init__(self):
        super().__init__()
        self.open, self.images, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            assert name not in attributes or attributes[name].startswith("data:image/"), attributes[name][:50]
        if tag == "img":
            kind, data = attributes["src"].split(";base64,")
            self.images.append((kind, base64.b64decode(data, validate=True)))
            assert attributes["alt"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


def png_size(data):
    """Width and height, after every chunk's checksum and the length of the pixels were found right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels = 8, b""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + size)[0]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack_from(">IIBB", body)
        pixels += body if kind == b"IDAT" else b""
        at += 12 + size
    assert (depth, color) == (8, 2) and len(zlib.decompress(pixels)) == height * (1 + 3 * width)
    return width, height


def check_page(path, images):
    page = Page()
    page.feed(open(path, encoding="utf-8").read())
    page.close()
    assert not page.open, page.open
    assert len(page.images) == images, len(page.images)
    for kind, data in page.images:
        if kind == "data:image/png":
            png_size(data)
        else:
            xml.dom.minidom.parseString(data)
    return page.text


def auc_of(score, label):
    fake, real = score[label == 1], score[label == 0]
    return ((fake[:, None] > real).mean() + (fake[:, None] == real).mean() / 2)


def numbers_agree_with_numpy(verdict, table):
    score, label = table["score"][:], table["label"][:]
    calibration = verdict["calibration"]
    assert abs(calibration["brier"] - ((score - label) ** 2).mean()) < 1e-9
    assert abs(calibration["log_loss"] + np.log(np.where(label, score, 1 - score)).mean()) < 1e-9
    assert abs(calibration["log_loss_of_chance"] - np.log(2)) < 1e-3 and abs(calibration["brier_of_chance"] - 0.25) < 1e-3
    order = np.argsort(score, kind="stable")
    assert [bin["n"] for bin in calibration["bins"]] == [70] * 10
    for bin, rows in zip(calibration["bins"], np.split(order, 10)):
        assert abs(bin["score"] - score[rows].mean()) < 1e-9 and bin["fakes"] == label[rows].sum() and bin["low"] < bin["share"] < bin["high"]
    for bin in verdict["bins"]:
        values = table[bin["column"]][:]
        held = (values >= bin["low"] * (1 - 1e-9)) & (values < bin["high"] * (1 - 1e-9) if bin["to_percentile"] < 99 else values <= bin["high"] * (1 + 1e-9))
        assert abs(auc_of(score[held], label[held]) - bin["auc"]["value"]) < 1e-9, bin


def another_selection_of_the_fakes_is_seen_without_a_stamp(directory):
    shutil.copytree(directory + "/dataset", directory + "/picked")
    with h5py.File(directory + "/picked/index.h5", "a") as index:
        index["rhalf"][:] += np.where(index["label"][:] == 1, 1.5, 0).astype(np.float32)
    done = evaluate(directory, "picked-out", dataset="picked")
    assert done.returncode == 0, done.stderr
    verdict = json.load(open(directory + "/picked-out/verdict.json"))
    covariates = verdict["covariates"]
    assert covariates["columns"] == ["rhalf"] and covariates["n_train"] == 20 and covariates["auc"]["low"] > 0.95
    assert "Catalogue columns alone do as well as the network" in check_page(directory + "/picked-out/report.html", 13)  # no range of rhalf has both classes


def spoiled_fakes_are_distinguishable_and_everything_is_there(directory):
    done = evaluate(directory, "out")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    verdict = json.load(open(directory + "/out/verdict.json"))
    assert verdict["verdict"] == result["verdict"] == "distinguishable" and verdict["v"] == 1
    assert result["report"] == directory + "/out/report.html" and result["n"] == verdict["n"] == 700
    assert verdict["bricks"] == 14 and verdict["auc"]["clustered"] and len(verdict["bins"]) == 8
    assert verdict["part"] == "test" and len(verdict["fingerprint"]) == 16
    with h5py.File(directory + "/out/predictions.h5") as table, h5py.File(directory + "/dataset/index.h5") as index:
        assert set(table) == set(index) | {"score"}
        for name in set(index) - {"label"}:
            assert table[name].dtype == index[name].dtype and (table[name][:] == index[name][30:]).all(), name
        assert (table["label"][:] == np.concatenate([np.load(f"{directory}/dataset/ytest_{k}.npy") for k in (1, 2)])).all()
        assert abs(auc_of(table["score"][:], table["label"][:]) - verdict["auc"]["value"]) < 1e-9
        numbers_agree_with_numpy(verdict, table)
    text = check_page(directory + "/out/report.html", 14)
    page = open(directory + "/out/report.html").read()
    assert verdict["sentence"] in text and "invvar: the mean invvar" in text and "The audit warns in 1 of" in text and "<in g>" in text
    for step, real, fake in (("injected", "", 888), ("flux_g &gt; 0", 740, 730), ("stamps", 700, 700)):
        assert re.search(rf'>{step}</td>\s*<td[^>]*>{real}</td>\s*<td[^>]*>{fake}</td>', page), step
    for name in ("p01", "p25", "p50", "p75", "p99", "giveaways", "passed"):
        width, height = png_size(open(f"{directory}/out/galleries/{name}.png", "rb").read())
        assert height > 4 * 128 and width > (14 if name[0] == "p" and name != "passed" else 9) * 128
    for name in ("roc", "scores", "auc-by-mag_g", "auc-by-rhalf", "calibration", "learning-loss", "learning-accuracy"):
        for suffix in ("png", "svg", "tsv", "gp"):
            assert os.path.getsize(f"{directory}/out/plots/{name}.{suffix}") > 0
    assert not glob.glob(directory + "/out/**/*.part", recursive=True)


def two_and_three_ranks_give_the_same_bytes(directory):
    for ranks in (2, 3):
        done = evaluate(directory, f"out{ranks}", ranks)
        assert done.returncode == 0, done.stderr
        for name in ("predictions.h5", "verdict.json", "report.html", "galleries/p50.png", "galleries/giveaways.png", "plots/roc.tsv"):
            one, other = (open(f"{directory}/{out}/{name}", "rb").read() for out in ("out", f"out{ranks}"))
            assert one == other, (ranks, name)


def honest_fakes_are_not_distinguishable(directory):
    make(directory + "/honest", "--bricks", "4", "--examples", "400")
    done = evaluate(directory + "/honest", "out", audit=None, delta="0.2")
    assert done.returncode == 0, done.stderr
    verdict = json.load(open(directory + "/honest/out/verdict.json"))
    assert verdict["verdict"] == "representative" and not verdict["auc"]["clustered"]
    assert verdict["covariates"]["columns"] == ["rhalf"] and verdict["covariates"]["auc"]["p"] > 0.01
    least = verdict["sensitivity"]["auc"]
    chance = np.sqrt(401 / (12 * 200 * 200))  # of alike classes, Mann & Whitney; what a normal deviate is above with 1 and 10 %: 2.326, 1.282
    assert verdict["sensitivity"]["power"] == 0.9 and abs(least - 0.5 - (2.326348 + 1.281552) * chance) < 1e-6
    assert abs(verdict["sensitivity"]["delta"] - (1.644854 + 1.281552) * chance) < 1e-6
    assert verdict["detail"] == f"On so many examples an AUC of {least:.3f} would have been called distinguishable nine times of ten."
    text = check_page(directory + "/honest/out/report.html", 14)
    assert verdict["detail"] in text and f"an AUC of {least:.3f} is called distinguishable" in text
    assert "fewer than 10 bricks do not show how much that matters" in text and "No audit was given" in text
    assert "lie in 4 bricks" in text


def numbers_need_no_pictures(directory):
    done = evaluate(directory, "plain", pictures="false")
    assert done.returncode == 0 and "missing" not in done.stderr, done.stderr
    plain, drawn = (json.load(open(f"{directory}/{out}/verdict.json")) for out in ("plain", "out"))
    assert plain == drawn and sorted(os.listdir(directory + "/plain")) == ["predictions.h5", "report.html", "verdict.json"]
    assert plain["sentence"] in check_page(directory + "/plain/report.html", 0)


def what_is_missing_is_named(directory):
    for change, word in (({"model": "nowhere"}, "nowhere"), ({"dataset": "model"}, "manifest.json"), ({"audit": "model"}, "audit.json")):
        done = evaluate(directory, "bad", **change)
        assert done.returncode == 1 and done.stdout == ""
        last = done.stderr.strip().splitlines()
        assert len(last) == 1 and word in last[0], done.stderr
        assert not os.path.exists(directory + "/bad/verdict.json")


def labels_drawn_by_lot_are_not_told_apart(directory):
    shutil.copytree(directory + "/model", directory + "/sham-model")
    with open(directory + "/sham-model/input.json", "w") as stream:
        json.dump({"sham_seed": 7}, stream)
    done = evaluate(directory, "sham", model="sham-model", pictures="false")
    assert done.returncode == 0, done.stderr
    verdict = json.load(open(directory + "/sham/verdict.json"))
    assert verdict["sham"] and not json.load(open(directory + "/out/verdict.json"))["sham"]
    assert verdict["verdict"] != "distinguishable" and abs(verdict["auc"]["value"] - 0.5) < 4 * verdict["auc"]["standard_error"], verdict["auc"]
    with h5py.File(directory + "/sham/predictions.h5") as table, h5py.File(directory + "/out/predictions.h5") as true:
        drawn, label = table["label"][:], true["label"][:]
    for share in drawn.mean(), (drawn == label).mean():  # of 700: 4 standard deviations are 0.076
        assert abs(share - 0.5) < 0.076, share
    assert "drawn by lot (train --sham)" in check_page(directory + "/sham/report.html", 0)
    assert evaluate(directory, "sham3", 3, model="sham-model", pictures="false").returncode == 0
    one, other = (open(f"{directory}/{out}/predictions.h5", "rb").read() for out in ("sham", "sham3"))
    assert one == other


def a_sham_stands_beside_the_verdict_if_it_is_one(directory):
    done = evaluate(directory, "with-sham", sham_control=directory + "/sham", pictures="false")
    assert done.returncode == 0, done.stderr
    text = check_page(directory + "/with-sham/report.html", 0)
    assert "all, but labels drawn by lot" in text and "that must not be" not in text
    write_control(directory, "leaking", sees="all", sham=True)
    done = evaluate(directory, "with-leak", sham_control=directory + "/leaking", pictures="false")
    assert done.returncode == 0 and "Labels drawn by lot were told apart" in check_page(directory + "/with-leak/report.html", 0)
    for field, control, word in (("sham_control", "out", "without --sham"), ("invvar_control", "leaking", "--sees invvar")):
        done = evaluate(directory, "bad", **{field: f"{directory}/{control}"})
        assert done.returncode == 1 and word in done.stderr, done.stderr
    write_control(directory, "both", sham=True)
    done = evaluate(directory, "bad", invvar_control=directory + "/both")
    assert done.returncode == 1 and "with --sham" in done.stderr, done.stderr


def write_control(directory, name, **changes):
    os.makedirs(f"{directory}/{name}")
    verdict = json.load(open(directory + "/out/verdict.json"))
    with open(f"{directory}/{name}/verdict.json", "w") as stream:
        json.dump({**verdict, "sees": "invvar", **changes}, stream)


def a_control_stands_beside_the_verdict_if_it_is_one(directory):
    write_control(directory, "control")
    done = evaluate(directory, "with-control", invvar_control=directory + "/control")
    assert done.returncode == 0, done.stderr
    verdict = json.load(open(directory + "/with-control/verdict.json"))
    assert [control["sees"] for control in verdict["controls"]] == ["invvar"] and verdict["sees"] == "all"
    assert verdict["controls"][0]["auc"]["value"] == verdict["auc"]["value"] and verdict["controls"][0]["n"] == 700
    text = check_page(directory + "/with-control/report.html", 14)
    assert "A network that saw the invvar channels alone tells the classes apart" in text
    for name, changes, word in (("seeing", {"sees": "all"}, "--sees invvar"), ("elsewhere", {"fingerprint": "0" * 16}, "another dataset"),
                                ("early", {"part": "valid"}, "another part"), ("empty", {"auc": 1}, "evaluate job")):
        write_control(directory, name, **changes)
        done = evaluate(directory, "bad", invvar_control=f"{directory}/{name}")
        assert done.returncode == 1 and word in done.stderr and f"{name}/verdict.json" in done.stderr, done.stderr


def a_dataset_without_magnitudes_or_history_has_a_verdict(directory):
    shutil.copytree(directory + "/dataset", directory + "/bare")
    os.makedirs(directory + "/untold")
    shutil.copy(directory + "/model/input.json", directory + "/untold")
    with h5py.File(directory + "/bare/index.h5", "a") as index:
        del index["mag_g"], index["brickname"]
    done = evaluate(directory, "bare-out", dataset="bare", model="untold")
    assert done.returncode == 0, done.stderr
    verdict = json.load(open(directory + "/bare-out/verdict.json"))
    assert verdict["verdict"] == "distinguishable" and verdict["bricks"] == 0
    assert {bin["column"] for bin in verdict["bins"]} == {"rhalf"}
    text = check_page(directory + "/bare-out/report.html", 6)
    assert "no magnitudes mag_g" in text and "metrics.jsonl" in text


def galleries_show_the_originals_axes_upright(directory):
    shutil.copytree(directory + "/dataset", directory + "/xy")
    for path in glob.glob(directory + "/xy/x*.npy"):
        np.save(path, np.ascontiguousarray(np.load(path).transpose(0, 2, 1, 3)))
    with open(directory + "/xy/manifest.json") as stream:
        manifest = json.load(stream)
    with open(directory + "/xy/manifest.json", "w") as stream:
        json.dump({**manifest, "axes": "xy"}, stream)
    done = evaluate(directory, "xy-out", dataset="xy")
    assert done.returncode == 0, done.stderr
    for name in "p50", "giveaways", "passed":
        upright, turned = (open(f"{directory}/{out}/galleries/{name}.png", "rb").read() for out in ("out", "xy-out"))
        assert upright == turned, f"{name}: a stamp or its gradient lies on its side"


with tempfile.TemporaryDirectory(prefix="decoy-test-") as scratch:
    place = scratch + "/run"
    make(place, "--spoil", "0.12")
    tests = [spoiled_fakes_are_distinguishable_and_everything_is_there, two_and_three_ranks_give_the_same_bytes,
             honest_fakes_are_not_distinguishable, numbers_need_no_pictures, what_is_missing_is_named, another_selection_of_the_fakes_is_seen_without_a_stamp,
             a_control_stands_beside_the_verdict_if_it_is_one, labels_drawn_by_lot_are_not_told_apart, a_sham_stands_beside_the_verdict_if_it_is_one,
             galleries_show_the_originals_axes_upright, a_dataset_without_magnitudes_or_history_has_a_verdict]
    for test in tests:
        test(place)
        print("ok", test.__name__)
    print(len(tests), "tests passed")
