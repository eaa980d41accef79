/* Writes planes (plane.h) as fpack does: one binary table of 100 x 100 tiles, Rice-compressed integers of
 * quantised floats, with subtractive dither 2, which keeps zeros zero. */
#include "daemon/worker/sky/fits_output.h"
#include "daemon/worker/sky/plane.h"

#include <errno.h>
#include <string.h>

enum { CARD = 80, TILE = 100 };

/* Cards that CFITSIO writes itself, or that hold for the file they were read from alone. */
static int card_is_structure(char *card)
{
    static const char *const others[] = {"EXTNAME ", "EXTVER  ", "INHERIT ", "SIMPLE  ",
                                         "EXTEND  ", "END     ", "DATE    "};
    int class = fits_get_keyclass(card);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strncmp(card, others[i], 8) == 0)
            return 1;
    }
    return class == TYP_STRUC_KEY || class == TYP_CMPRS_KEY || class == TYP_SCAL_KEY ||
           class == TYP_NULL_KEY || class == TYP_DIM_KEY || class == TYP_RANG_KEY || class == TYP_CKSUM_KEY;
}

static int copy_header(fitsfile *file, const char *header, int *status)
{
    size_t length = header ? strlen(header) : 0;
    for (size_t at = 0; at + 8 <= length && !*status; at += CARD) {
        char card[CARD + 1];
        snprintf(card, sizeof card, "%.80s", header + at);
        if (card[0] != ' ' && !card_is_structure(card))
            fits_write_record(file, card, status);
    }
    return *status;
}

static int write_image(fitsfile *file, const struct plane *plane, float quantize_level, int dither_seed,
                       int *status)
{
    long sides[2] = {plane->width, plane->height};
    long tile[2] = {plane->width < TILE ? plane->width : TILE, plane->height < TILE ? plane->height : TILE};
    fits_set_compression_type(file, RICE_1, status);
    fits_set_tile_dim(file, 2, tile, status);
    fits_set_quantize_method(file, SUBTRACTIVE_DITHER_2, status);
    fits_set_quantize_level(file, quantize_level, status);
    fits_set_dither_seed(file, dither_seed, status);
    fits_create_img(file, FLOAT_IMG, 2, sides, status);
    /* With dither 2 CFITSIO calls the same algorithm RICE_ONE, to keep old readers off; surveys' files say
     * RICE_1. */
    fits_modify_key_str(file, "ZCMPTYPE", "RICE_1", NULL, status);
    copy_header(file, plane->header, status);
    fits_write_img(file, TFLOAT, 1, (LONGLONG)plane->width * plane->height, plane->pixels, status);
    return *status;
}

int plane_write(const struct plane *plane, const char *path, float quantize_level, int dither_seed,
                struct err *err)
{
    CLEANUP(fits_output_free) struct fits_output output = {0};
    int status = 0;
    if (dither_seed < 1 || dither_seed > 10000)
        return err_set(err, -EINVAL, "cannot write %s: dither seed %d is not within 1 to 10000", path,
                       dither_seed);
    int code = fits_output_open(&output, path, (size_t)plane->width * (size_t)plane->height * 2, err);
    if (!code && write_image(output.file, plane, quantize_level, dither_seed, &status))
        code = fits_output_failed(status, path, err);
    return code ? code : fits_output_publish(&output, path, err);
}
