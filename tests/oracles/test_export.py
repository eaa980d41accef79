"""An exported network as ONNX's checker, onnxruntime and numpy read it: scores equal decoy's own to 1e-5."""
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/ref"))
import trained

PRESETS = {name: ROOT / f"etc/models/{name}.yaml" for name in ("lenet", "lenet-2x2", "vgg8", "resnet8")}
SCALES = [("asinh", "relative"), ("snr", "global"), ("standard", "standard"), ("none", "none")]


def check(build, model, side, **fields):
    with tempfile.TemporaryDirectory() as directory:
        worker = build / "daemon/worker/decoy-worker"
        run, stamps = trained.train(worker, directory, model, side, **fields)
        path, said = trained.export(build / "client/decoy", worker, run, f"{directory}/out", "onnx")
        onnx.checker.check_model(path, full_check=True)
        read = onnx.load(path)
        assert {entry.key: entry.value for entry in read.metadata_props}.items() >= said["metadata"].items()
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        expected = trained.score(build / "tests/unit/net/net_probe", run, stamps, directory)
        for part in (stamps, stamps[5:6]):  # any number of stamps
            score, logits = session.run(["score", "logits"], {"stamps": part})
            assert score.shape == (len(part),) and logits.shape == (len(part), 2)
            off = np.abs(score - expected[:len(part)] if len(part) > 1 else score - expected[5:6]).max()
            print(f"{pathlib.Path(model).stem} {fields}: scores {expected.min():.3f} to {expected.max():.3f}, off by {off:.1e}")
            assert off < 1e-5
        assert np.ptp(expected) > 1e-3


@pytest.mark.parametrize("name", PRESETS)
def test_presets_score_as_decoy_does(build, name):
    check(build, PRESETS[name], 64, count=32)


@pytest.mark.parametrize("image, invvar", SCALES)
def test_every_kind_of_layer_and_scale_scores_as_decoy_does(build, image, invvar):
    check(build, ROOT / "tests/ref/every_kind.yaml", 16, image_scale=image, invvar_scale=invvar)


def test_npz_and_safetensors_hold_the_same_tensors(build, model, tmp_path):
    worker = build / "daemon/worker/decoy-worker"
    weights = load_file(trained.export(build / "client/decoy", worker, str(model), str(tmp_path / "s"), "safetensors")[0])
    arrays = np.load(trained.export(build / "client/decoy", worker, str(model), str(tmp_path / "n"), "npz")[0])
    assert set(weights) == set(arrays.files) and len(weights) > 4
    for name in weights:
        assert np.array_equal(weights[name], arrays[name]), name
