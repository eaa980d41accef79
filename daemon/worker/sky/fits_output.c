/* See fits_output.h. In memory, because CFITSIO neither writes over a file made by O_EXCL nor fsyncs; a
 * full disk then shows in one place, file_publish. */
#include "daemon/worker/sky/fits_output.h"
#include "common/file.h"

#include <errno.h>
#include <isa-l.h>
#include <string.h>

enum { FITS_BLOCK = 2880, PREFIX = 16 };

/* CFITSIO reads back parts of a file in memory that it has not written yet and takes them for zeros, as on
 * disk. So the memory it is given grows with zeros; its size stands in a prefix. */
static void *zeros_realloc(void *bytes, size_t size)
{
    char *before = bytes ? (char *)bytes - PREFIX : NULL;
    size_t old_size = 0;
    if (before)
        memcpy(&old_size, before, sizeof old_size);
    char *now = realloc(before, PREFIX + size);
    if (!now)
        return NULL;
    if (size > old_size)
        memset(now + PREFIX + old_size, 0, size - old_size);
    memcpy(now, &size, sizeof size);
    return now + PREFIX;
}

int fits_output_failed(int status, const char *path, struct err *err)
{
    char words[FLEN_STATUS] = "", detail[FLEN_ERRMSG] = "";
    fits_get_errstatus(status, words);
    fits_read_errmsg(detail);
    fits_clear_errmsg();
    return err_set(err, status == MEMORY_ALLOCATION ? -ENOMEM : -EIO, "cannot write %s: %s%s%s", path, words,
                   detail[0] ? "; " : "", detail);
}

int fits_output_open(struct fits_output *output, const char *path, size_t expected_size, struct err *err)
{
    int status = 0;
    memset(output, 0, sizeof *output);
    output->room = FITS_BLOCK; /* all of it counts as written, and CFITSIO looks for HDUs in what is */
    output->bytes = zeros_realloc(NULL, output->room);
    if (!output->bytes)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (fits_create_memfile(&output->file, &output->bytes, &output->room, expected_size + FITS_BLOCK,
                            zeros_realloc, &status))
        return fits_output_failed(status, path, err);
    return 0;
}

/* Bytes of the file so far: the end of the present HDU, which is the last one made. */
static int measure(struct fits_output *output, size_t *size, const char *path, struct err *err)
{
    LONGLONG head = 0, data = 0, end = 0;
    int status = 0;
    fits_flush_file(output->file, &status);
    if (fits_get_hduaddrll(output->file, &head, &data, &end, &status))
        return fits_output_failed(status, path, err);
    *size = (size_t)end;
    return 0;
}

static int publish_gzipped(const void *bytes, size_t size, const char *path, struct err *err)
{
    struct isal_zstream stream;
    size_t room = size + size / 8 + 4096;
    CLEANUP(free_ptr) unsigned char *packed = malloc(room);
    if (!packed)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    isal_deflate_stateless_init(&stream);
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.flush = NO_FLUSH;
    stream.next_in = (unsigned char *)bytes;
    stream.avail_in = (unsigned)size;
    stream.next_out = packed;
    stream.avail_out = (unsigned)room;
    if (size > UINT32_MAX / 2 || isal_deflate_stateless(&stream) != COMP_OK)
        return err_set(err, -EFBIG, "cannot compress %s: %zu bytes", path, size);
    return file_publish(path, packed, stream.total_out, err);
}

int fits_output_publish(struct fits_output *output, const char *path, struct err *err)
{
    size_t size = 0, length = strlen(path);
    int status = 0, code = measure(output, &size, path, err);
    if (code)
        return code;
    fitsfile *file = TAKE(output->file);
    if (fits_close_file(file, &status))
        return fits_output_failed(status, path, err);
    if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
        return publish_gzipped(output->bytes, size, path, err);
    return file_publish(path, output->bytes, size, err);
}

void fits_output_free(struct fits_output *output)
{
    int status = 0;
    if (output->file)
        fits_close_file(output->file, &status);
    if (output->bytes)
        free((char *)output->bytes - PREFIX);
    memset(output, 0, sizeof *output);
    fits_clear_errmsg();
}
