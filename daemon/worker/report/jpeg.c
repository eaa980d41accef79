/* JPEG of a picture (picture.h), by libjpeg. Its errors leave by longjmp: nothing that we own is made between setjmp
 * and the end but what the destination holds. */
#include "daemon/worker/report/picture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

struct failure {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back a pointer to it */
    char text[JMSG_LENGTH_MAX];
    jmp_buf back;
};

__attribute__((noreturn)) static void on_error(j_common_ptr common)
{
    struct failure *failure = (struct failure *)common->err;
    failure->manager.format_message(common, failure->text);
    longjmp(failure->back, 1);
}

static void compress(struct jpeg_compress_struct *compressor, const struct picture *picture, int quality)
{
    compressor->image_width = (JDIMENSION)picture->width_px;
    compressor->image_height = (JDIMENSION)picture->height_px;
    compressor->input_components = 3;
    compressor->in_color_space = JCS_RGB;
    jpeg_set_defaults(compressor);
    jpeg_set_quality(compressor, quality, TRUE);
    compressor->comp_info[0].h_samp_factor = compressor->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(compressor, TRUE);
    while (compressor->next_scanline < compressor->image_height) {
        JSAMPROW row = (JSAMPROW)&picture->pixels[compressor->next_scanline * (size_t)picture->width_px];
        jpeg_write_scanlines(compressor, &row, 1);
    }
    jpeg_finish_compress(compressor);
}

int picture_encode_jpeg(const struct picture *picture, int quality, void **jpeg, size_t *size,
                        struct err *err)
{
    struct jpeg_compress_struct compressor;
    struct failure failure;
    unsigned char *data = NULL; /* libjpeg's, by malloc */
    unsigned long length = 0;
    compressor.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = on_error;
    jpeg_create_compress(&compressor);
    jpeg_mem_dest(&compressor, &data, &length);
    if (setjmp(failure.back)) {
        jpeg_destroy_compress(&compressor);
        return err_set(err, -EIO, "cannot encode a picture of %d x %d pixels: %s", picture->width_px,
                       picture->height_px, failure.text);
    }
    compress(&compressor, picture, quality);
    jpeg_destroy_compress(&compressor);
    *jpeg = data;
    *size = length;
    return 0;
}
