/* Nanomaggies and magnitudes: mag = 22.5 - 2.5 log10(flux / mw_transmission) (Legacy Surveys, DR9 description). */
#ifndef DECOY_SKY_PHOTOMETRY_H
#define DECOY_SKY_PHOTOMETRY_H

#include <math.h>

static inline double mag_of_flux(double flux_nmgy, double mw_transmission)
{
    return 22.5 - 2.5 * log10(flux_nmgy / mw_transmission);
}

static inline double flux_of_mag(double mag)
{
    return pow(10.0, 0.4 * (22.5 - mag));
}

#endif
