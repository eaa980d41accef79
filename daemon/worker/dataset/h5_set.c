/* Datasets of h5.h: contiguous, read and written whole or by rows. */
#include "common/file.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static size_t count_bytes(enum h5_type type, size_t width, int rank, const size_t *sizes)
{
    size_t bytes = h5_item_size(type, width);
    for (int i = 0; i < rank; i++)
        bytes *= sizes[i];
    return bytes;
}

/* The groups on the way to name, without the time stamps that HDF5's own intermediate groups get. */
static void make_groups(struct h5 *file, const char *name)
{
    CLEANUP(free_ptr) char *way = str_format("%s", name);
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, false);
    for (char *slash = strchr(way + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (H5Lexists(file->id, way, H5P_DEFAULT) == 0) {
            hid_t group = H5Gcreate2(file->id, way, H5P_DEFAULT, creation, H5P_DEFAULT);
            if (group >= 0)
                H5Gclose(group);
        }
        *slash = '/';
    }
    H5Pclose(creation);
}

/* early: the dataset gets its place in the file now, not when it is first written. */
static int make_set(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank,
                    const size_t *sizes, bool early, struct err *err)
{
    int code = h5_reserve(file, count_bytes(type, width, rank, sizes), err);
    if (code)
        return code;
    hsize_t extent[H5_RANK_MAX];
    for (int i = 0; i < rank; i++)
        extent[i] = sizes[i];
    hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    hid_t item = h5_type_make(type, width);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    make_groups(file, name);
    H5Pset_obj_track_times(creation, false);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    if (early)
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    hid_t set = H5Dcreate2(file->id, name, item, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    code = set < 0 ? h5_fail(file, "write", name, err) : 0;
    if (set >= 0)
        H5Dclose(set);
    H5Pclose(creation);
    H5Tclose(item);
    H5Sclose(space);
    return code;
}

int h5_make(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank, const size_t *sizes,
            struct err *err)
{
    return make_set(file, name, type, width, rank, sizes, false, err);
}

int h5_make_at(struct h5 *file, const char *name, enum h5_type type, int rank, const size_t *sizes,
               int64_t *offset, struct err *err)
{
    int code = make_set(file, name, type, 0, rank, sizes, true, err);
    if (code)
        return code;
    hid_t set = H5Dopen2(file->id, name, H5P_DEFAULT);
    haddr_t address = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    if (set >= 0)
        H5Dclose(set);
    *offset = address == HADDR_UNDEF ? 0 : (int64_t)address;
    return address == HADDR_UNDEF && count_bytes(type, 0, rank, sizes) ? h5_fail(file, "write", name, err)
                                                                       : 0;
}

int h5_put(struct h5 *file, int64_t offset, const void *data, size_t size, struct err *err)
{
    enum { MUCH = 16 << 20 };
    const int fd = outfile_fd(file->outfile);
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, (const char *)data + done, size - done, offset + (int64_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set(err, -errno, "cannot write %s: %s", file->path, strerror(errno));
        done += (size_t)put;
    }
    file->waiting += size;
    if (file->waiting >= MUCH) {
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint: fsync comes yet */
        file->waiting = 0;
    }
    return 0;
}

int h5_get(struct h5 *file, int64_t offset, void *data, size_t size, struct err *err)
{
    return file_pread(outfile_fd(file->outfile), file->path, offset, data, size, err);
}

/* Rows first .. first+count-1 of an open dataset selected in the file; *memory is as large. A scalar, or
 * every row: all. */
static int select_rows(const struct h5_shape *shape, size_t first, size_t count, hid_t space, hid_t *memory)
{
    hsize_t start[H5_RANK_MAX] = {first}, extent[H5_RANK_MAX] = {count};
    for (int i = 1; i < shape->rank; i++)
        extent[i] = shape->sizes[i];
    *memory = shape->rank ? H5Screate_simple(shape->rank, extent, NULL) : H5Screate(H5S_SCALAR);
    if (shape->rank && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) < 0)
        return -1;
    return *memory < 0 ? -1 : 0;
}

static int read_type(hid_t item, struct h5_shape *shape)
{
    size_t size = H5Tget_size(item);
    shape->width = 0;
    switch (H5Tget_class(item)) {
    case H5T_INTEGER:
        shape->type = size == 1 && H5Tget_sign(item) == H5T_SGN_NONE ? H5_TYPE_UINT8 : H5_TYPE_INT64;
        return 0;
    case H5T_FLOAT:
        shape->type = size == 2 ? H5_TYPE_REAL16 : size <= 4 ? H5_TYPE_REAL32 : H5_TYPE_REAL64;
        return 0;
    case H5T_STRING:
        shape->type = H5_TYPE_TEXT;
        shape->width = size;
        return H5Tis_variable_str(item) ? -1 : 0;
    default:
        return -1;
    }
}

static int read_extent(hid_t space, struct h5_shape *shape)
{
    hsize_t extent[H5_RANK_MAX];
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > H5_RANK_MAX || H5Sget_simple_extent_type(space) == H5S_NULL)
        return -1;
    H5Sget_simple_extent_dims(space, extent, NULL);
    shape->rank = rank;
    shape->count = 1;
    for (int i = 0; i < rank; i++) {
        shape->sizes[i] = (size_t)extent[i];
        if (__builtin_mul_overflow(shape->count, shape->sizes[i], &shape->count))
            return -1;
    }
    size_t bytes;
    return __builtin_mul_overflow(shape->count, h5_item_size(shape->type, shape->width), &bytes) ? -1 : 0;
}

/* The dataset, open, with its space; both are the caller's to close. Negative code and nothing open on
 * failure. */
