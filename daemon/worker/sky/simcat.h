/* Truth: what was put into a brick. obiwan's simcat of fakes, and the mock's table of all its sources. */
#ifndef DECOY_SKY_SIMCAT_H
#define DECOY_SKY_SIMCAT_H

#include "daemon/worker/sky/tractor.h"
#include "daemon/worker/sky/population.h"

struct simcat_row {
    struct galaxy galaxy;
    double x_px, y_px; /* 0-indexed */
};

/* Columns: id (0 ..), ra, dec, x, y, gflux, rflux, zflux (nanomaggies as seen: dimmed by mw_transmission), n,
 * rhalf (arcsec, major axis), ba, pa, e1, e2, mw_transmission_g, _r, _z; with_stars: also star. */
int simcat_publish(const char *path, const struct observation *observation, struct wcs *wcs,
                   const struct simcat_row *rows, size_t count, bool with_stars, struct err *err);

#endif
