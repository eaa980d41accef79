/* For the oracle: draws one source.
 *   render_probe FWHM SIZE N BA ANGLE X Y    (pixels, radians), flux 1 in every band of that PSF
 * "x0 y0 side" as text, then side x side raw doubles of band g on standard output. */
#include "daemon/worker/sky/render.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    struct err err = {0};
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    double v[8] = {0};
    for (int i = 1; i < argc && i < 8; i++)
        v[i] = atof(argv[i]);
    const double fwhm[BAND_COUNT] = {v[1], v[1], v[1]};
    const struct light light = {v[6], v[7], v[2], v[3], v[4], v[5], {1, 1, 1}};
    struct stamp stamp;
    int code = renderer_create(&renderer, fwhm, &err);
    if (!code)
        code = renderer_draw(renderer, &light, &stamp, &err);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%ld %ld %d\n", stamp.x0, stamp.y0, stamp.side);
    fwrite(stamp.pixels[0], sizeof(double), (size_t)(stamp.side * stamp.side), stdout);
    return 0;
}
