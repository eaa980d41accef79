/* See data_unit.h. The sum is taken piece by piece as the file is read, while a piece is in the processor's
 * cache. */
#include "daemon/worker/sky/data_unit.h"
#include "daemon/worker/sky/datasum.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { PIECE = 1 << 18, DEFLATE_MOST = 1032 }; /* bytes that one byte can be unpacked to */

static void close_gz(gzFile *file)
{
    if (*file)
        gzclose(*file);
}

/* Could a file of this size hold so much? Else a header could make us ask for any amount of memory. */
static bool can_hold(const char *path, gzFile file, long long bytes)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return true; /* reading will tell */
    return bytes <= (gzdirect(file) ? status.st_size : (long long)status.st_size * DEFLATE_MOST);
}

/* Reads up to `size` bytes and sums them. What is missing at the end stays as it was. */
static long long read_pieces(gzFile file, uint8_t *data, long long size, uint32_t *sum)
{
    long long done = 0;
    *sum = 0;
    while (done < size) {
        int got = gzread(file, data + done, (unsigned)(size - done < PIECE ? size - done : PIECE));
        if (got <= 0)
            break;
        memset(data + done + got, 0, sizeof(uint32_t)); /* a last word may have fewer bytes */
        *sum = datasum(*sum, data + done, ((size_t)got + 3) / 4 * 4);
        done += got;
        if (got % 4)
            break; /* only a file's end is no multiple */
    }
    return done;
}

static int check_sum(const struct fits_header *header, uint32_t sum, const char *path, struct err *err)
{
    char text[80];
    int code = fits_header_text(header, "DATASUM", text, sizeof text, err);
    if (code || !text[0])
        return code;
    return strtoul(text, NULL, 10) == sum
               ? 0
               : err_set(err, -EIO, "%s is damaged: its data do not match its DATASUM", path);
}

int data_unit_read(const struct fits_header *header, long long needed, const char *path, uint8_t **data,
                   struct err *err)
{
    CLEANUP(close_gz) gzFile file = gzopen(path, "rbe");
    long long size, start = fits_header_data(header, &size), got = 0;
    uint32_t sum = 0;
    if (!file)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (needed > size || !can_hold(path, file, start + needed))
        return err_set(err, -EIO, "%s is cut short: its header promises %lld bytes of data after byte %lld",
                       path, needed, start);
    CLEANUP(free_ptr) uint8_t *bytes = malloc((size_t)size + DATA_UNIT_PADDING);
    if (!bytes)
        return err_set(err, -ENOMEM, "out of memory for the %lld bytes of %s", size, path);
    if (gzseek(file, start, SEEK_SET) == start)
        got = read_pieces(file, bytes, size, &sum);
    if (got < needed)
        return err_set(
            err, -EIO,
            "%s is cut short: its header promises %lld bytes of data after byte %lld, %lld are there", path,
            needed, start, got);
    memset(bytes + got, 0, (size_t)(size - got) + DATA_UNIT_PADDING);
    int code = check_sum(header, sum, path, err);
    if (!code)
        *data = TAKE(bytes);
    return code;
}
