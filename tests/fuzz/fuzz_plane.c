/* A whole image, packed or plain: every tile of one that is not too large to try. */
#include "daemon/worker/sky/plane_tiles.h"
#include "tests/fuzz/fuzz.h"

enum { PIXELS_MAX = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = NULL;
    struct err err = {0};
    if (plane_tiles_open(&tiles, fuzz_file(data, size), &err) != 0) {
        fuzz_require(err.text[0], "a refused image has a sentence");
        return 0;
    }
    const long width = plane_tiles_width(tiles), height = plane_tiles_height(tiles);
    const struct plane *plane = plane_tiles_plane(tiles);
    if (width * height > PIXELS_MAX || plane->width * plane->height > PIXELS_MAX)
        return 0;
    CLEANUP(free_ptr) float *pixels = malloc((size_t)(width * height) * sizeof *pixels);
    for (long row = 0; pixels && row * height < plane->height; row++) {
        for (long column = 0; column * width < plane->width; column++) {
            err.text[0] = '\0';
            if (plane_tiles_decode(tiles, column, row, pixels, (size_t)width, &err) != 0)
                fuzz_require(err.text[0], "a damaged tile has a sentence");
        }
    }
    return 0;
}
