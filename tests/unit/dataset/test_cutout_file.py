"""A cutout file read by h5py and astropy: argv[1] is the test program that writes one."""
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    from astropy.table import Table
except ImportError as missing:
    print(missing)
    sys.exit(77)

with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "a.h5")
    subprocess.run([sys.argv[1], path], check=True)
    with h5py.File(path) as f:
        image = f["image"]
        assert image.shape == (5, 8, 8, 6) and image.dtype == np.dtype("<f4")
        assert np.array_equal(image[...].ravel(), np.arange(image.size, dtype="f4") * 0.5 - 7)
        assert list(image.attrs["channels"].astype(str)) == ["g", "ivar_g", "r", "ivar_r", "z", "ivar_z"]
        assert f["id"][4] == 1 << 60 and f["id"].dtype == np.dtype("<i8")
        assert f["type"].dtype == np.dtype("S4") and list(f["type"][...]) == [b"PSF", b"REX", b"EXP", b"COMP", b"SER"]
        assert f["ra"].attrs["unit"].astype(str) == "deg" and f["ra"][4] == 359.5
        assert f["rhalf"].dtype == np.dtype("<f4")
        assert f.attrs["compression"].astype(str) == "RICE_1" and f.attrs["seed"] == 3
    with h5py.File(path) as f:
        table = Table({name: f[name][...] for name in f if name != "image"})
    assert len(table) == 5 and str(table["type"][3]) == "COMP"
print("5 stamps and 4 columns read back")
