"""The weights as the safetensors library reads them."""
import numpy as np
import pytest
from safetensors import safe_open


@pytest.mark.parametrize("name", ["model.safetensors", "best.safetensors"])
def test_weights_are_finite_float32_of_every_layer(model, name):
    with safe_open(str(model / name), framework="numpy") as weights:
        keys = list(weights.keys())
        assert sum(key.endswith("weight") for key in keys) > 2 and sum(key.endswith("bias") for key in keys) > 2
        for key in keys:
            tensor = weights.get_tensor(key)
            assert tensor.dtype == np.float32 and tensor.size > 0 and np.isfinite(tensor).all(), key
            assert key.endswith("bias") or tensor.std() > 0, key
