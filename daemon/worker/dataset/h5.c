/* See h5.h. Files are opened without HDF5's own locks: they are whole before they have their names, and
 * network file systems often refuse flock. HDF5 1.10 is not safe against hostile files; sizes are checked
 * against each other and the caller's memory before anything is read.
 *
 * HDF5 dies (segmentation fault in H5Fclose) when the disk is full as it writes its metadata at the end: so
 * room for them and for each dataset is reserved before HDF5 is asked for anything, and a full disk is an
 * error of ours. */
#include "daemon/worker/dataset/h5_private.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FIRST_RESERVE = 1 << 18 };

struct reason {
    char text[256];
    int code;
};

/* The innermost entry tells the reason; where it is a failed system call, "errno = N" is in its many lines.
 */
static herr_t keep_reason(unsigned n, const H5E_error2_t *entry, void *argument)
{
    struct reason *reason = argument;
    const char *number = entry->desc ? strstr(entry->desc, "errno = ") : NULL;
    if (n > 0 || !entry->desc)
        return 0;
    if (number && atoi(number + 8) > 0) {
        reason->code = -atoi(number + 8);
        snprintf(reason->text, sizeof reason->text, "%s", strerror(-reason->code));
    } else {
        snprintf(reason->text, sizeof reason->text, "%.*s", (int)strcspn(entry->desc, "\n"), entry->desc);
    }
    return 0;
}

int h5_fail(const struct h5 *file, const char *what, const char *name, struct err *err)
{
    struct reason reason = {"HDF5 gives no reason", -EIO};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, &reason);
    return err_set(err, reason.code, "cannot %s %s%s%s: %s", what, file->path, name ? ", " : "",
                   name ? name : "", reason.text);
}

int h5_reserve(struct h5 *file, size_t bytes, struct err *err)
{
    enum { OVERHEAD = 8192 }; /* of an object: its header, and what alignment skips */
    const off_t more = (off_t)bytes + OVERHEAD;
    if (fallocate(outfile_fd(file->outfile), FALLOC_FL_KEEP_SIZE, file->reserved, more) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS)
        return err_set(err, -errno, "cannot write %s: %s", file->path, strerror(errno));
    file->reserved += more;
    return 0;
}

size_t h5_item_size(enum h5_type type, size_t width)
{
    static const size_t SIZES[H5_TYPE_MAX] = {8, 8, 4, 1, 0};
    return type == H5_TYPE_TEXT ? width : SIZES[type];
}

hid_t h5_type_make(enum h5_type type, size_t width)
{
    switch (type) {
    case H5_TYPE_INT64:
        return H5Tcopy(H5T_STD_I64LE);
    case H5_TYPE_REAL64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case H5_TYPE_REAL32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case H5_TYPE_UINT8:
        return H5Tcopy(H5T_STD_U8LE);
    default:
        break;
    }
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, width ? width : 1);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    H5Tset_cset(text, H5T_CSET_ASCII);
    return text;
}

hid_t h5_type_as(enum h5_type type, size_t width, hid_t stored)
{
    hid_t item = h5_type_make(type, width);
    if (type == H5_TYPE_TEXT && H5Tget_class(stored) == H5T_STRING)
        H5Tset_cset(item, H5Tget_cset(stored));
    return item;
}

static struct h5 *h5_alloc(const char *path, struct err *err)
{
    struct h5 *file = calloc(1, sizeof *file);
    if (!file) {
        err_set(err, -ENOMEM, "out of memory for %s", path);
        return NULL;
    }
    file->id = -1;
    file->path = str_format("%s", path);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return file;
}

/* Superblock and headers of HDF5 1.8, which every reader knows; objects close with their file. */
static hid_t access_list(void)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_V18);
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    H5Pset_file_locking(list, false, true);
    H5Pset_alignment(list, 1 << 16, 1 << 12);
    return list;
}

