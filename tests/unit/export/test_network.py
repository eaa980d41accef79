"""`decoy export --model`: an ONNX file evaluated in numpy gives decoy's scores, npz and safetensors the run's tensors.

Environment: DECOY, DECOY_WORKER, NET_PROBE (the programs), MODELS (etc/models).
"""
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

REF = pathlib.Path(__file__).resolve().parents[2] / "ref"
sys.path.insert(0, str(REF))
import onnx_numpy
import trained
from safetensors_file import read_whole

DECOY, WORKER, PROBE, MODELS = (os.environ[name] for name in ("DECOY", "DECOY_WORKER", "NET_PROBE", "MODELS"))
LONE = ["g", "ivar_g", "r", "x", "ivar_z", "y"]  # images without invvar, an invvar without its image
CASES = [("asinh", "relative"), ("snr", "global"), ("standard", "standard"), ("none", "none"), ("none", "relative", LONE), ("standard", "global", LONE)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, its test stamps, and a place for its exports."""
    place = tmp_path_factory.mktemp("run")
    return trained.train(WORKER, str(place), REF / "every_kind.yaml", seed=7, epochs=3) + (place,)


def exported(run, out, form, *more):
    return trained.export(DECOY, WORKER, str(run), str(out), form, *more)


def refused(*words):
    done = subprocess.run([DECOY, "export", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def check_scores(directory, run, stamps):
    model = onnx_numpy.read(exported(run, directory + "/out", "onnx")[0])
    expected = trained.score(PROBE, run, stamps, directory)
    made = onnx_numpy.run(model, stamps=stamps)
    assert np.isfinite(expected).all() and np.ptp(expected) > 1e-3
    assert np.abs(made["score"] - expected).max() < 1e-5
    assert np.abs(1 / (1 + np.exp(made["logits"][:, 0] - made["logits"][:, 1])) - expected).max() < 1e-5
    return model


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_layer_and_scale_scores_as_decoy_does(tmp_path, case):
    image, invvar, channels = (*case, trained.synthetic.CHANNELS)[:3]
    run, stamps = trained.train(WORKER, str(tmp_path), REF / "every_kind.yaml", channels=channels, image_scale=image, invvar_scale=invvar)
    model = check_scores(str(tmp_path), run, stamps)
    assert {e.key: e.value for e in model.metadata_props}["channels"] == ",".join(channels)
    operators = {node.op_type for node in model.graph.node}
    assert {"Conv", "AveragePool", "MaxPool", "BatchNormalization", "Erf", "Sigmoid", "Add", "Gemm"} <= operators and "Dropout" not in operators


@pytest.mark.parametrize("sees", ["invvar", "background"])
def test_a_network_that_saw_a_part_scores_as_decoy_does(tmp_path, sees):
    run, stamps = trained.train(WORKER, str(tmp_path), REF / "every_kind.yaml", sees=sees)
    assert json.load(open(f"{run}/input.json"))["sees"] == sees
    check_scores(str(tmp_path), run, stamps)


@pytest.mark.parametrize("name", ["lenet", "resnet8"])
def test_presets_score_as_decoy_does(tmp_path, name):
    run, stamps = trained.train(WORKER, str(tmp_path), f"{MODELS}/{name}.yaml", 32)
    check_scores(str(tmp_path), run, stamps)


def test_formats_hold_the_weights_asked_for_and_say_where_from(run):
    directory, _, place = run
    for weights, file in (("best", "best.safetensors"), ("last", "model.safetensors")):
        metadata, tensors = read_whole(f"{directory}/{file}")
        assert metadata["seed"] == "7" and metadata["decoy"] and metadata["dataset"] == json.load(open(f"{directory}/input.json"))["fingerprint"]
        path, said = exported(directory, place / weights, "safetensors", "--weights", weights)
        assert open(path, "rb").read() == open(f"{directory}/{file}", "rb").read()
        assert said["metadata"] == metadata and said["weights"] == weights
        path, _ = exported(directory, place / weights, "npz", "--weights", weights)
        arrays = np.load(path)
        assert set(arrays.files) == set(tensors)
        for name, tensor in tensors.items():
            assert arrays[name].dtype == np.float32 and np.array_equal(arrays[name], tensor), name
        assert json.loads(zipfile.ZipFile(path).comment) == metadata
        model = onnx_numpy.read(exported(directory, place / weights, "onnx", "--weights", weights)[0])
        assert {e.key: e.value for e in model.metadata_props}.items() >= metadata.items()
        assert json.load(open(place / weights / "export.json"))["file"] == "model.onnx"
        for tensor in model.graph.initializer:
            if tensor.name in tensors:
                assert np.array_equal(np.frombuffer(tensor.raw_data, "<f4"), tensors.pop(tensor.name).ravel())
        assert not tensors


def test_equal_weights_make_equal_files(run):
    directory, _, place = run
    for form in ("onnx", "npz"):
        first, second = (open(exported(directory, place / f"{form}{i}", form)[0], "rb").read() for i in (1, 2))
        assert first == second


def test_a_run_under_way_has_its_best_network(run, tmp_path):
    directory, _, _ = run
    for name in ("model.yaml", "input.json", "best.safetensors"):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_bytes(pathlib.Path(directory, name).read_bytes())
    exported(tmp_path / "run", tmp_path / "out", "onnx")
    sentence = refused("--model", tmp_path / "run", "--format", "onnx", "--weights", "last", "--out", tmp_path / "out")
    assert "has no weights yet" in sentence
    (tmp_path / "run/best.safetensors").unlink()
    assert "has no weights yet" in refused("--model", tmp_path / "run", "--format", "onnx", "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_exported_is_said(run, tmp_path):
    directory, _, _ = run
    assert "give either --cutouts, with a --layout, or --model" in refused("--out", tmp_path / "out")
    assert "give either --cutouts, with a --layout, or --model" in refused(directory, "--model", directory, "--out", tmp_path / "out")
    assert "--model needs --format" in refused("--model", directory, "--out", tmp_path / "out")
    assert "--cutouts needs --layout" in refused(directory, "--out", tmp_path / "out")
    assert "there is no directory" in refused("--model", tmp_path / "none", "--format", "npz", "--out", tmp_path / "out")
    assert "there is ckpts in it" in refused("--model", directory, "--format", "npz", "--out", directory)
