/* The two files of a shard (dataset_private.h), npy or HDF5 by their names: pixels are mapped whole, read-only;
 * labels are copied (a byte an example). */
#include "daemon/worker/dataset/dataset_private.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/dataset/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int check_size(const char *path, size_t size, size_t wanted, struct err *err)
{
    if (!wanted || size == wanted)
        return 0;
    return err_set(err, -EINVAL, "%s has %zu bytes, its manifest says %zu: run split again", path, size,
                   wanted);
}

int shard_check(const char *path, size_t bytes, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    return check_size(path, (size_t)status.st_size, bytes, err);
}

/* The whole file, mapped; of `wanted` bytes, or any number when that is 0. */
static int map_file(const char *path, size_t wanted, void **map, size_t *size, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    *size = (size_t)status.st_size;
    int code = check_size(path, *size, wanted, err);
    if (code)
        return code;
    *map = *size ? mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (*map != MAP_FAILED)
        return 0;
    *map = NULL;
    if (!*size)
        return err_set(err, -EINVAL, "%s is empty", path);
    return err_set(err, -ENOMEM, "cannot map %s: %s", path, strerror(errno));
}

void shard_unmap(struct shard *shard)
{
    if (shard->map)
        munmap(shard->map, shard->map_size);
    shard->map = NULL;
    shard->pixels = NULL;
}

static bool is_h5(const char *path)
{
    const size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".h5") == 0;
}

static int not_as_wanted(const char *path, struct err *err)
{
    return err_set(err, -EINVAL, "%s is not the array its manifest says: run split again", path);
}

static int find_h5_pixels(const char *path, const size_t sizes[4], size_t *offset, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    struct h5_shape shape;
    int code = h5_open(&file, path, err);
    if (!code)
        code = h5_shape(file, "x", &shape, err);
    if (code)
        return code;
    const int64_t plain = h5_plain_offset(file, "x");
    if (shape.rank != 4 || memcmp(shape.sizes, sizes, 4 * sizeof *sizes) != 0 || plain < 0)
        return not_as_wanted(path, err);
    *offset = (size_t)plain;
    return 0;
}

static int find_npy_pixels(const char *path, const struct shard *shard, const size_t sizes[4], size_t *offset,
                           struct err *err)
{
    struct npy npy;
    int code = npy_parse(&npy, shard->map, shard->map_size, err);
    if (code)
        return err_prefix(err, "%s", path);
    if (strcmp(npy.descr, "<f4") != 0 || npy.rank != 4 || memcmp(npy.sizes, sizes, 4 * sizeof *sizes) != 0)
        return not_as_wanted(path, err);
    *offset = npy.offset;
    return 0;
}

int shard_map(struct shard *shard, const char *path, size_t bytes, const size_t sizes[4], struct err *err)
{
    size_t offset = 0, end = sizeof(float);
    int code = map_file(path, bytes, &shard->map, &shard->map_size, err);
    if (!code)
        code = is_h5(path) ? find_h5_pixels(path, sizes, &offset, err)
                           : find_npy_pixels(path, shard, sizes, &offset, err);
    if (code)
        return code;
    for (int i = 0; i < 4; i++) {
        if (__builtin_mul_overflow(end, sizes[i], &end))
            return not_as_wanted(path, err);
    }
    end += offset;
    if (is_h5(path) ? end > shard->map_size : end != shard->map_size)
        return not_as_wanted(path, err);
    shard->pixels = (const float *)((const char *)shard->map + offset);
    return 0;
}

static int read_h5_labels(const char *path, size_t count, int64_t *values, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    int code = h5_open(&file, path, err);
    return code ? code : h5_read(file, "y", H5_TYPE_INT64, 0, count, values, err);
}

/* An item of an npy array of numbers; NAN when it is of no type that numpy gives labels. */
static double item_of(const char *descr, const char *items, size_t i)
{
    if (strcmp(descr, "<f8") == 0)
        return ((const double *)items)[i];
    if (strcmp(descr, "<f4") == 0)
        return ((const float *)items)[i];
    if (strcmp(descr, "<i8") == 0)
        return (double)((const int64_t *)items)[i];
    if (strcmp(descr, "<i4") == 0)
        return ((const int32_t *)items)[i];
    return ((const uint8_t *)items)[i];
}

static size_t item_size(const char *descr)
{
    static const char *const BYTES[] = {"|u1", "|i1", "|b1"};
    for (size_t i = 0; i < sizeof BYTES / sizeof *BYTES; i++) {
        if (strcmp(descr, BYTES[i]) == 0)
            return 1;
    }
    if (strcmp(descr, "<f8") == 0 || strcmp(descr, "<i8") == 0)
        return 8;
    return strcmp(descr, "<f4") == 0 || strcmp(descr, "<i4") == 0 ? 4 : 0;
}

/* (count) or (count, 1) numbers. */
static int read_npy_labels(const char *path, size_t bytes, size_t count, int64_t *values, struct err *err)
{
    struct npy npy;
    void *map = NULL;
    size_t size;
    int code = map_file(path, bytes, &map, &size, err);
    if (!code && npy_parse(&npy, map, size, err) != 0)
        code = err_prefix(err, "%s", path);
    if (!code &&
        (npy.rank < 1 || npy.sizes[0] != count || (npy.rank > 1 && (npy.rank > 2 || npy.sizes[1] != 1)) ||
         !item_size(npy.descr) || size != npy.offset + count * item_size(npy.descr)))
        code = err_set(err, -EINVAL, "%s is not an array of %zu labels", path, count);
    for (size_t i = 0; i < count && !code; i++) {
        const double value = item_of(npy.descr, (const char *)map + npy.offset, i);
        values[i] = value == 0 ? 0 : value == 1 ? 1 : -1;
    }
    if (map)
        munmap(map, size);
    return code;
}

int shard_read_labels(const char *path, size_t bytes, size_t count, uint8_t *labels, struct err *err)
{
    CLEANUP(free_ptr) int64_t *values = calloc(count + 1, sizeof *values);
    int code = values ? 0 : err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!code)
        code = is_h5(path) ? read_h5_labels(path, count, values, err)
                           : read_npy_labels(path, bytes, count, values, err);
    for (size_t i = 0; i < count && !code; i++) {
        labels[i] = (uint8_t)values[i];
        if (values[i] != 0 && values[i] != 1)
            code = err_set(err, -EINVAL, "%s, row %zu: the label is neither 0 nor 1", path, i);
    }
    return code;
}
