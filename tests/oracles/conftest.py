"""Oracles from PyPI, which Debian 12 does not have: `./run oracles [MODEL]`. They read what a finished train job wrote
(MODEL, by default the demo's) and ask the built probes; they are no part of ./run test."""
import pathlib

import pytest


def pytest_addoption(parser):
    parser.addoption("--model", required=True, type=pathlib.Path)
    parser.addoption("--build", required=True, type=pathlib.Path)


@pytest.fixture(scope="session")
def model(pytestconfig):
    directory = pytestconfig.getoption("model")
    assert (directory / "model.safetensors").is_file(), f"{directory} holds no trained model: ./run demo makes one"
    return directory


@pytest.fixture(scope="session")
def build(pytestconfig):
    return pytestconfig.getoption("build")