static int open_set(struct h5 *file, const char *name, hid_t *set, hid_t *space, struct h5_shape *shape,
                    struct err *err)
{
    *set = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (*set < 0) {
        int code = h5_fail(file, "read", name, err);
        return H5Oexists_by_name(file->id, name, H5P_DEFAULT) > 0
                   ? code
                   : err_set(err, -ENOENT, "%s has no dataset %s", file->path, name);
    }
    hid_t item = H5Dget_type(*set);
    *space = H5Dget_space(*set);
    int code = 0;
    if (item < 0 || *space < 0)
        code = h5_fail(file, "read", name, err);
    else if (read_type(item, shape) != 0)
        code = err_set(err, -EINVAL, "%s, %s: only numbers and fixed-length texts are understood", file->path,
                       name);
    else if (read_extent(*space, shape) != 0)
        code = err_set(err, -EINVAL, "%s, %s: more axes or items than are allowed", file->path, name);
    H5Tclose(item);
    if (!code)
        return 0;
    H5Sclose(*space);
    H5Dclose(*set);
    return code;
}

int h5_write_rows(struct h5 *file, const char *name, size_t first, size_t count, const void *values,
                  struct err *err)
{
    struct h5_shape shape;
    hid_t set = -1, space = -1, memory = -1;
    int code = open_set(file, name, &set, &space, &shape, err);
    if (code)
        return code;
    hid_t item = H5Dget_type(set);
    bool empty = shape.count == 0 || count == 0;
    if (!empty && (select_rows(&shape, first, count, space, &memory) != 0 ||
                   H5Dwrite(set, item, memory, space, H5P_DEFAULT, values) < 0))
        code = h5_fail(file, "write", name, err);
    if (memory >= 0)
        H5Sclose(memory);
    H5Tclose(item);
    H5Sclose(space);
    if (H5Dclose(set) < 0 && !code)
        code = h5_fail(file, "write", name, err);
    return code;
}

int h5_write(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank,
             const size_t *sizes, const void *values, struct err *err)
{
    int code = h5_make(file, name, type, width, rank, sizes, err);
    return code ? code : h5_write_rows(file, name, 0, rank ? sizes[0] : 1, values, err);
}

int h5_describe(struct h5 *file, const char *name, const char *attribute, struct h5_shape *shape, char **text,
                struct err *err)
{
    hid_t set = -1, space = -1;
    int code = open_set(file, name, &set, &space, shape, err);
    if (code)
        return code;
    if (attribute)
        *text = h5_text_attribute(set, attribute);
    H5Sclose(space);
    H5Dclose(set);
    return 0;
}

int h5_shape(struct h5 *file, const char *name, struct h5_shape *shape, struct err *err)
{
    return h5_describe(file, name, NULL, shape, NULL, err);
}

int h5_read_rows(struct h5 *file, const char *name, enum h5_type type, size_t width, size_t first,
                 size_t count, void *values, struct err *err)
{
    struct h5_shape shape;
    hid_t set = -1, space = -1, memory = -1;
    int code = open_set(file, name, &set, &space, &shape, err);
    if (code)
        return code;
    size_t rows = shape.rank ? shape.sizes[0] : 1;
    hid_t stored = H5Dget_type(set), item = h5_type_as(type, width, stored);
    if ((type == H5_TYPE_TEXT) != (shape.type == H5_TYPE_TEXT))
        code = err_set(err, -EINVAL, "%s, %s: %s wanted", file->path, name,
                       type == H5_TYPE_TEXT ? "texts are" : "numbers are");
    else if (first > rows || count > rows - first)
        code = err_set(err, -EINVAL, "%s, %s has %zu rows, fewer than the %zu wanted", file->path, name, rows,
                       first + count);
    else if (shape.count && count &&
             (select_rows(&shape, first, count, space, &memory) != 0 ||
              H5Dread(set, item, memory, space, H5P_DEFAULT, values) < 0))
        code = h5_fail(file, "read", name, err);
    if (memory >= 0)
        H5Sclose(memory);
    H5Tclose(item);
    H5Tclose(stored);
    H5Sclose(space);
    H5Dclose(set);
    return code;
}

int h5_read(struct h5 *file, const char *name, enum h5_type type, size_t width, size_t count, void *values,
            struct err *err)
{
    struct h5_shape shape;
    int code = h5_shape(file, name, &shape, err);
    if (code)
        return code;
    if (shape.count != count)
        return err_set(err, -EINVAL, "%s, %s has %zu items instead of %zu", file->path, name, shape.count,
                       count);
    return h5_read_rows(file, name, type, width, 0, shape.rank ? shape.sizes[0] : 1, values, err);
}

/* True when set is stored in one piece of little-endian float32 that lies in the file. */
static bool is_plain(const struct h5 *file, hid_t set, const struct h5_shape *shape)
{
    struct stat status;
    hid_t item = H5Dget_type(set), list = H5Dget_create_plist(set);
    haddr_t offset = H5Dget_offset(set);
    bool plain = H5Tequal(item, H5T_IEEE_F32LE) > 0 && H5Pget_layout(list) == H5D_CONTIGUOUS &&
                 H5Pget_external_count(list) == 0 && offset != HADDR_UNDEF &&
                 stat(file->path, &status) == 0 &&
                 (size_t)offset + shape->count * sizeof(float) <= (size_t)status.st_size;
    H5Pclose(list);
    H5Tclose(item);
    return plain && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
}

int64_t h5_plain_offset(struct h5 *file, const char *name)
{
    struct h5_shape shape;
    hid_t set = -1, space = -1;
    if (open_set(file, name, &set, &space, &shape, NULL) != 0)
        return -1;
    int64_t offset = is_plain(file, set, &shape) ? (int64_t)H5Dget_offset(set) : -1;
    H5Sclose(space);
    H5Dclose(set);
    return offset;
}
