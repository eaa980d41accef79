"""safetensors files without their library."""
import json

import numpy as np


def read_whole(path):
    """Metadata, and tensors by name."""
    with open(path, 'rb') as file:
        data = file.read()
    length = int.from_bytes(data[:8], 'little')
    header = json.loads(data[8:8 + length])
    metadata = header.pop('__metadata__', {})
    return metadata, {name: np.frombuffer(data[8 + length:][slice(*entry['data_offsets'])], '<f4').reshape(entry['shape'])
                      for name, entry in header.items()}


def read_safetensors(path):
    return read_whole(path)[1]