int h5_open(struct h5 **out, const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    CLEANUP(h5_close_ptr) struct h5 *file = h5_alloc(path, err);
    if (!file)
        return -ENOMEM;
    hid_t list = access_list();
    file->id = H5Fopen(path, H5F_ACC_RDONLY, list);
    int code = file->id < 0 ? h5_fail(file, "read", NULL, err) : 0;
    H5Pclose(list);
    if (!code)
        *out = TAKE(file);
    return code;
}

int h5_create(struct h5 **out, const char *path, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = h5_alloc(path, err);
    int code = file ? outfile_open(&file->outfile, path, err) : -ENOMEM;
    if (!code)
        code = h5_reserve(file, FIRST_RESERVE, err); /* is there room at all? H5Fcreate gives it back */
    if (code)
        return code;
    hid_t list = access_list(), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(creation, false);
    H5Pset_attr_phase_change(creation, 0, 0); /* attributes of the file may be larger than 64 KiB */
    file->id = H5Fcreate(outfile_temporary(file->outfile), H5F_ACC_TRUNC, creation, list);
    code = file->id < 0 ? h5_fail(file, "write", NULL, err) : 0;
    H5Pclose(creation);
    H5Pclose(list);
    file->reserved = 0;
    if (!code)
        code = h5_reserve(file, FIRST_RESERVE, err);
    if (!code)
        *out = TAKE(file);
    return code;
}

/* What was reserved past the end goes back to the disk. */
static int trim(struct h5 *file, struct err *err)
{
    struct stat status;
    const int fd = outfile_fd(file->outfile);
    if (fstat(fd, &status) != 0 || ftruncate(fd, status.st_size) != 0)
        return err_set(err, -errno, "cannot write %s: %s", file->path, strerror(errno));
    return 0;
}

int h5_publish(struct h5 *file, struct err *err)
{
    const hid_t id = file->id;
    int code = H5Fflush(id, H5F_SCOPE_LOCAL) < 0 ? h5_fail(file, "write", NULL, err) : 0;
    if (!code) {
        file->id = -1;
        code = H5Fclose(id) < 0 ? h5_fail(file, "write", NULL, err) : trim(file, err);
    }
    if (!code)
        code = outfile_publish(TAKE(file->outfile), err);
    h5_close(file);
    return code;
}

void h5_close(struct h5 *file)
{
    if (!file)
        return;
    if (file->id >= 0)
        H5Fclose(file->id);
    outfile_discard(file->outfile);
    free(file->path);
    free(file);
}

const char *h5_path(const struct h5 *file)
{
    return file->path;
}

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

int h5_make(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank, const size_t *sizes,
            struct err *err)
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
    hid_t set = H5Dcreate2(file->id, name, item, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    code = set < 0 ? h5_fail(file, "write", name, err) : 0;
    if (set >= 0)
        H5Dclose(set);
    H5Pclose(creation);
    H5Tclose(item);
    H5Sclose(space);
    return code;
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
        shape->type = size <= 4 ? H5_TYPE_REAL32 : H5_TYPE_REAL64;
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
    if (H5Oexists_by_name(file->id, name, H5P_DEFAULT) <= 0)
        return err_set(err, -ENOENT, "%s has no dataset %s", file->path, name);
    *set = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (*set < 0)
        return h5_fail(file, "read", name, err);
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
    hid_t set, space, memory = -1;
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

int h5_shape(struct h5 *file, const char *name, struct h5_shape *shape, struct err *err)
{
    hid_t set, space;
    int code = open_set(file, name, &set, &space, shape, err);
    if (code)
        return code;
    H5Sclose(space);
    H5Dclose(set);
    return 0;
}

int h5_read_rows(struct h5 *file, const char *name, enum h5_type type, size_t width, size_t first,
                 size_t count, void *values, struct err *err)
{
    struct h5_shape shape;
    hid_t set, space, memory = -1;
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
    hid_t set, space;
    if (open_set(file, name, &set, &space, &shape, NULL) != 0)
        return -1;
    int64_t offset = is_plain(file, set, &shape) ? (int64_t)H5Dget_offset(set) : -1;
    H5Sclose(space);
    H5Dclose(set);
    return offset;
}
