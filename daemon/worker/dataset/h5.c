/* Files of h5.h; datasets are in h5_set.c. Files are opened without HDF5's own locks: they are whole before
 * they have their names, and network file systems often refuse flock. HDF5 1.10 is not safe against hostile
 * files; sizes are checked against each other and the caller's memory before anything is read.
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
    static const size_t SIZES[H5_TYPE_MAX] = {8, 8, 4, 1, 0, 2};
    return type == H5_TYPE_TEXT ? width : SIZES[type];
}

/* IEEE 754 binary16, as numpy has it: sign, 5 bits of exponent, 10 of mantissa. */
static hid_t make_half(void)
{
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    return half;
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
    case H5_TYPE_REAL16:
        return make_half();
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

int h5_finish(struct h5 *file, uint64_t *checksum, struct err *err)
{
    const hid_t id = file->id;
    int code = H5Fflush(id, H5F_SCOPE_LOCAL) < 0 ? h5_fail(file, "write", NULL, err) : 0;
    if (code)
        return code;
    file->id = -1;
    code = H5Fclose(id) < 0 ? h5_fail(file, "write", NULL, err) : trim(file, err);
    if (!code)
        sync_file_range(outfile_fd(file->outfile), 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint: fsync comes yet */
    return code || !checksum ? code : file_checksum(outfile_temporary(file->outfile), checksum, err);
}

int h5_publish(struct h5 *file, struct err *err)
{
    int code = file->id >= 0 ? h5_finish(file, NULL, err) : 0;
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

const char *h5_version(void)
{
    static char text[32];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
