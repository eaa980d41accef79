"""numpy reads and maps what npy.c writes, byte for byte as numpy itself writes it: argv[1] is the test program."""
import io
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "a.npy")
    subprocess.run([sys.argv[1], path], check=True)
    wanted = np.arange(6, dtype="<f4").reshape(2, 3)
    assert np.array_equal(np.load(path, mmap_mode="r"), wanted)
    ours = open(path, "rb").read()
numpys = io.BytesIO()
np.save(numpys, wanted)
assert ours == numpys.getvalue()
print("the bytes are numpy's")
