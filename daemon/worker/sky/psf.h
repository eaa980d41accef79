/* The point-spread function of a coadd: a round Moffat profile (Moffat 1969, A&A 3, 455) of beta 3.5, at
 * which its Fourier transform is elementary. Lengths in pixels, wave numbers in radians a pixel. */
#ifndef DECOY_SKY_PSF_H
#define DECOY_SKY_PSF_H

#define PSF_BETA 3.5

/* FWHM of a Gaussian over its sigma, where one stands for the PSF. */
#define PSF_FWHM_A_SIGMA 2.3548

/* Scale radius alpha of I(r) ~ (1 + (r / alpha)^2)^-beta. */
double psf_alpha(double fwhm);

/* Fourier transform, 1 at k = 0: (1 + x + x^2 / 3) e^-x with x = k alpha; below 1e-6 beyond x = PSF_X_MAX. */
double psf_transform(double x);
#define PSF_X_MAX 18.7

/* Radius that holds all flux but `outside`. */
double psf_radius(double fwhm, double outside);

/* Surface brightness at r of a source of unit flux. */
double psf_brightness(double fwhm, double r);

/* Sum over pixels of the squared pixel values of a point source of unit flux at a pixel's centre: the
 * variance of the best flux estimate is sigma^2 over it. */
double psf_norm2(double fwhm);

#endif
