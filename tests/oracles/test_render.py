"""sky/render against GalSim: a Sersic profile through a Moffat PSF, summed over pixels."""
import subprocess

import galsim
import numpy as np
import pytest

CASES = [  # fwhm, half-light radius, n, axis ratio, angle (radians), x, y; pixels
    (4.96, 0, 1, 1, 0, 100.3, 50.8),
    (4.96, 1.9, 1, 1, 0, 10.0, 20.0),
    (4.2, 3.0, 0.6, 0.7, 2.2, 10.8, 20.1),
    (4.96, 2.5, 1.8, 0.6, 1.0, 10.25, 20.6),
    (2.4, 1.5, 1, 0.5, -0.5, 3.7, 9.2),
    (4.2, 2.0, 4, 0.8, 0.3, 3.7, 9.2),
]


@pytest.mark.parametrize("case", CASES)
def test_pixels_agree_to_a_thousandth_of_the_peak(build, case):
    fwhm, size, n, ba, angle, x, y = case
    out = subprocess.run([build / "tests/unit/sky/render_probe", *map(repr, case)], stdout=subprocess.PIPE, check=True).stdout
    head, body = out.split(b"\n", 1)
    x0, y0, side = map(int, head.split())
    got = np.frombuffer(body).reshape(side, side)
    source = galsim.Moffat(beta=3.5, fwhm=fwhm)
    if size > 0:  # ours is the radius along the major axis; GalSim's shear keeps the area
        galaxy = galsim.Sersic(n=n, half_light_radius=size * ba ** 0.5).shear(q=ba, beta=angle * galsim.radians)
        source = galsim.Convolve([galaxy, source])
    middle = (side - 1) / 2
    parameters = galsim.GSParams(folding_threshold=1e-4, maxk_threshold=1e-4, maximum_fft_size=16384)
    expected = source.withGSParams(parameters).drawImage(
        nx=side, ny=side, scale=1, dtype=float, offset=(x - x0 - middle, y - y0 - middle)).array
    assert np.abs(got - expected).max() < 1e-3 * expected.max()
