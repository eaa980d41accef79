"""The event files as TensorBoard itself reads them."""
import io
import json

import pytest
from PIL import Image
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef


@pytest.fixture(scope="module")
def events(model):
    accumulator = EventAccumulator(str(model / "logs"), size_guidance={"scalars": 0, "tensors": 0, "images": 0, "histograms": 0})
    return accumulator.Reload()


def test_histograms_are_of_every_tensor_at_every_epoch(events, model):
    weights = load_file(str(model / "best.safetensors"))
    epochs = {row["step"] for row in map(json.loads, open(model / "metrics.jsonl")) if "epoch_loss" in row}
    assert set(events.Tags()["histograms"]) == {"/".join(name.rsplit(".", 1)) for name in weights}
    for name, tensor in weights.items():
        rows = events.Histograms("/".join(name.rsplit(".", 1)))
        assert {row.step for row in rows} == epochs
        for row in rows:
            told = row.histogram_value
            assert told.num == tensor.size == sum(told.bucket) and told.max == told.bucket_limit[-1], name
    best = {float(tensor.min()) for tensor in weights.values()}
    told = {row.histogram_value.min for tag in events.Tags()["histograms"] for row in events.Histograms(tag)}
    assert best <= told


def test_scalars_are_those_of_the_metrics(events, model):
    rows = [json.loads(line) for line in open(model / "metrics.jsonl")]
    tags = events.Tags()["scalars"]
    assert tags
    for tag in tags:
        read = [(event.step, event.value) for event in events.Scalars(tag)]
        assert read == sorted(read, key=lambda pair: pair[0])
        assert all(value == value for _, value in read), tag
    losses = {event.step: event.value for event in events.Scalars("train/loss")}
    told = {row["step"]: row["loss"] for row in rows if "loss" in row and row["step"] in losses}
    assert len(told) > 1
    for step, loss in told.items():
        assert losses[step] == pytest.approx(loss, rel=1e-5), step


def test_images_are_pictures_of_the_size_they_tell(events):
    tags = events.Tags()["images"]
    assert set(tags) >= {"filters", "gallery/giveaways", "gallery/passed"}
    for tag in tags:
        for event in events.Images(tag):
            picture = Image.open(io.BytesIO(event.encoded_image_string))
            picture.load()
            assert picture.size == (event.width, event.height), tag


def test_graph_hangs_together(events):
    graph = events.Graph()
    assert isinstance(graph, GraphDef)
    names = [node.name for node in graph.node]
    assert len(names) == len(set(names)) > 5
    assert {"Conv2D"} <= {node.op for node in graph.node}
    for node in graph.node:
        assert set(node.input) <= set(names), node.name
        assert node.attr["_output_shapes"].list.shape[0].dim, node.name
