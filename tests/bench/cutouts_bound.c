/* The bound for cutting a brick: what CFITSIO alone takes to decompress its planes once, one after the other.
 * cutouts_bound FILE...   prints the seconds. */
#include "common/clock.h"

#include <fitsio.h>
#include <stdio.h>
#include <stdlib.h>

/* The first image of the file, an extension when it is packed. Returns CFITSIO's status. */
static int read_plane(const char *path, float **pixels)
{
    fitsfile *file = NULL;
    int status = 0, any = 0;
    long sides[2] = {0, 0}, first[2] = {1, 1};
    fits_open_diskfile(&file, path, READONLY, &status);
    fits_get_img_size(file, 2, sides, &status);
    if (!status && !sides[0]) {
        fits_movabs_hdu(file, 2, NULL, &status);
        fits_get_img_size(file, 2, sides, &status);
    }
    LONGLONG count = (LONGLONG)sides[0] * sides[1];
    float *grown = realloc(*pixels, (size_t)count * sizeof **pixels);
    if (grown)
        fits_read_pix(file, TFLOAT, first, count, NULL, *pixels = grown, &any, &status);
    fits_close_file(file, &status);
    return status;
}

int main(int count, char **paths)
{
    float *pixels = NULL;
    int status = 0;
    double start_s = clock_monotonic_s();
    for (int i = 1; i < count && !status; i++)
        status = read_plane(paths[i], &pixels);
    printf("%.4f\n", clock_monotonic_s() - start_s);
    fits_report_error(stderr, status);
    free(pixels);
    return status != 0;
}
