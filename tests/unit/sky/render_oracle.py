"""The renderer against brute force: profile and PSF sampled 21 times finer than pixels, convolved by scipy, summed
over pixels. render_oracle.py PROBE"""
import subprocess
import sys

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import gamma, gammaincinv

FINE = 21


def draw(fwhm, size, n, ba, angle, x, y):
    out = subprocess.run([sys.argv[1]] + [repr(v) for v in (fwhm, size, n, ba, angle, x, y)], stdout=subprocess.PIPE, check=True).stdout
    head, body = out.split(b"\n", 1)
    x0, y0, side = map(int, head.split())
    return x0, y0, np.frombuffer(body, dtype=float).reshape(side, side)


def sersic(dx, dy, size, n, ba, angle):
    """Unit flux, by the exact b_n."""
    b = gammaincinv(2 * n, 0.5)
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
    r = np.hypot(u, v / ba) / size
    return b ** (2 * n) / (2 * np.pi * n * gamma(2 * n) * size ** 2 * ba) * np.exp(-b * r ** (1 / n))


def moffat(r, fwhm, beta=3.5):
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
    return (beta - 1) / np.pi / alpha ** 2 * (1 + (r / alpha) ** 2) ** -beta


def reference(fwhm, size, n, ba, angle, x, y, x0, y0, side):
    """The fine grid has a whole number of cells to a pixel, the source in the middle of a cell of the galaxy's grid."""
    reach = side * FINE
    axis = (np.arange(reach) + 0.5) / FINE - 0.5
    gx, gy = np.meshgrid(axis + x0 - x, axis + y0 - y)
    k = np.arange(-reach // 2, reach // 2 + 1) / FINE
    kx, ky = np.meshgrid(k, k)
    psf = moffat(np.hypot(kx, ky), fwhm) / FINE ** 2
    if size > 0:
        fine = fftconvolve(sersic(gx, gy, size, n, ba, angle) / FINE ** 2, psf, mode="same")
    else:
        fine = moffat(np.hypot(gx, gy), fwhm) / FINE ** 2
    return fine.reshape(side, FINE, side, FINE).sum(axis=(1, 3))


CASES = [  # fwhm, size, n, ba, angle, x, y, tolerance as a fraction of the peak
    (4.96, 0, 1, 1, 0, 100.3, 50.8, 2e-4),
    (2.4, 0, 1, 1, 0, 10.45, 20.05, 3e-4),
    (4.96, 1.9, 1, 1, 0, 10.0, 20.0, 2e-4),
    (4.2, 3.0, 0.6, 0.7, 2.2, 10.8, 20.1, 2e-4),
    (4.96, 2.5, 1.8, 0.6, 1.0, 10.25, 20.6, 2e-4),
    (2.4, 1.5, 1, 0.5, -0.5, 3.7, 9.2, 2e-4),
    (4.2, 2.0, 4, 0.8, 0.3, 3.7, 9.2, 3e-3),  # the reference's own grid is coarse for this cusp
]

for *case, tolerance in CASES:
    x0, y0, got = draw(*case)
    expected = reference(*case, x0, y0, len(got))
    worst = np.abs(got - expected).max() / expected.max()
    print("fwhm %g size %g n %g ba %g angle %g at (%g, %g): worst pixel off by %.1e of the peak, flux %.6f" % (*case, worst, got.sum()))
    assert worst < tolerance, worst
    assert abs(got.sum() - 1) < 1e-6
