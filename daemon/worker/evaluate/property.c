#include "daemon/worker/evaluate/property.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const struct property PROPERTIES[] = {
    {.name = "mag_g", .label = "g", .unit = "mag", .column = "mag_g"},
    {.name = "mag_r", .label = "r", .unit = "mag", .column = "mag_r", .is_covariate = true},
    {.name = "mag_z", .label = "z", .unit = "mag", .column = "mag_z"},
    {.name = "g_r",
     .label = "g - r",
     .unit = "mag",
     .column = "mag_g",
     .minus = "mag_r",
     .is_covariate = true},
    {.name = "r_z",
     .label = "r - z",
     .unit = "mag",
     .column = "mag_r",
     .minus = "mag_z",
     .is_covariate = true},
    {.name = "rhalf",
     .label = "half-light radius",
     .unit = "arcsec",
     .column = "rhalf",
     .is_covariate = true},
    {.name = "depth_r",
     .label = "depth in r, 5 sigma, of a point source",
     .unit = "mag",
     .column = "psfdepth_r",
     .is_depth = true,
     .is_covariate = true},
    {.name = "psfsize_r",
     .label = "seeing in r",
     .unit = "arcsec",
     .column = "psfsize_r",
     .is_covariate = true},
    {.name = "nobs_r", .label = "exposures in r", .unit = "", .column = "nobs_r", .is_covariate = true},
    {.name = "neighbour",
     .label = "distance of the nearest neighbour",
     .unit = "arcsec",
     .column = "neighbour",
     .is_covariate = true},
};
const size_t PROPERTIES_COUNT = sizeof PROPERTIES / sizeof *PROPERTIES;

static int subtract(const struct dataset *dataset, enum dataset_part part, const char *column, double *values,
                    struct err *err)
{
    const size_t n = dataset_count(dataset, part);
    CLEANUP(free_ptr) double *other = malloc(n * sizeof *other);
    if (!other)
        return err_set(err, -ENOMEM, "out of memory for column %s", column);
    int code = dataset_column(dataset, part, column, other, err);
    for (size_t i = 0; i < n && !code; i++)
        values[i] -= other[i];
    return code;
}

int property_read(const struct property *property, const struct dataset *dataset, enum dataset_part part,
                  double *values, struct err *err)
{
    const size_t n = dataset_count(dataset, part);
    int code = dataset_column(dataset, part, property->column, values, err);
    if (!code && property->minus)
        code = subtract(dataset, part, property->minus, values, err);
    for (size_t i = 0; i < n && !code; i++) {
        if (property->is_depth)
            values[i] = values[i] > 0 ? 22.5 - 2.5 * log10(5 / sqrt(values[i])) : NAN;
        if (!isfinite(values[i]))
            values[i] = NAN;
    }
    return code;
}
